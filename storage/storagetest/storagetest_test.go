package storagetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// storesByDir keeps memory stores by directory for the test of RunDurable. Close does not
// discard their data.
type storesByDir struct {
	mu     sync.Mutex
	stores map[string]storage.Store
}

type withoutClose struct{ storage.Store }

func (withoutClose) Close() error { return nil }

func (s *storesByDir) open(t *testing.T, dir string) storage.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stores[dir] == nil {
		m := memory.New()
		t.Cleanup(func() { _ = m.Close() })
		s.stores[dir] = m
	}
	return withoutClose{s.stores[dir]}
}

func TestRunDurable_MemoryStores_Passes(t *testing.T) {
	t.Parallel()
	s := &storesByDir{stores: map[string]storage.Store{}}
	RunDurable(t, s.open)
}

func TestRunPair_MemoryAndModel_Passes(t *testing.T) {
	t.Parallel()
	RunPair(t,
		func(*testing.T) storage.Store { return memory.New() },
		func(*testing.T) storage.Store { return newModel() })
}

// The clock of synctest advances when all goroutines are blocked, as in a store with a
// deadlock.
func TestWatchdog_Deadlock_PrintsGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var report string
		watchFor(t, time.Hour, func(r string) {
			report = r
			cancel() // end the test
		})
		require.ErrorIs(t, s.Update(ctx, func(storage.Tx) error {
			return s.Update(ctx, func(storage.Tx) error { return nil })
		}), context.Canceled)
		require.Contains(t, report, t.Name()+" has not ended after 1h0m0s")
		require.GreaterOrEqual(t, strings.Count(report, "memory.(*Store).Update"), 2, "goroutines in the report:\n%s", report)
	})
}
