package zwavejs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// Results of a request to the server.
var (
	errSchema   = fmt.Errorf("%w: the version of the Z-Wave JS server is not supported", device.ErrOffline)
	errNotSent  = errors.New("zwavejs: the request was not sent")
	errLostLink = errors.New("zwavejs: the connection to the server was lost")
	errSilent   = errors.New("zwavejs: the server did not answer in time")
	errNoReport = errors.New("zwavejs: the device did not report")
)

// serverError is an error that the server reports. Its message is not kept, because it may contain PINs.
type serverError struct {
	code  string // of the server, such as node_not_found
	zwave int    // of Z-Wave JS, or 0
}

func (e *serverError) Error() string {
	if e.zwave != 0 {
		return fmt.Sprintf("zwavejs: the server reports error ZW%04d", e.zwave)
	}
	return fmt.Sprintf("zwavejs: the server reports the error %q", e.code)
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,50}$`)

// decodeFailure decodes an answer that reports an error.
func decodeFailure(f fields) *serverError {
	e := &serverError{code: f.text("errorCode")}
	if !errorCode.MatchString(e.code) {
		e.code = "unknown"
	}
	if n, ok := f.integer("zwaveErrorCode"); ok && n < 10_000 {
		e.zwave = n
	}
	return e
}

// Error codes of Z-Wave JS, by their meaning. The codes in unreachable report that a node did not receive a message, or that the
// server has no working radio. Those in silent report that the node did not answer.
var (
	unreachable = []int{100, 101, 102, 103, 112, 202, 203, 204, 205, 206, 219}
	silent      = []int{200, 201, 215}
	unsupported = []int{209, 302, 303, 304}
)

const (
	errorNodeRemoved = 213
	errorArgument    = 322
	errorOperation   = 305
	errorSupervision = 1100
)

// class returns the class of an error that the server reports, or nil. write is false for a read, which has no effect.
func (e *serverError) class(write bool) error {
	switch {
	case e.code == "node_not_found" || e.zwave == errorNodeRemoved:
		return device.ErrUnknownDevice
	case e.code == "unknown_command" || e.code == "invalid_params_passed_to_command" || slices.Contains(unsupported, e.zwave):
		return device.ErrUnsupported
	case slices.Contains(unreachable, e.zwave), slices.Contains(silent, e.zwave) && !write:
		return device.ErrOffline
	case slices.Contains(silent, e.zwave):
		return device.ErrUnconfirmed
	case e.zwave == errorArgument && write:
		return &device.RejectedError{Reason: device.RejectedConstraint, Detail: "Z-Wave JS does not accept the value"}
	case (e.zwave == errorOperation || e.zwave == errorSupervision) && write:
		return &device.RejectedError{Reason: device.RejectedOther, Detail: "the device refused the command"}
	}
	return nil
}

// classify returns the error of a method for the error of a request about a device.
func classify(id string, err error, write bool) error {
	if err == nil || final(err) || errors.Is(err, device.ErrRejected) || errors.Is(err, device.ErrUnsupported) {
		return err
	}
	if e, ok := errors.AsType[*serverError](err); ok {
		class := e.class(write)
		if class == nil {
			return fmt.Errorf("device %q: %w", id, err)
		}
		return fmt.Errorf("%w: device %q: %w", class, id, err)
	}
	if !write || errors.Is(err, errNotSent) {
		return fmt.Errorf("%w: device %q: %w", device.ErrOffline, id, err)
	}
	return fmt.Errorf("%w: device %q: %w", device.ErrUnconfirmed, id, err)
}

// final reports whether an error of a request says nothing about the device.
func final(err error) bool {
	return errors.Is(err, device.ErrClosed) || errors.Is(err, device.ErrAccountLost) || errors.Is(err, allowhosts.ErrNotAllowed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
