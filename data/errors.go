package data

import (
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/validation"
)

var (
	// ErrNotFound is wrapped by ErrCustomerNotFound and ErrResourceNotFound.
	ErrNotFound = errors.New("data: not found")

	// ErrCustomerNotFound is returned if the workspace has no such customer.
	ErrCustomerNotFound = fmt.Errorf("%w: customer", ErrNotFound)

	// ErrResourceNotFound is returned if the workspace has no such resource.
	ErrResourceNotFound = fmt.Errorf("%w: resource", ErrNotFound)

	// ErrKeyConflict is returned for a resource key that already belongs to another customer or another kind. The error
	// also matches a [ConflictError], which has the details.
	ErrKeyConflict = fmt.Errorf("%w: resource key is taken", validation.ErrInvalid)

	// ErrInvalidCursor is returned for a cursor that does not come from the same list.
	ErrInvalidCursor = fmt.Errorf("%w: cursor", validation.ErrInvalid)

	// ErrTrimmed is returned for a cursor of the change feed if changes after it were trimmed.
	// The caller reads the data that it needs in a [Snapshot], and continues after [Snapshot.Cursor].
	ErrTrimmed = errors.New("data: changes after the cursor were trimmed from the feed: read the data again in a Snapshot, and continue from its Cursor")

	// ErrEpoch is returned for a cursor of the change feed if the store does not have the changes before it, because the store
	// was replaced with an older state, such as a backup. The caller reads the data that it needs in a [Snapshot], and continues
	// after [Snapshot.Cursor].
	ErrEpoch = errors.New("data: the store does not have the changes before the cursor, so it was restored from an older state: read the data again in a Snapshot, and continue from its Cursor")

	// ErrNotJSON is returned for input that is not valid JSON (RFC 8259), that has a duplicate name in an object, or that
	// exceeds a limit of [DecodeOptions].
	ErrNotJSON = fmt.Errorf("%w: JSON", validation.ErrInvalid)
)

// TooManyDeletesError is the error of a sync that would delete more resources than [SyncOptions] allows. A [validation.Error]
// wraps it.
type TooManyDeletesError struct {
	Deletes    int // number of resources that the sync would delete
	MaxDeletes int // maximum
}

func (e *TooManyDeletesError) Error() string {
	return fmt.Sprintf("data: the sync would delete %d resources, and may delete %d", e.Deletes, e.MaxDeletes)
}

// Owner is the customer and the kind that a resource key belongs to.
type Owner struct {
	CustomerKey string `json:"customer_key"`
	Kind        Kind   `json:"kind"`
}

func (o Owner) String() string { return fmt.Sprintf("a %s of customer %q", o.Kind, o.CustomerKey) }

// ConflictError is the error for a resource key that an operation needs for one owner, Wanted, but that belongs to another one,
// Holder. It matches [ErrKeyConflict].
type ConflictError struct {
	Key    string
	Wanted Owner
	Holder Owner
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("data: key %q cannot be the key of %s because it is the key of %s", e.Key, e.Wanted, e.Holder)
}

// Unwrap returns ErrKeyConflict.
func (e *ConflictError) Unwrap() error { return ErrKeyConflict }
