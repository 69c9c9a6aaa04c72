package simulated

import (
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Call is a call of a driver.
type Call struct {
	// Number counts the calls to the world from 1, in the order in which they began.
	Number int

	Caller string // the name given to Provider
	User   string
	Device string // empty for Devices

	// Method is Devices, Do, Codes, SetCode or ClearCode.
	Method  string
	Command device.Command // of Do
	Slot    int            // of SetCode and ClearCode

	Start time.Time
	End   time.Time // zero while the call runs
	Err   error
}

// Conflict is a pair of commands to one device of which the second began before the device had finished the first, which
// callers must not do. First is the call as it was when Second began: if its End is set, its caller had gone away, and the
// device carried out or will carry out the command without it, see [World.Hold].
type Conflict struct{ First, Second Call }

// record keeps the calls of a world.
type record struct {
	keep      int
	first     int // number of calls[0] - 1
	calls     []Call
	running   map[string][]int // numbers of the commands that a device has not finished, by device
	conflicts []Conflict
}

// begin adds a call and returns its number.
func (r *record) begin(c Call) int {
	if len(r.calls) >= r.keep {
		drop := max(1, r.keep/10)
		r.calls, r.first = slices.Delete(r.calls, 0, drop), r.first+drop
	}
	c.Number = r.first + len(r.calls) + 1
	r.calls = append(r.calls, c)
	if c.isCommand() {
		for _, other := range r.running[c.Device] {
			if first := r.call(other); first != nil && len(r.conflicts) < r.keep {
				r.conflicts = append(r.conflicts, Conflict{*first, c})
			}
		}
		r.running[c.Device] = append(r.running[c.Device], c.Number)
	}
	return c.Number
}

// end records that the caller has the result of a call.
func (r *record) end(number int, at time.Time, err error) {
	if c := r.call(number); c != nil {
		c.End, c.Err = at, err
	}
}

// finish records that a device does not work on a command any more.
func (r *record) finish(number int, id string) {
	if r.running[id] = slices.DeleteFunc(r.running[id], func(n int) bool { return n == number }); len(r.running[id]) == 0 {
		delete(r.running, id)
	}
}

// call returns the call with the given number, or nil if it was dropped.
func (r *record) call(number int) *Call {
	if i := number - r.first - 1; i >= 0 && i < len(r.calls) {
		return &r.calls[i]
	}
	return nil
}

func (c Call) isCommand() bool {
	return slices.Contains([]string{"Do", "SetCode", "ClearCode"}, c.Method)
}

// Calls returns the calls of all drivers in the order in which they began. It keeps a limited number, see
// [Options.KeepCalls]. Calls that fail before anything is sent, for example because their command is invalid, do not
// count.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.record.calls)
}

// Conflicts returns the pairs of commands of which the second began before the device had finished the first, in the order of
// the second.
func (w *World) Conflicts() []Conflict {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.record.conflicts)
}
