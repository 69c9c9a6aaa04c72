// Package validation has the errors and warnings about invalid input, which the packages data,
// portal, httpapi and web share.
package validation

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is wrapped by all errors of the packages data and portal for invalid input. An
// error that can name the path of a fault is an [Error].
var ErrInvalid = errors.New("invalid input")

// Rule is the rule that a finding is about, as a stable word.
type Rule string

// Rules for faults. Input that breaks one of them is refused.
const (
	RuleRequired     Rule = "required"      // must be present
	RuleKeyFormat    Rule = "key_format"    // 1 to 512 bytes of UTF-8 in NFC, without surrounding spaces, control or invisible characters
	RuleTextFormat   Rule = "text_format"   // at most 4096 bytes of UTF-8, no control characters except tabs and line ends
	RuleType         Rule = "type"          // JSON of another type
	RuleFormat       Rule = "format"        // does not match the field's pattern
	RuleRange        Rule = "range"         // outside the field's bounds
	RuleTooMany      Rule = "too_many"      // more entries than the field may have
	RuleOneUser      Rule = "one_user"      // an access grant has at most one user
	RuleTimeOrder    Rule = "time_order"    // ends_at must be after starts_at
	RuleDuplicateKey Rule = "duplicate_key" // the same key twice in one push
	RuleNotAField    Rule = "not_a_field"   // a field that this kind does not have
	RuleKeyConflict  Rule = "key_conflict"  // the key belongs to another customer or another kind
	RuleMaxDeletes   Rule = "max_deletes"   // a sync would delete more resources than it may
)

// Rules for warnings. Input that breaks one of them is refused only if the operation is strict.
const (
	RuleNotThereYet   Rule = "not_there_yet"   // a reference to a resource that does not exist yet
	RuleUnknownField  Rule = "unknown_field"   // an unknown field or collection
	RuleEmailAddress  Rule = "email_address"   // not a valid address
	RulePreferredCode Rule = "preferred_code"  // not 4 to 9 digits
	RuleSharedEmail   Rule = "shared_email"    // another user identity of the customer has the address, ignoring case
	RuleRefTwice      Rule = "reference_twice" // a list of spaces names the same key twice
	RuleOtherCustomer Rule = "other_customer"  // a reference to a resource of another customer, which never resolves
	RuleNoSpaces      Rule = "no_spaces"       // an access grant that names no space, so it opens nothing
	RuleDeletesAll    Rule = "deletes_all"     // a sync deletes every resource of the customer
	RuleLeftOut       Rule = "left_out"        // the list is incomplete; the message says how much is missing, and there is no path

	// A warning about devices. It is no fault of the input, so it refuses nothing, even if the operation is strict.
	RuleNoLock Rule = "no_lock" // the customer has locks with access codes, but none of them is mapped to a space of the access grant

	// A warning of a list.
	RuleSearchStopped Rule = "search_stopped" // a page ended before the whole list was searched; its cursor continues
)

// Finding is a fault or a warning about the input.
type Finding struct {
	Path    string `json:"path"` // such as "reservations[3].ends_at"
	Rule    Rule   `json:"rule"`
	Message string `json:"message"`

	Cause error `json:"-"` // an error that errors.Is and errors.As also find in the Error, or nil
}

// String returns the path and the message, or only the message if there is no path.
func (f Finding) String() string {
	if f.Path == "" {
		return f.Message
	}
	return f.Path + ": " + f.Message
}

// Error lists the faults of invalid input: all of them, or the first 10,000 and the number of the
// others. Paths are those of the input, such as "rooms[3].name" in a push, or
// "customer_data.rooms[3].name" in the creation of a portal. The refused operation wrote nothing; an
// import keeps its earlier batches.
type Error struct {
	Faults   []Finding
	Warnings []Finding // the first 10,000; if faults or warnings are omitted, one more, with RuleLeftOut, states their number

	OmittedFaults   int // faults that were found and are not in Faults
	OmittedWarnings int // the same for warnings
}

// shownFaults limits the text of the error.
const shownFaults = 20

// Error returns the number of faults, and the first 20 of them.
func (e *Error) Error() string {
	var b strings.Builder
	total := len(e.Faults) + e.OmittedFaults
	fmt.Fprintf(&b, "%v: %d fault", ErrInvalid, total)
	if total != 1 {
		b.WriteByte('s')
	}
	for i, f := range e.Faults {
		if i == shownFaults {
			fmt.Fprintf(&b, "; and %d more", total-i)
			break
		}
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(f.String())
	}
	return b.String()
}

// Unwrap returns ErrInvalid and the causes of the faults.
func (e *Error) Unwrap() []error {
	out := []error{ErrInvalid}
	for _, f := range e.Faults {
		if f.Cause != nil {
			out = append(out, f.Cause)
		}
	}
	return out
}
