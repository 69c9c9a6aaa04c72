package data

import (
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/validation"
)

var (
	// ErrNotFound is the parent of the errors about what is not there.
	ErrNotFound = errors.New("data: not found")

	// ErrCustomerNotFound is returned where a workspace has no such customer.
	ErrCustomerNotFound = fmt.Errorf("%w: customer", ErrNotFound)

	// ErrResourceNotFound is returned where a workspace has no such resource.
	ErrResourceNotFound = fmt.Errorf("%w: resource", ErrNotFound)

	// ErrKeyConflict is returned for a resource key that is another customer's or
	// another kind's. The [ConflictError] beside it names both.
	ErrKeyConflict = fmt.Errorf("%w: resource key is taken", validation.ErrInvalid)

	// ErrInvalidCursor is returned for a cursor that is not one of this list's.
	ErrInvalidCursor = fmt.Errorf("%w: cursor", validation.ErrInvalid)

	// ErrTrimmed is returned for a cursor of the change feed if changes after it were trimmed.
	// The caller reads what it needs in a [Snapshot], and continues after [Snapshot.Cursor].
	ErrTrimmed = errors.New("data: changes after the cursor were trimmed from the feed: read the data again in a Snapshot, and continue from its Cursor")

	// ErrEpoch is returned for a cursor of the change feed that has read changes which the
	// store does not have: the store was replaced by an older state, such as a backup. The
	// caller reads what it needs in a [Snapshot], and continues after [Snapshot.Cursor].
	ErrEpoch = errors.New("data: the store does not have the changes before the cursor, so it was restored from an older state: read the data again in a Snapshot, and continue from its Cursor")

	// ErrNotJSON is returned for input that is not JSON as RFC 8259 has it, with no
	// name twice in an object, or that passes a bound of [DecodeOptions].
	ErrNotJSON = fmt.Errorf("%w: JSON", validation.ErrInvalid)
)

// TooManyDeletesError says that a sync was refused since it would delete more resources
// than SyncOptions.MaxDeletes allows. A [validation.Error] wraps it.
type TooManyDeletesError struct {
	Deletes    int // that the sync would make
	MaxDeletes int // that it may make
}

func (e *TooManyDeletesError) Error() string {
	return fmt.Sprintf("data: the sync would delete %d resources, and may delete %d", e.Deletes, e.MaxDeletes)
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
