package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// layer is writes that are not durable, in the order of their keys.
type layer = btree.Map[string, write]

// write is what happens to one key.
type write struct {
	sealed []byte // as stored, with its checksum; nil: the key is deleted
}

func (w write) deleted() bool { return w.sealed == nil }

// weight is storage.EntryBytes of this write to key.
func (w write) weight(key string) int {
	value, _ := trim(w.sealed)
	return len(key) + storage.EntryBytes(nil, value)
}

// entry is what a source has for one key.
type entry struct {
	key     []byte
	value   []byte // nil with keys only
	deleted bool
}

// source yields the entries of one range in one direction, each key once. Key and
// value belong to whoever gets them.
type source interface {
	next() (e entry, ok bool, err error)
}

// span is a half-open range of keys as a source reads it.
type span struct {
	storage.Range
	reverse  bool
	keysOnly bool
}

func (s span) contains(key []byte) bool {
	return bytes.Compare(key, s.Start) >= 0 && (len(s.End) == 0 || bytes.Compare(key, s.End) < 0)
}

// merge lays sources over one another: where several have a key, the first one
// counts. It yields deletions too, so that its caller can stop between them, and
// reads no source further than it must.
type merge struct {
	reverse bool
	inputs  []input
}

type input struct {
	source
	head  entry
	taken bool // head is used up, or was never read
	ended bool
}

func newMerge(reverse bool, newestFirst ...source) *merge {
	m := &merge{reverse: reverse, inputs: make([]input, len(newestFirst))}
	for i, s := range newestFirst {
		m.inputs[i] = input{source: s, taken: true}
	}
	return m
}

func (m *merge) next() (entry, bool, error) {
	first := -1
	for i := range m.inputs {
		in := &m.inputs[i]
		if in.taken && !in.ended {
			head, ok, err := in.source.next()
			if err != nil {
				return entry{}, false, err
			}
			in.head, in.taken, in.ended = head, false, !ok
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
	for i := first; i < len(m.inputs); i++ {
		in := &m.inputs[i]
		if !in.ended && bytes.Equal(in.head.key, e.key) {
			in.taken = true
		}
	}
	return e, true, nil
}

func (m *merge) before(a, b []byte) bool {
	if m.reverse {
		return bytes.Compare(a, b) > 0
	}
	return bytes.Compare(a, b) < 0
}

// layerSource reads a layer that nobody changes.
type layerSource struct {
	span
	it      btree.MapIter[string, write]
	started bool
}

func newLayerSource(l *layer, s span) *layerSource {
	return &layerSource{span: s, it: l.Iter()}
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
	if value, ok := trim(w.sealed); ok && !s.keysOnly {
		e.value = clone(value)
	}
	return e, true, nil
}

func (s *layerSource) step() bool {
	switch {
	case s.started && s.reverse:
		return s.it.Prev()
	case s.started:
		return s.it.Next()
	}
	s.started = true
	switch {
	case !s.reverse:
		return s.it.Seek(string(s.Start))
	case len(s.End) > 0 && s.it.Seek(string(s.End)):
		return s.it.Prev() // End itself is outside
	default:
		return s.it.Last()
	}
}

// rowSource reads what is durable, in a transaction of the engine.
type rowSource struct {
	span
	it         *engine.Iterator
	low, above []byte // rows of the first key of the range, and past its last
	started    bool
}

// newRowSource opens an iterator, which must be closed before txn is discarded.
func newRowSource(txn *engine.Txn, s span) (*rowSource, error) {
	src := &rowSource{span: s, low: dataRow(s.Start), above: []byte{pastData}}
	// Tables that hold nothing with the common prefix of the bounds are not opened.
	prefix := src.low[:1]
	if len(s.End) > 0 {
		src.above = dataRow(s.End)
		prefix = src.low[:common(src.low, src.above)]
	}
	err := guard("scan", func() error {
		src.it = txn.NewIterator(engine.IteratorOptions{Prefix: prefix, Reverse: s.reverse})
		return nil
	})
	return src, err
}

// common is the length of the longest prefix that a and b share.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (s *rowSource) next() (e entry, ok bool, err error) {
	err = guard("scan", func() error {
		s.step()
		if !s.it.Valid() {
			return nil
		}
		item := s.it.Item()
		row := item.Key()
		if row[0] != dataSpace || !s.contains(row[1:]) {
			return nil
		}
		ok = true
		e.key = clone(row[1:])
		return item.Value(func(sealed []byte) error {
			// Checked even where only the key is wanted: the checksum covers that too.
			value, bad := unseal(row, sealed)
			if bad == nil && !s.keysOnly {
				e.value = clone(value)
			}
			return bad
		})
	})
	return e, ok && err == nil, err
}

func (s *rowSource) step() {
	if s.started {
		s.it.Next()
		return
	}
	s.started = true
	if !s.reverse {
		s.it.Seek(s.low)
		return
	}
	// The engine finds the last row at or before the one it is given.
	s.it.Seek(s.above)
	if s.it.Valid() && bytes.Equal(s.it.Item().Key(), s.above) {
		s.it.Next()
	}
}

func (s *rowSource) close() error {
	return guard("scan", func() error {
		s.it.Close()
		return nil
	})
}
