package data

import (
	"cmp"
	"slices"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

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
