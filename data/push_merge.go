package data

import (
	"fmt"

	"github.com/customerportal-go/customerportal/validation"
)

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
