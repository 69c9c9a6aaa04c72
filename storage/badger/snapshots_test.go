package badger

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestSnapshots_ReaderReleased_DiscardTimestampAdvances(t *testing.T) {
	t.Parallel()
	var discardTS uint64
	s := snapshots{discard: func(ts uint64) { discardTS = ts }}
	s.advance(5)
	require.Equal(t, uint64(5), discardTS, "without readers")
	a, b := s.acquire(), s.acquire()
	s.advance(6)
	c := s.acquire()
	s.advance(7)
	require.Equal(t, uint64(5), discardTS)
	s.release(c)
	s.release(a)
	require.Equal(t, uint64(5), discardTS, "with one reader left at 5")
	d := s.acquire()
	s.release(b)
	require.Equal(t, uint64(7), discardTS, "without readers at 5 and 6")
	s.advance(8)
	require.Equal(t, uint64(7), discardTS)
	s.release(d)
	require.Equal(t, uint64(8), discardTS)
	require.Empty(t, s.live)
}

// In any order of events, the discard timestamp is the oldest one in use.
func TestSnapshots_RandomReaders_DiscardTimestampIsTheOldest(t *testing.T) {
	t.Parallel()
	var discardTS uint64
	s := snapshots{discard: func(ts uint64) {
		if ts < discardTS {
			panic("the discard timestamp must not decrease")
		}
		discardTS = ts
	}}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var live []*snapshot
	for range 10_000 {
		switch {
		case rng.IntN(3) == 0:
			s.advance(s.newest() + 1)
		case len(live) > 0 && rng.IntN(2) == 0:
			i := rng.IntN(len(live))
			s.release(live[i])
			live = append(live[:i], live[i+1:]...)
		default:
			live = append(live, s.acquire())
		}
		oldest := s.newest()
		for _, one := range live {
			oldest = min(oldest, one.ts)
		}
		require.Equal(t, oldest, discardTS, "seed %d", seed)
	}
}

func TestView_CompactionDuringView_KeepsSnapshot(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	s := setup(t)
	const rows = 300
	write := func(value string) {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			for i := range rows {
				if err := tx.Put(fmt.Appendf(nil, "%04d", i), []byte(value+string(make([]byte, 200)))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	check := func(r storage.Reader, o storage.ScanOptions) {
		n := 0
		for e, err := range r.Scan(t.Context(), storage.Range{}, o) {
			require.NoError(t, err)
			require.Equal(t, byte('0'), e.Value[0])
			n++
		}
		require.Equal(t, rows, n)
		for i := range rows {
			values, err := r.Get(t.Context(), fmt.Appendf(nil, "%04d", i))
			require.NoError(t, err)
			require.NotNil(t, values[0])
			require.Equal(t, byte('0'), values[0][0])
		}
	}
	write("0")
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		next, stop := iter.Pull2(r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}))
		defer stop()
		_, err, ok := next() // keep an iterator open
		require.NoError(t, err)
		require.True(t, ok)
		// Write until a compaction has rewritten a table: each round fills an eighth of the
		// in-memory table.
		for i := 0; !s.compacted(); i++ {
			require.Less(t, i, 5000, "number of writes without a compaction")
			write(string(rune('a' + i%20)))
		}
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			return tx.DeleteRange(t.Context(), storage.Range{})
		}))
		require.NoError(t, s.db.Flatten(2))
		check(r, storage.ScanOptions{})
		check(r, storage.ScanOptions{Reverse: true})
		n := 1
		for e, err, ok := next(); ok; e, err, ok = next() {
			require.NoError(t, err)
			require.Equal(t, byte('0'), e.Value[0])
			n++
		}
		require.Equal(t, rows, n)
		return nil
	}))
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Empty(t, keys(t, r, storage.ScanOptions{}))
		return nil
	}))
}

// compacted reports whether a table has been moved out of level 0.
func (s *Store) compacted() bool {
	for _, table := range s.db.Tables() {
		if table.Level > 0 {
			return true
		}
	}
	return false
}

func TestReader_AfterFn_ReturnsErrTxDone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range 10 {
		require.NoError(t, put(s, fmt.Sprint(i), "1"))
	}
	for name, run := range map[string]func(fn func(storage.Reader) error) error{
		"View": func(fn func(storage.Reader) error) error { return s.View(t.Context(), fn) },
		"Update": func(fn func(storage.Reader) error) error {
			return s.Update(t.Context(), func(tx storage.Tx) error { return fn(tx) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var kept storage.Reader
			var seq iter.Seq2[storage.Entry, error]
			var next func() (storage.Entry, error, bool)
			var stop func()
			require.NoError(t, run(func(r storage.Reader) error {
				kept, seq = r, r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{})
				next, stop = iter.Pull2(seq)
				_, err, ok := next()
				require.True(t, ok)
				return err
			}))
			require.Zero(t, kept.(interface{ OpenCursors() int }).OpenCursors())
			_, err, ok := next()
			require.True(t, ok)
			require.ErrorIs(t, err, storage.ErrTxDone)
			_, _, ok = next()
			require.False(t, ok)
			stop()
			for _, err := range seq {
				require.ErrorIs(t, err, storage.ErrTxDone)
			}
			_, err = kept.Get(t.Context(), []byte("1"))
			require.ErrorIs(t, err, storage.ErrTxDone)
			if tx, ok := kept.(storage.Tx); ok {
				require.Equal(t, "Update", name, "the handle of a View must not be a Tx")
				require.ErrorIs(t, tx.Put([]byte("1"), nil), storage.ErrTxDone)
				require.ErrorIs(t, tx.Delete([]byte("1")), storage.ErrTxDone)
				require.ErrorIs(t, tx.DeleteRange(t.Context(), storage.Range{}), storage.ErrTxDone)
			}
		})
	}
}

// Using a handle on another goroutine while fn returns is a mistake of the caller, but it
// must not crash the engine.
func TestReader_UsedByAnotherGoroutineWhileFnReturns_DoesNotCrash(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range 100 {
		require.NoError(t, put(s, fmt.Sprint(i), "1"))
	}
	var all sync.WaitGroup
	for range 20 {
		begun := make(chan struct{})
		require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
			all.Go(func() {
				close(begun)
				for {
					for _, err := range r.Scan(context.Background(), storage.Range{}, storage.ScanOptions{}) {
						if err != nil {
							return
						}
					}
				}
			})
			<-begun
			return nil
		}))
	}
	all.Wait()
	require.Empty(t, s.snaps.live)
}
