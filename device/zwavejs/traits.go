package zwavejs

import (
	"math"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

// setPoint is a set point of a thermostat.
type setPoint struct {
	id         valueID
	fahrenheit bool
	step       float64 // in the unit of the device
}

// encode returns a temperature in °C in the unit and the step of the device.
func (p setPoint) encode(celsius float64) float64 {
	if p.fahrenheit {
		celsius = celsius*1.8 + 32
	}
	return math.Round(math.Round(celsius/p.step)*p.step*100) / 100
}

// traits are the values of a node that the driver writes.
type traits struct {
	target  valueID // of a lock
	current valueID // shows whether it is locked
	boolean bool    // the values of the lock are booleans

	mode, fan        valueID // of a thermostat
	heating, cooling *setPoint
}

// states returns the values that show the state of a lock or thermostat.
func (t *traits) states() []valueID {
	var ids []valueID
	for _, id := range []valueID{t.current, t.mode, t.fan} {
		if id != (valueID{}) {
			ids = append(ids, id)
		}
	}
	for _, p := range []*setPoint{t.heating, t.cooling} {
		if p != nil {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// The numbers of the modes of thermostats and fans in Z-Wave.
var (
	hvacModes = map[device.HVACMode]int{device.HVACOff: 0, device.HVACHeat: 1, device.HVACCool: 2, device.HVACHeatCool: 3, device.HVACEco: 11}
	fanModes  = map[device.FanMode]int{device.FanAuto: 0, device.FanOn: 1, device.FanCirculate: 6}
)

// The modes in the order in which they are listed.
var (
	hvacOrder = []device.HVACMode{device.HVACOff, device.HVACHeat, device.HVACCool, device.HVACHeatCool, device.HVACEco}
	fanOrder  = []device.FanMode{device.FanAuto, device.FanOn, device.FanCirculate}
)

// The numbers of the modes of door locks.
const (
	modeUnsecured        = 0
	modeUnsecuredTimeout = 1
	modeSecured          = 255
)

// notificationJammed is the number of the state and of the event of a jammed lock.
const notificationJammed = 11

// sensor is a value that only reports.
type sensor struct {
	class         int
	property, key string
	reports       device.Capability
	apply         func(*device.State, value)
}

// The numbers of the notifications of sensors are those of the Z-Wave specification.
var sensors = []sensor{
	{ccBattery, "level", "", device.ReportsBattery, func(s *device.State, v value) { s.Battery = share(v.content) }},
	{ccMultilevelSensor, "Air temperature", "", device.ReportsTemperature, func(s *device.State, v value) {
		s.Temperature = celsius(v.content, v.unit == "°F")
	}},
	{ccMultilevelSensor, "Humidity", "", device.ReportsHumidity, func(s *device.State, v value) {
		if v.unit == "%" || v.unit == "" {
			s.Humidity = share(v.content)
		}
	}},
	{ccMultilevelSensor, "Loudness", "", device.ReportsNoise, func(s *device.State, v value) { s.Noise = within(v.content, 0, 200) }},
	{ccNotification, "Access Control", "Opening state", device.ReportsDoor, func(s *device.State, v value) {
		s.DoorOpen = oneOf(v.content, []float64{1, 2}, []float64{0})
	}},
	{ccNotification, "Access Control", "Door state (simple)", device.ReportsDoor, doorState},
	{ccNotification, "Access Control", "Door state", device.ReportsDoor, doorState},
	{ccDoorLock, "doorStatus", "", device.ReportsDoor, func(s *device.State, v value) {
		switch v.content {
		case "open":
			s.DoorOpen = device.Known(true)
		case "closed":
			s.DoorOpen = device.Known(false)
		}
	}},
	{ccBinarySensor, "Door/Window", "", device.ReportsDoor, func(s *device.State, v value) { s.DoorOpen = asBool(v.content) }},
	{ccNotification, "Water Alarm", "Sensor status", device.ReportsLeak, func(s *device.State, v value) {
		s.Leak = oneOf(v.content, []float64{1, 2}, []float64{0})
	}},
	{ccBinarySensor, "Water", "", device.ReportsLeak, func(s *device.State, v value) { s.Leak = asBool(v.content) }},
	{ccNotification, "Smoke Alarm", "Sensor status", device.ReportsSmoke, func(s *device.State, v value) {
		s.Smoke = oneOf(v.content, []float64{1, 2}, []float64{0})
	}},
	{ccBinarySensor, "Smoke", "", device.ReportsSmoke, func(s *device.State, v value) { s.Smoke = asBool(v.content) }},
	{ccNotification, "Home Security", "Motion sensor status", device.ReportsOccupancy, func(s *device.State, v value) {
		s.Occupied = oneOf(v.content, []float64{7, 8}, []float64{0})
	}},
	{ccBinarySensor, "Motion", "", device.ReportsOccupancy, func(s *device.State, v value) { s.Occupied = asBool(v.content) }},
}

func doorState(s *device.State, v value) {
	s.DoorOpen = oneOf(v.content, []float64{22, 5632, 5633}, []float64{23})
}

// describe returns the device of a node, without access codes, and what the driver writes to it.
func (n *node) describe() (device.Device, traits) {
	d := device.Device{
		ID: deviceID(n.id), Name: n.name, Manufacturer: n.manufacturer, Model: n.model, StateAt: n.lastSeen,
	}
	var t traits
	if !n.ready {
		return d, t
	}
	n.describeLock(&d, &t)
	n.describeThermostat(&d, &t)
	for _, s := range sensors {
		_, v, ok := n.find(s.class, s.property, s.key)
		if !ok || d.Can(s.reports) {
			continue
		}
		d.Capabilities = append(d.Capabilities, s.reports)
		s.apply(&d.State, v)
	}
	return d, t
}

func (n *node) describeLock(d *device.Device, t *traits) {
	if id, v, ok := n.find(ccDoorLock, "targetMode", ""); ok && v.writable {
		t.target = id
		t.current = valueID{class: ccDoorLock, endpoint: id.endpoint, property: "currentMode"}
		d.State.Locked = lockedMode(n.values[t.current].content)
	} else if id, v, ok := n.find(ccLock, "locked", ""); ok && v.writable {
		t.target, t.current, t.boolean = id, id, true
		d.State.Locked = asBool(v.content)
	} else {
		return
	}
	d.Capabilities = append(d.Capabilities, device.CanLock, device.CanUnlock, device.ReportsLock)
	if _, v, _ := n.find(ccNotification, "Access Control", "Lock state"); v.content == float64(notificationJammed) {
		d.State.Locked = device.Optional[bool]{}
	}
}

// lockedMode returns whether a door lock in this mode is locked. A mode that secures only one side is unknown.
func lockedMode(v any) device.Optional[bool] {
	return oneOf(v, []float64{modeSecured}, []float64{modeUnsecured, modeUnsecuredTimeout})
}

// locked returns whether a report of the lock's value says that it is locked.
func (t *traits) locked(v any) device.Optional[bool] {
	if t.boolean {
		return asBool(v)
	}
	return lockedMode(v)
}

// lockValue returns the value that locks or unlocks.
func (t *traits) lockValue(locked bool) any {
	switch {
	case t.boolean:
		return locked
	case locked:
		return float64(modeSecured)
	}
	return float64(modeUnsecured)
}

func (n *node) describeThermostat(d *device.Device, t *traits) {
	mode, modeValue, hasMode := n.find(ccThermostatMode, "mode", "")
	if !hasMode || !modeValue.writable {
		return
	}
	limits := &device.ClimateLimits{}
	t.heating, limits.Heating = n.findSetPoint("1", &d.State.HeatingSetPoint)
	t.cooling, limits.Cooling = n.findSetPoint("2", &d.State.CoolingSetPoint)
	for _, m := range hvacOrder {
		if modeValue.states[hvacModes[m]] && (m != device.HVACHeatCool || t.heating != nil && t.cooling != nil) {
			limits.Modes = append(limits.Modes, m)
		}
		if modeValue.content == float64(hvacModes[m]) && (m != device.HVACHeatCool || t.heating != nil && t.cooling != nil) {
			d.State.Mode = device.Known(m)
		}
	}
	if len(limits.Modes) == 0 {
		t.heating, t.cooling = nil, nil
		d.State.HeatingSetPoint, d.State.CoolingSetPoint, d.State.Mode = device.Optional[float64]{}, device.Optional[float64]{}, device.Optional[device.HVACMode]{}
		return
	}
	t.mode = mode
	if fan, v, ok := n.find(ccFanMode, "mode", ""); ok && v.writable {
		t.fan = fan
		for _, m := range fanOrder {
			if v.states[fanModes[m]] {
				limits.FanModes = append(limits.FanModes, m)
			}
			if v.content == float64(fanModes[m]) {
				d.State.FanMode = device.Known(m)
			}
		}
	}
	d.Climate = limits
	d.Capabilities = append(d.Capabilities, device.CanSetClimate)
	if _, v, ok := n.find(ccThermostatState, "state", ""); ok {
		if state, ok := v.content.(float64); ok {
			d.State.Heating = device.Known(slices.Contains([]float64{1, 7, 8, 10, 11}, state))
			d.State.Cooling = device.Known(slices.Contains([]float64{2, 9}, state))
		}
	}
	if _, v, ok := n.find(ccFanState, "state", ""); ok {
		if state, ok := v.content.(float64); ok {
			d.State.FanRunning = device.Known(state != 0)
		}
	}
}

// findSetPoint returns the set point of a type, or nil, and stores its state.
func (n *node) findSetPoint(kind string, state *device.Optional[float64]) (*setPoint, *device.Range) {
	id, v, ok := n.find(ccSetPoint, "setpoint", kind)
	if !ok || !v.writable {
		return nil, nil
	}
	p := &setPoint{id: id, fahrenheit: v.unit == "°F", step: v.step}
	if p.step == 0 {
		p.step = 0.1
		if p.fahrenheit {
			p.step = 1
		}
	}
	*state = celsius(v.content, p.fahrenheit)
	limits := &device.Range{}
	low, lowKnown := celsius(known(v.min), p.fahrenheit).Get()
	high, highKnown := celsius(known(v.max), p.fahrenheit).Get()
	if lowKnown && highKnown && low < high {
		*limits = device.Range{Min: low, Max: high}
	}
	return p, limits
}

// known returns a number, or nil if it is unknown.
func known(v device.Optional[float64]) any {
	if n, ok := v.Get(); ok {
		return n
	}
	return nil
}
