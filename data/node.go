package data

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/validation"
)

// node is a resource of any class: the union of the fields of the three public types. The table in fields.go defines the
// fields of each kind.
type node struct {
	kind Kind
	key  string

	name, email, phone string
	parentSite         string
	durationMinutes    int
	details            SpaceDetails
	geolocation        *Geolocation
	metadata           CustomMetadata
	user               Ref
	spaces             []Ref // by alias, in the order of the table of kinds
	devices            []uuid.UUID
	startsAt, endsAt   time.Time
	preferredCode      string

	clear []string
	notes []validation.Finding // faults and warnings of decoding; paths are relative to the resource
	meta  Meta

	stored []byte // encoded fields if the resource was read from the store; see encodeFields

	// host has the fields as the host last pushed them if a portal has changed some since, and is nil otherwise. decodeFields
	// decodes it too.
	host *node
}

func (n *node) ref() Ref     { return Ref{n.kind, n.key} }
func (n *node) class() Class { return n.kind.Class() }
func (s Space) node() *node {
	return &node{
		kind: s.Kind, key: s.Key, name: s.Name, parentSite: s.ParentSiteKey,
		durationMinutes: s.DurationMinutes, details: s.Details, geolocation: s.Geolocation,
		metadata: s.CustomMetadata, clear: s.Clear, notes: s.notes, meta: s.Meta,
	}
}

func (u UserIdentity) node() *node {
	return &node{
		kind: u.Kind, key: u.Key, name: u.Name, email: u.EmailAddress, phone: u.PhoneNumber,
		spaces: byAlias(u.Spaces), startsAt: utcMicro(u.StartsAt), endsAt: utcMicro(u.EndsAt), clear: u.Clear, notes: u.notes, meta: u.Meta,
	}
}

func (g AccessGrant) node() *node {
	return &node{
		kind: g.Kind, key: g.Key, name: g.Name, user: g.User, spaces: byAlias(g.Spaces), devices: g.Devices,
		startsAt: utcMicro(g.StartsAt), endsAt: utcMicro(g.EndsAt), preferredCode: g.PreferredCode,
		metadata: g.CustomMetadata, clear: g.Clear, notes: g.notes, meta: g.Meta,
	}
}

func (n *node) space() Space {
	return Space{
		Kind: n.kind, Key: n.key, Name: n.name, ParentSiteKey: n.parentSite,
		DurationMinutes: n.durationMinutes, Details: n.details, Geolocation: n.geolocation,
		CustomMetadata: n.metadata, Clear: n.clear, notes: n.notes, Meta: n.meta,
	}
}

func (n *node) userIdentity() UserIdentity {
	return UserIdentity{
		Kind: n.kind, Key: n.key, Name: n.name, EmailAddress: n.email, PhoneNumber: n.phone,
		Spaces: n.spaces, StartsAt: n.startsAt, EndsAt: n.endsAt, Clear: n.clear, notes: n.notes, Meta: n.meta,
	}
}

func (n *node) accessGrant() AccessGrant {
	return AccessGrant{
		Kind: n.kind, Key: n.key, Name: n.name, User: n.user, Spaces: n.spaces, Devices: n.devices,
		StartsAt: n.startsAt, EndsAt: n.endsAt, PreferredCode: n.preferredCode,
		CustomMetadata: n.metadata, Clear: n.clear, notes: n.notes, Meta: n.meta,
	}
}

func (n *node) public() Resource {
	switch n.class() {
	case ClassSpace:
		return n.space()
	case ClassUserIdentity:
		return n.userIdentity()
	}
	return n.accessGrant()
}

// clone returns a copy of n that merge can change without changing n.
func (n *node) clone() *node {
	c := *n
	c.spaces, c.devices = slices.Clone(n.spaces), slices.Clone(n.devices)
	c.clear, c.notes, c.stored = nil, nil, nil
	return &c
}

// targets calls yield once for each resource that n refers to.
func (n *node) targets(yield func(relation, Ref)) {
	if n.parentSite != "" {
		yield(inSite, Ref{KindSite, n.parentSite})
	}
	if n.user.Key != "" {
		yield(ofUser, n.user)
	}
	for i, ref := range n.spaces {
		if !slices.ContainsFunc(n.spaces[:i], func(r Ref) bool { return r.Key == ref.Key }) {
			yield(atSpace, ref)
		}
	}
}

// byAlias returns the references in the order of the table of kinds. References with the same alias keep their order.
func byAlias(refs []Ref) []Ref {
	byPlace := func(a, b Ref) int { return int(kindIndex[a.Kind]) - int(kindIndex[b.Kind]) }
	if slices.IsSortedFunc(refs, byPlace) {
		return refs
	}
	sorted := slices.Clone(refs)
	slices.SortStableFunc(sorted, byPlace)
	return sorted
}

// utcMicro returns the time in UTC, truncated to microseconds.
func utcMicro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// relation is the type of a reference.
type relation uint8

const (
	inSite relation = iota + 1 // parent_site_key
	atSpace
	ofUser
	deepLink // a portal that opens one space or access grant
	mappedTo // a device of a space
	codeOf   // an access code of an access grant or of a staff member
	pinOf    // the PIN of an access grant or of a staff member
)

// byClass returns the reference with the first kind of the class, so that all references to the same resource are equal.
func byClass(ref Ref) Ref { return Ref{Kind(ref.Kind.Class()) << 4, ref.Key} }

// refLocation is the location of a reference in a resource.
type refLocation struct {
	relation relation
	i        int // index in the list of its alias
}

// part returns the path of the reference within the resource.
func (p refLocation) part(ref Ref) string {
	switch p.relation {
	case inSite:
		return ".parent_site_key"
	case ofUser:
		return "." + ref.Kind.KeyField()
	}
	return fmt.Sprintf(".%s[%d]", ref.Kind.KeysField(), p.i)
}

// references calls yield with each reference of the resource, with repetitions, and its location.
func (n *node) references(yield func(at refLocation, ref Ref)) {
	if n.parentSite != "" {
		yield(refLocation{relation: inSite}, Ref{KindSite, n.parentSite})
	}
	if n.user.Key != "" {
		yield(refLocation{relation: ofUser}, n.user)
	}
	at := refLocation{relation: atSpace}
	for j, ref := range n.spaces { // ordered by alias
		if at.i++; j == 0 || ref.Kind != n.spaces[j-1].Kind {
			at.i = 0
		}
		yield(at, ref)
	}
}
