package data

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
)

// PushOptions configures a push. The zero value merges resources and refuses the whole push for any fault.
type PushOptions struct {
	Replace     bool // replace each resource instead of merging it: a field that is not set becomes empty
	Strict      bool // treat warnings as faults: refuse the push if there are any, except those of validation.RuleNoLock
	SkipInvalid bool // apply the resources without a fault; the report lists the faults of the others
	DryRun      bool // report the changes and write nothing

	// KeepPortalChanges keeps changes that were made in a customer portal. A field whose value the host has not changed
	// since its last push keeps the portal's value, and a resource that was cancelled in a portal is not created again. A
	// field whose value the host has changed gets the new value. See [PortalChanges]. The option has no effect on a push by
	// a portal.
	KeepPortalChanges bool

	Actor Actor // the actor in the change feed and in the origin of resources; the zero value is the host

	// Prepare, if it is not nil, completes the data in the state on which the push is planned. It gets a copy of the data
	// and can add resources to it, but cannot change the customer key. If it returns an error, the push is refused with
	// this error. It may run more than once, each time with a new copy. Like Guard, it can read and must not write.
	Prepare func(context.Context, *Snapshot, *CustomerData) error

	// Guard, if it is not nil, inspects the state on which the push is planned and the planned report. If it returns an
	// error, the push is refused with this error. No other write takes place between that state and the push. Guard may
	// run more than once, and also runs in a dry run. It can read, including from the Workspace. A write to the same store with
	// the context that it gets, or with one derived from it, returns [storage.ErrNested].
	Guard func(context.Context, *Snapshot, PushReport) error

	// Within, if it is not nil, runs in the transaction of the push, after the writes of the push. Its writes commit with
	// the push, and its error rolls back both. It may run more than once, and does not run in a dry run. It writes only to
	// CustomerTx.Tx: any other write to the same store with its context returns [storage.ErrNested].
	Within func(context.Context, CustomerTx) error

	// Reads are keys that Guard and Within will probably read. They are a hint for the store; see [storage.Store].Update.
	Reads [][]byte

	sync map[Ref]bool  // of a sync: the listed resources, by kind and key
	kept map[Ref]*node // of a sync: the unlisted resources that it keeps, by class and key; all other keys become free
}

// Push creates or updates the customer and the resources in d. It applies all of them or none. It merges resources that
// exist, as described at [CustomerData]. Data that is already stored causes no change.
//
// If the customer has locks with access codes, the report has a warning with [validation.RuleNoLock] for each access grant that has not
// ended, whose data names its spaces, and none of whose spaces has such a lock. A lock that is mapped to another space of the
// site does not count, also if it is a shared entrance, because the access grant then opens the building but not the room.
//
// If the data has faults, Push returns a [validation.Error] that lists them. This error also matches [ErrKeyConflict] if a
// key belongs to another customer or to a resource of another kind. After an error that matches [storage.ErrUnknown], the
// push may or may not have taken effect.
func (w *Workspace) Push(ctx context.Context, d CustomerData) (PushReport, error) {
	return w.PushWith(ctx, d, PushOptions{})
}

// PushWith is Push with options.
func (w *Workspace) PushWith(ctx context.Context, d CustomerData, o PushOptions) (PushReport, error) {
	checked, err := checkPush(ctx, d, o.SkipInvalid)
	if err != nil {
		return PushReport{}, err
	}
	if checked.full {
		return PushReport{}, checked.found.err(o.Strict)
	}
	var report PushReport
	var id layout.CustomerID
	l := w.newLookups(checked, o)
	plan := func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		if o.Prepare != nil {
			if checked, err = d.prepared(ctx, s, o); err != nil {
				return nil, err
			}
			l = w.newLookups(checked, o)
		}
		if len(checked.items) > scale {
			return nil, errPlanTooLarge
		}
		ch, planned, err := s.planPush(ctx, checked, l, o)
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
	if err = w.executeOrDryRun(ctx, o.DryRun, o.Actor, plan, w.pushReads(checked, l, o.Reads)...); err != nil {
		return PushReport{}, err
	}
	if report.CustomerCreated && !o.DryRun {
		w.db.ids.remember(customerName{w.id, d.CustomerKey}, id)
	}
	return report, nil
}

// prepared returns the checked result of PushOptions.Prepare on a copy of d.
func (d CustomerData) prepared(ctx context.Context, s *Snapshot, o PushOptions) (*checkedPush, error) {
	d.Spaces, d.UserIdentities, d.AccessGrants = slices.Clip(d.Spaces), slices.Clip(d.UserIdentities), slices.Clip(d.AccessGrants)
	key := d.CustomerKey
	if err := o.Prepare(ctx, s, &d); err != nil {
		return nil, err
	}
	d.CustomerKey = key
	g, err := checkPush(ctx, d, o.SkipInvalid)
	if err == nil && g.full {
		err = g.found.err(o.Strict)
	}
	return g, err
}

// planPush computes the changes of a push and its report. It only reads. The changes are valid only if the error is nil.
func (s *Snapshot) planPush(ctx context.Context, g *checkedPush, l *lookups, o PushOptions) (*changes, PushReport, error) {
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
	merged, err := mergeItems(ch, g, l, st, o)
	if err != nil {
		return nil, report, err
	}
	ch.emails = st.emails
	warnSharedEmails(g, l, st, merged, o)
	warnMissingReferences(c, g, l, st, merged, o)
	for i, m := range merged {
		refused := m.refused(o)
		if refused && o.SkipInvalid {
			reasons := m.found.faults
			if o.Strict {
				reasons = append(slices.Clip(reasons), m.found.warnings...)
			}
			listed := min(len(reasons), reportlimit.Max-len(report.Skipped))
			report.Skipped = append(report.Skipped, reasons[:listed]...)
			skipped.Faults += len(reasons) - listed
			continue
		}
		if m.keptCancelled && !refused {
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
	found.join(noLocks(g, st, merged, ch.at, o)) // not before err: such a warning refuses nothing, also with Strict
	found.omitted.Add(skipped)
	report.Warnings = found.listed()
	return ch, report, err
}
