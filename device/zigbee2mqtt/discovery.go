package zigbee2mqtt

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

const (
	maxAnnouncement  = 64 << 10 // bytes
	maxAnnouncements = 32 << 20 // bytes of all announcements together
	maxEntities      = 20_000
)

// genericDevice begins the ids of announced devices, so that they differ from those of Zigbee devices.
const genericDevice = "mqtt:"

// component is a kind of entity in Home Assistant's discovery.
type component string

const (
	componentLock    component = "lock"
	componentClimate component = "climate"
	componentSensor  component = "sensor"
	componentBinary  component = "binary_sensor"
)

// announcement is a decoded announcement. entity is nil if the entity was removed, or if the driver does not support it.
type announcement struct{ entity *entity }

// entity is a part of a device that another program announced.
type entity struct {
	device    device.Device // the id and the texts of the device that it belongs to
	component component
	class     string // the field device_class
	state     source // of a lock or a sensor
	settings  map[string]any
	size      int      // bytes of the announcement
	online    []source // all of them must be online
	anyOnline bool     // one of them is enough
}

// source is a topic, and the place of a value in its messages.
type source struct {
	topic   string
	path    []string // in a JSON object; nil for the whole payload
	on, off string   // payloads, if the value has two
}

// value returns the value in a message. It returns nil if the message has no such value.
func (s source) value(payload []byte) any {
	if s.path == nil {
		return string(payload)
	}
	var v any
	if json.Unmarshal(payload, &v) != nil {
		return nil
	}
	for _, key := range s.path {
		v = asObject(v)[key]
	}
	return v
}

// abbreviations are the short names of the fields that the driver uses.
var abbreviations = map[string]string{
	"act_t": "action_topic", "act_tpl": "action_template", "avty": "availability", "avty_t": "availability_topic", "avty_mode": "availability_mode",
	"avty_tpl": "availability_template", "cmd_t": "command_topic", "cmd_tpl": "command_template", "cod_form": "code_format", "cu": "configuration_url", "curr_temp_t": "current_temperature_topic",
	"curr_temp_tpl": "current_temperature_template", "dev": "device", "dev_cla": "device_class", "ids": "identifiers", "max_temp": "max_temp",
	"mdl": "model", "mf": "manufacturer", "mode_cmd_t": "mode_command_topic", "mode_cmd_tpl": "mode_command_template", "mode_stat_t": "mode_state_topic", "mode_stat_tpl": "mode_state_template",
	"o": "origin", "pl_avail": "payload_available", "pl_lock": "payload_lock", "pl_not_avail": "payload_not_available", "pl_off": "payload_off",
	"pl_on": "payload_on", "pl_unlk": "payload_unlock", "sn": "serial_number", "stat_locked": "state_locked", "stat_t": "state_topic", "stat_unlocked": "state_unlocked",
	"t": "topic", "temp_cmd_t": "temperature_command_topic", "temp_cmd_tpl": "temperature_command_template", "temp_stat_t": "temperature_state_topic",
	"temp_stat_tpl": "temperature_state_template", "temp_unit": "temperature_unit", "uniq_id": "unique_id", "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
}

// expand returns the fields with their long names, and with the base topic inserted for ~ at the ends of topics.
func expand(m map[string]any, base string) map[string]any {
	full := make(map[string]any, len(m))
	for key, v := range m {
		if long, ok := abbreviations[key]; ok {
			key = long
		}
		if text, ok := v.(string); ok && base != "" && strings.HasSuffix(key, "topic") {
			if rest, ok := strings.CutPrefix(text, "~"); ok {
				v = base + rest
			} else if rest, ok := strings.CutSuffix(text, "~"); ok {
				v = rest + base
			}
		}
		full[key] = v
	}
	return full
}

// decodeAnnouncement decodes a message to a topic PREFIX/COMPONENT/[NODE/]OBJECT/config. Entities of Zigbee2MQTT are ignored,
// because bridge/devices says more about them.
func decodeAnnouncement(topic string, payload []byte, baseTopic string) announcement {
	levels := strings.Split(topic, "/")
	if len(levels) < 4 || len(topic) > maxTopic || len(payload) == 0 || len(payload) > maxAnnouncement {
		return announcement{}
	}
	m := object(payload)
	base := asText(m["~"])
	m = expand(m, base)
	dev := expand(asObject(m["device"]), "")
	origin := expand(asObject(m["origin"]), "")
	id := asText(dev["identifiers"])
	if ids := asList(dev["identifiers"]); len(ids) > 0 {
		id = asText(ids[0])
	}
	if id == "" {
		id = asText(m["unique_id"])
	}
	for key, v := range m { // nobody may reach the bridge itself through an announcement
		if strings.HasSuffix(key, "topic") && strings.HasPrefix(asText(v), baseTopic+"/bridge/") {
			delete(m, key)
		}
	}
	e := &entity{component: component(levels[1]), class: asText(m["device_class"]), settings: m, size: len(topic) + len(payload)}
	e.device = device.Device{
		ID: genericDevice + id, Name: device.Label(orText(asText(dev["name"]), asText(m["name"]))), Manufacturer: device.Label(asText(dev["manufacturer"])),
		Model: device.Label(asText(dev["model"])), Serial: device.Label(asText(dev["serial_number"])),
	}
	switch {
	case id == "" || !validID(e.device.ID), asText(origin["name"]) == "Zigbee2MQTT", strings.HasPrefix(id, "zigbee2mqtt_"):
		return announcement{}
	}
	e.state, _ = sourceOf(m, "state_topic", "value_template")
	switch e.component {
	case componentLock:
		e.state.on, e.state.off = orText(scalar(m["state_locked"]), "LOCKED"), orText(scalar(m["state_unlocked"]), "UNLOCKED")
	case componentBinary:
		e.state.on, e.state.off = orText(scalar(m["payload_on"]), "ON"), orText(scalar(m["payload_off"]), "OFF")
	case componentClimate, componentSensor:
	default:
		return announcement{}
	}
	e.decodeAvailability(m)
	if !e.useful() {
		return announcement{}
	}
	e.prune()
	return announcement{e}
}

// prune removes values that the driver does not use and that may need much more memory than their text.
func (e *entity) prune() {
	var modes []any
	for _, v := range asList(e.settings["modes"]) {
		if _, ok := hvacModes[asText(v)]; ok && !slices.Contains(modes, v) {
			modes = append(modes, v)
		}
	}
	for key, v := range e.settings {
		if scalar(v) == "" {
			delete(e.settings, key)
		}
	}
	e.settings["modes"] = modes
}

// decodeAvailability decodes the fields about availability.
func (e *entity) decodeAvailability(m map[string]any) {
	list := asList(m["availability"])
	if one := asObject(m["availability"]); one != nil {
		list = []any{one}
	}
	if m["availability_topic"] != nil {
		list = append(list, map[string]any{
			"topic": m["availability_topic"], "value_template": m["availability_template"],
			"payload_available": m["payload_available"], "payload_not_available": m["payload_not_available"],
		})
	}
	for _, v := range list[:min(len(list), 10)] {
		a := expand(asObject(v), asText(m["~"]))
		if s, ok := sourceOf(a, "topic", "value_template"); ok {
			s.on, s.off = orText(scalar(a["payload_available"]), "online"), orText(scalar(a["payload_not_available"]), "offline")
			e.online = append(e.online, s)
		}
	}
	e.anyOnline = asText(m["availability_mode"]) == "any"
}

// sourceOf returns the source in two fields, and whether the driver supports it.
func sourceOf(m map[string]any, topic, template string) (source, bool) {
	s := source{topic: asText(m[topic])}
	path, ok := parseTemplate(asText(m[template]))
	if s.path = path; !ok || !usableTopic(s.topic) {
		return source{}, false
	}
	return s, true
}

// parseTemplate returns the path of a template that only selects a value, for example {{ value_json.a['b'] }}. The path of an empty
// template is nil. Other templates are not supported.
func parseTemplate(text string) (path []string, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, true
	}
	text, begins := strings.CutPrefix(text, "{{")
	text, ends := strings.CutSuffix(text, "}}")
	text = strings.TrimSpace(text)
	if !begins || !ends {
		return nil, false
	}
	if text == "value" {
		return nil, true
	}
	text, ok = strings.CutPrefix(text, "value_json")
	for ok && text != "" {
		var key string
		switch {
		case text[0] == '.':
			n := strings.IndexAny(text[1:], ".[")
			if n < 0 {
				n = len(text) - 1
			}
			key, text = text[1:n+1], text[n+1:]
		case len(text) > 3 && text[0] == '[' && (text[1] == '"' || text[1] == '\''):
			n := strings.Index(text[2:], text[1:2]+"]")
			if n < 0 {
				return nil, false
			}
			key, text = text[2:n+2], text[n+4:]
		default:
			return nil, false
		}
		if key == "" || strings.ContainsAny(key, " |(){}\"'") || len(path) >= 8 {
			return nil, false
		}
		path = append(path, key)
	}
	return path, ok && path != nil
}
