package badger

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/customerportal-go/customerportal/storage"
)

// PanicError is returned for a call into the engine that panicked, which is how the
// engine ends many reads of bytes that it cannot make sense of. It matches
// [storage.ErrCorrupt]. Its text holds no byte of a key or value.
type PanicError struct {
	doing string
	value any
	stack []runtime.Frame
}

// Value returns the value that the engine panicked with. It may hold bytes of keys and
// values, so it should not be logged.
func (e *PanicError) Value() any { return e.value }

// Stack returns the calls that were active at the panic, innermost first, one a line:
// the function, the file and the line. It holds no arguments.
func (e *PanicError) Stack() string {
	var b strings.Builder
	for _, f := range e.stack {
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

// Error returns what was being done, the value of the panic or, if that may hold stored
// bytes, its type, and the function that panicked.
func (e *PanicError) Error() string {
	what := fmt.Sprintf("%T", e.value)
	if fault, ok := e.value.(runtime.Error); ok { // made of numbers and types
		what = fault.Error()
	}
	where := ""
	for _, f := range e.stack {
		if !strings.HasPrefix(f.Function, "runtime.") {
			where = fmt.Sprintf(" in %s at line %d", f.Function, f.Line)
			break
		}
	}
	return fmt.Sprintf("storage/badger: %s: the engine panicked%s: %s: %v", e.doing, where, what, storage.ErrCorrupt)
}

// Unwrap returns [storage.ErrCorrupt].
func (e *PanicError) Unwrap() error { return storage.ErrCorrupt }

// maxPanicFrames bounds [PanicError.Stack].
const maxPanicFrames = 64

// guard runs one call into the engine. It turns a panic into a [PanicError].
func catchPanic(doing string, call func() error) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		var at [maxPanicFrames]uintptr
		frames := runtime.CallersFrames(at[:runtime.Callers(2, at[:])]) // without Callers and this function
		fault := &PanicError{doing: doing, value: value}
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			fault.stack = append(fault.stack, f)
		}
		err = fault
	}()
	return sanitizeError(doing, call())
}
