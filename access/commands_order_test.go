package access_test

import (
	"bytes"
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// oneFailure fails one Update: the one that lowers left to zero.
type oneFailure struct {
	storage.Store
	left atomic.Int64
}

func (s *oneFailure) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if s.left.Add(-1) == 0 {
		return errDisk
	}
	return s.Store.Update(ctx, fn, reads...)
}

// oneUnknown commits all Updates, and reports for one of them that it does not know whether it took effect.
type oneUnknown struct {
	storage.Store
	left atomic.Int64
}

func (s *oneUnknown) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if err := s.Store.Update(ctx, fn, reads...); err != nil || s.left.Add(-1) != 0 {
		return err
	}
	return storage.ErrUnknown
}

// TestDo_OneUpdateHasUnknownResult_EachCommandSucceedsOnce does this for each of the first Updates in turn.
func TestDo_OneUpdateHasUnknownResult_EachCommandSucceedsOnce(t *testing.T) {
	t.Parallel()
	for n := int64(1); n < 8; n++ {
		synctest.Test(t, func(t *testing.T) {
			store := &oneUnknown{Store: memory.New()}
			h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
			connect(t, h.scope, "anna")
			stop := start(t, h.svc)
			synctest.Wait()
			stop()
			id := h.device("l1").ID
			var ids []uuid.UUID
			want := []device.CommandKind{device.Unlock, device.Lock}
			for _, kind := range want {
				a, err := h.scope.Do(t.Context(), id, device.Command{Kind: kind}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				ids = append(ids, a.ID)
			}
			store.left.Store(n)
			defer start(t, h.svc)()
			time.Sleep(40 * time.Second)
			synctest.Wait()
			require.Equal(t, want, h.sentKinds(), "Update %d", n)
			for _, id := range ids {
				a, err := h.scope.Attempt(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status, "Update %d: %+v", n, a.Error)
				require.True(t, a.Confirmed)
				activities := 0
				for _, activity := range h.activities() {
					if activity.AttemptID == id {
						activities++
					}
				}
				require.Equal(t, 1, activities)
			}
		})
	}
}

// TestDo_OneUpdateFails_CommandsKeepTheirOrder fails each of the first Updates after the first command in turn.
func TestDo_OneUpdateFails_CommandsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	want := []device.CommandKind{device.Lock, device.Unlock, device.Lock}
	for n := int64(1); n < 8; n++ {
		synctest.Test(t, func(t *testing.T) {
			store := &oneFailure{Store: memory.New()}
			h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
			connect(t, h.scope, "anna")
			defer start(t, h.svc)()
			synctest.Wait()
			release := h.world.Hold("l1")
			id := h.device("l1").ID
			for _, kind := range want {
				_, err := h.scope.Do(t.Context(), id, device.Command{Kind: kind}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
			store.left.Store(n)
			release()
			time.Sleep(30 * time.Second)
			synctest.Wait()
			require.Equal(t, want, h.sentKinds(), "Update %d failed", n)
			require.True(t, h.world.Device("l1").State.Locked.Is(true))
		})
	}
}

// staleQueue reports for the first Update that claims an attempt that it does not know whether it took effect, and withholds the
// queue of attempts that was read before the claim is withdrawn until afterwards.
type staleQueue struct {
	storage.Store
	claimed, withheld atomic.Bool
}

func (s *staleQueue) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	claims := false
	put := func(key, value []byte) error {
		claims = claims || layout.Parse(key).Shape == layout.ShapeAttempt && bytes.Contains(value, []byte(`"sent":`))
		return nil
	}
	err := s.Store.Update(ctx, func(tx storage.Tx) error { claims = false; return fn(hookedTx{tx, put}) }, reads...)
	if err != nil || !claims || !s.claimed.CompareAndSwap(false, true) {
		return err
	}
	time.Sleep(2 * access.DefaultPoll) // the queue is read
	return storage.ErrUnknown
}

func (s *staleQueue) View(ctx context.Context, fn func(storage.Reader) error) error {
	r := &queueReader{}
	err := s.Store.View(ctx, func(reader storage.Reader) error { r.Reader = reader; return fn(r) })
	if r.queue && s.claimed.Load() && s.withheld.CompareAndSwap(false, true) {
		time.Sleep(4 * access.DefaultPoll) // the claim is withdrawn
	}
	return err
}

// queueReader records whether the queue of attempts is read.
type queueReader struct {
	storage.Reader
	queue bool
}

func (r *queueReader) Scan(ctx context.Context, scanned storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	r.queue = r.queue || bytes.Equal(scanned.Start, layout.AttemptQueuePrefix())
	return r.Reader.Scan(ctx, scanned, o)
}

func TestDo_QueueWasReadBeforeAClaimIsWithdrawn_CommandsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &staleQueue{Store: memory.New()}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		id := h.device("l1").ID
		want := []device.CommandKind{device.Unlock, device.Lock}
		for _, kind := range want {
			_, err := h.scope.Do(t.Context(), id, device.Command{Kind: kind}, data.Actor{}, time.Minute)
			require.NoError(t, err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.True(t, store.withheld.Load())
		require.Equal(t, want, h.sentKinds())
	})
}
