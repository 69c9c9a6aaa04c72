package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// stream reads the candidates of one index on demand.
type stream struct {
	pull    func() (candidate, error, bool)
	stop    func()
	head    candidate
	hasHead bool // head is the next candidate
	ended   bool
}

// newStream returns a stream of the rows of a range. parse converts a row to a candidate.
func newStream(ctx context.Context, r storage.Reader, rows storage.Range, o storage.ScanOptions, parse func(storage.Entry) (candidate, error)) *stream {
	pull, stop := iter.Pull2(func(yield func(candidate, error) bool) {
		for e, err := range r.Scan(ctx, rows, o) {
			var c candidate
			if err == nil {
				c, err = parse(e)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	})
	return &stream{pull: pull, stop: stop}
}

// fill reads the next candidate into head unless head is set. It stops the stream after the last row and after an error.
func (st *stream) fill() error {
	if st.hasHead || st.ended {
		return nil
	}
	head, err, more := st.pull()
	if err != nil || !more {
		st.stop()
	}
	if err != nil {
		return err
	}
	st.head, st.hasHead, st.ended = head, more, !more
	return nil
}

// keyStream returns a stream of the rows whose keys consist of prefix and the key of a resource.
func (s *Snapshot) keyStream(ctx context.Context, prefix []byte, kind Kind, p *part) *stream {
	return newStream(ctx, s.r, p.rows(prefix), storage.ScanOptions{KeysOnly: true, Reverse: p.readsDown()}, func(e storage.Entry) (candidate, error) {
		key := e.Key[len(prefix):]
		return candidate{order: key, ref: Ref{kind, string(key)}}, nil
	})
}

// nameStream returns a stream of the rows of the index of names that begin with prefix.
func (s *Snapshot) nameStream(ctx context.Context, prefix []byte, kind Kind, p *part) *stream {
	return newStream(ctx, s.r, p.rows(prefix), storage.ScanOptions{KeysOnly: true, Reverse: p.readsDown()}, func(e storage.Entry) (candidate, error) {
		k, err := layout.ParseAs(layout.ShapeName, e.Key)
		return candidate{order: e.Key[len(prefix):], ref: Ref{kind, k.Key}}, err
	})
}

// directoryStream returns a stream of the resources of a class, of all customers.
func (s *Snapshot) directoryStream(ctx context.Context, class Class, p *part) *stream {
	prefix := layout.Directory(s.w.id, byte(class), "")
	return newStream(ctx, s.r, p.rows(prefix), storage.ScanOptions{Reverse: p.readsDown()}, func(e storage.Entry) (candidate, error) {
		key := e.Key[len(prefix):]
		o, err := decodeOwner(e.Value)
		return candidate{order: key, ref: Ref{o.kind, string(key)}, owner: o}, err
	})
}

// lookupStream returns a stream of the resources of a class that have these keys, in the order of keys. It reads the
// directory.
func (s *Snapshot) lookupStream(ctx context.Context, class Class, keys []string, p *part) (*stream, error) {
	var refs []Ref
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		if p.q.ByName || p.includes([]byte(key)) {
			refs = append(refs, Ref{Kinds(class)[0], key})
		}
	}
	owners, err := s.owners(ctx, refs)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for i, o := range owners {
		if o.kind != 0 {
			found = append(found, candidate{order: []byte(refs[i].Key), ref: Ref{o.kind, refs[i].Key}, owner: o})
		}
	}
	return sliceStream(found, p), nil
}

// sliceStream returns a stream of candidates in ascending order.
func sliceStream(ascending []candidate, p *part) *stream {
	if p.readsDown() {
		slices.Reverse(ascending)
	}
	next := 0
	return &stream{stop: func() {}, pull: func() (candidate, error, bool) {
		if next == len(ascending) {
			return candidate{}, nil, false
		}
		next++
		return ascending[next-1], nil, true
	}}
}

// The order of time has access grants without a start time first, in the order (0, end, kind, key), and then those with a
// start time, in the order (1, start, kind, key). In the index of times, rows are in the order (span, kind, key). In the
// edges of one kind they are in the order (span, key).

// openTimes opens a stream for each class of spans that occurs in the rows that begin with prefix. If the rows are edges,
// they are of this kind; in the index of times kind is 0. If classes is not nil, it contains all classes that occur.
func (l *listing) openTimes(ctx context.Context, p *part, prefix []byte, kind Kind, classes []byte) error {
	all := l.spanClasses(ctx, prefix)
	if classes != nil {
		all = func(yield func(byte, error) bool) {
			for _, class := range classes {
				if !yield(class, nil) {
					return
				}
			}
		}
	}
	for class, err := range all {
		if err != nil {
			return err
		}
		if rows, some := p.spanRange(prefix, class, kind); some {
			if err := l.add(l.timeStream(ctx, rows, p.readsDown()), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// spanClasses yields the classes of spans that occur in the rows that begin with prefix.
func (l *listing) spanClasses(ctx context.Context, prefix []byte) iter.Seq2[byte, error] {
	return func(yield func(byte, error) bool) {
		for next := 0; next <= layout.SpanOpenStart; {
			r := storage.Prefix(prefix)
			r.Start = append(append([]byte(nil), prefix...), byte(next))
			class := -1
			for e, err := range l.s.r.Scan(ctx, r, storage.ScanOptions{KeysOnly: true, Limit: 1}) {
				if err != nil {
					yield(0, err)
					return
				}
				class = int(e.Key[len(prefix)])
			}
			if class < 0 || !yield(byte(class), nil) {
				return
			}
			next = class + 1
		}
	}
}

// A list that merges the edges to manyEdges spaces or more looks up once which classes of spans the access grants of the customer
// have, instead of once for each space. It does not if there are more than fewClasses, because each space then lacks most of them.
const manyEdges, fewClasses = 4, 6

// fewSpanClasses returns the classes of spans of all access grants of the customer, or nil if the rows that begin with each of this many
// prefixes have to be looked up.
func (l *listing) fewSpanClasses(ctx context.Context, prefixes int) ([]byte, error) {
	if prefixes < manyEdges || l.order == orderByKey {
		return nil, nil
	}
	classes := []byte{}
	for class, err := range l.spanClasses(ctx, layout.TimesPrefix(l.customer.id)) {
		if err != nil {
			return nil, err
		}
		if classes = append(classes, class); len(classes) > fewClasses {
			return nil, nil
		}
	}
	return classes, nil
}

// spanRange returns the rows of a class of spans that a part needs, and false if it needs none of them.
func (p *part) spanRange(prefix []byte, class byte, kind Kind) (storage.Range, bool) {
	q := &p.q
	under := append(append([]byte(nil), prefix...), class)
	timeKey := func(t time.Time) []byte { return layout.AppendTime(append([]byte(nil), under...), t) }
	rows := storage.Prefix(under)
	startAt := func(start []byte) {
		if bytes.Compare(start, rows.Start) > 0 {
			rows.Start = start
		}
	}
	endAt := func(end []byte) {
		if rows.End == nil || bytes.Compare(end, rows.End) < 0 {
			rows.End = end
		}
	}
	if !q.From.IsZero() {
		if first, bounded := layout.SpanFrom(class, q.From); bounded {
			startAt(timeKey(first))
		}
	}
	if !q.Until.IsZero() && class != layout.SpanOpenStart {
		endAt(timeKey(q.Until))
	}
	if !q.EndsUntil.IsZero() {
		if class == layout.SpanOpenEnd {
			return rows, false
		}
		endAt(timeKey(q.EndsUntil)) // an access grant that ended before also started before
	}
	if !q.StartsFrom.IsZero() {
		if class == layout.SpanOpenStart {
			return rows, false
		}
		startAt(timeKey(q.StartsFrom))
	}
	if p.at == nil {
		return rows, true
	}
	hasStart, placeHasStart := class != layout.SpanOpenStart, p.at[0] == 1
	if hasStart != placeHasStart {
		return rows, hasStart != p.readsDown() // the part needs all rows of the class, or none
	}
	placeTime, placeKind, key := p.at[1:9], Kind(p.at[9]), p.at[10:]
	place, isRow := append([]byte(nil), under...), false // key of the first row that is not below p.at
	switch {
	case kind == 0:
		place, isRow = append(place, p.at[1:]...), true
	case kind == placeKind:
		place, isRow = append(append(place, placeTime...), key...), true
	case kind > placeKind:
		place = append(place, placeTime...)
	default:
		place = binary.BigEndian.AppendUint64(place, binary.BigEndian.Uint64(placeTime)+1)
	}
	if isRow && p.isRowBelow() {
		place = append(place, 0)
	}
	return p.limit(rows, place), true
}

// timeStream returns a stream of access grants in the order of time, ascending or descending. The rows are a range of the
// index of times or of the edges to one resource.
func (l *listing) timeStream(ctx context.Context, rows storage.Range, reverse bool) *stream {
	return newStream(ctx, l.s.r, rows, storage.ScanOptions{KeysOnly: !l.outlines, Reverse: reverse}, func(e storage.Entry) (candidate, error) {
		k := layout.Parse(e.Key)
		ref := Ref{Kind(k.Kind), k.Key}
		if k.Shape == layout.ShapeEdge {
			ref = Ref{Kind(k.ReferrerKind), k.ReferrerKey}
		}
		if len(k.Span) != layout.SpanBytes {
			return candidate{}, fmt.Errorf("%w: a row of the index of times", storage.ErrCorrupt)
		}
		order := make([]byte, 1, 1+layout.SpanBytes+len(ref.Key))
		if k.Span[0] != layout.SpanOpenStart {
			order[0] = 1
		}
		order = append(append(append(order, k.Span[1:]...), byte(ref.Kind)), ref.Key...)
		c := candidate{order: order, ref: ref}
		if !l.outlines || k.Shape != layout.ShapeEdge || len(e.Value) == 0 {
			return c, nil
		}
		var err error
		c.outline, err = decodeOutline(ref, k.Span, k.Key, e.Value)
		return c, err
	})
}
