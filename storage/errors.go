package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every call on a closed store.
	ErrClosed = errors.New("storage: store is closed")

	// ErrTxDone is returned by a Reader or Tx that is used after its function has returned.
	ErrTxDone = errors.New("storage: transaction has ended")

	// ErrConflict is returned by Update if the transaction could not be serialized with a
	// concurrent one. Nothing was written, and the caller may try again.
	ErrConflict = errors.New("storage: conflict with another transaction")

	// ErrUnknown is returned by Update if the outcome of a commit cannot be determined: the
	// writes may be visible, become visible later, or be lost. The caller may repeat the
	// Update if applying it twice has the same effect as applying it once.
	ErrUnknown = errors.New("storage: outcome of the commit is unknown")

	// ErrNested is returned for a write that is called inside another write of the same
	// store, with the context of the outer write or one derived from it. It would deadlock:
	// each of the two writes would wait for the other. Nothing was written. The caller can
	// use the transaction of the outer write, or write after the outer write has returned.
	// Reads, and writes to other stores, are allowed inside a write.
	ErrNested = errors.New("storage: nested write: use the transaction of the outer write, or write after it has returned")

	// ErrTooLarge is wrapped by the errors for a key or value that exceeds [Limits].
	ErrTooLarge = errors.New("storage: too large")

	// ErrKeyTooLarge is returned for a key longer than Limits().KeyBytes.
	ErrKeyTooLarge = fmt.Errorf("%w: key", ErrTooLarge)

	// ErrValueTooLarge is returned for a value longer than Limits().ValueBytes.
	ErrValueTooLarge = fmt.Errorf("%w: value", ErrTooLarge)

	// ErrCorrupt is returned if stored data differs from the data that was written.
	ErrCorrupt = errors.New("storage: stored data is corrupt")

	// ErrNotEmpty is returned by a Restore if its target already contains data.
	ErrNotEmpty = errors.New("storage: cannot restore a backup: the target is not empty")
)
