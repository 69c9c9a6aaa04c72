package data

import (
	"maps"
	"slices"
)

// PortalChanges reports the effect of a push on earlier changes of one resource in a customer portal. Fields have their names
// in the API. A key of custom_metadata has the name "custom_metadata.KEY".
type PortalChanges struct {
	// Kept are the fields that the push sets or clears, but that keep the value from the portal because the host has not
	// changed its own value since its last push.
	Kept []string `json:"kept,omitempty"`

	// Overwritten are the fields whose value from the portal was replaced by the push.
	Overwritten []string `json:"overwritten,omitempty"`

	// TakenOver reports that the resource was created by an actor other than the host, such as a portal, and that the push has
	// made the host its origin; see [Meta].
	TakenOver bool `json:"taken_over,omitempty"`

	// Cancelled reports that the resource was cancelled in a portal. The push has created it again or, with
	// KeepPortalChanges, has skipped it; then its Change is [Cancelled].
	Cancelled bool `json:"cancelled,omitempty"`
}

// hostView returns the fields of n as the host last pushed them. The fields of n must be decoded.
func (n *node) hostView() *node {
	switch {
	case n.host != nil:
		return n.host
	case n.meta.Origin.Type == ActorPortal: // the host has never pushed the resource
		return &node{kind: n.kind, key: n.key}
	}
	return n
}

// setHostView stores view as the fields that the host last pushed, unless they equal the fields of n.
func (n *node) setHostView(view *node) {
	if n.host = nil; !n.sameFields(view) {
		n.host = view
	}
}

// changedInPortal stores the fields that the host last pushed. A portal has changed old to n. If a portal created the
// resource and the host has never pushed it, there is nothing to store.
func (n *node) changedInPortal(old *node) {
	if n.host = nil; old.meta.Origin.Type != ActorPortal {
		n.setHostView(old.hostView())
	}
}

// sameFields reports whether two resources of the same kind have the same values.
func (n *node) sameFields(other *node) bool {
	return string(encodeFields(nil, n)) == string(encodeFields(nil, other))
}

// sameBookkeeping reports whether two resources have the same origin and the same stored host view.
func (n *node) sameBookkeeping(other *node) bool {
	if n.meta.Origin != other.meta.Origin || (n.host == nil) != (other.host == nil) {
		return false
	}
	return n.host == nil || n.host.sameFields(other.host)
}

// toReconcile reports whether a push by the actor must call reconcile, because a portal has changed the resource or because
// the push makes the host its origin.
func (n *node) toReconcile(actor Actor) bool {
	return !actor.isPortal() && n.host != nil || actor.isHost() && !n.meta.Origin.isHost()
}

// reconcile merges patch into n, which a portal has changed, and reports which changes of the portal are kept. For each field
// it compares three values: the one that the host last pushed, the one that it pushes now, and the portal's. It keeps the
// portal's value if the patch does not contain the field or, with KeepPortalChanges, if the host's value has not changed. If
// the resulting combination of values breaks a rule, it uses only the host's values.
func (n *node) reconcile(patch *node, o PushOptions) (*node, *PortalChanges) {
	before := n.hostView()
	after := merge(before, patch, o.Replace)
	combine := func(o PushOptions) (*node, *PortalChanges) {
		result, report := after.clone(), &PortalChanges{}
		n.reconcileFields(result, before, after, patch, o, report)
		n.reconcileMetadata(result, before, after, patch, o, report)
		return result, report
	}
	result, report := combine(o)
	var broken findings
	if checkWhole(result, broken.in("")); len(broken.faults) > 0 {
		result, report = combine(PushOptions{Replace: true}) // keeps no value of the portal
	}
	result.meta = n.meta
	if o.Actor.isHost() && !n.meta.Origin.isHost() {
		result.meta.Origin = o.Actor.typed()
		report.TakenOver = true
	}
	result.setHostView(after)
	if len(report.Kept) == 0 && len(report.Overwritten) == 0 && !report.TakenOver {
		report = nil
	}
	return result, report
}

// reconcileFields copies the values of n that are kept to result, for all fields except custom_metadata.
func (n *node) reconcileFields(result, before, after, patch *node, o PushOptions, report *PortalChanges) {
	for _, group := range fieldGroupsOf[n.kind] {
		if group.same(n, before) {
			continue // not changed in a portal
		}
		named := o.Replace || group.named(patch, n, before)
		switch {
		case !named || o.KeepPortalChanges && group.same(after, before):
			group.copy(result, n)
			if named {
				report.Kept = append(report.Kept, group.names(n, after)...)
			}
		case !group.same(n, after):
			report.Overwritten = append(report.Overwritten, group.names(n, after)...)
		}
	}
}

// reconcileMetadata does the same as reconcileFields for each key of custom_metadata.
func (n *node) reconcileMetadata(result, before, after, patch *node, o PushOptions, report *PortalChanges) {
	if len(n.metadata)+len(before.metadata) == 0 {
		return
	}
	replaced := o.Replace || slices.Contains(patch.clear, "custom_metadata")
	keys, merged := CustomMetadata{}, CustomMetadata{}
	maps.Copy(keys, n.metadata)
	maps.Copy(keys, before.metadata)
	maps.Copy(merged, after.metadata)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		inPortal, byHost, pushed := n.metadata[key], before.metadata[key], after.metadata[key] // nil if there is none
		if inPortal == byHost {
			continue
		}
		_, inPatch := patch.metadata[key]
		named := replaced || inPatch
		switch {
		case !named || o.KeepPortalChanges && pushed == byHost:
			if merged[key] = inPortal; inPortal == nil {
				delete(merged, key)
			}
			if named {
				report.Kept = append(report.Kept, "custom_metadata."+key)
			}
		case inPortal != pushed:
			report.Overwritten = append(report.Overwritten, "custom_metadata."+key)
		}
	}
	if result.metadata = merged; len(merged) == 0 {
		result.metadata = nil
	}
}

// fieldGroup is a set of fields that together hold one value: all aliases of the user of an access grant, all aliases of its
// spaces, or a single other field.
type fieldGroup []*field

// fieldGroupsOf has the field groups of each kind, without custom_metadata.
var fieldGroupsOf = func() (of [256][]fieldGroup) {
	for _, row := range kinds {
		var user, spaces fieldGroup
		for _, f := range fieldsOf[row.kind] {
			switch f.value.(type) {
			case metadataField:
			case userField:
				user = append(user, f)
			case spacesField:
				spaces = append(spaces, f)
			default:
				of[row.kind] = append(of[row.kind], fieldGroup{f})
			}
		}
		for _, group := range []fieldGroup{user, spaces} {
			if len(group) > 0 {
				of[row.kind] = append(of[row.kind], group)
			}
		}
	}
	return of
}()

// same reports whether two resources have the same value of the group.
func (group fieldGroup) same(a, b *node) bool {
	return !slices.ContainsFunc(group, func(f *field) bool { return !f.same(a, b) })
}

// same reports whether two resources have the same value of the field.
func (f *field) same(a, b *node) bool {
	if f.value.empty(a) || f.value.empty(b) {
		return f.value.empty(a) == f.value.empty(b)
	}
	return string(f.value.append(nil, a)) == string(f.value.append(nil, b))
}

// copy copies the value of the group from src to dst.
func (group fieldGroup) copy(dst, src *node) {
	for _, f := range group {
		f.value.clear(dst)
	}
	for _, f := range group {
		if !f.value.empty(src) {
			f.value.merge(dst, src)
		}
	}
}

// named reports whether patch sets the value of the group or clears it. A patch that clears an alias of the user clears
// nothing unless one of the resources uses this alias.
func (group fieldGroup) named(patch *node, resources ...*node) bool {
	for _, f := range group {
		if !f.value.empty(patch) {
			return true
		}
		cleared := slices.ContainsFunc(patch.clear, func(name string) bool {
			return slices.Contains(clearedFields(patch.kind, name), f)
		})
		if _, isUser := f.value.(userField); isUser {
			cleared = cleared && slices.ContainsFunc(resources, func(n *node) bool { return !f.value.empty(n) })
		}
		if cleared {
			return true
		}
	}
	return false
}

// names returns the names of the fields of the group that differ between two resources.
func (group fieldGroup) names(a, b *node) (names []string) {
	for _, f := range group {
		if !f.same(a, b) {
			names = append(names, f.name)
		}
	}
	return names
}
