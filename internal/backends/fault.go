package backends

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// ErrFault is what a call answers that fails.
var ErrFault = errors.New("backends: the call has failed")

// Calls is a set of calls of a store that can fail.
type Calls int

// The calls: a Get or a step of a Scan; a Put, each key of a Delete, a DeleteRange; the
// beginning of a View or Update; its end, before it commits.
const (
	Reads Calls = 1 << iota
	Writes
	Begins
	Commits

	AllCalls = Reads | Writes | Begins | Commits
)

// Fault says which call of a store fails, and how.
type Fault struct {
	Of     Calls
	After  int          // so many of those calls go well
	Always bool         // all that come later fail as well
	Err    func() error // what it answers; nil means ErrFault
}

// Faulty is a store of which calls fail.
type Faulty struct {
	storage.Store
	fault Fault
	left  atomic.Int64
	scans atomic.Int64 // scans that have begun and have not ended
}

// NewFaulty returns a store that reads so many times, and fails at the next one.
func NewFaulty(store storage.Store, reads int) *Faulty {
	return NewFault(store, Fault{Of: Reads, After: reads})
}

// NewFault returns a store with a fault.
func NewFault(store storage.Store, fault Fault) *Faulty {
	f := &Faulty{Store: store, fault: fault}
	f.left.Store(int64(fault.After))
	return f
}

// Failed reports whether a call has failed.
func (f *Faulty) Failed() bool { return f.left.Load() < 0 }

// Scanning returns the number of scans that have begun and have not ended. After an operation
// it is zero, unless the operation left a scan in iter.Pull, and with it a goroutine.
func (f *Faulty) Scanning() int { return int(f.scans.Load()) }

// Made is how many of the calls in question there were.
func (f *Faulty) Made() int { return f.fault.After - int(f.left.Load()) }

// call is one call of a kind.
func (f *Faulty) call(of Calls) error {
	if f.fault.Of&of == 0 {
		return nil
	}
	left := f.left.Add(-1)
	if left == -1 || left < 0 && f.fault.Always {
		if f.fault.Err != nil {
			return f.fault.Err()
		}
		return ErrFault
	}
	return nil
}

// View reads, until the fault.
func (f *Faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := f.call(Begins); err != nil {
		return err
	}
	return f.Store.View(ctx, func(r storage.Reader) error { return fn(faultyReader{r, f}) })
}

// Update reads and writes, until the fault.
func (f *Faulty) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if err := f.call(Begins); err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx storage.Tx) error {
		t := &faultyTx{Tx: tx, reader: faultyReader{tx, f}}
		if err := fn(t); err != nil {
			return err
		}
		if t.doom != nil {
			return t.doom
		}
		return f.call(Commits)
	}, reads...)
}

type faultyReader struct {
	storage.Reader
	faulty *Faulty
}

func (r faultyReader) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if err := r.faulty.call(Reads); err != nil {
		return nil, err
	}
	return r.Reader.Get(ctx, keys...)
}

func (r faultyReader) Scan(ctx context.Context, rng storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		r.faulty.scans.Add(1)
		defer r.faulty.scans.Add(-1)
		for e, err := range r.Reader.Scan(ctx, rng, o) {
			if err == nil {
				err = r.faulty.call(Reads)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// faultyTx is a transaction that a write which fails dooms, as the contract has it.
type faultyTx struct {
	storage.Tx
	reader faultyReader
	doom   error
}

func (t *faultyTx) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return t.reader.Get(ctx, keys...)
}

func (t *faultyTx) Scan(ctx context.Context, r storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return t.reader.Scan(ctx, r, o)
}

func (t *faultyTx) write() error {
	if t.doom == nil {
		t.doom = t.reader.faulty.call(Writes)
	}
	return t.doom
}

func (t *faultyTx) Put(key, value []byte) error {
	if err := t.write(); err != nil {
		return err
	}
	return t.Tx.Put(key, value)
}

func (t *faultyTx) Delete(keys ...[]byte) error {
	for range keys {
		if err := t.write(); err != nil {
			return err
		}
	}
	return t.Tx.Delete(keys...)
}

func (t *faultyTx) DeleteRange(ctx context.Context, r storage.Range) error {
	if err := t.write(); err != nil {
		return err
	}
	return t.Tx.DeleteRange(ctx, r)
}
