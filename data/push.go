package data

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
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

// Change is what an operation did to a resource.
type Change string

// The changes.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
	Deleted   Change = "deleted"
	Cancelled Change = "cancelled" // it was cancelled in a portal, and stays so
)

// PushReport is what a push did.
type PushReport struct {
	CustomerKey     string `json:"customer_key"`
	CustomerCreated bool   `json:"customer_created"`
	CustomerUpdated bool   `json:"customer_updated"` // a customer that was there has another name or time zone now
	Created         Tally  `json:"created"`
	Updated         Tally  `json:"updated"`
	Unchanged       Tally  `json:"unchanged"`
	Cancelled       Tally  `json:"cancelled"` // with KeepPortalChanges: left out, since they were cancelled in a portal

	// Resources is what became of each resource that was given, in the order of
	// CustomerData: spaces, user identities, access grants.
	Resources []PushedResource `json:"resources"`

	Warnings []validation.Finding `json:"warnings,omitempty"`
	Skipped  []validation.Finding `json:"skipped,omitempty"` // with SkipInvalid: the faults of what was left out, as many as a validation.Error lists
}

// PushedResource is what a push did to one resource.
type PushedResource struct {
	Kind   Kind      `json:"kind"`
	Key    string    `json:"key"`
	ID     uuid.UUID `json:"id"` // the derived id; zero where a dry run would create it
	Change Change    `json:"change"`

	// Portal reports how the push affected changes made in a customer portal, or is nil if there are none.
	Portal *PortalChanges `json:"portal,omitempty"`
}

// Tally counts resources by class.
type Tally struct {
	Spaces         int `json:"spaces"`
	UserIdentities int `json:"user_identities"`
	AccessGrants   int `json:"access_grants"`
}

// Total is the number of resources of all classes.
func (t Tally) Total() int { return t.Spaces + t.UserIdentities + t.AccessGrants }

func (t *Tally) add(class Class) {
	switch class {
	case ClassSpace:
		t.Spaces++
	case ClassUserIdentity:
		t.UserIdentities++
	default:
		t.AccessGrants++
	}
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
			return nil, errTooLong
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
		ch.touched = o.Within != nil
		return &operation{changes: []*changes{ch}, within: o.Within}, nil
	}
	if err = w.carryOut(ctx, o.DryRun, o.Actor, plan, w.pushReads(given, l, o.Reads)...); err != nil {
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

// given is a CustomerData whose resources were checked, each by itself.
type given struct {
	customer    CustomerData // without its resources
	customerKey string
	items       []*item
	byKey       map[Ref]*item // the items by class and key; the last of two with one key
	found       findings      // about the customer, or the data as a whole; if full, about all of it
	skipped     reportlimit.Omitted
	full        bool // there are more faults than are listed, and no plan is needed
}

// item is a resource that was given.
type item struct {
	*node
	at    entry
	first *item // the first one with the same key, if that is another one
	found findings
}

// checkEvery is the number of entries between two looks at the context of a check.
const checkEvery = 1024

// check checks what was given, without reading the store. Once it has found more faults
// than are listed, it counts the further ones. If skip is set, it leaves out the faulty
// resources from there on. It returns the error of ctx once that is done.
func check(ctx context.Context, d CustomerData, skip bool) (*given, error) {
	size := min(d.Len(), shortPlan) // a large one grows as it is found sound
	g := &given{customer: d, customerKey: d.CustomerKey, items: make([]*item, 0, size)}
	g.customer.Spaces, g.customer.UserIdentities, g.customer.AccessGrants = nil, nil, nil
	for _, note := range d.notes {
		g.found.add(note)
	}
	g.found.omitted.Add(d.omitted)
	reportKey(d.CustomerKey, g.found.in("customer_key"))
	checkCustomer(&g.customer, &g.found)
	g.byKey = make(map[Ref]*item, size)
	look := func(n *node, class Class, at entry) *item {
		it := &item{node: n, at: at}
		report := it.found.about(at)
		if !n.kind.valid() || n.class() != class {
			report(".kind", validation.RuleNotAField, "%v is not a kind of %s", n.kind, class)
			return it
		}
		checkNode(n, report)
		n.dropBlank()
		if n.key == "" {
			return it
		}
		if before := g.byKey[byClass(n.ref())]; before != nil {
			it.first = cmp.Or(before.first, before)
			report("."+n.kind.KeyField(), validation.RuleDuplicateKey, "%q is also the key of %s", textrules.Clip(n.key), it.first.at)
		}
		g.byKey[byClass(n.ref())] = it
		return it
	}
	seen, faults := 0, 0
	d.nodes(func(n *node, class Class, at entry) bool {
		if seen++; seen%checkEvery == 0 && ctx.Err() != nil {
			return false
		}
		it := look(n, class, at)
		faults += len(it.found.faults)
		switch {
		case g.full:
			g.found.join(it.found)
		case len(it.found.faults) == 0 || faults <= reportlimit.Max:
			g.items = append(g.items, it)
		case skip:
			g.skipped.Faults += len(it.found.faults)
		default:
			g.full = true
			for _, before := range g.items {
				g.found.join(before.found)
			}
			g.items = nil
			g.found.join(it.found)
		}
		return true
	})
	return g, ctx.Err()
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
	ch := s.plan(c, st.created)
	ch.actor = o.Actor
	ch.fields = c.customerFields.merge(&g.customer, o.sync != nil)
	report.CustomerUpdated = !ch.created && ch.renamed()
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

func (r *PushReport) add(result PushedResource, class Class) {
	r.Resources = append(r.Resources, result)
	switch result.Change {
	case Created:
		r.Created.add(class)
	case Updated:
		r.Updated.add(class)
	case Cancelled:
		r.Cancelled.add(class)
	default:
		r.Unchanged.add(class)
	}
}

// mergedItem is a resource before a push (nil where there is none) and after it.
type mergedItem struct {
	old, new *node
	found    findings
	missing  []validation.Finding // references to what will not be there

	portal         *PortalChanges
	cancelled      *cancellation
	staysCancelled bool // the push leaves it out
}

// refused reports whether the push does not apply the resource because of a finding.
func (m *mergedItem) refused(o PushOptions) bool {
	return len(m.found.faults) > 0 || o.Strict && !m.staysCancelled && len(m.found.warnings)+len(m.missing) > 0
}

// applied reports whether the resource is there after the push, if the push takes place.
func (m *mergedItem) applied(o PushOptions) bool {
	return !m.staysCancelled && !(o.SkipInvalid && m.refused(o))
}

// mergeGiven merges what is given into what is stored.
func mergeGiven(ch *changes, g *given, l *lookups, st *pushState, o PushOptions) ([]mergedItem, error) {
	merged := make([]mergedItem, len(g.items))
	for i, it := range g.items {
		merged[i].found.join(it.found)
	}
	for place, n := range st.stored {
		merged[l.at[place]].old = n
	}
	for place, c := range st.cancelled {
		if m := &merged[l.at[place]]; c != nil {
			m.cancelled, m.portal = c, &PortalChanges{Cancelled: true}
			m.staysCancelled = o.KeepPortalChanges && !o.Actor.isPortal()
		}
	}
	for place, conflict := range conflicts(ch, l, st, o) {
		if conflict != nil {
			it := g.items[l.at[place]]
			merged[l.at[place]].found.add(validation.Finding{
				Path: it.at.String() + "." + it.kind.KeyField(), Rule: validation.RuleKeyConflict, Cause: conflict,
				Message: fmt.Sprintf("%q is %s, and cannot be %s", conflict.Key, conflict.Holder, conflict.Wanted),
			})
		}
	}
	var fields []byte
	for i, it := range g.items {
		if !it.kind.valid() {
			continue
		}
		m := &merged[i]
		if m.staysCancelled {
			m.new = it.node
			continue
		}
		if m.old != nil {
			fields = encodeFields(fields[:0], it.node)
			if string(fields) == string(m.old.stored) && !m.old.toReconcile(o.Actor) {
				m.new = m.old // most of a push that is repeated; what it clears it gives again
				warnOfNoSpaces(it.node, m.found.about(it.at))
				continue
			}
			if err := m.old.decodeFields(); err != nil {
				return nil, err
			}
		}
		if m.old != nil && m.old.toReconcile(o.Actor) {
			m.new, m.portal = m.old.reconcile(it.node, o)
		} else {
			m.new = merge(m.old, it.node, o.Replace)
			if m.old != nil && o.Actor.isPortal() {
				m.new.changedInPortal(m.old)
			}
		}
		checkWhole(m.new, m.found.about(it.at))
		warnOfNoSpaces(m.new, m.found.about(it.at))
	}
	return merged, nil
}

// warnOfNoSpaces reports an access grant that names no space. A push reports it for each
// grant that is given, whether the push changes it or not.
func warnOfNoSpaces(n *node, report reporter) {
	if n.class() == ClassAccessGrant && len(n.spaces) == 0 {
		report("", validation.RuleNoSpaces, "names no space: it opens nothing")
	}
}

// conflicts returns, for each resource that is looked up, the conflict with the resource that
// has its key, or nil if no other resource has it. The plan then depends on the rows of the
// directory that show this.
func conflicts(ch *changes, l *lookups, st *pushState, o PushOptions) []*ConflictError {
	out := make([]*ConflictError, len(l.refs))
	for place, ref := range l.refs {
		if st.stored[place] != nil {
			continue
		}
		switch holder := st.holder(place); {
		case holder == nil:
			ch.seen = append(ch.seen, st.owners[place].row)
		case o.sync != nil && st.owners[place].customer == ch.customer.id && !o.sync[holder.ref()] && o.kept[byClass(ref)] == nil:
			// The key is the customer's already, and becomes free in the same step.
		default:
			out[place] = &ConflictError{
				Key:    ref.Key,
				Wanted: Owner{ch.customer.key, ref.Kind},
				Holder: Owner{holder.meta.CustomerKey, holder.kind},
			}
		}
	}
	return out
}

// warnOfMissing reports the references of what is given to what will not be there:
// it is neither given nor stored, or it does not stay, or is refused itself.
func warnOfMissing(c *customer, g *given, l *lookups, st *pushState, merged []mergedItem, o PushOptions) {
	// With both of these a reference that is missing refuses what refers, and so what
	// refers to that.
	spreads := o.Strict && o.SkipInvalid
	leavesOut := slices.ContainsFunc(merged, func(m mergedItem) bool { return m.staysCancelled })
	stored, foreign := st.targets(c, l, o)
	has := func(ref Ref) Kind {
		if it := g.byKey[ref]; it != nil {
			return it.kind
		}
		return stored[ref]
	}
	for {
		if o.SkipInvalid || leavesOut {
			applied := make(map[Ref]Kind, len(g.items))
			for i, it := range g.items {
				if it.kind.valid() && merged[i].applied(o) {
					applied[byClass(it.ref())] = it.kind
				}
			}
			has = func(ref Ref) Kind { return cmp.Or(applied[ref], stored[ref]) }
		}
		again := false
		for i, it := range g.items {
			m := &merged[i]
			was := m.refused(o)
			var missing findings
			it.warnOfMissing(has, foreign, missing.about(it.at))
			m.missing = missing.warnings
			again = again || spreads && m.refused(o) != was
		}
		if !again {
			break
		}
	}
	for i := range merged {
		merged[i].found.warnings = append(merged[i].found.warnings, merged[i].missing...)
		if merged[i].staysCancelled {
			merged[i].found.warnings = nil // the push leaves it out
		}
	}
}

// targets returns the resources that are referred to and stored, by class: the customer's own
// that stay, and the owners of those that belong to other customers.
func (st *pushState) targets(c *customer, l *lookups, o PushOptions) (has map[Ref]Kind, foreign map[Ref]Owner) {
	has = map[Ref]Kind{}
	for i, target := range l.targets {
		place := len(l.refs) + i
		owner := st.owners[place]
		switch {
		case owner.kind == 0:
		case owner.customer != c.id:
			if holder := st.holder(place); holder != nil {
				if foreign == nil {
					foreign = map[Ref]Owner{}
				}
				foreign[target] = Owner{holder.meta.CustomerKey, holder.kind}
			}
		case o.sync == nil || o.sync[Ref{owner.kind, target.Key}] || o.kept[target] != nil:
			has[target] = owner.kind
		}
	}
	return has, foreign
}

// warnOfMissing reports the references of one resource to what is not there, and to
// resources of other customers.
func (n *node) warnOfMissing(has func(byClass Ref) Kind, foreign map[Ref]Owner, report reporter) {
	n.references(func(at refPlace, ref Ref) {
		if !ref.Kind.valid() || textrules.CheckKey(ref.Key) != "" {
			return
		}
		owner, isForeign := foreign[byClass(ref)]
		switch kind := has(byClass(ref)); {
		case kind == 0 && isForeign:
			report(at.part(ref), validation.RuleOtherCustomer, "%q is %s: the reference never resolves", textrules.Clip(ref.Key), owner)
		case kind == 0:
			report(at.part(ref), validation.RuleNotThereYet, "there is no %s %q yet", ref.Kind.Class(), ref.Key)
		case at.relation == inSite && kind != KindSite:
			report(at.part(ref), validation.RuleNotThereYet, "there is no site %q yet, only a %s", ref.Key, kind)
		}
	})
}

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
