package portal

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
)

// Vertical is the line of business of a workspace. It determines the names of the resources on the hosted pages and the kinds of
// the resources that a portal creates.
type Vertical string

// The verticals. The zero Vertical is the same as VerticalNeutral.
const (
	VerticalNeutral         Vertical = "neutral"
	VerticalShortTermRental Vertical = "short_term_rental"
	VerticalHospitality     Vertical = "hospitality"
	VerticalMultiFamily     Vertical = "multi_family"
	VerticalGymManagement   Vertical = "gym_management"
	VerticalPropertyTours   Vertical = "property_tours"
)

// Verticals returns all verticals. VerticalNeutral is the first.
func Verticals() []Vertical {
	out := make([]Vertical, len(verticals))
	for i, row := range verticals {
		out[i] = row.vertical
	}
	return out
}

// isExclusive reports whether a space belongs to one guest at a time.
func (v Vertical) isExclusive() bool { return v == VerticalHospitality || v == VerticalShortTermRental }

// Alias contains the names that a vertical uses for one kind of resource. Its JSON is a part of the API's
// vertical_resource_aliases.
type Alias struct {
	ResourceKey     string `json:"resource_key"`     // the name of the kind, such as "property_listing"
	ResourceLabel   string `json:"resource_label"`   // in English, such as "Property listing"
	CollectionKey   string `json:"collection_key"`   // such as "property_listings"
	CollectionLabel string `json:"collection_label"` // such as "Property listings"
}

// Aliases contains the names that a vertical uses for the resources of each class. Its JSON is the API's
// vertical_resource_aliases.
type Aliases struct {
	Space            Alias   `json:"space"`
	AdditionalSpaces []Alias `json:"additional_spaces"`
	UserIdentity     Alias   `json:"user_identity"`
	AccessGrant      Alias   `json:"access_grant"`
}

// vocabulary contains the kinds and the English labels of a vertical.
type vocabulary struct {
	vertical                       Vertical
	userKind, spaceKind, grantKind data.Kind
	user, space, grant             label
	others                         []otherSpace
}

type label struct{ singular, plural string }

// otherSpace is an additional kind of space of a vertical.
type otherSpace struct {
	kind  data.Kind
	label label
}

// verticals lists the vocabulary of each vertical, VerticalNeutral first.
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

// vocabularyOf returns the vocabulary of a vertical, or that of VerticalNeutral for an unknown vertical.
func vocabularyOf(v Vertical) vocabulary {
	if i := slices.IndexFunc(verticals, func(row vocabulary) bool { return row.vertical == v }); i >= 0 {
		return verticals[i]
	}
	return verticals[0]
}

// Aliases returns the names that the vertical uses for resources. An unknown vertical has the names of VerticalNeutral.
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

// alias returns the Alias of a kind with this label.
func (l label) alias(kind data.Kind) Alias {
	return Alias{kind.String(), l.singular, kind.Collection(), l.plural}
}
