package device_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestCodeLimits_CheckPIN_Constraints(t *testing.T) {
	t.Parallel()
	for constraint, pins := range map[device.Constraint]struct{ good, bad []string }{
		device.NoZeros:                  {[]string{"1234"}, []string{"1034", "0000"}},
		device.CannotStartWith12:        {[]string{"2112", "1345"}, []string{"1200"}},
		device.NoTripleConsecutiveInts:  {[]string{"1122", "1212"}, []string{"1112", "9000"}},
		device.NoSequence:               {[]string{"1235", "9875", "8901"}, []string{"1234", "9876", "0123"}},
		device.AtLeastThreeUniqueDigits: {[]string{"1123"}, []string{"1122", "7777"}},
		device.CannotContain089:         {[]string{"1237"}, []string{"1230", "1238", "9123"}},
		device.CannotContain0789:        {[]string{"1236"}, []string{"1237"}},
		device.NoAllSameDigits:          {[]string{"1112"}, []string{"1111"}},
		device.CannotSpecifyPIN:         {nil, []string{"4826"}},
		device.UniqueFirstFourDigits:    {[]string{"4826"}, nil},
		device.PINMatchesExistingSet:    {[]string{"4826"}, nil},
		device.StartInFuture:            {[]string{"4826"}, nil},
		device.NameMustBeUnique:         {[]string{"4826"}, nil},
	} {
		limits := device.CodeLimits{Slots: 1, Lengths: []int{4}, Constraints: []device.Constraint{constraint}}
		for _, pin := range pins.good {
			require.NoError(t, limits.CheckPIN(device.NewSecret(pin)), "%s: %s", constraint, pin)
		}
		for _, pin := range pins.bad {
			require.Equal(t, &device.RejectedError{Reason: device.RejectedConstraint, Constraint: constraint},
				limits.CheckPIN(device.NewSecret(pin)), "%s: %s", constraint, pin)
		}
		d := lock()
		d.Codes.Constraints = limits.Constraints
		require.NoError(t, d.Check(), "%s is a known constraint", constraint)
	}
}

func TestCodeLimits_Check(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	native := *lock().Codes
	native.NativeSchedule = true
	pin := device.NewSecret("4826")
	for name, c := range map[string]struct {
		limits device.CodeLimits
		slot   device.Slot
		want   error
	}{
		"valid":                  {*lock().Codes, device.Slot{Index: 3, PIN: pin, Name: "äöüßé"}, nil},
		"slot 0":                 {*lock().Codes, device.Slot{PIN: pin}, device.ErrInvalid},
		"slot too high":          {*lock().Codes, device.Slot{Index: 4, PIN: pin}, device.ErrInvalid},
		"no PIN":                 {*lock().Codes, device.Slot{Index: 1}, device.ErrInvalid},
		"letters":                {*lock().Codes, device.Slot{Index: 1, PIN: device.NewSecret("48x6")}, device.ErrInvalid},
		"length":                 {*lock().Codes, device.Slot{Index: 1, PIN: device.NewSecret("48261")}, device.ErrRejected},
		"long name":              {*lock().Codes, device.Slot{Index: 1, PIN: pin, Name: "abcdef"}, device.ErrRejected},
		"window without a clock": {*lock().Codes, device.Slot{Index: 1, PIN: pin, EndsAt: at}, device.ErrInvalid},
		"window":                 {native, device.Slot{Index: 1, PIN: pin, StartsAt: at, EndsAt: at.Add(1)}, nil},
		"ends as it starts":      {native, device.Slot{Index: 1, PIN: pin, StartsAt: at, EndsAt: at}, device.ErrInvalid},
	} {
		err := c.limits.Check(c.slot)
		require.ErrorIs(t, err, c.want, name)
		if err != nil && !c.slot.PIN.IsZero() {
			require.NotContains(t, err.Error(), c.slot.PIN.Reveal(), name)
		}
	}
}

func TestSlot_WithoutState_CountsAsOccupied(t *testing.T) {
	t.Parallel()
	for state, want := range map[device.SlotState]bool{
		"": true, device.SlotEmpty: false, device.SlotKnown: true, device.SlotUnreadable: true, device.SlotDisabled: true,
	} {
		require.Equal(t, want, device.Slot{State: state}.Occupied(), "%q", state)
	}
}
