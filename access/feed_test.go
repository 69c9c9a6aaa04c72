package access_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// events returns the events of devices in the feed, without those of access codes.
func (h *hotel) events() (events []data.FeedChange) {
	h.t.Helper()
	for c, err := range h.ws.Changes(h.t.Context(), data.Cursor{}) {
		require.NoError(h.t, err)
		if c.Device != nil && !strings.HasPrefix(string(c.Change), "access_code.") {
			require.Equal(h.t, []any{hotelKey, data.KindDevice, ""}, []any{c.CustomerKey, c.Kind, c.Key})
			events = append(events, c)
		}
	}
	return events
}

// newEvents returns the types of the events after the first *seen, and adds their number to *seen.
func (h *hotel) newEvents(seen *int) []string {
	h.t.Helper()
	types := []string{}
	for _, e := range h.events()[*seen:] {
		types = append(types, string(e.Change))
	}
	*seen += len(types)
	return types
}

// TestFeed_DeviceStates_ReportsEachChangeOnce lets a lock go offline and come back, and its battery drain, with restarts and reads of
// the inventory in between.
func TestFeed_DeviceStates_ReportsEachChangeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("lock", "Room 101"), simulated.Lock("other", "Room 102"))
		account := connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		defer func() { stop() }()
		settle := func() {
			time.Sleep(2 * time.Minute) // each state that waits is stored
			synctest.Wait()
		}
		again := func() {
			stop()
			stop = start(t, h.svc)
			h.world.SetOutage("anna", true) // the inventory is read again
			settle()
			h.world.SetOutage("anna", false)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
		}
		battery := func(level float64) {
			h.world.SetState("lock", func(s *device.State) { s.Battery = device.Known(level) })
			settle()
		}
		seen := 0
		settle()
		require.Empty(t, h.newEvents(&seen), "the first state of a device is no change")

		rows := len(backends.Rows(t, h.store))
		h.world.SetFaults("lock", simulated.Faults{Offline: true})
		settle()
		require.Equal(t, []string{"device.disconnected"}, h.newEvents(&seen))
		require.Len(t, backends.Rows(t, h.store), rows+3, "a row of the feed, and two of the activity")
		e := h.events()[0]
		require.Equal(t, []any{h.device("lock").ID, account.ID, data.Actor{Type: data.ActorDevice}}, []any{e.ID, e.Device.AccountID, e.Actor})
		require.False(t, e.Device.OccurredAt.IsZero())
		require.Nil(t, e.Device.BatteryLevel)
		again()
		require.Empty(t, h.newEvents(&seen))
		h.world.SetFaults("lock", simulated.Faults{})
		settle()
		require.Equal(t, []string{"device.connected"}, h.newEvents(&seen))
		again()
		require.Empty(t, h.newEvents(&seen))

		for _, step := range []struct {
			level float64
			want  []string
		}{
			{0.21, []string{}}, {0.19, []string{"device.low_battery"}}, {0.21, []string{}}, {0.18, []string{}},
			{0.24, []string{}}, {0.1, []string{}}, {0.25, []string{}}, {0.2, []string{}}, {0.15, []string{"device.low_battery"}},
		} {
			battery(step.level)
			require.Equal(t, step.want, h.newEvents(&seen), "battery at %v", step.level)
			again()
			require.Empty(t, h.newEvents(&seen), "battery at %v", step.level)
		}
		last := h.events()[seen-1]
		require.InDelta(t, 0.15, *last.Device.BatteryLevel, 1e-9)
		report, err := h.ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Damage)
	})
}

// TestFeed_LockOperations_ReportsGuestsAndPortals operates a lock in all ways.
func TestFeed_LockOperations_ReportsGuestsAndPortals(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{codeLock("lock", "Room 101", 5)}, func(t *testing.T, h *hotel) {
		h.mapTo("lock", "101")
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		add := func(d data.CustomerData) uuid.UUID { // returns the id of its code
			before := len(h.codes(access.CodeQuery{}))
			d.CustomerKey = hotelKey
			_, err := h.ws.Push(t.Context(), d)
			require.NoError(t, err)
			passes(15 * time.Second)
			for _, c := range h.codes(access.CodeQuery{}) {
				if c.Slot == before+1 {
					return c.ID
				}
			}
			require.FailNow(t, "no code")
			return uuid.Nil
		}
		guest := add(data.CustomerData{AccessGrants: []data.AccessGrant{data.Reservation("stay", data.Ref{}, data.Refs(data.KindRoom, "101")...)}})
		ended := add(data.CustomerData{AccessGrants: []data.AccessGrant{data.Reservation("ended", data.Ref{}, data.Refs(data.KindRoom, "101")...)}})
		staff := add(data.CustomerData{UserIdentities: []data.UserIdentity{data.StaffMember("staff", "Staff", data.Refs(data.KindRoom, "101")...)}})
		h.world.SetFaults("lock", simulated.Faults{Deaf: true}) // the lock does not remove the code
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "ended")}))
		passes(time.Minute)
		lock := h.device("lock")
		seen := 0
		operate := func(o device.Operation) []string {
			h.world.Operate("lock", o)
			synctest.Wait()
			time.Sleep(5 * time.Minute) // no later operation is attributed to a command
			synctest.Wait()
			return h.newEvents(&seen)
		}
		keypad := func(slot int) device.Operation {
			return device.Operation{Method: device.MethodKeypad, Slot: device.Known(slot)}
		}
		require.Equal(t, []string{"lock.unlocked"}, operate(keypad(1)))
		e := h.events()[0]
		require.Equal(t, data.DeviceEvent{AccountID: lock.AccountID, OccurredAt: e.Device.OccurredAt, Method: "keypad", AccessCodeID: guest}, *e.Device)
		require.Equal(t, data.Actor{Type: data.ActorDevice}, e.Actor)
		require.Equal(t, []string{"lock.unlocked"}, operate(keypad(2)), "a code that is still on the lock after its end")
		require.Equal(t, ended, h.events()[1].Device.AccessCodeID)
		require.Equal(t, []string{"lock.unlocked"}, operate(device.Operation{Method: device.MethodKeypad}), "the lock does not report the slot")
		require.Zero(t, h.events()[2].Device.AccessCodeID)
		require.Empty(t, operate(keypad(3)), "staff")
		require.Equal(t, staff, h.activities()[0].AccessCodeID)
		require.Empty(t, operate(keypad(4)), "a code that this library did not set")
		for _, method := range []device.Method{device.MethodManual, device.MethodAuto, device.MethodRemote, device.MethodUnknown} {
			require.Empty(t, operate(device.Operation{Locked: true, Method: method}), method)
		}

		h.world.SetFaults("lock", simulated.Faults{})
		require.Equal(t, access.AttemptSuccess, h.do("lock", device.Command{Kind: device.Unlock}).Status)
		require.Empty(t, h.newEvents(&seen), "the host")
		portal := data.Actor{Type: data.ActorPortal, PortalID: uuid.New()}
		a, err := h.scope.Do(t.Context(), lock.ID, device.Command{Kind: device.Lock}, portal, 0)
		require.NoError(t, err)
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		synctest.Wait()
		require.Equal(t, []string{"lock.locked"}, h.newEvents(&seen))
		e = h.events()[seen-1]
		require.Equal(t, portal, e.Actor)
		require.Equal(t, data.DeviceEvent{AccountID: lock.AccountID, OccurredAt: e.Device.OccurredAt, Method: "remote", AttemptID: a.ID}, *e.Device)
	})
}
