package access

import (
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// expectation is a command to a lock, whose operation the device may report as an event before or after the command returns, or
// not at all. The activity of the command is stored once, by the command or for the event.
type expectation struct {
	attempt  *attemptRow
	at       time.Time  // by the monotonic clock
	stored   bool       // the activity is stored
	reported bool       // the event has arrived
	omitted  *operation // the event that was not stored because the activity is stored
}

// expect records that an attempt is being sent, or that an earlier holder or session has sent it. reported reports that the latter
// has stored the activity for an event. Other operations are not attributed to the attempt then.
func (s *session) expect(a *attemptRow, reported bool) *expectation {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	for id, expected := range s.expected {
		if expected = slices.DeleteFunc(expected, func(e *expectation) bool { return e.reported || time.Since(e.at) > lateAnswer }); len(expected) == 0 {
			delete(s.expected, id)
		} else {
			s.expected[id] = expected
		}
	}
	e := &expectation{attempt: a, at: time.Now(), stored: reported, reported: reported}
	s.expected[a.DeviceExternal] = append(s.expected[a.DeviceExternal], e)
	return e
}

// forget ends the expectation of a command that had no effect.
func (s *session) forget(e *expectation) {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	id := e.attempt.DeviceExternal
	s.expected[id] = slices.DeleteFunc(s.expected[id], func(other *expectation) bool { return other == e })
}

// claimActivity reports whether the caller must store the activity of a command that succeeded.
func (s *session) claimActivity(e *expectation) bool {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	first := !e.stored
	e.stored = true
	return first
}

// reported reports whether an event of the operation has arrived.
func (s *session) reported(e *expectation) bool {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	return e.reported
}

// releaseActivity undoes claimActivity after the caller could not store the activity. An event of the operation that arrived in the
// meantime is stored then.
func (s *session) releaseActivity(e *expectation) {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	e.stored = false
	if o := e.omitted; o != nil {
		e.omitted, e.reported = nil, false
		s.events.add(device.Event{Kind: device.Operated, DeviceID: o.device, At: o.at, Operation: o.Operation})
	}
}

// activity returns the activity of a command that took effect, without the name of the device.
func (e *expectation) activity(a *attemptRow, at time.Time) *Activity {
	actor := a.Actor
	out := &Activity{DeviceID: a.DeviceID, At: at, Actor: &actor, AttemptID: a.ID, Method: device.MethodRemote}
	switch a.Command.Kind {
	case device.Lock:
		out.Kind = ActivityLocked
	case device.Unlock:
		out.Kind = ActivityUnlocked
	default:
		out.Kind, out.Method = ActivityClimate, ""
	}
	return out
}

// operations returns the activities of events of locks. An operation that a command of this account caused has the actor of the
// command, and is left out if the activity is already stored. Other operations are left out if the device reports too many. If the
// activities cannot be stored, the caller calls undo.
func (s *session) operations(operations []operation, now time.Time) (out []Activity, undo func()) {
	s.expectMu.Lock()
	defer s.expectMu.Unlock()
	claimed := map[*expectation]bool{} // of the matched expectations, those whose activity out contains
	var counted []*knownDevice         // one for each operation that the limiter of the device has counted
	undo = func() {
		s.expectMu.Lock()
		defer s.expectMu.Unlock()
		for _, known := range counted {
			known.operationLimit.undo()
		}
		for e, own := range claimed {
			e.reported, e.omitted = false, nil
			e.stored = e.stored && !own
		}
	}
	for _, o := range operations {
		known := s.devices[o.device]
		if known == nil {
			continue
		}
		a := Activity{Kind: ActivityUnlocked, DeviceID: known.id, At: reportedAt(o.at, now).UTC(), Method: o.Method}
		if o.Locked {
			a.Kind = ActivityLocked
		}
		a.Slot, _ = o.Slot.Get()
		if e := s.cause(o); e != nil {
			e.reported = true
			claimed[e] = !e.stored
			if e.stored {
				e.omitted = &o
				continue
			}
			e.stored = true
			actor := e.attempt.Actor
			a.Actor, a.AttemptID, a.cause = &actor, e.attempt.ID, e.attempt
		} else if s.allows(known, now) {
			counted = append(counted, known)
		} else {
			continue
		}
		out = append(out, a)
	}
	return out, undo
}

// cause returns the last of the commands that may have caused an operation, or nil: an earlier one that failed probably had no effect.
func (s *session) cause(o operation) *expectation {
	for _, e := range slices.Backward(s.expected[o.device]) {
		if e.causes(o) {
			return e
		}
	}
	return nil
}

// allows reports whether the activity of an operation that no command caused is stored, and counts it then.
func (s *session) allows(known *knownDevice, now time.Time) bool {
	if now.Before(known.operationLimit.next(now)) {
		if !known.skipping {
			known.skipping = true
			s.h.s.log.Warn("a lock reports operations too often; only some become activities", "device_id", known.id)
		}
		return false
	}
	if !known.operationLimit.full.After(now) {
		known.skipping = false
	}
	known.operationLimit.use(now)
	return true
}

// causes reports whether a command probably caused an operation.
func (e *expectation) causes(o operation) bool {
	if e.reported || time.Since(e.at) > lateAnswer || o.Method != device.MethodRemote && o.Method != device.MethodUnknown {
		return false
	}
	kind := e.attempt.Command.Kind
	return kind == device.Lock && o.Locked || kind == device.Unlock && !o.Locked
}
