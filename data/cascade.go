package data

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// effect is the effect of a delete on a referrer, which is a resource, portal, device, access code or PIN that refers to the
// deleted resource.
type effect uint8

const (
	deleteReferrer      effect = iota + 1
	detachReferrer             // remove the reference
	deleteWithLastSpace        // remove the reference, and delete the referrer if it refers to no other space and to no device
	revokePortal
	unmapDevice // remove the mapping, and schedule the removal of the codes whose subjects no longer reach the device
	endCode     // schedule the removal of the access code from its device
	forgetPIN
)

// cascade has the effect of a delete for each relation to the deleted resource. The first matching row applies. A deleted
// customer needs no row, because everything that it owns is deleted with it. The landing page of a portal needs no row,
// because the portal falls back to its start page. A deleted device or account is not a resource and needs no row: see
// deviceCascade, dropDevices and revokeDeviceLinks.
var cascade = []struct {
	deleted  kindSet
	relation relation
	referrer kindSet
	effect   effect
}{
	{setOf(KindSite), inSite, insideSites, deleteReferrer},
	{allSpaces, inSite, insideSites, detachReferrer}, // the parent "site" has another kind
	{allSpaces, atSpace, allGrants, deleteWithLastSpace},
	{allSpaces, atSpace, setOf(KindStaffMember), detachReferrer},
	{allUsers, ofUser, allGrants, deleteReferrer},
	{allSpaces | allGrants, deepLink, portals, revokePortal},
	{allSpaces, mappedTo, setOf(KindDevice), unmapDevice},
	{allGrants | allUsers, codeOf, setOf(kindCode), endCode},
	{allGrants | allUsers, pinOf, setOf(kindPIN), forgetPIN},
}

// portals matches customer portals as referrers. They are not resources.
var portals = setOf(KindCustomerPortal)

// cascader plans the deletion of resources of one customer and its effects. It only reads.
type cascader struct {
	s      *Snapshot
	c      *customer
	charge func(n int) error // see deletion.charge

	portal bool // the actor is a portal

	affected map[Ref]*affected
	order    []*affected // the values of affected, in the order of insertion
	detached []Detached
	revoked  []Revoked
	devices  *deviceCascade
}

// affected is a resource that is deleted or that loses a reference.
type affected struct {
	old     *node
	new     *node // nil if the resource is deleted, and old until it loses a reference
	because *Ref  // the deleted resource that caused the deletion, or nil
}

// dropReference removes a reference from the resource; see [node.dropReference].
func (t *affected) dropReference(to Ref, inPortal bool) {
	if t.new == t.old {
		t.new = t.old.clone()
	}
	t.new.dropReference(to, inPortal)
}

func newCascader(s *Snapshot, c *customer, devices devicerow.Counts, portal bool, charge func(int) error) *cascader {
	return &cascader{s: s, c: c, portal: portal, charge: charge, affected: map[Ref]*affected{}, devices: newDeviceCascade(s, c, devices, charge)}
}

// delete plans to delete nodes, and applies the cascade until it has no more effects.
func (cas *cascader) delete(ctx context.Context, nodes []*node) error {
	var wave []*node
	for _, n := range nodes {
		if t := cas.entry(n); t.new != nil {
			t.new = nil
			wave = append(wave, n)
		}
	}
	for len(wave) > 0 {
		next, err := cas.step(ctx, wave)
		if err != nil {
			return err
		}
		wave = next
	}
	var err error
	if cas.revoked, err = cas.s.withoutRevoked(ctx, cas.c, cas.revoked); err != nil {
		return err
	}
	planned := make(map[Ref]*node, len(cas.affected))
	for ref, t := range cas.affected {
		planned[byClass(ref)] = t.new
	}
	return cas.devices.plan(ctx, planned)
}

// entry returns the entry of a resource, and adds it if there is none.
func (cas *cascader) entry(n *node) *affected {
	t := cas.affected[n.ref()]
	if t == nil {
		t = &affected{old: n, new: n}
		cas.affected[n.ref()] = t
		cas.order = append(cas.order, t)
	}
	return t
}

// step applies the cascade to the referrers of deleted resources. It returns the referrers that it deletes.
func (cas *cascader) step(ctx context.Context, wave []*node) ([]*node, error) {
	var load []Ref
	loading := map[Ref]bool{}
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
			if from.isResource() && cas.affected[from.Ref] == nil && !loading[from.Ref] {
				loading[from.Ref] = true
				load = append(load, from.Ref)
			}
		}
	}
	if err := cas.charge(len(load)); err != nil {
		return nil, err
	}
	loaded, err := cas.s.nodes(ctx, cas.c, load)
	if err != nil {
		return nil, err
	}
	for i, n := range loaded {
		if n == nil {
			return nil, fmt.Errorf("%w: an edge from a %s that does not exist", storage.ErrCorrupt, load[i].Kind)
		}
		cas.entry(n)
	}
	var deleted []*node
	for _, to := range to {
		for _, from := range referrers[byClass(to)] {
			t, err := cas.lose(from, to)
			if err != nil {
				return nil, err
			}
			if t != nil && t.new == nil {
				t.because = &to
				deleted = append(deleted, t.old)
			}
		}
	}
	return deleted, nil
}

// lose applies the cascade to one referrer of a deleted resource. It returns the entry of the referrer if the reference changed or
// deleted a resource, and nil otherwise.
func (cas *cascader) lose(from referrer, to Ref) (*affected, error) {
	effect := effectOf(to.Kind, from)
	if effect == revokePortal {
		revoked, err := from.revocation(cas.c, to)
		cas.revoked = append(cas.revoked, revoked)
		return nil, err
	}
	if err := cas.devices.refers(from, to); err != nil || effect == unmapDevice || effect == endCode || effect == forgetPIN {
		return nil, err
	}
	t := cas.affected[from.Ref]
	switch {
	case t.new == nil:
		return nil, nil
	case effect == deleteReferrer, effect == deleteWithLastSpace && !t.new.hasOtherSpace(to) && len(t.new.devices) == 0:
		t.new = nil
	default:
		t.dropReference(to, cas.portal)
		cas.detached = append(cas.detached, Detached{CustomerKey: cas.c.key, From: from.Ref, To: to})
	}
	return t, nil
}

// hasOtherSpace reports whether n refers to a space other than ref.
func (n *node) hasOtherSpace(ref Ref) bool {
	return slices.ContainsFunc(n.spaces, func(r Ref) bool { return r.Key != ref.Key })
}

// isResource reports whether the referrer is a resource.
func (r referrer) isResource() bool { return r.Kind.valid() }

// revocation returns the revocation of a portal that is a deep link to a deleted resource.
func (r referrer) revocation(c *customer, because Ref) (Revoked, error) {
	id, err := uuid.FromBytes([]byte(r.Key))
	if err != nil {
		return Revoked{}, fmt.Errorf("%w: an edge from a portal: %w", storage.ErrCorrupt, err)
	}
	return Revoked{CustomerKey: c.key, PortalID: id, Because: &because}, nil
}

// effectOf returns the effect on a referrer of deleting a resource of this kind.
func effectOf(deleted Kind, from referrer) effect {
	for _, row := range cascade {
		if row.relation == from.relation && row.deleted.has(deleted) && row.referrer.has(from.Kind) {
			return row.effect
		}
	}
	panic(fmt.Sprintf("data: the cascade has no row for a deleted %v with a reference from a %v", deleted, from.Kind))
}

// dropReference removes a space from all references of n. It also removes the space from the host's values, unless inPortal
// is set because a portal deletes the space.
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

// dropDevices removes devices from the access grants that name them, and deletes the grants that open nothing else, like a deleted space.
func (cas *cascader) dropDevices(ctx context.Context, ids []uuid.UUID) error {
	prefixes := make([][]byte, len(ids))
	for i, id := range ids {
		prefixes[i] = layout.GrantedDevicesPrefix(cas.c.id, id)
	}
	var grants []Ref
	seen := map[Ref]bool{}
	for key, err := range cas.s.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, key)
		if err != nil {
			return err
		}
		if ref := (Ref{Kind(k.ReferrerKind), k.ReferrerKey}); ref.Kind.valid() && !seen[ref] {
			seen[ref] = true
			grants = append(grants, ref)
		}
	}
	nodes, err := cas.s.nodes(ctx, cas.c, grants)
	if err != nil || len(nodes) == 0 {
		return err
	}
	var deleted []*node
	for i, n := range nodes {
		if n == nil {
			return fmt.Errorf("%w: an edge from a %s that does not exist", storage.ErrCorrupt, grants[i].Kind)
		}
		t := cas.entry(n)
		t.new = n.clone()
		if t.new.dropDevices(ids); len(t.new.spaces)+len(t.new.devices) == 0 {
			deleted = append(deleted, n)
		}
	}
	return cas.delete(ctx, deleted)
}

// dropDevices removes devices from n, and from the host's values.
func (n *node) dropDevices(ids []uuid.UUID) {
	if n.host != nil {
		host := n.host.clone()
		host.dropDevices(ids)
		defer n.setHostView(host)
	}
	n.devices = slices.DeleteFunc(n.devices, func(id uuid.UUID) bool { return slices.Contains(ids, id) })
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

// finishDetached updates the bookkeeping of n, which has lost references that old had. If a portal deletes the targets, the
// references remain in the host's values.
func (n *node) finishDetached(ch *changes, old *node) {
	n.meta.UpdatedAt, n.meta.Revision = ch.at, old.meta.Revision+1
	if ch.actor.isPortal() {
		n.changedInPortal(old)
	}
}

// finish adds the planned effects to the changes of the customer and to the report.
func (cas *cascader) finish(ch *changes, report *DeleteReport) {
	ch.edits, report.Deleted = slices.Grow(ch.edits, len(cas.order)), slices.Grow(report.Deleted, len(cas.order))
	for _, t := range cas.order {
		if t.new == nil {
			report.add(t.old, t.because)
			if ch.actor.isPortal() {
				ch.cancelled = append(ch.cancelled, cas.cancellation(ch, t.old))
			}
		} else {
			t.new.finishDetached(ch, t.old)
		}
		ch.edits = append(ch.edits, edit{old: t.old, new: t.new})
	}
	for _, d := range cas.detached {
		if cas.affected[d.From].new != nil {
			report.Detached = append(report.Detached, d)
		}
	}
	for _, r := range cas.revoked {
		ch.revoked = append(ch.revoked, r.PortalID)
	}
	report.Revoked = append(report.Revoked, cas.revoked...)
	ch.devices = cas.devices.rows()
	report.Unmapped = append(report.Unmapped, cas.devices.unmapped()...)
	report.CodeRemovals = append(report.CodeRemovals, cas.devices.codeRemovals()...)
}
