package data

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/storage"
)

// effect is what becomes of a referrer when what it refers to is deleted.
type effect uint8

const (
	goes         effect = iota + 1 // it is deleted too
	detaches                       // it loses the reference
	goesWithLast                   // it loses the reference, and is deleted with its last space
	isRevoked                      // the portal opens no more
)

// cascade is what deleting does to what refers to the deleted. The first row that
// fits holds. A customer takes all that it owns with it, with no row here; a
// portal's landing page needs none, since it falls back to the start page by itself.
var cascade = []struct {
	deleted  kindSet
	relation relation
	referrer kindSet
	effect   effect
}{
	{setOf(KindSite), inSite, insideSites, goes},
	{allSpaces, inSite, insideSites, detaches}, // named as a site, and is none
	{allSpaces, atSpace, allGrants, goesWithLast},
	{allSpaces, atSpace, setOf(KindStaffMember), detaches},
	{allUsers, ofUser, allGrants, goes},
	{allSpaces | allGrants, deepLink, portals, isRevoked},
}

// portals is the set of what is no kind: among referrers, the portals.
var portals = setOf(KindCustomerPortal)

// cascader finds what follows from deleting resources of one customer. It only reads.
type cascader struct {
	s    *Snapshot
	c    *customer
	look func(n int) error // counts the resources that it looks at

	portal bool // it is a portal that deletes

	touched  map[Ref]*touched
	order    []*touched // as they were first touched
	detached []Detached
	revoked  []Revoked
}

// touched is a resource that is deleted or loses a reference.
type touched struct {
	old, new *node // new is nil where it is deleted
	because  *Ref
}

func newCascader(s *Snapshot, c *customer, portal bool, look func(int) error) *cascader {
	return &cascader{s: s, c: c, portal: portal, look: look, touched: map[Ref]*touched{}}
}

// delete plans that resources are deleted, and all that follows.
func (cas *cascader) delete(ctx context.Context, nodes []*node) error {
	var wave []*node
	for _, n := range nodes {
		if t := cas.touch(n); t.new != nil {
			t.new = nil
			wave = append(wave, n)
		}
	}
	for len(wave) > 0 {
		next, err := cas.follow(ctx, wave)
		if err != nil {
			return err
		}
		wave = next
	}
	var err error
	cas.revoked, err = cas.s.unrevoked(ctx, cas.c, cas.revoked)
	return err
}

// touch is the record of a resource, as it stands so far.
func (cas *cascader) touch(n *node) *touched {
	t := cas.touched[n.ref()]
	if t == nil {
		t = &touched{old: n, new: n.clone()}
		cas.touched[n.ref()] = t
		cas.order = append(cas.order, t)
	}
	return t
}

// follow applies the cascade to what refers to the deleted resources of a wave,
// and returns those that are deleted by it.
func (cas *cascader) follow(ctx context.Context, wave []*node) ([]*node, error) {
	type edge struct {
		from referrer
		to   Ref
	}
	var edges []edge
	var load []Ref
	asked := map[Ref]bool{}
	to := make([]Ref, len(wave))
	for i, n := range wave {
		to[i] = n.ref()
	}
	referrers, err := cas.s.referrers(ctx, cas.c, to, false)
	if err != nil {
		return nil, err
	}
	for _, to := range to {
		for _, from := range referrers[byClass(to)] {
			edges = append(edges, edge{from, to})
			if from.relation != deepLink && cas.touched[from.Ref] == nil && !asked[from.Ref] {
				asked[from.Ref] = true
				load = append(load, from.Ref)
			}
		}
	}
	if err := cas.look(len(load)); err != nil {
		return nil, err
	}
	loaded, err := cas.s.nodes(ctx, cas.c, load)
	if err != nil {
		return nil, err
	}
	for i, n := range loaded {
		if n == nil {
			return nil, fmt.Errorf("%w: an edge from a %s that is not there", storage.ErrCorrupt, load[i].Kind)
		}
		cas.touch(n)
	}
	var deleted []*node
	for _, e := range edges {
		effect := effectOf(e.to.Kind, e.from)
		if effect == isRevoked {
			revoked, err := e.from.revokes(cas.c, e.to)
			if err != nil {
				return nil, err
			}
			cas.revoked = append(cas.revoked, revoked)
			continue
		}
		t := cas.touched[e.from.Ref]
		if t.new == nil {
			continue
		}
		if effect != goes {
			t.new.dropReference(e.to, cas.portal)
			cas.detached = append(cas.detached, Detached{CustomerKey: cas.c.key, From: e.from.Ref, To: e.to})
		}
		if effect == goes || effect == goesWithLast && len(t.new.spaces) == 0 {
			t.new, t.because = nil, &e.to
			deleted = append(deleted, t.old)
		}
	}
	return deleted, nil
}

// revokes is what becomes of a portal whose deep link is deleted.
func (r referrer) revokes(c *customer, because Ref) (Revoked, error) {
	id, err := uuid.FromBytes([]byte(r.Key))
	if err != nil {
		return Revoked{}, fmt.Errorf("%w: an edge from a portal: %w", storage.ErrCorrupt, err)
	}
	return Revoked{CustomerKey: c.key, PortalID: id, Because: &because}, nil
}

func effectOf(deleted Kind, from referrer) effect {
	for _, row := range cascade {
		if row.relation == from.relation && row.deleted.has(deleted) && row.referrer.has(from.Kind) {
			return row.effect
		}
	}
	panic(fmt.Sprintf("data: no row of the cascade for a %v that a %v names", deleted, from.Kind))
}

// dropReference removes a space from the references of n, under every alias. Unless it is a
// portal that deletes the space, the space is removed from the host's values too.
func (n *node) dropReference(to Ref, inPortal bool) {
	if n.host != nil && !inPortal {
		host := n.host.clone()
		host.dropReference(to, false)
		defer n.setHostView(host)
	}
	if n.parentSite == to.Key {
		n.parentSite = ""
	}
	n.spaces = slices.DeleteFunc(n.spaces, func(r Ref) bool { return r.Key == to.Key })
}

// cancellation returns the cancellation of a resource that a portal deletes.
func (cas *cascader) cancellation(ch *changes, n *node) *cancellation {
	c := &cancellation{class: n.class(), key: n.key, kind: n.kind, portal: ch.actor.PortalID, at: ch.at, record: encodeRecord(n)}
	for _, r := range cas.revoked {
		if byClass(*r.Because) == byClass(n.ref()) {
			c.revoked = append(c.revoked, r.PortalID)
		}
	}
	return c
}

// detachedBy completes a resource that has lost references, where old is how it was. A
// reference that is lost in a portal stays one of the host's values.
func (n *node) detachedBy(ch *changes, old *node) {
	n.meta.UpdatedAt, n.meta.Revision = ch.at, old.meta.Revision+1
	if ch.actor.isPortal() {
		n.changedInPortal(old)
	}
}

// finish adds what was planned to a customer's changes and to the report.
func (cas *cascader) finish(ch *changes, report *DeleteReport) {
	for _, t := range cas.order {
		if t.new == nil {
			report.add(t.old, t.because)
			if ch.actor.isPortal() {
				ch.cancelled = append(ch.cancelled, cas.cancellation(ch, t.old))
			}
		} else {
			t.new.detachedBy(ch, t.old)
		}
		ch.edits = append(ch.edits, edit{old: t.old, new: t.new})
	}
	for _, d := range cas.detached {
		if cas.touched[d.From].new != nil {
			report.Detached = append(report.Detached, d)
		}
	}
	for _, r := range cas.revoked {
		ch.revoked = append(ch.revoked, r.PortalID)
	}
	report.Revoked = append(report.Revoked, cas.revoked...)
}
