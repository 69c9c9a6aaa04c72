package data

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/storage"
)

// listing reads the candidates of a list from one or more indexes, in the order of the list, and filters them.
type listing struct {
	s        *Snapshot
	q        Query
	class    Class
	text     textsearch.Query
	customer *customer // nil if the list contains the resources of all customers
	read     int       // number of resources read for this page
	outlines bool      // the list contains outlines of access grants; see outline.go

	scope    spaceScope
	related  map[customerRef]*relatedNode // resources to which candidates refer
	ownTexts textsearch.Texts             // texts of one resource; reused
	texts    []*textsearch.Texts          // arguments of one match; reused

	order      string
	parts      []part
	searchTime time.Time // for a search: the time at which access grants have ended or not

	start   position // where the page begins or, if it is read backward, ends
	part    int      // index of the part that is being read
	opened  bool
	streams streams
	last    []byte // order of the last candidate that next returned
}

// part is a part of a list with its own query. Most lists have one part.
type part struct {
	q        Query
	reverse  bool   // the part is in descending order
	backward bool   // the part is read from its end
	at       []byte // the part is read from this place; nil is its start or its end
	before   bool   // the place is before the row at this position; otherwise after it
}

// readsDown reports whether the rows of a part are read in descending order.
func (p *part) readsDown() bool { return p.reverse != p.backward }

// isRowBelow reports whether the row at the place where a part is read from is below the place in ascending order.
func (p *part) isRowBelow() bool { return p.reverse == p.before }

// limit returns the rows of a range that are read from a key on.
func (p *part) limit(r storage.Range, key []byte) storage.Range {
	if !p.readsDown() {
		if bytes.Compare(key, r.Start) > 0 {
			r.Start = key
		}
	} else if r.End == nil || bytes.Compare(key, r.End) < 0 {
		r.End = key
	}
	return r
}

// rows returns the rows that begin with prefix, followed by a position in the order of the list, and that the part needs.
func (p *part) rows(prefix []byte) storage.Range {
	r := storage.Prefix(prefix)
	if p.at == nil {
		return r
	}
	key := append(slices.Clip(prefix), p.at...)
	if p.isRowBelow() {
		key = append(key, 0)
	}
	return p.limit(r, key)
}

// includes reports whether the part needs the row at a position.
func (p *part) includes(order []byte) bool {
	if p.at == nil {
		return true
	}
	c := bytes.Compare(order, p.at)
	return (c < 0 || c == 0 && p.isRowBelow()) == p.readsDown()
}

// candidate is a resource in an index, and its position in the order of the list.
type candidate struct {
	part  int
	order []byte
	ref   Ref
	owner owner // the customer is always set

	outline *node // the outline of the resource if the index has it and the list needs nothing else
}

// listing returns a listing for a query.
func (s *Snapshot) listing(ctx context.Context, q Query, class Class) (*listing, error) {
	text, err := parseSearchText(q.Text)
	if err != nil {
		return nil, err
	}
	q.wholeMicroseconds()
	l := &listing{
		s: s, q: q, class: class, text: text,
		related: map[customerRef]*relatedNode{},
		order:   orderByKey, parts: []part{{q: q}},
	}
	switch {
	case q.ByName:
		l.order = orderByName
	case class == ClassAccessGrant && q.CustomerKey != "" && q.Keys == nil:
		switch {
		case !text.Empty():
			l.order = orderBySearch
		case q.ByTime || q.SpaceKey != "" || q.SpaceKeys != nil || q.UserKey != "" || q.hasTimeWindow():
			l.order = orderByTime
		}
	}
	if err := l.startAt(q.Cursor); err != nil {
		return nil, err
	}
	if q.CustomerKey != "" {
		if l.customer, err = s.customer(ctx, q.CustomerKey); err != nil {
			return nil, err
		}
	}
	if of := l.fingerprint(); l.start.at == nil || of != l.start.fingerprint {
		l.start.counted, l.start.fingerprint = l.start.at == nil && l.customer != nil, of
	}
	switch {
	case q.SpaceKeys != nil:
		l.scope.keys = lo.Uniq(q.SpaceKeys)
	case q.SpaceKey != "":
		if l.scope, err = s.spaceScope(ctx, l.customer, q.SpaceKey); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// startAt splits the list into parts and sets the position at which the page begins. It returns [ErrInvalidCursor] if the
// cursor is not one of this list.
func (l *listing) startAt(cursor string) error {
	var err error
	if l.start, err = parsePosition(l.order, cursor); err != nil {
		return err
	}
	if l.order == orderBySearch {
		if l.searchTime = l.start.searchTime; l.start.at == nil {
			if l.searchTime = l.q.Now; l.searchTime.IsZero() {
				l.searchTime = l.s.time()
			}
		}
		l.searchTime = l.searchTime.Truncate(time.Microsecond)
		l.parts = splitSearch(l.q, l.searchTime)
	}
	if l.q.Descending {
		slices.Reverse(l.parts)
	}
	for i := range l.parts {
		p := &l.parts[i]
		p.reverse, p.backward = p.reverse != l.q.Descending, l.start.backward
	}
	l.part = l.start.part
	l.parts[l.part].at, l.parts[l.part].before = l.start.at, l.start.before
	return nil
}

// nextPart begins to read the next part. It reports false at the end of the list.
func (l *listing) nextPart() bool {
	step := 1
	if l.start.backward {
		step = -1
	}
	if next := l.part + step; next < 0 || next >= len(l.parts) {
		return false
	}
	l.part, l.opened = l.part+step, false
	return true
}

// splitSearch returns the two parts of a search: the access grants that have not ended at this time, and then those that have
// ended, in descending order.
func splitSearch(q Query, now time.Time) []part {
	current, ended := q, q
	if current.From.Before(now) {
		current.From = now
	}
	if end := now.Add(time.Microsecond); ended.EndsUntil.IsZero() || ended.EndsUntil.After(end) {
		ended.EndsUntil = end
	}
	return []part{{q: current}, {q: ended, reverse: true}}
}

// isEmpty reports whether the window of a part is empty, so that there is nothing to read.
func (p *part) isEmpty() bool {
	// The part selects the access grants that end after From and before EndsUntil, in whole microseconds.
	return !p.q.From.IsZero() && !p.q.EndsUntil.IsZero() && !p.q.EndsUntil.After(p.q.From.Add(time.Microsecond))
}

// open opens the streams of a part. Its query determines which index they read.
func (l *listing) open(ctx context.Context, p *part) error {
	q := &p.q
	if q.Keys != nil {
		st, err := l.s.lookupStream(ctx, l.class, q.Keys, p)
		if err == nil && l.order == orderByName {
			st, err = l.sortByName(ctx, st, p)
		}
		return l.add(st, err)
	}
	if l.customer == nil {
		return l.add(l.s.directoryStream(ctx, l.class, p), nil)
	}
	kinds := lo.Uniq(q.Kinds)
	if len(kinds) == 0 {
		kinds = Kinds(l.class)
	}
	kinds = slices.DeleteFunc(kinds, func(k Kind) bool { return l.customer.counts[kindIndex[k]-1] == 0 })
	var edges [][]byte // prefixes of the edges to read; nil if the part reads another index
	switch {
	case l.scope.keys != nil && !l.scope.large:
		edges = [][]byte{}
		for _, key := range l.scope.keys {
			edges = append(edges, layout.EdgesPrefix(l.customer.id, byte(ClassSpace), key))
		}
	case q.UserKey != "":
		edges = [][]byte{layout.EdgesPrefix(l.customer.id, byte(ClassUserIdentity), q.UserKey)}
	case q.ParentSiteKey != "":
		edges = [][]byte{layout.EdgesPrefix(l.customer.id, byte(ClassSpace), q.ParentSiteKey)}
	}
	if l.order == orderByName {
		return l.openNames(ctx, p, kinds, edges)
	}
	if edges == nil && l.order != orderByKey {
		return l.openTimes(ctx, p, layout.TimesPrefix(l.customer.id), 0, nil)
	}
	classes, err := l.fewSpanClasses(ctx, len(edges)*len(kinds))
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if edges == nil {
			if err := l.add(l.s.keyStream(ctx, layout.ResourcesPrefix(l.customer.id, byte(kind)), kind, p), nil); err != nil {
				return err
			}
		}
		for _, prefix := range edges {
			prefix = append(slices.Clip(prefix), byte(kind))
			if l.order != orderByKey {
				if err := l.openTimes(ctx, p, prefix, kind, classes); err != nil {
					return err
				}
			} else if err := l.add(l.s.keyStream(ctx, prefix, kind, p), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// add reads the first candidate of a stream and adds the stream to the listing unless it is empty.
func (l *listing) add(st *stream, err error) error {
	if err == nil {
		err = st.fill()
	}
	if err != nil || st.ended {
		return err
	}
	l.streams.items = append(l.streams.items, st)
	return nil
}

// next returns up to n candidates in the order of the list, and reports whether there may be more.
func (l *listing) next(ctx context.Context, n int) (out []candidate, more bool, err error) {
	for {
		if !l.opened {
			l.streams, l.last, l.opened = streams{reverse: l.parts[l.part].readsDown()}, nil, true
			if p := &l.parts[l.part]; !p.isEmpty() {
				if err := l.open(ctx, p); err != nil {
					return nil, false, err
				}
			}
			heap.Init(&l.streams)
		}
		for len(l.streams.items) > 0 && len(out) < n {
			st := l.streams.items[0]
			// An access grant to several spaces of a site is in several streams.
			if !bytes.Equal(st.head.order, l.last) {
				l.last = st.head.order
				st.head.part = l.part
				if l.customer != nil {
					st.head.owner.customer = l.customer.id
				}
				out = append(out, st.head)
			}
			st.hasHead = false
			if err := st.fill(); err != nil {
				return nil, false, err
			}
			if st.ended {
				heap.Pop(&l.streams)
			} else {
				heap.Fix(&l.streams, 0)
			}
		}
		switch {
		case len(l.streams.items) > 0:
			return out, true, nil
		case !l.nextPart():
			return out, false, nil
		}
		if len(out) == n {
			return out, true, nil
		}
	}
}

func (l *listing) close() {
	for _, st := range l.streams.items {
		st.stop()
	}
}

// streams is a heap of streams, in the order of their heads.
type streams struct {
	items   []*stream
	reverse bool
}

func (s *streams) Len() int { return len(s.items) }
func (s *streams) Less(i, j int) bool {
	order := bytes.Compare(s.items[i].head.order, s.items[j].head.order)
	return order < 0 && !s.reverse || order > 0 && s.reverse
}
func (s *streams) Swap(i, j int) { s.items[i], s.items[j] = s.items[j], s.items[i] }
func (s *streams) Push(st any)   { s.items = append(s.items, st.(*stream)) }
func (s *streams) Pop() any {
	last := len(s.items) - 1
	st := s.items[last]
	s.items = s.items[:last]
	return st
}

// load reads the resources of candidates in one call. A node is nil if the resource does not exist.
func (l *listing) load(ctx context.Context, candidates []candidate) ([]*node, error) {
	if l.outlines {
		return l.loadOutlines(ctx, candidates)
	}
	if l.customer != nil {
		refs := make([]Ref, len(candidates))
		for i, c := range candidates {
			refs[i] = c.ref
		}
		return l.s.nodes(ctx, l.customer, refs)
	}
	owners, keys := make([]owner, len(candidates)), make([]string, len(candidates))
	for i, c := range candidates {
		owners[i], keys[i] = c.owner, c.ref.Key
	}
	nodes, _, _, err := l.s.allOwned(ctx, owners, keys)
	if err != nil {
		return nil, err
	}
	return nodes, decodeAllFields(nodes)
}

// maxMergedSpaces is the maximum number of spaces of a site whose edges a list merges.
const maxMergedSpaces = 50
