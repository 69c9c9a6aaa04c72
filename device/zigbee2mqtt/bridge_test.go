package zigbee2mqtt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/customerportal-go/customerportal/device"
)

const (
	testBase       = "zigbee2mqtt"
	testLock       = "0x000d6f0000000001"
	testThermostat = "0x000d6f0000000002"
	testContact    = "0x000d6f0000000003"
	testSlots      = 6
)

// Definitions as Zigbee2MQTT 2.14.1 publishes them, without the fields that the driver does not use.
const (
	lockExposes = `[{"type":"lock","features":[
		{"access":7,"name":"state","property":"state","type":"binary","value_off":"UNLOCK","value_on":"LOCK"},
		{"access":1,"name":"lock_state","property":"lock_state","type":"enum","values":["not_fully_locked","locked","unlocked"]}]},
		{"access":1,"name":"battery","property":"battery","type":"numeric","unit":"%","value_max":100,"value_min":0},
		{"access":7,"name":"pin_code","property":"pin_code","type":"composite","features":[]}]`
	thermostatExposes = `[{"type":"climate","features":[
		{"access":7,"name":"occupied_heating_setpoint","property":"occupied_heating_setpoint","type":"numeric","unit":"°C","value_max":35,"value_min":4,"value_step":0.5},
		{"access":5,"name":"local_temperature","property":"local_temperature","type":"numeric","unit":"°C"},
		{"access":7,"name":"system_mode","property":"system_mode","type":"enum","values":["off","auto","heat"]},
		{"access":5,"name":"running_state","property":"running_state","type":"enum","values":["idle","heat"]}]}]`
	contactExposes = `[{"access":1,"name":"contact","property":"contact","type":"binary","value_off":true,"value_on":false},
		{"access":5,"name":"battery","property":"battery","type":"numeric","unit":"%"}]`
)

func entry(id, name, exposes string) string {
	return fmt.Sprintf(`{"ieee_address":%q,"friendly_name":%q,"type":"EndDevice","definition":{"vendor":"Test","model":"T1","exposes":%s}}`, id, name, exposes)
}

// fakeBridge imitates Zigbee2MQTT with a lock, a thermostat and a contact sensor. Like Zigbee2MQTT, it publishes the whole cached state of
// a device at every change, does not say why a lock refused a code, and processes the messages to a device in their order.
type fakeBridge struct {
	broker *broker

	mu        sync.Mutex
	exposePIN bool
	offline   map[string]bool
	names     map[string]string
	extra     []string // more entries of bridge/devices

	// The lock: its truth, and the cache of Zigbee2MQTT.
	locked  bool
	slots   map[int]device.Slot // occupied ones
	full    bool
	deaf    bool
	mute    bool
	stale   *frozen
	held    []func() // messages to the lock while it is slow
	slow    bool
	cache   map[string]any
	users   map[string]any
	silent  bool // the lock does not report operations
	counted map[string]int

	climate map[string]any
	marks   int
}

// frozen contains the answers to reads of a stale lock.
type frozen struct {
	locked bool
	slots  map[int]device.Slot
}

func newBridge() *fakeBridge {
	return &fakeBridge{
		exposePIN: true, offline: map[string]bool{}, slots: map[int]device.Slot{}, users: map[string]any{}, counted: map[string]int{},
		names:   map[string]string{testLock: "front_door", testThermostat: "living room/thermostat", testContact: "back_contact"},
		cache:   map[string]any{"state": nil, "battery": 85, "linkquality": 120},
		climate: map[string]any{"occupied_heating_setpoint": 20, "local_temperature": 21.5, "system_mode": "heat", "running_state": "idle"},
	}
}

// serve connects to a server that has just started, and publishes the retained messages.
func (z *fakeBridge) serve(s *mqtt.Server) {
	if err := s.Subscribe(testBase+"/#", 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		if strings.HasSuffix(pk.TopicName, "/set") || strings.HasSuffix(pk.TopicName, "/get") { // not its own messages
			z.handle(pk.TopicName, slices.Clone(pk.Payload))
		}
	}); err != nil {
		panic(err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.publish("bridge/state", `{"state":"online"}`, true)
	z.publishInfo()
	z.publishDevices()
	for id, name := range z.names {
		z.publishOnline(id, name)
	}
}

func (z *fakeBridge) publish(topic, payload string, retain bool) {
	z.broker.publish(testBase+"/"+topic, payload, retain)
}

func (z *fakeBridge) publishInfo() {
	z.publish("bridge/info", fmt.Sprintf(`{"version":"2.14.1","coordinator":{"ieee_address":"0x00124b0000000001"},
		"config":{"devices":{%q:{"expose_pin":%v}}}}`, testLock, z.exposePIN), true)
}

func (z *fakeBridge) publishDevices() {
	entries := append([]string{
		`{"ieee_address":"0x00124b0000000001","type":"Coordinator","friendly_name":"Coordinator"}`,
		entry(testLock, z.names[testLock], lockExposes), entry(testThermostat, z.names[testThermostat], thermostatExposes),
		entry(testContact, z.names[testContact], contactExposes),
	}, z.extra...)
	z.publish("bridge/devices", "["+strings.Join(entries, ",")+"]", true)
}

func (z *fakeBridge) publishOnline(id, name string) {
	state := "online"
	if z.offline[id] {
		state = "offline"
	}
	z.publish(name+"/availability", fmt.Sprintf(`{"state":%q}`, state), true)
}

// fail reports a failed command like Zigbee2MQTT, which prints PINs too.
func (z *fakeBridge) fail(verb, key, reason string, payload []byte) {
	z.publish("bridge/logging", string(encode(map[string]string{"level": "error", "message": fmt.Sprintf(
		"z2m: Publish '%s' '%s' to '%s' failed: 'Error: ZCL command closuresDoorLock(%s) failed (%s)'", verb, key, z.names[testLock], payload, reason)})), false)
}

// publishLock publishes the cached state of the lock, and an operation if there is one.
func (z *fakeBridge) publishLock(operation map[string]any) {
	m := maps.Clone(z.cache)
	if len(z.users) > 0 {
		m["users"] = z.users
	}
	maps.Copy(m, operation)
	z.publish(z.names[testLock], string(encode(m)), false)
}

// report caches and publishes whether the lock is locked.
func (z *fakeBridge) report(locked bool) {
	z.cache["state"], z.cache["lock_state"] = "UNLOCK", "unlocked"
	if locked {
		z.cache["state"], z.cache["lock_state"] = "LOCK", "locked"
	}
	z.publishLock(nil)
}

func operation(o device.Operation) map[string]any {
	m := map[string]any{"action": "unlock", "action_source_name": map[device.Method]string{
		device.MethodKeypad: "keypad", device.MethodManual: "manual", device.MethodRemote: "rf",
	}[o.Method]}
	if o.Locked {
		m["action"] = "lock"
	}
	if slot, ok := o.Slot.Get(); ok {
		m["action_user"] = slot
	}
	return m
}

// handle processes a message of a client.
func (z *fakeBridge) handle(topic string, payload []byte) {
	z.mu.Lock()
	defer z.mu.Unlock()
	topic = strings.TrimPrefix(topic, testBase+"/")
	m := object(payload)
	for id, name := range z.names {
		verb, ok := strings.CutPrefix(topic, name+"/")
		if !ok || verb != "set" && verb != "get" {
			continue
		}
		if verb == "set" {
			z.counted[id]++
		}
		switch id {
		case testThermostat:
			if verb == "set" {
				maps.Copy(z.climate, m)
			}
			z.publish(name, string(encode(z.climate)), false)
		case testLock:
			act := func() { z.actLock(verb, m, payload) }
			if z.slow {
				z.held = append(z.held, act)
			} else {
				act()
			}
		}
	}
}

func (z *fakeBridge) actLock(verb string, m map[string]any, payload []byte) {
	key := "state"
	code := asObject(m[pinCode])
	if code != nil {
		key = pinCode
	}
	user, _ := asInteger(code["user"])
	switch {
	case code != nil && user >= testSlots+1:
		z.fail(verb, key, map[string]string{"set": "user", "get": "userId"}[verb]+" must be in range for device", payload)
		return
	case z.offline[testLock], verb == "set" && z.deaf, verb == "get" && z.mute:
		z.fail(verb, key, "timeout", payload)
		return
	}
	switch {
	case verb == "set" && code != nil:
		z.write(user, code[pinCode])
	case verb == "set":
		z.locked = m["state"] == "LOCK"
	case code != nil:
		slots := z.slots
		if z.stale != nil {
			slots = z.stale.slots
		}
		z.users[fmt.Sprint(user)] = z.user(slots[user])
		z.publishLock(nil)
		return
	default:
		locked := z.locked
		if z.stale != nil {
			locked = z.stale.locked
		}
		z.report(locked)
		return
	}
	if z.mute {
		z.fail(verb, key, "timeout", payload)
		return
	}
	z.publishLock(nil) // the answer of the lock changes last_seen
	if code != nil {
		return
	}
	if z.stale == nil {
		z.report(z.locked)
	}
	if !z.silent {
		z.publishLock(operation(device.Operation{Locked: z.locked, Method: device.MethodRemote}))
	}
}

// user is the property of a slot.
func (z *fakeBridge) user(s device.Slot) map[string]any {
	m := map[string]any{"status": "enabled"}
	switch s.State {
	case device.SlotDisabled:
		m["status"] = "disabled"
	case "":
		m["status"] = "available"
	}
	if z.exposePIN {
		m[pinCode] = s.PIN.Reveal()
	}
	return m
}

// write lets the lock store, clear or silently refuse a code.
func (z *fakeBridge) write(user int, pin any) {
	text, isText := pin.(string)
	if !isText {
		delete(z.slots, user)
		return
	}
	for index, s := range z.slots {
		if index != user && s.PIN.Reveal() == text {
			return
		}
	}
	if _, occupied := z.slots[user]; z.full && !occupied {
		return
	}
	z.slots[user] = device.Slot{Index: user, State: device.SlotKnown, PIN: device.NewSecret(text)}
}

// change calls fn while the bridge does nothing else, and waits until the driver has received everything that was published.
func (z *fakeBridge) change(fn func()) {
	z.mu.Lock()
	fn()
	z.marks++
	mark := time.Date(2030, 1, 1, 0, 0, z.marks, 0, time.UTC)
	z.cache["last_seen"] = mark.Format(time.RFC3339)
	z.publishLock(nil)
	z.mu.Unlock()
	z.broker.awaitMark(mark)
}

func (z *fakeBridge) setOffline(id string, offline bool) {
	z.change(func() {
		z.offline[id] = offline
		z.publishOnline(id, z.names[id])
	})
}

func (z *fakeBridge) hold(string) (release func()) {
	z.change(func() { z.slow = true })
	return func() {
		z.change(func() {
			z.slow = false
			for _, act := range z.held {
				act()
			}
			z.held = nil
		})
	}
}

func (z *fakeBridge) setMute(_ string, mute bool) {
	z.change(func() {
		z.mute = mute
		if !mute {
			z.report(z.locked)
		}
	})
}

func (z *fakeBridge) setStale(_ string, stale bool) {
	z.change(func() {
		if z.stale = nil; stale {
			z.stale = &frozen{z.locked, maps.Clone(z.slots)}
			return
		}
		z.report(z.locked)
	})
}

func (z *fakeBridge) operate(_ string, o device.Operation) {
	z.change(func() {
		z.locked = o.Locked
		if z.offline[testLock] || z.stale != nil || z.mute {
			return
		}
		z.publishLock(operation(o)) // before the state, as some locks do
		z.report(z.locked)
	})
}

func (z *fakeBridge) writeCode(_ string, s device.Slot) {
	z.change(func() {
		if delete(z.slots, s.Index); s.State != device.SlotEmpty {
			z.slots[s.Index] = s
		}
	})
}

func (z *fakeBridge) readCodes(string) []device.Slot {
	z.mu.Lock()
	defer z.mu.Unlock()
	slots := make([]device.Slot, testSlots)
	for i := range slots {
		slots[i] = device.Slot{Index: i + 1, State: device.SlotEmpty}
		if s, ok := z.slots[i+1]; ok {
			slots[i] = s
		}
	}
	return slots
}

func (z *fakeBridge) commands(id string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.counted[id]
}
