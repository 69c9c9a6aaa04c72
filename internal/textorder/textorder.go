// Package textorder computes sort keys of names.
//
// The order is that of CLDR for no particular language: letters without regard to case and accents, and punctuation before
// digits before letters. A sequence of the digits 0 to 9 is compared by its value, so 2 comes before 10 and 101 before 1001.
package textorder

import (
	"slices"
	"sync"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// MaxBytes is the maximum length of a sort key. It has room for at least 32 letters, and for 48 letters of most scripts.
const MaxBytes = 96

// sorter computes the weights of texts without digits.
type sorter struct {
	collator *collate.Collator
	buffer   collate.Buffer
	number   []byte // weight of a digit, with which the sort key of each number begins
}

// sorters holds sorters that are not in use, because a collator must not be used concurrently.
var sorters = sync.Pool{New: func() any {
	s := &sorter{collator: collate.New(language.Und, collate.Loose)}
	s.number = slices.Clone(s.weights("0"))
	return s
}}

// weights returns the primary weights of a text. They are valid until the next call.
func (s *sorter) weights(text string) []byte {
	s.buffer.Reset()
	return s.collator.KeyFromString(&s.buffer, text)
}

// SortKey returns the sort key of a name. Two names are in the order of their sort keys, which are compared byte by byte. Names
// that differ only in case, accents, leading zeros of numbers, or after the part that has room in a sort key, have the same
// sort key.
//
// The sort keys are stored. Increment the version of the format in package data if they change, for example after an update of
// the tables of golang.org/x/text.
func SortKey(name string) []byte {
	s := sorters.Get().(*sorter)
	defer sorters.Put(s)
	out := make([]byte, 0, MaxBytes)
	for len(name) > 0 && len(out) < MaxBytes {
		digits := 0
		for digits < len(name) && isDigit(name[digits]) {
			digits++
		}
		if digits > 0 {
			out = appendNumber(append(out, s.number...), name[:digits])
			name = name[digits:]
			continue
		}
		text := 1
		for text < len(name) && !isDigit(name[text]) {
			text++
		}
		out = append(out, s.weights(name[:text])...)
		name = name[text:]
	}
	return slices.Clip(out[:min(len(out), MaxBytes)])
}

// appendNumber appends the number of the digits without leading zeros, and these digits. A number with more digits is greater.
func appendNumber(b []byte, digits string) []byte {
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	return append(append(b, byte(min(len(digits), 255))), digits...)
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
