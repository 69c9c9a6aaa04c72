package data

import (
	"maps"
	"slices"
)

// PortalChanges reports what a push did to the changes that were made to one resource in a
// customer portal. Fields have their names in the API; a key of custom_metadata has the name
// "custom_metadata.KEY".
type PortalChanges struct {
	// Kept are the fields that the push gives or clears and whose value in the portal stays:
	// the host pushed the same value before.
	Kept []string `json:"kept,omitempty"`

	// Overwritten are the fields whose value in the portal the push has replaced.
	Overwritten []string `json:"overwritten,omitempty"`

	// TakenOver reports that the resource was created in a portal, or by another actor that
	// is not the host, and is the host's from now on; see [Meta].
	TakenOver bool `json:"taken_over,omitempty"`

	// Cancelled reports that the resource was cancelled in a portal. The push has created it
	// again, or, with KeepPortalChanges, has left it out: then its Change is [Cancelled].
	Cancelled bool `json:"cancelled,omitempty"`
}

// hostView returns the fields of a resource as the host pushed them last. n must have its
// fields decoded.
func (n *node) hostView() *node {
	switch {
	case n.host != nil:
		return n.host
	case n.meta.Origin.Type == ActorPortal: // the host has pushed none
		return &node{kind: n.kind, key: n.key}
	}
	return n
}

// setHostView records the fields that the host pushed last, if n has others.
func (n *node) setHostView(view *node) {
	if n.host = nil; !n.sameFields(view) {
		n.host = view
	}
}

// changedInPortal records the fields that the host pushed last, where a portal has made n of
// old. A resource that the host has never pushed has none.
func (n *node) changedInPortal(old *node) {
	if n.host = nil; old.meta.Origin.Type != ActorPortal {
		n.setHostView(old.hostView())
	}
}

// sameFields reports whether two resources of one kind have the same values.
func (n *node) sameFields(other *node) bool {
	return string(encodeFields(nil, n)) == string(encodeFields(nil, other))
}

// sameBookkeeping reports whether two resources have the same origin and the same record of
// what the host pushed last.
func (n *node) sameBookkeeping(other *node) bool {
	if n.meta.Origin != other.meta.Origin || (n.host == nil) != (other.host == nil) {
		return false
	}
	return n.host == nil || n.host.sameFields(other.host)
}

// toReconcile reports whether a push of the actor must be reconciled with changes that were
// made to the resource in a portal, or makes it the host's.
func (n *node) toReconcile(actor Actor) bool {
	return !actor.isPortal() && n.host != nil || actor.isHost() && !n.meta.Origin.isHost()
}

// reconcile returns the resource that a push of patch makes of n, of which a portal has
// changed fields, and reports which of these changes stay. It compares three values of each
// field: the one that the host pushed last, the one that it pushes now, and the portal's. The
// portal's value stays if the patch does not name the field or, with KeepPortalChanges, if
// the host's value has not changed. If the values of both together break a rule, all fields
// become the host's.
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
		result, report = combine(PushOptions{Replace: true}) // no value of the portal stays
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

// reconcileFields gives result the values of n that stay, of all fields but custom_metadata.
func (n *node) reconcileFields(result, before, after, patch *node, o PushOptions, report *PortalChanges) {
	for _, u := range unitsOf[n.kind] {
		if u.same(n, before) {
			continue // no portal has changed it
		}
		named := o.Replace || u.named(patch, n, before)
		switch {
		case !named || o.KeepPortalChanges && u.same(after, before):
			u.copy(result, n)
			if named {
				report.Kept = append(report.Kept, u.names(n, after)...)
			}
		case !u.same(n, after):
			report.Overwritten = append(report.Overwritten, u.names(n, after)...)
		}
	}
}

// reconcileMetadata does the same for each key of custom_metadata.
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
		portals, hosts, pushed := n.metadata[key], before.metadata[key], after.metadata[key] // nil if there is none
		if portals == hosts {
			continue
		}
		_, given := patch.metadata[key]
		named := replaced || given
		switch {
		case !named || o.KeepPortalChanges && pushed == hosts:
			if merged[key] = portals; portals == nil {
				delete(merged, key)
			}
			if named {
				report.Kept = append(report.Kept, "custom_metadata."+key)
			}
		case portals != pushed:
			report.Overwritten = append(report.Overwritten, "custom_metadata."+key)
		}
	}
	if result.metadata = merged; len(merged) == 0 {
		result.metadata = nil
	}
}

// unit is fields of a kind that hold one value together: the user of an access grant under
// its aliases, the spaces under theirs, or one other field.
type unit []*field

// unitsOf are the units of each kind, without custom_metadata.
var unitsOf = func() (of [256][]unit) {
	for _, row := range kinds {
		var user, spaces unit
		for _, f := range fieldsOf[row.kind] {
			switch f.value.(type) {
			case metadata:
			case userRef:
				user = append(user, f)
			case spaceRefs:
				spaces = append(spaces, f)
			default:
				of[row.kind] = append(of[row.kind], unit{f})
			}
		}
		for _, u := range []unit{user, spaces} {
			if len(u) > 0 {
				of[row.kind] = append(of[row.kind], u)
			}
		}
	}
	return of
}()

// same reports whether two resources have the same value.
func (u unit) same(a, b *node) bool {
	return !slices.ContainsFunc(u, func(f *field) bool { return !f.same(a, b) })
}

func (f *field) same(a, b *node) bool {
	if f.value.empty(a) || f.value.empty(b) {
		return f.value.empty(a) == f.value.empty(b)
	}
	return string(f.value.append(nil, a)) == string(f.value.append(nil, b))
}

// copy gives dst the value of src.
func (u unit) copy(dst, src *node) {
	for _, f := range u {
		f.value.clear(dst)
	}
	for _, f := range u {
		if !f.value.empty(src) {
			f.value.merge(dst, src)
		}
	}
}

// named reports whether a patch gives the value, or clears that of one of the resources.
func (u unit) named(patch *node, of ...*node) bool {
	for _, f := range u {
		if !f.value.empty(patch) {
			return true
		}
		cleared := slices.ContainsFunc(patch.clear, func(name string) bool {
			return slices.Contains(clearedFields(patch.kind, name), f)
		})
		if _, isUser := f.value.(userRef); isUser { // another alias clears nothing
			cleared = cleared && slices.ContainsFunc(of, func(n *node) bool { return !f.value.empty(n) })
		}
		if cleared {
			return true
		}
	}
	return false
}

// names returns the fields that differ between two resources.
func (u unit) names(a, b *node) (names []string) {
	for _, f := range u {
		if !f.same(a, b) {
			names = append(names, f.name)
		}
	}
	return names
}
