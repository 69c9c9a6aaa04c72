package device

import (
	"fmt"
	"math"
)

// State is the state of a device as far as its provider knows it. A value that the device does not have or did not
// report is unknown. States are comparable with ==. The JSON form omits unknown values.
type State struct {
	// Online reports whether the provider can reach the device. It is unknown if the provider does not say.
	Online Optional[bool] `json:"online,omitzero"`

	// Locked is unknown while the bolt is moving, jammed or not fully locked.
	Locked Optional[bool] `json:"locked,omitzero"`

	// DoorOpen is the state of a contact sensor on a door or window, or of a lock that has one.
	DoorOpen Optional[bool] `json:"door_open,omitzero"`

	// Battery is the charge, from 0 (empty) to 1 (full).
	Battery Optional[float64] `json:"battery_level,omitzero"`

	// Temperature is the measured temperature in °C, from -100 to 200.
	Temperature Optional[float64] `json:"temperature_celsius,omitzero"`

	// Humidity is the measured relative humidity, from 0 to 1.
	Humidity Optional[float64] `json:"relative_humidity,omitzero"`

	// Mode and the set points are the settings of a thermostat. The set points are in °C.
	Mode            Optional[HVACMode] `json:"hvac_mode_setting,omitzero"`
	HeatingSetPoint Optional[float64]  `json:"heating_set_point_celsius,omitzero"`
	CoolingSetPoint Optional[float64]  `json:"cooling_set_point_celsius,omitzero"`
	FanMode         Optional[FanMode]  `json:"fan_mode_setting,omitzero"`

	// Heating, Cooling and FanRunning report what the thermostat is doing at the moment.
	Heating    Optional[bool] `json:"is_heating,omitzero"`
	Cooling    Optional[bool] `json:"is_cooling,omitzero"`
	FanRunning Optional[bool] `json:"is_fan_running,omitzero"`

	// Noise is the measured noise level in dB, from 0 to 200.
	Noise Optional[float64] `json:"noise_level_decibels,omitzero"`

	Leak     Optional[bool] `json:"leak_detected,omitzero"`
	Smoke    Optional[bool] `json:"smoke_detected,omitzero"`
	Occupied Optional[bool] `json:"occupied,omitzero"`
}

// Check returns an error if a value is not a number or is outside its range. Drivers should report a value that fails
// this check as unknown.
func (s State) Check() error {
	for _, c := range []struct {
		field    string
		value    Optional[float64]
		min, max float64
	}{
		{"battery_level", s.Battery, 0, 1},
		{"temperature_celsius", s.Temperature, -100, 200},
		{"relative_humidity", s.Humidity, 0, 1},
		{"heating_set_point_celsius", s.HeatingSetPoint, -100, 200},
		{"cooling_set_point_celsius", s.CoolingSetPoint, -100, 200},
		{"noise_level_decibels", s.Noise, 0, 200},
	} {
		if v, known := c.value.Get(); known && (math.IsNaN(v) || v < c.min || v > c.max) {
			return fmt.Errorf("device: state: %s is %v, but must be from %v to %v", c.field, v, c.min, c.max)
		}
	}
	if m, known := s.Mode.Get(); known && !m.valid() {
		return fmt.Errorf("device: state: hvac_mode_setting is %q, which is not one of the modes", m)
	}
	if m, known := s.FanMode.Get(); known && !m.valid() {
		return fmt.Errorf("device: state: fan_mode_setting is %q, which is not one of the fan modes", m)
	}
	return nil
}
