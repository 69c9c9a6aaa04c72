package device_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestOptional_KnownAndUnknown(t *testing.T) {
	t.Parallel()
	var unknown device.Optional[bool]
	no := device.Known(false)
	require.NotEqual(t, unknown, no, "an unknown value is not false")
	require.Equal(t, []string{"unknown", "false"}, []string{unknown.String(), no.String()})
	require.Equal(t, []bool{false, true}, []bool{unknown.IsKnown(), no.IsKnown()})
	require.Equal(t, []bool{false, true, false}, []bool{unknown.Is(false), no.Is(false), no.Is(true)})
	v, known := unknown.Get()
	require.False(t, v || known)
}

func TestState_JSON_OmitsUnknownValuesAndRoundTrips(t *testing.T) {
	t.Parallel()
	s := device.State{Locked: device.Known(false), Battery: device.Known(0.5), Mode: device.Known(device.HVACEco)}
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"locked": false, "battery_level": 0.5, "hvac_mode_setting": "eco"}`, string(encoded))
	var decoded device.State
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	require.Equal(t, s, decoded)
	require.NoError(t, json.Unmarshal([]byte(`{"locked": null}`), &decoded))
	require.False(t, decoded.Locked.IsKnown())
	require.Error(t, json.Unmarshal([]byte(`{"locked": "yes"}`), &decoded))
	encoded, err = json.Marshal(device.Optional[int]{})
	require.NoError(t, err)
	require.Equal(t, "null", string(encoded))
}

func TestState_CheckOfImpossibleValues_NamesTheField(t *testing.T) {
	t.Parallel()
	require.NoError(t, device.State{}.Check())
	for field, s := range map[string]device.State{
		"battery_level":             {Battery: device.Known(85.0)},
		"temperature_celsius":       {Temperature: device.Known(math.NaN())},
		"relative_humidity":         {Humidity: device.Known(-0.1)},
		"heating_set_point_celsius": {HeatingSetPoint: device.Known(math.Inf(1))},
		"cooling_set_point_celsius": {CoolingSetPoint: device.Known(-300.0)},
		"noise_level_decibels":      {Noise: device.Known(1000.0)},
		"fan_mode_setting":          {FanMode: device.Known(device.FanMode("fast"))},
	} {
		require.ErrorContains(t, s.Check(), "state: "+field+" is ")
	}
	require.ErrorContains(t, device.State{Mode: device.Known(device.HVACMode("warm"))}.Check(), `hvac_mode_setting is "warm"`)
}
