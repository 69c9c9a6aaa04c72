package access_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// TestCodes_ClockSet_LocksFollow sets the clock of the database forward past the end of a stay, and back again.
func TestCodes_ClockSet_LocksFollow(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{}
	simulateCodesAt(t, clock.now, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		pin := h.pins("l1")
		require.Len(t, pin, 1)
		set := func(shift time.Duration) {
			clock.shift.Store(int64(shift))
			passes(2 * time.Minute)
		}
		for range 2 {
			set(-10 * time.Hour)
			require.Empty(t, h.pins("l1"), "the stay is in the future again")
			set(0)
			require.Equal(t, pin, h.pins("l1"))
			set(30 * time.Hour)
			require.Empty(t, h.pins("l1"), "the stay is over")
			require.Empty(t, h.codes(access.CodeQuery{}))
			set(0)
			require.Equal(t, pin, h.pins("l1"), "the stay is not over after all, and has the same PIN")
		}
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		set(30 * time.Hour)
		require.Equal(t, access.CodeFailedToExpire, h.codes(access.CodeQuery{})[0].Errors[0].Type)
		set(0)
		h.world.SetFaults("l1", simulated.Faults{})
		set(0)
		require.Empty(t, h.codes(access.CodeQuery{})[0].Errors)
		require.Equal(t, pin, h.pins("l1"))
	})
}

// TestCodes_EndedWhileTheClockWasWrong_AreRemovedAtOnce corrects the clock before anything else reads it.
func TestCodes_EndedWhileTheClockWasWrong_AreRemovedAtOnce(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{}
	simulateCodesAt(t, clock.now, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		passes(settle)
		require.Len(t, h.pins("l1"), 1)
		clock.shift.Store(int64(10 * time.Hour))
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, "r1")}))
		clock.shift.Store(0)
		passes(settle)
		require.Empty(t, h.pins("l1"))
	})
}

// TestCodes_EndedAfterFailuresAtAWrongTime_AreRemovedAtOnce corrects the clock after codes have failed, and ends their access. They were to
// be tried again at a time that is far away by then.
func TestCodes_EndedAfterFailuresAtAWrongTime_AreRemovedAtOnce(t *testing.T) {
	t.Parallel()
	clock := &shiftedClock{}
	simulateCodesAt(t, clock.now, []device.Device{codeLock("l1", "Room 101", 8)}, func(t *testing.T, h *hotel) {
		h.mapTo("l1", "101")
		starts, ends := night()
		keys := []string{"r1", "r2", "r3", "r4", "r5", "r6"} // the first five fail again, and end the attempts
		for _, key := range keys {
			h.book(key, starts, ends, "101")
		}
		passes(settle)
		require.Len(t, h.pins("l1"), len(keys))
		h.world.SetFaults("l1", simulated.Faults{FailsReads: true})
		clock.shift.Store(int64(30 * time.Hour))
		passes(settle)
		for _, c := range h.codes(access.CodeQuery{}) {
			require.Equal(t, access.CodeFailedToExpire, c.Errors[0].Type)
		}
		clock.shift.Store(0)
		h.world.SetFaults("l1", simulated.Faults{Deaf: true})
		require.NoError(t, h.delete(data.Selection{Resources: data.Refs(data.KindReservation, keys...)}))
		passes(settle)
		require.Len(t, h.pins("l1"), len(keys))
		h.world.SetFaults("l1", simulated.Faults{})
		passes(30 * time.Minute)
		require.Empty(t, h.pins("l1"))
	})
}

// unmanaged returns the unmanaged codes of a lock without their ids.
func (h *hotel) unmanaged(id string) []access.UnmanagedCode {
	h.t.Helper()
	codes := h.device(id).UnmanagedCodes
	for i := range codes {
		require.NotEqual(h.t, uuid.Nil, codes[i].ID)
		codes[i].ID = uuid.Nil
	}
	return codes
}
