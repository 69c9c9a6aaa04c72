package zigbee2mqtt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

const (
	maxDevices = 20_000
	maxEntry   = 256 << 10 // bytes of a device in bridge/devices
	maxInfo    = 4 << 20   // bytes of bridge/info
	maxState   = 256 << 10 // bytes of any other message, except announcements
)

// bridgeInfo contains the fields of bridge/info that the driver uses.
type bridgeInfo struct {
	coordinator string
	exposePIN   map[string]bool // by IEEE address: the option expose_pin of the device
	exposeAll   bool            // the option expose_pin of all devices
}

func decodeInfo(payload []byte) (bridgeInfo, bool) {
	m := object(payload)
	if m == nil {
		return bridgeInfo{}, false
	}
	config := asObject(m["config"])
	info := bridgeInfo{coordinator: asText(asObject(m["coordinator"])["ieee_address"]), exposePIN: map[string]bool{}}
	info.exposeAll = asObject(config["device_options"])["expose_pin"] == true
	for address, options := range asObject(config["devices"]) {
		if expose, ok := asObject(options)["expose_pin"].(bool); ok {
			info.exposePIN[address] = expose
		}
	}
	return info, validID(info.coordinator)
}

// readsPIN reports whether Zigbee2MQTT publishes the PINs of a device.
func (i bridgeInfo) readsPIN(address string) bool {
	if expose, ok := i.exposePIN[address]; ok {
		return expose
	}
	return i.exposeAll
}

func validID(id string) bool { return device.Device{ID: id}.Check() == nil }

// listed is a device in bridge/devices.
type listed struct {
	info   device.Device // without a state
	topic  string        // relative to the base topic; empty if the driver cannot use it
	traits traits
}

// errNoList must not quote the payload.
var errNoList = fmt.Errorf("zigbee2mqtt: bridge/devices is not a list")

// decodeDevices decodes bridge/devices. An entry that is too large or not a device is skipped, and the first of several with one address
// counts.
func decodeDevices(payload []byte, slots int) ([]listed, error) {
	list := json.NewDecoder(bytes.NewReader(payload)) // one entry at a time, because values of any type need much more memory than their text
	if begin, err := list.Token(); err != nil || begin != json.Delim('[') {
		return nil, errNoList
	}
	devices := []listed{}
	seen := map[string]bool{}
	for n := 0; list.More(); n++ {
		if n >= maxDevices {
			return nil, fmt.Errorf("zigbee2mqtt: bridge/devices lists more than %d devices", maxDevices)
		}
		var entry json.RawMessage
		if list.Decode(&entry) != nil {
			return nil, errNoList
		}
		if len(entry) > maxEntry {
			continue
		}
		d, ok := decodeDevice(object(entry), slots)
		if ok && !seen[d.info.ID] {
			seen[d.info.ID] = true
			devices = append(devices, d)
		}
	}
	if _, err := list.Token(); err != nil {
		return nil, errNoList
	}
	if _, err := list.Token(); err != io.EOF {
		return nil, errNoList
	}
	return devices, nil
}

func decodeDevice(m map[string]any, slots int) (listed, bool) {
	id := strings.ToLower(asText(m["ieee_address"]))
	if !validID(id) || strings.HasPrefix(id, genericDevice) || asText(m["type"]) == "Coordinator" || m["disabled"] == true {
		return listed{}, false
	}
	definition := asObject(m["definition"])
	name := asText(m["friendly_name"])
	d := listed{
		info: device.Device{
			ID: id, Name: device.Label(name), Manufacturer: device.Label(asText(definition["vendor"])),
			Model: device.Label(asText(definition["model"])), Serial: device.Label(id),
		},
		traits: decodeExposes(asList(definition["exposes"])),
	}
	if usableTopic(name) && !strings.HasPrefix(name, "bridge/") && !strings.HasSuffix(name, "/") {
		d.topic = name
	}
	d.traits.describe(&d.info, slots)
	if d.topic == "" { // nothing can be read or sent
		d.info.Capabilities, d.info.Climate, d.info.Codes, d.traits = nil, nil, nil, traits{}
	}
	return d, true
}

// decodeOnline decodes the payload of bridge/state and of availability, as JSON or as a word.
func decodeOnline(payload []byte) device.Optional[bool] {
	text := asText(object(payload)["state"])
	if text == "" && len(payload) < 32 {
		text = string(payload)
	}
	switch text {
	case "online":
		return device.Known(true)
	case "offline":
		return device.Known(false)
	}
	return device.Optional[bool]{}
}

// failure is a command that Zigbee2MQTT could not carry out.
type failure struct {
	verb, key string // for example "set" and "pin_code"
	rest      string // begins with the name of the device
	outside   bool   // the lock has no such slot
}

// decodeFailure finds a failed command in a message of bridge/logging. The message may contain PINs.
func decodeFailure(payload []byte) (failure, bool) {
	m := object(payload)
	if asText(m["level"]) != "error" {
		return failure{}, false
	}
	_, rest, ok := strings.Cut(asText(m["message"]), "Publish '")
	verb, rest, ok2 := strings.Cut(rest, "' '")
	key, rest, ok3 := strings.Cut(rest, "' to '")
	return failure{verb, key, rest, strings.Contains(rest, " must be in range for device")}, ok && ok2 && ok3
}

// of reports whether the command was sent to the device with this name.
func (f failure) of(name string) bool { return strings.HasPrefix(f.rest, name+"' failed") }
