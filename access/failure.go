package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/device"
)

// ErrorType says why an action attempt failed.
type ErrorType string

// The types of errors. After ErrorRejected, ErrorUnsupported and ErrorDeviceNotFound the command had no effect. After the others it
// may have taken effect or may still do so, because the connection can fail after the command was sent.
const (
	ErrorDeviceOffline  ErrorType = "device_offline"       // the device or the provider cannot be reached
	ErrorNotConfirmed   ErrorType = "not_confirmed"        // the command was sent, and it is not known whether the device carried it out
	ErrorTimedOut       ErrorType = "timed_out"            // the deadline passed
	ErrorRejected       ErrorType = "rejected"             // the device or the provider refused the command
	ErrorUnsupported    ErrorType = "not_supported"        // the device cannot do this any more
	ErrorAccountLost    ErrorType = "account_disconnected" // the customer must reconnect the account
	ErrorDeviceNotFound ErrorType = "device_not_found"     // the device or its account was deleted, or the account no longer has the device
	ErrorProvider       ErrorType = "provider_error"       // the provider or its driver failed
)

// mayTakeEffect reports whether a command that was sent may take effect although its attempt failed for this reason.
func (t ErrorType) mayTakeEffect() bool {
	return t != ErrorRejected && t != ErrorUnsupported && t != ErrorDeviceNotFound
}

// AttemptFailure is the reason for which an action attempt failed.
type AttemptFailure struct {
	Type    ErrorType `json:"type"`
	Message string    `json:"message"` // in English
}

// failedWith returns the result of an attempt after an error. sent reports whether the driver was called.
func failedWith(err error, sent bool) attemptResult {
	switch {
	case isGone(err):
		return failed(ErrorDeviceNotFound, "the device or its account was deleted")
	case errors.Is(err, device.ErrUnknownDevice):
		return failed(ErrorDeviceNotFound, "the account does not have the device")
	case errors.Is(err, device.ErrAccountLost) && sent:
		return failed(ErrorAccountLost, "the account must be connected again; the command may have taken effect")
	case errors.Is(err, device.ErrAccountLost):
		return failed(ErrorAccountLost, "the account must be connected again")
	case errors.Is(err, device.ErrRejected):
		return failed(ErrorRejected, device.Label(err.Error()))
	case errors.Is(err, device.ErrUnsupported), errors.Is(err, device.ErrInvalid):
		return failed(ErrorUnsupported, device.Label(err.Error()))
	case errors.Is(err, context.DeadlineExceeded) && sent:
		return failed(ErrorTimedOut, "the device did not answer in time; the command may still take effect")
	case errors.Is(err, context.DeadlineExceeded):
		return failed(ErrorTimedOut, "the account could not be opened before the deadline")
	case errors.Is(err, device.ErrUnconfirmed), sent && (errors.Is(err, device.ErrClosed) || errors.Is(err, context.Canceled)):
		return failed(ErrorNotConfirmed, "the device did not confirm the command, which may have taken effect")
	case errors.Is(err, device.ErrOffline) && sent:
		return failed(ErrorDeviceOffline, device.Label(err.Error())+"; the command may have taken effect")
	case errors.Is(err, device.ErrOffline):
		return failed(ErrorDeviceOffline, device.Label(err.Error()))
	}
	return failed(ErrorProvider, device.Label(fmt.Sprintf("the provider failed: %v", err)))
}
