package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

var lifecycleTests = []test{
	{"Close may be called several times", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		for range 3 {
			require.NoError(t, s.Close(), "Close, called several times")
		}
	}},
	{"Close may be called concurrently", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		runConcurrently(t, 8, func(int) error { return s.Close() })
		requireClosed(t, s)
	}},
	{"a closed store rejects transactions", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		require.NoError(t, s.Close(), "Close")
		requireClosed(t, s)
		requireClosed(t, s)
	}},
	{"a closed store returns ErrClosed even if the context is done", func(t *testing.T, s storage.Store) {
		require.NoError(t, s.Close(), "Close")
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { return nil }), storage.ErrClosed, "View on a closed store with a context that is done")
		require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { return nil }), storage.ErrClosed, "Update on a closed store with a context that is done")
	}},
	{"handles return ErrTxDone after Close", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		var r storage.Reader
		var tx storage.Tx
		view(t, s, func(_ context.Context, got storage.Reader) { r = got })
		update(t, s, func(_ context.Context, got storage.Tx) { tx = got })
		require.NoError(t, s.Close(), "Close")
		requireReaderDone(t, r)
		requireReaderDone(t, tx)
		requireTxDone(t, tx)
	}},
	{"Close waits for a View, which can still read", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		ctx := testContext(t)
		var closing <-chan error
		require.NoError(t, s.View(ctx, func(r storage.Reader) error {
			closing = closeConcurrently(t, ctx, s)
			require.Equal(t, initialRows, readAll(t, ctx, r), "rows in a View during which Close was called")
			require.Equal(t, "2", get(t, ctx, r, "b"), "Get in a View during which Close was called")
			requireClosed(t, s)
			requireBlocked(t, closing)
			return nil
		}), "a View during which Close was called")
		require.NoError(t, await(t, ctx, closing, "Close after the View"), "Close after the View")
		requireClosed(t, s)
	}},
	{"Close waits for an Update, which commits", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		ctx := testContext(t)
		var closing <-chan error
		require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
			put(t, tx, "a", "early")
			closing = closeConcurrently(t, ctx, s)
			require.Equal(t, "early", get(t, ctx, tx, "a"), "Get in an Update during which Close was called")
			writeAll(t, ctx, tx)
			requireBlocked(t, closing)
			return nil
		}), "an Update during which Close was called")
		require.NoError(t, await(t, ctx, closing, "Close after the Update"), "Close after the Update")
	}},
	{"Close returns after a panic in the last transaction", func(t *testing.T, s storage.Store) {
		ctx := testContext(t)
		var closing <-chan error
		require.Panics(t, func() {
			_ = s.Update(ctx, func(storage.Tx) error {
				closing = closeConcurrently(t, ctx, s)
				panic("fn panicked")
			})
		}, "Update must not recover a panic of fn")
		require.NoError(t, await(t, ctx, closing, "Close after the panic"), "Close after the panic")
	}},
	{"Close during transactions: each is completed or rejected", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		const goroutines = 6
		ctx := testContext(t)
		begun := make(chan struct{}, goroutines)
		done := background(func() error {
			errs := make(chan error, goroutines)
			for i := range goroutines {
				go func() { errs <- runUntilClosed(ctx, s, i, begun) }()
			}
			var all error
			for range goroutines {
				all = errors.Join(all, <-errs)
			}
			return all
		})
		for range goroutines {
			<-begun
		}
		require.NoError(t, s.Close(), "Close during transactions")
		require.NoError(t, await(t, ctx, done, "transactions during Close"), "transactions during Close")
		requireClosed(t, s)
	}},
}

// requireClosed checks that the store rejects new transactions.
func requireClosed(t *testing.T, s storage.Store) {
	t.Helper()
	ctx, ran := testContext(t), false
	require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { ran = true; return nil }), storage.ErrClosed, "View on a closed store")
	require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { ran = true; return nil }), storage.ErrClosed, "Update on a closed store")
	require.False(t, ran, "fn must not run")
}

// closeConcurrently closes the store on another goroutine, and returns when the store
// rejects new transactions. Close itself waits for the transaction of the caller.
func closeConcurrently(t *testing.T, ctx context.Context, s storage.Store) <-chan error {
	t.Helper()
	closing := background(s.Close)
	for {
		err := s.View(ctx, func(storage.Reader) error { return nil })
		if errors.Is(err, storage.ErrClosed) {
			return closing
		}
		require.NoError(t, err, "View while Close begins") // fails with the context's error if Close has no effect
		runtime.Gosched()
	}
}

// requireBlocked fails if Close has returned. It does not detect that Close is about to
// return.
func requireBlocked(t *testing.T, closing <-chan error) {
	t.Helper()
	select {
	case err := <-closing:
		require.FailNow(t, "Close did not wait", "it returned %v", err)
	default:
	}
}

// runUntilClosed runs transactions until they are rejected, and sends to begun after the
// first one.
func runUntilClosed(ctx context.Context, s storage.Store, i int, begun chan<- struct{}) error {
	for n := 0; ; n++ {
		finished := false
		var err error
		if i%2 == 0 {
			err = s.View(ctx, func(r storage.Reader) error {
				_, err := r.Get(ctx, []byte("a"), []byte("b"))
				for _, e := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
					err = errors.Join(err, e)
				}
				finished = true
				return err
			})
		} else {
			err = s.Update(ctx, func(tx storage.Tx) error {
				finished = true
				return errors.Join(tx.Put(fmt.Appendf(nil, "%d", i), nil), tx.Delete([]byte("a")))
			})
		}
		switch {
		case errors.Is(err, storage.ErrClosed) && finished:
			return errors.New("a transaction was completed, but returned ErrClosed")
		case errors.Is(err, storage.ErrClosed):
			return nil
		case err != nil && !errors.Is(err, storage.ErrConflict):
			return err
		}
		if n == 0 {
			begun <- struct{}{}
		}
	}
}
