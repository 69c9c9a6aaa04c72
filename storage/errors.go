package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every call on a closed store.
	ErrClosed = errors.New("storage: store is closed")

	// ErrTxDone is returned by a Reader or Tx that outlived the function it was given to.
	ErrTxDone = errors.New("storage: transaction is over")

	// ErrConflict is returned by Update if this attempt could not be ordered with
	// another transaction. Nothing was written; another attempt may succeed.
	ErrConflict = errors.New("storage: conflict with another transaction")

	// ErrUnknown is returned by Update if the outcome of a commit cannot be determined:
	// the writes of fn may be visible, or become visible later, or be lost. A caller
	// may repeat an Update whose effect is the same when it is applied twice.
	ErrUnknown = errors.New("storage: the outcome of the commit is unknown")

	// ErrNested is returned for a write that is called inside of another write of the same
	// store, with the context that the outer write gave to its function, or one derived from
	// it. It would wait for the outer write, which waits for it. Nothing was written. The
	// caller can write in the transaction that the function was given, or after the outer
	// write has returned. Reads, and writes of another store, are possible inside of a write.
	ErrNested = errors.New("storage: a write inside of another write of the same store")

	// ErrTooLarge is the parent of the errors about [Limits].
	ErrTooLarge = errors.New("storage: too large")

	// ErrKeyTooLarge is returned for a key longer than Limits().KeyBytes.
	ErrKeyTooLarge = fmt.Errorf("%w: key", ErrTooLarge)

	// ErrValueTooLarge is returned for a value longer than Limits().ValueBytes.
	ErrValueTooLarge = fmt.Errorf("%w: value", ErrTooLarge)

	// ErrCorrupt is returned where stored bytes are not those that were written.
	ErrCorrupt = errors.New("storage: stored data is corrupt")

	// ErrNotEmpty is returned by a Restore into what holds data.
	ErrNotEmpty = errors.New("storage: there is data where a backup is to be restored")
)
