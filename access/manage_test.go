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
	"github.com/customerportal-go/customerportal/validation"
)

// foreign is a code that somebody writes at a lock.
func foreign(slot int, pin string) device.Slot {
	return device.Slot{Index: slot, State: device.SlotKnown, PIN: device.NewSecret(pin)}
}

// addForeign writes codes at a lock that holds a code of the library, and returns them as the library lists them.
func (h *hotel) addForeign(lock string, slots ...device.Slot) []access.UnmanagedCode {
	h.t.Helper()
	for _, s := range slots {
		h.world.WriteCode(lock, s)
	}
	passes(settle)
	codes, err := h.scope.UnmanagedCodes(h.t.Context(), h.device(lock).ID)
	require.NoError(h.t, err)
	require.Len(h.t, codes, len(slots))
	return codes
}

// simulateForeign is simulateCodes with a lock l1 that holds a code of the library in slot 1.
func simulateForeign(t *testing.T, change func(*device.CodeLimits), test func(t *testing.T, h *hotel)) {
	t.Helper()
	lock := codeLock("l1", "Room 101", 5)
	if change != nil {
		change(lock.Codes)
	}
	simulateCodes(t, []device.Device{lock}, func(t *testing.T, h *hotel) {
		h.push(data.AccessGrant{Kind: data.KindAccessGrant, Key: "own", PreferredCode: "246813", Devices: []uuid.UUID{h.device("l1").ID}})
		passes(settle)
		require.Equal(t, map[int]string{1: "246813"}, h.pins("l1"))
		test(t, h)
	})
}

// codeCalls returns the number of calls of the lock that wrote or cleared a slot.
func (h *hotel) codeCalls() (n int) {
	for _, c := range h.world.Calls() {
		if c.Method == "SetCode" || c.Method == "ClearCode" {
			n++
		}
	}
	return n
}

func (h *hotel) code(id uuid.UUID) access.Code {
	h.t.Helper()
	c, err := h.scope.Code(h.t.Context(), id)
	require.NoError(h.t, err)
	return c
}

// TestManageCode_ForeignCode_KeepsItsSlotAndPIN converts a code, which the lock is not asked to write, and then repairs and deletes it.
func TestManageCode_ForeignCode_KeepsItsSlotAndPIN(t *testing.T) {
	t.Parallel()
	simulateForeign(t, nil, func(t *testing.T, h *hotel) {
		u := h.addForeign("l1", foreign(4, "975318"))[0]
		require.Equal(t, "975318", u.PIN.Reveal())
		h.storesNowhere("975318")
		before := h.codeCalls()
		h.world.SetFaults("l1", simulated.Faults{Offline: true})
		code, err := h.scope.ManageCode(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, u.ID, code.ID)
		require.Equal(t, access.CodeSetting, code.Status)
		require.Equal(t, 4, code.Slot)
		require.Empty(t, h.device("l1").UnmanagedCodes)
		_, err = h.scope.ManageCode(t.Context(), u.ID)
		require.ErrorIs(t, err, access.ErrCodeNotFound)
		passes(2 * time.Hour)
		require.Equal(t, access.CodeSetting, h.code(u.ID).Status, "the lock cannot be read")
		require.Equal(t, map[int]string{1: "246813", 4: "975318"}, h.pins("l1"))
		h.world.SetFaults("l1", simulated.Faults{})
		passes(10 * time.Minute)
		require.Equal(t, access.CodeSet, h.code(u.ID).Status)
		require.Empty(t, h.code(u.ID).Errors)
		require.Equal(t, before, h.codeCalls(), "the lock was only read")
		require.Equal(t, "975318", h.pin(code.Subject).Reveal())
		passes(30 * time.Hour)
		require.Equal(t, before, h.codeCalls())

		h.world.WriteCode("l1", device.Slot{Index: 4, State: device.SlotEmpty})
		passes(settle)
		require.Equal(t, map[int]string{1: "246813", 4: "975318"}, h.pins("l1"), "it is kept like every other code")
		require.NoError(t, h.delete(data.Selection{Resources: []data.Ref{code.Subject}}))
		passes(settle)
		require.Equal(t, map[int]string{1: "246813"}, h.pins("l1"))
		h.storesNowhere("975318")
	})
}

// TestManageCode_SlotHoldsAnotherCode_LeavesItThere converts a code that was replaced at the lock since it was read.
func TestManageCode_SlotHoldsAnotherCode_LeavesItThere(t *testing.T) {
	t.Parallel()
	simulateForeign(t, nil, func(t *testing.T, h *hotel) {
		u := h.addForeign("l1", foreign(4, "975318"))[0]
		h.world.SetFaults("l1", simulated.Faults{Offline: true}) // so that it is not read again at once
		h.world.WriteCode("l1", foreign(4, "112233"))
		_, err := h.scope.ManageCode(t.Context(), u.ID)
		require.NoError(t, err)
		passes(settle)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(10 * time.Minute)
		require.Equal(t, map[int]string{1: "246813", 2: "975318", 4: "112233"}, h.pins("l1"))
		require.Equal(t, 2, h.code(u.ID).Slot)
		passes(time.Hour)
		codes := h.device("l1").UnmanagedCodes
		require.Len(t, codes, 1)
		require.NotEqual(t, u.ID, codes[0].ID)
	})
}

// TestManageCode_RefusedCodes_StayUnmanaged tries to convert codes that cannot be managed.
func TestManageCode_RefusedCodes_StayUnmanaged(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, h *hotel, u access.UnmanagedCode, text string) {
		t.Helper()
		before, grants := h.pins("l1"), h.device("l1").UnmanagedCodes
		_, err := h.scope.ManageCode(t.Context(), u.ID)
		require.ErrorIs(t, err, validation.ErrInvalid)
		require.ErrorContains(t, err, text)
		passes(time.Hour)
		require.Equal(t, before, h.pins("l1"))
		require.Equal(t, grants, h.device("l1").UnmanagedCodes)
		_, err = h.ws.AccessGrant(t.Context(), u.ID.String())
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	}
	simulateForeign(t, func(l *device.CodeLimits) { l.ReadsPIN = false }, func(t *testing.T, h *hotel) {
		refused(t, h, h.addForeign("l1", foreign(4, "975318"))[0], "does not show its PIN")
	})
	simulateForeign(t, func(l *device.CodeLimits) { l.NativeSchedule = true }, func(t *testing.T, h *hotel) {
		disabled, late, over, off := foreign(2, "975318"), foreign(3, "975319"), foreign(4, "975320"), foreign(5, "975321")
		disabled.State = device.SlotDisabled
		late.StartsAt = time.Now().Add(200 * time.Hour)
		over.EndsAt = time.Now().Add(time.Second)
		codes := h.addForeign("l1", disabled, late, over, off)
		refused(t, h, codes[0], "disabled")
		refused(t, h, codes[1], "before")
		refused(t, h, codes[2], "ended")
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{GrantCodes: device.Known(false)}))
		passes(settle)
		refused(t, h, codes[3], "rule")
		_, err := h.svc.Workspace(uuid.UUID{2}).ManageCode(t.Context(), codes[3].ID)
		require.ErrorIs(t, err, access.ErrCodeNotFound, "of another workspace")
	})
}

// TestManageCode_NativeSchedule_KeepsItsTimes converts a code whose lock shows its times, under rules that shift those of an access grant.
func TestManageCode_NativeSchedule_KeepsItsTimes(t *testing.T) {
	t.Parallel()
	simulateForeign(t, func(l *device.CodeLimits) { l.NativeSchedule = true }, func(t *testing.T, h *hotel) {
		require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(30), GraceMinutes: device.Known(45)}))
		slot := foreign(4, "975318")
		slot.StartsAt, slot.EndsAt = time.Now().Add(2*time.Hour), time.Now().Add(26*time.Hour)
		u := h.addForeign("l1", slot)[0]
		before := h.codeCalls()
		_, err := h.scope.ManageCode(t.Context(), u.ID)
		require.NoError(t, err)
		passes(3 * time.Hour)
		code := h.code(u.ID)
		require.Equal(t, access.CodeSet, code.Status)
		require.True(t, code.StartsAt.Equal(slot.StartsAt) && code.EndsAt.Equal(slot.EndsAt))
		require.Equal(t, before, h.codeCalls())
		passes(24 * time.Hour)
		require.Equal(t, map[int]string{1: "246813"}, h.pins("l1"), "its time has ended")
	})
}

// TestDeleteUnmanagedCode_SurvivesRestarts deletes codes of a lock that is offline, and restarts the service.
func TestDeleteUnmanagedCode_SurvivesRestarts(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		simulateForeign(t, func(l *device.CodeLimits) { l.ReadsPIN = reads }, func(t *testing.T, h *hotel) {
			disabled := foreign(3, "975319")
			disabled.State = device.SlotDisabled
			codes := h.addForeign("l1", disabled, foreign(4, "975318"), foreign(5, "975320"))
			h.world.SetFaults("l1", simulated.Faults{Offline: true})
			for _, u := range codes[:2] {
				lock, err := h.scope.DeleteUnmanagedCode(t.Context(), u.ID)
				require.NoError(t, err)
				require.Equal(t, h.device("l1").ID, lock.ID)
				_, err = h.scope.DeleteUnmanagedCode(t.Context(), u.ID)
				require.ErrorIs(t, err, access.ErrCodeNotFound)
				_, err = h.scope.ManageCode(t.Context(), u.ID)
				require.ErrorIs(t, err, access.ErrCodeNotFound)
			}
			passes(time.Hour)
			require.Len(t, h.device("l1").UnmanagedCodes, 1)
			removals, err := h.scope.Removals(t.Context(), access.RemovalQuery{})
			require.NoError(t, err)
			require.Len(t, removals.Items, 2)
			require.EqualValues(t, "unmanaged_code_deleted", removals.Items[0].Reason)
			require.NotNil(t, removals.Items[0].Error)
			other, _ := h.service("second", access.Options{})
			defer start(t, other)()
			h.world.SetFaults("l1", simulated.Faults{})
			passes(time.Hour)
			require.Equal(t, map[int]string{1: "246813", 5: "975320"}, h.pins("l1"))
			n, err := h.scope.CountRemovals(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
			require.Len(t, h.device("l1").UnmanagedCodes, 1)
			events := map[data.Change]int{}
			for _, c := range h.changes() {
				events[c.Change]++
			}
			require.Equal(t, 2, events["access_code.unmanaged.removed"])
			report, err := h.ws.DB().VerifyStore(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Damages)
		})
	}
}

// TestDeleteUnmanagedCode_SlotHoldsAnotherCode_LeavesItThere deletes a code that was replaced at the lock since it was read.
func TestDeleteUnmanagedCode_SlotHoldsAnotherCode_LeavesItThere(t *testing.T) {
	t.Parallel()
	simulateForeign(t, nil, func(t *testing.T, h *hotel) {
		u := h.addForeign("l1", foreign(4, "975318"))[0]
		h.world.SetFaults("l1", simulated.Faults{Offline: true}) // so that it is not read again at once
		h.world.WriteCode("l1", foreign(4, "112233"))
		_, err := h.scope.DeleteUnmanagedCode(t.Context(), u.ID)
		require.NoError(t, err)
		passes(settle)
		h.world.SetFaults("l1", simulated.Faults{})
		passes(time.Hour)
		require.Equal(t, map[int]string{1: "246813", 4: "112233"}, h.pins("l1"))
		n, err := h.scope.CountRemovals(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// TestUnmanagedCodes_PIN_IsSealedAgain seals the PIN of an unmanaged code with another key.
func TestUnmanagedCodes_PIN_IsSealedAgain(t *testing.T) {
	t.Parallel()
	simulateForeign(t, nil, func(t *testing.T, h *hotel) {
		u := h.addForeign("l1", foreign(4, "975318"))[0]
		h.ring = newRing(t, 2, 1)
		next, _ := h.service("second", access.Options{})
		_, err := next.Reseal(t.Context())
		require.NoError(t, err)
		counts, err := next.SealedBySlot(t.Context())
		require.NoError(t, err)
		require.Len(t, counts, 1)
		require.GreaterOrEqual(t, counts[2], 4, "the account, the grant, its code and the unmanaged code")
		h.ring = newRing(t, 2)
		_, scope := h.service("third", access.Options{})
		codes, err := scope.UnmanagedCodes(t.Context(), h.device("l1").ID)
		require.NoError(t, err)
		require.Equal(t, []access.UnmanagedCode{u}, codes)
	})
}

// TestDeleteUnmanagedCode_HiddenPIN_ClearsOnlyThatCode deletes a code whose PIN the lock hides, while the lock is offline.
func TestDeleteUnmanagedCode_HiddenPIN_ClearsOnlyThatCode(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]struct {
		slot   device.Slot
		faults simulated.Faults
		want   map[int]string
	}{
		"the same code":                     {device.Slot{Name: "Cleaner", PIN: device.NewSecret("975318")}, simulated.Faults{HidesPINs: true}, map[int]string{1: "246813"}},
		"the same code, with a visible PIN": {device.Slot{Name: "Cleaner", PIN: device.NewSecret("975318")}, simulated.Faults{}, map[int]string{1: "246813"}},
		"a code with another name":          {device.Slot{Name: "Owner", PIN: device.NewSecret("112233")}, simulated.Faults{HidesPINs: true}, map[int]string{1: "246813", 4: "112233"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulateForeign(t, func(l *device.CodeLimits) { l.NameLength = 20 }, func(t *testing.T, h *hotel) {
				h.world.SetFaults("l1", simulated.Faults{HidesPINs: true})
				code := foreign(4, "975318")
				code.Name = "Cleaner"
				u := h.addForeign("l1", code)[0]
				h.world.SetFaults("l1", simulated.Faults{Offline: true, HidesPINs: true})
				next.slot.Index, next.slot.State = 4, device.SlotKnown
				h.world.WriteCode("l1", next.slot)
				_, err := h.scope.DeleteUnmanagedCode(t.Context(), u.ID)
				require.NoError(t, err)
				passes(settle)
				h.world.SetFaults("l1", next.faults)
				passes(time.Hour)
				require.Equal(t, next.want, h.pins("l1"))
				n, err := h.scope.CountRemovals(t.Context())
				require.NoError(t, err)
				require.Zero(t, n)
			})
		})
	}
}

// TestManageCode_ShorterThanLeadAndGrace_IsRefused converts codes whose times no access grant can have under the rules.
func TestManageCode_ShorterThanLeadAndGrace_IsRefused(t *testing.T) {
	t.Parallel()
	for _, minutes := range [][2]int{{30, 60}, {90, 30}, {30, 30}} {
		simulateForeign(t, func(l *device.CodeLimits) { l.NativeSchedule = true }, func(t *testing.T, h *hotel) {
			require.NoError(t, h.scope.SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(minutes[0]), GraceMinutes: device.Known(minutes[1])}))
			slot := foreign(4, "975318")
			slot.StartsAt, slot.EndsAt = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
			u := h.addForeign("l1", slot)[0]
			_, err := h.scope.ManageCode(t.Context(), u.ID)
			var invalid *validation.Error
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "access_code_id", invalid.Faults[0].Path)
			require.ErrorContains(t, err, "is not longer than")
		})
	}
}
