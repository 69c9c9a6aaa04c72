// Package overlay contains the writes of transactions that are not committed yet, and merges
// them with the rows of a database. Backends use it to let a transaction read its own
// writes, and to combine the writes of several transactions.
package overlay

import (
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// Layer contains writes to single keys, and deleted ranges. A write to a key takes
// precedence over a range of the same layer that contains the key.
type Layer struct {
	points *btree.Map[string, Write]

	// ranges maps the start of each deleted range to its end. The ranges neither overlap
	// nor touch. An empty end means that the range extends to the last key.
	ranges *btree.Map[string, string]

	bytes int // estimated memory use
}

// NewLayer returns an empty layer.
func NewLayer() *Layer {
	return &Layer{points: new(btree.Map[string, Write]), ranges: new(btree.Map[string, string])}
}

// Copy returns a copy. It shares its nodes with l until one of the two is modified.
func (l *Layer) Copy() *Layer {
	return &Layer{points: l.points.Copy(), ranges: l.ranges.Copy(), bytes: l.bytes}
}

// Len returns the number of keys plus the number of ranges.
func (l *Layer) Len() int { return l.points.Len() + l.ranges.Len() }

// Ranges returns the number of deleted ranges.
func (l *Layer) Ranges() int { return l.ranges.Len() }

// Bytes returns the estimated memory use of the writes, by [storage.EntryBytes].
func (l *Layer) Bytes() int { return l.bytes }

// Write is a write to a single key.
type Write struct {
	Value []byte // nil means that the key is deleted
}

// Deleted reports whether the write deletes its key.
func (w Write) Deleted() bool { return w.Value == nil }

func (w Write) weight(key string) int { return len(key) + storage.EntryBytes(nil, w.Value) }

func rangeWeight(start, end string) int { return len(start) + len(end) + storage.EntryBytes(nil, nil) }

// Put sets key to value. The layer keeps value, which must not be nil.
func (l *Layer) Put(key string, value []byte) { l.set(key, Write{Value: value}) }

// Delete deletes key.
func (l *Layer) Delete(key string) { l.set(key, Write{}) }

func (l *Layer) set(key string, w Write) {
	if old, had := l.points.Set(key, w); had {
		l.bytes -= old.weight(key)
	}
	l.bytes += w.weight(key)
}

// DeleteRange deletes the keys from start, inclusive, to end, exclusive. An empty end means
// that the range extends to the last key.
func (l *Layer) DeleteRange(start, end string) {
	if end != "" && start >= end {
		return
	}
	var gone []string
	l.points.Ascend(start, func(key string, w Write) bool {
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
	// Replace all ranges that overlap or touch the new one by a single range.
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

// laterEnd returns the later of two range ends.
func laterEnd(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	return max(a, b)
}

// rangeContaining returns the deleted range that contains key. ok is false if there is
// none.
func (l *Layer) rangeContaining(key string) (start, end string, ok bool) {
	if l.ranges.Len() == 0 {
		return "", "", false
	}
	l.ranges.Descend(key, func(s, e string) bool {
		start, end, ok = s, e, e == "" || key < e
		return false
	})
	return start, end, ok
}

// Get returns the write to key. ok is false if the layer does not contain one.
func (l *Layer) Get(key string) (w Write, ok bool) {
	if w, ok = l.points.Get(key); ok {
		return w, true
	}
	_, _, ok = l.rangeContaining(key)
	return Write{}, ok
}

// HasPoint reports whether the layer contains a write to key itself, and not only a deleted
// range that contains it.
func (l *Layer) HasPoint(key string) bool {
	_, ok := l.points.Get(key)
	return ok
}

// EachRange calls fn for each deleted range, in order, until fn returns false.
func (l *Layer) EachRange(fn func(start, end string) bool) { l.ranges.Scan(fn) }

// EachPoint calls fn for each write to a single key, in order of the keys, until fn returns
// false.
func (l *Layer) EachPoint(fn func(key string, w Write) bool) { l.points.Scan(fn) }

// Add applies the writes of a newer layer to l.
func (l *Layer) Add(newer *Layer) {
	if l.Len() == 0 {
		*l = *newer.Copy()
		return
	}
	newer.ranges.Scan(func(start, end string) bool {
		l.DeleteRange(start, end)
		return true
	})
	newer.points.Scan(func(key string, w Write) bool {
		l.set(key, w)
		return true
	})
}
