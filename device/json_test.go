package device_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// TestJSON_NamesOfStoredValues_AreStable lists every field, because stores contain these names.
func TestJSON_NamesOfStoredValues_AreStable(t *testing.T) {
	t.Parallel()
	yes, number := device.Known(true), device.Known(0.5)
	for _, c := range []struct {
		value any
		want  string
	}{
		{device.Command{Kind: device.Lock}, `{"kind": "lock"}`},
		{
			device.Command{Kind: device.SetClimate, Climate: device.Climate{
				Mode: device.Known(device.HVACHeatCool), FanMode: device.Known(device.FanAuto), HeatingSetPoint: device.Known(20.5), CoolingSetPoint: device.Known(24.0),
			}},
			`{"kind": "set_climate", "climate": {
				"hvac_mode_setting": "heat_cool", "fan_mode_setting": "auto", "heating_set_point_celsius": 20.5, "cooling_set_point_celsius": 24
			}}`,
		},
		{
			device.State{
				Online: yes, Locked: yes, DoorOpen: yes, Battery: number, Temperature: number, Humidity: number,
				Mode: device.Known(device.HVACOff), HeatingSetPoint: number, CoolingSetPoint: number, FanMode: device.Known(device.FanOn),
				Heating: yes, Cooling: yes, FanRunning: yes, Noise: number, Leak: yes, Smoke: yes, Occupied: yes,
			},
			`{
				"online": true, "locked": true, "door_open": true, "battery_level": 0.5, "temperature_celsius": 0.5, "relative_humidity": 0.5,
				"hvac_mode_setting": "off", "heating_set_point_celsius": 0.5, "cooling_set_point_celsius": 0.5, "fan_mode_setting": "on",
				"is_heating": true, "is_cooling": true, "is_fan_running": true, "noise_level_decibels": 0.5,
				"leak_detected": true, "smoke_detected": true, "occupied": true
			}`,
		},
		{
			device.ClimateLimits{
				Modes: []device.HVACMode{device.HVACHeat}, FanModes: []device.FanMode{device.FanOn},
				Heating: &device.Range{Min: 7, Max: 30}, Cooling: &device.Range{Min: 16, Max: 32}, MinDelta: 2,
			},
			`{
				"available_hvac_mode_settings": ["heat"], "available_fan_mode_settings": ["on"],
				"heating_set_point_celsius": {"min": 7, "max": 30}, "cooling_set_point_celsius": {"min": 16, "max": 32},
				"min_heating_cooling_delta_celsius": 2
			}`,
		},
		{
			device.CodeLimits{Slots: 20, Lengths: []int{4, 6}, Constraints: []device.Constraint{device.NameMustBeUnique}, NameLength: 10, NativeSchedule: true, ReadsPIN: true},
			`{
				"slots": 20, "supported_code_lengths": [4, 6], "code_constraints": ["name_must_be_unique"], "name_length": 10,
				"native_schedule": true, "reads_pin": true
			}`,
		},
	} {
		encoded, err := json.Marshal(c.value)
		require.NoError(t, err)
		require.JSONEq(t, c.want, string(encoded))
	}
}

func TestCommand_JSON_RoundTrips(t *testing.T) {
	t.Parallel()
	for _, want := range []device.Command{
		{Kind: device.Unlock},
		{Kind: device.SetClimate, Climate: device.Climate{HeatingSetPoint: device.Known(0.0)}},
	} {
		encoded, err := json.Marshal(want)
		require.NoError(t, err)
		var got device.Command
		require.NoError(t, json.Unmarshal(encoded, &got))
		require.Equal(t, want, got)
	}
}
