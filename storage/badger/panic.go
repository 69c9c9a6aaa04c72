package badger

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
)

// PanicError is returned if a call into the engine panicked. The engine panics in many
// cases if it reads corrupt data, so a PanicError matches [storage.ErrCorrupt]. Its text
// contains no bytes of keys or values.
type PanicError struct {
	operation string
	value     any
	stack     []runtime.Frame
}

// Value returns the value of the panic. It may contain bytes of keys and values and should
// not be logged.
func (e *PanicError) Value() any { return e.value }

// Stack returns the call stack of the panic, innermost call first, with the function, file
// and line of each call on one line. It contains no arguments.
func (e *PanicError) Stack() string {
	var b strings.Builder
	for _, f := range e.stack {
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

// Error returns the failed operation, the function that panicked, and the value of the
// panic, or its type if the value may contain stored bytes.
func (e *PanicError) Error() string {
	what := fmt.Sprintf("%T", e.value)
	if fault, ok := e.value.(runtime.Error); ok { // its text contains only numbers and types
		what = fault.Error()
	}
	where := ""
	for _, f := range e.stack {
		if !strings.HasPrefix(f.Function, "runtime.") {
			where = fmt.Sprintf(" in %s at line %d", f.Function, f.Line)
			break
		}
	}
	return fmt.Sprintf("storage/badger: %s: the engine panicked%s: %s: %v", e.operation, where, what, storage.ErrCorrupt)
}

// Unwrap returns [storage.ErrCorrupt].
func (e *PanicError) Unwrap() error { return storage.ErrCorrupt }

// maxPanicFrames is the maximum number of calls in [PanicError.Stack].
const maxPanicFrames = 64

// catchPanic runs a call into the engine, converts a panic into a [PanicError], and
// sanitizes the error.
func catchPanic(operation string, call func() error) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		var at [maxPanicFrames]uintptr
		frames := runtime.CallersFrames(at[:runtime.Callers(2, at[:])]) // skip Callers and this function
		fault := &PanicError{operation: operation, value: value}
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			fault.stack = append(fault.stack, f)
		}
		err = fault
	}()
	return sanitizeError(operation, call())
}
