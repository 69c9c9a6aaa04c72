package data

import "strings"

// merge is what becomes of old (nil where there is none) when patch is pushed, as
// JSON Merge Patch (RFC 7396) has it: what patch does not name stays, what it
// clears goes, lists are replaced and custom_metadata merges key by key. With
// replace, patch is the whole of it.
func merge(old, patch *node, replace bool) *node {
	n := &node{kind: patch.kind, key: patch.key}
	if old != nil {
		n.meta = old.meta
		if !replace {
			n = old.clone()
		}
	}
	for _, name := range patch.clear {
		for _, f := range clearedFields(n.kind, name) {
			f.value.clear(n)
		}
	}
	for _, f := range fieldsOf[n.kind] {
		if !f.value.empty(patch) {
			f.value.merge(n, patch)
		}
	}
	return n
}

// clearedFields is the fields of a kind that a name in Clear names: one, or those
// within an object.
func clearedFields(kind Kind, name string) []*field {
	if f := fieldByName[name]; f != nil && f.kinds.has(kind) {
		return []*field{f}
	}
	var within []*field
	for _, f := range fieldsOf[kind] {
		if strings.HasPrefix(f.name, name+".") {
			within = append(within, f)
		}
	}
	return within
}

// uniqueRefs leaves out each reference that stands earlier in the list.
func uniqueRefs(refs []Ref) []Ref {
	seen := make(map[Ref]bool, len(refs))
	out := make([]Ref, 0, len(refs))
	for _, ref := range refs {
		if !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	}
	return out
}
