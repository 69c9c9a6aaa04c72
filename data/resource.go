package data

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/validation"
)

// Resource is a [Space], a [UserIdentity] or an [AccessGrant].
type Resource interface {
	// Ref returns the kind and the key of the resource.
	Ref() Ref
	node() *node
}

// Ref identifies a resource. References to other resources find them by class and key: {KindSpace, "101"} and {KindRoom,
// "101"} are the same space. The kind of such a reference is the alias that the host used.
type Ref struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key"`
}

// Refs returns references to several resources of one kind.
func Refs(kind Kind, keys ...string) []Ref {
	out := make([]Ref, len(keys))
	for i, key := range keys {
		out[i] = Ref{kind, key}
	}
	return out
}

// String returns the kind and the key, such as "room 101".
func (r Ref) String() string { return r.Kind.String() + " " + r.Key }

// Meta is the data that the library keeps about a resource. Reads set it. A push ignores it.
type Meta struct {
	// ID is the resource id: space_id, user_identity_id or access_grant_id in the API. It does not change while the resource
	// exists.
	ID          uuid.UUID
	CustomerKey string
	CreatedAt   time.Time // UTC, whole microseconds
	UpdatedAt   time.Time // UTC, whole microseconds; the time of the last write that changed it

	// Origin is the actor that created the resource, or the host as soon as the host has pushed it, even if it was created
	// in a portal. A sync of the host then deletes it if the sync does not list it.
	Origin Actor

	// Revision is 1 when the resource is created. Each write that changes the resource increments it. A resource that is
	// deleted and created again starts at 1, with another ID.
	Revision uint64
}

// Space is a place to which a person can get access. Some fields exist only for the kinds that their comments name. A push
// refuses such a field for all other kinds.
//
// In a push, a field with the zero value keeps its stored value. Clear lists the API names of the fields to make empty, such
// as "parent_site_key", "room_keys" or "customer_data.address". A field that has a value and is also in Clear gets the value.
type Space struct {
	Kind Kind // KindSpace and the nine others of ClassSpace
	Key  string
	Name string // required; a name without visible characters, such as " ", counts as empty

	ParentSiteKey   string         // the key of a site; for KindSpace, KindRoom, KindCommonArea and KindUnit
	DurationMinutes int            // above 0; for KindSpace
	Details         SpaceDetails   // "customer_data" in the API; for KindSpace and KindSite
	Geolocation     *Geolocation   // for KindSpace
	CustomMetadata  CustomMetadata // for KindPropertyListing

	Clear []string // such as "parent_site_key"
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON that it was decoded from
}

// SpaceDetails is the object customer_data of a space or a site. Spaces inherit the time zone and the default times of their
// site; see [SpaceDetails.Inherit].
type SpaceDetails struct {
	TimeZone            string // IANA name, such as "Europe/Lisbon"
	DefaultCheckinTime  string // HH:mm or HH:mm:ss
	DefaultCheckoutTime string // HH:mm or HH:mm:ss
	Address             string // for KindSpace only
}

// Inherit returns the details with each empty time zone, default check-in time and default check-out time replaced with the
// first non-empty value in parents. The address is not inherited.
//
//	space.Details.Inherit(site.Details, data.SpaceDetails{TimeZone: customer.TimeZone})
func (d SpaceDetails) Inherit(parents ...SpaceDetails) SpaceDetails {
	for _, next := range parents {
		d.TimeZone = cmp.Or(d.TimeZone, next.TimeZone)
		d.DefaultCheckinTime = cmp.Or(d.DefaultCheckinTime, next.DefaultCheckinTime)
		d.DefaultCheckoutTime = cmp.Or(d.DefaultCheckoutTime, next.DefaultCheckoutTime)
	}
	return d
}

// Geolocation is a place on Earth, in degrees. It is one value: a push replaces it as a whole, and JSON that has only the
// latitude or only the longitude is a fault.
type Geolocation struct {
	Latitude  float64 `json:"latitude"`  // -90 to 90
	Longitude float64 `json:"longitude"` // -180 to 180
}

// CustomMetadata has at most 50 keys of 1 to 40 characters without ".". A value is a string of at most 500 characters or a
// boolean. A push merges it key by key. The values nil and "" remove a key.
type CustomMetadata map[string]any

// UserIdentity is a person who can have access. Zero values and Clear have the same meaning as in [Space].
type UserIdentity struct {
	Kind         Kind // KindUserIdentity and the five others of ClassUserIdentity
	Key          string
	Name         string // required
	EmailAddress string
	PhoneNumber  string

	// Spaces are the spaces that a staff member serves, at most 1000. Each space is listed once, under the alias that the host
	// used. A push that names any spaces replaces the whole list, even if it uses other aliases. A push whose Clear
	// names an alias, such as "room_keys", empties the whole list.
	Spaces []Ref

	// StartsAt and EndsAt bound the time in which a staff member serves the spaces. The fields "starts_at" and "ends_at" of
	// staff_members extend the API. The staff member's access codes are valid in this time only. A lock without schedules of its
	// own opens as soon as the code is on it, see WriteMinutes of the rules in package access.
	StartsAt time.Time // UTC, whole microseconds; zero means no start; for KindStaffMember
	EndsAt   time.Time // UTC, whole microseconds, after StartsAt; zero means no end; for KindStaffMember

	Clear []string
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON that it was decoded from
}

// AccessGrant gives a user identity access to spaces for a time. Zero values and Clear have the same meaning as in [Space].
type AccessGrant struct {
	Kind Kind // KindAccessGrant, KindReservation or KindBooking
	Key  string
	Name string

	// User is the user identity that has the access, under the alias that the host used: guest, tenant, resident, user or
	// user identity. A push that names a user identity replaces the stored
	// reference.
	User Ref

	// Spaces are the spaces that the user identity gets access to. A push changes the list as in [UserIdentity]. It warns about
	// an access grant without spaces, which gives no access.
	Spaces []Ref

	// Devices are the ids of devices that the user identity gets access to in addition to those of the spaces, see package access. A push
	// replaces the list, or empties it if Clear names "device_ids". An id that is not that of a device of the customer gives no access. If a
	// device is deleted, its id is removed, and an access grant without another device and without a space is deleted.
	Devices []uuid.UUID

	StartsAt       time.Time      // UTC, whole microseconds; zero means no start
	EndsAt         time.Time      // UTC, whole microseconds, after StartsAt; zero means no end
	PreferredCode  string         // 4 to 9 digits; a push warns about any other value
	CustomMetadata CustomMetadata // for KindReservation

	Clear []string
	Meta  Meta

	notes []validation.Finding // faults and warnings of the JSON that it was decoded from
}

// Ref returns the kind and the key of the space.
func (s Space) Ref() Ref { return Ref{s.Kind, s.Key} }

// Ref returns the kind and the key of the user identity.
func (u UserIdentity) Ref() Ref { return Ref{u.Kind, u.Key} }

// Ref returns the kind and the key of the access grant.
func (g AccessGrant) Ref() Ref { return Ref{g.Kind, g.Key} }

// PlainSpace returns a space of the kind "space".
func PlainSpace(key, name string) Space { return Space{Kind: KindSpace, Key: key, Name: name} }

// Site returns a space of the kind "site". Other spaces refer to it with their ParentSiteKey.
func Site(key, name string) Space { return Space{Kind: KindSite, Key: key, Name: name} }

// Property returns a space of the kind "property".
func Property(key, name string) Space { return Space{Kind: KindProperty, Key: key, Name: name} }

// Room returns a space of the kind "room".
func Room(key, name string) Space { return Space{Kind: KindRoom, Key: key, Name: name} }

// CommonArea returns a space of the kind "common_area".
func CommonArea(key, name string) Space { return Space{Kind: KindCommonArea, Key: key, Name: name} }

// Unit returns a space of the kind "unit".
func Unit(key, name string) Space { return Space{Kind: KindUnit, Key: key, Name: name} }

// Facility returns a space of the kind "facility".
func Facility(key, name string) Space { return Space{Kind: KindFacility, Key: key, Name: name} }

// Building returns a space of the kind "building".
func Building(key, name string) Space { return Space{Kind: KindBuilding, Key: key, Name: name} }

// Listing returns a space of the kind "listing".
func Listing(key, name string) Space { return Space{Kind: KindListing, Key: key, Name: name} }

// PropertyListing returns a space of the kind "property_listing".
func PropertyListing(key, name string) Space {
	return Space{Kind: KindPropertyListing, Key: key, Name: name}
}

// In returns a copy of the space in a site.
func (s Space) In(siteKey string) Space { s.ParentSiteKey = siteKey; return s }

// PlainUserIdentity returns a user identity of the kind "user_identity".
func PlainUserIdentity(key, name string) UserIdentity {
	return UserIdentity{Kind: KindUserIdentity, Key: key, Name: name}
}

// Guest returns a user identity of the kind "guest".
func Guest(key, name string) UserIdentity {
	return UserIdentity{Kind: KindGuest, Key: key, Name: name}
}

// Tenant returns a user identity of the kind "tenant".
func Tenant(key, name string) UserIdentity {
	return UserIdentity{Kind: KindTenant, Key: key, Name: name}
}

// Resident returns a user identity of the kind "resident".
func Resident(key, name string) UserIdentity {
	return UserIdentity{Kind: KindResident, Key: key, Name: name}
}

// User returns a user identity of the kind "user".
func User(key, name string) UserIdentity { return UserIdentity{Kind: KindUser, Key: key, Name: name} }

// StaffMember returns a user identity of the kind "staff_member" that serves the spaces.
func StaffMember(key, name string, spaces ...Ref) UserIdentity {
	return UserIdentity{Kind: KindStaffMember, Key: key, Name: name, Spaces: spaces}
}

// PlainAccessGrant returns an access grant of the kind "access_grant".
func PlainAccessGrant(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindAccessGrant, Key: key, User: user, Spaces: spaces}
}

// Reservation returns an access grant of the kind "reservation".
func Reservation(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindReservation, Key: key, User: user, Spaces: spaces}
}

// Booking returns an access grant of the kind "booking".
func Booking(key string, user Ref, spaces ...Ref) AccessGrant {
	return AccessGrant{Kind: KindBooking, Key: key, User: user, Spaces: spaces}
}

// During returns a copy of the staff member with these times.
func (u UserIdentity) During(startsAt, endsAt time.Time) UserIdentity {
	u.StartsAt, u.EndsAt = startsAt, endsAt
	return u
}

// During returns a copy of the access grant with these times.
func (g AccessGrant) During(startsAt, endsAt time.Time) AccessGrant {
	g.StartsAt, g.EndsAt = startsAt, endsAt
	return g
}
