package badger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/groupcommit"
)

func TestGroupCommit_UpdatesDuringCommit_ShareTheNextOne(t *testing.T) {
	t.Parallel()
	s := setup(t)
	v := s.holdCommits(t)
	first := background(func() error { return put(s, "first", "1") })
	<-v.arrived // the commit stays blocked
	const n = 64
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = put(s, fmt.Sprintf("%02d", i), "1") })
	}
	s.awaitPending(n)
	v.outcome <- nil
	<-v.arrived
	v.outcome <- nil // a single commit contains all 64
	all.Wait()
	require.NoError(t, errors.Join(append(errs, <-first)...))
	require.Equal(t, uint64(3), s.snaps.newest(), "number of commits: the format, the first Update, and all others")
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), n+1)
		return nil
	}))
}

func TestGroupCommit_ConcurrentWriters_NeedFewerCommits(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var commits atomic.Int64
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		commits.Add(1)
		return commitAt(txn, ts)
	}
	const writers, each = 64, 20
	var all sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			for range each {
				// All goroutines increment the same number.
				errs[i] = errors.Join(errs[i], s.Update(context.Background(), func(tx storage.Tx) error {
					found, err := read(tx, "sum")
					if err != nil {
						return err
					}
					var sum int
					_, _ = fmt.Sscan(found[0], &sum)
					return tx.Put([]byte("sum"), fmt.Append(nil, sum+1))
				}))
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, []string{fmt.Sprint(writers * each)}, get(t, s, "sum"))
	require.Less(t, commits.Load(), int64(writers*each))
}

func TestView_DuringCommit_DoesNotWait(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "old"))
	v := s.holdCommits(t)
	done := background(func() error { return put(s, "a", "new") })
	<-v.arrived
	require.Equal(t, []string{"old"}, get(t, s, "a"))
	requireBlocked(t, done)
	v.outcome <- nil
	require.NoError(t, <-done)
	require.Equal(t, []string{"new"}, get(t, s, "a"))
}

func TestUpdate_DuringCommit_ReadsUncommittedBatches(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, key := range []string{"a", "b", "c", "d"} {
		require.NoError(t, put(s, key, "durable"))
	}
	v := s.holdCommits(t)
	committing := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			return errors.Join(tx.Put([]byte("b"), []byte("committing")), tx.Put([]byte("bb"), []byte("committing")),
				tx.Delete([]byte("d")), tx.Put([]byte("e"), []byte("committing")))
		})
	})
	<-v.arrived
	pendingUpdate := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			return errors.Join(tx.Put([]byte("c"), []byte("pending")), tx.Delete([]byte("bb")))
		})
	})
	s.awaitPending(2)
	reading := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			if err := tx.Put([]byte("e"), []byte("own")); err != nil {
				return err
			}
			found, err := read(tx, "a", "b", "bb", "c", "d", "e")
			require.Equal(t, []string{"durable", "committing", "-", "pending", "-", "own"}, found)
			require.Equal(t, []string{"a", "b", "c", "e"}, keys(t, tx, storage.ScanOptions{}))
			require.Equal(t, []string{"e", "c", "b", "a"}, keys(t, tx, storage.ScanOptions{Reverse: true}))
			require.Equal(t, []string{"e", "c"}, keys(t, tx, storage.ScanOptions{Reverse: true, Limit: 2}))
			return err
		})
	})
	s.awaitPending(3)
	v.outcome <- nil
	require.NoError(t, <-committing)
	<-v.arrived
	v.outcome <- nil
	require.NoError(t, <-pendingUpdate)
	require.NoError(t, <-reading)
	require.Equal(t, []string{"durable", "committing", "-", "pending", "-", "own"}, get(t, s, "a", "b", "bb", "c", "d", "e"))
}

// A third Update after two large ones waits until the pending batch has room, before it
// takes the writer token. So other waiting Updates can be cancelled, and Erase can take the
// token.
func TestUpdate_PendingBatchIsFull_WaitsWithoutWriterToken(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"rows", "bytes"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			if !testsize.Full() {
				s.flusher.MaxRows, s.flusher.MaxBytes = groupcommit.DefaultMaxRows/100, groupcommit.DefaultMaxBytes/20
			}
			fill := func(prefix byte) error {
				return s.Update(context.Background(), func(tx storage.Tx) error {
					if limit == "bytes" {
						value := make([]byte, s.limits.ValueBytes)
						for i := range s.flusher.MaxBytes/len(value) + 1 {
							if err := tx.Put([]byte{prefix, byte(i)}, value); err != nil {
								return err
							}
						}
						return nil
					}
					for i := range s.flusher.MaxRows {
						if err := tx.Put([]byte{prefix, byte(i >> 16), byte(i >> 8), byte(i)}, nil); err != nil {
							return err
						}
					}
					return nil
				})
			}
			hold, held := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(held) })
			defer release() // also if the test fails, because Close waits for the commit
			commitAt, first := s.flusher.commitAt, true
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				if first {
					first = false
					close(hold)
					<-held
				}
				return commitAt(txn, ts)
			}
			one := background(func() error { return fill('a') })
			<-hold
			two := background(func() error { return fill('b') })
			rows := s.flusher.MaxRows
			if limit == "bytes" {
				rows = s.flusher.MaxBytes/s.limits.ValueBytes + 1
			}
			s.awaitPending(rows)
			require.True(t, s.flusher.Full())
			s.flusher.Writer <- struct{}{} // the second Update has released the token
			<-s.flusher.Writer

			ctx, cancel := context.WithCancel(context.Background())
			ran := false
			three := background(func() error {
				return s.Update(context.Background(), func(tx storage.Tx) error {
					ran = true
					return tx.Put([]byte("three"), nil)
				})
			})
			cancelled := background(func() error {
				return s.Update(ctx, func(storage.Tx) error { return errors.New("fn must not run") })
			})
			for range 100 {
				runtime.Gosched()
			}
			select {
			case s.flusher.Writer <- struct{}{}:
				<-s.flusher.Writer
			case err := <-one:
				require.FailNow(t, "the first Update returned too early", "%v", err)
			}
			cancel()
			require.ErrorIs(t, <-cancelled, context.Canceled)
			requireBlocked(t, three)
			require.Equal(t, []string{"-"}, get(t, s, "three"), "value of a View during the commit")
			release()
			require.NoError(t, errors.Join(<-one, <-two, <-three))
			require.True(t, ran)
			require.Equal(t, []string{""}, get(t, s, "three"))
			require.Equal(t, uint64(4), s.snaps.newest(), "number of commits: the format and three batches")
		})
	}
}

func TestClose_PendingCommits_WaitsForThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	v := s.holdCommits(t)
	one := background(func() error { return put(s, "one", "1") })
	<-v.arrived
	two := background(func() error { return put(s, "two", "2") })
	s.awaitPending(1)
	closed := []chan error{background(s.Close), background(s.Close)}
	for s.gate.Enter() { // until Close has closed the gate
		s.gate.Leave()
		runtime.Gosched()
	}
	require.ErrorIs(t, put(s, "three", "3"), storage.ErrClosed)
	require.ErrorIs(t, s.View(t.Context(), func(storage.Reader) error { return nil }), storage.ErrClosed)
	require.ErrorIs(t, s.VerifyChecksum(t.Context()), storage.ErrClosed)
	requireBlocked(t, closed[0])
	requireBlocked(t, closed[1])
	v.outcome <- nil
	<-v.arrived
	v.outcome <- nil
	require.NoError(t, errors.Join(<-one, <-two, <-closed[0], <-closed[1], s.Close()))

	s = setupDir(t, dir)
	require.Equal(t, []string{"1", "2", "-"}, get(t, s, "one", "two", "three"))
}

func TestUpdate_PanicOrGoexit_ReleasesWriterToken(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "1"))
	scan := func(r storage.Reader, end func()) {
		for range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			end()
		}
	}
	boom := func() { panic("boom") }
	require.PanicsWithValue(t, "boom", func() {
		_ = s.Update(t.Context(), func(tx storage.Tx) error { scan(tx, boom); return nil })
	})
	require.PanicsWithValue(t, "boom", func() {
		_ = s.View(t.Context(), func(r storage.Reader) error { scan(r, boom); return nil })
	})
	for _, do := range []func(){
		func() {
			_ = s.Update(t.Context(), func(tx storage.Tx) error { scan(tx, runtime.Goexit); return nil })
		},
		func() {
			_ = s.View(t.Context(), func(r storage.Reader) error { scan(r, runtime.Goexit); return nil })
		},
	} {
		done := make(chan struct{})
		go func() { defer close(done); do() }()
		<-done
	}
	require.NoError(t, put(s, "a", "2"))
	require.Empty(t, s.snaps.live)
}

func BenchmarkDurableUpdates(b *testing.B) {
	for _, c := range []struct {
		name        string
		writers     int
		exclusively bool
	}{{"1 writer", 1, false}, {"64 writers", 64, false}, {"64 writers, one commit each", 64, true}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{MemTableBytes: minMemTable})
			require.NoError(b, err)
			defer s.Close()
			var n atomic.Int64
			var all sync.WaitGroup
			var turn sync.Mutex
			for range c.writers {
				all.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						if c.exclusively {
							turn.Lock()
						}
						err := s.Update(context.Background(), func(tx storage.Tx) error {
							for j := range 3 {
								if err := tx.Put(fmt.Appendf(nil, "%d/%d", i, j), make([]byte, 200)); err != nil {
									return err
								}
							}
							return nil
						})
						if c.exclusively {
							turn.Unlock()
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
