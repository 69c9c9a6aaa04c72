package pebble

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// Other Updates cause flushes and compactions while Erase runs, and Views that began at any
// time keep deleted rows.
func TestErase_ConcurrentViewsAndUpdates_DeletedRowsAreInNoFile(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var over atomic.Bool
	var all sync.WaitGroup
	defer func() {
		over.Store(true)
		all.Wait()
	}()
	for w := range 2 {
		all.Go(func() {
			for i := 0; !over.Load(); i++ {
				if err := putMany(s, fmt.Sprintf("%c kept %d", 'a'+22*w, i%7), 500); err != nil { // below and above the deleted rows
					t.Error(err)
				}
			}
		})
	}
	view := func(keys int) error {
		return s.View(context.Background(), func(r storage.Reader) error {
			n := 0
			for _, err := range r.Scan(context.Background(), storage.Range{}, storage.ScanOptions{}) {
				if n++; err != nil || n == keys {
					return err
				}
			}
			return nil
		})
	}
	all.Go(func() {
		for i := 0; !over.Load(); i++ {
			if err := view(100 * (i%30 + 1)); err != nil {
				t.Error(err)
			}
		}
	})
	for round := range testsize.Pick(3, 6, 30) {
		secret := fmt.Sprintf("p secret %d,", round)
		require.NoError(t, putMany(s, secret, 3000))
		if round%2 == 0 {
			require.NoError(t, s.db.Flush())
		}
		require.NoError(t, put(s, "replaced", secret))
		begun, end := make(chan struct{}), make(chan struct{})
		old := background(func() error {
			return s.View(context.Background(), func(r storage.Reader) error {
				values, err := r.Get(context.Background(), []byte(secret+"000000"))
				close(begun)
				<-end
				if err == nil && values[0] == nil {
					return fmt.Errorf("the View does not see the row")
				}
				return err
			})
		})
		<-begun
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			if err := tx.Put([]byte("replaced"), []byte("public")); err != nil {
				return err
			}
			if round%3 > 0 {
				return tx.DeleteRange(t.Context(), storage.Prefix([]byte(secret)))
			}
			for i := range 3000 {
				if err := tx.Delete(fmt.Appendf(nil, "%s%06d", secret, i)); err != nil {
					return err
				}
			}
			return nil
		}))
		if round%3 != 1 {
			require.NoError(t, s.db.Flush())
		}
		done := background(func() error { return s.Erase(context.Background()) })
		close(end)
		require.NoError(t, <-old)
		require.NoError(t, <-done)
		require.Empty(t, filesWith(t, s.dir, secret), "round %d", round)
		require.Equal(t, []string{"public", "-"}, get(t, s, "replaced", secret+"000001"))
	}
}

// A table may contain none of the rows that each commit writes, and no Update may follow.
func TestErase_SingleTable_IsReplaced(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "secret", "1"))
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error { // keeps the row and its delete in one table
		if _, err := r.Get(t.Context(), []byte("secret")); err != nil {
			return err
		}
		if err := s.Update(t.Context(), func(tx storage.Tx) error { return tx.Delete([]byte("secret")) }); err != nil {
			return err
		}
		return s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false)
	}))
	require.NotEmpty(t, filesWith(t, s.dir, "secret"))
	require.NoError(t, s.Erase(t.Context()))
	require.Empty(t, filesWith(t, s.dir, "secret"))
}

// Each step of Erase ends when its context is done, and the error says so.
func TestErase_ContextDone_ReturnsItsError(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, putMany(s, "a", 3000))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Erase(canceled), context.Canceled)
	require.NotErrorIs(t, s.Erase(canceled), ErrReaders, "there is no View")

	s.erasing <- struct{}{} // another Erase runs
	done := background(func() error { return s.Erase(canceled) })
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, s.Erase(canceled), context.Canceled)
	<-s.erasing
	require.NoError(t, s.Erase(t.Context()))

	for n := int64(1); ; n++ { // done at each of its checks
		ctx := &expiring{Context: t.Context(), done: make(chan struct{})}
		ctx.left.Store(n)
		err := s.Erase(ctx)
		if err == nil {
			require.Greater(t, n, int64(5))
			break
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

// expiring is a context that is done after it was asked a number of times.
type expiring struct {
	context.Context
	left atomic.Int64
	done chan struct{}
}

func (e *expiring) Done() <-chan struct{} {
	_ = e.Err()
	return e.done
}

func (e *expiring) Err() error {
	switch n := e.left.Add(-1); {
	case n == 0:
		close(e.done)
		return context.DeadlineExceeded
	case n < 0:
		return context.DeadlineExceeded
	}
	return nil
}

// A View that began after the deletes, and before Erase writes the rows at the bounds of
// tables again, makes a compaction keep the deletes of these rows, with their keys.
func TestErase_ViewOfTheNewestState_DeletedKeysAreInNoFile(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, putMany(s, "secret", 30_000))
	require.NoError(t, s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false))
	require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
		return tx.DeleteRange(t.Context(), storage.Prefix([]byte("secret")))
	}))
	var done chan error
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		newest := s.states.newestDurable()
		done = background(func() error { return s.Erase(context.Background()) })
		for s.states.newestDurable() == newest {
			runtime.Gosched()
		}
		before := s.db.Metrics().Compact.Count
		for i := 0; i < 30_000 && s.db.Metrics().Compact.Count < before+2; i++ { // a compaction could end meanwhile
			runtime.Gosched()
		}
		_, err := r.Get(t.Context(), []byte("secret000000"))
		return err
	}))
	require.NoError(t, <-done)
	require.Empty(t, filesWith(t, s.dir, "secret"))
}
