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
	{"Close may be called again", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		for range 3 {
			require.NoError(t, s.Close(), "Close, called several times")
		}
	}},
	{"Close may be called by many at once", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		runConcurrently(t, 8, func(int) error { return s.Close() })
		requireClosed(t, s)
	}},
	{"a closed store runs nothing", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		require.NoError(t, s.Close(), "Close")
		requireClosed(t, s)
		requireClosed(t, s)
	}},
	{"a closed store says so even where the context is done", func(t *testing.T, s storage.Store) {
		require.NoError(t, s.Close(), "Close")
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { return nil }), storage.ErrClosed, "View on a closed store with a context that is done")
		require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { return nil }), storage.ErrClosed, "Update on a closed store with a context that is done")
	}},
	{"handles that outlive the store are dead", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		var r storage.Reader
		var tx storage.Tx
		view(t, s, func(_ context.Context, got storage.Reader) { r = got })
		update(t, s, func(_ context.Context, got storage.Tx) { tx = got })
		require.NoError(t, s.Close(), "Close")
		requireReaderDone(t, r)
		requireReaderDone(t, tx)
		requireTxDone(t, tx)
	}},
	{"Close waits for a View, whose reads go on", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		ctx := testContext(t)
		var closing <-chan error
		require.NoError(t, s.View(ctx, func(r storage.Reader) error {
			closing = closeConcurrently(t, ctx, s)
			require.Equal(t, before, readAll(t, ctx, r), "rows in a View during which Close was called")
			require.Equal(t, "2", get(t, ctx, r, "b"), "Get in a View during which Close was called")
			requireClosed(t, s)
			requireBlocked(t, closing)
			return nil
		}), "a View during which Close was called")
		require.NoError(t, await(t, ctx, closing, "Close after the View"), "Close after the View")
		requireClosed(t, s)
	}},
	{"Close waits for an Update, which commits", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
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
	{"a panic in the last transaction lets Close end", func(t *testing.T, s storage.Store) {
		ctx := testContext(t)
		var closing <-chan error
		require.Panics(t, func() {
			_ = s.Update(ctx, func(storage.Tx) error {
				closing = closeConcurrently(t, ctx, s)
				panic("of the caller")
			})
		}, "Update lets a panic of fn pass")
		require.NoError(t, await(t, ctx, closing, "Close after the panic"), "Close after the panic")
	}},
	{"Close beside many transactions: each runs whole or is refused", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
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
		require.NoError(t, s.Close(), "Close beside transactions")
		require.NoError(t, await(t, ctx, done, "transactions beside Close"), "transactions beside Close")
		requireClosed(t, s)
	}},
}

// refused shows that the store takes no new transaction.
func requireClosed(t *testing.T, s storage.Store) {
	t.Helper()
	ctx, ran := testContext(t), false
	require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { ran = true; return nil }), storage.ErrClosed, "View on a closed store")
	require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { ran = true; return nil }), storage.ErrClosed, "Update on a closed store")
	require.False(t, ran, "fn was run")
}

// closeBeside closes the store from another goroutine, and returns once it refuses
// new transactions. Close itself waits for that of the caller.
func closeConcurrently(t *testing.T, ctx context.Context, s storage.Store) <-chan error {
	t.Helper()
	closing := background(s.Close)
	for {
		err := s.View(ctx, func(storage.Reader) error { return nil })
		if errors.Is(err, storage.ErrClosed) {
			return closing
		}
		require.NoError(t, err, "View while Close begins") // the context's error, where Close never takes effect
		runtime.Gosched()
	}
}

// stillWaits fails where Close has returned. It cannot see one that is about to.
func requireBlocked(t *testing.T, closing <-chan error) {
	t.Helper()
	select {
	case err := <-closing:
		require.FailNow(t, "Close did not wait", "it returned %v", err)
	default:
	}
}

// untilClosed runs transactions until they are refused, and tells begun once the
// first is done.
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
			return errors.New("it ran and was refused both")
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
