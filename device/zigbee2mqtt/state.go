package zigbee2mqtt

import (
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// apply changes a state to what a message reports. A property that the message does not contain does not change.
func (t *traits) apply(s *device.State, m map[string]any) {
	if v, ok := m[t.lock]; ok && t.lock != "" {
		s.Locked = device.Optional[bool]{}
		switch scalar(v) {
		case "": // null
		case t.lockOn:
			s.Locked = device.Known(true)
		case t.lockOff:
			s.Locked = device.Known(false)
		}
		if t.lock == "state" {
			s.Locked = actual(s.Locked, m["lock_state"])
		}
	}
	if v, ok := m[t.mode]; ok && t.mode != "" {
		s.Mode = keyOf(t.modes, asText(v))
	}
	if v, ok := m[t.fan]; ok && t.fan != "" {
		s.FanMode = keyOf(t.fans, asText(v))
	}
	t.heating.apply(&s.HeatingSetPoint, m)
	t.cooling.apply(&s.CoolingSetPoint, m)
	if v, ok := m[t.temperature]; ok && t.temperature != "" {
		s.Temperature = celsius(v, t.fahrenheit)
	}
	if v, ok := m["running_state"]; ok && t.running {
		s.Heating, s.Cooling, s.FanRunning = device.Optional[bool]{}, device.Optional[bool]{}, device.Optional[bool]{}
		if running := asText(v); running == "idle" || running == "heat" || running == "cool" || running == "fan_only" {
			s.Heating, s.Cooling = device.Known(running == "heat"), device.Known(running == "cool")
			if t.fan != "" {
				s.FanRunning = device.Known(running != "idle")
			}
		}
	}
	for _, x := range t.sensors {
		if v, ok := m[x.property]; ok {
			x.apply(s, v)
		}
	}
}

// actual returns whether a lock is locked. The property lock_state is more precise: a bolt may be between its ends.
func actual(locked device.Optional[bool], lockState any) device.Optional[bool] {
	switch asText(lockState) {
	case "":
		return locked
	case "locked":
		return device.Known(true)
	case "unlocked":
		return device.Known(false)
	}
	return device.Optional[bool]{}
}

func (p *setPoint) apply(to *device.Optional[float64], m map[string]any) {
	if p == nil {
		return
	}
	if v, ok := m[p.property]; ok {
		*to = celsius(v, p.fahrenheit)
	}
}

// keyOf returns the key with a value, or unknown.
func keyOf[K comparable](m map[K]string, value string) device.Optional[K] {
	for k, v := range m {
		if v == value && value != "" {
			return device.Known(k)
		}
	}
	return device.Optional[K]{}
}

// slotReport is the report of a slot in the property users.
type slotReport struct {
	state device.SlotState
	pin   string // empty if it is not published
}

// decodeUsers decodes the property users: the slots up to a number that were read so far.
func decodeUsers(v any, slots int, readsPIN bool) map[int]slotReport {
	users := asObject(v)
	if len(users) == 0 {
		return nil
	}
	reports := map[int]slotReport{}
	for key, v := range users {
		index, err := strconv.Atoi(key)
		user := asObject(v)
		if err != nil || index < 1 || index > slots || user == nil {
			continue
		}
		r := slotReport{state: device.SlotUnreadable}
		if readsPIN { // otherwise a PIN in the message is an old one
			r.pin = asText(user["pin_code"])
			if strings.ContainsFunc(r.pin, func(c rune) bool { return c < '0' || c > '9' }) || len(r.pin) > 12 {
				r.pin = ""
			}
		}
		switch asText(user["status"]) {
		case "available":
			r = slotReport{state: device.SlotEmpty}
		case "disabled":
			r.state = device.SlotDisabled
		case "enabled":
			if r.pin != "" {
				r.state = device.SlotKnown
			}
		default:
			r.pin = ""
		}
		reports[index] = r
	}
	return reports
}

// slot returns the report as a slot.
func (r slotReport) slot(index int) device.Slot {
	return device.Slot{Index: index, State: r.state, PIN: device.NewSecret(r.pin)}
}

// reported contains the events of a message, in addition to its state.
type reported struct {
	operation *device.Operation
	codes     bool // somebody changed the codes at the lock or remotely
}

// decodeAction decodes the property action of a lock.
func decodeAction(m map[string]any) reported {
	action := asText(m["action"])
	switch action {
	case "pin_code_added", "pin_code_deleted", "pin_code_changed", "master_code_changed":
		return reported{codes: true}
	}
	base, found := action, false
	for _, suffix := range []string{"unlock", "lock"} {
		if base == suffix || strings.HasSuffix(base, "_"+suffix) {
			base, found = suffix, true
			break
		}
	}
	if !found {
		return reported{}
	}
	o := &device.Operation{Locked: base == "lock", Method: device.MethodUnknown}
	switch {
	case strings.HasPrefix(action, "auto_"), strings.HasPrefix(action, "schedule_"):
		o.Method = device.MethodAuto
	case strings.HasPrefix(action, "manual_"), strings.HasPrefix(action, "key_"), strings.HasPrefix(action, "one_touch_"):
		o.Method = device.MethodManual
	default:
		switch asText(m["action_source_name"]) {
		case "keypad":
			o.Method = device.MethodKeypad
			if user, ok := asInteger(m["action_user"]); ok && user >= 1 && user <= 1000 {
				o.Slot = device.Known(user)
			}
		case "manual":
			o.Method = device.MethodManual
		case "rf":
			o.Method = device.MethodRemote
		}
	}
	return reported{operation: o}
}
