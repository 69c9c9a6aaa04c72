package device

import (
	"errors"
	"fmt"
)

// Classes of errors. Every method of a driver returns an error that wraps one of them or ctx.Err(), or an error without
// a class. An error without a class is a failure of the provider or the driver, such as an answer that cannot be
// decoded; the caller may try again later.
var (
	// ErrOffline means that the device or the provider cannot be reached. A command may have been sent before. The caller
	// may try again later.
	ErrOffline = errors.New("device: offline")

	// ErrUnconfirmed means that a command was or may have been sent, and that it is not known whether the device
	// carried it out. The caller must read the state or the codes, and must assume neither outcome.
	ErrUnconfirmed = errors.New("device: not confirmed by the device")

	// ErrRejected means that the device or the provider refused the command, which had no effect. Repeating it fails
	// again until its input or the device changes. The error is or wraps a [RejectedError].
	ErrRejected = errors.New("device: rejected by the device")

	// ErrUnsupported means that the device cannot do this at all. Nothing was sent.
	ErrUnsupported = errors.New("device: not supported by the device")

	// ErrUnknownDevice means that the account has no device with this id. Nothing was sent.
	ErrUnknownDevice = errors.New("device: unknown device")

	// ErrAccountLost means that the provider no longer accepts the account, for example after a change of the
	// password. A command may have been sent before. Only the customer can repair it, by reconnecting the account.
	ErrAccountLost = errors.New("device: the account must be reconnected")

	// ErrClosed is returned by the methods of a Conn after or during Close.
	ErrClosed = errors.New("device: the connection is closed")

	// ErrInvalid means that the caller broke a rule of the contract, for example with a slot that does not exist.
	// Nothing was sent.
	ErrInvalid = errors.New("device: invalid argument")
)

// Reason says why a command was rejected.
type Reason string

// The reasons of a [RejectedError].
const (
	// RejectedDuplicate: another slot of the device has the same PIN.
	RejectedDuplicate Reason = "duplicate"

	// RejectedFull: the device holds as many codes as it can.
	RejectedFull Reason = "full"

	// RejectedConstraint: a rule of the device forbids this PIN, name, time or set point.
	RejectedConstraint Reason = "constraint"

	// RejectedOther: the device or provider gave another reason, or none.
	RejectedOther Reason = "other"
)

// RejectedError is an error of the class [ErrRejected]. Use errors.As to get it.
type RejectedError struct {
	Reason Reason

	// Constraint is the violated constraint, or empty if it is not known. It is set only with RejectedConstraint.
	Constraint Constraint

	// Slot is the slot that has the same PIN, or 0 if it is not known. It is set only with RejectedDuplicate.
	Slot int

	// Detail explains the rejection in English. It contains no secret.
	Detail string
}

// Error returns the reason and the detail.
func (e *RejectedError) Error() string {
	text := ErrRejected.Error() + ": " + string(e.Reason)
	if e.Constraint != "" {
		text += " " + string(e.Constraint)
	}
	if e.Slot != 0 {
		text += fmt.Sprintf(" of slot %d", e.Slot)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Is reports whether target is [ErrRejected].
func (*RejectedError) Is(target error) bool { return target == ErrRejected }
