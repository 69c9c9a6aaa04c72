package data

import (
	"slices"
	"strings"
)

// merge is what becomes of old (nil where there is none) when patch is pushed, as
// JSON Merge Patch (RFC 7396) has it: what patch does not name stays, what it
// clears goes, lists are replaced and custom_metadata merges key by key. With
// replace, patch is the whole of it.
func merge(old, patch *node, replace bool) *node {
	var n *node
	switch {
	case old == nil:
		n = &node{kind: patch.kind, key: patch.key}
	case replace:
		n = &node{kind: patch.kind, key: patch.key, meta: old.meta}
	default:
		n = old.clone()
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

// appendUnique appends the references, but for each that stands earlier in the list.
func appendUnique(to, refs []Ref) []Ref {
	if len(refs) <= 8 { // as good as all: a map would cost more than to look
		for i, ref := range refs {
			if !slices.Contains(refs[:i], ref) {
				to = append(to, ref)
			}
		}
		return to
	}
	seen := make(map[Ref]bool, len(refs))
	for _, ref := range refs {
		if !seen[ref] {
			seen[ref] = true
			to = append(to, ref)
		}
	}
	return to
}
