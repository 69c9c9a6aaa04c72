package access_test

import (
	"context"
	"log/slog"
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
	"github.com/customerportal-go/customerportal/validation"
)

// badKey is a provider with a key that cannot be stored.
type badKey struct{ device.Provider }

func (badKey) Info() device.Info { return device.Info{Key: "Bad Key"} }

func TestNew_BadOptions_AreRefused(t *testing.T) {
	t.Parallel()
	db := data.Open(memory.New(), data.Options{})
	world := simulated.New(simulated.Options{})
	ring := newRing(t, 1)
	for name, o := range map[string]access.Options{
		"no keys":           {},
		"short lease":       {Keys: ring, Lease: time.Second},
		"long call timeout": {Keys: ring, CallTimeout: 15 * time.Second},
		"negative timeout":  {Keys: ring, CallTimeout: -1},
		"negative poll":     {Keys: ring, Poll: -1},
		"nil provider":      {Keys: ring, Providers: []device.Provider{nil}},
		"bad key":           {Keys: ring, Providers: []device.Provider{badKey{}}},
		"same key twice":    {Keys: ring, Providers: []device.Provider{world.Provider("a"), world.Provider("b")}},
	} {
		_, err := access.New(db, o)
		require.ErrorIs(t, err, validation.ErrInvalid, name)
	}
	svc, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{world.Provider("a")}})
	require.NoError(t, err)
	require.Equal(t, simulated.Key, svc.Providers()[0].Key)
}

func TestRun_Twice_SecondIsRefused(t *testing.T) {
	t.Parallel()
	simulate(t, nil, func(t *testing.T, h *hotel) {
		require.ErrorIs(t, h.svc.Run(t.Context()), access.ErrRunning)
	})
}

func TestRun_StopsDuringACommand_WaitsForItsResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		release := h.world.Hold("l1")
		a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		synctest.Wait()
		go func() {
			time.Sleep(3 * time.Second)
			release()
		}()
		stop()
		a, err = h.scope.Attempt(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		require.True(t, a.Confirmed)

		second, _ := h.service("second", access.Options{})
		defer start(t, second)()
		a, err = h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Lock}, data.Actor{}, 20*time.Second)
		require.NoError(t, err)
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status, "the lease was released, so the next process need not wait for its end")
	})
}

func TestDo_BadInput_CreatesNoAttempt(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "L"), simulated.Thermostat("t1", "T")}, func(t *testing.T, h *hotel) {
		lock, thermostat := h.device("l1").ID, h.device("t1").ID
		unlock := device.Command{Kind: device.Unlock}
		hot := device.Command{Kind: device.SetClimate, Climate: device.Climate{HeatingSetPoint: device.Known(99.0)}}
		for name, c := range map[string]struct {
			id       uuid.UUID
			command  device.Command
			actor    data.Actor
			deadline time.Duration
			path     string
			is       error
		}{
			"unsupported":       {thermostat, unlock, data.Actor{}, 0, "command", device.ErrUnsupported},
			"set point":         {thermostat, hot, data.Actor{}, 0, "command.climate.heating_set_point", device.ErrRejected},
			"no settings":       {thermostat, device.Command{Kind: device.SetClimate}, data.Actor{}, 0, "command.climate", device.ErrInvalid},
			"unknown kind":      {lock, device.Command{Kind: "explode"}, data.Actor{}, 0, "command", nil},
			"deadline":          {lock, unlock, data.Actor{}, time.Millisecond, "deadline", nil},
			"long deadline":     {lock, unlock, data.Actor{}, time.Hour, "deadline", nil},
			"actor":             {lock, unlock, data.Actor{Type: data.ActorPortal}, 0, "actor.customer_portal_id", nil},
			"unknown actor":     {lock, unlock, data.Actor{Type: "burglar"}, 0, "actor.type", nil},
			"automation's name": {lock, unlock, data.Actor{Type: data.ActorAutomation}, 0, "actor.name", nil},
		} {
			_, err := h.scope.Do(t.Context(), c.id, c.command, c.actor, c.deadline)
			var invalid *validation.Error
			require.ErrorAs(t, err, &invalid, name)
			require.Equal(t, c.path, invalid.Faults[0].Path, name)
			if c.is != nil {
				require.ErrorIs(t, err, c.is, name)
			}
		}
		_, err := h.scope.Do(t.Context(), uuid.UUID{1}, unlock, data.Actor{}, 0)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		export, err := h.scope.Export(t.Context())
		require.NoError(t, err)
		require.Empty(t, export.Attempts)
		warm := device.Command{Kind: device.SetClimate, Climate: device.Climate{HeatingSetPoint: device.Known(22.5), Mode: device.Known(device.HVACHeat)}}
		require.True(t, h.do("t1", warm).Confirmed)
		require.True(t, h.world.Device("t1").State.HeatingSetPoint.Is(22.5))
		require.Equal(t, access.ActivityClimate, h.activities()[0].Kind)
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		require.True(t, h.device("t1").State.HeatingSetPoint.Is(22.5))
	})
}

func TestDo_TooManyAttempts_AreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		id := h.device("l1").ID
		for range 100 {
			_, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
			require.NoError(t, err)
		}
		_, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.ErrorIs(t, err, access.ErrTooManyAttempts)
		defer start(t, h.svc)()
		time.Sleep(time.Second)
		synctest.Wait()
		_, err = h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err, "the others have ended")
	})
}

func TestWait_ContextEnds_ReturnsPendingAttempt(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "L")}, func(t *testing.T, h *hotel) {
		defer h.world.Hold("l1")()
		a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := h.scope.Wait(ctx, a.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, access.AttemptPending, got.Status)
		_, err = h.scope.Wait(t.Context(), uuid.UUID{1})
		require.ErrorIs(t, err, access.ErrAttemptNotFound)
	})
}

func TestActivity_PagesByDevice_NewestFirst(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "A"), simulated.Lock("l2", "B")}, func(t *testing.T, h *hotel) {
		for i := range 10 {
			h.world.Operate("l1", device.Operation{Locked: i%2 == 1, Method: device.MethodManual})
			h.world.Operate("l2", device.Operation{Locked: i%2 == 1, Method: device.MethodAuto})
			synctest.Wait()
		}
		q := access.ActivityQuery{DeviceID: h.device("l2").ID, Limit: 3}
		var got []access.Activity
		for {
			page, err := h.scope.Activity(t.Context(), q)
			require.NoError(t, err)
			got = append(got, page.Items...)
			if page.Next == "" {
				break
			}
			require.Len(t, page.Items, 3)
			q.Cursor = page.Next
		}
		require.Len(t, got, 11)
		require.Equal(t, access.ActivityLocked, got[0].Kind)
		require.Equal(t, access.ActivityDeviceListed, got[10].Kind)
		for _, a := range got[:10] {
			require.Equal(t, device.MethodAuto, a.Method)
		}
		_, err := h.scope.Activity(t.Context(), access.ActivityQuery{Cursor: "zz"})
		require.ErrorIs(t, err, data.ErrInvalidCursor)
		_, err = h.scope.Activity(t.Context(), access.ActivityQuery{DeviceID: uuid.UUID{3}})
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
	})
}

func TestActivity_StateChanges_AreRecorded(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "A"), simulated.LeakSensor("w1", "W")}, func(t *testing.T, h *hotel) {
		change := func(id string, f func(*device.State)) {
			h.world.SetState(id, f)
			time.Sleep(time.Minute + 2*time.Second)
			synctest.Wait()
		}
		change("l1", func(s *device.State) { s.Battery = device.Known(0.19) })
		change("l1", func(s *device.State) { s.Battery = device.Known(0.15) })
		change("l1", func(s *device.State) { s.DoorOpen = device.Known(true) })
		change("w1", func(s *device.State) { s.Leak = device.Known(true) })
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		time.Sleep(time.Minute + 2*time.Second)
		h.world.SetFaults("l1", simulated.Faults{})
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		require.Equal(t, []access.ActivityKind{
			access.ActivityOnline, access.ActivityOffline, access.ActivityLeak, access.ActivityDoorOpened, access.ActivityLowBattery,
			access.ActivityDeviceListed, access.ActivityDeviceListed,
		}, kinds(h.activities()))
	})
}

// TestMaintain_OldRows_AreDeleted lets 91 days pass, in which the devices do nothing.
func TestMaintain_OldRows_AreDeleted(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{}
	store := memory.New()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, store, codeLock("l1", "A", 3))
		ring := h.ring
		db := data.Open(store, data.Options{Now: clock.now, Logger: slog.New(slog.DiscardHandler)})
		svc, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{h.world.Provider("clock")}})
		require.NoError(t, err)
		h.svc, h.scope = svc, svc.Workspace(workspaceID).Customer(hotelKey)
		connect(t, h.scope, "anna")
		defer start(t, svc)()
		synctest.Wait()
		h.mapTo("l1", "101")
		h.book("r1", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), "101")
		passes(5 * time.Second)
		runs := func() int {
			page, err := h.scope.AutomationRuns(t.Context(), access.RunQuery{})
			require.NoError(t, err)
			return len(page.Items)
		}
		require.Equal(t, 1, runs())
		a, err := h.scope.DoOnce(t.Context(), "token", h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, h.activities(), 2)
		clock.shift.Store(int64(31 * 24 * time.Hour))
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		_, err = h.scope.Attempt(t.Context(), a.ID)
		require.ErrorIs(t, err, access.ErrAttemptNotFound)
		require.Len(t, h.activities(), 2)
		require.Equal(t, 1, runs())
		clock.shift.Store(int64(91 * 24 * time.Hour))
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		require.Empty(t, h.activities())
		require.Zero(t, runs())
		require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
			for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
				require.NoError(t, err)
				require.NotContains(t, []layout.Shape{
					layout.ShapeActivity, layout.ShapeDeviceActivity, layout.ShapeAttempt, layout.ShapeAttemptQueue, layout.ShapeAttemptToken,
				}, layout.Parse(e.Key).Shape)
			}
			return nil
		}))
		report, err := db.VerifyStore(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages)
	})
}

// shiftedClock is the clock of the bubble, moved forward.
type shiftedClock struct{ shift atomic.Int64 }

func (c *shiftedClock) now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }
