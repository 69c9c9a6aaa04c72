package data

import (
	"fmt"

	"github.com/customerportal-go/customerportal/validation"
)

// mergeResult is the result of merging one item of a push with the stored resource.
type mergeResult struct {
	old, new *node // the resource before and after the push; old is nil if it is not stored
	found    findings
	missing  []validation.Finding // warnings of references to resources that will not exist

	portal        *PortalChanges
	cancelled     *cancellation // of the resource in a portal, or nil
	keptCancelled bool          // the resource stays cancelled, so that the push skips the item
}

// refused reports whether a finding refuses the item.
func (m *mergeResult) refused(o PushOptions) bool {
	return len(m.found.faults) > 0 || o.Strict && !m.keptCancelled && len(m.found.warnings)+len(m.missing) > 0
}

// applied reports whether a successful push applies the item.
func (m *mergeResult) applied(o PushOptions) bool {
	return !m.keptCancelled && !(o.SkipInvalid && m.refused(o))
}

// mergeItems merges the items of a push into the stored resources. The results have the order of the items.
func mergeItems(ch *changes, g *checkedPush, l *lookups, st *pushState, o PushOptions) ([]mergeResult, error) {
	merged := make([]mergeResult, len(g.items))
	for i, it := range g.items {
		merged[i].found.join(it.found)
	}
	for i, n := range st.stored {
		merged[l.items[i]].old = n
	}
	for i, c := range st.cancelled {
		if m := &merged[l.items[i]]; c != nil {
			m.cancelled, m.portal = c, &PortalChanges{Cancelled: true}
			m.keptCancelled = o.KeepPortalChanges && !o.Actor.isPortal()
		}
	}
	for i, conflict := range conflicts(ch, l, st, o) {
		if conflict != nil {
			it := g.items[l.items[i]]
			merged[l.items[i]].found.add(validation.Finding{
				Path: it.at.String() + "." + it.kind.KeyField(), Rule: validation.RuleKeyConflict, Cause: conflict,
				Message: fmt.Sprintf("%q is %s, and cannot be %s", conflict.Key, conflict.Holder, conflict.Wanted),
			})
		}
	}
	var fields []byte
	var m *mergeResult
	var it *pushItem
	report := func(part string, rule validation.Rule, format string, args ...any) {
		m.found.about(it.at)(part, rule, format, args...)
	}
	for i := range g.items {
		if it = g.items[i]; !it.kind.valid() {
			continue
		}
		m = &merged[i]
		if m.keptCancelled {
			m.new = it.node
			continue
		}
		if m.old != nil {
			fields = encodeFields(fields[:0], it.node)
			if string(fields) == string(m.old.stored) && !m.old.toReconcile(o.Actor) {
				m.new = m.old // the usual case in a repeated push: the stored fields are equal
				warnNoSpaces(it.node, report)
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
		checkWhole(m.new, report)
		warnNoSpaces(m.new, report)
	}
	return merged, nil
}

// warnNoSpaces adds a warning for an access grant without a space. A push reports it for each access grant in its data,
// also for one that it does not change.
func warnNoSpaces(n *node, report reporter) {
	if n.class() == ClassAccessGrant && len(n.spaces)+len(n.devices) == 0 {
		report("", validation.RuleNoSpaces, "names no space, so it gives access to nothing; set one of the fields for spaces")
	}
}
