package data

import (
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/validation"
)

// node is any resource: the union of the three public types, so that what holds
// for every resource is written once. The fields that a kind has are said by the
// table in fields.go.
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
	startsAt, endsAt   time.Time
	preferredCode      string

	clear []string
	notes []validation.Finding // what decoding found; paths begin after the resource
	meta  Meta

	stored []byte // its fields, as encodeFields gave them, where it was read from the store

	// host has the fields that the host pushed last, if a portal has changed some of them
	// since; nil if there is no difference. They are decoded together with the others.
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
		spaces: byAlias(u.Spaces), clear: u.Clear, notes: u.notes, meta: u.Meta,
	}
}

func (g AccessGrant) node() *node {
	return &node{
		kind: g.Kind, key: g.Key, name: g.Name, user: g.User, spaces: byAlias(g.Spaces),
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
		Spaces: n.spaces, Clear: n.clear, notes: n.notes, Meta: n.meta,
	}
}

func (n *node) accessGrant() AccessGrant {
	return AccessGrant{
		Kind: n.kind, Key: n.key, Name: n.name, User: n.user, Spaces: n.spaces,
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

// clone is a copy that shares nothing that merging changes in place.
func (n *node) clone() *node {
	c := *n
	c.spaces = slices.Clone(n.spaces)
	c.clear, c.notes, c.stored = nil, nil, nil
	return &c
}

// targets calls yield for each resource that n refers to, once each.
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

// byAlias puts references in the order of the table of kinds, each alias's in the
// order given.
func byAlias(refs []Ref) []Ref {
	byPlace := func(a, b Ref) int { return int(kindIndex[a.Kind]) - int(kindIndex[b.Kind]) }
	if slices.IsSortedFunc(refs, byPlace) {
		return refs
	}
	sorted := slices.Clone(refs)
	slices.SortStableFunc(sorted, byPlace)
	return sorted
}

func utcMicro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// relation is how one thing refers to another.
type relation uint8

const (
	inSite relation = iota + 1 // parent_site_key
	atSpace
	ofUser
	deepLink // a portal that opens one space or access grant
)

// byClass is the reference that all references to the same resource share.
func byClass(ref Ref) Ref { return Ref{Kind(ref.Kind.Class()) << 4, ref.Key} }

// refPlace is where in a resource a reference stands.
type refPlace struct {
	relation relation
	i        int // in the list of its alias
}

// part is the path of a reference that stands there.
func (p refPlace) part(ref Ref) string {
	switch p.relation {
	case inSite:
		return ".parent_site_key"
	case ofUser:
		return "." + ref.Kind.KeyField()
	}
	return fmt.Sprintf(".%s[%d]", ref.Kind.KeysField(), p.i)
}

// references calls yield with each reference as it was given, and its place.
func (n *node) references(yield func(at refPlace, ref Ref)) {
	if n.parentSite != "" {
		yield(refPlace{relation: inSite}, Ref{KindSite, n.parentSite})
	}
	if n.user.Key != "" {
		yield(refPlace{relation: ofUser}, n.user)
	}
	at := refPlace{relation: atSpace}
	for j, ref := range n.spaces { // which are in the order of aliases
		if at.i++; j == 0 || ref.Kind != n.spaces[j-1].Kind {
			at.i = 0
		}
		yield(at, ref)
	}
}
