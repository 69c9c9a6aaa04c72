package badger

import (
	"github.com/tidwall/btree"

	"github.com/customerportal-go/customerportal/storage"
)

// layer contains writes that are not durable: writes to single keys, and deleted ranges. A
// write to a key takes precedence over a range of the same layer that contains the key.
type layer struct {
	points *btree.Map[string, write]

	// ranges maps the start of each deleted range to its end. The ranges neither overlap
	// nor touch. An empty end means that the range extends to the last key.
	ranges *btree.Map[string, string]

	bytes int // estimated memory use
}

func newLayer() *layer {
	return &layer{points: new(btree.Map[string, write]), ranges: new(btree.Map[string, string])}
}

// copy returns a copy. It shares its nodes with l until one of the two is modified.
func (l *layer) copy() *layer {
	return &layer{points: l.points.Copy(), ranges: l.ranges.Copy(), bytes: l.bytes}
}

// len returns the number of keys plus the number of ranges.
func (l *layer) len() int { return l.points.Len() + l.ranges.Len() }

// write is a write to a single key.
type write struct {
	sealed []byte // as stored, with its checksum; nil means that the key is deleted
}

func (w write) deleted() bool { return w.sealed == nil }

// weight returns the size of the write w to key, as storage.EntryBytes does.
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

// deleteRange deletes the keys from start, inclusive, to end, exclusive.
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

// get returns the write to key. ok is false if the layer does not contain one.
func (l *layer) get(key string) (w write, ok bool) {
	if w, ok = l.points.Get(key); ok {
		return w, true
	}
	_, _, ok = l.rangeContaining(key)
	return write{}, ok
}

// add applies the writes of a newer layer to l.
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
