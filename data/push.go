package data

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
)

// PushOptions changes what a push does. The zero value merges, and refuses the
// whole push for any fault.
type PushOptions struct {
	Replace     bool // what is given is the whole of each resource: what it leaves out becomes empty
	Strict      bool // a warning refuses the push as a fault does
	SkipInvalid bool // apply the resources without a fault; the report has the faults of the others
	DryRun      bool // report, and write nothing

	// KeepPortalChanges lets changes stay that were made in a customer portal. A field whose
	// value the host has not changed since it pushed the field last keeps the portal's value,
	// and a resource that was cancelled in a portal is not created again. A field whose value
	// the host has changed gets the new one. See [PortalChanges]. It has no effect on what a
	// portal pushes.
	KeepPortalChanges bool

	Actor Actor // who makes the push, for the change feed and the origin of resources; zero is the host

	// Prepare, if it is not nil, completes the data in the state that the push is planned
	// on: it gets a copy of the data that was given, to which it can add resources; the
	// customer stays the same. Its error refuses the push. It may run more than once, each
	// time with a new copy. It can read and must not write, as Guard.
	Prepare func(context.Context, *Snapshot, *CustomerData) error

	// Guard sees the state that the push was planned on, and what it would report: its
	// error refuses the push. Nothing comes between that state and the push. It may run
	// more than once, and runs in a dry run too. It can read, from the Workspace as well; a
	// write of the same store with the context that it is given, or one derived from it,
	// returns [storage.ErrNested].
	Guard func(context.Context, *Snapshot, PushReport) error

	// Within runs in the transaction that makes the push, after its own writes: what
	// it writes commits with the push, and its error rolls back both. It may run more
	// than once, and a dry run leaves it out. It writes by way of CustomerTx.Tx alone: any
	// other write of the same store with its context returns [storage.ErrNested].
	Within func(context.Context, CustomerTx) error

	// Reads are keys that Guard and Within will probably read, a hint for the store as in
	// [storage.Store].Update.
	Reads [][]byte

	sync map[Ref]bool  // in a sync: the resources that are given
	kept map[Ref]*node // in a sync, by class: the resources that are not given and stay; the keys of all others are free
}

// Push creates and updates the customer and the resources that d gives, all of
// them or none. A resource that exists is merged, as [CustomerData] says; pushing
// what is already there changes nothing.
//
// It returns a [validation.Error] with every fault where anything is wrong, which
// also matches [ErrKeyConflict] where a key is another customer's or another kind's. An
// error that matches [storage.ErrUnknown] means that the push may have taken effect.
func (w *Workspace) Push(ctx context.Context, d CustomerData) (PushReport, error) {
	return w.PushWith(ctx, d, PushOptions{})
}

// PushWith is Push with options.
func (w *Workspace) PushWith(ctx context.Context, d CustomerData, o PushOptions) (PushReport, error) {
	given, err := check(ctx, d, o.SkipInvalid)
	if err != nil {
		return PushReport{}, err
	}
	if given.full {
		return PushReport{}, given.found.err(o.Strict)
	}
	var report PushReport
	var id layout.CustomerID
	l := w.lookUps(given, o)
	plan := func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		if o.Prepare != nil {
			if given, err = d.prepared(ctx, s, o); err != nil {
				return nil, err
			}
			l = w.lookUps(given, o)
		}
		if len(given.items) > scale {
			return nil, errPlanTooLarge
		}
		ch, planned, err := s.planPush(ctx, given, l, o)
		if err != nil {
			return nil, err
		}
		if o.Guard != nil {
			s.planned = ch
			if err := o.Guard(ctx, s, planned); err != nil {
				return nil, err
			}
		}
		report, id = planned, ch.customer.id
		ch.bumpVersion = o.Within != nil
		return &operation{changes: []*changes{ch}, within: o.Within}, nil
	}
	if err = w.executeOrDryRun(ctx, o.DryRun, o.Actor, plan, w.pushReads(given, l, o.Reads)...); err != nil {
		return PushReport{}, err
	}
	if report.CustomerCreated && !o.DryRun {
		w.db.ids.remember(customerName{w.id, d.CustomerKey}, id)
	}
	return report, nil
}

// prepared returns the data as Prepare completes it, checked.
func (d CustomerData) prepared(ctx context.Context, s *Snapshot, o PushOptions) (*given, error) {
	d.Spaces, d.UserIdentities, d.AccessGrants = slices.Clip(d.Spaces), slices.Clip(d.UserIdentities), slices.Clip(d.AccessGrants)
	key := d.CustomerKey
	if err := o.Prepare(ctx, s, &d); err != nil {
		return nil, err
	}
	d.CustomerKey = key
	g, err := check(ctx, d, o.SkipInvalid)
	if err == nil && g.full {
		err = g.found.err(o.Strict)
	}
	return g, err
}

// planPush finds what a push would change, and reports it. It only reads. The
// changes count only where the error is nil.
func (s *Snapshot) planPush(ctx context.Context, g *given, l *lookups, o PushOptions) (*changes, PushReport, error) {
	var found findings
	found.join(g.found)
	skipped := g.skipped
	report := PushReport{CustomerKey: g.customerKey, Resources: []PushedResource{}}
	st, err := s.readPush(ctx, g, l, o.DryRun)
	if err != nil {
		return nil, report, err
	}
	c := st.customer
	report.CustomerCreated = st.created
	ch := s.newChanges(c, st.created)
	ch.actor = o.Actor
	ch.fields = c.customerFields.merge(&g.customer, o.sync != nil)
	report.CustomerUpdated = !ch.created && ch.customerChanged()
	merged, err := mergeGiven(ch, g, l, st, o)
	if err != nil {
		return nil, report, err
	}
	ch.emails = st.emails
	warnOfSharedEmails(g, l, st, merged, o)
	warnOfMissing(c, g, l, st, merged, o)
	for i, m := range merged {
		refused := m.refused(o)
		if refused && o.SkipInvalid {
			why := m.found.faults
			if o.Strict {
				why = append(slices.Clip(why), m.found.warnings...)
			}
			listed := min(len(why), reportlimit.Max-len(report.Skipped))
			report.Skipped = append(report.Skipped, why[:listed]...)
			skipped.Faults += len(why) - listed
			continue
		}
		if m.staysCancelled && !refused {
			it := g.items[i]
			report.add(PushedResource{Kind: it.kind, Key: it.key, Change: Cancelled, Portal: m.portal}, it.class())
			continue
		}
		found.join(m.found)
		if refused {
			continue
		}
		result, err := ch.put(m.old, m.new, o.DryRun)
		if err != nil {
			return nil, report, err
		}
		if m.cancelled != nil {
			ch.uncancelled = append(ch.uncancelled, m.cancelled)
		}
		result.Portal = m.portal
		report.add(result, g.items[i].class())
	}
	err = found.err(o.Strict)
	found.omitted.Add(skipped)
	report.Warnings = found.listed()
	return ch, report, err
}
