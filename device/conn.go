package device

import (
	"context"
	"iter"
)

// Conn is an open connection to an account. All methods may be called concurrently, except that at most one Watch runs
// at a time, and that callers send at most one command at a time to a device (Do, SetCode, ClearCode).
//
// A Conn that cannot be used any more, because Watch returned an error that is not ctx.Err(), must be closed. The
// caller opens another one, after a pause that grows with each failure.
type Conn interface {
	// Devices returns the full inventory of the account. The sequence ends after the last device, or with an error as
	// its last element. After an error, the devices that were returned are not the full inventory. Ids are unique. The
	// caller may stop early. The sequence can be used several times; each use reads the inventory again.
	//
	// Offline devices are listed, with State.Online false and their last state if the provider knows it.
	Devices(ctx context.Context) iter.Seq2[Device, error]

	// Watch calls fn for every change until ctx ends, the Conn is closed or the connection is lost, and then returns
	// ctx.Err(), [ErrClosed], [ErrOffline] or [ErrAccountLost], wrapped or not, never nil. It sends [Resync] first: a
	// caller that reads the inventory at every Resync misses no change.
	//
	// fn is called by one goroutine at a time and never after Watch has returned. It gets the events of each device in
	// their order. It must not call methods of the Conn and should return quickly. A slow fn delays only events: other
	// methods work meanwhile, and the driver bounds its memory by dropping events and sending Resync afterwards.
	//
	// A driver that reconnects to its provider on its own keeps Watch running, sends Resync afterwards, and lets the
	// other methods return ErrOffline in the meantime.
	Watch(ctx context.Context, fn func(Event)) error

	// Do sends a command to a device once. Outcome.Confirmed is true only if the device itself reported the result
	// after it received the command. If the provider accepted the command but the device did not report the result
	// within the time that the driver allows it, Do returns an unconfirmed Outcome without an error. If it is not known
	// whether even the provider received the command, Do returns [ErrUnconfirmed]. A state that the device did not
	// report after the command confirms nothing, even if it is the desired one, because it may be old.
	//
	// A command that [Command.Check] refuses is not sent; its error is returned.
	Do(ctx context.Context, id string, c Command) (Outcome, error)

	// Close ends all running calls, which return [ErrClosed], and releases all resources. It does not wait for Watch.
	// Later calls of other methods return ErrClosed. Closing again returns nil. Close does not disconnect the account,
	// and does not change devices.
	Close() error
}

// Outcome is the result of a command.
type Outcome struct {
	// Confirmed reports whether the device itself confirmed the result.
	Confirmed bool
}

// Coder is implemented by a Conn whose devices have access codes. Its methods return [ErrUnsupported] for devices
// without [CanProgram], and [ErrInvalid] for slots that the device does not have.
type Coder interface {
	// Codes reads slots of a lock: those with the given indexes, or all. It returns each slot once, by ascending index,
	// also the empty ones, or an error; it never omits a slot that could not be read. The driver reads from the device
	// if possible. Otherwise it returns the last report of the provider, which may be old.
	//
	// A slot that is occupied but whose PIN cannot be read is [SlotUnreadable], never [SlotEmpty].
	Codes(ctx context.Context, id string, slots ...int) ([]Slot, error)

	// SetCode writes a code into slot s.Index, whether or not the slot is empty, and touches no other slot. It uses
	// Index, PIN, Name, StartsAt and EndsAt, and ignores State. Setting the code that the slot already has is no error;
	// in particular it is not a duplicate of itself.
	//
	// SetCode returns nil only if the device or its provider acknowledged this write, or if the device, asked after the
	// write, showed that the slot holds this PIN. If the device hides PINs, the driver can conclude this from an
	// occupied slot only if the slot was empty before. A caller may therefore clear a slot before it sets another code.
	// SetCode returns [ErrRejected] with the reason if the device refused, and [ErrUnconfirmed] if the device was
	// silent. A code that [CodeLimits.Check] refuses is not sent; its error is returned.
	SetCode(ctx context.Context, id string, s Slot) error

	// ClearCode empties a slot and touches no other. Clearing an empty slot is no error. It returns nil only if the
	// device or its provider acknowledged it, or if the device, asked afterwards, showed that the slot is empty.
	// Otherwise it returns [ErrUnconfirmed].
	ClearCode(ctx context.Context, id string, slot int) error
}
