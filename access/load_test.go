package access_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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
