package access_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestCodes_FullLock_EarlierStayFirstAndTheOtherWhenASlotIsFree(t *testing.T) {
	t.Parallel()
	simulateCodes(t, []device.Device{codeLock("l1", "Room 101", 2)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		h.world.WriteCode("l1", device.Slot{Index: 1, State: device.SlotKnown, PIN: device.NewSecret("9876")})
		starts, ends := night()
		h.book("later", starts.Add(10*time.Minute), ends, "101")
		h.book("earlier", starts.Add(5*time.Minute), starts.Add(time.Hour), "101")
		passes(30 * time.Minute)
		bySubject := func() map[string]access.Code {
			codes := map[string]access.Code{}
			for _, c := range h.codes(access.CodeQuery{}) {
				codes[c.Subject.Key] = c
			}
			return codes
		}
		codes := bySubject()
		require.Equal(t, "9876", h.pins("l1")[1], "the code of somebody else")
		require.Equal(t, codes["earlier"].PIN.Reveal(), h.pins("l1")[2])
		require.Equal(t, access.CodeNoSpace, codes["later"].Errors[0].Type)
		passes(2 * time.Hour)
		codes = bySubject()
		require.Equal(t, codes["later"].PIN.Reveal(), h.pins("l1")[2])
		require.Empty(t, codes["later"].Errors)
	})
}

func TestCodes_ChangedAtTheLock_AreWrittenAgainAndOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		want := h.pins("l1")
		h.world.WriteCode("l1", device.Slot{Index: 3, State: device.SlotKnown, PIN: device.NewSecret("2468")})
		for _, edit := range []device.Slot{
			{Index: 1, State: device.SlotEmpty}, {Index: 1, State: device.SlotKnown, PIN: device.NewSecret("1357")}, {Index: 1, State: device.SlotDisabled, PIN: device.NewSecret(want[1])},
		} {
			h.world.WriteCode("l1", edit)
			passes(settle)
			require.Equal(t, map[int]string{1: want[1], 3: "2468"}, h.pins("l1"))
			require.Equal(t, device.SlotKnown, h.world.Slots("l1")[0].State)
		}
		require.Equal(t, access.WarningModified, h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0].Warnings[0].Type)
		require.Equal(t, []access.UnmanagedCode{{Slot: 3}}, h.unmanaged("l1"))
		passes(26 * time.Hour)
		require.Equal(t, map[int]string{3: "2468"}, h.pins("l1"))
	})
}

// TestCodes_EditedOnALockThatIgnoresCommands_StaysInItsSlot fails to repair a code several times. Its slot shows a PIN that the library did
// not write, but still belongs to the code.
func TestCodes_EditedOnALockThatIgnoresCommands_StaysInItsSlot(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		want := h.pins("l1")
		require.Len(t, want, 1)
		h.world.SetFaults("l1", simulated.Faults{Deaf: true})
		h.world.WriteCode("l1", device.Slot{Index: 1, State: device.SlotKnown, PIN: device.NewSecret("1357")})
		passes(10 * time.Minute)
		require.Equal(t, map[int]string{1: "1357"}, h.pins("l1"))
		require.Empty(t, h.device("l1").UnmanagedCodes)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(30 * time.Minute)
		require.Equal(t, want, h.pins("l1"))
		require.Empty(t, h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0].Errors)
	})
}

func TestCodes_OfflineLock_IsReportedAndProgrammedWhenItReturns(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(10 * time.Minute)
		c := h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0]
		require.Equal(t, access.CodeFailedToSet, c.Errors[0].Type)
		require.True(t, c.RetryAt.After(time.Now()))
		require.Len(t, h.pins("door"), 1, "the other lock")
		passes(time.Hour)
		require.Equal(t, access.CodeFailedToIssue, h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0].Errors[0].Type)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(settle)
		require.Len(t, h.pins("l1"), 1)
		require.Empty(t, h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0].Errors)

		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		passes(25 * time.Hour)
		require.Len(t, h.pins("l1"), 1)
		c = h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})[0]
		require.Equal(t, access.CodeFailedToExpire, c.Errors[0].Type)
		require.Equal(t, access.CodeSet, c.Status)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(settle)
		require.Empty(t, h.pins("l1"))
	})
}

// TestCodes_CustomerWithCodesOnOfflineLocksDeleted_RemovalsSurvive deletes a customer with 50 codes, and restarts the service.
func TestCodes_CustomerWithCodesOnOfflineLocksDeleted_RemovalsSurvive(t *testing.T) {
	t.Parallel()
	var devices []device.Device
	for i := range 5 {
		devices = append(devices, codeLock(fmt.Sprint("l", i), fmt.Sprint("Room ", i), 10))
	}
	simulateCodes(t, devices, func(t *testing.T, h *hotel) {
		for i := range devices {
			h.mapTo(devices[i].ID, "101")
		}
		starts, ends := night()
		for i := range 10 {
			h.book(fmt.Sprint("r", i), starts, ends, "101")
		}
		passes(time.Minute)
		for _, d := range devices {
			require.Len(t, h.pins(d.ID), 10)
			h.world.SetFaults(d.ID, simulated.Faults{Offline: true})
		}
		require.NoError(t, h.delete(data.Selection{CustomerKeys: []string{hotelKey}}))
		_, err := h.ws.Customer(t.Context(), hotelKey)
		require.ErrorIs(t, err, data.ErrCustomerNotFound, "the customer is gone at once")
		count := func() int {
			n, err := h.svc.Workspace(workspaceID).CountRemovals(t.Context())
			require.NoError(t, err)
			return n
		}
		require.Equal(t, 50, count())
		passes(time.Hour)
		require.Equal(t, 50, count())
		require.NoError(t, h.ws.DB().Erase(t.Context(), data.EraseOptions{}))
		second, _ := h.service("second", access.Options{})
		defer start(t, second)()
		passes(10 * time.Minute)
		require.Equal(t, 50, count())
		page, err := second.Workspace(workspaceID).Removals(t.Context(), access.RemovalQuery{Limit: 1000})
		require.NoError(t, err)
		require.Equal(t, access.CodeFailedToRemove, page.Items[0].Error.Type)
		for _, d := range devices {
			h.world.SetFaults(d.ID, simulated.Faults{})
		}
		passes(35 * time.Minute)
		require.Zero(t, count())
		for _, d := range devices {
			require.Empty(t, h.pins(d.ID))
		}
	})
}

func TestCodes_LockThatHidesPINs_IsVerifiedByOccupation(t *testing.T) {
	t.Parallel()
	lock := codeLock("l1", "Room 101", 3)
	lock.Codes.ReadsPIN = false
	simulateCodes(t, []device.Device{lock}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		grant := data.AccessGrant{Kind: data.KindReservation, Key: "r1", StartsAt: starts, EndsAt: ends, Spaces: data.Refs(data.KindRoom, "101")}
		h.push(grant)
		passes(settle)
		c := h.codes(access.CodeQuery{})[0]
		require.Equal(t, access.CodeSet, c.Status)
		require.Equal(t, access.WarningNotReadable, c.Warnings[0].Type)
		require.Equal(t, c.PIN.Reveal(), h.pins("l1")[1])
		grant.PreferredCode = "4815"
		h.push(grant)
		passes(settle)
		require.Equal(t, map[int]string{1: "4815"}, h.pins("l1"))
		passes(26 * time.Hour)
		require.Empty(t, h.pins("l1"))
	})
}

func TestCodes_NativeSchedule_IsWritten72HoursBefore(t *testing.T) {
	t.Parallel()
	lock := codeLock("l1", "Room 101", 3)
	lock.Codes.NativeSchedule = true
	simulateCodes(t, []device.Device{lock}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts := time.Now().Add(80 * time.Hour).Truncate(time.Second)
		h.book("r1", starts, starts.Add(time.Hour), "101")
		passes(7 * time.Hour)
		require.Empty(t, h.pins("l1"))
		passes(2 * time.Hour)
		slot := h.world.Slots("l1")[0]
		require.True(t, slot.StartsAt.Equal(starts) && slot.EndsAt.Equal(starts.Add(time.Hour)), "%v", slot)
		c := h.codes(access.CodeQuery{})[0]
		require.Equal(t, access.CodeUnset, c.Status)
		require.True(t, c.Scheduled)
		h.book("r1", starts, starts.Add(2*time.Hour), "101")
		passes(settle)
		require.True(t, h.world.Slots("l1")[0].EndsAt.Equal(starts.Add(2*time.Hour)))
		passes(71*time.Hour + time.Minute)
		require.Equal(t, access.CodeSet, h.codes(access.CodeQuery{})[0].Status)
		passes(3 * time.Hour)
		require.Empty(t, h.pins("l1"))
	})
}

// TestCodes_SilentLocks_AreReadBack uses locks that ignore commands, and locks whose answers are lost.
func TestCodes_SilentLocks_AreReadBack(t *testing.T) {
	t.Parallel()
	withCodes(t, func(t *testing.T, h *hotel) {
		h.world.SetFaults("l1", simulated.Faults{Deaf: true})
		h.world.SetFaults("l2", simulated.Faults{Mute: true})
		starts, ends := night()
		h.book("r1", starts, ends, "101", "102")
		passes(5 * time.Minute)
		codes := h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})
		require.NotEmpty(t, codes[0].Errors)
		require.NotEqual(t, access.CodeSet, codes[0].Status)
		require.Equal(t, access.CodeSet, h.codes(access.CodeQuery{DeviceID: h.device("l2").ID})[0].Status)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(15 * time.Minute)
		require.Equal(t, h.pins("l2"), h.pins("l1"))
	})
}

// TestCodes_MissingAndOverdue_NeedAttentionOnce lets a lock be offline at the start and at the end of a stay.
func TestCodes_MissingAndOverdue_NeedAttentionOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), codeLock("l1", "Room 101", 3))
		var seen []access.AttentionType
		h.seldom(time.Now, func(_ context.Context, workspace uuid.UUID, item access.AttentionItem) {
			require.Equal(t, workspaceID, workspace)
			seen = append(seen, item.Type)
		})
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		codes := func() (items []access.AttentionItem) {
			q := access.AttentionQuery{Types: []access.AttentionType{access.AttentionCodeNotSet, access.AttentionCodeNotRemoved}, Limit: 1}
			for {
				page, err := h.scope.Attention(t.Context(), q)
				require.NoError(t, err)
				items = append(items, page.Items...)
				if q.Cursor = page.Next; q.Cursor == "" {
					return items
				}
			}
		}
		h.mapTo("l1", "101")
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		h.book("r2", starts, ends, "101")
		passes(20 * time.Minute)
		require.Empty(t, codes(), "40 minutes before the start")
		passes(12 * time.Minute)
		items := codes()
		require.Len(t, items, 2)
		require.Equal(t, access.AttentionCodeNotSet, items[0].Type)
		require.Equal(t, `an access code that is needed soon is not on the lock "Room 101" (device: offline: device "l1")`, items[0].Message)
		require.Equal(t, []access.SpaceRef{{Key: "101", Kind: data.KindRoom, Name: "Room 101"}}, items[0].Spaces)
		require.Equal(t, []access.AttentionType{access.AttentionDeviceOffline, access.AttentionCodeNotSet, access.AttentionCodeNotSet}, seen)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(2 * time.Minute)
		require.Empty(t, codes())
		h.world.SetFaults("l1", simulated.Faults{Deaf: true})
		passes(25 * time.Hour)
		items = codes()
		require.Len(t, items, 2)
		require.Equal(t, access.AttentionCodeNotRemoved, items[0].Type)
		require.Equal(t, 2, lo.Count(seen, access.AttentionCodeNotRemoved))
	})
}

// TestCodes_WrittenAfterTheBackup_ArePossiblyOurs restores a store to a state before a code was written.
func TestCodes_WrittenAfterTheBackup_ArePossiblyOurs(t *testing.T) {
	t.Parallel()
	lock := codeLock("l1", "Room 101", 3)
	lock.Codes.NameLength = 20
	simulateCodes(t, []device.Device{lock}, func(t *testing.T, h *hotel) {
		h.world.WriteCode("l1", device.Slot{Index: 1, State: device.SlotKnown, PIN: device.NewSecret("2468"), Name: "cp-12345678"})
		h.world.WriteCode("l1", device.Slot{Index: 2, State: device.SlotKnown, PIN: device.NewSecret("1357"), Name: "Cleaner"})
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		require.Equal(t, []access.UnmanagedCode{{Slot: 1, Name: "cp-12345678", PossiblyOurs: true}, {Slot: 2, Name: "Cleaner"}}, h.unmanaged("l1"))
		require.Len(t, h.pins("l1"), 3)
	})
}
