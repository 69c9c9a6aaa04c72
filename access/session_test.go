package access_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestDeviceListedAgain_AfterItWasDeleted_HasItsState(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		h.world.RemoveDevice("l1")
		synctest.Wait()
		_, err := h.scope.DeleteDevice(t.Context(), d.ID)
		require.NoError(t, err)
		h.world.AddDevice("anna", simulated.Lock("l1", "Room 101"))
		synctest.Wait()
		got := h.device("l1")
		require.False(t, got.StateAt.IsZero())
		require.True(t, got.State.Locked.Is(true))
	})
}

// wrapped is a driver with other connections.
type wrapped struct {
	device.Provider
	wrap func(device.Conn) (device.Conn, error)
}

func (p wrapped) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return p.wrap(conn)
}

func TestDo_RightAfterReconnectingALostAccount_IsSent(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} { // another service than the one that holds the account connects it
		t.Run(fmt.Sprint("another service: ", other), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				connect(t, h.scope, "anna")
				slow := wrapped{h.world.Provider("slow"), func(c device.Conn) (device.Conn, error) {
					time.Sleep(3 * time.Second)
					return c, nil
				}}
				svc, scope := h.service("slow", access.Options{Providers: []device.Provider{slow}})
				defer start(t, svc)()
				time.Sleep(10 * time.Second)
				id := h.device("l1").ID
				h.world.Revoke("anna")
				time.Sleep(10 * time.Second)
				account, err := scope.Accounts(t.Context())
				require.NoError(t, err)
				require.Equal(t, access.AccountLost, account[0].Status)
				if other {
					connect(t, h.scope, "anna") // the service that holds the account does not notice it at once
				} else {
					connect(t, scope, "anna")
				}
				a, err := scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				a, err = scope.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status, "%+v", a.Error)
			})
		})
	}
}

// failingInventory is a connection whose inventory fails after the first reading, and which reports an operation just before.
type failingInventory struct {
	device.Conn
	err  error
	fail *atomic.Bool
	emit chan device.Event
}

func (c failingInventory) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	if c.fail.Load() {
		return func(yield func(device.Device, error) bool) { yield(device.Device{}, c.err) }
	}
	return c.Conn.Devices(ctx)
}

func (c failingInventory) Watch(ctx context.Context, fn func(device.Event)) error {
	fn(device.Event{Kind: device.Resync})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-c.emit:
			if !ok {
				return c.err
			}
			fn(e)
		}
	}
}

func TestOperations_ConnectionFailsAfterwards_AreStoredAtOnce(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{device.ErrAccountLost, device.ErrOffline} {
		for _, watch := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, Watch ends: %v", cause, watch), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
					connect(t, h.scope, "anna")
					fail, emit := &atomic.Bool{}, make(chan device.Event)
					p := wrapped{h.world.Provider("failing"), func(c device.Conn) (device.Conn, error) {
						if fail.Load() {
							return nil, cause
						}
						return failingInventory{c, cause, fail, emit}, nil
					}}
					svc, _ := h.service("failing", access.Options{Providers: []device.Provider{p}})
					defer start(t, svc)()
					synctest.Wait()
					fail.Store(true)
					operation := device.Event{Kind: device.Operated, DeviceID: "l1", Operation: device.Operation{Method: device.MethodKeypad, Slot: device.Known(3)}}
					for range 20 { // the connection ends before or after the session has taken the event
						emit <- operation
						if !watch {
							emit <- device.Event{Kind: device.Resync}
						}
						if cause == device.ErrAccountLost {
							break
						}
					}
					if watch {
						close(emit)
					}
					time.Sleep(time.Second)
					synctest.Wait()
					n := 0
					for _, a := range h.activities() {
						if a.Method == device.MethodKeypad {
							n++
							require.Equal(t, 3, a.Slot)
						}
					}
					require.Equal(t, map[error]int{device.ErrAccountLost: 1, device.ErrOffline: 20}[cause], n)
				})
			})
		}
	}
}

// damage overwrites the rows of a shape with other values, and returns a function that restores them.
func damage(t *testing.T, store storage.Store, chosen func(layout.Key, []byte) bool) (restore func()) {
	t.Helper()
	before := map[string][]byte{}
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
		clear(before)
		for e, err := range tx.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if chosen(layout.Parse(e.Key), e.Value) {
				before[string(e.Key)] = bytes.Clone(e.Value)
			}
		}
		for key := range before {
			if err := tx.Put([]byte(key), []byte("damaged")); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NotEmpty(t, before)
	return func() {
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for key, value := range before {
				if err := tx.Put([]byte(key), value); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func TestSession_StoredDevicesCannotBeRead_ProviderIsNotCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		restore := damage(t, h.store, func(k layout.Key, _ []byte) bool { return k.Shape == layout.ShapeDeviceState })
		opened, logged := 0, &lockedBuffer{}
		p := wrapped{h.world.Provider("counted"), func(c device.Conn) (device.Conn, error) { opened++; return c, nil }}
		svc, scope := h.service("counted", access.Options{Providers: []device.Provider{p}, Logger: slog.New(slog.NewTextHandler(logged, nil))})
		defer start(t, svc)()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Zero(t, opened)
		require.LessOrEqual(t, strings.Count(logged.String(), "opening a connection failed"), 30, "the pauses grow")
		accounts, err := scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountUnreachable, accounts[0].Status)
		require.Contains(t, accounts[0].Error, "reading the stored devices")
		restore()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, opened)
		accounts, err = scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, accounts[0].Status)
		require.Empty(t, accounts[0].Error)
	})
}

func TestHolder_AccountRowOfOneCustomerIsDamaged_OthersAreServed(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} { // the row is damaged while the service runs
		t.Run(fmt.Sprint("while running: ", running), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				damaged := connect(t, h.scope, "anna")
				_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other"})
				require.NoError(t, err)
				logged := &lockedBuffer{}
				svc, _ := h.service("first", access.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
				if running {
					defer start(t, svc)()
					synctest.Wait()
				}
				restore := damage(t, h.store, func(k layout.Key, _ []byte) bool { return k.Shape == layout.ShapeAccount && k.ID == damaged.ID })
				other := svc.Workspace(workspaceID).Customer("other")
				connect(t, other, "anna")
				if !running {
					defer start(t, svc)()
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				accounts, err := other.Accounts(t.Context())
				require.NoError(t, err)
				require.Equal(t, access.AccountConnected, accounts[0].Status)
				page, err := other.Devices(t.Context(), access.DeviceQuery{})
				require.NoError(t, err)
				require.Len(t, page.Items, 1)
				a, err := other.Do(t.Context(), page.Items[0].ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				a, err = other.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status)
				require.Equal(t, 1, strings.Count(logged.String(), "reading an account failed"))
				restore()
				time.Sleep(time.Minute)
				synctest.Wait()
				require.True(t, h.device("l1").State.Locked.Is(false))
			})
		})
	}
}
