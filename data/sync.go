package data

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// SyncOptions configures a sync. The zero value deletes the unlisted resources of the host.
type SyncOptions struct {
	Strict bool // see PushOptions.Strict
	DryRun bool // report the changes and write nothing

	// All also deletes the unlisted resources of other actors. Without All, a sync deletes only resources whose Meta.Origin
	// is its own actor: a sync of the host keeps resources that were created in a customer portal or by a connector.
	All bool

	// KeepPortalChanges is described at [PushOptions].
	KeepPortalChanges bool

	Actor Actor // see PushOptions.Actor

	// MaxDeletes refuses a sync that would delete more resources than this, counted as in SyncReport.Deleted. The error is a
	// [validation.Error] that wraps a [TooManyDeletesError], and nothing changes. Nil means no limit, and 0 allows no
	// deletes.
	MaxDeletes *int

	// Guard inspects the state and the planned report, like PushOptions.Guard.
	Guard func(context.Context, *Snapshot, SyncReport) error

	// Within and Reads are described at [PushOptions].
	Within func(context.Context, CustomerTx) error
	Reads  [][]byte
}

// Sync replaces the host's resources of a customer with those in d. It does all of this or nothing. It replaces
// the fields of each listed resource, like a push with Replace. It deletes an unlisted resource if the host has ever
// pushed it. An unlisted resource that was created by a customer portal or a connector, and that the host has never pushed,
// is kept unless SyncOptions.All is set. If the data is already stored, Sync writes nothing. If a listed key belongs to a
// stored resource of another kind, that resource is deleted and a new one is created.
//
// A wrong customer key or an incomplete list deletes resources by mistake. MaxDeletes and Guard of [SyncOptions] can refuse
// such a sync. The report has a warning with [validation.RuleDeletesAll] if the sync deletes all resources that the customer
// had, and CustomerCreated is true if the customer did not exist.
//
// A listed resource keeps a reference to a deleted resource, with a warning, because it gets exactly the fields in d. An
// unlisted resource that is kept loses such a reference or is deleted too, as described at [Workspace.Delete]. Sync returns
// the errors that [Workspace.Push] returns.
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
	listed := make(map[Ref]bool, len(checked.items))
	for _, it := range checked.items {
		listed[it.ref()] = true
	}
	po := PushOptions{Replace: true, Strict: o.Strict, DryRun: o.DryRun, KeepPortalChanges: o.KeepPortalChanges, Actor: o.Actor, sync: listed}
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

// planSync computes the changes of a sync and its report. It only reads.
func (s *Snapshot) planSync(ctx context.Context, g *checkedPush, l *lookups, o SyncOptions, po PushOptions, scale int) (*changes, SyncReport, error) {
	if scale -= len(g.items); scale < 0 {
		return nil, SyncReport{}, errPlanTooLarge
	}
	p := &deletion{s: s, actor: o.Actor, budget: scale}
	unlisted, err := p.planUnlisted(ctx, g, o, po.sync)
	if err != nil {
		return nil, SyncReport{}, err
	}
	po.kept = unlisted.kept
	ch, pushed, err := s.planPush(ctx, g, l, po)
	report := SyncReport{PushReport: pushed}
	if err != nil || ch.created {
		return ch, report, err
	}
	// If the resource of a key gets another kind, the delete and the create are one edit, so that the directory row is written
	// once and never removed.
	created := map[Ref]int{} // by class and key, the index in ch.edits
	for i, e := range ch.edits {
		if e.old == nil {
			created[byClass(e.new.ref())] = i
		}
	}
	var edits []edit
	var deleted []Ref
	for _, t := range unlisted.deleted {
		if i, again := created[byClass(t.old.ref())]; again {
			ch.edits[i].old = t.old
		} else {
			edits = append(edits, edit{old: t.old})
		}
		p.report.add(t.old, t.because)
		deleted = append(deleted, t.old.ref())
	}
	for _, t := range unlisted.detached {
		t.new.finishDetached(ch, t.old)
		edits = append(edits, edit{old: t.old, new: t.new})
	}
	if err := s.removeUnlistedCancellations(ctx, ch, g, o); err != nil {
		return nil, report, err
	}
	ch.edits = append(edits, ch.edits...)
	if err := p.applyExternalEffects(ctx, ch, deleted); err != nil {
		return nil, report, err
	}
	report.Deleted, report.Revoked, report.Detached = p.report.Deleted, p.report.Revoked, unlisted.lost
	report.Unmapped, report.CodeRemovals = p.report.Unmapped, p.report.CodeRemovals
	if err := checkDeletes(ch.customer, &report, o); err != nil {
		return nil, SyncReport{}, err
	}
	return ch, report, nil
}

// unlistedResources are the stored resources of a customer that the data of a sync does not list.
type unlistedResources struct {
	customerKey string
	deleted     []affected
	detached    []affected    // kept resources that lose references
	kept        map[Ref]*node // by class and key
	lost        []Detached    // the references that detached resources lose
}

// planUnlisted reads the resources of a customer and decides which of the unlisted ones the sync deletes.
func (p *deletion) planUnlisted(ctx context.Context, g *checkedPush, o SyncOptions, listed map[Ref]bool) (*unlistedResources, error) {
	out := &unlistedResources{customerKey: g.customerKey, kept: map[Ref]*node{}}
	c, err := p.s.customer(ctx, g.customerKey)
	if errors.Is(err, ErrCustomerNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []*node
	gone := map[Ref]Ref{} // by class and key: the deleted resources whose keys become free
	for _, row := range kinds {
		for n, err := range p.s.scanKind(ctx, c, row.kind) {
			if err == nil {
				err = p.charge(1)
			}
			switch {
			case err != nil:
				return nil, err
			case listed[n.ref()]:
			case o.All || n.meta.Origin == o.Actor.typed():
				out.deleted = append(out.deleted, affected{old: n})
				if class := byClass(n.ref()); g.byKey[class] == nil {
					gone[class] = n.ref()
				}
			default:
				kept = append(kept, n)
			}
		}
	}
	out.applyCascade(kept, gone, func(class Ref) bool { return g.byKey[class] != nil })
	return out, nil
}

// applyCascade applies the cascade to kept, the unlisted resources that the sync does not delete by itself, and adds each of
// them to the fields of u. gone are the deleted resources by class and key. listed reports whether the data has a resource
// with this class and key.
func (u *unlistedResources) applyCascade(kept []*node, gone map[Ref]Ref, listed func(byClass Ref) bool) {
	changed := map[*node]*affected{}
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
					t = &affected{old: n, new: n.clone()}
					changed[n] = t
				}
				effect := effectOf(to.Kind, referrer{n.ref(), relation})
				if effect != deleteReferrer {
					t.new.dropReference(to, false)
				}
				if effect == deleteReferrer || effect == deleteWithLastSpace && len(t.new.spaces) == 0 {
					t.new, t.because, again = nil, &to, true
					if class := byClass(n.ref()); !listed(class) {
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

// removeUnlistedCancellations plans to remove the cancellations of unlisted resources that the sync would delete if they
// existed.
func (s *Snapshot) removeUnlistedCancellations(ctx context.Context, ch *changes, g *checkedPush, o SyncOptions) error {
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

// checkDeletes returns a validation.Error if the sync deletes more than o.MaxDeletes resources. It adds a warning to the
// report if the sync deletes all resources that the customer had.
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

// applyExternalEffects plans the effects of deleted resources on portals, devices and access codes, and adds them to the report.
// ch.edits must be complete. A resource of which only the kind changes keeps its devices and codes, because they refer to it by
// class.
func (p *deletion) applyExternalEffects(ctx context.Context, ch *changes, deleted []Ref) error {
	if len(deleted) == 0 {
		return nil
	}
	stored, err := p.s.get(ctx, layout.DeviceCounts(ch.customer.id))
	if err != nil {
		return err
	}
	counts, err := ch.dependOnDevices(stored)
	if err != nil {
		return err
	}
	targets := deleted
	onlyPortals := counts.Writes == 0 // otherwise there can be PINs, even without devices
	if onlyPortals {
		targets = slices.DeleteFunc(slices.Clone(deleted), func(ref Ref) bool { return ref.Kind.Class() == ClassUserIdentity }) // no portal is a deep link to a user
	}
	links, err := p.s.referrers(ctx, ch.customer, targets, onlyPortals)
	if err != nil || len(links) == 0 {
		return err
	}
	planned := make(map[Ref]*node, len(ch.edits))
	for _, e := range ch.edits {
		if e.new != nil {
			planned[byClass(e.new.ref())] = e.new
		} else {
			planned[byClass(e.old.ref())] = nil
		}
	}
	dc := newDeviceCascade(p.s, ch.customer, counts, p.charge)
	var portals []Revoked
	for _, ref := range targets {
		for _, link := range links[byClass(ref)] {
			if link.relation == deepLink {
				revoked, err := link.revocation(ch.customer, ref)
				if err != nil {
					return err
				}
				portals = append(portals, revoked)
			} else if planned[byClass(ref)] == nil {
				if err := dc.refers(link, ref); err != nil {
					return err
				}
			}
		}
	}
	if portals, err = p.s.withoutRevoked(ctx, ch.customer, portals); err != nil {
		return err
	}
	for _, revoked := range portals {
		ch.revoked = append(ch.revoked, revoked.PortalID)
	}
	if err := dc.plan(ctx, planned); err != nil {
		return err
	}
	ch.devices = dc.rows()
	p.report.Revoked = append(p.report.Revoked, portals...)
	p.report.Unmapped, p.report.CodeRemovals = dc.unmapped(), dc.codeRemovals()
	return nil
}
