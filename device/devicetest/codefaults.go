package devicetest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var codeFaultChecks = []check{
	{"a duplicate PIN is rejected as a duplicate", func(s *suite) {
		_, coder, limits := s.openLock()
		s.setCode(coder, s.code(limits, 0, 0))
		s.requireRefused(coder, s.code(limits, 1, 0), device.RejectedDuplicate, "SetCode with the PIN of another slot")
		s.expectCode(coder, s.code(limits, 0, 0))
		s.expectEmpty(coder, s.Slots[1])
	}},
	{"a code for a full lock is rejected as full", func(s *suite) {
		s.needLock()
		s.need("Hooks.Full", s.Hooks.Full != nil)
		_, coder, limits := s.openLock()
		s.Hooks.Full(s.Lock)
		s.requireRefused(coder, s.code(limits, 0, 0), device.RejectedFull, "SetCode for a full lock")
		s.expectEmpty(coder, s.Slots[0])
	}},
	{"codes of an offline lock fail with ErrOffline", func(s *suite) {
		s.needLock()
		s.need("Hooks.Offline", s.Hooks.Offline != nil)
		_, coder, limits := s.openLock()
		s.Hooks.Offline(s.Lock, true)
		code := s.code(limits, 0, 0)
		_, err := coder.Codes(s.ctx, s.Lock)
		require.ErrorIs(s, err, device.ErrOffline, "Codes of an offline lock")
		require.ErrorIs(s, coder.SetCode(s.ctx, s.Lock, code), device.ErrOffline, "SetCode of an offline lock")
		require.ErrorIs(s, coder.ClearCode(s.ctx, s.Lock, code.Index), device.ErrOffline, "ClearCode of an offline lock")
		s.Hooks.Offline(s.Lock, false)
		s.setCode(coder, code)
	}},
	{"a code that the lock ignores is not reported as set", func(s *suite) {
		s.needLock()
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		_, coder, limits := s.openLock()
		s.Hooks.Deaf(s.Lock, true)
		s.requireNotDone(coder.SetCode(s.ctx, s.Lock, s.code(limits, 0, 0)), "SetCode that the lock ignores")
		s.Hooks.Deaf(s.Lock, false)
		s.expectEmpty(coder, s.Slots[0])
	}},
	{"a clear that the lock ignores is not reported as done", func(s *suite) {
		s.needLock()
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.setCode(coder, code)
		s.Hooks.Deaf(s.Lock, true)
		s.requireNotDone(coder.ClearCode(s.ctx, s.Lock, code.Index), "ClearCode that the lock ignores")
		s.Hooks.Deaf(s.Lock, false)
		s.expectCode(coder, code)
	}},
	{"a code whose answer was lost is not reported as set", func(s *suite) {
		s.needLock()
		s.need("Hooks.Mute", s.Hooks.Mute != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.Hooks.Mute(s.Lock, true)
		s.requireNotDone(coder.SetCode(s.ctx, s.Lock, code), "SetCode whose answer is lost")
		s.Hooks.Mute(s.Lock, false)
		s.expectCode(coder, code)
	}},
	{"stale reads do not turn a success into a rejection", func(s *suite) {
		s.needLock()
		s.need("Hooks.Stale", s.Hooks.Stale != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.Hooks.Stale(s.Lock, true)
		if err := coder.SetCode(s.ctx, s.Lock, code); err != nil {
			s.requireNotDone(err, "SetCode with stale reads")
		}
		s.Hooks.Stale(s.Lock, false)
		s.expectCode(coder, code)
	}},
	{"a stale read does not confirm a code", func(s *suite) {
		s.needLock()
		s.need("Hooks.Stale", s.Hooks.Stale != nil)
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		s.need("Hooks.WriteCode", s.Hooks.WriteCode != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.setCode(coder, code)
		s.Hooks.Stale(s.Lock, true)
		s.Hooks.WriteCode(s.Lock, device.Slot{Index: code.Index, State: device.SlotEmpty})
		s.Hooks.Deaf(s.Lock, true)
		s.requireNotDone(coder.SetCode(s.ctx, s.Lock, code), "SetCode of a code that only a stale read shows")
		s.Hooks.Deaf(s.Lock, false)
		s.Hooks.Stale(s.Lock, false)
		s.expectEmpty(coder, code.Index)
	}},
	{"a code whose PIN is hidden is unreadable and not empty", func(s *suite) {
		s.needLock()
		s.need("Hooks.HidePINs", s.Hooks.HidePINs != nil)
		c, coder, limits := s.openLock()
		code := s.code(limits, 0, 0)
		s.setCode(coder, code)
		s.Hooks.HidePINs(s.Lock)
		s.eventually(func() string {
			if got := s.slot(coder, code.Index); got.State != device.SlotUnreadable || !got.PIN.IsZero() {
				return "slot is " + describe(got) + ", but should be unreadable"
			}
			if d := s.find(c, s.Lock); d.Codes == nil || d.Codes.ReadsPIN {
				return "CodeLimits.ReadsPIN should be false"
			}
			return ""
		})
		require.NoError(s, coder.ClearCode(s.ctx, s.Lock, code.Index), "ClearCode of an unreadable code")
		s.expectEmpty(coder, code.Index)
	}},
	{"a foreign code is listed as occupied", func(s *suite) {
		s.needLock()
		s.need("Hooks.WriteCode", s.Hooks.WriteCode != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 1, 1)
		code.State = device.SlotKnown
		s.Hooks.WriteCode(s.Lock, code)
		s.expectCode(coder, code)
	}},
	{"a disabled code is listed as occupied", func(s *suite) {
		s.needLock()
		s.need("Hooks.WriteCode", s.Hooks.WriteCode != nil)
		_, coder, limits := s.openLock()
		code := s.code(limits, 1, 1)
		code.State = device.SlotDisabled
		s.Hooks.WriteCode(s.Lock, code)
		s.eventually(func() string {
			if got := s.slot(coder, code.Index); got.State != device.SlotDisabled && got.State != device.SlotUnreadable {
				return "slot is " + describe(got) + ", but should be disabled or unreadable"
			}
			return ""
		})
	}},
}

// requireRefused requires that the lock refuses a code for a reason.
func (s *suite) requireRefused(c device.Coder, code device.Slot, reason device.Reason, what string) {
	s.Helper()
	err := c.SetCode(s.ctx, s.Lock, code)
	require.Error(s, err, what)
	if s.SilentRejections && errors.Is(err, device.ErrUnconfirmed) {
		return
	}
	s.requireRejected(err, reason, what)
}
