package data

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/chars"
	"github.com/customerportal-go/customerportal/internal/leftout"
)

// PushOptions changes what a push does. The zero value merges, and refuses the
// whole push for any fault.
type PushOptions struct {
	Replace     bool // what is given is the whole of each resource: what it leaves out becomes empty
	Strict      bool // a warning refuses the push as a fault does
	SkipInvalid bool // apply the resources without a fault; the report has the faults of the others
	DryRun      bool // report, and write nothing

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

	sync map[Ref]bool // in a sync: what stays; the keys of all else are free
}

// Change is what an operation did to a resource.
type Change string

// The changes.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
	Deleted   Change = "deleted"
)

// PushReport is what a push did.
type PushReport struct {
	CustomerKey     string `json:"customer_key"`
	CustomerCreated bool   `json:"customer_created"`
	CustomerUpdated bool   `json:"customer_updated"` // a customer that was there has another name or time zone now
	Created         Tally  `json:"created"`
	Updated         Tally  `json:"updated"`
	Unchanged       Tally  `json:"unchanged"`

	// Resources is what became of each resource that was given, in the order of
	// CustomerData: spaces, user identities, access grants.
	Resources []PushedResource `json:"resources"`

	Warnings []Finding `json:"warnings,omitempty"`
	Skipped  []Finding `json:"skipped,omitempty"` // with SkipInvalid: the faults of what was left out, as many as an InvalidError lists
}

// PushedResource is what a push did to one resource.
type PushedResource struct {
	Kind   Kind      `json:"kind"`
	Key    string    `json:"key"`
	ID     uuid.UUID `json:"id"` // the derived id; zero where a dry run would create it
	Change Change    `json:"change"`
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
// It returns an [InvalidError] with every fault where anything is wrong, which
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
	plan := func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		if len(given.items) > scale {
			return nil, errTooLong
		}
		ch, planned, err := s.planPush(ctx, given, o)
		if err != nil {
			return nil, err
		}
		if o.Guard != nil {
			if err := o.Guard(ctx, s, planned); err != nil {
				return nil, err
			}
		}
		report = planned
		ch.touched = o.Within != nil
		return &operation{changes: []*changes{ch}, within: o.Within}, nil
	}
	if err = w.carryOut(ctx, o.DryRun, plan); err != nil {
		return PushReport{}, err
	}
	return report, nil
}

// given is a CustomerData whose resources were checked, each by itself.
type given struct {
	customer    CustomerData // without its resources
	customerKey string
	items       []*item
	found       findings // about the customer, or the data as a whole; if full, about all of it
	skipped     leftout.Counts
	full        bool // there are more faults than are listed, and no plan is needed
}

// item is a resource that was given.
type item struct {
	*node
	at    entry
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
	type classKey struct {
		class Class
		key   string
	}
	byKey := make(map[classKey]*item, size)
	look := func(n *node, class Class, at entry) *item {
		it := &item{node: n, at: at}
		report := it.found.about(at)
		if !n.kind.valid() || n.class() != class {
			report(".kind", RuleNotAField, "%v is not a kind of %s", n.kind, class)
			return it
		}
		checkNode(n, report)
		n.dropBlank()
		if first := byKey[classKey{class, n.key}]; first != nil {
			report("."+n.kind.KeyField(), RuleDuplicateKey, "%q is also the key of %s", chars.Clip(n.key), first.at)
		} else if n.key != "" {
			byKey[classKey{class, n.key}] = it
		}
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
		case len(it.found.faults) == 0 || faults <= leftout.Max:
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
func (s *Snapshot) planPush(ctx context.Context, g *given, o PushOptions) (*changes, PushReport, error) {
	var found findings
	found.join(g.found)
	skipped := g.skipped
	report := PushReport{CustomerKey: g.customerKey, Resources: []PushedResource{}}
	c, err := s.customer(ctx, g.customerKey)
	switch {
	case errors.Is(err, ErrCustomerNotFound):
		if c, err = s.newCustomer(ctx, g.customerKey, o.DryRun); err != nil {
			return nil, report, err
		}
		report.CustomerCreated = true
	case err != nil:
		return nil, report, err
	}
	ch := s.plan(c, report.CustomerCreated)
	ch.fields = c.customerFields.merge(&g.customer, o.sync != nil)
	report.CustomerUpdated = !ch.created && ch.renamed()
	merged, err := s.mergeGiven(ctx, ch, g, o)
	if err != nil {
		return nil, report, err
	}
	if err := s.warnOfSharedEmails(ctx, c, g, merged, o); err != nil {
		return nil, report, err
	}
	if err := s.warnOfMissing(ctx, c, g, merged, o); err != nil {
		return nil, report, err
	}
	for i, m := range merged {
		refused := m.refused(o)
		if refused && o.SkipInvalid {
			why := m.found.faults
			if o.Strict {
				why = append(slices.Clip(why), m.found.warnings...)
			}
			listed := min(len(why), leftout.Max-len(report.Skipped))
			report.Skipped = append(report.Skipped, why[:listed]...)
			skipped.Faults += len(why) - listed
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
	default:
		r.Unchanged.add(class)
	}
}

// mergedItem is a resource before a push (nil where there is none) and after it.
type mergedItem struct {
	old, new *node
	found    findings
	missing  []Finding // references to what will not be there
}

// refused is whether it is not to be applied.
func (m *mergedItem) refused(o PushOptions) bool {
	return len(m.found.faults) > 0 || o.Strict && len(m.found.warnings)+len(m.missing) > 0
}

// mergeGiven reads the resources that are given as they are stored, and merges.
func (s *Snapshot) mergeGiven(ctx context.Context, ch *changes, g *given, o PushOptions) ([]mergedItem, error) {
	c := ch.customer
	merged := make([]mergedItem, len(g.items))
	var refs []Ref // of those that have a key to be found by
	var at []int
	for i, it := range g.items {
		merged[i].found.join(it.found)
		if it.kind.valid() && chars.CheckKey(it.key) == "" {
			refs, at = append(refs, it.ref()), append(at, i)
		}
	}
	stored, err := s.heads(ctx, c, refs)
	if err != nil {
		return nil, err
	}
	var newRefs []Ref
	var newAt []int
	for j, n := range stored {
		if merged[at[j]].old = n; n == nil {
			newRefs, newAt = append(newRefs, refs[j]), append(newAt, at[j])
		}
	}
	conflicts, err := s.conflicts(ctx, ch, newRefs, o.sync)
	if err != nil {
		return nil, err
	}
	for j, conflict := range conflicts {
		if conflict != nil {
			it := g.items[newAt[j]]
			merged[newAt[j]].found.add(Finding{
				Path: it.at.String() + "." + it.kind.KeyField(), Rule: RuleKeyConflict, cause: conflict,
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
		if m.old != nil {
			fields = encodeFields(fields[:0], it.node)
			if string(fields) == string(m.old.stored) {
				m.new = m.old // most of a push that is repeated; what it clears it gives again
				warnOfNoSpaces(it.node, m.found.about(it.at))
				continue
			}
			if err := m.old.decodeFields(); err != nil {
				return nil, err
			}
		}
		m.new = merge(m.old, it.node, o.Replace)
		checkWhole(m.new, m.found.about(it.at))
		warnOfNoSpaces(m.new, m.found.about(it.at))
	}
	return merged, nil
}

// warnOfNoSpaces reports an access grant that names no space. A push reports it for each
// grant that is given, whether the push changes it or not.
func warnOfNoSpaces(n *node, report reporter) {
	if n.class() == ClassAccessGrant && len(n.spaces) == 0 {
		report("", RuleNoSpaces, "names no space: it opens nothing")
	}
}

// conflicts returns, for each resource that the customer does not have, the conflict with
// the resource that has its key, or nil if none has it.
func (s *Snapshot) conflicts(ctx context.Context, ch *changes, refs []Ref, sync map[Ref]bool) ([]*ConflictError, error) {
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := make([]*ConflictError, len(refs))
	for i, o := range owners {
		holder, err := s.owned(ctx, o, refs[i].Key)
		if err != nil {
			return nil, err
		}
		if holder != nil && o.customer == ch.customer.id && sync != nil && !sync[holder.ref()] {
			continue // its key is the customer's already, and becomes free in the same step
		}
		if holder != nil {
			out[i] = &ConflictError{
				Key:    refs[i].Key,
				Wanted: Owner{ch.customer.key, refs[i].Kind},
				Holder: Owner{holder.meta.CustomerKey, holder.kind},
			}
			continue
		}
		ch.seen = append(ch.seen, o.row)
	}
	return out, nil
}

// warnOfMissing reports the references of what is given to what will not be there:
// it is neither given nor stored, or it does not stay, or is refused itself.
func (s *Snapshot) warnOfMissing(ctx context.Context, c *customer, g *given, merged []mergedItem, o PushOptions) error {
	// With both of these a reference that is missing refuses what refers, and so what
	// refers to that.
	spreads := o.Strict && o.SkipInvalid
	applied := func(i int) bool { return !o.SkipInvalid || !merged[i].refused(o) }
	given := func() map[Ref]Kind {
		has := make(map[Ref]Kind, len(g.items))
		for i, it := range g.items {
			if it.kind.valid() && applied(i) {
				has[byClass(it.ref())] = it.kind
			}
		}
		return has
	}
	has := given()
	sound := has
	if spreads {
		sound = nil
	}
	stored, foreign, err := s.storedTargets(ctx, c, g, o, sound)
	if err != nil {
		return err
	}
	for {
		for ref, kind := range stored {
			if has[ref] == 0 {
				has[ref] = kind
			}
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
		has = given()
	}
	for i := range merged {
		merged[i].found.warnings = append(merged[i].found.warnings, merged[i].missing...)
	}
	return nil
}

// storedTargets returns what is stored and stays of the resources that are referred to,
// by class, and those that belong to another customer, with their owners. It does not
// look for what is given and sound for certain.
func (s *Snapshot) storedTargets(
	ctx context.Context, c *customer, g *given, o PushOptions, sound map[Ref]Kind,
) (has map[Ref]Kind, foreign map[Ref]Owner, err error) {
	var ask []Ref
	asked := map[Ref]bool{}
	for _, it := range g.items {
		it.references(func(_ refPlace, ref Ref) {
			class := byClass(ref)
			if !ref.Kind.valid() || chars.CheckKey(ref.Key) != "" || sound[class] != 0 || asked[class] {
				return
			}
			asked[class] = true
			ask = append(ask, class)
		})
	}
	owners, err := s.owners(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	has = map[Ref]Kind{}
	var others []Ref
	for i, owner := range owners {
		if owner.kind != 0 && owner.customer != c.id {
			others = append(others, ask[i])
		}
		if owner.kind == 0 || owner.customer != c.id || o.sync != nil && !o.sync[Ref{owner.kind, ask[i].Key}] {
			continue
		}
		has[ask[i]] = owner.kind
	}
	if len(others) == 0 {
		return has, nil, nil
	}
	nodes, customers, err := s.lookUp(ctx, others)
	if err != nil {
		return nil, nil, err
	}
	foreign = map[Ref]Owner{}
	for i, n := range nodes {
		if n != nil {
			foreign[others[i]] = Owner{customers[i].key, n.kind}
		}
	}
	return has, foreign, nil
}

// warnOfMissing reports the references of one resource to what is not there, and to
// resources of other customers.
func (n *node) warnOfMissing(has map[Ref]Kind, foreign map[Ref]Owner, report reporter) {
	n.references(func(at refPlace, ref Ref) {
		if !ref.Kind.valid() || chars.CheckKey(ref.Key) != "" {
			return
		}
		owner, isForeign := foreign[byClass(ref)]
		switch kind := has[byClass(ref)]; {
		case kind == 0 && isForeign:
			report(at.part(ref), RuleOtherCustomer, "%q is %s: the reference never resolves", chars.Clip(ref.Key), owner)
		case kind == 0:
			report(at.part(ref), RuleNotThereYet, "there is no %s %q yet", ref.Kind.Class(), ref.Key)
		case at.relation == inSite && kind != KindSite:
			report(at.part(ref), RuleNotThereYet, "there is no site %q yet, only a %s", ref.Key, kind)
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
