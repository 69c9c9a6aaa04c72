package overlay

import (
	"bytes"

	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// Entry is the entry of a source for one key.
type Entry struct {
	Key     []byte
	Value   []byte // nil if only keys are read
	Deleted bool
}

// Source yields the entries of a range in one direction, each key once. The caller owns the
// returned slices.
type Source interface {
	// Next returns the next entry. ok is false at the end.
	Next() (e Entry, ok bool, err error)

	// Skip makes Next continue with the first key at or after to or, in reverse, with the
	// last key before to.
	Skip(to string)
}

// Span is the range of keys that a source reads, and how it reads them.
type Span struct {
	storage.Range
	Reverse  bool
	KeysOnly bool
}

// Contains reports whether key is in the range.
func (s Span) Contains(key []byte) bool {
	return bytes.Compare(key, s.Start) >= 0 && (len(s.End) == 0 || bytes.Compare(key, s.End) < 0)
}

// Merge combines sources. If several sources have an entry for a key, the first source
// takes precedence, and the deleted ranges of a layer hide the entries of all later
// sources. Merge also yields deletions, so that its caller can stop between them. It reads
// each source only as far as necessary.
type Merge struct {
	reverse bool
	inputs  []input
}

type input struct {
	Source
	layer    *Layer // its deleted ranges hide keys of later inputs; nil for rows
	head     Entry
	consumed bool // head was returned or skipped, or has not been read yet
	ended    bool
}

// NewMerge returns a merge of layers, newest first, and rows.
func NewMerge(s Span, newestFirst []*Layer, rows Source) *Merge {
	m := &Merge{reverse: s.Reverse}
	for _, l := range newestFirst {
		m.inputs = append(m.inputs, input{Source: newLayerSource(l, s), layer: l, consumed: true})
	}
	m.inputs = append(m.inputs, input{Source: rows, consumed: true})
	return m
}

// Next returns the next entry in order, or ok false at the end.
func (m *Merge) Next() (Entry, bool, error) {
	first := -1
	for i := range m.inputs {
		in := &m.inputs[i]
		if in.consumed && !in.ended {
			head, ok, err := in.Source.Next()
			if err != nil {
				return Entry{}, false, err
			}
			in.head, in.consumed, in.ended = head, false, !ok
		}
		if in.ended {
			continue
		}
		if first < 0 || m.before(in.head.Key, m.inputs[first].head.Key) {
			first = i
		}
	}
	if first < 0 {
		return Entry{}, false, nil
	}
	e := m.inputs[first].head
	if m.skipDeletedRange(first, string(e.Key)) {
		return Entry{Key: e.Key, Deleted: true}, true, nil
	}
	for i := first; i < len(m.inputs); i++ {
		in := &m.inputs[i]
		if !in.ended && bytes.Equal(in.head.Key, e.Key) {
			in.consumed = true
		}
	}
	return e, true, nil
}

// skipDeletedRange reports whether a deleted range of an input before first contains key.
// In that case it moves all later inputs past that range.
func (m *Merge) skipDeletedRange(first int, key string) bool {
	for i := range first {
		l := m.inputs[i].layer
		if l == nil {
			continue
		}
		start, end, ok := l.rangeContaining(key)
		if !ok {
			continue
		}
		past := end
		if m.reverse {
			past = start
		}
		for j := i + 1; j < len(m.inputs); j++ {
			in := &m.inputs[j]
			if in.ended || in.consumed || !inRange(in.head.Key, start, end) {
				continue
			}
			if past == "" {
				in.ended = true
				continue
			}
			in.Source.Skip(past)
			in.consumed = true
		}
		return true
	}
	return false
}

func inRange(key []byte, start, end string) bool {
	return string(key) >= start && (end == "" || string(key) < end)
}

func (m *Merge) before(a, b []byte) bool {
	if m.reverse {
		return bytes.Compare(a, b) > 0
	}
	return bytes.Compare(a, b) < 0
}

// layerSource reads the writes to single keys of a layer. The layer must not be modified.
type layerSource struct {
	Span
	it         btree.MapIter[string, Write]
	seek       string // start position, if positioned is false
	positioned bool   // Next was called since the last seek
}

func newLayerSource(l *Layer, s Span) *layerSource {
	from := string(s.Start)
	if s.Reverse {
		from = string(s.End)
	}
	return &layerSource{Span: s, it: l.points.Iter(), seek: from}
}

func (s *layerSource) Next() (Entry, bool, error) {
	if !s.step() {
		return Entry{}, false, nil
	}
	key := []byte(s.it.Key())
	if !s.Contains(key) {
		return Entry{}, false, nil
	}
	w := s.it.Value()
	e := Entry{Key: key, Deleted: w.Deleted()}
	if !e.Deleted && !s.KeysOnly {
		e.Value = append(make([]byte, 0, len(w.Value)), w.Value...)
	}
	return e, true, nil
}

func (s *layerSource) Skip(to string) { s.seek, s.positioned = to, false }

func (s *layerSource) step() bool {
	switch {
	case s.positioned && s.Reverse:
		return s.it.Prev()
	case s.positioned:
		return s.it.Next()
	}
	s.positioned = true
	switch {
	case !s.Reverse:
		return s.it.Seek(s.seek)
	case s.seek != "" && s.it.Seek(s.seek):
		return s.it.Prev() // the end is exclusive
	default:
		return s.it.Last()
	}
}
