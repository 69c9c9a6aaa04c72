package data

import (
	"cmp"
	"slices"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// warnMissingReferences adds a warning for each reference of an item to a resource that will not exist after the push:
// because the resource is neither stored nor in the data, or because the push deletes or refuses it.
func warnMissingReferences(c *customer, g *checkedPush, l *lookups, st *pushState, merged []mergeResult, o PushOptions) {
	// If Strict and SkipInvalid are both set, such a warning refuses the item itself. References to that item are then
	// missing too, so the loop repeats until no more items are refused.
	repeats := o.Strict && o.SkipInvalid
	skips := o.SkipInvalid || slices.ContainsFunc(merged, func(m mergeResult) bool { return m.keptCancelled })
	stored, foreign := st.targets(c, l, o)
	kindAfter := func(ref Ref) Kind {
		if it := g.byKey[ref]; it != nil {
			return it.kind
		}
		return stored[ref]
	}
	for {
		if skips {
			applied := make(map[Ref]Kind, len(g.items))
			for i, it := range g.items {
				if it.kind.valid() && merged[i].applied(o) {
					applied[byClass(it.ref())] = it.kind
				}
			}
			kindAfter = func(ref Ref) Kind { return cmp.Or(applied[ref], stored[ref]) }
		}
		again := false
		var missing findings
		var at entry
		report := func(part string, rule validation.Rule, format string, args ...any) {
			missing.about(at)(part, rule, format, args...)
		}
		for i, it := range g.items {
			m := &merged[i]
			refused := m.refused(o)
			missing, at = findings{}, it.at
			it.warnMissingReferences(kindAfter, foreign, report)
			m.missing = missing.warnings
			again = again || repeats && m.refused(o) != refused
		}
		if !again {
			break
		}
	}
	for i := range merged {
		merged[i].found.warnings = append(merged[i].found.warnings, merged[i].missing...)
		if merged[i].keptCancelled {
			merged[i].found.warnings = nil // the push skips the item
		}
	}
}

// targets returns the stored targets of references, by class and key: the kinds of those that belong to the customer and
// that the push keeps, and the owners of those that belong to other customers.
func (st *pushState) targets(c *customer, l *lookups, o PushOptions) (own map[Ref]Kind, foreign map[Ref]Owner) {
	own = map[Ref]Kind{}
	for i, target := range l.targets {
		index := len(l.refs) + i
		owner := st.owners[index]
		switch {
		case owner.kind == 0:
		case owner.customer != c.id:
			if holder := st.holder(index); holder != nil {
				if foreign == nil {
					foreign = map[Ref]Owner{}
				}
				foreign[target] = Owner{holder.meta.CustomerKey, holder.kind}
			}
		case o.sync == nil || o.sync[Ref{owner.kind, target.Key}] || o.kept[target] != nil:
			own[target] = owner.kind
		}
	}
	return own, foreign
}

// warnMissingReferences reports the references of n to resources that will not exist, and to resources of other customers.
// kindAfter returns the kind of the resource with this class and key after the push, or 0 if there is none.
func (n *node) warnMissingReferences(kindAfter func(byClass Ref) Kind, foreign map[Ref]Owner, report reporter) {
	n.references(func(at refLocation, ref Ref) {
		if !ref.Kind.valid() || textrules.CheckKey(ref.Key) != "" {
			return
		}
		owner, isForeign := foreign[byClass(ref)]
		switch kind := kindAfter(byClass(ref)); {
		case kind == 0 && isForeign:
			report(at.part(ref), validation.RuleOtherCustomer, "%q is %s: the reference never resolves", textrules.Clip(ref.Key), owner)
		case kind == 0:
			report(at.part(ref), validation.RuleNotThereYet, "there is no %s %q yet", ref.Kind.Class(), ref.Key)
		case at.relation == inSite && kind != KindSite:
			report(at.part(ref), validation.RuleNotThereYet, "there is no site %q yet, only a %s", ref.Key, kind)
		}
	})
}
