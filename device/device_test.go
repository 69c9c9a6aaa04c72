package device_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func lock() device.Device {
	return device.Device{
		ID: "l", Name: "Lock", Capabilities: []device.Capability{device.CanLock, device.CanProgram},
		Codes: &device.CodeLimits{Slots: 3, Lengths: []int{4, 6}, NameLength: 5},
	}
}

func thermostat() device.Device {
	return device.Device{
		ID: "t", Name: "Thermostat", Capabilities: []device.Capability{device.CanSetClimate},
		Climate: &device.ClimateLimits{
			Modes: []device.HVACMode{device.HVACOff, device.HVACHeat}, FanModes: []device.FanMode{device.FanAuto},
			Heating: &device.Range{Min: 5, Max: 30}, Cooling: &device.Range{}, MinDelta: 1.5,
		},
	}
}

func TestDevice_CheckOfBrokenRules_NamesEachRule(t *testing.T) {
	t.Parallel()
	require.NoError(t, lock().Check())
	require.NoError(t, thermostat().Check())
	for want, change := range map[string]func(d *device.Device){
		"the id must have 1 to 256 bytes":         func(d *device.Device) { d.ID = "" },
		"UTF-8 without control characters":        func(d *device.Device) { d.ID = "a\nb" },
		"the name is not a label":                 func(d *device.Device) { d.Name = "a\tb" },
		"the serial is not a label":               func(d *device.Device) { d.Serial = " 1" },
		`unknown capability "fly"`:                func(d *device.Device) { d.Capabilities = append(d.Capabilities, "fly") },
		`capability "lock" occurs more than once`: func(d *device.Device) { d.Capabilities = append(d.Capabilities, device.CanLock) },
		"Codes must be set if and only if":        func(d *device.Device) { d.Codes = nil },
		"Climate must be set if and only if":      func(d *device.Device) { d.Climate = thermostat().Climate },
		"codes: there are 0 slots":                func(d *device.Device) { d.Codes.Slots = 0 },
		"codes: the lengths are [6 4]":            func(d *device.Device) { d.Codes.Lengths = []int{6, 4} },
		"codes: the lengths are [4 4]":            func(d *device.Device) { d.Codes.Lengths = []int{4, 4} },
		"codes: there are 13 lengths":             func(d *device.Device) { d.Codes.Lengths = make([]int, 13) },
		`constraint "no_zeros" occurs more`:       func(d *device.Device) { d.Codes.Constraints = []device.Constraint{"no_zeros", "no_zeros"} },
		`codes: unknown constraint "odd"`:         func(d *device.Device) { d.Codes.Constraints = []device.Constraint{"odd"} },
		"codes: the length of names is -1":        func(d *device.Device) { d.Codes.NameLength = -1 },
		"state: battery_level is 2":               func(d *device.Device) { d.State.Battery = device.Known(2.0) },
	} {
		d := lock()
		change(&d)
		require.ErrorContains(t, d.Check(), want)
	}
	for want, change := range map[string]func(c *device.ClimateLimits){
		"climate: there is no mode":                         func(c *device.ClimateLimits) { c.Modes = nil },
		`climate: unknown mode "warm"`:                      func(c *device.ClimateLimits) { c.Modes = []device.HVACMode{"warm"} },
		`climate: unknown fan mode "fast"`:                  func(c *device.ClimateLimits) { c.FanModes = []device.FanMode{"fast"} },
		`mode "heat" occurs more than once`:                 func(c *device.ClimateLimits) { c.Modes = []device.HVACMode{"heat", "heat"} },
		`fan mode "auto" occurs more than once`:             func(c *device.ClimateLimits) { c.FanModes = []device.FanMode{"auto", "auto"} },
		"from -Inf to 5 is infinite":                        func(c *device.ClimateLimits) { c.Heating = &device.Range{Min: math.Inf(-1), Max: 5} },
		"from 5 to +Inf is infinite":                        func(c *device.ClimateLimits) { c.Cooling = &device.Range{Min: 5, Max: math.Inf(1)} },
		"climate: MinDelta is +Inf":                         func(c *device.ClimateLimits) { c.MinDelta = math.Inf(1) },
		"the range of set points from 30 to 5 is empty":     func(c *device.ClimateLimits) { c.Heating = &device.Range{Min: 30, Max: 5} },
		"climate: MinDelta is -1, but must not be negative": func(c *device.ClimateLimits) { c.MinDelta = -1 },
	} {
		d := thermostat()
		change(d.Climate)
		require.ErrorContains(t, d.Check(), want)
	}
	d := lock()
	d.ID, d.Name = "", " "
	require.ErrorContains(t, d.Check(), "the id must")
	require.ErrorContains(t, d.Check(), "the name is not a label")
}

func TestCommand_Check(t *testing.T) {
	t.Parallel()
	climate := func(c device.Climate) device.Command { return device.Command{Kind: device.SetClimate, Climate: c} }
	heat := func(v float64) device.Climate { return device.Climate{HeatingSetPoint: device.Known(v)} }
	for _, c := range []struct {
		name    string
		d       device.Device
		command device.Command
		want    error
		text    string
	}{
		{"lock", lock(), device.Command{Kind: device.Lock}, nil, ""},
		{"no capability", lock(), device.Command{Kind: device.Unlock}, device.ErrUnsupported, `no capability "unlock"`},
		{"unknown command", lock(), device.Command{Kind: "open"}, device.ErrUnsupported, `command "open"`},
		{"lock with settings", lock(), device.Command{Kind: device.Lock, Climate: heat(20)}, device.ErrInvalid, "climate settings"},
		{"no setting", thermostat(), climate(device.Climate{}), device.ErrInvalid, "needs a setting"},
		{"in range", thermostat(), climate(heat(30)), nil, ""},
		{"too warm", thermostat(), climate(heat(30.5)), device.ErrRejected, "must be from 5 to 30 °C"},
		{"unbounded range", thermostat(), climate(device.Climate{CoolingSetPoint: device.Known(50.0)}), nil, ""},
		{"too close", thermostat(), climate(device.Climate{HeatingSetPoint: device.Known(20.0), CoolingSetPoint: device.Known(21.0)}), device.ErrRejected, "at least 1.5 °C above"},
		{"mode", thermostat(), climate(device.Climate{Mode: device.Known(device.HVACCool)}), device.ErrUnsupported, `the modes are ["off" "heat"]`},
		{"fan mode", thermostat(), climate(device.Climate{FanMode: device.Known(device.FanOn)}), device.ErrUnsupported, `fan mode "on"`},
	} {
		err := c.command.Check(c.d)
		require.ErrorIs(t, err, c.want, c.name)
		if c.want != nil {
			require.ErrorContains(t, err, c.text, c.name)
		}
	}
	d := thermostat()
	d.Climate.Heating = nil
	require.ErrorIs(t, climate(heat(20)).Check(d), device.ErrUnsupported)
}

func TestRejectedError_IsRejectedWithAReason(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("set code: %w", &device.RejectedError{Reason: device.RejectedDuplicate, Slot: 4, Detail: "as the lock said"})
	require.ErrorIs(t, err, device.ErrRejected)
	require.NotErrorIs(t, err, device.ErrUnconfirmed)
	rejected, ok := errors.AsType[*device.RejectedError](err)
	require.True(t, ok)
	require.Equal(t, device.RejectedDuplicate, rejected.Reason)
	require.EqualError(t, err, "set code: device: rejected by the device: duplicate of slot 4: as the lock said")
	require.EqualError(t, &device.RejectedError{Reason: device.RejectedConstraint, Constraint: device.NoZeros},
		"device: rejected by the device: constraint no_zeros")
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Front door":                           "Front door",
		"  Front \t\n door ":                   "Front door",
		"a\x00b\x1bc":                          "abc",
		"\u202eevil\u200b":                     "evil",
		"\xffdoor":                             "door",
		"":                                     "",
		"Tür 1 / €":                            "Tür 1 / €",
		strings.Repeat("a", 300):               strings.Repeat("a", 200),
		strings.Repeat("a", 199) + "€":         strings.Repeat("a", 199),
		strings.Repeat("a", 199) + " and more": strings.Repeat("a", 199),
	} {
		require.Equal(t, want, device.Label(text), "%q", text)
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("Front\tdoor\xff")
	f.Fuzz(func(t *testing.T, text string) {
		label := device.Label(text)
		require.True(t, utf8.ValidString(label))
		require.LessOrEqual(t, len(label), device.MaxNameBytes)
		require.Equal(t, label, device.Label(label), "a label is a label")
	})
}
