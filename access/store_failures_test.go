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

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// statelessStore refuses to write states of devices while it fails, and counts how often. It records the largest transactions.
type statelessStore struct {
	storage.Store
	fails    atomic.Bool
	failures atomic.Int64

	states, deletes atomic.Int64 // the greatest numbers in one transaction
}

type statelessTx struct {
	storage.Tx
	s               *statelessStore
	states, deletes *int64
}

func (s *statelessStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return s.Store.Update(ctx, func(tx storage.Tx) error {
		var states, deletes int64
		err := fn(statelessTx{tx, s, &states, &deletes})
		s.states.Store(max(s.states.Load(), states))
		s.deletes.Store(max(s.deletes.Load(), deletes))
		return err
	}, reads...)
}

func (tx statelessTx) Put(key, value []byte) error {
	if layout.Parse(key).Shape == layout.ShapeDeviceState {
		*tx.states++
		if tx.s.fails.Load() {
			tx.s.failures.Add(1)
			return errDisk
		}
	}
	return tx.Tx.Put(key, value)
}

func (tx statelessTx) Delete(keys ...[]byte) error {
	*tx.deletes += int64(len(keys))
	return tx.Tx.Delete(keys...)
}

func TestStates_StoreFailsWhileDevicesReport_PausesGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store, simulated.ContactSensor("c1", "Window"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		inventories := func() (n int) {
			for _, call := range h.world.Calls() {
				if call.Method == "Devices" {
					n++
				}
			}
			return n
		}
		before := inventories()
		store.fails.Store(true)
		for second := range 601 {
			h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(second%2 == 0) })
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, store.failures.Load(), int64(20), "601 states, each of which is urgent")
		require.GreaterOrEqual(t, store.failures.Load(), int64(10))
		require.Equal(t, before, inventories(), "the inventory is not read again")
		store.fails.Store(false)
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.True(t, h.device("c1").State.DoorOpen.Is(true))
		require.Equal(t, before, inventories())
	})
}

func TestStates_ManyWaitForTheSameTime_TransactionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store)
		const n = 1100
		for i := range n {
			h.world.AddDevice("anna", simulated.Thermostat(fmt.Sprint("t", i), fmt.Sprint("Room ", i)))
		}
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		for i := range n {
			h.world.SetState(fmt.Sprint("t", i), func(s *device.State) { s.Temperature = device.Known(29.0) })
			if i%200 == 199 {
				synctest.Wait() // so that the events do not exceed the buffer of the driver
			}
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.True(t, h.device("t7").State.Temperature.Is(29))
		require.Equal(t, int64(500), store.states.Load())
	})
}

func TestMaintenance_ManyOldAttempts_TransactionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store)
		row, err := h.ws.Customer(t.Context(), hotelKey)
		require.NoError(t, err)
		customer := devicedata.IDOf(row)
		const n = 4000
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for i := range n {
				id := uuid.UUID{8: byte(i >> 8), 9: byte(i)} // its time is that of 1970
				index, value := layout.AttemptIndexEntry(customer, id)
				if err := tx.Put(index, value); err != nil {
					return err
				}
				if err := tx.Put(layout.Attempt(customer, id), []byte("{}")); err != nil {
					return err
				}
			}
			return nil
		}))
		defer start(t, h.svc)()
		synctest.Wait()
		kept := 0
		require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
			for _, err := range r.Scan(t.Context(), storage.Prefix(layout.AttemptsPrefix(customer)), storage.ScanOptions{}) {
				require.NoError(t, err)
				kept++
			}
			return nil
		}))
		require.Zero(t, kept)
		require.Positive(t, store.deletes.Load())
		require.LessOrEqual(t, store.deletes.Load(), int64(5000))
	})
}
