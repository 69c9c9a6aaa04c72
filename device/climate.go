package device

import "slices"

// HVACMode is the mode of a thermostat.
type HVACMode string

// The modes of a thermostat. In mode heat_cool ("auto") it heats below the heating set point and cools above the
// cooling set point.
const (
	HVACOff      HVACMode = "off"
	HVACHeat     HVACMode = "heat"
	HVACCool     HVACMode = "cool"
	HVACHeatCool HVACMode = "heat_cool"
	HVACEco      HVACMode = "eco"
)

func (m HVACMode) valid() bool {
	return slices.Contains([]HVACMode{HVACOff, HVACHeat, HVACCool, HVACHeatCool, HVACEco}, m)
}

// FanMode is the mode of the fan of a thermostat.
type FanMode string

// The modes of a fan.
const (
	FanAuto      FanMode = "auto"
	FanOn        FanMode = "on"
	FanCirculate FanMode = "circulate"
)

func (m FanMode) valid() bool { return slices.Contains([]FanMode{FanAuto, FanOn, FanCirculate}, m) }

// Climate contains the settings of the command [SetClimate]. A setting that is unknown does not change. Set points are
// in °C. A driver converts them to the unit and step of the device, and rounds to the nearest step.
type Climate struct {
	Mode            Optional[HVACMode] `json:"hvac_mode_setting,omitzero"`
	HeatingSetPoint Optional[float64]  `json:"heating_set_point_celsius,omitzero"`
	CoolingSetPoint Optional[float64]  `json:"cooling_set_point_celsius,omitzero"`
	FanMode         Optional[FanMode]  `json:"fan_mode_setting,omitzero"`
}

// Range is a range of set points in °C, bounds included. The zero value means that the bounds are unknown.
type Range struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// ClimateLimits describes the settings that a thermostat accepts.
type ClimateLimits struct {
	// Modes and FanModes list the accepted modes. FanModes is empty if the fan cannot be set.
	Modes    []HVACMode `json:"available_hvac_mode_settings"`
	FanModes []FanMode  `json:"available_fan_mode_settings,omitempty"`

	// Heating and Cooling are the ranges of the set points. A set point that the device does not have is nil.
	Heating *Range `json:"heating_set_point_celsius,omitempty"`
	Cooling *Range `json:"cooling_set_point_celsius,omitempty"`

	// MinDelta is the smallest difference between the set points in mode heat_cool, in °C.
	MinDelta float64 `json:"min_heating_cooling_delta_celsius,omitempty"`
}
