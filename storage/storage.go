// Package storage is the contract between the library and the place where its
// data lives: an ordered, transactional key-value store.
//
// All of the domain is written once, above this contract, in the packages data
// and portal. A backend is therefore small. Two come with the library:
// [github.com/customerportal-go/customerportal/storage/memory] and
// [github.com/customerportal-go/customerportal/storage/badger]. A third party
// writes another by implementing [Store] and running the suite in
// [github.com/customerportal-go/customerportal/storage/storagetest] over it:
// every promise below has a test of its name there, and nothing is promised
// without one.
package storage

import (
	"context"
	"iter"
)

// Store is an ordered map of keys to values with transactions. Keys are compared
// bytewise. Every key of 0 to Limits().KeyBytes bytes is allowed, including the
// empty key.
//
// A Store is safe for concurrent use. fn runs on the goroutine of the call, and a
// panic or runtime.Goexit in fn passes through it; either leaves nothing written
// and no lock held. Every method returns ctx's error when ctx is done, and a closed
// store returns [ErrClosed] even then.
//
// The fn of an Update must not call Update on the same store, and no fn may call
// Close: a backend may allow only one writer at a time, and the call would wait for
// itself ([Run] detects this if [Inside] has marked its context). An fn may call View,
// which sees the state before the Update that it runs in.
//
// # Order
//
// The committed Updates of a store have one order, and they become visible in that
// order: a View that sees an Update also sees every Update before it. A View or
// Update that is called after an Update has returned nil sees that Update.
type Store interface {
	// View runs fn on one consistent snapshot, which contains every Update that
	// returned before View was called. The store takes the snapshot no later than
	// at the first read of fn; an Update that commits between the call of View and
	// that read may or may not be part of it. A View blocks no writer, and no writer
	// changes what it sees. View returns fn's error unchanged, even if ctx is done.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn once, in one serializable transaction: the result is as if the
	// committed Updates had run one after another. This includes reads of absent keys
	// and of empty ranges (no lost update, no write skew, no phantom).
	//
	// A transaction may contain any number of writes that fits in memory, and is
	// atomic at any size: a reader, and a store that is opened again after a crash,
	// sees either all of its writes or none. Other Updates may have to wait while a
	// large one is written.
	//
	// reads are keys that fn will probably read, so that a backend across a network
	// can fetch them together. They are a hint, which never changes a result: fn may
	// read other keys, and keys that are absent, repeated or too long are allowed. A
	// backend may ignore them.
	//
	// Update commits if and only if fn returns nil and ctx is not done by then. If fn
	// returns an error or panics, or if ctx is done, none of its writes ever becomes
	// visible. If Update returns nil, the writes are as durable as the backend makes
	// them. Update returns fn's error unchanged, even if a write has failed.
	//
	// If the commit itself fails and the store cannot determine whether it took effect,
	// the error matches [ErrUnknown]. With every other error nothing has been written.
	//
	// Update never runs fn a second time. If a backend cannot order this transaction
	// with another one it returns [ErrConflict]; [Run] repeats the Update in that case.
	Update(ctx context.Context, fn func(Tx) error, reads ...[]byte) error

	// Limits returns the size of the largest key and value. It is constant for the
	// life of the store, and may be called after Close.
	Limits() Limits

	// Close refuses new transactions with [ErrClosed], waits for the running ones, and
	// releases the resources of the store. It may be called more than once: a later call
	// waits for the first one and does nothing else.
	Close() error
}

// Reader reads one snapshot. It belongs to the goroutine that runs fn, and it ends
// with fn: afterwards every method, and every sequence that it returned, gives
// [ErrTxDone]. The store does not keep slices that it is given, and slices that it
// returns belong to the caller. Each method returns ctx's error once ctx is done. A
// key to be read may be longer than any key that can be written.
type Reader interface {
	// Get returns the values of keys, in the order of the arguments: nil for a key
	// that is absent, and an empty, non-nil slice for a key whose value is empty. It
	// takes many keys so that a backend across a network needs one round trip.
	Get(ctx context.Context, keys ...[]byte) ([][]byte, error)

	// Scan yields the entries of a range in bytewise order of their keys, reading
	// them while the loop runs. It yields at most one error, and nothing after it.
	// In a Tx it sees the writes made before its loop began, and none made during the
	// loop. A sequence may be used in several loops; each loop scans again.
	Scan(ctx context.Context, r Range, o ScanOptions) iter.Seq2[Entry, error]
}

// Tx reads and writes in one transaction. Its reads see its own writes.
//
// A write that fails dooms the transaction: Update then returns that error and
// writes nothing, even if fn ignores the error and returns nil.
type Tx interface {
	Reader

	// Put sets key to value, which may be empty. It fails with [ErrKeyTooLarge] or
	// [ErrValueTooLarge].
	Put(key, value []byte) error

	// Delete removes keys. A key that is absent is not an error. It fails with
	// [ErrKeyTooLarge].
	Delete(keys ...[]byte) error

	// DeleteRange removes every key of the range that the transaction can see. Later
	// writes of the same transaction to keys of the range are kept.
	DeleteRange(ctx context.Context, r Range) error
}

// Entry is a key and its value.
type Entry struct {
	Key   []byte
	Value []byte // nil with ScanOptions.KeysOnly, else not nil
}

// ScanOptions configures a Scan. The zero value is a forward scan of the whole range.
type ScanOptions struct {
	Reverse  bool // from the last key of the range to the first
	Limit    int  // at most so many entries; 0 or less means all
	KeysOnly bool // leave Entry.Value nil, which is cheaper
}

// Range is the keys from Start up to and not including End. An empty Start is
// the first key; an empty End is past the last one. The zero Range is every key.
type Range struct {
	Start, End []byte
}

// Prefix is the range of all keys that begin with p.
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

// Limits contains the largest key and value that a store accepts. A store without a
// bound of its own names one that a test can reach.
type Limits struct {
	KeyBytes   int // longest key; at least 2048
	ValueBytes int // longest value; at least 64
}

// entryOverhead is added to the length of key and value by [EntryBytes].
const entryOverhead = 32

// EntryBytes returns the size of one write for an estimate of the memory that a
// transaction needs: its key, its value (nil for a delete) and a fixed overhead.
func EntryBytes(key, value []byte) int { return len(key) + len(value) + entryOverhead }
