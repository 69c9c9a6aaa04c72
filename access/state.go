package access

import (
	"math"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// stateInterval is the minimum time between two writes of the state of a device, unless the change is urgent.
const stateInterval = time.Minute

// A change of a lock or of a contact is stored at once, unless the device changes so often that it is probably broken. Of each device,
// the first changeBurst changes are stored at once, and then one every changeInterval, which contains the last state. The same
// bounds apply to the activities of operations of a lock that no command caused; further ones are not stored.
const (
	changeBurst    = 30
	changeInterval = 3 * time.Second
)

// limiter allows changeBurst uses at once, and one more after each changeInterval.
type limiter struct {
	full time.Time // when changeBurst uses are allowed again
}

// next returns the time of the next use, which is not after now if it is allowed now. The clock may have been set back.
func (l *limiter) next(now time.Time) time.Time {
	if latest := now.Add(changeBurst * changeInterval); l.full.After(latest) {
		l.full = latest
	}
	return l.full.Add(-(changeBurst - 1) * changeInterval)
}

func (l *limiter) use(now time.Time) {
	if l.full.Before(now) {
		l.full = now
	}
	l.full = l.full.Add(changeInterval)
}

func (l *limiter) undo() { l.full = l.full.Add(-changeInterval) }

// storedState is the stored form of a state. WrittenAt limits the writes also after a restart.
type storedState struct {
	device.State
	WrittenAt time.Time `json:"written"`
	reported
}

// reported contains the conditions of a device that activities have reported. It is stored with the state, so that each change is
// reported once, also if a value is unknown for some time and after another process has taken over.
type reported struct {
	LastOnline      device.Optional[bool] `json:"last_online,omitzero"`
	OnlineSince     time.Time             `json:"online_since,omitzero"`      // when LastOnline changed; zero if it is unknown
	LowBatterySince time.Time             `json:"low_battery_since,omitzero"` // zero if the battery is not low
}

// after returns the conditions after a new state, which the device reported at a time.
func (r reported) after(s device.State, at time.Time) reported {
	if s.Online.IsKnown() && s.Online != r.LastOnline {
		r.LastOnline, r.OnlineSince = s.Online, at.UTC()
	}
	if level, ok := s.Battery.Get(); ok {
		switch low := !r.LowBatterySince.IsZero(); {
		case low && level >= goodBattery:
			r.LowBatterySince = time.Time{}
		case !low && level < lowBattery:
			r.LowBatterySince = at.UTC()
		}
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

// reportedAt returns the time of an event according to the provider, or now if the provider does not say or its clock is wrong: an
// event is not older than 1970, and is not reported before it happens.
func reportedAt(at, now time.Time) time.Time {
	if at.Before(time.Unix(0, 0)) || at.After(now) {
		return now
	}
	return at
}

// memory contains what a session remembers of a device: the stored state, and the newest one if it waits.
type memory struct {
	stored    device.State
	reported  reported  // with stored
	writtenAt time.Time // zero if no state is stored
	waiting   *report   // differs meaningfully from stored, and waits until due
	due       time.Time

	changeLimit    limiter // of the stored lock and contact
	operationLimit limiter // of the activities of operations that no command caused
	skipping       bool    // it was logged that such activities are not stored
}

// take decides about a new state. It reports whether the state must be stored now. Otherwise the state waits, or does not differ
// meaningfully from the stored one.
func (m *memory) take(r report, now time.Time) (store bool) {
	m.waiting = nil
	switch {
	case m.writtenAt.IsZero():
		return true
	case urgent(m.stored, r.state):
		m.due = m.changeLimit.next(now)
	case !differs(m.stored, r.state):
		return false
	case now.Before(m.writtenAt): // the clock was set back
		return true
	default:
		m.due = m.writtenAt.Add(stateInterval)
	}
	if !now.Before(m.due) {
		return true
	}
	m.waiting = &r
	return false
}

// mustStore reports whether a waiting state must be stored now. The clock may have been set back.
func (m *memory) mustStore(now time.Time) bool { return !now.Before(m.due) || now.Before(m.writtenAt) }

// wrote records that a state was stored.
func (m *memory) wrote(r report, now time.Time) {
	if !m.writtenAt.IsZero() && urgent(m.stored, r.state) {
		m.changeLimit.use(now)
	}
	m.stored, m.reported, m.writtenAt, m.waiting = r.state, m.reported.after(r.state, r.at), now, nil
}

// urgent reports whether a change is stored at once, within the bounds of changeBurst.
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
