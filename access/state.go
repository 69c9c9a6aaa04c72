package access

import (
	"math"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// stateInterval is the minimum time between two writes of the state of a device, unless the change is urgent.
const stateInterval = time.Minute

// storedState is the stored form of a state. WrittenAt limits the writes also after a restart.
type storedState struct {
	device.State
	WrittenAt time.Time `json:"written"`
	reported
}

// reported contains the conditions of a device that activities have reported. It is stored with the state, so that each change is
// reported once, also if a value is unknown for some time and after another process has taken over.
type reported struct {
	LastOnline device.Optional[bool] `json:"last_online,omitzero"`
	LowBattery bool                  `json:"low_battery,omitempty"`
}

// after returns the conditions after a new state.
func (r reported) after(s device.State) reported {
	if s.Online.IsKnown() {
		r.LastOnline = s.Online
	}
	if level, ok := s.Battery.Get(); ok {
		r.LowBattery = level < lowBattery || r.LowBattery && level < goodBattery
	}
	return r
}

func decodeState(row *devicedata.State) (s storedState, err error) {
	return s, decode("the state of a device", row.Value, &s)
}

// report is a state that a device reported at a time.
type report struct {
	state device.State
	at    time.Time
}

// memory contains what a session remembers of a device: the stored state, and the newest one if it waits.
type memory struct {
	stored    device.State
	reported  reported  // with stored
	writtenAt time.Time // zero if no state is stored
	waiting   *report   // differs meaningfully from stored, and waits until due
	due       time.Time
}

// take decides about a new state. It reports whether the state must be stored now. Otherwise the state waits, or does not differ
// meaningfully from the stored one.
func (m *memory) take(r report, now time.Time) (store bool) {
	m.waiting = nil
	switch {
	case m.writtenAt.IsZero(), urgent(m.stored, r.state):
		return true
	case !differs(m.stored, r.state):
		return false
	}
	// The clock may have been set back.
	if m.due = m.writtenAt.Add(stateInterval); now.Before(m.writtenAt) || !now.Before(m.due) {
		return true
	}
	m.waiting = &r
	return false
}

// wrote records that a state was stored.
func (m *memory) wrote(r report, now time.Time) {
	m.stored, m.reported, m.writtenAt, m.waiting = r.state, m.reported.after(r.state), now, nil
}

// urgent reports whether a change is stored at once.
func urgent(old, new device.State) bool {
	return old.Locked != new.Locked || old.DoorOpen != new.DoorOpen
}

// differs reports whether a state differs meaningfully from the stored one.
func differs(old, new device.State) bool {
	for _, v := range []struct {
		old, new *device.Optional[float64]
		step     float64
	}{
		{&old.Battery, &new.Battery, 0.01}, {&old.Humidity, &new.Humidity, 0.01}, {&old.Temperature, &new.Temperature, 0.1}, {&old.Noise, &new.Noise, 1},
	} {
		before, known := v.old.Get()
		after, knownNow := v.new.Get()
		if known != knownNow || math.Abs(before-after) > v.step*(1-1e-9) {
			return true
		}
		*v.old = *v.new // compared
	}
	return old != new
}
