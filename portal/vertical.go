package portal

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
)

// Vertical is the business that a workspace is in. It says what things are called.
type Vertical string

// The verticals; the zero Vertical is neutral.
const (
	VerticalNeutral         Vertical = "neutral"
	VerticalShortTermRental Vertical = "short_term_rental"
	VerticalHospitality     Vertical = "hospitality"
	VerticalMultiFamily     Vertical = "multi_family"
	VerticalGymManagement   Vertical = "gym_management"
	VerticalPropertyTours   Vertical = "property_tours"
)

// Verticals lists the verticals.
func Verticals() []Vertical {
	out := make([]Vertical, len(verticals))
	for i, row := range verticals {
		out[i] = row.vertical
	}
	return out
}

// Alias is what a vertical calls a thing. As JSON it is the API's object.
type Alias struct {
	ResourceKey     string `json:"resource_key"`     // the kind, such as "property_listing"
	ResourceLabel   string `json:"resource_label"`   // in English, such as "Property listing"
	CollectionKey   string `json:"collection_key"`   // such as "property_listings"
	CollectionLabel string `json:"collection_label"` // such as "Property listings"
}

// Aliases are what a vertical calls the three classes. As JSON it is the API's
// vertical_resource_aliases.
type Aliases struct {
	Space            Alias   `json:"space"`
	AdditionalSpaces []Alias `json:"additional_spaces"`
	UserIdentity     Alias   `json:"user_identity"`
	AccessGrant      Alias   `json:"access_grant"`
}

// words is a row of the table of verticals.
type vocabulary struct {
	vertical                       Vertical
	userKind, spaceKind, grantKind data.Kind
	user, space, grant             label
	others                         []otherSpace
}

type label struct{ singular, plural string }

// other is a further kind of space.
type otherSpace struct {
	kind  data.Kind
	label label
}

// verticals is the one table of what a vertical calls things, and of the kinds that a
// portal creates in it.
var verticals = []vocabulary{
	{VerticalNeutral, data.KindUserIdentity, data.KindSpace, data.KindBooking,
		label{"User Identity", "User Identities"}, label{"Space", "Spaces"}, label{"Booking", "Bookings"}, nil},
	{VerticalShortTermRental, data.KindGuest, data.KindPropertyListing, data.KindReservation,
		label{"Guest", "Guests"}, label{"Property listing", "Property listings"}, label{"Reservation", "Reservations"}, nil},
	{VerticalHospitality, data.KindGuest, data.KindRoom, data.KindBooking,
		label{"Guest", "Guests"}, label{"Room", "Rooms"}, label{"Booking", "Bookings"},
		[]otherSpace{{data.KindCommonArea, label{"Common area", "Common areas"}}}},
	{VerticalMultiFamily, data.KindTenant, data.KindUnit, data.KindAccessGrant,
		label{"Tenant", "Tenants"}, label{"Unit", "Units"}, label{"Lease", "Leases"},
		[]otherSpace{{data.KindCommonArea, label{"Common area", "Common areas"}}}},
	{VerticalGymManagement, data.KindUser, data.KindFacility, data.KindAccessGrant,
		label{"Member", "Members"}, label{"Facility", "Facilities"}, label{"Membership", "Memberships"}, nil},
	{VerticalPropertyTours, data.KindUser, data.KindSpace, data.KindBooking,
		label{"Visitor", "Visitors"}, label{"Tour space", "Tour spaces"}, label{"Booking", "Bookings"}, nil},
}

// vocabularyOf is the row of a vertical, or of the neutral one.
func vocabularyOf(v Vertical) vocabulary {
	if i := slices.IndexFunc(verticals, func(row vocabulary) bool { return row.vertical == v }); i >= 0 {
		return verticals[i]
	}
	return verticals[0]
}

// Aliases are what the vertical calls things.
func (v Vertical) Aliases() Aliases {
	row := vocabularyOf(v)
	out := Aliases{
		Space: row.space.alias(row.spaceKind), AdditionalSpaces: []Alias{},
		UserIdentity: row.user.alias(row.userKind), AccessGrant: row.grant.alias(row.grantKind),
	}
	for _, o := range row.others {
		out.AdditionalSpaces = append(out.AdditionalSpaces, o.label.alias(o.kind))
	}
	return out
}

func (l label) alias(kind data.Kind) Alias {
	return Alias{kind.String(), l.singular, kind.Collection(), l.plural}
}
