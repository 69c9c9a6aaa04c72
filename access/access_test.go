package access_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestDo_Unlock_ConfirmedWithStateAndOneActivity(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		require.True(t, d.State.Locked.Is(true))
		portal := data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9}}
		a, err := h.scope.Do(t.Context(), d.ID, device.Command{Kind: device.Unlock}, portal, time.Minute)
		require.NoError(t, err)
		require.Equal(t, a.CreatedAt.Add(time.Minute), a.Deadline)
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		require.True(t, a.Confirmed)
		require.Nil(t, a.Error)
		require.Equal(t, portal, a.Actor)
		synctest.Wait()
		require.True(t, h.device("l1").State.Locked.Is(false), "the state follows from the event, without waiting a minute")
		activities := h.activities()
		require.Equal(t, []access.ActivityKind{access.ActivityUnlocked, access.ActivityDeviceListed}, kinds(activities))
		require.Equal(t, &portal, activities[0].Actor)
		require.Equal(t, a.ID, activities[0].AttemptID)
		require.Equal(t, "Room 101", activities[0].DeviceName)

		h.world.Operate("l1", device.Operation{Locked: true, Method: device.MethodManual})
		synctest.Wait()
		activities = h.activities()
		require.Equal(t, access.ActivityLocked, activities[0].Kind)
		require.Equal(t, device.MethodManual, activities[0].Method)
		require.Nil(t, activities[0].Actor)
	})
}

func TestDo_Failures_HaveTheirTypes(t *testing.T) {
	t.Parallel()
	devices := []device.Device{simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102"), simulated.Lock("l3", "Room 103")}
	simulate(t, devices, func(t *testing.T, h *hotel) {
		unlock := device.Command{Kind: device.Unlock}
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		require.Equal(t, access.ErrorDeviceOffline, h.do("l1", unlock).Error.Type)

		h.world.SetFaults("l1", simulated.Faults{Mute: true})
		a := h.do("l1", unlock)
		require.Equal(t, access.AttemptSuccess, a.Status, "the provider accepted the command")
		require.False(t, a.Confirmed)

		release := h.world.Hold("l2")
		a = h.do("l2", unlock)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		require.True(t, h.device("l2").State.Locked.Is(true))
		require.Equal(t, access.AttemptSuccess, h.do("l3", unlock).Status, "a slow device delays no other")
		release()
		synctest.Wait()
		require.True(t, h.device("l2").State.Locked.Is(false), "a late answer updates the device")
		require.Equal(t, a.ID, h.activities()[0].AttemptID, "and is attributed to the command")
		again, err := h.scope.Attempt(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, again, "an attempt ends once")

		h.world.RemoveDevice("l3")
		synctest.Wait()
		require.False(t, h.device("l3").MissingSince.IsZero())
		require.Equal(t, access.ErrorDeviceNotFound, h.do("l3", unlock).Error.Type)

		h.world.Revoke("anna")
		synctest.Wait()
		require.Equal(t, access.ErrorAccountLost, h.do("l1", unlock).Error.Type)
	})
}

func TestDo_NoServiceRuns_TimesOutOnceAServiceRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		id := h.device("l1").ID
		stop()
		a, err := h.scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, time.Second)
		require.NoError(t, err)
		time.Sleep(time.Second)
		second, scope := h.service("second", access.Options{})
		defer start(t, second)()
		a, err = scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		require.True(t, h.world.Device("l1").State.Locked.Is(true))
	})
}

// otherKey is the driver of another provider.
type otherKey struct{ device.Provider }

func (otherKey) Info() device.Info { return device.Info{Key: "other"} }

func TestDo_NoProcessHasTheDriver_EndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		other, scope := h.service("other", access.Options{Providers: []device.Provider{otherKey{h.world.Provider("other")}}})
		defer start(t, other)()
		a, err := scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 5*time.Second)
		require.NoError(t, err)
		time.Sleep(5*time.Second + 2*access.DefaultPoll + time.Second)
		synctest.Wait()
		a, err = scope.Attempt(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		account, err := scope.Account(t.Context(), a.AccountID)
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, account.Status, "the account is kept")
	})
}

func TestDo_AcceptedByAnotherService_HolderCarriesItOut(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		second, scope := h.service("second", access.Options{})
		defer start(t, second)()
		synctest.Wait()
		a, err := scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		a, err = scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		require.True(t, a.Confirmed)
		for _, call := range h.world.Calls() {
			require.Equal(t, "first", call.Caller)
		}
	})
}

func TestSession_ConnectionLost_ReconnectsAndMissesNothing(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101"), simulated.ContactSensor("c1", "Window")}, func(t *testing.T, h *hotel) {
		h.world.SetOutage("anna", true)
		synctest.Wait()
		a, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountUnreachable, a[0].Status)
		require.Equal(t, access.ErrorDeviceOffline, h.do("l1", device.Command{Kind: device.Unlock}).Error.Type)
		h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(true) })
		h.world.SetOutage("anna", false)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.True(t, h.device("c1").State.DoorOpen.Is(true))
		a, err = h.scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, a[0].Status)
		require.Empty(t, a[0].Error)
	})
}

func TestSession_InventoryFails_RetriesAndKeepsDevices(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102")}, func(t *testing.T, h *hotel) {
		h.world.FailInventory("anna", 1)
		h.world.AddDevice("anna", simulated.Lock("l3", "Room 103"))
		synctest.Wait()
		require.True(t, h.device("l2").MissingSince.IsZero(), "a partial inventory removes nothing")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, "Room 103", h.device("l3").Name)
	})
}

func TestDeleteAccount_DevicesAndSessionEnd(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		_, err := h.scope.DeleteAccount(t.Context(), d.AccountID)
		require.NoError(t, err)
		synctest.Wait()
		_, err = h.scope.Device(t.Context(), d.ID)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, err = h.scope.DeleteAccount(t.Context(), d.AccountID)
		require.ErrorIs(t, err, access.ErrAccountNotFound)
		h.world.SetState("l1", func(s *device.State) { s.DoorOpen = device.Known(true) })
		synctest.Wait()
		report, err := h.ws.DB().VerifyStore(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Damages)
	})
}

func TestDo_SeveralCommandsToOneDevice_AreSentOneAtATimeInOrder(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		release := h.world.Hold("l1")
		var ids []uuid.UUID
		var want []device.CommandKind
		for i := range 6 {
			kind := []device.CommandKind{device.Unlock, device.Lock, device.Lock}[i%3]
			a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: kind}, data.Actor{}, time.Minute)
			require.NoError(t, err)
			ids, want = append(ids, a.ID), append(want, kind)
		}
		release()
		for _, id := range ids {
			a, err := h.scope.Wait(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, access.AttemptSuccess, a.Status)
		}
		require.Empty(t, h.world.Conflicts())
		var sent []device.CommandKind
		for _, call := range h.world.Calls() {
			if call.Method == "Do" {
				sent = append(sent, call.Command.Kind)
			}
		}
		require.Equal(t, want, sent)
	})
}

func TestActivity_ListedAndExported_HasAnID(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
		h.do("l1", device.Command{Kind: device.Unlock})
		h.do("l1", device.Command{Kind: device.Lock})
		export, err := h.scope.Export(t.Context())
		require.NoError(t, err)
		listed := h.activities()
		slices.Reverse(listed)
		require.Equal(t, export.Activities, listed)
		ids := map[string]bool{}
		for _, a := range listed {
			require.NotEmpty(t, a.ID)
			ids[a.ID] = true
		}
		require.Len(t, ids, 3, "the device was added, unlocked and locked")
	})
}
