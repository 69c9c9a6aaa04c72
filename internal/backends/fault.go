package backends

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// ErrFault is what a read answers that fails.
var ErrFault = errors.New("backends: the read has failed")

// Faulty is a store of which one read fails: a Get, or a step of a Scan.
type Faulty struct {
	storage.Store
	left atomic.Int64
}

// NewFaulty returns a store that reads so many times, and fails at the next one.
func NewFaulty(store storage.Store, reads int) *Faulty {
	f := &Faulty{Store: store}
	f.left.Store(int64(reads))
	return f
}

// Failed is whether it has.
func (f *Faulty) Failed() bool { return f.left.Load() < 0 }

func (f *Faulty) read() error {
	if f.left.Add(-1) == -1 {
		return ErrFault
	}
	return nil
}

// View reads, until the fault.
func (f *Faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	return f.Store.View(ctx, func(r storage.Reader) error { return fn(faultyReader{r, f}) })
}

// Update reads and writes, until the fault.
func (f *Faulty) Update(ctx context.Context, fn func(storage.Tx) error) error {
	return f.Store.Update(ctx, func(tx storage.Tx) error { return fn(faultyTx{tx, faultyReader{tx, f}}) })
}

type faultyReader struct {
	storage.Reader
	faulty *Faulty
}

func (r faultyReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if err := r.faulty.read(); err != nil {
		return nil, err
	}
	return r.Reader.Get(ctx, keys...)
}

func (r faultyReader) Scan(ctx context.Context, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range r.Reader.Scan(ctx, rng, o) {
			if err == nil {
				err = r.faulty.read()
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

type faultyTx struct {
	storage.Tx
	reader faultyReader
}

func (t faultyTx) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return t.reader.Get(ctx, keys...)
}

func (t faultyTx) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return t.reader.Scan(ctx, r, o)
}
