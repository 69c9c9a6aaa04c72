package device

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the texts of a device, in bytes.
const (
	MaxIDBytes   = 256
	MaxNameBytes = 200
)

// Capability is something that a device can do. Pages offer actions by capability, not by the type of the device.
type Capability string

// The first four capabilities are actions, the others values that the device reports.
const (
	CanLock       Capability = "lock"
	CanUnlock     Capability = "unlock"
	CanProgram    Capability = "program_codes" // Device.Codes is set, and the Conn is a Coder
	CanSetClimate Capability = "set_climate"   // Device.Climate is set

	ReportsLock        Capability = "reports_lock"
	ReportsDoor        Capability = "reports_door"
	ReportsBattery     Capability = "reports_battery"
	ReportsTemperature Capability = "reports_temperature"
	ReportsHumidity    Capability = "reports_humidity"
	ReportsNoise       Capability = "reports_noise"
	ReportsLeak        Capability = "reports_leak"
	ReportsSmoke       Capability = "reports_smoke"
	ReportsOccupancy   Capability = "reports_occupancy"
)

var capabilities = []Capability{
	CanLock, CanUnlock, CanProgram, CanSetClimate, ReportsLock, ReportsDoor, ReportsBattery, ReportsTemperature,
	ReportsHumidity, ReportsNoise, ReportsLeak, ReportsSmoke, ReportsOccupancy,
}

// Device describes a device of an account and its last known state. [Device.Check] lists the rules for its fields.
type Device struct {
	// ID identifies the device within its account. It never changes, not even when the device is renamed, and is never
	// used again for another device.
	ID string

	// Name is the name that the customer gave the device, see [Label].
	Name string

	Manufacturer string
	Model        string
	Serial       string

	// Capabilities lists each capability once, in any order.
	Capabilities []Capability

	// Climate describes a thermostat. It is nil without [CanSetClimate].
	Climate *ClimateLimits

	// Codes describes the access codes of a lock. It is nil without [CanProgram].
	Codes *CodeLimits

	State State

	// StateAt is the time at which the device last reported its state. It is zero if the provider does not say.
	StateAt time.Time
}

// Can reports whether the device has the capability.
func (d Device) Can(c Capability) bool { return slices.Contains(d.Capabilities, c) }

// Check returns an error that lists all violated rules: ID is not empty and has at most [MaxIDBytes] bytes of UTF-8
// without control characters; the other texts are results of [Label]; capabilities are known and occur once; Climate
// and Codes are set if and only if the device has their capability, and are consistent; State passes [State.Check].
func (d Device) Check() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("device %q: "+format, append([]any{d.ID}, args...)...))
	}
	if d.ID == "" || len(d.ID) > MaxIDBytes || !utf8.ValidString(d.ID) || strings.ContainsFunc(d.ID, unicode.IsControl) {
		fault("the id must have 1 to %d bytes of UTF-8 without control characters", MaxIDBytes)
	}
	for _, text := range []struct{ field, value string }{
		{"name", d.Name}, {"manufacturer", d.Manufacturer}, {"model", d.Model}, {"serial", d.Serial},
	} {
		if text.value != Label(text.value) {
			fault("the %s is not a label; use device.Label", text.field)
		}
	}
	for i, c := range d.Capabilities {
		switch {
		case !slices.Contains(capabilities, c):
			fault("unknown capability %q", c)
		case slices.Index(d.Capabilities, c) != i:
			fault("capability %q occurs more than once", c)
		}
	}
	if d.Can(CanSetClimate) != (d.Climate != nil) {
		fault("Climate must be set if and only if the device has the capability %q", CanSetClimate)
	}
	if d.Can(CanProgram) != (d.Codes != nil) {
		fault("Codes must be set if and only if the device has the capability %q", CanProgram)
	}
	if d.Climate != nil {
		if err := d.Climate.check(); err != nil {
			fault("climate: %w", err)
		}
	}
	if d.Codes != nil {
		if err := d.Codes.check(); err != nil {
			fault("codes: %w", err)
		}
	}
	if err := d.State.Check(); err != nil {
		fault("%w", err)
	}
	return errors.Join(errs...)
}

// Label makes a text from a device fit for a name: it removes control and format characters and invalid UTF-8, turns
// each run of white space into one space, trims it, and cuts it at [MaxNameBytes] bytes between two characters.
func Label(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return -1
		}
		return r
	}, text)), " ")
	if len(text) > MaxNameBytes {
		cut := MaxNameBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = strings.TrimRight(text[:cut], " ")
	}
	return text
}
