package access_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
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
	"github.com/customerportal-go/customerportal/storage/memory"
)

// hostile is a connection of a driver that breaks the rules of the contract.
type hostile struct {
	device.Conn
	list  func([]device.Device) []device.Device // changes the inventory; nil leaves it as it is
	watch func(context.Context, func(device.Event)) error
	reads *atomic.Int64 // of the inventory
}

func (c hostile) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		c.reads.Add(1)
		var devices []device.Device
		for d, err := range c.Conn.Devices(ctx) {
			if err != nil {
				yield(d, err)
				return
			}
			devices = append(devices, d)
		}
		if c.list != nil {
			devices = c.list(devices)
		}
		for _, d := range devices {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (c hostile) Watch(ctx context.Context, fn func(device.Event)) error {
	if c.watch != nil {
		return c.watch(ctx, fn)
	}
	return c.Conn.Watch(ctx, fn)
}

// serveHostile runs a service with such a driver in a bubble. The account has the lock l1.
func serveHostile(t *testing.T, c hostile, test func(t *testing.T, h *hotel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		p := wrapped{h.world.Provider("hostile"), func(conn device.Conn) (device.Conn, error) {
			own := c
			own.Conn = conn
			return own, nil
		}}
		svc, _ := h.service("hostile", access.Options{Providers: []device.Provider{p}})
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		test(t, h)
	})
}

// events returns a Watch that reports events after the inventory was read.
func events(events ...device.Event) func(context.Context, func(device.Event)) error {
	return func(ctx context.Context, fn func(device.Event)) error {
		fn(device.Event{Kind: device.Resync})
		time.Sleep(time.Second)
		for _, e := range events {
			fn(e)
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestSession_ImpossibleStates_AreIgnored(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]device.State{
		"not a number": {Temperature: device.Known(math.NaN())},
		"infinite":     {Battery: device.Known(math.Inf(1))},
		"out of range": {Humidity: device.Known(2.0)},
		"unknown mode": {Mode: device.Known(device.HVACMode("steam"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state.Locked = device.Known(false) // would be stored at once
			watch := events(device.Event{Kind: device.StateChanged, DeviceID: "l1", State: state})
			serveHostile(t, hostile{watch: watch, reads: new(atomic.Int64)}, func(t *testing.T, h *hotel) {
				time.Sleep(2 * time.Minute)
				require.True(t, h.device("l1").State.Locked.Is(true))
				require.Equal(t, access.AccountConnected, h.device("l1").AccountStatus)
			})
		})
	}
}

func TestSession_ImpossibleTimes_AreThoseOfTheArrival(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"milliseconds as seconds": time.Unix(1_800_000_000_000, 0),
		"next year":               time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), // the clock of a bubble begins in 2000
		"before 1970":             time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := hostile{
				watch: events(
					device.Event{Kind: device.StateChanged, DeviceID: "l1", At: at, State: device.State{DoorOpen: device.Known(true)}},
					device.Event{Kind: device.Operated, DeviceID: "l1", At: at, Operation: device.Operation{Method: device.MethodManual}},
				),
				list: func(devices []device.Device) []device.Device {
					devices[0].StateAt = at
					return devices
				},
				reads: new(atomic.Int64),
			}
			serveHostile(t, c, func(t *testing.T, h *hotel) {
				began := time.Now()
				require.WithinRange(t, h.device("l1").StateAt, began.Add(-time.Minute), began)
				time.Sleep(2 * time.Second)
				require.WithinRange(t, h.device("l1").StateAt, began, time.Now())
				opened := 0
				for _, a := range h.activities() {
					require.WithinRange(t, a.At, began.Add(-time.Minute), time.Now(), a.Kind)
					if a.Kind == access.ActivityDoorOpened || a.Kind == access.ActivityUnlocked {
						opened++
					}
				}
				require.Equal(t, 2, opened)
			})
		})
	}
}

func TestSession_HostileInventory_OtherDevicesAreStored(t *testing.T) {
	t.Parallel()
	infinite := simulated.Thermostat("t1", "Thermostat")
	infinite.Climate.Heating = &device.Range{Min: math.Inf(-1), Max: math.Inf(1)}
	delta := simulated.Thermostat("t1", "Thermostat")
	delta.Climate.MinDelta = math.Inf(1)
	long := simulated.Thermostat("t1", "Thermostat")
	long.Climate.Modes = slices.Repeat([]device.HVACMode{device.HVACHeat}, 20_000)
	fans := simulated.Thermostat("t1", "Thermostat")
	fans.Climate.FanModes = slices.Repeat([]device.FanMode{device.FanAuto}, 20_000)
	lengths := simulated.Lock("t1", "Lock")
	lengths.Codes.Lengths = slices.Repeat([]int{4}, 40_000)
	constraints := simulated.Lock("t1", "Lock")
	constraints.Codes.Constraints = slices.Repeat([]device.Constraint{device.NoZeros}, 20_000)
	for name, bad := range map[string]device.Device{
		"infinite range": infinite, "infinite difference": delta, "many modes": long, "many fan modes": fans,
		"many lengths": lengths, "many constraints": constraints,
		"id that is too long": simulated.Lock(strings.Repeat("x", 1<<20), "Lock"),
		"the same id":         simulated.Lock("l1", "Room 102"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := hostile{list: func(devices []device.Device) []device.Device { return append(devices, bad) }, reads: new(atomic.Int64)}
			serveHostile(t, c, func(t *testing.T, h *hotel) {
				d := h.device("l1")
				require.Equal(t, "Room 101", d.Name)
				require.Equal(t, access.AccountConnected, d.AccountStatus)
				page, err := h.scope.Devices(t.Context(), access.DeviceQuery{})
				require.NoError(t, err)
				require.Len(t, page.Items, 1)
			})
		})
	}
}

// TestSession_WatchEndsWithoutError_IsUnreachable has a driver whose Watch returns nil although its connection is lost.
func TestSession_WatchEndsWithoutError_IsUnreachable(t *testing.T) {
	t.Parallel()
	c := hostile{watch: func(context.Context, func(device.Event)) error { return nil }, reads: new(atomic.Int64)}
	serveHostile(t, c, func(t *testing.T, h *hotel) {
		accounts, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountUnreachable, accounts[0].Status)
		require.NotEmpty(t, accounts[0].Error)
		require.Zero(t, accounts[0].FirstSyncAt)
	})
}

// TestSession_EndlessResync_ReadsAreBounded has a driver that requests a read again during each read.
func TestSession_EndlessResync_ReadsAreBounded(t *testing.T) {
	t.Parallel()
	var again chan struct{}
	c := hostile{
		watch: func(ctx context.Context, fn func(device.Event)) error {
			for {
				fn(device.Event{Kind: device.Resync})
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-again:
				}
			}
		},
		list: func(devices []device.Device) []device.Device {
			select {
			case again <- struct{}{}:
			default:
			}
			time.Sleep(10 * time.Millisecond) // so that the clock of the bubble advances
			return devices
		},
		reads: new(atomic.Int64),
	}
	synctest.Test(t, func(t *testing.T) {
		again = make(chan struct{}, 1)
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		p := wrapped{h.world.Provider("hostile"), func(conn device.Conn) (device.Conn, error) {
			own := c
			own.Conn = conn
			return own, nil
		}}
		svc, _ := h.service("hostile", access.Options{Providers: []device.Provider{p}})
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		time.Sleep(time.Minute)
		require.LessOrEqual(t, c.reads.Load(), int64(60))
		h.world.AddDevice("anna", simulated.Lock("l2", "Room 102"))
		time.Sleep(5 * time.Second)
		require.Equal(t, "Room 102", h.device("l2").Name)
	})
}

func TestSession_EventsOfManyUnknownDevices_AreNotStored(t *testing.T) {
	t.Parallel()
	var unknown []device.Event
	for i := range 1000 {
		unknown = append(unknown, device.Event{Kind: device.StateChanged, DeviceID: fmt.Sprint("unknown", i)},
			device.Event{Kind: device.Operated, DeviceID: fmt.Sprint("unknown", i)})
	}
	unknown = append(unknown, device.Event{Kind: device.StateChanged, DeviceID: "l1", State: device.State{Locked: device.Known(false)}})
	serveHostile(t, hostile{watch: events(unknown...), reads: new(atomic.Int64)}, func(t *testing.T, h *hotel) {
		time.Sleep(2 * time.Second)
		require.True(t, h.device("l1").State.Locked.Is(false))
		require.Equal(t, []access.ActivityKind{access.ActivityDeviceListed}, kinds(h.activities()))
	})
}

func TestSession_NoConnectionAndNoError_IsUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		p := wrapped{h.world.Provider("hostile"), func(device.Conn) (device.Conn, error) { return nil, nil }}
		svc, _ := h.service("hostile", access.Options{Providers: []device.Provider{p}})
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		accounts, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountUnreachable, accounts[0].Status)
	})
}

func TestStates_ClockIsSetBackWhileAStateWaits_IsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Thermostat("t1", "Thermostat"))
		var back atomic.Int64 // by which the clock was set back
		clock := func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
		db := data.Open(h.store, data.Options{Logger: slog.New(slog.DiscardHandler), Now: clock})
		svc, err := access.New(db, access.Options{Keys: h.ring, Providers: []device.Provider{h.world.Provider("clock")}})
		require.NoError(t, err)
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		h.world.SetState("t1", func(s *device.State) { s.Temperature = device.Known(25.0) })
		synctest.Wait()
		require.False(t, h.device("t1").State.Temperature.Is(25.0))
		back.Store(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		require.True(t, h.device("t1").State.Temperature.Is(25.0))
	})
}
