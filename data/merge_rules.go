package data

import (
	"slices"
	"strings"
)

// merge returns the resource after a push of patch onto old, which is nil if the resource does not exist. It follows JSON
// Merge Patch (RFC 7396): fields that patch does not have keep their values, fields in patch.clear become empty, lists are
// replaced, and custom_metadata is merged key by key. The spaces of all aliases are one list. If replace, the fields of old
// are ignored.
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

// clearedFields returns the fields of the kind that a name in Clear refers to: one field, or all fields of an object.
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

// uniqueKeys returns the references without repetitions of a key.
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

// repeatedKeys returns the indexes of the references whose key occurs earlier in the list, or nil if there are none.
func repeatedKeys(refs []Ref) (again map[int]bool) {
	mark := func(i int) {
		if again == nil {
			again = map[int]bool{}
		}
		again[i] = true
	}
	if len(refs) <= 8 { // for short lists a map costs more than a search
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
