package data_test

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// readCounter counts the rows that are read.
type readCounter struct {
	storage.Reader
	rows atomic.Int64
}

func (c *readCounter) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	c.rows.Add(int64(len(keys)))
	return c.Reader.Get(ctx, keys...)
}

func (c *readCounter) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range c.Reader.Scan(ctx, r, o) {
			c.rows.Add(1)
			if !yield(e, err) {
				return
			}
		}
	}
}
