package badger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestUpdate_CommitFails_DependentUpdatesFail(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "durable"))
	v := s.holdCommits(t)
	errOfFn := errors.New("fn failed")

	in := background(func() error { return put(s, "a", "lost") })
	<-v.arrived
	dependent := background(func() error { return put(s, "b", "lost") })
	s.awaitPending(1)
	var ran sync.WaitGroup
	ran.Add(2)
	readOnly := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			defer ran.Done()
			_, err := read(tx, "a")
			return err
		})
	})
	failing := background(func() error {
		return s.Update(context.Background(), func(storage.Tx) error {
			defer ran.Done()
			return errOfFn
		})
	})
	ran.Wait()
	// This Update still runs when the commit fails, and writes afterwards.
	started, proceed := make(chan struct{}), make(chan struct{})
	running := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			close(started)
			<-proceed
			return tx.Put([]byte("c"), []byte("lost"))
		})
	})
	<-started
	for _, done := range []chan error{in, dependent, readOnly, failing} {
		requireBlocked(t, done)
	}
	v.outcome <- fmt.Errorf("text with a key: %w", syscall.ENOSPC)
	require.ErrorIs(t, <-in, syscall.ENOSPC)
	require.ErrorIs(t, <-dependent, syscall.ENOSPC)
	close(proceed)
	require.ErrorIs(t, <-running, syscall.ENOSPC)
	require.ErrorIs(t, <-readOnly, syscall.ENOSPC)
	require.Same(t, errOfFn, <-failing)
	require.Equal(t, []string{"durable", "-", "-"}, get(t, s, "a", "b", "c"))

	after := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			found, err := read(tx, "a", "b", "c")
			require.Equal(t, []string{"durable", "-", "-"}, found)
			return errors.Join(err, tx.Put([]byte("a"), []byte("again")))
		})
	})
	<-v.arrived
	v.outcome <- nil
	require.NoError(t, <-after)
	require.Equal(t, []string{"again"}, get(t, s, "a"))
}

// An Update must not return data of a commit before it is durable, neither in an error nor
// in a result of an Update that wrote nothing. If the commit fails, only the error of fn
// itself is returned in place of the failure.
func TestUpdate_ReadsUncommittedBatch_WaitsForIt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	errOfFn := errors.New("fn failed")
	for name, c := range map[string]struct {
		end  func(ctx context.Context, cancel func(), tx storage.Tx) error
		want error
	}{
		"nil":   {end: func(context.Context, func(), storage.Tx) error { return nil }},
		"error": {end: func(context.Context, func(), storage.Tx) error { return errOfFn }, want: errOfFn},
		"cancelled": {end: func(_ context.Context, cancel func(), _ storage.Tx) error {
			cancel()
			return nil
		}, want: context.Canceled},
		"failed write": {end: func(_ context.Context, _ func(), tx storage.Tx) error {
			_ = tx.Put(make([]byte, engineKeyBytes), nil)
			return nil
		}, want: storage.ErrKeyTooLarge},
	} {
		for _, outcome := range []error{nil, syscall.EIO} {
			t.Run(fmt.Sprintf("%s, commit %v", name, outcome), func(t *testing.T) {
				t.Parallel()
				s := setup(t)
				v := s.holdCommits(t)
				writer := background(func() error { return put(s, "a", "undurable") })
				<-v.arrived
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan struct{})
				done := background(func() error {
					return s.Update(ctx, func(tx storage.Tx) error {
						defer close(ended)
						found, err := read(tx, "a")
						require.Equal(t, []string{"undurable"}, found)
						return errors.Join(err, c.end(ctx, cancel, tx))
					})
				})
				<-ended
				// When the writer token is free again, the reading Update has left its fn.
				s.flusher.Writer <- struct{}{}
				<-s.flusher.Writer
				for range 100 {
					runtime.Gosched()
				}
				requireBlocked(t, done)
				v.outcome <- outcome
				want := c.want
				if outcome != nil && want != errOfFn {
					want = outcome
				}
				require.ErrorIs(t, <-done, want)
				require.ErrorIs(t, <-writer, outcome)
			})
		}
	}
}

func TestUpdate_CommitFailsInEngine_StoreHalts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", "durable"))
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return errors.Join(commitAt(txn, ts), syscall.EIO)
	}
	err := put(s, "a", "unknown")
	require.ErrorIs(t, err, ErrHalted)
	require.ErrorIs(t, err, storage.ErrUnknown)
	require.ErrorIs(t, err, syscall.EIO)
	err = put(s, "b", "refused")
	require.ErrorIs(t, err, ErrHalted)
	require.NotErrorIs(t, err, storage.ErrUnknown, "no write of it was stored")
	require.Equal(t, []string{"durable", "-"}, get(t, s, "a", "b"), "values of a View after the store has halted")
	require.NoError(t, s.Close())

	s = setupDir(t, dir)
	require.Equal(t, []string{"unknown", "-"}, get(t, s, "a", "b"))
	require.NoError(t, put(s, "b", "again"))
}
