package backends

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// Counted is a store that counts what is read from it. The counts of a test that compares
// them must not be read while others read.
type Counted struct {
	storage.Store
	Gets  atomic.Int64 // calls of Get
	Keys  atomic.Int64 // keys of these calls
	Scans atomic.Int64
	Rows  atomic.Int64 // entries that scans yielded
}

// Reset sets all counts to zero.
func (c *Counted) Reset() {
	for _, n := range []*atomic.Int64{&c.Gets, &c.Keys, &c.Scans, &c.Rows} {
		n.Store(0)
	}
}

// View runs fn on a reader that counts.
func (c *Counted) View(ctx context.Context, fn func(storage.Reader) error) error {
	return c.Store.View(ctx, func(r storage.Reader) error { return fn(countedReader{r, c}) })
}

type countedReader struct {
	storage.Reader
	to *Counted
}

func (r countedReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	r.to.Gets.Add(1)
	r.to.Keys.Add(int64(len(keys)))
	return r.Reader.Get(ctx, keys...)
}

func (r countedReader) Scan(ctx context.Context, rows storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		r.to.Scans.Add(1)
		for e, err := range r.Reader.Scan(ctx, rows, o) {
			r.to.Rows.Add(1)
			if !yield(e, err) {
				return
			}
		}
	}
}
