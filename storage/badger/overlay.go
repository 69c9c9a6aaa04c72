package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// layer is writes that are not durable: writes to single keys, and deleted ranges. A
// write to a key is newer than the range of the same layer that contains the key.
type layer struct {
	points *btree.Map[string, write]

	// ranges has the start and the end of each deleted range. They do not overlap or
	// touch one another. An empty end is past the last key.
	ranges *btree.Map[string, string]

	bytes int // an estimate of the memory that it needs
}

func newLayer() *layer {
	return &layer{points: new(btree.Map[string, write]), ranges: new(btree.Map[string, string])}
}

// copy returns a copy, which shares its nodes until one of the two changes.
func (l *layer) copy() *layer {
	return &layer{points: l.points.Copy(), ranges: l.ranges.Copy(), bytes: l.bytes}
}

// len returns the number of keys and ranges.
func (l *layer) len() int { return l.points.Len() + l.ranges.Len() }

// write is a write to one key.
type write struct {
	sealed []byte // as stored, with its checksum; nil: the key is deleted
}

func (w write) deleted() bool { return w.sealed == nil }

// weight returns the size of this write to key, as in storage.EntryBytes.
func (w write) weight(key string) int {
	value, _ := stripChecksum(w.sealed)
	return len(key) + storage.EntryBytes(nil, value)
}

func rangeWeight(start, end string) int { return len(start) + len(end) + storage.EntryBytes(nil, nil) }

func (l *layer) set(key string, w write) {
	if old, had := l.points.Set(key, w); had {
		l.bytes -= old.weight(key)
	}
	l.bytes += w.weight(key)
}

// deleteRange deletes the keys from start up to and not including end.
func (l *layer) deleteRange(start, end string) {
	if end != "" && start >= end {
		return
	}
	var gone []string
	l.points.Ascend(start, func(key string, w write) bool {
		if end != "" && key >= end {
			return false
		}
		gone = append(gone, key)
		l.bytes -= w.weight(key)
		return true
	})
	for _, key := range gone {
		l.points.Delete(key)
	}
	// One range takes the place of all that overlap or touch it.
	l.ranges.Descend(start, func(s, e string) bool {
		if e == "" || e >= start {
			start, end = s, laterEnd(e, end)
		}
		return false
	})
	gone = gone[:0]
	l.ranges.Ascend(start, func(s, e string) bool {
		if end != "" && s > end {
			return false
		}
		gone = append(gone, s)
		l.bytes -= rangeWeight(s, e)
		end = laterEnd(e, end)
		return true
	})
	for _, s := range gone {
		l.ranges.Delete(s)
	}
	l.ranges.Set(start, end)
	l.bytes += rangeWeight(start, end)
}

// later returns the later of two ends of ranges.
func laterEnd(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	return max(a, b)
}

// covering returns the deleted range that contains key.
func (l *layer) rangeContaining(key string) (start, end string, ok bool) {
	if l.ranges.Len() == 0 {
		return "", "", false
	}
	l.ranges.Descend(key, func(s, e string) bool {
		start, end, ok = s, e, e == "" || key < e
		return false
	})
	return start, end, ok
}

// get returns the write to key. ok is false if the layer has none.
func (l *layer) get(key string) (w write, ok bool) {
	if w, ok = l.points.Get(key); ok {
		return w, true
	}
	_, _, ok = l.rangeContaining(key)
	return write{}, ok
}

// add applies the writes of a newer layer.
func (l *layer) add(newer *layer) {
	newer.ranges.Scan(func(start, end string) bool {
		l.deleteRange(start, end)
		return true
	})
	newer.points.Scan(func(key string, w write) bool {
		l.set(key, w)
		return true
	})
}

// entry is what a source has for one key.
type entry struct {
	key     []byte
	value   []byte // nil with keys only
	deleted bool
}

// source yields the entries of one range in one direction, each key once. Key and
// value belong to the caller.
type source interface {
	next() (e entry, ok bool, err error)

	// skip makes next go on with the first key at or after to, or in reverse with the
	// last key before to.
	skip(to string)
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

// merge lays sources over one another: if several have a key, the first one counts,
// and the deleted ranges of a layer hide what the sources after it have there. It
// yields deletions too, so that its caller can stop between them, and reads no source
// further than it must.
type merge struct {
	reverse bool
	inputs  []input
}

type input struct {
	source
	layer    *layer // hides keys of the inputs after this one; nil for none
	head     entry
	consumed bool // head is used up, or was never read
	ended    bool
}

// newMerge returns a merge of layers, newest first, over rows.
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

// skipHidden reports whether a deleted range of an input before first contains key. If
// so, it moves all inputs after that one past the range.
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

// layerSource reads the writes to single keys of a layer that nobody changes.
type layerSource struct {
	span
	it     btree.MapIter[string, write]
	seek   string // where next begins, if seeking
	moving bool   // next has been called since the last seek
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

func (s *layerSource) skip(to string) { s.seek, s.moving = to, false }

func (s *layerSource) step() bool {
	switch {
	case s.moving && s.reverse:
		return s.it.Prev()
	case s.moving:
		return s.it.Next()
	}
	s.moving = true
	switch {
	case !s.reverse:
		return s.it.Seek(s.seek)
	case s.seek != "" && s.it.Seek(s.seek):
		return s.it.Prev() // the end itself is outside
	default:
		return s.it.Last()
	}
}

// rowSource reads what is durable, in a transaction of the engine.
type rowSource struct {
	span
	it     *engine.Iterator
	seek   []byte // where next begins, if not moving: the end itself is outside
	moving bool   // next has been called since the last seek
}

// newRowSource opens an iterator, which must be closed before txn is discarded.
func newRowSource(txn *engine.Txn, s span) (*rowSource, error) {
	src := &rowSource{span: s}
	low, above := dataRow(s.Start), []byte{dataSpaceEnd}
	// Tables that hold nothing with the common prefix of the bounds are not opened.
	prefix := low[:1]
	if len(s.End) > 0 {
		above = dataRow(s.End)
		prefix = low[:common(low, above)]
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

// common is the length of the longest prefix that a and b share.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (s *rowSource) next() (e entry, ok bool, err error) {
	err = catchPanic("scan", func() error {
		row, there := s.row()
		if !there {
			return nil
		}
		ok = true
		e.key = clone(row[1:])
		return s.it.Item().Value(func(sealed []byte) error {
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

// row moves on by one row and returns its key, which is valid until the next move. It
// may panic, as the engine does.
func (s *rowSource) row() (row []byte, ok bool) {
	s.step()
	if !s.it.Valid() {
		return nil, false
	}
	row = s.it.Item().Key()
	return row, row[0] == dataSpace && s.contains(row[1:])
}

func (s *rowSource) skip(to string) { s.seek, s.moving = dataRow(to), false }

func (s *rowSource) step() {
	if s.moving {
		s.it.Next()
		return
	}
	s.moving = true
	s.it.Seek(s.seek)
	// In reverse the engine finds the last row at or before the one it is given.
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
