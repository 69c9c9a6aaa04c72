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

// rollbackTests check transactions that end without a commit, and handles that are used
// after their transaction.
var rollbackTests = []test{
	{"an error of fn rolls back and is returned unchanged", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		for _, want := range []error{
			errors.New("fn failed"),
			fmt.Errorf("fn failed: %w", storage.ErrConflict),
			fmt.Errorf("fn failed: %w", context.Canceled),
		} {
			got := s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				return want
			})
			require.Same(t, want, got, "the error that Update returns")
			got = s.View(testContext(t), func(storage.Reader) error { return want })
			require.Same(t, want, got, "the error that View returns")
			require.Equal(t, initialRows, contents(t, s), "rows after an Update that failed")
		}
	}},
	{"an error of fn is returned even if a write failed", func(t *testing.T, s storage.Store) {
		want := errors.New("fn failed")
		got := s.Update(testContext(t), func(tx storage.Tx) error {
			require.Error(t, tx.Put(make([]byte, s.Limits().KeyBytes+1), nil), "Put of a key that is too large")
			return want
		})
		require.Same(t, want, got, "the error that Update returns")
	}},
	{"a panic rolls back and is not recovered", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		require.PanicsWithValue(t, "fn panicked", func() {
			_ = s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				panic("fn panicked")
			})
		}, "Update must not recover a panic of fn")
		require.PanicsWithValue(t, "fn panicked", func() {
			_ = s.View(testContext(t), func(storage.Reader) error { panic("fn panicked") })
		}, "View must not recover a panic of fn")
		requireUnchanged(t, s)
	}},
	{"runtime.Goexit rolls back and releases locks", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
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
			require.True(t, goexits(run), "runtime.Goexit in fn must end the calling goroutine")
		}
		requireUnchanged(t, s)
	}},
	{"fn does not run if the context is done before", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		canceled, cancel := context.WithCancel(testContext(t))
		cancel()
		late, cancel := context.WithDeadline(testContext(t), time.Now().Add(-time.Hour))
		defer cancel()
		for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: late} {
			for range 10 { // a select with several ready cases chooses one at random
				ran := false
				require.ErrorIs(t, s.View(ctx, func(storage.Reader) error { ran = true; return nil }), want, "View with a context that is done")
				require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error { ran = true; return nil }), want, "Update with a context that is done")
				require.False(t, ran, "fn must not run")
			}
		}
		requireUnchanged(t, s)
	}},
	{"a context that is cancelled in fn rolls back", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		ctx, cancel := context.WithCancel(testContext(t))
		err := s.Update(ctx, func(tx storage.Tx) error {
			put(t, tx, "before", "1")
			cancel()
			_, _ = tx.Get(ctx, []byte("a")) // their errors are ignored
			_ = tx.Put([]byte("after"), []byte("1"))
			_ = tx.Delete([]byte("a"))
			return nil // although the context is done
		})
		require.ErrorIs(t, err, context.Canceled, "Update whose context is done during fn")
		requireUnchanged(t, s)
	}},
	{"a context that is cancelled at the end of fn rolls back", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		ctx, cancel := context.WithCancel(testContext(t))
		err := s.Update(ctx, func(tx storage.Tx) error {
			writeAll(t, testContext(t), tx)
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled, "Update whose context is done as fn ends")
		requireUnchanged(t, s)
	}},
	{"an Update that waits for another one returns when its context is done", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		update(t, s, func(ctx context.Context, _ storage.Tx) {
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			begun := make(chan struct{})
			waiting := background(func() error {
				close(begun)
				return s.Update(short, func(tx storage.Tx) error {
					<-short.Done() // if the store allows concurrent Updates
					return tx.Put([]byte("new"), nil)
				})
			})
			<-begun
			cancel()
			require.ErrorIs(t, await(t, ctx, waiting, "an Update whose context is done"), context.Canceled, "Update whose context is done while it waits")
		})
		requireUnchanged(t, s)
	}},
	{"View and Update run fn once", func(t *testing.T, s storage.Store) {
		views, updates := 0, 0
		view(t, s, func(context.Context, storage.Reader) { views++ })
		update(t, s, func(context.Context, storage.Tx) { updates++ })
		_ = s.Update(testContext(t), func(storage.Tx) error { updates++; return storage.ErrConflict })
		require.Equal(t, []int{1, 2}, []int{views, updates}, "number of calls of fn in the View and in the two Updates")
	}},
	{"handles return ErrTxDone after a View", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		for _, result := range []error{nil, errors.New("fn failed")} {
			var leaked storage.Reader
			require.Equal(t, result, s.View(testContext(t), func(r storage.Reader) error { leaked = r; return result }), "the error that View returns")
			requireReaderDone(t, leaked)
		}
	}},
	{"handles return ErrTxDone after an Update", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		for _, result := range []error{nil, errors.New("fn failed")} {
			var leaked storage.Tx
			require.Equal(t, result, s.Update(testContext(t), func(tx storage.Tx) error { leaked = tx; return result }), "the error that Update returns")
			requireReaderDone(t, leaked)
			requireTxDone(t, leaked)
		}
		requireUnchanged(t, s)
	}},
	{"handles return ErrTxDone after a panic", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		var leaked storage.Tx
		require.Panics(t, func() {
			_ = s.Update(testContext(t), func(tx storage.Tx) error { leaked = tx; panic("fn panicked") })
		}, "Update must not recover a panic of fn")
		requireReaderDone(t, leaked)
		requireTxDone(t, leaked)
		requireUnchanged(t, s)
	}},
	{"a sequence returns ErrTxDone after fn", func(t *testing.T, s storage.Store) {
		fill(t, s, initialRows)
		var sequences []iter.Seq2[storage.Entry, error]
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			sequences = append(sequences, r.Scan(ctx, storage.Range{}, storage.ScanOptions{}))
		})
		for _, seq := range sequences {
			require.Equal(t, fmt.Sprintf("error %v;", storage.ErrTxDone), render(seq), "a sequence that is used after its transaction")
		}
	}},
}

// initialRows are the rows at the beginning of these tests, which must not change.
var initialRows = map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}

// writeAll performs every kind of write.
func writeAll(t *testing.T, ctx context.Context, tx storage.Tx) {
	t.Helper()
	put(t, tx, "new", "1")
	put(t, tx, "a", "changed")
	del(t, tx, "b")
	require.NoError(t, tx.DeleteRange(ctx, span("c", "d")), "DeleteRange")
	require.Equal(t, map[string]string{"a": "changed", "d": "4", "new": "1"}, readAll(t, ctx, tx), "rows within the Update after all writes")
}

// requireUnchanged checks that the store contains initialRows and can be written.
func requireUnchanged(t *testing.T, s storage.Store) {
	t.Helper()
	require.Equal(t, initialRows, contents(t, s), "rows after a rollback")
	update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, "later", "1") })
	require.Len(t, contents(t, s), len(initialRows)+1, "rows after one more Put")
	update(t, s, func(_ context.Context, tx storage.Tx) { del(t, tx, "later") })
	require.Equal(t, initialRows, contents(t, s), "rows after that row was deleted")
}

// goexits reports whether run lets runtime.Goexit, which is passed to it, end its
// goroutine.
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
	require.ErrorIs(t, err, storage.ErrTxDone, "Get on a handle after its transaction")
	_, err = r.Get(ctx)
	require.ErrorIs(t, err, storage.ErrTxDone, "Get of no keys on a handle after its transaction")
	for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}, {Limit: 1}} {
		require.Equal(t, fmt.Sprintf("error %v;", storage.ErrTxDone), render(r.Scan(ctx, storage.Range{}, o)), "Scan on a handle after its transaction")
	}
}

func requireTxDone(t *testing.T, tx storage.Tx) {
	t.Helper()
	ctx := testContext(t)
	require.ErrorIs(t, tx.Put([]byte("a"), []byte("x")), storage.ErrTxDone, "Put on a handle after its transaction")
	require.ErrorIs(t, tx.Delete([]byte("a")), storage.ErrTxDone, "Delete on a handle after its transaction")
	require.ErrorIs(t, tx.Delete(), storage.ErrTxDone, "Delete of no keys on a handle after its transaction")
	require.ErrorIs(t, tx.DeleteRange(ctx, storage.Range{}), storage.ErrTxDone, "DeleteRange on a handle after its transaction")
	require.ErrorIs(t, tx.DeleteRange(ctx, span("x", "a")), storage.ErrTxDone, "DeleteRange of an inverted range on a handle after its transaction")
}
