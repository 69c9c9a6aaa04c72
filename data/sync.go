package data

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// SyncOptions changes what a sync does.
type SyncOptions struct {
	Strict bool // a warning refuses the sync as a fault does
	DryRun bool // report, and write nothing

	// All also deletes the resources that other actors created and d does not name. Without it, a
	// sync deletes only resources that its own actor created or has taken over, as in
	// Meta.Origin: a sync of the host keeps the resources that were created in a customer portal or by a connector.
	All bool

	// KeepPortalChanges is as in [PushOptions].
	KeepPortalChanges bool

	Actor Actor // as in PushOptions

	// MaxDeletes refuses a sync that would delete more resources, with a [validation.Error]
	// that wraps a [TooManyDeletesError]; then nothing changes. It counts what
	// SyncReport.Deleted lists. Nil is no limit, and 0 allows no deletion.
	MaxDeletes *int

	// Guard is as in [PushOptions].
	Guard func(context.Context, *Snapshot, SyncReport) error

	// Within and Reads are as in [PushOptions].
	Within func(context.Context, CustomerTx) error
	Reads  [][]byte
}

// Sync makes the resources of a customer that the host owns exactly those that d names, all of
// it or nothing. The values given are the whole of each resource, as in a push with Replace.
// A resource that d does not name is deleted if the host has pushed it before. If it was
// created in a customer portal, or by a connector, and the host has never pushed it, it stays,
// unless SyncOptions.All is set. If nothing changes, nothing is written. A key that exists
// under another kind than it is given is deleted and created again.
//
// A wrong customer key or a partial list deletes resources that should have stayed: MaxDeletes
// and Guard of [SyncOptions] refuse such a sync, a warning of [validation.RuleDeletesAll] reports one
// that deletes every resource that the customer had, and CustomerCreated one that
// created its customer.
//
// A named resource gets the values that are given, so it keeps a reference to a resource that
// is deleted, with a warning. A resource that is not named and stays loses such a reference, or
// is deleted too, as [Workspace.Delete] describes. Errors are those of a push.
func (w *Workspace) Sync(ctx context.Context, d CustomerData) (SyncReport, error) {
	return w.SyncWith(ctx, d, SyncOptions{})
}

// SyncWith is Sync with options.
func (w *Workspace) SyncWith(ctx context.Context, d CustomerData, o SyncOptions) (SyncReport, error) {
	checked, err := checkPush(ctx, d, false)
	if err != nil {
		return SyncReport{}, err
	}
	if checked.full {
		return SyncReport{}, checked.found.err(o.Strict)
	}
	stays := make(map[Ref]bool, len(checked.items))
	for _, it := range checked.items {
		stays[it.ref()] = true
	}
	po := PushOptions{Replace: true, Strict: o.Strict, DryRun: o.DryRun, KeepPortalChanges: o.KeepPortalChanges, Actor: o.Actor, sync: stays}
	l := w.newLookups(checked, po)
	var report SyncReport
	var id layout.CustomerID
	err = w.executeOrDryRun(ctx, o.DryRun, o.Actor, func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		ch, planned, err := s.planSync(ctx, checked, l, o, po, scale)
		if err != nil {
			return nil, err
		}
		if o.Guard != nil {
			if err := o.Guard(ctx, s, planned); err != nil {
				return nil, err
			}
		}
		report, id = planned, ch.customer.id
		ch.bumpVersion = o.Within != nil
		return &operation{changes: []*changes{ch}, within: o.Within}, nil
	}, w.pushReads(checked, l, o.Reads)...)
	if err != nil {
		return SyncReport{}, err
	}
	if report.CustomerCreated && !o.DryRun {
		w.db.ids.remember(customerName{w.id, d.CustomerKey}, id)
	}
	return report, nil
}

func (s *Snapshot) planSync(ctx context.Context, g *checkedPush, l *lookups, o SyncOptions, po PushOptions, scale int) (*changes, SyncReport, error) {
	if scale -= len(g.items); scale < 0 {
		return nil, SyncReport{}, errPlanTooLarge
	}
	p := &deletion{s: s, actor: o.Actor, scale: scale}
	left, err := p.leftOut(ctx, g, o, po.sync)
	if err != nil {
		return nil, SyncReport{}, err
	}
	po.kept = left.kept
	ch, pushed, err := s.planPush(ctx, g, l, po)
	report := SyncReport{PushReport: pushed}
	if err != nil || ch.created {
		return ch, report, err
	}
	// A key that changes its kind stays the customer's: the old and the new resource are one
	// edit, so that the row of the directory is written once, and never missing.
	created := map[Ref]int{} // by class, the place in ch.edits
	for i, e := range ch.edits {
		if e.old == nil {
			created[byClass(e.new.ref())] = i
		}
	}
	var edits []edit
	var deleted []Ref
	for _, t := range left.deleted {
		if i, again := created[byClass(t.old.ref())]; again {
			ch.edits[i].old = t.old
		} else {
			edits = append(edits, edit{old: t.old})
		}
		p.report.add(t.old, t.because)
		deleted = append(deleted, t.old.ref())
	}
	for _, t := range left.detached {
		t.new.detachedBy(ch, t.old)
		edits = append(edits, edit{old: t.old, new: t.new})
	}
	if err := s.forgetUnlisted(ctx, ch, g, o); err != nil {
		return nil, report, err
	}
	if err := s.revokeDeepLinks(ctx, ch, deleted, &p.report); err != nil {
		return nil, report, err
	}
	ch.edits = append(edits, ch.edits...)
	report.Deleted, report.Revoked, report.Detached = p.report.Deleted, p.report.Revoked, left.lost
	if err := checkDeletes(ch.customer, &report, o); err != nil {
		return nil, SyncReport{}, err
	}
	return ch, report, nil
}

// unlisted are the resources of a customer that a sync does not name.
type unlisted struct {
	customerKey string
	deleted     []touched
	detached    []touched     // those that stay and lose references
	kept        map[Ref]*node // all that stay, by class
	lost        []Detached    // the references that they lose
}

// leftOut reads the resources that a sync does not name, and decides which of them it deletes.
func (p *deletion) leftOut(ctx context.Context, g *checkedPush, o SyncOptions, listed map[Ref]bool) (*unlisted, error) {
	out := &unlisted{customerKey: g.customerKey, kept: map[Ref]*node{}}
	c, err := p.s.customer(ctx, g.customerKey)
	if errors.Is(err, ErrCustomerNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []*node
	gone := map[Ref]Ref{} // by class: the deleted resources whose keys become free
	for _, row := range kinds {
		for n, err := range p.s.scanKind(ctx, c, row.kind) {
			if err == nil {
				err = p.look(1)
			}
			switch {
			case err != nil:
				return nil, err
			case listed[n.ref()]:
			case o.All || n.meta.Origin == o.Actor.typed():
				out.deleted = append(out.deleted, touched{old: n})
				if class := byClass(n.ref()); g.byKey[class] == nil {
					gone[class] = n.ref()
				}
			default:
				kept = append(kept, n)
			}
		}
	}
	out.follow(kept, gone, func(class Ref) bool { return g.byKey[class] != nil })
	return out, nil
}

// follow applies the cascade to resources that the sync would keep, where gone are the
// resources that are deleted, by class. given reports whether a key, by class, is named.
func (u *unlisted) follow(kept []*node, gone map[Ref]Ref, given func(Ref) bool) {
	changed := map[*node]*touched{}
	for again := true; again && len(gone) > 0; {
		again = false
		for _, n := range kept {
			t := changed[n]
			if t != nil && t.new == nil {
				continue
			}
			n.targets(func(relation relation, ref Ref) {
				to, isGone := gone[byClass(ref)]
				if !isGone || t != nil && t.new == nil {
					return
				}
				if t == nil {
					t = &touched{old: n, new: n.clone()}
					changed[n] = t
				}
				effect := effectOf(to.Kind, referrer{n.ref(), relation})
				if effect != goes {
					t.new.dropReference(to, false)
				}
				if effect == goes || effect == goesWithLast && len(t.new.spaces) == 0 {
					t.new, t.because, again = nil, &to, true
					if class := byClass(n.ref()); !given(class) {
						gone[class] = n.ref()
					}
				}
			})
		}
	}
	for _, n := range kept {
		switch t := changed[n]; {
		case t == nil:
			u.kept[byClass(n.ref())] = n
		case t.new == nil:
			u.deleted = append(u.deleted, *t)
		default:
			u.kept[byClass(n.ref())] = n
			u.detached = append(u.detached, *t)
			n.targets(func(_ relation, ref Ref) {
				if to, isGone := gone[byClass(ref)]; isGone {
					u.lost = append(u.lost, Detached{CustomerKey: u.customerKey, From: n.ref(), To: to})
				}
			})
		}
	}
}

// forgetUnlisted plans that the cancellations are removed whose resources the sync does not
// name, if the sync would delete the resources.
func (s *Snapshot) forgetUnlisted(ctx context.Context, ch *changes, g *checkedPush, o SyncOptions) error {
	return s.eachCancellation(ctx, ch.customer, func(c *cancellation) error {
		if g.byKey[byClass(Ref{c.kind, c.key})] != nil {
			return nil
		}
		n, err := decodeHead(ch.customer, Ref{c.kind, c.key}, c.record)
		if err == nil && (o.All || n.meta.Origin == o.Actor.typed()) {
			ch.uncancelled = append(ch.uncancelled, c)
		}
		return err
	})
}

// checkDeletes returns a validation.Error if the sync deletes more than it may, and warns if
// it deletes all that the customer had.
func checkDeletes(c *customer, report *SyncReport, o SyncOptions) error {
	n := len(report.Deleted)
	var found findings
	if o.MaxDeletes != nil && n > *o.MaxDeletes {
		found.add(validation.Finding{
			Path: "max_deletes", Rule: validation.RuleMaxDeletes, Cause: &TooManyDeletesError{n, *o.MaxDeletes},
			Message: fmt.Sprintf("the sync would delete %d resources, and may delete %d", n, *o.MaxDeletes),
		})
	}
	if n > 0 && n == c.total() {
		found.add(validation.Finding{Path: "customer_key", Rule: validation.RuleDeletesAll, Message: fmt.Sprintf("deletes all %d resources that the customer had", n)})
	}
	if err := found.err(o.Strict); err != nil {
		return err
	}
	report.Warnings = append(report.Warnings, found.warnings...)
	return nil
}

// revokeDeepLinks plans to revoke the portals that are deep links to deleted resources.
func (s *Snapshot) revokeDeepLinks(ctx context.Context, ch *changes, deleted []Ref, report *DeleteReport) error {
	targets := slices.DeleteFunc(slices.Clone(deleted), func(ref Ref) bool { return ref.Kind.Class() == ClassUserIdentity }) // no portal is a deep link to a user
	links, err := s.referrers(ctx, ch.customer, targets, true)
	if err != nil || len(links) == 0 {
		return err
	}
	var portals []Revoked
	for _, ref := range targets {
		for _, link := range links[byClass(ref)] {
			revoked, err := link.revokes(ch.customer, ref)
			if err != nil {
				return err
			}
			portals = append(portals, revoked)
		}
	}
	if portals, err = s.unrevoked(ctx, ch.customer, portals); err != nil {
		return err
	}
	for _, revoked := range portals {
		ch.revoked = append(ch.revoked, revoked.PortalID)
	}
	report.Revoked = append(report.Revoked, portals...)
	return nil
}
