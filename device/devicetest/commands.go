package devicetest

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var commandChecks = []check{
	{"lock and unlock are confirmed and change the state", func(s *suite) {
		s.needLock()
		c := s.open()
		s.setLocked(c, true)
		w := s.watch(c)
		for _, locked := range []bool{false, true, false} {
			seen := len(w.all())
			s.setLocked(c, locked)
			s.eventually(func() string {
				for _, e := range w.all()[seen:] {
					if e.Kind == device.StateChanged && e.DeviceID == s.Lock && e.State.Locked.Is(locked) {
						return ""
					}
				}
				return fmt.Sprintf("Watch did not report that the lock is locked: %v", locked)
			})
		}
	}},
	{"climate settings change the state", func(s *suite) {
		s.needThermostat()
		c := s.open()
		limits := s.find(c, s.Thermostat).Climate
		require.NotNil(s, limits, "device %q is a thermostat", s.Thermostat)
		for _, climate := range climates(*limits) {
			_, err := c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.SetClimate, Climate: climate})
			require.NoError(s, err, "Do with the settings %+v", climate)
			s.eventually(func() string {
				got := s.find(c, s.Thermostat).State
				if mode, set := climate.Mode.Get(); set && !got.Mode.Is(mode) {
					return fmt.Sprintf("the mode is %v, but should be %v", got.Mode, mode)
				}
				if heat, set := climate.HeatingSetPoint.Get(); set && !got.HeatingSetPoint.Is(heat) {
					return fmt.Sprintf("the heating set point is %v, but should be %v", got.HeatingSetPoint, heat)
				}
				if cool, set := climate.CoolingSetPoint.Get(); set && !got.CoolingSetPoint.Is(cool) {
					return fmt.Sprintf("the cooling set point is %v, but should be %v", got.CoolingSetPoint, cool)
				}
				return ""
			})
		}
	}},
	{"settings outside the limits are rejected and not sent", func(s *suite) {
		s.needThermostat()
		c := s.open()
		limits := s.find(c, s.Thermostat).Climate
		require.NotNil(s, limits, "device %q is a thermostat", s.Thermostat)
		sent := s.counter(s.Thermostat)
		for _, out := range []struct {
			limits  *device.Range
			climate func(float64) device.Climate
		}{
			{limits.Heating, func(v float64) device.Climate { return device.Climate{HeatingSetPoint: device.Known(v)} }},
			{limits.Cooling, func(v float64) device.Climate { return device.Climate{CoolingSetPoint: device.Known(v)} }},
		} {
			if out.limits == nil || *out.limits == (device.Range{}) {
				continue
			}
			for _, v := range []float64{out.limits.Min - 1, out.limits.Max + 1} {
				_, err := c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.SetClimate, Climate: out.climate(v)})
				s.requireRejected(err, device.RejectedConstraint, fmt.Sprintf("a set point of %v °C", v))
			}
		}
		_, err := c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.SetClimate})
		require.ErrorIs(s, err, device.ErrInvalid, "Do without a setting")
		require.Zero(s, sent(), "commands sent to the thermostat")
	}},
	{"a command that the device cannot do is unsupported", func(s *suite) {
		s.needLock()
		c := s.open()
		_, err := c.Do(s.ctx, s.Lock, device.Command{Kind: "no_such_command"})
		require.ErrorIs(s, err, device.ErrUnsupported, "Do with an unknown command")
		s.needThermostat()
		_, err = c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.Unlock})
		require.ErrorIs(s, err, device.ErrUnsupported, "Do with Unlock for a thermostat")
		_, err = c.Do(s.ctx, s.Lock, device.Command{Kind: device.SetClimate, Climate: device.Climate{Mode: device.Known(device.HVACOff)}})
		require.ErrorIs(s, err, device.ErrUnsupported, "Do with SetClimate for a lock")
	}},
	{"a command to an unknown device is an error", func(s *suite) {
		_, err := s.open().Do(s.ctx, "no such device", device.Command{Kind: device.Lock})
		require.ErrorIs(s, err, device.ErrUnknownDevice, "Do for an unknown device")
	}},
	{"a command to an offline device fails with ErrOffline", func(s *suite) {
		s.needLock()
		s.need("Hooks.Offline", s.Hooks.Offline != nil)
		c := s.open()
		s.setLocked(c, true)
		s.Hooks.Offline(s.Lock, true)
		_, err := c.Do(s.ctx, s.Lock, device.Command{Kind: device.Unlock})
		require.ErrorIs(s, err, device.ErrOffline, "Do for an offline lock")
		s.Hooks.Offline(s.Lock, false)
		s.setLocked(c, false)
	}},
	{"a command that the device ignores is not confirmed", func(s *suite) {
		s.needLock()
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		c := s.open()
		s.setLocked(c, false)
		s.Hooks.Deaf(s.Lock, true)
		s.requireUnconfirmed(c, true)
		s.Hooks.Deaf(s.Lock, false)
	}},
	{"a stale state does not confirm a command", func(s *suite) {
		s.needLock()
		s.need("Hooks.Stale", s.Hooks.Stale != nil)
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c := s.open()
		s.setLocked(c, true)
		s.Hooks.Stale(s.Lock, true)
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodManual})
		s.Hooks.Deaf(s.Lock, true)
		s.requireUnconfirmed(c, true)
		s.Hooks.Deaf(s.Lock, false)
		s.Hooks.Stale(s.Lock, false)
	}},
	{"a command whose answer was lost is not confirmed", func(s *suite) {
		s.needLock()
		s.need("Hooks.Mute", s.Hooks.Mute != nil)
		c := s.open()
		s.setLocked(c, true)
		s.Hooks.Mute(s.Lock, true)
		s.requireUnconfirmed(c, false)
		s.Hooks.Mute(s.Lock, false)
		s.eventually(func() string {
			if s.find(c, s.Lock).State.Locked.Is(false) {
				return ""
			}
			return "the command was carried out, but the state does not show it after the device answers again"
		})
	}},
	{"a failed command is attempted once", func(s *suite) {
		s.needLock()
		s.need("Hooks.Deaf", s.Hooks.Deaf != nil)
		s.need("Hooks.Commands", s.Hooks.Commands != nil)
		c, coder, limits := s.openLock()
		s.setLocked(c, true)
		s.Hooks.Deaf(s.Lock, true)
		sent := s.counter(s.Lock)
		s.requireUnconfirmed(c, false)
		require.LessOrEqual(s, sent(), 1, "commands sent by one call of Do")
		sent = s.counter(s.Lock)
		require.Error(s, coder.SetCode(s.ctx, s.Lock, s.code(limits, 0, 0)), "SetCode that the lock ignores")
		require.LessOrEqual(s, sent(), 1, "commands sent by one call of SetCode")
		s.Hooks.Deaf(s.Lock, false)
	}},
}

// climates returns settings that the thermostat accepts, one set point in the middle of its range for each mode.
func climates(l device.ClimateLimits) []device.Climate {
	var all []device.Climate
	for _, mode := range l.Modes {
		c := device.Climate{Mode: device.Known(mode)}
		switch {
		case mode == device.HVACHeat && l.Heating != nil && *l.Heating != device.Range{}:
			c.HeatingSetPoint = device.Known(float64(int(l.Heating.Min+l.Heating.Max) / 2))
		case mode == device.HVACCool && l.Cooling != nil && *l.Cooling != device.Range{}:
			c.CoolingSetPoint = device.Known(float64(int(l.Cooling.Min+l.Cooling.Max) / 2))
		}
		all = append(all, c)
	}
	return all
}

// setLocked locks or unlocks the lock, and waits for its state.
func (s *suite) setLocked(c device.Conn, locked bool) {
	s.Helper()
	outcome, err := c.Do(s.ctx, s.Lock, lockCommand(locked))
	require.NoError(s, err, "Do with %s", lockCommand(locked).Kind)
	require.True(s, outcome.Confirmed, "%s is confirmed", lockCommand(locked).Kind)
	s.eventually(func() string {
		if got := s.find(c, s.Lock).State.Locked; !got.Is(locked) {
			return fmt.Sprintf("State.Locked is %v, but should be %v", got, locked)
		}
		return ""
	})
}

func lockCommand(locked bool) device.Command {
	if locked {
		return device.Command{Kind: device.Lock}
	}
	return device.Command{Kind: device.Unlock}
}

// requireUnconfirmed sends a command that no answer can confirm.
func (s *suite) requireUnconfirmed(c device.Conn, locked bool) {
	s.Helper()
	outcome, err := c.Do(s.ctx, s.Lock, lockCommand(locked))
	require.False(s, outcome.Confirmed, "Do must not be confirmed, because the device did not answer")
	if err != nil {
		s.requireNotDone(err, "Do without an answer of the device")
	}
}

// requireRejected requires a rejection with a reason.
func (s *suite) requireRejected(err error, reason device.Reason, what string) {
	s.Helper()
	require.ErrorIs(s, err, device.ErrRejected, what)
	rejected, ok := errors.AsType[*device.RejectedError](err)
	require.True(s, ok, "%s: the error is a RejectedError", what)
	require.Equal(s, reason, rejected.Reason, "%s: reason of the rejection", what)
}

// counter returns a function that returns how many commands were sent to a device since the call of counter. Without the
// hook, it returns 0.
func (s *suite) counter(id string) func() int {
	if s.Hooks.Commands == nil {
		return func() int { return 0 }
	}
	before := s.Hooks.Commands(id)
	return func() int { return s.Hooks.Commands(id) - before }
}
