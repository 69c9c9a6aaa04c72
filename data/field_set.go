package data

import (
	"bytes"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// fieldSet is a set of fields of one kind: bit n stands for the field with tag n.
type fieldSet uint64

// changedFields returns the fields whose values in old and new differ. old was read from the store and has the same kind as
// new.
func changedFields(old, new *node) (changed fieldSet) {
	before, after := encodedFields(old.stored), encodedFields(encodeFields(make([]byte, 0, 128), new))
	for _, f := range fieldsOf[new.kind] {
		if !bytes.Equal(before[f.tag], after[f.tag]) { // a non-empty field has at least one byte
			changed |= 1 << f.tag
		}
	}
	return changed
}

// encodedFields returns the values that encodeFields encoded, by tag.
func encodedFields(b []byte) (values [64][]byte) {
	d, value := layout.NewDecoder(b), new(layout.Decoder)
	for d.More() {
		tag := d.Uvarint()
		if d.Value(value); tag < uint64(len(values)) {
			values[tag] = value.Remaining()
		}
	}
	return values
}

// names returns the names of the fields of the set in the order of the table of fields of the kind.
func (s fieldSet) names(kind Kind) (names []string) {
	if s == 0 {
		return nil
	}
	if kind == KindCustomer {
		for _, f := range customerFieldTable {
			if s&(1<<f.tag) != 0 {
				names = append(names, f.name)
			}
		}
	}
	for _, f := range fieldsOf[kind] {
		if s&(1<<f.tag) != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// knownFor reports whether all fields of the set are fields of the kind.
func (s fieldSet) knownFor(kind Kind) bool {
	if kind == KindCustomer {
		for _, f := range customerFieldTable {
			s &^= 1 << f.tag
		}
	}
	for _, f := range fieldsOf[kind] {
		s &^= 1 << f.tag
	}
	return s == 0
}
