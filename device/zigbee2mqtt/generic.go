package zigbee2mqtt

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// maxParts is the greatest number of entities of one device.
const maxParts = 200

// generic is a device that another program announced. It consists of entities.
type generic struct {
	parts   map[string]*entity // by the topic of their announcement
	values  []genericValue
	online  []source
	known   map[int]device.Optional[bool] // by index in online
	any     bool                          // one of online is enough
	lock    *entity
	climate *genericClimate
}

// genericValue is a part of the state.
type genericValue struct {
	source source
	entity *entity
	apply  func(*device.State, any)
}

// genericClimate is a thermostat.
type genericClimate struct {
	entity      *entity
	mode        string // topic of the command, or empty
	modes       map[device.HVACMode]string
	temperature string // topic of the command, or empty
	setPoint    setPoint
	cooling     bool // the set point is that of cooling
}

// binaryClasses and sensorClasses are the supported values of device_class.
var (
	binaryClasses = map[string]struct {
		reports device.Capability
		field   func(*device.State) *device.Optional[bool]
	}{
		"door":        {device.ReportsDoor, func(s *device.State) *device.Optional[bool] { return &s.DoorOpen }},
		"window":      {device.ReportsDoor, func(s *device.State) *device.Optional[bool] { return &s.DoorOpen }},
		"opening":     {device.ReportsDoor, func(s *device.State) *device.Optional[bool] { return &s.DoorOpen }},
		"garage_door": {device.ReportsDoor, func(s *device.State) *device.Optional[bool] { return &s.DoorOpen }},
		"occupancy":   {device.ReportsOccupancy, func(s *device.State) *device.Optional[bool] { return &s.Occupied }},
		"motion":      {device.ReportsOccupancy, func(s *device.State) *device.Optional[bool] { return &s.Occupied }},
		"presence":    {device.ReportsOccupancy, func(s *device.State) *device.Optional[bool] { return &s.Occupied }},
		"moisture":    {device.ReportsLeak, func(s *device.State) *device.Optional[bool] { return &s.Leak }},
		"smoke":       {device.ReportsSmoke, func(s *device.State) *device.Optional[bool] { return &s.Smoke }},
	}
	sensorClasses = map[string]sensor{
		"battery":        simple["battery"],
		"humidity":       simple["humidity"],
		"sound_pressure": simple["noise"],
		"temperature":    {reports: device.ReportsTemperature, apply: func(s *device.State, v any) { s.Temperature = celsius(v, false) }},
	}
)

// useful reports whether the driver can use the entity.
func (e *entity) useful() bool {
	switch e.component {
	case componentLock:
		return e.state.topic != "" || e.commandTopic("command_topic", "command_template") != ""
	case componentBinary:
		_, ok := binaryClasses[e.class]
		return ok && e.state.topic != ""
	case componentSensor:
		_, ok := sensorClasses[e.class]
		return ok && e.state.topic != ""
	}
	return true
}

// commandTopic returns the topic of a command, or an empty text if the driver cannot send it.
func (e *entity) commandTopic(field, template string) string {
	topic := asText(e.settings[field])
	if !usableTopic(topic) || asText(e.settings[template]) != "" {
		return ""
	}
	return topic
}

// announce adds, changes or removes an entity. The caller holds c.mu.
func (c *conn) announce(topic string, a announcement) {
	old := c.entities[topic]
	if old == nil && a.entity == nil || old != nil && reflect.DeepEqual(old, a.entity) {
		return
	}
	if old != nil {
		delete(c.entities, topic)
		c.announced -= old.size
		c.setPart(old.device.ID, topic, nil)
	}
	if e := a.entity; e != nil && len(c.entities) < maxEntities && c.announced+e.size <= maxAnnouncements && c.setPart(e.device.ID, topic, e) {
		c.entities[topic] = e
		c.announced += e.size
	} else if old == nil {
		return
	}
	c.watch.add(device.Event{Kind: device.Resync})
	c.wakeUp()
}

// setPart adds an entity to a device, or removes it. It reports false if the device has too many entities.
func (c *conn) setPart(id, topic string, e *entity) bool {
	t := c.things[id]
	if t == nil {
		if e == nil || len(c.things) >= maxDevices {
			return false
		}
		t = newThing()
		t.generic = &generic{parts: map[string]*entity{}}
		c.things[id] = t
	}
	if e != nil && len(t.generic.parts) >= maxParts {
		return false
	}
	c.forget(t)
	if e == nil {
		delete(t.generic.parts, topic)
	} else {
		t.generic.parts[topic] = e
	}
	if len(t.generic.parts) == 0 {
		delete(c.things, id)
		return true
	}
	t.generic.build(t)
	for _, topic := range t.generic.topics() {
		c.use(t, topic)
	}
	return true
}

// build composes the device from its entities. Its state becomes unknown; retained messages follow when its topics are subscribed.
func (g *generic) build(t *thing) {
	*g = generic{parts: g.parts, known: map[int]device.Optional[bool]{}}
	t.info, t.online = device.Device{}, device.Optional[bool]{}
	add := func(capabilities ...device.Capability) {
		for _, c := range capabilities {
			if !t.info.Can(c) {
				t.info.Capabilities = append(t.info.Capabilities, c)
			}
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(g.parts)) {
		e := g.parts[topic]
		i, d := &t.info, e.device
		i.ID, i.Name, i.Manufacturer = d.ID, orText(i.Name, d.Name), orText(i.Manufacturer, d.Manufacturer)
		i.Model, i.Serial = orText(i.Model, d.Model), orText(i.Serial, d.Serial)
		g.online = append(g.online, e.online...)
		g.any = g.any || e.anyOnline
		switch e.component {
		case componentLock:
			if g.lock == nil {
				g.addLock(e, add)
			}
		case componentClimate:
			if g.climate == nil {
				g.addClimate(e, t, add)
			}
		case componentBinary:
			class := binaryClasses[e.class]
			add(class.reports)
			g.value(e.state, e, func(s *device.State, v any) { *class.field(s) = e.state.binary(v) })
		case componentSensor:
			class := sensorClasses[e.class]
			add(class.reports)
			apply := class.apply
			if e.class == "temperature" && strings.HasSuffix(asText(e.settings["unit_of_measurement"]), "F") {
				apply = func(s *device.State, v any) { s.Temperature = celsius(v, true) }
			}
			g.value(e.state, e, apply)
		}
	}
}

func (g *generic) value(s source, e *entity, apply func(*device.State, any)) {
	if s.topic != "" {
		g.values = append(g.values, genericValue{s, e, apply})
	}
}

// binary returns which of two payloads a value is.
func (s source) binary(v any) device.Optional[bool] {
	switch scalar(v) {
	case "":
	case s.on:
		return device.Known(true)
	case s.off:
		return device.Known(false)
	}
	return device.Optional[bool]{}
}

func (g *generic) addLock(e *entity, add func(...device.Capability)) {
	g.lock = e
	if e.state.topic != "" {
		add(device.ReportsLock)
		g.value(e.state, e, func(s *device.State, v any) { s.Locked = e.state.binary(v) })
	}
	if e.commandTopic("command_topic", "command_template") != "" && asText(e.settings["code_format"]) == "" {
		add(device.CanLock, device.CanUnlock)
	}
}

func (g *generic) addClimate(e *entity, t *thing, add func(...device.Capability)) {
	m := e.settings
	fahrenheit := asText(m["temperature_unit"]) == "F"
	cl := &genericClimate{
		entity: e, modes: map[device.HVACMode]string{},
		mode:        e.commandTopic("mode_command_topic", "mode_command_template"),
		temperature: e.commandTopic("temperature_command_topic", "temperature_command_template"),
		setPoint:    setPoint{property: "temperature", fahrenheit: fahrenheit, bounds: true, min: 7, max: 35, step: 1},
	}
	for _, v := range asList(m["modes"]) {
		if mode, ok := hvacModes[asText(v)]; ok {
			cl.modes[mode] = asText(v)
		}
	}
	if lowest, ok := asNumber(m["min_temp"]); ok {
		cl.setPoint.min = lowest
	}
	if highest, ok := asNumber(m["max_temp"]); ok {
		cl.setPoint.max = highest
	}
	cl.setPoint.bounds = cl.setPoint.min < cl.setPoint.max
	if step, ok := asNumber(m["temp_step"]); ok && step > 0 {
		cl.setPoint.step = step
	}
	cl.cooling = cl.modes[device.HVACHeat] == "" && cl.modes[device.HVACCool] != ""
	g.climate = cl
	if s, ok := sourceOf(m, "current_temperature_topic", "current_temperature_template"); ok {
		add(device.ReportsTemperature)
		g.value(s, e, func(s *device.State, v any) { s.Temperature = celsius(v, fahrenheit) })
	}
	if s, ok := sourceOf(m, "mode_state_topic", "mode_state_template"); ok {
		g.value(s, e, func(s *device.State, v any) { s.Mode = keyOf(cl.modes, asText(v)) })
	}
	if s, ok := sourceOf(m, "temperature_state_topic", "temperature_state_template"); ok {
		g.value(s, e, func(s *device.State, v any) { *cl.field(s) = celsius(v, fahrenheit) })
	}
	if s, ok := sourceOf(m, "action_topic", "action_template"); ok {
		g.value(s, e, func(s *device.State, v any) {
			s.Heating, s.Cooling = device.Optional[bool]{}, device.Optional[bool]{}
			if a := asText(v); a == "heating" || a == "cooling" || a == "idle" || a == "off" {
				s.Heating, s.Cooling = device.Known(a == "heating"), device.Known(a == "cooling")
			}
		})
	}
	if cl.mode == "" || len(cl.modes) == 0 {
		return
	}
	add(device.CanSetClimate)
	t.info.Climate = &device.ClimateLimits{Modes: slices.Sorted(maps.Keys(cl.modes))}
	limits := cl.setPoint.limits(map[string]bool{"temperature": cl.temperature != ""})
	if cl.cooling {
		t.info.Climate.Cooling = limits
	} else {
		t.info.Climate.Heating = limits
	}
}

// field returns the set point of the thermostat in a state.
func (c *genericClimate) field(s *device.State) *device.Optional[float64] {
	if c.cooling {
		return &s.CoolingSetPoint
	}
	return &s.HeatingSetPoint
}

// topics returns the topics that the device publishes to.
func (g *generic) topics() []string {
	var topics []string
	for _, v := range g.values {
		topics = append(topics, v.source.topic)
	}
	for _, s := range g.online {
		topics = append(topics, s.topic)
	}
	return topics
}

// deliverGeneric handles a message for an announced device. The caller holds c.mu.
func (c *conn) deliverGeneric(t *thing, topic string, payload []byte, retained bool) {
	g := t.generic
	before := c.state(t)
	var changed []*entity
	for _, v := range g.values {
		if v.source.topic == topic {
			v.apply(&t.info.State, v.source.value(payload))
			changed = append(changed, v.entity)
		}
	}
	for i, s := range g.online {
		if s.topic == topic {
			g.known[i] = s.binary(s.value(payload))
		}
	}
	t.online = g.isOnline()
	c.changedState(t, before)
	for _, e := range slices.Compact(changed) {
		t.observe(observation{published: true, live: !retained, state: t.info.State, entity: e})
	}
}

// isOnline returns whether the device can be reached according to its entities.
func (g *generic) isOnline() device.Optional[bool] {
	yes, no := 0, 0
	for i := range g.online {
		switch {
		case g.known[i].Is(true):
			yes++
		case g.known[i].Is(false):
			no++
		}
	}
	switch {
	case len(g.online) == 0:
	case g.any && yes > 0, !g.any && yes == len(g.online):
		return device.Known(true)
	case g.any && no == len(g.online), !g.any && no > 0:
		return device.Known(false)
	}
	return device.Optional[bool]{}
}

// command returns the exchange for a command. Every message of such a device is its own, so the first one with the desired value after
// the command confirms it.
func (g *generic) command(command device.Command) exchange {
	var x exchange
	var wants []func(device.State) bool
	var from *entity
	switch command.Kind {
	case device.Lock, device.Unlock:
		from = g.lock
		locked := command.Kind == device.Lock
		payload := orText(scalar(from.settings["payload_unlock"]), "UNLOCK")
		if locked {
			payload = orText(scalar(from.settings["payload_lock"]), "LOCK")
		}
		x.sets = []message{{asText(from.settings["command_topic"]), []byte(payload)}}
		wants = append(wants, func(s device.State) bool { return s.Locked.Is(locked) })
	case device.SetClimate:
		cl := g.climate
		from = cl.entity
		if m, known := command.Climate.Mode.Get(); known {
			x.sets = append(x.sets, message{cl.mode, []byte(cl.modes[m])})
			wants = append(wants, func(s device.State) bool { return s.Mode.Is(m) })
		}
		for _, v := range []device.Optional[float64]{command.Climate.HeatingSetPoint, command.Climate.CoolingSetPoint} {
			if set, known := v.Get(); known {
				x.sets = append(x.sets, message{cl.temperature, encode(cl.setPoint.encode(set))})
				wants = append(wants, func(s device.State) bool { return cl.setPoint.equal(*cl.field(&s), set) })
			}
		}
	}
	x.judge = func(o observation) verdict {
		if !o.live || o.entity != from || slices.ContainsFunc(wants, func(want func(device.State) bool) bool { return !want(o.state) }) {
			return pending
		}
		return done
	}
	return x
}
