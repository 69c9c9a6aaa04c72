package data

import (
	"slices"
	"strings"
)

// merge is what becomes of old (nil where there is none) when patch is pushed, as
// JSON Merge Patch (RFC 7396) has it: what patch does not name stays, what it
// clears goes, lists are replaced and custom_metadata merges key by key. The spaces are
// one list, whatever the aliases that patch gives them under. With replace, patch is the
// whole of it.
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

// uniqueKeys returns the references without those whose key stands earlier in the list.
func uniqueKeys(refs []Ref) []Ref {
	again := repeatedKeys(refs)
	if again == nil {
		return refs
	}
	out := make([]Ref, 0, len(refs))
	for i, ref := range refs {
		if !again[i] {
			out = append(out, ref)
		}
	}
	return out
}

// repeatedKeys returns the places of the references whose key stands earlier in the list,
// or nil if each key is there once.
func repeatedKeys(refs []Ref) (again map[int]bool) {
	mark := func(i int) {
		if again == nil {
			again = map[int]bool{}
		}
		again[i] = true
	}
	if len(refs) <= 8 { // nearly all lists: a map would cost more than to look
		for i, ref := range refs {
			if slices.ContainsFunc(refs[:i], func(r Ref) bool { return r.Key == ref.Key }) {
				mark(i)
			}
		}
		return again
	}
	seen := make(map[string]bool, len(refs))
	for i, ref := range refs {
		if seen[ref.Key] {
			mark(i)
		}
		seen[ref.Key] = true
	}
	return again
}
