package access_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// countingStore counts the writes of rows of states and of devices, and the transactions that wrote a state.
type countingStore struct {
	storage.Store
	states, devices, transactions atomic.Int64
}

func (s *countingStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return s.Store.Update(ctx, func(tx storage.Tx) error {
		before := s.states.Load()
		defer func() {
			if s.states.Load() > before {
				s.transactions.Add(1)
			}
		}()
		return fn(countingTx{tx, s})
	}, reads...)
}

type countingTx struct {
	storage.Tx
	s *countingStore
}

func (tx countingTx) Put(key, value []byte) error {
	switch layout.Parse(key).Shape {
	case layout.ShapeDeviceState:
		tx.s.states.Add(1)
	case layout.ShapeDevice:
		tx.s.devices.Add(1)
	}
	return tx.Tx.Put(key, value)
}

func (s *countingStore) take() (states, devices, transactions int) {
	return int(s.states.Swap(0)), int(s.devices.Swap(0)), int(s.transactions.Swap(0))
}

// TestStates_EachDeviceReportsEverySecond_WritesAreBounded lets many devices report a new temperature once per second for a minute,
// and then all of them again after a lost connection.
func TestStates_EachDeviceReportsEverySecond_WritesAreBounded(t *testing.T) {
	t.Parallel()
	n := testsize.Pick(100, 1000, 1000)
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Store: memory.New()}
		h := newHotel(t, store)
		var ids []string
		for i := range n {
			ids = append(ids, fmt.Sprint("sensor", i))
			h.world.AddDevice("anna", simulated.Thermostat(ids[i], fmt.Sprint("Room ", i)))
		}
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		states, devices, transactions := store.take()
		require.Equal(t, n, states, "the first state of each device")
		require.Equal(t, n, devices)
		require.LessOrEqual(t, transactions, 1+n/500)

		for second := range 59 {
			for i, id := range ids {
				h.world.SetState(id, func(s *device.State) { s.Temperature = device.Known(15 + float64(second)/4) })
				if i%200 == 199 {
					synctest.Wait() // so that the events do not exceed the buffer of the driver
				}
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		states, devices, _ = store.take()
		require.Zero(t, states, "each device has stored a state less than a minute ago")
		require.Zero(t, devices)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		states, devices, transactions = store.take()
		require.Equal(t, n, states, "the newest state of each device")
		require.Zero(t, devices)
		require.LessOrEqual(t, transactions, 2, "in few transactions")
		require.True(t, h.device(ids[n-1]).State.Temperature.Is(15+58.0/4))

		h.world.SetOutage("anna", true)
		synctest.Wait()
		for _, id := range ids {
			h.world.SetState(id, func(s *device.State) { s.Temperature = device.Known(10.0) })
		}
		h.world.SetOutage("anna", false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		states, devices, _ = store.take()
		require.Zero(t, states, "the limit holds for the inventory after a lost connection too")
		require.Zero(t, devices, "the inventory has not changed")
		time.Sleep(time.Minute)
		synctest.Wait()
		states, _, _ = store.take()
		require.Equal(t, n, states)
		require.True(t, h.device(ids[n/2]).State.Temperature.Is(10))
	})
}

// TestStates_LockAndContactChangeHundredsOfTimesPerSecond_WritesAreBounded checks that the last state is stored nevertheless.
func TestStates_LockAndContactChangeHundredsOfTimesPerSecond_WritesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Store: memory.New()}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"), simulated.ContactSensor("c1", "Window"))
		h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(false) })
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		store.take()
		const seconds, perSecond = 20, 200
		for i := range seconds*perSecond + 1 {
			h.world.Operate("l1", device.Operation{Locked: i%2 == 0, Method: device.MethodManual})
			h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(i%2 == 0) })
			time.Sleep(time.Second / perSecond)
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		states, _, _ := store.take()
		require.LessOrEqual(t, states, 2*(30+seconds/3+2))
		require.GreaterOrEqual(t, states, 2*(30+seconds/4-1))
		require.True(t, h.device("l1").State.Locked.Is(true), "the last state")
		require.True(t, h.device("c1").State.DoorOpen.Is(true), "the last state")
		count := map[access.ActivityKind]int{}
		for _, a := range h.activities() {
			count[a.Kind]++
		}
		operated := count[access.ActivityLocked] + count[access.ActivityUnlocked]
		require.GreaterOrEqual(t, operated, 30)
		require.LessOrEqual(t, operated, 30+seconds/3+2)
		require.LessOrEqual(t, count[access.ActivityDoorOpened]+count[access.ActivityDoorClosed], 30+seconds/3+2)

		time.Sleep(2 * time.Minute)
		store.take()
		for i := range 30 { // as fast, but not for long
			h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(i%2 == 1) })
			synctest.Wait()
			require.True(t, h.device("c1").State.DoorOpen.Is(i%2 == 1), "the change is stored at once")
		}
	})
}

// TestStates_ManyCommandsToOneLock_EachHasItsActivity sends more commands than the bound of other operations.
func TestStates_ManyCommandsToOneLock_EachHasItsActivity(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		const n = 50
		for i := range n {
			kind := device.Unlock
			if i%2 == 1 {
				kind = device.Lock
			}
			require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: kind}).Status)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		attempts := map[uuid.UUID]bool{}
		for _, a := range h.activities() {
			if a.AttemptID != uuid.Nil {
				require.False(t, attempts[a.AttemptID])
				attempts[a.AttemptID] = true
			}
		}
		require.Len(t, attempts, n)
	})
}
