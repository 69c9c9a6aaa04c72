package data

import (
	"fmt"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/validation"
)

// CustomerData is the input of a push or a sync for one customer. Its JSON is the object of the API: customer_key,
// customer_name, customer_time_zone and the 19 collections, such as "rooms".
//
// A push merges a resource into the stored resource with the same key, as JSON Merge Patch does: a field that is not set keeps
// its stored value, a field in Clear becomes empty, a list is replaced, and custom_metadata is merged key by key. The spaces of
// all aliases are one list.
//
// A push merges the name and the time zone of the customer like the fields of a resource: an empty value keeps the stored
// value, and Clear lists the fields to make empty. This also applies with PushOptions.Replace, which replaces only resources.
// A sync sets both fields to exactly the given values.
//
// Decoding distinguishes null from absent, as in JSON Merge Patch (RFC 7396): a field that is null, an empty string or an
// empty list is added to the Clear of the resource. Decoding accepts JSON that does not follow the API, such as a number for
// a name or an invalid time. A push reports these faults together with all others.
type CustomerData struct {
	CustomerKey      string
	CustomerName     string // to show to people instead of the key; at most 200 bytes
	CustomerTimeZone string // IANA name, such as "Europe/Lisbon"; for spaces that have no time zone and inherit none from their site

	Spaces         []Space
	UserIdentities []UserIdentity
	AccessGrants   []AccessGrant

	// Clear lists the fields of the customer to make empty: "customer_name" and "customer_time_zone".
	Clear []string

	notes   []validation.Finding // faults and warnings of the JSON that it was decoded from
	omitted reportlimit.Omitted
}

// Add adds resources of any class, or pointers to them. It panics if a resource or a pointer is nil.
func (d *CustomerData) Add(resources ...Resource) {
	for _, r := range resources {
		if !d.tryAdd(r) {
			panic("data: CustomerData.Add of a nil Resource")
		}
	}
}

// tryAdd adds a resource. It returns false if the resource is nil.
func (d *CustomerData) tryAdd(r Resource) bool {
	switch r := r.(type) {
	case Space:
		d.Spaces = append(d.Spaces, r)
	case UserIdentity:
		d.UserIdentities = append(d.UserIdentities, r)
	case AccessGrant:
		d.AccessGrants = append(d.AccessGrants, r)
	case *Space:
		return r != nil && d.tryAdd(*r)
	case *UserIdentity:
		return r != nil && d.tryAdd(*r)
	case *AccessGrant:
		return r != nil && d.tryAdd(*r)
	case nil:
		return false
	default: // a type of the caller that embeds one of these
		d.add(r.node())
	}
	return true
}

func (d *CustomerData) add(n *node) {
	switch n.class() {
	case ClassSpace:
		d.Spaces = append(d.Spaces, n.space())
	case ClassUserIdentity:
		d.UserIdentities = append(d.UserIdentities, n.userIdentity())
	default:
		d.AccessGrants = append(d.AccessGrants, n.accessGrant())
	}
}

// Len returns the number of resources.
func (d CustomerData) Len() int {
	return len(d.Spaces) + len(d.UserIdentities) + len(d.AccessGrants)
}

// entry is the location of a resource in the input, such as "rooms[3]": its kind and its index among the resources of this
// kind, as in JSON.
type entry struct {
	kind Kind
	i    int
}

func (e entry) String() string { return fmt.Sprintf("%s[%d]", e.kind.Collection(), e.i) }

// nodes calls yield for each resource with its class and location, until yield returns false.
func (d CustomerData) nodes(yield func(n *node, class Class, at entry) bool) {
	var next [256]int
	each := func(n *node, class Class, i int) bool {
		if n.kind.valid() && n.class() == class {
			i = next[n.kind]
			next[n.kind]++
			return yield(n, class, entry{n.kind, i})
		}
		return yield(n, class, entry{Kind(class << 4), i}) // index in the Go slice
	}
	for i, s := range d.Spaces {
		if !each(s.node(), ClassSpace, i) {
			return
		}
	}
	for i, u := range d.UserIdentities {
		if !each(u.node(), ClassUserIdentity, i) {
			return
		}
	}
	for i, g := range d.AccessGrants {
		if !each(g.node(), ClassAccessGrant, i) {
			return
		}
	}
}
