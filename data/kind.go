package data

import (
	"fmt"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// Class is what a resource is to access control.
type Class uint8

// The three classes. A resource key is unique in its workspace and class.
const (
	ClassSpace        Class = 1
	ClassUserIdentity Class = 2
	ClassAccessGrant  Class = 3
)

// Customers and their portals are no resources, but the change feed reports their
// changes too.
const (
	ClassCustomer       Class = 0xe
	KindCustomer              = Kind(ClassCustomer) << 4
	ClassCustomerPortal Class = layout.ReferrerPortal >> 4
	KindCustomerPortal  Kind  = layout.ReferrerPortal

	customerWord   = "customer"
	customerPortal = "customer_portal"
)

// String gives the API's word for the class, such as "user_identity".
func (c Class) String() string {
	switch c {
	case ClassSpace:
		return "space"
	case ClassUserIdentity:
		return "user_identity"
	case ClassAccessGrant:
		return "access_grant"
	case ClassCustomer:
		return customerWord
	case ClassCustomerPortal:
		return customerPortal
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// MarshalText writes the class as String does.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what String gives for a class, or returns an error that matches [validation.ErrInvalid].
func (c *Class) UnmarshalText(b []byte) error {
	for _, class := range []Class{ClassSpace, ClassUserIdentity, ClassAccessGrant, ClassCustomer, ClassCustomerPortal} {
		if class.String() == string(b) {
			*c = class
			return nil
		}
	}
	return fmt.Errorf("%w: unknown class %q", validation.ErrInvalid, textrules.Clip(string(b)))
}

// Kind is what the partner calls a resource. The zero Kind is none.
type Kind uint8

// The 19 kinds. The numbers are stored, so they never change; the upper four
// bits are the class.
const (
	KindSpace           = Kind(ClassSpace)<<4 | iota
	KindSite            // a space that other spaces lie in
	KindProperty        //
	KindRoom            //
	KindCommonArea      //
	KindUnit            //
	KindFacility        //
	KindBuilding        //
	KindListing         //
	KindPropertyListing //
)

// Kinds of user identities.
const (
	KindUserIdentity = Kind(ClassUserIdentity)<<4 | iota
	KindGuest        //
	KindTenant       //
	KindResident     //
	KindUser         //
	KindStaffMember  // also refers to the spaces that it serves
)

// Kinds of access grants.
const (
	KindAccessGrant = Kind(ClassAccessGrant)<<4 | iota
	KindReservation //
	KindBooking     //
)

type kindRow struct {
	kind       Kind
	name       string
	collection string
}

// kinds is the one table of what the API calls each kind. Its order is that of
// collections in JSON and of aliases in a list of references.
var kinds = [...]kindRow{
	{KindSpace, "space", "spaces"},
	{KindSite, "site", "sites"},
	{KindProperty, "property", "properties"},
	{KindRoom, "room", "rooms"},
	{KindCommonArea, "common_area", "common_areas"},
	{KindUnit, "unit", "units"},
	{KindFacility, "facility", "facilities"},
	{KindBuilding, "building", "buildings"},
	{KindListing, "listing", "listings"},
	{KindPropertyListing, "property_listing", "property_listings"},
	{KindUserIdentity, "user_identity", "user_identities"},
	{KindGuest, "guest", "guests"},
	{KindTenant, "tenant", "tenants"},
	{KindResident, "resident", "residents"},
	{KindUser, "user", "users"},
	{KindStaffMember, "staff_member", "staff_members"},
	{KindAccessGrant, "access_grant", "access_grants"},
	{KindReservation, "reservation", "reservations"},
	{KindBooking, "booking", "bookings"},
}

// What is looked up in the table, by each of its columns.
var (
	byName       = kindsBy(func(row kindRow) string { return row.name })
	byCollection = kindsBy(func(row kindRow) string { return row.collection })
	byKeysField  = kindsBy(func(row kindRow) string { return row.name + "_keys" })

	kindIndex = func() (places [256]uint8) { // place in kinds, plus one
		for i, row := range kinds {
			places[row.kind] = uint8(i + 1)
		}
		return places
	}()
)

func kindsBy(column func(kindRow) string) map[string]Kind {
	return lo.SliceToMap(kinds[:], func(row kindRow) (string, Kind) { return column(row), row.kind })
}

// Kinds lists every kind: of one class, or of all where none is given.
func Kinds(of ...Class) []Kind {
	var out []Kind
	for _, row := range kinds {
		if len(of) == 0 || of[0] == row.kind.Class() {
			out = append(out, row.kind)
		}
	}
	return out
}

// ParseKind reads the API's word for a kind, such as "common_area".
func ParseKind(name string) (Kind, error) {
	if k, ok := byName[name]; ok {
		return k, nil
	}
	return 0, fmt.Errorf("%w: unknown kind %q", validation.ErrInvalid, name)
}

func (k Kind) valid() bool { return kindIndex[k] != 0 }

// Class is what a resource of this kind is to access control.
func (k Kind) Class() Class { return Class(k >> 4) }

// String gives the API's word for the kind, such as "common_area".
func (k Kind) String() string {
	if k.valid() {
		return kinds[kindIndex[k]-1].name
	}
	switch k {
	case KindCustomer:
		return customerWord
	case KindCustomerPortal:
		return customerPortal
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Collection is the field that holds resources of this kind in a push, such as "properties".
func (k Kind) Collection() string {
	if k.valid() {
		return kinds[kindIndex[k]-1].collection
	}
	return k.String()
}

// KeyField is the field that holds the key of such a resource, such as "room_key".
func (k Kind) KeyField() string { return k.String() + "_key" }

// KeysField is the field that lists keys of this kind, such as "room_keys".
func (k Kind) KeysField() string { return k.String() + "_keys" }

// Fields lists the fields that a resource of this kind has beside its key, by their
// names in the API; "customer_data.address" lies in an object of that name.
func (k Kind) Fields() []string {
	return lo.Map(fieldsOf[k], func(f *field, _ int) string { return f.name })
}

// MarshalText writes the kind as String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the kind as ParseKind does, and also KindCustomer and
// KindCustomerPortal, which appear in the change feed only.
func (k *Kind) UnmarshalText(b []byte) (err error) {
	switch string(b) {
	case customerWord:
		*k = KindCustomer
		return nil
	case customerPortal:
		*k = KindCustomerPortal
		return nil
	}
	*k, err = ParseKind(string(b))
	return err
}

// kindSet is a set of kinds, by their place in the table.
type kindSet uint32

func setOf(of ...Kind) (s kindSet) {
	for _, k := range of {
		s |= 1 << kindIndex[k]
	}
	return s
}

func (s kindSet) has(k Kind) bool { return s&(1<<kindIndex[k]) != 0 }
