package simulated

import (
	"github.com/customerportal-go/customerportal/device"
)

// Operate locks or unlocks a lock as somebody at the door, or another program, would do. It works on offline locks too.
func (w *World) Operate(id string, o device.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operate(w.device(id), o)
}

func (w *World) operate(d *simulatedDevice, o device.Operation) {
	d.info.State.Locked = device.Known(o.Locked)
	w.report(d)
	if d.reports() {
		w.logins[d.user].emit(device.Event{Kind: device.Operated, DeviceID: d.info.ID, At: w.options.Now(), Operation: o})
	}
}

// EnterPIN types a PIN at the keypad. If a code of the lock has this PIN, is not disabled and is within its window, the
// lock unlocks and EnterPIN returns the slot. Otherwise it returns 0.
func (w *World) EnterPIN(id, pin string) (slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, now := w.device(id), w.options.Now()
	for _, s := range d.slots {
		if s.State == device.SlotKnown && s.PIN == device.NewSecret(pin) &&
			!now.Before(s.StartsAt) && (s.EndsAt.IsZero() || now.Before(s.EndsAt)) {
			w.operate(d, device.Operation{Method: device.MethodKeypad, Slot: device.Known(s.Index)})
			return s.Index
		}
	}
	return 0
}

// WriteCode changes a slot as somebody at the lock, or another program, would do. The state of s must be SlotEmpty,
// SlotKnown or SlotDisabled. It panics if the lock has no such slot.
func (w *World) WriteCode(id string, s device.Slot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeCode(w.device(id), s)
}

func (w *World) writeCode(d *simulatedDevice, s device.Slot) {
	if s.State == device.SlotEmpty {
		s = device.Slot{Index: s.Index, State: device.SlotEmpty}
	}
	d.slots[s.Index-1] = s
	w.report(d)
	if d.reports() {
		w.logins[d.user].emit(device.Event{Kind: device.CodesChanged, DeviceID: d.info.ID, At: w.options.Now()})
	}
}

// SetState changes the true state of a device, for example to open a door, to drain a battery or to flood a room. It
// panics if the result is invalid. Online cannot be changed; use [World.SetFaults].
func (w *World) SetState(id string, change func(*device.State)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.device(id)
	s := d.info.State
	change(&s)
	s.Online = d.info.State.Online
	if err := s.Check(); err != nil {
		panic("simulated: SetState: " + err.Error())
	}
	d.info.State = s
	w.report(d)
}
