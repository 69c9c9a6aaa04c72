package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
)

// employ pushes a staff member of room 101.
func (h *hotel) employ(key string, change func(*data.UserIdentity)) {
	h.t.Helper()
	u := data.StaffMember(key, "Berta", data.Refs(data.KindRoom, "101")...)
	change(&u)
	_, err := h.ws.Push(h.t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{u}})
	require.NoError(h.t, err)
}

// from returns a change of a staff member that sets the times.
func from(starts, ends time.Time) func(*data.UserIdentity) {
	return func(u *data.UserIdentity) { *u = u.During(starts, ends) }
}

// withStaffCodes simulates a hotel with locks of room 101 whose staff members get codes. Access grants have a lead time and a time of
// grace.
func withStaffCodes(t *testing.T, locks []device.Device, test func(t *testing.T, h *hotel)) {
	t.Helper()
	simulateCodes(t, locks, func(t *testing.T, h *hotel) {
		for _, lock := range locks {
			h.mapTo(lock.ID, "101")
		}
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{
			StaffCodes: device.Known(true), LeadMinutes: device.Known(120), GraceMinutes: device.Known(120),
		}))
		test(t, h)
	})
}

func TestCodes_StaffMemberWithTimes_CodeIsOnTheLockExactlyInThem(t *testing.T) {
	t.Parallel()
	scheduled := codeLock("l2", "Side door", 3)
	scheduled.Codes.NativeSchedule = true
	withStaffCodes(t, []device.Device{codeLock("l1", "Room 101", 3), scheduled}, func(t *testing.T, h *hotel) {
		starts := time.Now().Add(96 * time.Hour).UTC().Truncate(time.Second)
		ends := starts.Add(48 * time.Hour)
		h.employ("s1", from(starts, ends))
		passes(settle)
		codes := h.codes(access.CodeQuery{DeviceID: h.device("l1").ID})
		require.Equal(t, []time.Time{starts, ends, starts.Add(-time.Hour)}, []time.Time{codes[0].StartsAt, codes[0].EndsAt, codes[0].WriteAt})

		passes(24*time.Hour + settle)
		require.Empty(t, h.pins("l1"))
		slot := h.world.Slots("l2")[0]
		require.True(t, slot.Occupied(), "a lock with a schedule has the code 72 hours before")
		require.Equal(t, []time.Time{starts, ends}, []time.Time{slot.StartsAt, slot.EndsAt})

		passes(71*time.Hour - 4*settle)
		require.Empty(t, h.pins("l1"), "an hour before the start, it is written")
		passes(5 * settle)
		require.Equal(t, map[int]string{1: codes[0].PIN.Reveal()}, h.pins("l1"))

		passes(49*time.Hour - 10*settle)
		require.Len(t, h.pins("l1"), 1)
		passes(12 * settle)
		require.Empty(t, h.pins("l1"), "the time of grace is only for access grants")
		require.Empty(t, h.pins("l2"))
		require.Empty(t, h.codes(access.CodeQuery{}))
	})
}

func TestCodes_ChangedTimesOfAStaffMember_Follow(t *testing.T) {
	t.Parallel()
	withStaffCodes(t, []device.Device{codeLock("l1", "Room 101", 3)}, func(t *testing.T, h *hotel) {
		code := func() access.Code {
			codes := h.codes(access.CodeQuery{})
			require.Len(t, codes, 1)
			return codes[0]
		}
		h.employ("s1", func(*data.UserIdentity) {})
		passes(settle)
		pin := h.pins("l1")[1]
		require.True(t, code().StartsAt.IsZero() && code().EndsAt.IsZero())

		ends := time.Now().Add(3 * time.Hour).UTC()
		h.employ("s1", from(time.Time{}, ends))
		passes(settle)
		require.Equal(t, ends, code().EndsAt)
		require.Equal(t, map[int]string{1: pin}, h.pins("l1"))

		h.employ("s1", func(u *data.UserIdentity) { u.Clear = []string{"ends_at"} })
		passes(4 * time.Hour)
		require.True(t, code().EndsAt.IsZero())
		require.Equal(t, map[int]string{1: pin}, h.pins("l1"))

		h.employ("s1", from(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))
		passes(settle)
		require.Empty(t, h.pins("l1"), "the end moved to the past")
		require.Empty(t, h.codes(access.CodeQuery{}))

		h.employ("s1", func(u *data.UserIdentity) { u.Clear = []string{"starts_at", "ends_at"} })
		passes(settle)
		require.Equal(t, map[int]string{1: pin}, h.pins("l1"), "the staff member has the same PIN as before")

		h.employ("s1", from(time.Now().Add(48*time.Hour), time.Time{}))
		passes(settle)
		require.Empty(t, h.pins("l1"), "the start moved to the future")
		passes(48 * time.Hour)
		require.Len(t, h.pins("l1"), 1)
	})
}

func TestCodes_StaffMemberWhoseTimeHasEnded_IsNotPlanned(t *testing.T) {
	t.Parallel()
	withStaffCodes(t, []device.Device{codeLock("l1", "Room 101", 1)}, func(t *testing.T, h *hotel) {
		ends := time.Now().Add(2 * time.Hour)
		h.employ("s1", from(time.Time{}, ends))
		passes(settle)
		first := h.pins("l1")
		require.Len(t, first, 1)
		h.employ("s2", from(ends, time.Time{}))
		passes(settle)
		require.Equal(t, first, h.pins("l1"), "the lock has one slot")
		passes(2*time.Hour + 2*settle)
		second := h.pins("l1")
		require.Len(t, second, 1)
		require.NotEqual(t, first, second)

		h.employ("s3", from(time.Time{}, time.Now().Add(-time.Minute)))
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{StaffCodes: device.Known(true), WriteMinutes: device.Known(30)})) // plans all
		passes(2 * settle)
		require.Equal(t, second, h.pins("l1"))
		codes := h.codes(access.CodeQuery{})
		require.Len(t, codes, 1)
		require.Equal(t, data.Ref{Kind: data.KindUserIdentity, Key: "s2"}, codes[0].Subject)
	})
}
