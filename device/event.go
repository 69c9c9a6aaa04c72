package device

import "time"

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of events. A receiver ignores kinds that it does not know.
const (
	// Resync requests a full read: events may be missing, or the inventory has changed. A Watch sends it first, as soon
	// as no later change can be missed. It sends it again after a device was added, removed or renamed, after the
	// capabilities of a device changed, after a lost connection, and after events were dropped because the receiver was
	// slow. DeviceID is empty.
	Resync EventKind = "resync"

	// StateChanged reports the complete state of a device in State, not only the difference: a value that is unknown
	// there has become or stayed unknown.
	StateChanged EventKind = "state_changed"

	// Operated reports that a lock was locked or unlocked. Operation describes how. The event comes in addition to
	// StateChanged.
	Operated EventKind = "operated"

	// CodesChanged reports that the codes of a lock may have changed. The receiver reads them again. A driver may send
	// it for changes by SetCode and ClearCode too. Many devices never report that somebody changed their codes.
	CodesChanged EventKind = "codes_changed"
)

// Event is a message of [Conn.Watch].
type Event struct {
	Kind     EventKind
	DeviceID string

	// At is the time of the event according to the provider. It is zero if the provider does not say. The receiver uses the time of
	// the arrival instead of a time before 1970 or in the future.
	At time.Time

	State     State     // of StateChanged
	Operation Operation // of Operated
}

// Operation describes how a lock was operated.
type Operation struct {
	// Locked is true if the lock was locked, and false if it was unlocked.
	Locked bool

	Method Method

	// Slot is the slot of the code that was used. It is known only with MethodKeypad, and not on every device.
	Slot Optional[int]
}

// Method is the way in which a lock was operated.
type Method string

// The ways to operate a lock.
const (
	MethodKeypad  Method = "keypad"  // with a code
	MethodManual  Method = "manual"  // by hand: key, knob, button
	MethodRemote  Method = "remote"  // by a command, from this driver or another program
	MethodAuto    Method = "auto"    // by the lock itself, for example after a time
	MethodUnknown Method = "unknown" // the device does not say
)
