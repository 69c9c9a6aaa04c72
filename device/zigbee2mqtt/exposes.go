package zigbee2mqtt

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// Bits of the field access of a property.
const (
	accessPublished = 1
	accessSet       = 2
	accessGet       = 4
)

// traits are the properties of a device that the driver uses, by their names in messages.
type traits struct {
	lock           string // the property that locks, or empty
	lockOn         string // its value for locked
	lockOff        string
	lockable       bool
	pins           bool
	mode           string                     // the property of the mode of a thermostat, or empty
	modes          map[device.HVACMode]string // and its values
	fan            string
	fans           map[device.FanMode]string
	heating        *setPoint
	cooling        *setPoint
	running        bool
	temperature    string // the property with the measured temperature, or empty
	fahrenheit     bool   // its unit
	sensors        []sensor
	gets           []string        // properties that can be read from a lock or a thermostat
	readable, sets map[string]bool // by property
}

// setPoint is a set point of a thermostat. Min, max and step are in the unit of the device.
type setPoint struct {
	property   string
	fahrenheit bool
	bounds     bool
	min, max   float64
	step       float64
}

// sensor is a simple property, and the part of the state that it is.
type sensor struct {
	property string
	apply    func(*device.State, any)
	reports  device.Capability
}

// simple are the properties of the simple sensors by name.
var simple = map[string]sensor{
	"battery":   {reports: device.ReportsBattery, apply: func(s *device.State, v any) { s.Battery = percent(v) }},
	"humidity":  {reports: device.ReportsHumidity, apply: func(s *device.State, v any) { s.Humidity = percent(v) }},
	"noise":     {reports: device.ReportsNoise, apply: func(s *device.State, v any) { s.Noise = number(v, 0, 200) }},
	"contact":   {reports: device.ReportsDoor, apply: func(s *device.State, v any) { s.DoorOpen = not(asBool(v)) }},
	"occupancy": {reports: device.ReportsOccupancy, apply: func(s *device.State, v any) { s.Occupied = asBool(v) }},
	"presence":  {reports: device.ReportsOccupancy, apply: func(s *device.State, v any) { s.Occupied = asBool(v) }},
	"smoke":     {reports: device.ReportsSmoke, apply: func(s *device.State, v any) { s.Smoke = asBool(v) }},

	"water_leak": {reports: device.ReportsLeak, apply: func(s *device.State, v any) { s.Leak = asBool(v) }},
	"door_state": {reports: device.ReportsDoor, apply: func(s *device.State, v any) {
		s.DoorOpen = map[string]device.Optional[bool]{"open": device.Known(true), "closed": device.Known(false)}[asText(v)]
	}},
}

func not(b device.Optional[bool]) device.Optional[bool] {
	if v, known := b.Get(); known {
		return device.Known(!v)
	}
	return b
}

// hvacModes and fanModes translate the values of the properties system_mode and fan_mode. The value auto is heat_cool only if the
// thermostat has both set points; on a radiator valve, it is a schedule.
var (
	hvacModes = map[string]device.HVACMode{"off": device.HVACOff, "heat": device.HVACHeat, "cool": device.HVACCool, "heat_cool": device.HVACHeatCool, "eco": device.HVACEco}
	fanModes  = map[string]device.FanMode{"auto": device.FanAuto, "on": device.FanOn, "circulate": device.FanCirculate}
)

// decodeExposes decodes the field exposes of a definition.
func decodeExposes(exposes []any) traits {
	t := traits{readable: map[string]bool{}, sets: map[string]bool{}}
	used := map[device.Capability]bool{}
	for _, v := range exposes {
		e := asObject(v)
		features := asList(e["features"])
		switch asText(e["type"]) {
		case "lock":
			t.addLock(features)
		case "climate":
			t.addClimate(features)
		case "fan":
			for _, f := range features {
				t.addFan(asObject(f))
			}
		case "composite":
			t.pins = t.pins || asText(e["name"]) == "pin_code" && access(e)&accessSet != 0
		default:
			property := asText(e["property"])
			if asText(e["name"]) == "temperature" && t.temperature == "" {
				t.temperature, t.fahrenheit = property, isFahrenheit(e)
				break
			}
			s, ok := simple[asText(e["name"])]
			if ok && access(e)&accessPublished != 0 && property != "" && !used[s.reports] {
				used[s.reports] = true
				s.property = property
				t.sensors = append(t.sensors, s)
			}
		}
	}
	t.pins = t.pins && t.lock != ""
	slices.Sort(t.gets)
	return t
}

func access(e map[string]any) int { n, _ := asInteger(e["access"]); return n }

func isFahrenheit(e map[string]any) bool { return strings.HasSuffix(asText(e["unit"]), "F") }

// note records how a property can be used.
func (t *traits) note(property string, e map[string]any) {
	if access(e)&accessGet != 0 && !t.readable[property] {
		t.readable[property] = true
		t.gets = append(t.gets, property)
	}
	t.sets[property] = access(e)&accessSet != 0
}

func (t *traits) addLock(features []any) {
	for _, v := range features {
		e := asObject(v)
		property := asText(e["property"])
		if asText(e["name"]) != "state" || property == "" || t.lock != "" {
			continue
		}
		t.lock, t.lockOn, t.lockOff = property, scalar(e["value_on"]), scalar(e["value_off"])
		t.lockable = access(e)&accessSet != 0 && t.lockOn != "" && t.lockOff != "" && t.lockOn != t.lockOff
		t.note(property, e)
	}
}

func (t *traits) addClimate(features []any) {
	for _, v := range features {
		e := asObject(v)
		property := asText(e["property"])
		if property == "" {
			continue
		}
		switch asText(e["name"]) {
		case "occupied_heating_setpoint", "current_heating_setpoint":
			t.addSetPoint(&t.heating, property, e)
		case "occupied_cooling_setpoint", "current_cooling_setpoint":
			t.addSetPoint(&t.cooling, property, e)
		case "local_temperature":
			t.temperature, t.fahrenheit = property, isFahrenheit(e)
			t.note(property, e)
		case "running_state":
			t.running = property == "running_state"
			t.note(property, e)
		case "system_mode":
			if t.mode != "" {
				break
			}
			t.mode, t.modes = property, map[device.HVACMode]string{}
			for _, v := range asList(e["values"]) {
				if m, ok := hvacModes[asText(v)]; ok {
					t.modes[m] = asText(v)
				}
			}
			t.note(property, e)
			if slices.Contains(asList(e["values"]), any("auto")) && t.modes[device.HVACHeatCool] == "" {
				t.modes[device.HVACHeatCool] = "auto"
			}
		case "fan_mode":
			t.addFan(e)
		}
	}
	if t.modes[device.HVACHeatCool] == "auto" && (t.heating == nil || t.cooling == nil) {
		delete(t.modes, device.HVACHeatCool)
	}
}

func (t *traits) addFan(e map[string]any) {
	property := asText(e["property"])
	if property == "" || t.fan != "" || !strings.HasPrefix(asText(e["name"]), "fan_mode") && asText(e["name"]) != "mode" {
		return
	}
	t.fan, t.fans = property, map[device.FanMode]string{}
	for _, v := range asList(e["values"]) {
		if m, ok := fanModes[asText(v)]; ok {
			t.fans[m] = asText(v)
		}
	}
	t.note(property, e)
}

func (t *traits) addSetPoint(to **setPoint, property string, e map[string]any) {
	if *to != nil {
		return
	}
	p := &setPoint{property: property, fahrenheit: isFahrenheit(e)}
	lowest, ok1 := asNumber(e["value_min"])
	highest, ok2 := asNumber(e["value_max"])
	if ok1 && ok2 && lowest < highest {
		p.bounds, p.min, p.max = true, lowest, highest
	}
	if step, ok := asNumber(e["value_step"]); ok && step > 0 {
		p.step = step
	}
	*to = p
	t.note(property, e)
}

// limits returns the range in °C, or nil if the set point cannot be set.
func (p *setPoint) limits(sets map[string]bool) *device.Range {
	if p == nil || !sets[p.property] {
		return nil
	}
	if !p.bounds {
		return &device.Range{}
	}
	lowest, ok1 := celsius(p.min, p.fahrenheit).Get()
	highest, ok2 := celsius(p.max, p.fahrenheit).Get()
	if !ok1 || !ok2 {
		return &device.Range{}
	}
	return &device.Range{Min: lowest, Max: highest}
}

// encode returns the value for a temperature in °C in the unit of the device, rounded to its step.
func (p *setPoint) encode(t float64) float64 {
	if p.fahrenheit {
		t = t*1.8 + 32
	}
	if p.step > 0 {
		t = math.Round(t/p.step) * p.step
	}
	return math.Round(t*100) / 100
}

// describe sets the capabilities of a device and its limits.
func (t *traits) describe(d *device.Device, slots int) {
	add := func(present bool, capabilities ...device.Capability) {
		for _, c := range capabilities {
			if present && !d.Can(c) {
				d.Capabilities = append(d.Capabilities, c)
			}
		}
	}
	add(t.lock != "", device.ReportsLock)
	add(t.lockable, device.CanLock, device.CanUnlock)
	add(t.temperature != "", device.ReportsTemperature)
	for _, s := range t.sensors {
		add(true, s.reports)
	}
	if t.pins {
		add(true, device.CanProgram)
		d.Codes = &device.CodeLimits{Slots: slots, Lengths: []int{4, 5, 6, 7, 8}}
	}
	if len(t.modes) == 0 || !t.sets[t.mode] {
		return
	}
	add(true, device.CanSetClimate)
	d.Climate = &device.ClimateLimits{
		Modes: slices.Sorted(maps.Keys(t.modes)), Heating: t.heating.limits(t.sets), Cooling: t.cooling.limits(t.sets),
	}
	if t.sets[t.fan] {
		d.Climate.FanModes = slices.Sorted(maps.Keys(t.fans))
	}
}
