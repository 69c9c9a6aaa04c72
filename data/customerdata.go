package data

import (
	"fmt"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/validation"
)

// CustomerData is what a push or a sync gives for one customer. As JSON it is the
// API's object: customer_key, customer_name, customer_time_zone and the 19 collections,
// such as "rooms".
//
// A push merges the customer's own name and time zone as it merges the fields of a
// resource: an empty one stays as it is, and one that Clear names becomes empty. That
// holds with PushOptions.Replace too, which replaces resources. A sync makes them
// exactly what is given.
//
// Read from JSON, it keeps null apart from absent, as JSON Merge Patch (RFC 7396)
// does: a null, an empty string and an empty list are in the resource's Clear.
// What is JSON but not as the API has it (a number for a name, a time that is
// none) does not fail the reading; a push reports it with all else that is wrong.
type CustomerData struct {
	CustomerKey      string
	CustomerName     string // to show to people in place of the key; at most 200 bytes
	CustomerTimeZone string // IANA name, such as "Europe/Lisbon", for spaces that have no zone of their own or of their site

	Spaces         []Space
	UserIdentities []UserIdentity
	AccessGrants   []AccessGrant

	// Clear names the fields of the customer itself that are to become empty:
	// "customer_name" and "customer_time_zone".
	Clear []string

	notes   []validation.Finding // of the JSON that it was read from
	omitted reportlimit.Omitted
}

// Add adds resources of any class, which may be given as pointers. It panics for a nil
// Resource and for a nil pointer.
func (d *CustomerData) Add(resources ...Resource) {
	for _, r := range resources {
		if !d.tryAdd(r) {
			panic("data: CustomerData.Add of a nil Resource")
		}
	}
}

// tryAdd says false for a resource that is nil.
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
	default: // a type of the caller's that one of these is embedded in
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

// Len is the number of resources.
func (d CustomerData) Len() int {
	return len(d.Spaces) + len(d.UserIdentities) + len(d.AccessGrants)
}

// entry is where a resource stands in what was given, such as "rooms[3]": the place
// among those of its kind, as JSON has it.
type entry struct {
	kind Kind
	i    int
}

func (e entry) String() string { return fmt.Sprintf("%s[%d]", e.kind.Collection(), e.i) }

// nodes calls yield for each resource with its place. It ends where yield says false.
func (d CustomerData) nodes(yield func(n *node, class Class, at entry) bool) {
	var next [256]int
	each := func(n *node, class Class, i int) bool {
		if n.kind.valid() && n.class() == class {
			i = next[n.kind]
			next[n.kind]++
			return yield(n, class, entry{n.kind, i})
		}
		return yield(n, class, entry{Kind(class << 4), i}) // its place in the Go slice
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
