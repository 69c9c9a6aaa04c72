package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const duration = 30 * time.Second

func leasesOn(t *testing.T, store storage.Store) *lease.Leases {
	t.Helper()
	l, err := lease.New(store, lease.Options{Duration: duration})
	require.NoError(t, err)
	return l
}

// run renews the leases of a process until the returned function is called.
func run(t *testing.T, l *lease.Leases) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := l.Run(ctx, func(err error) { t.Errorf("renewing: %v", err) }); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	}()
	return func() { cancel(); <-stopped }
}

func check(t *testing.T, store storage.Store, held *lease.Lease) error {
	t.Helper()
	return store.View(t.Context(), func(r storage.Reader) error { return held.Check(t.Context(), r) })
}

func isDone(l *lease.Lease) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

func TestAcquire_HeldByAnother_ReturnsErrHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := leasesOn(t, store), leasesOn(t, store)
		defer run(t, a)()
		held, err := a.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		require.Equal(t, "sweep", held.Name())
		require.Equal(t, duration, held.Remaining())
		for range 20 {
			time.Sleep(duration / 2)
			_, err = b.Acquire(t.Context(), "sweep")
			require.ErrorIs(t, err, lease.ErrHeld)
			_, err = a.Acquire(t.Context(), "sweep")
			require.ErrorIs(t, err, lease.ErrHeld, "the holder itself")
			require.NoError(t, check(t, store, held))
			require.GreaterOrEqual(t, held.Remaining(), duration/2)
		}
		_, err = b.Acquire(t.Context(), "purge")
		require.NoError(t, err, "another name")
	})
}

func TestAcquire_HolderStoppedRenewing_TakesOverAfterTheDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := leasesOn(t, store), leasesOn(t, store)
		stop := run(t, a)
		held, err := a.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		time.Sleep(3*duration - 1)
		stop()

		_, err = b.Acquire(t.Context(), "sweep")
		require.ErrorIs(t, err, lease.ErrHeld)
		time.Sleep(duration - 1)
		_, err = b.Acquire(t.Context(), "sweep")
		require.ErrorIs(t, err, lease.ErrHeld)
		require.Zero(t, held.Remaining(), "the old holder's lease ends before another process can take it")
		require.ErrorIs(t, check(t, store, held), lease.ErrLost)
		time.Sleep(time.Nanosecond)
		taken, err := b.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		require.NoError(t, check(t, store, taken))
		require.ErrorIs(t, check(t, store, held), lease.ErrLost)

		defer run(t, a)()
		time.Sleep(duration / 2)
		require.True(t, isDone(held), "the old holder notices at its next renewal")
		require.False(t, isDone(taken))
	})
}

// A process that reads a lease for the first time does not know its age, even if the holder stopped long ago.
func TestAcquire_FirstSeenLate_WaitsForTheWholeDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		_, err := leasesOn(t, store).Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		b := leasesOn(t, store)
		_, err = b.Acquire(t.Context(), "sweep")
		require.ErrorIs(t, err, lease.ErrHeld)
		time.Sleep(duration)
		_, err = b.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
	})
}

// The holder's duration applies, not that of the waiting process.
func TestAcquire_HolderHasALongerDuration_WaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		slow, err := lease.New(store, lease.Options{Duration: 10 * duration})
		require.NoError(t, err)
		_, err = slow.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		b := leasesOn(t, store)
		for range 10 {
			_, err = b.Acquire(t.Context(), "sweep")
			require.ErrorIs(t, err, lease.ErrHeld)
			time.Sleep(duration)
		}
		_, err = b.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
	})
}

func TestRelease_LetsAnotherProcessAcquireAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := leasesOn(t, store), leasesOn(t, store)
		held, err := a.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		require.NoError(t, held.Release(t.Context()))
		require.True(t, isDone(held))
		require.Zero(t, held.Remaining())
		require.ErrorIs(t, check(t, store, held), lease.ErrLost)
		next, err := b.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		require.NoError(t, held.Release(t.Context()), "again")
		require.NoError(t, check(t, store, next), "the old holder does not release the new one's lease")
	})
}

// A lease that was released and acquired again must not look unchanged to a process that saw it before.
func TestAcquire_ReleasedAndAcquiredAgain_IsNotTakenOverEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := leasesOn(t, store), leasesOn(t, store)
		held, err := a.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		_, err = b.Acquire(t.Context(), "sweep")
		require.ErrorIs(t, err, lease.ErrHeld)
		time.Sleep(duration - 1)
		require.NoError(t, held.Release(t.Context()))
		held, err = a.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		time.Sleep(duration - 1)
		_, err = b.Acquire(t.Context(), "sweep")
		require.ErrorIs(t, err, lease.ErrHeld)
		require.Equal(t, time.Duration(1), held.Remaining())
	})
}

func TestRun_StoreFails_LeasesEndAfterTheirDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failingStore{Store: memory.New()}
		l := leasesOn(t, store)
		held, err := l.Acquire(t.Context(), "sweep")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var reported []error
		finished := make(chan error)
		go func() {
			finished <- l.Run(ctx, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				reported = append(reported, err)
			})
		}()
		time.Sleep(2*duration/3 + 1) // it was renewed twice
		store.fail(errDown)
		time.Sleep(duration - 2)
		synctest.Wait()
		require.False(t, isDone(held))
		time.Sleep(duration/3 + 2)
		synctest.Wait()
		require.True(t, isDone(held))
		require.ErrorIs(t, check(t, store.Store, held), lease.ErrLost)
		cancel()
		require.ErrorIs(t, <-finished, context.Canceled)
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, reported, 3)
		require.ErrorIs(t, reported[0], errDown)

		store.fail(nil)
		require.NoError(t, held.Release(t.Context()))
	})
}

func TestNew_ShortDuration_ReturnsError(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-1, 1, 2 * time.Millisecond} {
		_, err := lease.New(memory.New(), lease.Options{Duration: d})
		require.ErrorContains(t, err, "too short; use at least 3ms")
	}
}

func TestAcquire_InvalidName_ReturnsError(t *testing.T) {
	t.Parallel()
	l := leasesOn(t, memory.New())
	for _, name := range []string{"", strings.Repeat("x", lease.MaxNameBytes+1)} {
		_, err := l.Acquire(t.Context(), name)
		require.ErrorContains(t, err, "is not from 1 to 1024 bytes long")
	}
	_, err := l.Acquire(t.Context(), strings.Repeat("x", lease.MaxNameBytes))
	require.NoError(t, err)
}

func TestAcquire_DamagedRow_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	store := memory.New()
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error { return tx.Put(layout.Lease("sweep"), []byte("x")) }))
	_, err := leasesOn(t, store).Acquire(t.Context(), "sweep")
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// Processes acquire, pause, crash and release at random. Two processes never pass Check for the same lease at the same
// time. A lease that is requested by a process that does not crash is never without a holder for longer than two durations.
func TestLeases_RandomPausesAndCrashes_OneHolderAtATime(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		store := memory.New()
		type process struct {
			leases *lease.Leases
			since  time.Time // when it was started
			stop   func()    // nil while it is paused
			held   *lease.Lease
		}
		processes := make([]process, 4)
		for i := range processes {
			processes[i] = process{leases: leasesOn(t, store), since: time.Now()}
		}
		takeovers, idleSince := 0, time.Now()
		for step := range 4000 {
			p := &processes[random.IntN(len(processes))]
			switch random.IntN(8) {
			case 0:
				if p.stop == nil {
					p.stop = run(t, p.leases)
				}
			case 1:
				if p.stop != nil {
					p.stop()
					p.stop = nil
				}
			case 2:
				if p.held != nil {
					require.NoError(t, p.held.Release(t.Context()))
					p.held = nil
				}
			case 3: // it crashes, and the new process has no memory of leases
				if p.stop != nil {
					p.stop()
				}
				*p = process{leases: leasesOn(t, store), since: time.Now()}
			}
			for i := range processes { // every process tries, so the lease is not free for long
				p := &processes[i]
				held, err := p.leases.Acquire(t.Context(), "sweep")
				if err == nil {
					p.held = held
					takeovers++
				} else {
					require.ErrorIs(t, err, lease.ErrHeld, "step %d", step)
				}
			}
			var holders []string
			for i, p := range processes {
				if p.held != nil && check(t, store, p.held) == nil {
					holders = append(holders, fmt.Sprint(i))
				}
			}
			require.LessOrEqual(t, len(holders), 1, "step %d: %v", step, holders)
			if len(holders) == 1 {
				idleSince = time.Now()
			}
			oldest := slices.MinFunc(processes, func(a, b process) int { return a.since.Compare(b.since) })
			require.LessOrEqual(t, min(time.Since(idleSince), time.Since(oldest.since)), 2*duration, "step %d: no process holds the lease", step)
			time.Sleep(time.Duration(random.Int64N(int64(duration / 4))))
		}
		require.Greater(t, takeovers, 100)
		for _, p := range processes {
			if p.stop != nil {
				p.stop()
			}
		}
	})
}

var errDown = errors.New("the store is down")

// failingStore fails every Update while an error is set.
type failingStore struct {
	storage.Store
	mu  sync.Mutex
	err error
}

func (s *failingStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *failingStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, fn, reads...)
}
