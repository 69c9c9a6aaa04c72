package data

import (
	"cmp"
	"context"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

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
			ch.dependencies = append(ch.dependencies, st.owners[place].row)
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
