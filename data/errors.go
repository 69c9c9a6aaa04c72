package data

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotFound is the parent of the errors about what is not there.
	ErrNotFound = errors.New("data: not found")

	// ErrCustomerNotFound is returned where a workspace has no such customer.
	ErrCustomerNotFound = fmt.Errorf("%w: customer", ErrNotFound)

	// ErrResourceNotFound is returned where a workspace has no such resource.
	ErrResourceNotFound = fmt.Errorf("%w: resource", ErrNotFound)

	// ErrInvalid is the parent of the errors about what was given. Those that can
	// name a path are an [InvalidError].
	ErrInvalid = errors.New("data: invalid")

	// ErrKeyConflict is returned for a resource key that is another customer's or
	// another kind's. The [ConflictError] beside it names both.
	ErrKeyConflict = fmt.Errorf("%w: resource key is taken", ErrInvalid)

	// ErrInvalidCursor is returned for a cursor that is not one of this list's.
	ErrInvalidCursor = fmt.Errorf("%w: cursor", ErrInvalid)

	// ErrTrimmed is returned for a cursor of the change feed if changes after it were trimmed.
	// The caller reads what it needs in a [Snapshot], and continues after [Snapshot.Cursor].
	ErrTrimmed = errors.New("data: changes after the cursor were trimmed from the feed: read the data again in a Snapshot, and continue from its Cursor")

	// ErrEpoch is returned for a cursor of the change feed that has read changes which the
	// store does not have: the store was replaced by an older state, such as a backup. The
	// caller reads what it needs in a [Snapshot], and continues after [Snapshot.Cursor].
	ErrEpoch = errors.New("data: the store does not have the changes before the cursor, so it was restored from an older state: read the data again in a Snapshot, and continue from its Cursor")

	// ErrNotJSON is returned for input that is not JSON as RFC 8259 has it, with no
	// name twice in an object, or that passes a bound of [DecodeOptions].
	ErrNotJSON = fmt.Errorf("%w: JSON", ErrInvalid)
)

// TooManyDeletesError says that a sync was refused since it would delete more resources
// than SyncOptions.MaxDeletes allows. An [InvalidError] wraps it.
type TooManyDeletesError struct {
	Deletes    int // that the sync would make
	MaxDeletes int // that it may make
}

func (e *TooManyDeletesError) Error() string {
	return fmt.Sprintf("data: the sync would delete %d resources, and may delete %d", e.Deletes, e.MaxDeletes)
}

// Rule is the rule that a finding is about, as a stable word.
type Rule string

// Rules whose breach refuses a resource.
const (
	RuleRequired     Rule = "required"      // must be there
	RuleKeyFormat    Rule = "key_format"    // 1 to 512 bytes of UTF-8 in NFC, not padded, no control or invisible characters
	RuleTextFormat   Rule = "text_format"   // at most 4096 bytes of UTF-8, no control characters but tab and line ends
	RuleType         Rule = "type"          // JSON of another type
	RuleFormat       Rule = "format"        // does not match the field's pattern
	RuleRange        Rule = "range"         // outside the field's bounds
	RuleTooMany      Rule = "too_many"      // more entries than the field may have
	RuleOneUser      Rule = "one_user"      // an access grant has at most one user
	RuleTimeOrder    Rule = "time_order"    // ends_at must be after starts_at
	RuleDuplicateKey Rule = "duplicate_key" // the same key twice in one push
	RuleNotAField    Rule = "not_a_field"   // a field that this kind does not have
	RuleKeyConflict  Rule = "key_conflict"  // the key is another customer's or another kind's
	RuleMaxDeletes   Rule = "max_deletes"   // a sync would delete more resources than it may
)

// Rules whose breach is a warning, and refuses only a strict push.
const (
	RuleNotThereYet   Rule = "not_there_yet"   // a reference to what is not there yet
	RuleUnknownField  Rule = "unknown_field"   // a field or collection that is not known
	RuleEmailAddress  Rule = "email_address"   // does not parse as an address
	RulePreferredCode Rule = "preferred_code"  // not 4 to 9 digits
	RuleSharedEmail   Rule = "shared_email"    // another user identity of the customer has it, in any case
	RuleRefTwice      Rule = "reference_twice" // a list of spaces names the same key twice
	RuleOtherCustomer Rule = "other_customer"  // a reference to a resource of another customer, which never resolves
	RuleNoSpaces      Rule = "no_spaces"       // an access grant that names no space, and so opens nothing
	RuleDeletesAll    Rule = "deletes_all"     // a sync deletes every resource that the customer had
	RuleLeftOut       Rule = "left_out"        // more was found than is listed, and how much; of no path

	RuleSearchStopped Rule = "search_stopped" // a page ended before the whole list was searched: its cursor continues
)

// Finding is a fault or a warning about what was given.
type Finding struct {
	Path    string `json:"path"` // such as "reservations[3].ends_at"
	Rule    Rule   `json:"rule"`
	Message string `json:"message"`

	cause error // what errors.Is and errors.As find beside ErrInvalid
}

func (f Finding) String() string { return f.Path + ": " + f.Message }

// InvalidError lists the faults of what was given: all of them, or the first 10,000 and
// the number of the others. Nothing was written.
type InvalidError struct {
	Faults   []Finding
	Warnings []Finding // likewise; if anything was left out, the last one has RuleLeftOut and says how much

	OmittedFaults   int // faults that were found and are not in Faults
	OmittedWarnings int // the same of warnings
}

// shownFaults bounds the text of the error.
const shownFaults = 20

func (e *InvalidError) Error() string {
	var b strings.Builder
	total := len(e.Faults) + e.OmittedFaults
	fmt.Fprintf(&b, "data: invalid: %d fault", total)
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

// Unwrap makes errors.Is find ErrInvalid and the cause of each fault that has one.
func (e *InvalidError) Unwrap() []error {
	out := []error{ErrInvalid}
	for _, f := range e.Faults {
		if f.cause != nil {
			out = append(out, f.cause)
		}
	}
	return out
}

// Owner says whose a resource key is.
type Owner struct {
	CustomerKey string `json:"customer_key"`
	Kind        Kind   `json:"kind"`
}

func (o Owner) String() string { return fmt.Sprintf("a %s of customer %q", o.Kind, o.CustomerKey) }

// ConflictError says that a resource key is wanted by one owner and held by
// another. It matches [ErrKeyConflict].
type ConflictError struct {
	Key    string
	Wanted Owner
	Holder Owner
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("data: key %q is wanted for %s and is %s", e.Key, e.Wanted, e.Holder)
}

// Unwrap makes errors.Is find ErrKeyConflict.
func (e *ConflictError) Unwrap() error { return ErrKeyConflict }
