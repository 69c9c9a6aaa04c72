package data

import (
	"context"
	"fmt"
	"slices"
)

// SyncOptions changes what a sync does.
type SyncOptions struct {
	Strict bool // a warning refuses the sync as a fault does
	DryRun bool // report, and write nothing

	Actor Actor // as in PushOptions

	// MaxDeletes refuses a sync that would delete more resources, with an [InvalidError]
	// that wraps a [TooManyDeletesError]; then nothing changes. It counts what
	// SyncReport.Deleted lists. Nil is no limit, and 0 allows no deletion.
	MaxDeletes *int

	// Guard is as in [PushOptions].
	Guard func(context.Context, *Snapshot, SyncReport) error

	// Within and Reads are as in [PushOptions].
	Within func(context.Context, CustomerTx) error
	Reads  [][]byte
}

// SyncReport is what a sync did.
type SyncReport struct {
	PushReport
	Deleted []DeletedResource `json:"deleted,omitempty"` // what was there and not given
	Revoked []Revoked         `json:"revoked,omitempty"` // portals that were deep links to it
}

// Sync makes a customer's data exactly what d gives, all of it or nothing: what is
// given is the whole of each resource, as in a push with Replace, and what is not
// given is deleted. Where nothing is to change nothing is written. A key that is
// there under another kind than it is given is deleted and created again.
//
// A wrong customer key or a partial list deletes what should have stayed: MaxDeletes and
// Guard of [SyncOptions] refuse such a sync, a warning of [RuleDeletesAll] reports one
// that deletes every resource that the customer had, and CustomerCreated one that
// created its customer.
//
// A resource that stays is as it is given, so a reference to one that is deleted
// stays too, with a warning. Errors are those of a push.
func (w *Workspace) Sync(ctx context.Context, d CustomerData) (SyncReport, error) {
	return w.SyncWith(ctx, d, SyncOptions{})
}

// SyncWith is Sync with options.
func (w *Workspace) SyncWith(ctx context.Context, d CustomerData, o SyncOptions) (SyncReport, error) {
	given, err := check(ctx, d, false)
	if err != nil {
		return SyncReport{}, err
	}
	if given.full {
		return SyncReport{}, given.found.err(o.Strict)
	}
	stays := make(map[Ref]bool, len(given.items))
	for _, it := range given.items {
		stays[it.ref()] = true
	}
	po := PushOptions{Replace: true, Strict: o.Strict, DryRun: o.DryRun, Actor: o.Actor, sync: stays}
	l := w.lookUps(given, po)
	var report SyncReport
	var id CustomerID
	err = w.carryOut(ctx, o.DryRun, o.Actor, func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		ch, planned, err := s.planSync(ctx, given, l, o, po, scale)
		if err != nil {
			return nil, err
		}
		if o.Guard != nil {
			if err := o.Guard(ctx, s, planned); err != nil {
				return nil, err
			}
		}
		report, id = planned, ch.customer.id
		ch.touched = o.Within != nil
		return &operation{changes: []*changes{ch}, within: o.Within}, nil
	}, w.pushReads(given, l, o.Reads)...)
	if err != nil {
		return SyncReport{}, err
	}
	if report.CustomerCreated && !o.DryRun {
		w.db.ids.remember(customerName{w.id, d.CustomerKey}, id)
	}
	return report, nil
}

func (s *Snapshot) planSync(ctx context.Context, g *given, l *lookups, o SyncOptions, po PushOptions, scale int) (*changes, SyncReport, error) {
	if scale -= len(g.items); scale < 0 {
		return nil, SyncReport{}, errTooLong
	}
	stays := po.sync
	ch, pushed, err := s.planPush(ctx, g, l, po)
	report := SyncReport{PushReport: pushed}
	if err != nil || ch.created {
		return ch, report, err
	}
	// A key that changes its kind stays the customer's: what goes and what comes are one
	// edit, so that its row of the directory is written once, and never missing.
	created := map[Ref]int{} // by class, the place in ch.edits
	for i, e := range ch.edits {
		if e.old == nil {
			created[byClass(e.new.ref())] = i
		}
	}
	p := &deletion{s: s, scale: scale}
	var edits []edit
	var deleted []Ref
	for _, row := range kinds {
		for n, err := range s.scanKind(ctx, ch.customer, row.kind) {
			if err == nil {
				err = p.look(1)
			}
			if err != nil {
				return nil, report, err
			}
			if stays[n.ref()] {
				continue
			}
			if i, again := created[byClass(n.ref())]; again {
				ch.edits[i].old = n
			} else {
				edits = append(edits, edit{old: n})
			}
			p.report.add(n, nil)
			deleted = append(deleted, n.ref())
		}
	}
	if err := s.revokeDeepLinks(ctx, ch, deleted, &p.report); err != nil {
		return nil, report, err
	}
	ch.edits = append(edits, ch.edits...)
	report.Deleted, report.Revoked = p.report.Deleted, p.report.Revoked
	if err := checkDeletes(ch.customer, &report, o); err != nil {
		return nil, SyncReport{}, err
	}
	return ch, report, nil
}

// checkDeletes returns an InvalidError if the sync deletes more than it may, and warns if
// it deletes all that the customer had.
func checkDeletes(c *customer, report *SyncReport, o SyncOptions) error {
	n := len(report.Deleted)
	var found findings
	if o.MaxDeletes != nil && n > *o.MaxDeletes {
		found.add(Finding{
			Path: "max_deletes", Rule: RuleMaxDeletes, cause: &TooManyDeletesError{n, *o.MaxDeletes},
			Message: fmt.Sprintf("the sync would delete %d resources, and may delete %d", n, *o.MaxDeletes),
		})
	}
	if n > 0 && n == c.total() {
		found.add(Finding{Path: "customer_key", Rule: RuleDeletesAll, Message: fmt.Sprintf("deletes all %d resources that the customer had", n)})
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
