package devicetest

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var codeChecks = []check{
	{"every slot is listed once in ascending order", func(s *suite) {
		_, coder, limits := s.openLock()
		slots, err := coder.Codes(s.ctx, s.Lock)
		require.NoError(s, err, "Codes")
		require.Len(s, slots, limits.Slots, "slots of the lock")
		for i, slot := range slots {
			require.Equal(s, i+1, slot.Index, "index of the slot at position %d", i)
			require.Contains(s, []device.SlotState{device.SlotEmpty, device.SlotKnown, device.SlotUnreadable, device.SlotDisabled},
				slot.State, "state of slot %d", slot.Index)
		}
		slots, err = coder.Codes(s.ctx, s.Lock, s.Slots[2], s.Slots[0])
		require.NoError(s, err, "Codes with two indexes")
		require.Len(s, slots, 2, "slots that Codes returns for two indexes")
		require.Equal(s, min(s.Slots[0], s.Slots[2]), slots[0].Index, "Codes with indexes returns them in ascending order")
		require.Equal(s, max(s.Slots[0], s.Slots[2]), slots[1].Index, "Codes with indexes returns them in ascending order")
	}},
	{"a code that was set is read back and can be cleared", func(s *suite) {
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		if limits.NameLength > 0 {
			code.Name = "Test"[:min(4, limits.NameLength)]
		}
		s.expectEmpty(coder, code.Index)
		s.setCode(coder, code)
		got := s.slot(coder, code.Index)
		require.Equal(s, limits.ReadsPIN, got.State == device.SlotKnown, "CodeLimits.ReadsPIN tells whether the PIN can be read")
		require.Equal(s, code.Name, got.Name, "name of the code")
		require.NoError(s, coder.ClearCode(s.ctx, s.Lock, code.Index), "ClearCode")
		s.expectEmpty(coder, code.Index)
	}},
	{"a PIN keeps its leading zeros", func(s *suite) {
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		code.PIN = device.NewSecret("00" + code.PIN.Reveal()[2:])
		if limits.Check(code) != nil {
			s.Skip("the lock does not accept a PIN with leading zeros")
		}
		s.setCode(coder, code)
	}},
	{"setting the same code again is no error", func(s *suite) {
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.setCode(coder, code)
		s.replaceCode(coder, limits, code)
	}},
	{"setting another code replaces the first", func(s *suite) {
		_, coder, limits := s.openLock()
		s.setCode(coder, s.code(limits, 0, 0))
		s.replaceCode(coder, limits, s.code(limits, 0, 1))
	}},
	{"clearing an empty slot is no error", func(s *suite) {
		_, coder, _ := s.openLock()
		require.NoError(s, coder.ClearCode(s.ctx, s.Lock, s.Slots[0]), "ClearCode of an empty slot")
		s.expectEmpty(coder, s.Slots[0])
	}},
	{"setting and clearing a code touches no other slot", func(s *suite) {
		_, coder, limits := s.openLock()
		foreign := s.code(limits, 1, 1)
		foreign.State = device.SlotKnown
		if s.Hooks.WriteCode != nil {
			s.Hooks.WriteCode(s.Lock, foreign)
		} else {
			s.setCode(coder, foreign)
		}
		s.expectCode(coder, foreign)
		before := s.trueCodes(coder)
		code := s.code(limits, 0, 0)
		s.setCode(coder, code)
		s.requireSame(before, s.trueCodes(coder), code.Index, "after SetCode")
		require.NoError(s, coder.ClearCode(s.ctx, s.Lock, code.Index), "ClearCode")
		s.expectEmpty(coder, code.Index)
		s.requireSame(before, s.trueCodes(coder), code.Index, "after ClearCode")
	}},
	{"codes and slots that cannot exist are invalid and not sent", func(s *suite) {
		_, coder, limits := s.openLock()
		sent := s.counter(s.Lock)
		for _, index := range []int{-1, 0, limits.Slots + 1} {
			code := s.code(limits, 0, 0)
			code.Index = index
			require.ErrorIs(s, coder.SetCode(s.ctx, s.Lock, code), device.ErrInvalid, "SetCode of slot %d", index)
			require.ErrorIs(s, coder.ClearCode(s.ctx, s.Lock, index), device.ErrInvalid, "ClearCode of slot %d", index)
			_, err := coder.Codes(s.ctx, s.Lock, index)
			require.ErrorIs(s, err, device.ErrInvalid, "Codes of slot %d", index)
		}
		for _, pin := range []string{"", "12a4", "12 4", "１２３４"} {
			err := coder.SetCode(s.ctx, s.Lock, device.Slot{Index: s.Slots[0], PIN: device.NewSecret(pin)})
			require.ErrorIs(s, err, device.ErrInvalid, "SetCode with the PIN %q", pin)
		}
		err := coder.SetCode(s.ctx, s.Lock, device.Slot{Index: s.Slots[0], PIN: device.NewSecret("9182736459182")})
		s.requireRejected(err, device.RejectedConstraint, "SetCode with 13 digits")
		require.Zero(s, sent(), "commands sent to the lock")
	}},
	{"devices without codes are unsupported", func(s *suite) {
		s.needThermostat()
		coder, ok := s.open().(device.Coder)
		if !ok {
			s.Skip("the Conn is not a device.Coder")
		}
		code := device.Slot{Index: 1, PIN: device.NewSecret("604198")}
		for id, want := range map[string]error{s.Thermostat: device.ErrUnsupported, "no such device": device.ErrUnknownDevice} {
			_, err := coder.Codes(s.ctx, id)
			require.ErrorIs(s, err, want, "Codes of %q", id)
			require.ErrorIs(s, coder.SetCode(s.ctx, id, code), want, "SetCode of %q", id)
			require.ErrorIs(s, coder.ClearCode(s.ctx, id, 1), want, "ClearCode of %q", id)
		}
	}},
	{"a native schedule is read back", func(s *suite) {
		if s.ScheduledLock == "" {
			s.Skip("the target has no World.ScheduledLock")
		}
		s.Lock = s.ScheduledLock
		_, coder, limits := s.openLock()
		require.True(s, limits.NativeSchedule, "lock %q has a native schedule", s.Lock)
		code := s.code(limits, 0, 0)
		code.StartsAt = time.Date(2031, 5, 6, 14, 0, 0, 0, time.UTC)
		code.EndsAt = code.StartsAt.AddDate(0, 0, 3)
		s.setCode(coder, code)
		got := s.slot(coder, code.Index)
		require.True(s, code.StartsAt.Equal(got.StartsAt), "StartsAt is %v, but should be %v", got.StartsAt, code.StartsAt)
		require.True(s, code.EndsAt.Equal(got.EndsAt), "EndsAt is %v, but should be %v", got.EndsAt, code.EndsAt)
	}},
}

// replaceCode sets a code in an occupied slot. If the lock hides PINs, the driver may be unable to confirm it.
func (s *suite) replaceCode(c device.Coder, limits device.CodeLimits, code device.Slot) {
	s.Helper()
	if err := c.SetCode(s.ctx, s.Lock, code); limits.ReadsPIN || !errors.Is(err, device.ErrUnconfirmed) {
		require.NoError(s, err, "SetCode of the occupied slot %d", code.Index)
	}
	s.expectCode(c, code)
}

// trueCodes returns the slots of the lock from the hook, or else from the driver.
func (s *suite) trueCodes(c device.Coder) []device.Slot {
	s.Helper()
	if s.Hooks.ReadCodes != nil {
		return s.Hooks.ReadCodes(s.Lock)
	}
	slots, err := c.Codes(s.ctx, s.Lock)
	require.NoError(s, err, "Codes")
	return slots
}

// requireSame requires that all slots except one are equal. It does not print PINs.
func (s *suite) requireSame(want, got []device.Slot, except int, when string) {
	s.Helper()
	require.Len(s, got, len(want), "slots %s", when)
	for i := range want {
		if want[i] != got[i] && want[i].Index != except {
			s.Fatalf("slot %d is %s %s, but was %s and must not change", want[i].Index, describe(got[i]), when, describe(want[i]))
		}
	}
}
