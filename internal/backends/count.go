package backends

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// Counted is a store that counts the transactions and reads of another one, and the round
// trips that these would take on a database server. Reset it between the operations that are
// compared. A count must not be read while a transaction runs.
//
// Trips are counted for a backend with these properties:
//
//   - The first read of a transaction also begins it, and the keys that an Update declares
//     are fetched then. A Get of which all keys were declared is therefore free.
//   - Every other Get is one trip, whatever the number of its keys. A Get without keys costs nothing.
//   - A Scan is one trip for each page of rows: 128 rows, then four times as many as before,
//     up to 4,096. With a Limit the first page has that many rows, up to 4,096.
//   - The writes of an Update and its commit are one trip.
//   - A View, and an Update that writes nothing, ends with a rollback, which is one trip if
//     anything was read. A backend need not wait for it, so that the time that an operation
//     takes is that of one trip less.
type Counted struct {
	storage.Store
	Views   atomic.Int64
	Updates atomic.Int64
	Gets    atomic.Int64 // calls of Get
	Keys    atomic.Int64 // keys of these calls
	Scans   atomic.Int64 // loops over a Scan
	Rows    atomic.Int64 // entries that scans yielded
	Trips   atomic.Int64
}

// Reset sets all counts to zero.
func (c *Counted) Reset() {
	for _, n := range []*atomic.Int64{&c.Views, &c.Updates, &c.Gets, &c.Keys, &c.Scans, &c.Rows, &c.Trips} {
		n.Store(0)
	}
}

// View runs fn on a reader that counts.
func (c *Counted) View(ctx context.Context, fn func(storage.Reader) error) error {
	c.Views.Add(1)
	return c.Store.View(ctx, func(r storage.Reader) error {
		counted := &countedReader{Reader: r, to: c}
		defer counted.end(false)
		return fn(counted)
	})
}

// Update runs fn in a transaction that counts.
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

// trip counts a round trip.
func (r *countedReader) trip() {
	r.begun = true
	r.to.Trips.Add(1)
}

// end counts the end of the transaction.
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

// The numbers of rows in the first and in the largest page of a scan.
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
		read, left := 0, page // left: rows of the page that were not read
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
			nextPage() // which has no rows
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
