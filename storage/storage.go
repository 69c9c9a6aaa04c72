// Package storage defines the contract between the library and its database: an ordered,
// transactional key-value store.
//
// The packages data and portal contain the domain and use only this contract, so a backend
// is small. The library includes two:
// [github.com/customerportal-go/customerportal/storage/memory] and
// [github.com/customerportal-go/customerportal/storage/badger]. To add another backend,
// implement [Store] and run the conformance tests of
// [github.com/customerportal-go/customerportal/storage/storagetest] on it. They test every
// guarantee that is documented here.
package storage

import (
	"context"
	"iter"
)

// Store is an ordered map of keys to values with transactions. Keys are compared bytewise.
// A key has 0 to Limits().KeyBytes bytes of any value; the empty key is allowed.
//
// A Store is safe for concurrent use. View and Update call their function fn on the calling
// goroutine. If fn panics or calls runtime.Goexit, the panic or exit propagates to the
// caller, nothing is written and no lock stays held. View and Update return the error of
// ctx if ctx is done, unless fn has returned an error. A closed store returns [ErrClosed],
// even if ctx is done.
//
// The fn of an Update must not call Update on the same store. A backend may allow only one
// writer at a time, and such a call would deadlock. ([Run] detects a nested write if the
// context was marked with [Inside].) The fn of a View or an Update must not call Close. It
// may call View, which does not see the writes of a surrounding Update.
//
// # Order
//
// The committed Updates of a store have one order, and they become visible in that order: a
// View that sees an Update also sees every Update before it. A View or Update that is
// called after an Update has returned nil sees that Update.
type Store interface {
	// View runs fn on a consistent snapshot that contains every Update that returned before
	// View was called. The snapshot is taken no later than the first read of fn. An Update
	// that commits between the call of View and the first read may or may not be included.
	// A View does not block writers, and does not see writes that are committed later. View
	// returns the error of fn unchanged, even if ctx is done.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn once, in a serializable transaction: the result is the same as if the
	// committed Updates had run one after another. This includes reads of absent keys and
	// of empty ranges, so there are no lost updates, write skews or phantoms.
	//
	// A transaction may contain any number of writes that fits in memory, and is atomic at
	// any size: readers see all of its writes or none, even after a crash. Other Updates
	// may have to wait while a large transaction is written.
	//
	// reads are the keys that fn will probably read, so that a networked backend can fetch
	// them in one round trip. They are a hint and never change the result. fn may read
	// other keys. The keys in reads may be absent, repeated or too long. A backend may
	// ignore them.
	//
	// Update commits if fn returns nil and ctx is not done at that time. If fn returns an
	// error or panics, or if ctx is done, none of its writes ever becomes visible. If
	// Update returns nil, the writes are as durable as the backend guarantees. Update
	// returns the error of fn unchanged, even if a write has failed, or if the commit of an
	// earlier Update fails whose writes fn has read.
	//
	// If the commit fails and the store cannot determine whether it took effect, the error
	// matches [ErrUnknown]. Any other error means that nothing was written.
	//
	// Update never runs fn a second time. If a backend cannot serialize the transaction
	// with a concurrent one, it returns [ErrConflict]; [Run] then repeats the Update.
	Update(ctx context.Context, fn func(Tx) error, reads ...[]byte) error

	// Limits returns the size of the largest key and of the largest value. It never
	// changes, and may be called after Close.
	Limits() Limits

	// Close rejects new transactions with [ErrClosed], waits for the running ones, and
	// releases the resources of the store. Later calls wait for the first one and return.
	Close() error
}

// Reader reads one snapshot. It must only be used on the goroutine of the function that
// received it, and is valid until that function returns. Afterwards every method of the
// Reader, and every sequence that a method returned, fails with [ErrTxDone]. The store does
// not retain the slices that are passed to it, and the caller owns the slices that are
// returned. Every method returns the error of ctx once ctx is done. The keys to read may be
// longer than any key that can be written.
type Reader interface {
	// Get returns the values of keys, in the order of the arguments: nil for an absent key,
	// and a non-nil empty slice for a key with an empty value. It accepts many keys so that
	// a networked backend needs only one round trip.
	Get(ctx context.Context, keys ...[]byte) ([][]byte, error)

	// Scan yields the entries of a range in bytewise order of their keys, and reads them
	// while the loop runs. It yields at most one error, as the last element. In a Tx, a
	// loop sees the writes made before it began, and none of those made while it runs. A
	// sequence may be used in several loops; each loop scans again.
	Scan(ctx context.Context, r Range, o ScanOptions) iter.Seq2[Entry, error]
}

// Tx reads and writes in one transaction. Its reads see its own writes.
//
// If a write fails, the transaction cannot be committed anymore: Update returns the error
// of that write, even if fn returns nil.
type Tx interface {
	Reader

	// Put sets key to value, which may be empty. It fails with [ErrKeyTooLarge] or
	// [ErrValueTooLarge].
	Put(key, value []byte) error

	// Delete removes keys. A key that is absent is not an error. It fails with
	// [ErrKeyTooLarge].
	Delete(keys ...[]byte) error

	// DeleteRange removes every key of the range that is visible to the transaction. Keys
	// of the range that the transaction writes later are kept.
	DeleteRange(ctx context.Context, r Range) error
}

// Entry is a key with its value.
type Entry struct {
	Key   []byte
	Value []byte // nil with ScanOptions.KeysOnly, otherwise never nil
}

// ScanOptions configures a Scan. The zero value scans the whole range forward.
type ScanOptions struct {
	Reverse  bool // scan from the last key to the first
	Limit    int  // maximum number of entries; 0 or less means no limit
	KeysOnly bool // leave Entry.Value nil, which is cheaper
}

// Range is the set of keys from Start, inclusive, to End, exclusive. If Start is empty, the
// range begins at the first key; if End is empty, it extends to the last key. The zero
// Range contains every key.
type Range struct {
	Start, End []byte
}

// Prefix returns the range of all keys that begin with p.
func Prefix(p []byte) Range {
	return Range{Start: p, End: prefixEnd(p)}
}

// after returns the smallest key greater than every key that begins with p, or
// nil if there is none.
func prefixEnd(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			end := append([]byte(nil), p[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Limits contains the size of the largest key and of the largest value that a store
// accepts. A store that has no such limit must still set limits that a test can reach.
type Limits struct {
	KeyBytes   int // size of the longest key; at least 2048
	ValueBytes int // size of the longest value; at least 64
}

// entryOverhead is the fixed part of [EntryBytes].
const entryOverhead = 32

// EntryBytes returns an estimate of the memory that a transaction needs for one write: the
// size of its key, its value (nil for a delete) and a fixed overhead.
func EntryBytes(key, value []byte) int { return len(key) + len(value) + entryOverhead }
