package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// entry is the entry of a source for one key.
type entry struct {
	key     []byte
	value   []byte // nil if only keys are read
	deleted bool
}

// source yields the entries of a range in one direction, each key once. The caller owns the
// returned slices.
type source interface {
	next() (e entry, ok bool, err error)

	// skip makes next continue with the first key at or after to or, in reverse, with the
	// last key before to.
	skip(to string)
}

// span is the range of keys that a source reads, and how it reads them.
type span struct {
	storage.Range
	reverse  bool
	keysOnly bool
}

func (s span) contains(key []byte) bool {
	return bytes.Compare(key, s.Start) >= 0 && (len(s.End) == 0 || bytes.Compare(key, s.End) < 0)
}

// merge combines sources. If several sources have an entry for a key, the first source
// takes precedence, and the deleted ranges of a layer hide the entries of all later
// sources. merge also yields deletions, so that its caller can stop between them. It reads
// each source only as far as necessary.
type merge struct {
	reverse bool
	inputs  []input
}

type input struct {
	source
	layer    *layer // its deleted ranges hide keys of later inputs; nil for rows
	head     entry
	consumed bool // head was returned or skipped, or has not been read yet
	ended    bool
}

// newMerge returns a merge of layers, newest first, and rows.
func newMerge(s span, newestFirst []*layer, rows source) *merge {
	m := &merge{reverse: s.reverse}
	for _, l := range newestFirst {
		m.inputs = append(m.inputs, input{source: newLayerSource(l, s), layer: l, consumed: true})
	}
	m.inputs = append(m.inputs, input{source: rows, consumed: true})
	return m
}

func (m *merge) next() (entry, bool, error) {
	first := -1
	for i := range m.inputs {
		in := &m.inputs[i]
		if in.consumed && !in.ended {
			head, ok, err := in.source.next()
			if err != nil {
				return entry{}, false, err
			}
			in.head, in.consumed, in.ended = head, false, !ok
		}
		if in.ended {
			continue
		}
		if first < 0 || m.before(in.head.key, m.inputs[first].head.key) {
			first = i
		}
	}
	if first < 0 {
		return entry{}, false, nil
	}
	e := m.inputs[first].head
	if m.skipDeletedRange(first, string(e.key)) {
		return entry{key: e.key, deleted: true}, true, nil
	}
	for i := first; i < len(m.inputs); i++ {
		in := &m.inputs[i]
		if !in.ended && bytes.Equal(in.head.key, e.key) {
			in.consumed = true
		}
	}
	return e, true, nil
}

// skipDeletedRange reports whether a deleted range of an input before first contains key.
// In that case it moves all later inputs past that range.
func (m *merge) skipDeletedRange(first int, key string) bool {
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
			if in.ended || in.consumed || !inRange(in.head.key, start, end) {
				continue
			}
			if past == "" {
				in.ended = true
				continue
			}
			in.source.skip(past)
			in.consumed = true
		}
		return true
	}
	return false
}

func inRange(key []byte, start, end string) bool {
	return string(key) >= start && (end == "" || string(key) < end)
}

func (m *merge) before(a, b []byte) bool {
	if m.reverse {
		return bytes.Compare(a, b) > 0
	}
	return bytes.Compare(a, b) < 0
}

// layerSource reads the writes to single keys of a layer. The layer must not be modified.
type layerSource struct {
	span
	it         btree.MapIter[string, write]
	seek       string // start position, if positioned is false
	positioned bool   // next was called since the last seek
}

func newLayerSource(l *layer, s span) *layerSource {
	from := string(s.Start)
	if s.reverse {
		from = string(s.End)
	}
	return &layerSource{span: s, it: l.points.Iter(), seek: from}
}

func (s *layerSource) next() (entry, bool, error) {
	if !s.step() {
		return entry{}, false, nil
	}
	key := []byte(s.it.Key())
	if !s.contains(key) {
		return entry{}, false, nil
	}
	w := s.it.Value()
	e := entry{key: key, deleted: w.deleted()}
	if value, ok := stripChecksum(w.sealed); ok && !s.keysOnly {
		e.value = clone(value)
	}
	return e, true, nil
}

func (s *layerSource) skip(to string) { s.seek, s.positioned = to, false }

func (s *layerSource) step() bool {
	switch {
	case s.positioned && s.reverse:
		return s.it.Prev()
	case s.positioned:
		return s.it.Next()
	}
	s.positioned = true
	switch {
	case !s.reverse:
		return s.it.Seek(s.seek)
	case s.seek != "" && s.it.Seek(s.seek):
		return s.it.Prev() // the end is exclusive
	default:
		return s.it.Last()
	}
}

// rowSource reads the durable rows in a transaction of the engine.
type rowSource struct {
	span
	it         *engine.Iterator
	seek       []byte // start position, if positioned is false; exclusive in reverse
	positioned bool   // next was called since the last seek
}

// newRowSource opens an iterator. It must be closed before txn is discarded.
func newRowSource(txn *engine.Txn, s span) (*rowSource, error) {
	src := &rowSource{span: s}
	low, above := dataRow(s.Start), []byte{dataSpaceEnd}
	// The engine does not open tables without keys that have this prefix.
	prefix := low[:1]
	if len(s.End) > 0 {
		above = dataRow(s.End)
		prefix = low[:commonPrefixLen(low, above)]
	}
	src.seek = low
	if s.reverse {
		src.seek = above
	}
	err := catchPanic("scan", func() error {
		src.it = txn.NewIterator(engine.IteratorOptions{Prefix: prefix, Reverse: s.reverse})
		return nil
	})
	return src, err
}

// commonPrefixLen returns the length of the longest common prefix of a and b.
func commonPrefixLen(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (s *rowSource) next() (e entry, ok bool, err error) {
	err = catchPanic("scan", func() error {
		row, found := s.row()
		if !found {
			return nil
		}
		ok = true
		e.key = clone(row[1:])
		return s.it.Item().Value(func(sealed []byte) error {
			// Verify the checksum even if only the key is wanted, because it also covers
			// the key.
			value, err := unseal(row, sealed)
			if err == nil && !s.keysOnly {
				e.value = clone(value)
			}
			return err
		})
	})
	return e, ok && err == nil, err
}

// row advances by one row and returns its key, which is valid until the next call. It may
// panic, as the engine does.
func (s *rowSource) row() (row []byte, ok bool) {
	s.step()
	if !s.it.Valid() {
		return nil, false
	}
	row = s.it.Item().Key()
	return row, row[0] == dataSpace && s.contains(row[1:])
}

func (s *rowSource) skip(to string) { s.seek, s.positioned = dataRow(to), false }

func (s *rowSource) step() {
	if s.positioned {
		s.it.Next()
		return
	}
	s.positioned = true
	s.it.Seek(s.seek)
	// In reverse, Seek of the engine finds the last row at or before its argument.
	if s.reverse && s.it.Valid() && bytes.Equal(s.it.Item().Key(), s.seek) {
		s.it.Next()
	}
}

func (s *rowSource) close() error {
	return catchPanic("scan", func() error {
		s.it.Close()
		return nil
	})
}
