package data

import (
	"fmt"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// Class is the role of a resource in access control.
type Class uint8

// The three classes. A resource key is unique in its workspace and class.
const (
	ClassSpace        Class = 1
	ClassUserIdentity Class = 2
	ClassAccessGrant  Class = 3
)

// Customers, portals and devices are not resources, but the change feed also reports their changes.
const (
	ClassCustomer       Class = 0xe
	KindCustomer              = Kind(ClassCustomer) << 4
	ClassCustomerPortal Class = layout.ReferrerPortal >> 4
	KindCustomerPortal  Kind  = layout.ReferrerPortal

	// KindDevice is the kind of a device of a connected account, see package access. Its class has the same name.
	KindDevice Kind = layout.KindDevice

	classDevice = Class(layout.KindDevice >> 4)

	customerWord   = "customer"
	customerPortal = "customer_portal"
	deviceWord     = "device"
)

// String returns the class as in the API, such as "user_identity".
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
	case classDevice:
		return deviceWord
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// MarshalText returns the result of String.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText sets c to the class whose String is b. It returns an error that matches [validation.ErrInvalid] if there is
// none.
func (c *Class) UnmarshalText(b []byte) error {
	for _, class := range []Class{ClassSpace, ClassUserIdentity, ClassAccessGrant, ClassCustomer, ClassCustomerPortal, classDevice} {
		if class.String() == string(b) {
			*c = class
			return nil
		}
	}
	return fmt.Errorf("%w: unknown class %q", validation.ErrInvalid, textrules.Clip(string(b)))
}

// Kind is the host's word for a resource. The zero Kind is not valid.
type Kind uint8

// The kinds of spaces. There are 19 kinds in all. The upper four bits of a kind are its class. The numbers are stored, so they
// must not change.
const (
	KindSpace           = Kind(ClassSpace)<<4 | iota
	KindSite            // contains other spaces
	KindProperty        //
	KindRoom            //
	KindCommonArea      //
	KindUnit            //
	KindFacility        //
	KindBuilding        //
	KindListing         //
	KindPropertyListing //
)

// The kinds of user identities.
const (
	KindUserIdentity = Kind(ClassUserIdentity)<<4 | iota
	KindGuest        //
	KindTenant       //
	KindResident     //
	KindUser         //
	KindStaffMember  // also has the spaces that it serves, and the time in which it does
)

// The kinds of access grants.
const (
	KindAccessGrant = Kind(ClassAccessGrant)<<4 | iota
	KindReservation //
	KindBooking     //
)

// kindRow has the names of a kind in the API.
type kindRow struct {
	kind       Kind
	name       string
	collection string
}

// kinds is the table of all kinds. Collections in JSON and the aliases in a list of references have the order of this table.
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

// Indexes of the table of kinds.
var (
	byName       = kindsBy(func(row kindRow) string { return row.name })
	byCollection = kindsBy(func(row kindRow) string { return row.collection })
	byKeysField  = kindsBy(func(row kindRow) string { return row.name + "_keys" })

	kindIndex = func() (indexes [256]uint8) { // index in kinds plus one; zero for an unknown kind
		for i, row := range kinds {
			indexes[row.kind] = uint8(i + 1)
		}
		return indexes
	}()
)

// kindsBy returns a map from a column of the table to the kind.
func kindsBy(column func(kindRow) string) map[string]Kind {
	return lo.SliceToMap(kinds[:], func(row kindRow) (string, Kind) { return column(row), row.kind })
}

// Kinds returns the kinds of the class, or all kinds if no class is given. It ignores all classes except the first.
func Kinds(class ...Class) []Kind {
	var out []Kind
	for _, row := range kinds {
		if len(class) == 0 || class[0] == row.kind.Class() {
			out = append(out, row.kind)
		}
	}
	return out
}

// ParseKind returns the kind with this name in the API, such as "common_area". It returns an error that matches
// [validation.ErrInvalid] if there is none.
func ParseKind(name string) (Kind, error) {
	if k, ok := byName[name]; ok {
		return k, nil
	}
	return 0, fmt.Errorf("%w: unknown kind %q", validation.ErrInvalid, name)
}

// valid reports whether k is one of the kinds of resources.
func (k Kind) valid() bool { return kindIndex[k] != 0 }

// Class returns the class of the resources of this kind.
func (k Kind) Class() Class { return Class(k >> 4) }

// String returns the name of the kind in the API, such as "common_area".
func (k Kind) String() string {
	if k.valid() {
		return kinds[kindIndex[k]-1].name
	}
	switch k {
	case KindCustomer:
		return customerWord
	case KindCustomerPortal:
		return customerPortal
	case KindDevice:
		return deviceWord
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Collection returns the name of the list of resources of this kind in a push, such as "properties".
func (k Kind) Collection() string {
	if k.valid() {
		return kinds[kindIndex[k]-1].collection
	}
	return k.String()
}

// KeyField returns the name of the field that contains the key of a resource of this kind, such as "room_key".
func (k Kind) KeyField() string { return k.String() + "_key" }

// KeysField returns the name of the field that lists keys of this kind, such as "room_keys".
func (k Kind) KeysField() string { return k.String() + "_keys" }

// Fields returns the API names of the fields of a resource of this kind except its key. A name such as
// "customer_data.address" is the field "address" of the object "customer_data".
func (k Kind) Fields() []string {
	return lo.Map(fieldsOf[k], func(f *field, _ int) string { return f.name })
}

// MarshalText returns the result of String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText parses a kind as ParseKind does. It also accepts KindCustomer, KindCustomerPortal and KindDevice, which occur
// only in the change feed.
func (k *Kind) UnmarshalText(b []byte) (err error) {
	switch string(b) {
	case customerWord:
		*k = KindCustomer
		return nil
	case customerPortal:
		*k = KindCustomerPortal
		return nil
	case deviceWord:
		*k = KindDevice
		return nil
	}
	*k, err = ParseKind(string(b))
	return err
}

// kindSet is a set of kinds: bit n stands for the kind whose index in the table is n-1. Bit 0 stands for customer portals, and
// the highest bits for PINs, devices and access codes, which are not resources but refer to them.
type kindSet uint32

func (k Kind) bit() uint8 {
	switch k {
	case kindPIN:
		return 29
	case KindDevice:
		return 30
	case kindCode:
		return 31
	}
	return kindIndex[k]
}

func setOf(of ...Kind) (s kindSet) {
	for _, k := range of {
		s |= 1 << k.bit()
	}
	return s
}

func (s kindSet) has(k Kind) bool { return s&(1<<k.bit()) != 0 }
