package backends

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// ErrFault is returned by a call that fails because of a [Fault] without an Err.
var ErrFault = errors.New("backends: the call has failed")

// Calls is a set of kinds of calls that can fail.
type Calls int

// The kinds of calls.
const (
	Reads   Calls = 1 << iota // a Get, or one step of a Scan
	Writes                    // a Put, each key of a Delete, or a DeleteRange
	Begins                    // the beginning of a View or Update
	Commits                   // the end of an Update, before it commits

	AllCalls = Reads | Writes | Begins | Commits
)

// Fault describes the call of a store that fails.
type Fault struct {
	Of     Calls        // the kinds of calls that are counted and can fail
	After  int          // the number of calls that succeed before the failing one
	Always bool         // all later calls fail too
	Err    func() error // returns the error of the call; nil means ErrFault
}

// Faulty wraps a store and makes calls fail.
type Faulty struct {
	storage.Store
	fault Fault
	left  atomic.Int64 // calls until the failing one; negative after it
	scans atomic.Int64 // active scans
}

// NewFault wraps a store and gives it a fault.
func NewFault(store storage.Store, fault Fault) *Faulty {
	f := &Faulty{Store: store, fault: fault}
	f.left.Store(int64(fault.After))
	return f
}

// Failed reports whether a call has failed.
func (f *Faulty) Failed() bool { return f.left.Load() < 0 }

// Scanning returns the number of active scans. If it is not zero after an operation, the operation did not stop an iterator of
// iter.Pull, and has leaked a goroutine.
func (f *Faulty) Scanning() int { return int(f.scans.Load()) }

// Calls returns the number of calls of the fault's kinds, including the failed ones.
func (f *Faulty) Calls() int { return f.fault.After - int(f.left.Load()) }

// call counts a call of a kind and returns its error if it fails.
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

// View implements [storage.Store].
func (f *Faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := f.call(Begins); err != nil {
		return err
	}
	return f.Store.View(ctx, func(r storage.Reader) error { return fn(faultyReader{r, f}) })
}

// Update implements [storage.Store].
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

// faultyTx is a transaction that cannot commit after a failed write, as the contract of [storage.Tx] requires.
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
