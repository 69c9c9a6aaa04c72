package backends

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// Counted wraps a store and counts its transactions and reads, and the round trips that they would take on a database
// server. Call Reset between the operations that are compared. Do not read a count while a transaction runs.
//
// Trips is the count for a backend with these properties:
//
//   - The first read of a transaction also begins it and fetches the keys that an Update
//     declared. A Get is therefore free if all its keys were declared.
//   - Every other Get is one trip, regardless of the number of its keys. A Get without keys is free.
//   - A Scan is one trip for each page of rows. The first page has 128 rows, or Limit rows, and
//     each following page has four times as many as the previous page. A page has at most 4,096.
//   - The writes of an Update and its commit are one trip.
//   - A View, or an Update that writes nothing, ends with a rollback. That is one trip if
//     anything was read. A backend does not have to wait for this trip.
type Counted struct {
	storage.Store
	Views   atomic.Int64
	Updates atomic.Int64
	Gets    atomic.Int64 // calls of Get
	Keys    atomic.Int64 // keys in these calls
	Scans   atomic.Int64 // iterations over a Scan
	Rows    atomic.Int64 // entries yielded by scans
	Trips   atomic.Int64
}

// Reset sets all counts to zero.
func (c *Counted) Reset() {
	for _, n := range []*atomic.Int64{&c.Views, &c.Updates, &c.Gets, &c.Keys, &c.Scans, &c.Rows, &c.Trips} {
		n.Store(0)
	}
}

// View implements [storage.Store].
func (c *Counted) View(ctx context.Context, fn func(storage.Reader) error) error {
	c.Views.Add(1)
	return c.Store.View(ctx, func(r storage.Reader) error {
		counted := &countedReader{Reader: r, to: c}
		defer counted.end(false)
		return fn(counted)
	})
}

// Update implements [storage.Store].
func (c *Counted) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	c.Updates.Add(1)
	return c.Store.Update(ctx, func(tx storage.Tx) error {
		counted := &countedTx{countedReader: countedReader{Reader: tx, to: c, declared: map[string]bool{}}, tx: tx}
		if len(reads) > 0 {
			counted.trip()
		}
		for _, key := range reads {
			counted.declared[string(key)] = true
		}
		defer func() { counted.end(counted.wrote) }()
		return fn(counted)
	}, reads...)
}

type countedReader struct {
	storage.Reader
	to       *Counted
	declared map[string]bool
	begun    bool
}

// trip counts one round trip.
func (r *countedReader) trip() {
	r.begun = true
	r.to.Trips.Add(1)
}

// end counts the trip that ends a transaction, if there is one.
func (r *countedReader) end(wrote bool) {
	if r.begun || wrote {
		r.trip()
	}
}

func (r *countedReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	r.to.Gets.Add(1)
	r.to.Keys.Add(int64(len(keys)))
	for _, key := range keys {
		if !r.declared[string(key)] {
			r.trip()
			break
		}
	}
	return r.Reader.Get(ctx, keys...)
}

// The number of rows in the first and in the largest page of a scan.
const (
	firstPage   = 128
	largestPage = 4096
)

func (r *countedReader) Scan(ctx context.Context, rows storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		r.to.Scans.Add(1)
		page := firstPage
		if o.Limit > 0 {
			page = min(o.Limit, largestPage)
		}
		r.trip()
		read, left := 0, page // left is the number of rows of the page that were not read yet
		nextPage := func() {
			r.trip()
			page = min(4*page, largestPage)
			left = page
		}
		for e, err := range r.Reader.Scan(ctx, rows, o) {
			if left == 0 {
				nextPage()
			}
			read, left = read+1, left-1
			r.to.Rows.Add(1)
			if !yield(e, err) {
				return
			}
		}
		if left == 0 && (o.Limit <= 0 || read < o.Limit) {
			nextPage() // an empty page
		}
	}
}

// countedTx is a transaction whose reads are counted.
type countedTx struct {
	countedReader
	tx    storage.Tx
	wrote bool
}

func (t *countedTx) Put(key, value []byte) error {
	t.wrote = true
	return t.tx.Put(key, value)
}

func (t *countedTx) Delete(keys ...[]byte) error {
	t.wrote = t.wrote || len(keys) > 0
	return t.tx.Delete(keys...)
}

func (t *countedTx) DeleteRange(ctx context.Context, r storage.Range) error {
	t.wrote = true
	return t.tx.DeleteRange(ctx, r)
}
