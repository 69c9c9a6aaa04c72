package data

import (
	"cmp"
	"context"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// checkedPush is the data of a push or sync. Each resource has been checked on its own, without reading the store.
type checkedPush struct {
	customer    CustomerData // without its resources
	customerKey string
	items       []*pushItem
	byKey       map[Ref]*pushItem // the items by class and key; if several have the same key, the last one
	found       findings          // about the customer and the data as a whole; if full, about the items too
	skipped     reportlimit.Omitted
	full        bool // there are more faults than a report lists, so that no plan is needed
}

// pushItem is one resource in the data of a push.
type pushItem struct {
	*node
	at    entry
	first *pushItem // the first item with the same class and key, or nil if this item is the first one
	found findings
}

// contextCheckInterval is the number of entries that a check processes before it tests its context again.
const contextCheckInterval = 1024

// checkPush checks the data of a push without reading the store. After the first reportlimit.Max faults it only counts
// further faults or, if skip is set, drops the resources that have them. It returns the error of ctx if ctx is done.
func checkPush(ctx context.Context, d CustomerData, skip bool) (*checkedPush, error) {
	size := min(d.Len(), shortPlan) // larger data may have too many faults, and then needs no space
	g := &checkedPush{customer: d, customerKey: d.CustomerKey, items: make([]*pushItem, 0, size)}
	g.customer.Spaces, g.customer.UserIdentities, g.customer.AccessGrants = nil, nil, nil
	for _, note := range d.notes {
		g.found.add(note)
	}
	g.found.omitted.Add(d.omitted)
	reportKey(d.CustomerKey, g.found.in("customer_key"))
	checkCustomer(&g.customer, &g.found)
	g.byKey = make(map[Ref]*pushItem, size)
	var free []pushItem // allocated together
	var it *pushItem    // that is checked
	report := func(part string, rule validation.Rule, format string, args ...any) {
		it.found.about(it.at)(part, rule, format, args...)
	}
	checkItem := func(n *node, class Class, at entry) {
		if len(free) == 0 {
			free = make([]pushItem, min(d.Len()-len(g.items), nodesTogether))
		}
		it, free = &free[0], free[1:]
		it.node, it.at = n, at
		if !n.kind.valid() || n.class() != class {
			report(".kind", validation.RuleNotAField, "%v is not a kind of %s", n.kind, class)
			return
		}
		checkNode(n, report)
		n.dropBlank()
		if n.key == "" {
			return
		}
		if earlier := g.byKey[byClass(n.ref())]; earlier != nil {
			it.first = cmp.Or(earlier.first, earlier)
			report("."+n.kind.KeyField(), validation.RuleDuplicateKey, "%q is also the key of %s", textrules.Clip(n.key), it.first.at)
		}
		g.byKey[byClass(n.ref())] = it
	}
	checked, faults := 0, 0
	d.nodes(func(n *node, class Class, at entry) bool {
		if checked++; checked%contextCheckInterval == 0 && ctx.Err() != nil {
			return false
		}
		checkItem(n, class, at)
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
			for _, earlier := range g.items {
				g.found.join(earlier.found)
			}
			g.items = nil
			g.found.join(it.found)
		}
		return true
	})
	return g, ctx.Err()
}

// conflicts returns the key conflict of each resource in lookups.refs, or nil if its key is free. If a key is free, the plan
// depends on the directory row that shows this.
func conflicts(ch *changes, l *lookups, st *pushState, o PushOptions) []*ConflictError {
	out := make([]*ConflictError, len(l.refs))
	for i, ref := range l.refs {
		if st.stored[i] != nil {
			continue
		}
		switch holder := st.holder(i); {
		case holder == nil:
			ch.dependencies = append(ch.dependencies, st.owners[i].row)
		case o.sync != nil && st.owners[i].customer == ch.customer.id && !o.sync[holder.ref()] && o.kept[byClass(ref)] == nil:
			// The key belongs to a resource of the same customer that the sync deletes.
		default:
			out[i] = &ConflictError{
				Key:    ref.Key,
				Wanted: Owner{ch.customer.key, ref.Kind},
				Holder: Owner{holder.meta.CustomerKey, holder.kind},
			}
		}
	}
	return out
}
