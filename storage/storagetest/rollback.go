package storagetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// rollbackTests show what is left when a transaction does not end with a commit, and
// when its handles are used after its end.
var rollbackTests = []test{
	{"fn's error rolls back and comes out unchanged", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		for _, want := range []error{
			errors.New("of the caller"),
			fmt.Errorf("of the caller: %w", storage.ErrConflict),
			fmt.Errorf("of the caller: %w", context.Canceled),
		} {
			got := s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				return want
			})
			require.Same(t, want, got, "the error that Update returns")
			got = s.View(testContext(t), func(storage.Reader) error { return want })
			require.Same(t, want, got, "the error that View returns")
			require.Equal(t, before, contents(t, s), "rows after an Update that failed")
		}
	}},
	{"fn's error comes out even where a write failed too", func(t *testing.T, s storage.Store) {
		want := errors.New("of the caller")
		got := s.Update(testContext(t), func(tx storage.Tx) error {
			require.Error(t, tx.Put(make([]byte, s.Limits().KeyBytes+1), nil), "Put of a key that is too large")
			return want
		})
		require.Same(t, want, got, "the error that Update returns")
	}},
	{"a panic rolls back and passes through", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		require.PanicsWithValue(t, "of the caller", func() {
			_ = s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				panic("of the caller")
			})
		}, "Update lets a panic of fn pass")
		require.PanicsWithValue(t, "of the caller", func() {
			_ = s.View(testContext(t), func(storage.Reader) error { panic("of the caller") })
		}, "View lets a panic of fn pass")
		requireUnchanged(t, s)
	}},
	{"runtime.Goexit rolls back and holds nothing", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		for _, run := range []func(exit func()) error{
			func(exit func()) error {
				return s.Update(testContext(t), func(tx storage.Tx) error {
					err := tx.Put([]byte("new"), []byte("1"))
					exit()
					return err
				})
			},
			func(exit func()) error {
				return s.View(testContext(t), func(storage.Reader) error { exit(); return nil })
			},
		} {
			require.True(t, goexits(run), "runtime.Goexit in fn ends the goroutine of the call")
		}
		requireUnchanged(t, s)
	}},
	{"a context that is done before means that fn is not run", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		canceled, cancel := context.WithCancel(testContext(t))
		cancel()
		late, cancel := context.WithDeadline(testContext(t), time.Now().Add(-time.Hour))
		defer cancel()
		for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: late} {
			for range 10 { // a select over the context and something else that is ready takes either
				ran := false
				require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { ran = true; return nil }), want, "View with a context that is done")
				require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { ran = true; return nil }), want, "Update with a context that is done")
				require.False(t, ran, "fn was run")
			}
		}
		requireUnchanged(t, s)
	}},
	{"a context that is done during fn rolls back", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		ctx, cancel := context.WithCancel(testContext(t))
		err := s.Update(ctx, func(tx storage.Tx) error {
			put(t, tx, "before", "1")
			cancel()
			_, _ = tx.Get(ctx, []byte("a")) // whatever these say,
			_ = tx.Put([]byte("after"), []byte("1"))
			_ = tx.Delete([]byte("a"))
			return nil // and though fn does not care
		})
		require.ErrorIs(t, err, context.Canceled, "Update whose context is done during fn")
		requireUnchanged(t, s)
	}},
	{"a context that is done as fn ends rolls back", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		ctx, cancel := context.WithCancel(testContext(t))
		err := s.Update(ctx, func(tx storage.Tx) error {
			writeAll(t, testContext(t), tx)
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled, "Update whose context is done as fn ends")
		requireUnchanged(t, s)
	}},
	{"a context that is done frees an Update that waits for another", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		update(t, s, func(ctx context.Context, _ storage.Tx) {
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			begun := make(chan struct{})
			waiting := background(func() error {
				close(begun)
				return s.Update(short, func(tx storage.Tx) error {
					<-short.Done() // where a store lets this one in beside the other
					return tx.Put([]byte("new"), nil)
				})
			})
			<-begun
			cancel()
			require.ErrorIs(t, await(t, ctx, waiting, "an Update whose context is done"), context.Canceled, "Update whose context is done while it waits")
		})
		requireUnchanged(t, s)
	}},
	{"fn runs once", func(t *testing.T, s storage.Store) {
		views, updates := 0, 0
		view(t, s, func(context.Context, storage.Reader) { views++ })
		update(t, s, func(context.Context, storage.Tx) { updates++ })
		_ = s.Update(testContext(t), func(storage.Tx) error { updates++; return storage.ErrConflict })
		require.Equal(t, []int{1, 2}, []int{views, updates}, "how often fn ran in the View and in the two Updates")
	}},
	{"handles are dead after a View", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		for _, result := range []error{nil, errors.New("of the caller")} {
			var leaked storage.Reader
			require.Equal(t, result, s.View(testContext(t), func(r storage.Reader) error { leaked = r; return result }), "the error that View returns")
			requireReaderDone(t, leaked)
		}
	}},
	{"handles are dead after an Update", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		for _, result := range []error{nil, errors.New("of the caller")} {
			var leaked storage.Tx
			require.Equal(t, result, s.Update(testContext(t), func(tx storage.Tx) error { leaked = tx; return result }), "the error that Update returns")
			requireReaderDone(t, leaked)
			requireTxDone(t, leaked)
		}
		requireUnchanged(t, s)
	}},
	{"handles are dead after a panic", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		var leaked storage.Tx
		require.Panics(t, func() {
			_ = s.Update(testContext(t), func(tx storage.Tx) error { leaked = tx; panic("of the caller") })
		}, "Update lets a panic of fn pass")
		requireReaderDone(t, leaked)
		requireTxDone(t, leaked)
		requireUnchanged(t, s)
	}},
	{"a sequence made in fn is dead after it", func(t *testing.T, s storage.Store) {
		fill(t, s, before)
		var sequences []iter.Seq2[storage.Entry, error]
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			sequences = append(sequences, r.Scan(ctx, storage.Range{}, storage.ScanOptions{}))
		})
		for _, seq := range sequences {
			require.Equal(t, fmt.Sprintf("error %v;", storage.ErrTxDone), render(seq), "a sequence that is used after its transaction")
		}
	}},
}

// before is what the tests of this file begin with, and must end with.
var before = map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}

// writeAll makes a write of every kind.
func writeAll(t *testing.T, ctx context.Context, tx storage.Tx) {
	t.Helper()
	put(t, tx, "new", "1")
	put(t, tx, "a", "changed")
	del(t, tx, "b")
	require.NoError(t, tx.DeleteRange(ctx, span("c", "d")), "DeleteRange")
	require.Equal(t, map[string]string{"a": "changed", "d": "4", "new": "1"}, readAll(t, ctx, tx), "rows within the Update after all writes")
}

// stillWorks shows that the store is as it was before, and can be written.
func requireUnchanged(t *testing.T, s storage.Store) {
	t.Helper()
	require.Equal(t, before, contents(t, s), "rows must be as they were before")
	update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, "later", "1") })
	require.Len(t, contents(t, s), len(before)+1, "rows after one more Put")
	update(t, s, func(_ context.Context, tx storage.Tx) { del(t, tx, "later") })
	require.Equal(t, before, contents(t, s), "rows after the Delete of that row")
}

// goexits reports whether run, given something that ends its goroutine, lets it end.
func goexits(run func(exit func()) error) bool {
	returned, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		_ = run(runtime.Goexit)
		returned = true
	}()
	<-ended
	return !returned
}

func requireReaderDone(t *testing.T, r storage.Reader) {
	t.Helper()
	ctx := testContext(t)
	_, err := r.Get(ctx, []byte("a"))
	require.ErrorIs(t, err, storage.ErrTxDone, "Get on a handle that is over")
	_, err = r.Get(ctx)
	require.ErrorIs(t, err, storage.ErrTxDone, "Get of no keys on a handle that is over")
	for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}, {Limit: 1}} {
		require.Equal(t, fmt.Sprintf("error %v;", storage.ErrTxDone), render(r.Scan(ctx, storage.Range{}, o)), "Scan on a handle that is over")
	}
}

func requireTxDone(t *testing.T, tx storage.Tx) {
	t.Helper()
	ctx := testContext(t)
	require.ErrorIs(t, tx.Put([]byte("a"), []byte("x")), storage.ErrTxDone, "Put on a handle that is over")
	require.ErrorIs(t, tx.Delete([]byte("a")), storage.ErrTxDone, "Delete on a handle that is over")
	require.ErrorIs(t, tx.Delete(), storage.ErrTxDone, "Delete of no keys on a handle that is over")
	require.ErrorIs(t, tx.DeleteRange(ctx, storage.Range{}), storage.ErrTxDone, "DeleteRange on a handle that is over")
	require.ErrorIs(t, tx.DeleteRange(ctx, span("x", "a")), storage.ErrTxDone, "DeleteRange of an inverted range on a handle that is over")
}
