package backends

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
)

// ErrCrash is returned by every call of a [Crash] store after it has crashed.
var ErrCrash = errors.New("backends: the process has crashed")

// Crash wraps a store and simulates the crash of the process at a given step. Each write, the
// moment before each commit and the moment after it are steps. After the crash every call fails.
// The wrapped store contains the committed transactions.
type Crash struct {
	storage.Store
	left atomic.Int64
}

// NewCrash returns a store that crashes after the given number of steps.
func NewCrash(store storage.Store, steps int) *Crash {
	c := &Crash{Store: store}
	c.left.Store(int64(steps))
	return c
}

// Remaining returns the number of steps until the crash. It is negative after the crash.
func (c *Crash) Remaining() int { return int(c.left.Load()) }

// Crashed reports whether the store has crashed.
func (c *Crash) Crashed() bool { return c.left.Load() < 0 }

func (c *Crash) step() error {
	if c.left.Add(-1) < 0 {
		return ErrCrash
	}
	return nil
}

// View implements [storage.Store].
func (c *Crash) View(ctx context.Context, fn func(storage.Reader) error) error {
	if c.Crashed() {
		return ErrCrash
	}
	return c.Store.View(ctx, fn)
}

// Update implements [storage.Store].
func (c *Crash) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if c.Crashed() {
		return ErrCrash
	}
	err := c.Store.Update(ctx, func(tx storage.Tx) error {
		t := &crashTx{Tx: tx, crash: c}
		if err := fn(t); err != nil || !t.wrote {
			return err
		}
		return c.step()
	}, reads...)
	if err == nil && c.left.Load() == 0 {
		return c.step() // the transaction has committed, but the caller gets an error
	}
	return err
}

type crashTx struct {
	storage.Tx
	crash *Crash
	wrote bool
}

func (t *crashTx) Put(key, value []byte) error {
	t.wrote = true
	if err := t.crash.step(); err != nil {
		return err
	}
	return t.Tx.Put(key, value)
}

func (t *crashTx) Delete(keys ...[]byte) error {
	t.wrote = t.wrote || len(keys) > 0
	for range keys {
		if err := t.crash.step(); err != nil {
			return err
		}
	}
	return t.Tx.Delete(keys...)
}
