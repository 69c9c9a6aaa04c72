package access_test

import (
	"bytes"
	"context"
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
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// sentKinds returns the kinds of the commands that the world received, in order.
func (h *hotel) sentKinds() (sent []device.CommandKind) {
	for _, call := range h.world.Calls() {
		if call.Method == "Do" {
			sent = append(sent, call.Command.Kind)
		}
	}
	return sent
}

func TestDeleteAccount_CommandsThatWait_EndAsDeviceNotFound(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		release := h.world.Hold("l1")
		defer release()
		d := h.device("l1")
		var waiting access.ActionAttempt
		for range 2 { // the first is being sent
			var err error
			waiting, err = h.scope.Do(t.Context(), d.ID, device.Command{Kind: device.Unlock}, data.Actor{}, access.MaxDeadline)
			require.NoError(t, err)
			synctest.Wait()
		}
		_, err := h.scope.DeleteAccount(t.Context(), d.AccountID)
		require.NoError(t, err)
		time.Sleep(2 * access.DefaultPoll)
		synctest.Wait()
		waiting, err = h.scope.Attempt(t.Context(), waiting.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptError, waiting.Status)
		require.Equal(t, access.ErrorDeviceNotFound, waiting.Error.Type)
		require.Len(t, h.sentKinds(), 1)
	})
}

// queueRow returns the key of the queue and the key of the row of an attempt that has not ended.
func (h *hotel) queueRow(id uuid.UUID) (queue, row []byte) {
	h.t.Helper()
	require.NoError(h.t, h.store.View(h.t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(h.t.Context(), storage.Prefix(layout.AttemptQueuePrefix()), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			_, customer, attempt, err := layout.ParseAttemptQueueEntry(e.Key, e.Value)
			if err == nil && attempt == id {
				queue, row = e.Key, layout.Attempt(customer, attempt)
			}
		}
		return nil
	}))
	require.NotNil(h.t, row)
	return queue, row
}

func TestRun_DamagedAttempt_OtherCommandsAreSent(t *testing.T) {
	t.Parallel()
	for name, damaged := range map[string]func(queue, row []byte) []byte{
		"row of the attempt": func(_, row []byte) []byte { return row },
		"row of the queue":   func(queue, _ []byte) []byte { return queue },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				connect(t, h.scope, "anna")
				stop := start(t, h.svc)
				synctest.Wait()
				stop()
				id := h.device("l1").ID
				first, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				key := damaged(h.queueRow(first.ID))
				require.NoError(t, h.store.Update(t.Context(), func(tx storage.Tx) error { return tx.Put(key, []byte("{")) }))
				defer start(t, h.svc)()
				second, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Lock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				time.Sleep(30 * time.Second)
				synctest.Wait()
				second, err = h.scope.Attempt(t.Context(), second.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, second.Status)
				require.Equal(t, []device.CommandKind{device.Lock}, h.sentKinds())
			})
		})
	}
}

// hookedStore calls a function before each Put, which can refuse it, and another one after each Update that succeeded.
type hookedStore struct {
	storage.Store
	put   func(key, value []byte) error
	after func()
}

type hookedTx struct {
	storage.Tx
	put func(key, value []byte) error
}

func (tx hookedTx) Put(key, value []byte) error {
	if err := tx.put(key, value); err != nil {
		return err
	}
	return tx.Tx.Put(key, value)
}

func (s *hookedStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	err := s.Store.Update(ctx, func(tx storage.Tx) error { return fn(hookedTx{tx, s.put}) }, reads...)
	if err == nil {
		s.after()
	}
	return err
}

func TestRun_OverdueAttemptCannotBeEnded_OtherCommandsAreSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refused atomic.Pointer[[]byte]
		store := &hookedStore{Store: memory.New(), after: func() {}, put: func(key, _ []byte) error {
			if r := refused.Load(); r != nil && bytes.Equal(key, *r) {
				return errDisk
			}
			return nil
		}}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		overdue, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, time.Second)
		require.NoError(t, err)
		_, row := h.queueRow(overdue.ID)
		refused.Store(&row)
		time.Sleep(time.Minute)
		defer start(t, h.svc)()
		time.Sleep(time.Minute)
		a, err := h.scope.Do(t.Context(), h.device("l2").ID, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()
		a, err = h.scope.Attempt(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		refused.Store(nil)
		time.Sleep(time.Minute)
		overdue, err = h.scope.Attempt(t.Context(), overdue.ID)
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, overdue.Error.Type)
	})
}

// TestDo_LeaseNearlyEndsBeforeTheCall_CommandIsSentLater stalls the process after the Update that records that a command is being
// sent, until less than the margin of the lease is left.
func TestDo_LeaseNearlyEndsBeforeTheCall_CommandIsSentLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var claims atomic.Int64
		var stalled atomic.Bool
		store := &hookedStore{Store: memory.New(), put: func(_, value []byte) error {
			if stalled.Load() {
				return errDisk
			}
			if bytes.Contains(value, []byte(`"sent":`)) {
				claims.Add(1)
			}
			return nil
		}}
		store.after = func() {
			if claims.CompareAndSwap(1, 2) {
				stalled.Store(true)
				time.Sleep(lease.DefaultDuration * 19 / 20)
				stalled.Store(false)
			}
		}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, access.MaxDeadline)
		require.NoError(t, err)
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Greater(t, claims.Load(), int64(1))
		require.Equal(t, access.AttemptSuccess, a.Status, "%+v", a.Error)
		require.Equal(t, []device.CommandKind{device.Unlock}, h.sentKinds())
	})
}

func TestDo_LittleTimeLeftBeforeTheDeadline_CommandIsNotSent(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		release := h.world.Hold("l1")
		id := h.device("l1").ID
		_, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
		require.NoError(t, err)
		synctest.Wait()
		late, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Lock}, data.Actor{}, 4*time.Second)
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		release()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		late, err = h.scope.Attempt(t.Context(), late.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptError, late.Status)
		require.Equal(t, access.ErrorTimedOut, late.Error.Type)
		require.Equal(t, []device.CommandKind{device.Unlock}, h.sentKinds())
	})
}

// lateEvents is a driver whose events arrive a second late.
type lateEvents struct{ device.Provider }

type lateConn struct{ device.Conn }

func (p lateEvents) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return lateConn{conn}, nil
}

func (c lateConn) Watch(ctx context.Context, fn func(device.Event)) error {
	return c.Conn.Watch(ctx, func(e device.Event) {
		time.Sleep(time.Second)
		fn(e)
	})
}

// slowStore delays one Update while delay is not zero.
type slowStore struct {
	storage.Store
	delay atomic.Int64
}

func (s *slowStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	time.Sleep(time.Duration(s.delay.Swap(0)))
	return s.Store.Update(ctx, fn, reads...)
}

// TestDo_AttemptEndedBeforeTheDeviceAnswered_EventIsStored ends an attempt, as another process does, while the device executes it.
func TestDo_AttemptEndedBeforeTheDeviceAnswered_EventIsStored(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{
		"event after the result":                 0,
		"event while the result is being stored": 2 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{Store: memory.New()}
				h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
				h.svc, h.scope = h.service("late", access.Options{Providers: []device.Provider{lateEvents{h.world.Provider("late")}}})
				connect(t, h.scope, "anna")
				defer start(t, h.svc)()
				time.Sleep(10 * time.Second)
				release := h.world.Hold("l1")
				a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				synctest.Wait()
				queue, row := h.queueRow(a.ID)
				require.NoError(t, store.Store.Update(t.Context(), func(tx storage.Tx) error {
					values, err := tx.Get(t.Context(), row)
					if err != nil {
						return err
					}
					if err := tx.Put(row, bytes.Replace(values[0], []byte(`"status":"pending"`), []byte(`"status":"error"`), 1)); err != nil {
						return err
					}
					return tx.Delete(queue)
				}))
				store.delay.Store(int64(delay))
				release()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				activities := h.activities()
				require.Equal(t, []access.ActivityKind{access.ActivityUnlocked, access.ActivityDeviceListed}, kinds(activities))
				require.Equal(t, a.ID, activities[0].AttemptID)
				require.Equal(t, &a.Actor, activities[0].Actor)
			})
		})
	}
}

// overtaken calls a function before the next Update.
type overtaken struct {
	storage.Store
	before func()
}

func (s *overtaken) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Update(ctx, fn, reads...)
}

func TestDo_TwoCommandsAtTheLimit_OneIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		id := h.device("l1").ID
		unlock := func(scope *access.Scope) error {
			_, err := scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, access.MaxDeadline)
			return err
		}
		for i := range 99 {
			if i == 50 {
				time.Sleep(time.Hour) // old attempts count as well
			}
			require.NoError(t, unlock(h.scope))
		}
		store := &overtaken{Store: h.store}
		other := *h
		other.store = store
		_, scope := other.service("other", access.Options{})
		store.before = func() { require.NoError(t, unlock(h.scope)) }
		require.ErrorIs(t, unlock(scope), access.ErrTooManyAttempts)
	})
}
