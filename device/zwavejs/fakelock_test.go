package zwavejs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

// setLock carries out a command to the lock.
func (f *fake) setLock(m fields) (any, zwaveError) {
	status := map[string]any{"status": setUnsupervised}
	v, _ := m.number("value")
	if f.supervised && (f.deaf || f.mute) {
		f.locked = f.locked && f.deaf || v == modeSecured && !f.deaf
		return nil, 201
	}
	if !f.deaf {
		f.locked = v == modeSecured
	}
	if f.supervised {
		status["status"] = setSuccess
	}
	if f.status != nil {
		status["status"] = *f.status
	}
	f.shown = v // whether or not the lock obeys
	f.update(lockNode, ccDoorLock, "currentMode", v)
	if !f.deaf && !f.mute && !f.stale {
		f.notify(map[bool]int{true: 3, false: 4}[f.locked], "null")
	}
	return map[string]any{"result": status}, 0
}

// mode is the mode of the lock.
func (f *fake) mode() float64 {
	if f.locked {
		return modeSecured
	}
	return modeUnsecured
}

// report lets the lock report its mode.
func (f *fake) report() {
	f.shown = f.mode()
	f.update(lockNode, ccDoorLock, "currentMode", f.shown)
}

// invoke calls a method of the command class User Code.
func (f *fake) invoke(m fields) (any, zwaveError) {
	args := m.list("args")
	var index int
	if len(args) > 0 && json.Unmarshal(args[0], &index) != nil {
		return nil, 322
	}
	switch m.text("methodName") {
	case "getUsersCount":
		return map[string]any{"response": testSlots}, 0
	case "get":
		if f.mute || f.stale {
			return map[string]any{}, 0
		}
		return map[string]any{"response": f.user(index)}, 0
	case "set", "clear":
		var pin string
		if len(args) > 2 {
			_ = json.Unmarshal(args[2], &pin)
		}
		f.write(index, pin)
		return map[string]any{}, 0
	}
	return nil, 304
}

// user is the report of a slot.
func (f *fake) user(index int) map[string]any {
	if index > testSlots {
		return map[string]any{"userIdStatus": userNone, "userCode": ""}
	}
	s, ok := f.slots[index]
	m := map[string]any{"userIdStatus": userEnabled, "userCode": s.PIN.Reveal()}
	switch {
	case !ok:
		m["userIdStatus"] = userAvailable
	case s.State == device.SlotDisabled:
		m["userIdStatus"] = userDisabled
	}
	if ok && f.masks {
		m["userCode"] = "******"
	}
	return m
}

// result writes or clears a code, reads it back and returns the result.
func (f *fake) result(index int, pin string) map[string]any {
	f.write(index, pin)
	s := f.slots[index]
	if !f.mute && (s.PIN.Reveal() == pin || pin != "" && f.masks && !s.PIN.IsZero()) {
		f.event(fmt.Sprintf(`{"source":"node","event":"credential modified","nodeId":%d,"endpointIndex":0,"args":{"credentialSlot":%d}}`, lockNode, index))
		return map[string]any{"result": resultOK}
	}
	return map[string]any{"result": 255}
}

// write lets the lock store, clear or silently refuse a code.
func (f *fake) write(index int, pin string) {
	if f.deaf {
		return
	}
	if pin == "" {
		delete(f.slots, index)
		return
	}
	for i, s := range f.slots {
		if i != index && s.PIN.Reveal() == pin {
			if f.announces {
				f.notify(15, "null")
			}
			return
		}
	}
	if _, occupied := f.slots[index]; f.full && !occupied {
		return
	}
	s := device.Slot{Index: index, State: device.SlotKnown, PIN: device.NewSecret(pin)}
	if f.slots[index].State == device.SlotDisabled && f.schema >= schemaAccessControl {
		s.State = device.SlotDisabled // unless the command class is used
	}
	f.slots[index] = s
}

// change calls fn while the server does nothing else, and waits until the drivers have received the events.
func (f *fake) change(fn func()) {
	f.mu.Lock()
	fn()
	clients := slices.Collect(maps.Keys(f.clients))
	f.mu.Unlock()
	for _, c := range clients {
		_ = c.ws.Ping(context.Background()) // a driver answers when it has processed what was sent before
	}
}

func (f *fake) setOffline(id string, offline bool) {
	node := map[string]int{testLock: lockNode, testThermostat: thermostatNode}[id]
	f.change(func() {
		f.offline[node] = offline
		f.event(fmt.Sprintf(`{"source":"node","event":%q,"nodeId":%d}`, map[bool]string{true: "dead", false: "alive"}[offline], node))
	})
}

func (f *fake) hold(string) (release func()) {
	f.change(func() { f.slow = true })
	return func() {
		f.change(func() {
			f.slow = false
			for _, act := range f.held {
				act()
			}
			f.held = nil
		})
	}
}

func (f *fake) setMute(_ string, mute bool) {
	f.change(func() {
		if f.mute = mute; !mute {
			f.report()
		}
	})
}

func (f *fake) setStale(_ string, stale bool) {
	f.change(func() {
		if f.stale = stale; !stale {
			f.report()
		}
	})
}

func (f *fake) operate(_ string, o device.Operation) {
	f.change(func() {
		f.locked = o.Locked
		if f.offline[lockNode] || f.stale || f.mute {
			return
		}
		event := map[device.Method]int{device.MethodManual: 1, device.MethodRemote: 3, device.MethodKeypad: 5}[o.Method]
		if !o.Locked {
			event++
		}
		parameters := "null"
		if slot, ok := o.Slot.Get(); ok {
			parameters = fmt.Sprintf(`{"userId":%d}`, slot)
		}
		f.report()
		f.notify(event, parameters)
	})
}

func (f *fake) writeCode(_ string, s device.Slot) {
	f.change(func() {
		if delete(f.slots, s.Index); s.State != device.SlotEmpty {
			f.slots[s.Index] = s
		}
	})
}

func (f *fake) readCodes(string) []device.Slot {
	f.mu.Lock()
	defer f.mu.Unlock()
	slots := make([]device.Slot, testSlots)
	for i := range slots {
		slots[i] = device.Slot{Index: i + 1, State: device.SlotEmpty}
		if s, ok := f.slots[i+1]; ok {
			slots[i] = s
		}
	}
	return slots
}

func (f *fake) commands(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counted[map[string]int{testLock: lockNode, testThermostat: thermostatNode}[id]]
}
