package data

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/validation"
)

// Resource is a [Space], a [UserIdentity] or an [AccessGrant].
type Resource interface {
	// Ref is the resource's own kind and key.
	Ref() Ref
	node() *node
}

// Ref names a resource. A reference goes by class: where it refers to another
// resource its kind is only the alias that the partner used, and
// {KindSpace, "101"} and {KindRoom, "101"} are the same space.
type Ref struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key"`
}

// Refs names several resources of one kind.
func Refs(kind Kind, keys ...string) []Ref {
	out := make([]Ref, len(keys))
	for i, key := range keys {
		out[i] = Ref{kind, key}
	}
	return out
}

func (r Ref) String() string { return r.Kind.String() + " " + r.Key }

// Meta is what the library knows of a resource. It is set on what is read, and
// ignored on what is pushed.
type Meta struct {
	// ID is the derived id: the API's space_id, user_identity_id or
	// access_grant_id. It stays for as long as the resource exists.
	ID          uuid.UUID
	CustomerKey string
	CreatedAt   time.Time // UTC, whole microseconds
	UpdatedAt   time.Time // the same; when a push last changed it

	// Origin is the actor that created the resource. Once the host has pushed the resource it
	// belongs to the host, even if it was created in a portal: a sync of the host then deletes it
	// if the host no longer lists it.
	Origin Actor

	// Revision counts the changes of the resource: 1 when it is created, and one more
	// with each write that changes it. A write that leaves the resource as it was does
	// not count. A resource that is deleted and created again begins at 1, with another ID.
	Revision uint64
}

// Space is a place that access can be granted to. Kinds that have no such field
// refuse it: see the comments.
//
// In a push the zero value of a field means that it stays as it is. Clear names the
// fields that are to become empty, by their names in the API, such as
// "parent_site_key", "room_keys" or "customer_data.address". A field that is both
// cleared and given is what is given.
type Space struct {
	Kind Kind // KindSpace and the nine others of ClassSpace
	Key  string
	Name string // required; one that shows nothing, such as " ", counts as empty

	ParentSiteKey   string         // of a space, room, common area or unit: the key of a site
	DurationMinutes int            // of a space: above 0
	Details         SpaceDetails   // of a space or a site: "customer_data" in the API
	Geolocation     *Geolocation   // of a space
	CustomMetadata  CustomMetadata // of a property listing

	Clear []string // such as "parent_site_key"
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON it came from
}

// SpaceDetails is the customer_data of a space or a site. The spaces in a site inherit
// its time zone and default times; see [SpaceDetails.Inherit].
type SpaceDetails struct {
	TimeZone            string // IANA name, such as "Europe/Lisbon"
	DefaultCheckinTime  string // HH:mm or HH:mm:ss
	DefaultCheckoutTime string // the same
	Address             string // of a space only
}

// Inherit returns the details with an empty time zone, default check-in time and
// default check-out time replaced by the first of from that has one. The address is
// never inherited.
//
//	space.Details.Inherit(site.Details, data.SpaceDetails{TimeZone: customer.TimeZone})
func (d SpaceDetails) Inherit(from ...SpaceDetails) SpaceDetails {
	for _, next := range from {
		d.TimeZone = cmp.Or(d.TimeZone, next.TimeZone)
		d.DefaultCheckinTime = cmp.Or(d.DefaultCheckinTime, next.DefaultCheckinTime)
		d.DefaultCheckoutTime = cmp.Or(d.DefaultCheckoutTime, next.DefaultCheckoutTime)
	}
	return d
}

// Geolocation is a place on Earth, in degrees. It is one value: a push replaces it, and
// does not merge it, and JSON with one of the two alone is a fault.
type Geolocation struct {
	Latitude  float64 `json:"latitude"`  // -90 to 90
	Longitude float64 `json:"longitude"` // -180 to 180
}

// CustomMetadata holds values that are a string of at most 500 characters or a
// boolean, under at most 50 keys of 1 to 40 characters with no ".". A push merges
// it key by key; nil or "" removes a key.
type CustomMetadata map[string]any

// UserIdentity is somebody who can have access. Zero values and Clear are as in [Space].
type UserIdentity struct {
	Kind         Kind // KindUserIdentity and the five others of ClassUserIdentity
	Key          string
	Name         string // required
	EmailAddress string
	PhoneNumber  string

	// Spaces are those that a staff member serves, each once, under the alias that the
	// partner used. A push that names any replaces the list, whatever the aliases, and
	// one whose Clear names an alias, such as "room_keys", empties it.
	Spaces []Ref

	Clear []string
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON it came from
}

// AccessGrant is access to spaces, for a user identity, for a time. Zero values and
// Clear are as in [Space].
type AccessGrant struct {
	Kind Kind // KindAccessGrant, KindReservation or KindBooking
	Key  string
	Name string

	// User is whose access it is, under the alias that the partner used: guest,
	// tenant, resident, user or user identity. A push that names one replaces it.
	User Ref

	// Spaces are those that it opens, as for [UserIdentity]. A push warns of a grant
	// that names none, since it opens nothing.
	Spaces []Ref

	StartsAt       time.Time      // kept in UTC to the microsecond; zero is none
	EndsAt         time.Time      // the same; after StartsAt
	PreferredCode  string         // 4 to 9 digits, or a warning
	CustomMetadata CustomMetadata // of a reservation

	Clear []string
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON it came from
}

// Ref is the space's own kind and key.
func (s Space) Ref() Ref { return Ref{s.Kind, s.Key} }

// Ref is the user identity's own kind and key.
func (u UserIdentity) Ref() Ref { return Ref{u.Kind, u.Key} }

// Ref is the access grant's own kind and key.
func (g AccessGrant) Ref() Ref { return Ref{g.Kind, g.Key} }

// The constructors read as the API does.

// PlainSpace is a resource of the kind "space".
func PlainSpace(key, name string) Space { return Space{Kind: KindSpace, Key: key, Name: name} }

// Site is a space that others lie in: they name it as their ParentSiteKey.
func Site(key, name string) Space { return Space{Kind: KindSite, Key: key, Name: name} }

// Property is a space of that kind.
func Property(key, name string) Space { return Space{Kind: KindProperty, Key: key, Name: name} }

// Room is a space of that kind.
func Room(key, name string) Space { return Space{Kind: KindRoom, Key: key, Name: name} }

// CommonArea is a space of that kind.
func CommonArea(key, name string) Space { return Space{Kind: KindCommonArea, Key: key, Name: name} }

// Unit is a space of that kind.
func Unit(key, name string) Space { return Space{Kind: KindUnit, Key: key, Name: name} }

// Facility is a space of that kind.
func Facility(key, name string) Space { return Space{Kind: KindFacility, Key: key, Name: name} }

// Building is a space of that kind.
func Building(key, name string) Space { return Space{Kind: KindBuilding, Key: key, Name: name} }

// Listing is a space of that kind.
func Listing(key, name string) Space { return Space{Kind: KindListing, Key: key, Name: name} }

// PropertyListing is a space of that kind.
func PropertyListing(key, name string) Space {
	return Space{Kind: KindPropertyListing, Key: key, Name: name}
}

// In is the space with a site that it lies in.
func (s Space) In(siteKey string) Space { s.ParentSiteKey = siteKey; return s }

// PlainUserIdentity is a resource of the kind "user_identity".
func PlainUserIdentity(key, name string) UserIdentity {
	return UserIdentity{Kind: KindUserIdentity, Key: key, Name: name}
}

// Guest is a user identity of that kind.
func Guest(key, name string) UserIdentity {
	return UserIdentity{Kind: KindGuest, Key: key, Name: name}
}

// Tenant is a user identity of that kind.
func Tenant(key, name string) UserIdentity {
	return UserIdentity{Kind: KindTenant, Key: key, Name: name}
}

// Resident is a user identity of that kind.
func Resident(key, name string) UserIdentity {
	return UserIdentity{Kind: KindResident, Key: key, Name: name}
}

// User is a user identity of that kind.
func User(key, name string) UserIdentity { return UserIdentity{Kind: KindUser, Key: key, Name: name} }

// StaffMember is a user identity of that kind, which serves spaces.
func StaffMember(key, name string, spaces ...Ref) UserIdentity {
	return UserIdentity{Kind: KindStaffMember, Key: key, Name: name, Spaces: spaces}
}

// PlainAccessGrant is a resource of the kind "access_grant".
func PlainAccessGrant(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindAccessGrant, Key: key, User: user, Spaces: spaces}
}

// Reservation is an access grant of that kind.
func Reservation(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindReservation, Key: key, User: user, Spaces: spaces}
}

// Booking is an access grant of that kind.
func Booking(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindBooking, Key: key, User: user, Spaces: spaces}
}

// During is the access grant with its times.
func (g AccessGrant) During(startsAt, endsAt time.Time) AccessGrant {
	g.StartsAt, g.EndsAt = startsAt, endsAt
	return g
}
