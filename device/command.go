package device

import (
	"fmt"
	"math"
	"slices"
)

// CommandKind is the kind of a [Command].
type CommandKind string

// The kinds of commands.
const (
	Lock       CommandKind = "lock"        // needs CanLock
	Unlock     CommandKind = "unlock"      // needs CanUnlock
	SetClimate CommandKind = "set_climate" // needs CanSetClimate; the settings are in Command.Climate
)

// Command is an order to a device. Its JSON form is stored with action attempts.
type Command struct {
	Kind    CommandKind `json:"kind"`
	Climate Climate     `json:"climate,omitzero"` // of SetClimate
}

// Check returns [ErrUnsupported] if the device cannot do this, a [RejectedError] with [RejectedConstraint] if a setting
// is outside the limits of the device, [ErrInvalid] if the command is incomplete, and nil otherwise.
func (c Command) Check(d Device) error {
	needs, ok := map[CommandKind]Capability{Lock: CanLock, Unlock: CanUnlock, SetClimate: CanSetClimate}[c.Kind]
	switch {
	case !ok:
		return fmt.Errorf("%w: command %q", ErrUnsupported, c.Kind)
	case !d.Can(needs):
		return fmt.Errorf("%w: it has no capability %q", ErrUnsupported, needs)
	case c.Kind == SetClimate:
		return d.Climate.accept(c.Climate)
	case c.Climate != Climate{}:
		return fmt.Errorf("%w: command %q has climate settings", ErrInvalid, c.Kind)
	}
	return nil
}

// accept returns an error if the thermostat does not accept the settings.
func (l *ClimateLimits) accept(c Climate) error {
	if l == nil || c == (Climate{}) {
		return fmt.Errorf("%w: the command %q needs a setting", ErrInvalid, SetClimate)
	}
	if m, known := c.Mode.Get(); known && !slices.Contains(l.Modes, m) {
		return fmt.Errorf("%w: mode %q; the modes are %q", ErrUnsupported, m, l.Modes)
	}
	if m, known := c.FanMode.Get(); known && !slices.Contains(l.FanModes, m) {
		return fmt.Errorf("%w: fan mode %q; the fan modes are %q", ErrUnsupported, m, l.FanModes)
	}
	if err := acceptSetPoint("heating", c.HeatingSetPoint, l.Heating); err != nil {
		return err
	}
	if err := acceptSetPoint("cooling", c.CoolingSetPoint, l.Cooling); err != nil {
		return err
	}
	heat, heats := c.HeatingSetPoint.Get()
	cool, cools := c.CoolingSetPoint.Get()
	if heats && cools && cool-heat < l.MinDelta {
		return &RejectedError{Reason: RejectedConstraint, Detail: fmt.Sprintf(
			"the cooling set point (%v °C) must be at least %v °C above the heating set point (%v °C)", cool, l.MinDelta, heat)}
	}
	return nil
}

func acceptSetPoint(name string, value Optional[float64], limits *Range) error {
	v, known := value.Get()
	switch {
	case !known:
		return nil
	case limits == nil:
		return fmt.Errorf("%w: the thermostat has no %s set point", ErrUnsupported, name)
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%w: the %s set point is not a number", ErrInvalid, name)
	case *limits != Range{} && (v < limits.Min || v > limits.Max):
		return &RejectedError{Reason: RejectedConstraint, Detail: fmt.Sprintf(
			"the %s set point is %v °C, but must be from %v to %v °C", name, v, limits.Min, limits.Max)}
	}
	return nil
}

// check returns an error if the limits are not consistent.
func (l *ClimateLimits) check() error {
	if len(l.Modes) == 0 {
		return fmt.Errorf("there is no mode")
	}
	for i, m := range l.Modes {
		switch {
		case !m.valid():
			return fmt.Errorf("unknown mode %q", m)
		case slices.Index(l.Modes, m) != i:
			return fmt.Errorf("mode %q occurs more than once", m)
		}
	}
	for i, m := range l.FanModes {
		switch {
		case !m.valid():
			return fmt.Errorf("unknown fan mode %q", m)
		case slices.Index(l.FanModes, m) != i:
			return fmt.Errorf("fan mode %q occurs more than once", m)
		}
	}
	for _, r := range []*Range{l.Heating, l.Cooling} {
		switch {
		case r == nil:
		case !(r.Min <= r.Max):
			return fmt.Errorf("the range of set points from %v to %v is empty", r.Min, r.Max)
		case math.IsInf(r.Min, 0) || math.IsInf(r.Max, 0):
			return fmt.Errorf("the range of set points from %v to %v is infinite", r.Min, r.Max)
		}
	}
	if !(l.MinDelta >= 0) || math.IsInf(l.MinDelta, 0) {
		return fmt.Errorf("MinDelta is %v, but must not be negative or infinite", l.MinDelta)
	}
	return nil
}
