package badger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// setup opens a store in a new directory.
func setup(t *testing.T) *Store {
	t.Helper()
	return setupDir(t, t.TempDir())
}

func setupDir(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{MemTableBytes: minMemTable})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func put(s *Store, key, value string) error {
	return s.Update(context.Background(), func(tx storage.Tx) error {
		return tx.Put([]byte(key), []byte(value))
	})
}

// get is what a View finds; absent keys are "-".
func get(t *testing.T, s *Store, keys ...string) []string {
	t.Helper()
	var found []string
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		var err error
		found, err = read(r, keys...)
		return err
	}))
	return found
}

func read(r storage.Reader, keys ...string) ([]string, error) {
	var found []string
	for _, key := range keys {
		values, err := r.Get(context.Background(), []byte(key))
		if err != nil {
			return nil, err
		}
		if values[0] == nil {
			found = append(found, "-")
			continue
		}
		found = append(found, string(values[0]))
	}
	return found, nil
}

func keys(t *testing.T, r storage.Reader, o storage.ScanOptions) []string {
	t.Helper()
	all := []string{}
	for e, err := range r.Scan(t.Context(), storage.Range{}, o) {
		require.NoError(t, err)
		all = append(all, string(e.Key))
	}
	return all
}

// valve holds each commit until the test lets it go, with an outcome, or ends.
type valve struct {
	arrived chan struct{}
	outcome chan error
}

func (s *Store) valve(t *testing.T) *valve {
	v := &valve{arrived: make(chan struct{}), outcome: make(chan error)}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) }) // before the store is closed
	through := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		select {
		case v.arrived <- struct{}{}:
		case <-over:
		}
		select {
		case err := <-v.outcome:
			if err != nil {
				return err
			}
		case <-over:
		}
		return through(txn, ts)
	}
	return v
}

func background(fn func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// gathered waits until the gathering batch holds n keys.
func (s *Store) gathered(n int) {
	for {
		s.flusher.mu.Lock()
		b := s.flusher.pending
		enough := b != nil && b.writes.len() == n
		s.flusher.mu.Unlock()
		if enough {
			return
		}
		runtime.Gosched()
	}
}

func pending(t *testing.T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		require.FailNow(t, "returned too early", "with %v", err)
	default:
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := setup(t)
	v := s.valve(t)
	first := background(func() error { return put(s, "first", "1") })
	<-v.arrived // and stays on its way
	const n = 64
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = put(s, fmt.Sprintf("%02d", i), "1") })
	}
	s.gathered(n)
	v.outcome <- nil
	<-v.arrived
	v.outcome <- nil // the one commit that carries all 64
	all.Wait()
	require.NoError(t, errors.Join(append(errs, <-first)...))
	require.Equal(t, uint64(3), s.snaps.newest(), "the format, the first, and all others at once")
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), n+1)
		return nil
	}))
}

func TestGroupCommitUnderLoad(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var commits atomic.Int64
	through := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		commits.Add(1)
		return through(txn, ts)
	}
	const writers, each = 64, 20
	var all sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			for range each {
				// Everybody adds one to the same number.
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

func TestViewDoesNotWaitForACommit(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "old"))
	v := s.valve(t)
	done := background(func() error { return put(s, "a", "new") })
	<-v.arrived
	require.Equal(t, []string{"old"}, get(t, s, "a"))
	pending(t, done)
	v.outcome <- nil
	require.NoError(t, <-done)
	require.Equal(t, []string{"new"}, get(t, s, "a"))
}

func TestUpdateRunsOnTopOfWritesOnTheirWay(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, key := range []string{"a", "b", "c", "d"} {
		require.NoError(t, put(s, key, "durable"))
	}
	v := s.valve(t)
	flushing := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			return errors.Join(tx.Put([]byte("b"), []byte("flushing")), tx.Put([]byte("bb"), []byte("flushing")),
				tx.Delete([]byte("d")), tx.Put([]byte("e"), []byte("flushing")))
		})
	})
	<-v.arrived
	gathering := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			return errors.Join(tx.Put([]byte("c"), []byte("gathering")), tx.Delete([]byte("bb")))
		})
	})
	s.gathered(2)
	reading := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			if err := tx.Put([]byte("e"), []byte("own")); err != nil {
				return err
			}
			found, err := read(tx, "a", "b", "bb", "c", "d", "e")
			require.Equal(t, []string{"durable", "flushing", "-", "gathering", "-", "own"}, found)
			require.Equal(t, []string{"a", "b", "c", "e"}, keys(t, tx, storage.ScanOptions{}))
			require.Equal(t, []string{"e", "c", "b", "a"}, keys(t, tx, storage.ScanOptions{Reverse: true}))
			require.Equal(t, []string{"e", "c"}, keys(t, tx, storage.ScanOptions{Reverse: true, Limit: 2}))
			return err
		})
	})
	s.gathered(3)
	v.outcome <- nil
	require.NoError(t, <-flushing)
	<-v.arrived
	v.outcome <- nil
	require.NoError(t, <-gathering)
	require.NoError(t, <-reading)
	require.Equal(t, []string{"durable", "flushing", "-", "gathering", "-", "own"}, get(t, s, "a", "b", "bb", "c", "d", "e"))
}

func TestFailedCommitFailsAllThatDependOnIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "durable"))
	v := s.valve(t)
	errOfFn := errors.New("of fn")

	in := background(func() error { return put(s, "a", "lost") })
	<-v.arrived
	onTop := background(func() error { return put(s, "b", "lost") })
	s.gathered(1)
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
	// One that still runs when the commit fails, and writes afterwards.
	started, goOn := make(chan struct{}), make(chan struct{})
	running := background(func() error {
		return s.Update(context.Background(), func(tx storage.Tx) error {
			close(started)
			<-goOn
			return tx.Put([]byte("c"), []byte("lost"))
		})
	})
	<-started
	for _, done := range []chan error{in, onTop, readOnly, failing} {
		pending(t, done)
	}
	v.outcome <- fmt.Errorf("with a key in it: %w", syscall.ENOSPC)
	require.ErrorIs(t, <-in, syscall.ENOSPC)
	require.ErrorIs(t, <-onTop, syscall.ENOSPC)
	close(goOn)
	require.ErrorIs(t, <-running, syscall.ENOSPC)
	require.ErrorIs(t, <-readOnly, syscall.ENOSPC)
	require.ErrorIs(t, <-failing, syscall.ENOSPC)
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

// What fn saw of a commit on its way must not leave before it is durable: neither
// by an error nor by a result of an Update that wrote nothing.
func TestUpdateThatOnlyReadWaitsForWhatItRead(t *testing.T) {
	t.Parallel()
	errOfFn := errors.New("of fn")
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
		"doomed": {end: func(_ context.Context, _ func(), tx storage.Tx) error {
			_ = tx.Put(make([]byte, engineKeyBytes), nil)
			return nil
		}, want: storage.ErrKeyTooLarge},
	} {
		for _, outcome := range []error{nil, syscall.EIO} {
			t.Run(fmt.Sprintf("%s, commit %v", name, outcome), func(t *testing.T) {
				t.Parallel()
				s := setup(t)
				v := s.valve(t)
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
				// The writer's turn comes round again, so the reading Update is past its fn.
				s.writer <- struct{}{}
				<-s.writer
				for range 100 {
					runtime.Gosched()
				}
				pending(t, done)
				v.outcome <- outcome
				want := c.want
				if outcome != nil {
					want = outcome
				}
				require.ErrorIs(t, <-done, want)
				require.ErrorIs(t, <-writer, outcome)
			})
		}
	}
}

func TestCommitThatFailedHalfWayHaltsTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", "durable"))
	through := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return errors.Join(through(txn, ts), syscall.EIO)
	}
	err := put(s, "a", "unknown")
	require.ErrorIs(t, err, ErrHalted)
	require.ErrorIs(t, err, storage.ErrUnknown)
	require.ErrorIs(t, err, syscall.EIO)
	err = put(s, "b", "refused")
	require.ErrorIs(t, err, ErrHalted)
	require.NotErrorIs(t, err, storage.ErrUnknown, "nothing of it was written")
	require.Equal(t, []string{"durable", "-"}, get(t, s, "a", "b"), "Views go on")
	require.NoError(t, s.Close())

	s = setupDir(t, dir)
	require.Equal(t, []string{"unknown", "-"}, get(t, s, "a", "b"))
	require.NoError(t, put(s, "b", "again"))
}

// A third Update behind two large ones waits until there is room for it, and does so
// before it takes the turn of a writer: others can still leave, and Erase can wait too.
func TestUpdate_FullBatchGathering_WaitsWithoutTheTurn(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"rows", "bytes"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			fill := func(prefix byte) error {
				return s.Update(context.Background(), func(tx storage.Tx) error {
					if limit == "bytes" {
						value := make([]byte, s.limits.ValueBytes)
						for i := range maxBatchBytes/len(value) + 1 {
							if err := tx.Put([]byte{prefix, byte(i)}, value); err != nil {
								return err
							}
						}
						return nil
					}
					for i := range maxBatchRows {
						if err := tx.Put([]byte{prefix, byte(i >> 16), byte(i >> 8), byte(i)}, nil); err != nil {
							return err
						}
					}
					return nil
				})
			}
			hold, release := make(chan struct{}), make(chan struct{})
			through, first := s.flusher.commitAt, true
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				if first {
					first = false
					close(hold)
					<-release
				}
				return through(txn, ts)
			}
			one := background(func() error { return fill('a') })
			<-hold
			two := background(func() error { return fill('b') })
			for s.flusher.fullBatch() == nil {
				runtime.Gosched()
			}
			s.writer <- struct{}{} // the second one has given its turn back
			<-s.writer

			ctx, cancel := context.WithCancel(context.Background())
			ran := false
			three := background(func() error {
				return s.Update(context.Background(), func(tx storage.Tx) error {
					ran = true
					return tx.Put([]byte("three"), nil)
				})
			})
			cancelled := background(func() error {
				return s.Update(ctx, func(storage.Tx) error { return errors.New("it must not run") })
			})
			for range 100 {
				runtime.Gosched()
			}
			select {
			case s.writer <- struct{}{}:
				<-s.writer
			case err := <-one:
				require.FailNow(t, "the first one returned too early", "%v", err)
			}
			cancel()
			require.ErrorIs(t, <-cancelled, context.Canceled)
			pending(t, three)
			require.Equal(t, []string{"-"}, get(t, s, "three"), "a View does not wait")
			close(release)
			require.NoError(t, errors.Join(<-one, <-two, <-three))
			require.True(t, ran)
			require.Equal(t, []string{""}, get(t, s, "three"))
			require.Equal(t, uint64(4), s.snaps.newest(), "three batches after the format")
		})
	}
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	v := s.valve(t)
	one := background(func() error { return put(s, "one", "1") })
	<-v.arrived
	two := background(func() error { return put(s, "two", "2") })
	s.gathered(1)
	closed := []chan error{background(s.Close), background(s.Close)}
	for s.gate.Enter() { // until Close has shut it
		s.gate.Leave()
		runtime.Gosched()
	}
	require.ErrorIs(t, put(s, "three", "3"), storage.ErrClosed)
	require.ErrorIs(t, s.View(t.Context(), func(storage.Reader) error { return nil }), storage.ErrClosed)
	require.ErrorIs(t, s.VerifyChecksum(t.Context()), storage.ErrClosed)
	pending(t, closed[0])
	pending(t, closed[1])
	v.outcome <- nil
	<-v.arrived
	v.outcome <- nil
	require.NoError(t, errors.Join(<-one, <-two, <-closed[0], <-closed[1], s.Close()))

	s = setupDir(t, dir)
	require.Equal(t, []string{"1", "2", "-"}, get(t, s, "one", "two", "three"))
}

func TestPanicAndGoexitGiveTheTurnBack(t *testing.T) {
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
			s, err := Open(b.TempDir(), Options{})
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
