package postgres

import (
	"bytes"
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// queueGet queues a read of keys. found is called for each key that exists, with slices that
// it owns.
func (s *Store) queueGet(b *pgx.Batch, keys [][]byte, found func(key, value []byte)) {
	b.Queue(s.sql.get, keys).Query(func(rows pgx.Rows) error { return eachRow(rows, found) })
}

// eachRow calls fn for each row of a result with a key and a value.
func eachRow(rows pgx.Rows, fn func(key, value []byte)) error {
	for rows.Next() {
		var key, value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		fn(notNil(key), notNil(value))
	}
	return rows.Err()
}

// The numbers of rows in the first and in the largest page of a scan, and the size above
// which the following pages have fewer rows.
const (
	firstPageRows = 128
	maxPageRows   = 4096
	maxPageBytes  = 8 << 20
)

// scanPage describes a page: the first limit rows of a range.
type scanPage struct {
	overlay.Span
	limit int
}

// queueScan queues a read of a page. add is called for each row.
func (s *Store) queueScan(b *pgx.Batch, p scanPage, add func(key, value []byte)) {
	sql, args := s.sql.scan(p)
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error { return eachRow(rows, add) })
}

// entriesPerCheck is the number of entries after which a scan checks its context again.
const entriesPerCheck = 64

// handle is the part of a view or tx that a scan uses.
type handle interface {
	// check returns an error if the transaction has ended or ctx is done.
	check(ctx context.Context) error

	// layers returns the writes that the scan must see, newest first.
	layers() []*overlay.Layer

	// request sends statements in one message and waits for the results.
	request(ctx context.Context, queue func(*pgx.Batch)) error

	backend() *Store
}

// scan is the implementation of Scan for both kinds of handles.
func scan(ctx context.Context, h handle, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	sp := overlay.Span{
		Range:   storage.Range{Start: bytes.Clone(rng.Start), End: bytes.Clone(rng.End)},
		Reverse: o.Reverse, KeysOnly: o.KeysOnly,
	}
	return func(yield func(storage.Entry, error) bool) {
		if err := h.check(ctx); err != nil {
			yield(storage.Entry{}, err)
			return
		}
		layers := h.layers()
		rows := &rowSource{ctx: ctx, handle: h, rest: scanPage{sp, firstPageRows}}
		if o.Limit > 0 && len(layers) == 0 {
			rows.rest.limit = min(o.Limit, maxPageRows)
		}
		merged := overlay.NewMerge(sp, layers, rows)
		for steps, n := 0, 0; o.Limit <= 0 || n < o.Limit; steps++ {
			// Deletions count as well, because there may be many before the next entry. The
			// loop may be suspended in iter.Pull until after the end of the transaction.
			checked := ctx
			if steps%entriesPerCheck != 0 {
				checked = context.Background()
			}
			err := h.check(checked)
			var e overlay.Entry
			ok := true
			if err == nil {
				e, ok, err = merged.Next()
			}
			if err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if !ok {
				return
			}
			if e.Deleted {
				continue
			}
			n++
			if !yield(storage.Entry{Key: e.Key, Value: e.Value}, nil) {
				return
			}
		}
	}
}

// rowSource reads the committed rows of a range in pages.
type rowSource struct {
	ctx    context.Context
	handle handle
	rest   scanPage // the next page
	ended  bool     // there are no rows after those in page
	page   []overlay.Entry
}

// Next implements [overlay.Source].
func (s *rowSource) Next() (e overlay.Entry, ok bool, err error) {
	if len(s.page) == 0 && !s.ended {
		if err := s.read(); err != nil {
			return overlay.Entry{}, false, err
		}
	}
	if len(s.page) == 0 {
		return overlay.Entry{}, false, nil
	}
	e, s.page = s.page[0], s.page[1:]
	return e, true, nil
}

// Skip implements [overlay.Source].
func (s *rowSource) Skip(to string) {
	for len(s.page) > 0 {
		if before := string(s.page[0].Key) < to; before == s.rest.Reverse {
			return
		}
		s.page = s.page[1:]
	}
	if s.rest.Reverse {
		s.rest.End = []byte(to)
	} else {
		s.rest.Start = []byte(to)
	}
}

// read reads the next page.
func (s *rowSource) read() error {
	p := s.rest
	if len(p.End) > 0 && bytes.Compare(p.Start, p.End) >= 0 {
		s.ended = true
		return nil
	}
	var page []overlay.Entry
	size := 0
	err := s.handle.request(s.ctx, func(b *pgx.Batch) {
		page, size = nil, 0
		s.handle.backend().queueScan(b, p, func(key, value []byte) {
			size += len(key) + len(value)
			if p.KeysOnly {
				value = nil
			}
			page = append(page, overlay.Entry{Key: key, Value: value})
		})
	})
	if err != nil {
		return err
	}
	s.page, s.ended = page, len(page) < p.limit
	if len(page) == 0 {
		return nil
	}
	last := page[len(page)-1].Key
	if p.Reverse {
		s.rest.End = bytes.Clone(last)
		s.ended = s.ended || len(last) == 0 // an empty end would mean a range without an end
	} else {
		s.rest.Start = append(bytes.Clone(last), 0)
	}
	s.rest.limit = min(4*p.limit, maxPageRows, max(1, maxPageBytes*len(page)/max(1, size)))
	return nil
}
