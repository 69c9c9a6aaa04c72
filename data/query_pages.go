package data

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
)

// list returns the page of a list that the query selects.
func list[T Resource](ctx context.Context, s *Snapshot, q Query, class Class, convert func(*node) T) (Page[T], error) {
	limit, err := q.validate(class)
	if err != nil {
		return Page[T]{}, err
	}
	l, err := s.listing(ctx, q, class)
	if err != nil {
		return Page[T]{}, err
	}
	return readPage(ctx, l, limit, convert)
}

// readPage returns the page that a listing reads, and closes the listing.
func readPage[T Resource](ctx context.Context, l *listing, limit int, convert func(*node) T) (_ Page[T], err error) {
	defer l.close()
	p := &pager[T]{listing: l, limit: limit, page: Page[T]{Items: []T{}}}
	for ended := false; !ended; {
		if ended, err = p.readBatch(ctx, func(n *node) Resource { return convert(n) }); err != nil {
			return Page[T]{}, err
		}
	}
	return p.finish(), nil
}

// pager builds one page of a list.
type pager[T Resource] struct {
	*listing
	limit int
	page  Page[T]

	end     candidate // of the item that was read last for the page, or the last one that a page read that stopped
	more    bool      // other items follow end, or may follow
	ended   bool      // the list was read to its end
	counted int       // number of further items
	batch   int       // number of candidates to read next
}

// wanted returns the number of items that the pager looks for: those of the page, and one or as many as it has to count.
func (p *pager[T]) wanted() int {
	if p.start.total >= 0 || p.start.backward || !p.start.counted {
		return p.limit + 1
	}
	return max(p.limit, p.q.CountLimit-p.start.offset) + 1
}

// readBatch reads a batch of candidates. It reports whether the page is complete.
func (p *pager[T]) readBatch(ctx context.Context, public func(*node) Resource) (bool, error) {
	if p.batch == 0 {
		p.batch = p.limit + 1
	}
	candidates, more, err := p.next(ctx, min(p.batch, readAhead, maxRead-p.read))
	if err != nil {
		return false, err
	}
	items, read, err := p.filter(ctx, candidates, public)
	if err != nil {
		return false, err
	}
	found := 0
	for i, item := range items {
		if item == nil {
			continue
		}
		if found++; len(p.page.Items) == p.limit {
			p.more = true
			if p.counted++; p.limit+p.counted == p.wanted() {
				return true, nil
			}
			continue
		}
		p.page.Items, p.end = append(p.page.Items, item.(T)), candidates[i]
	}
	if !more && len(items) == len(candidates) {
		p.ended = true
		return true, nil
	}
	if p.read += read; p.read >= maxRead {
		if !p.more {
			p.end, p.more, p.page.Stopped = candidates[len(items)-1], true, true
		}
		return true, nil
	}
	// Read as many candidates as items are missing. If the filters accept half of the candidates or fewer, read twice as
	// many as before.
	if missing := p.wanted() - len(p.page.Items) - p.counted; found > len(items)/2 {
		p.batch = missing
	} else {
		p.batch = max(missing, 2*len(candidates))
	}
	return false, nil
}

// finish returns the page with its cursors and numbers.
func (p *pager[T]) finish() Page[T] {
	page, start := &p.page, p.start
	page.Offset, page.Total = -1, -1
	if start.counted {
		page.Offset = start.offset
		if start.backward {
			page.Offset = max(-1, start.offset-len(page.Items))
		}
		p.total()
	}
	start.total, start.atLeast = page.Total, page.AtLeast
	other := start // the place at the other end of the page
	other.at, other.part, other.before, other.searchTime = p.end.order, p.end.part, start.backward, p.searchTime
	if start.backward {
		slices.Reverse(page.Items)
		other.offset, other.counted = page.Offset, page.Offset >= 0
	} else {
		other.offset = start.offset + len(page.Items)
	}
	start.backward = !start.backward
	to, back := &page.Next, &page.Previous
	if p.start.backward {
		to, back = back, to
	}
	if p.more {
		*to = other.format(p.order)
	}
	if start.at != nil {
		*back = start.format(p.order)
	}
	return *page
}

// total sets the number of items of the list, if it is known.
func (p *pager[T]) total() {
	page, start := &p.page, &p.start
	found := start.offset + len(page.Items) + p.counted
	switch {
	case start.backward:
		page.Total, page.AtLeast = start.total, start.atLeast
	case p.ended:
		page.Total = found
	case start.total >= found:
		page.Total, page.AtLeast = start.total, start.atLeast
	case start.total >= 0 || p.q.CountLimit > 0:
		page.Total, page.AtLeast = found, true
	}
}

// fingerprint returns a number that differs if the query selects other resources, or if the customer has changed. It returns 0
// for a list of all customers.
func (l *listing) fingerprint() uint64 {
	if l.customer == nil {
		return 0
	}
	h, q := fnv.New64a(), &l.q
	fmt.Fprintf(h, "%x %d %d %v %q %t %q %q %q %q %t %d %d %d %d %q %v %t %t %t", l.customer.id, l.customer.seq, l.class, q.Kinds, q.Keys, q.Keys == nil,
		q.ParentSiteKey, q.UserKey, q.SpaceKey, q.SpaceKeys, q.SpaceKeys == nil, q.From.UnixMicro(), q.Until.UnixMicro(), q.StartsFrom.UnixMicro(), q.EndsUntil.UnixMicro(),
		q.Text, q.CustomMetadata, q.ByName, q.ByTime, q.Descending)
	return h.Sum64()
}
