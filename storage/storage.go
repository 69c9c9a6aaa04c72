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
// bytewise. Every key of 0 to Limits().KeyBytes bytes is allowed, the empty one too.
//
// A Store is safe for concurrent use. fn runs on the goroutine of the call, and a
// panic or runtime.Goexit of fn passes through it; either leaves nothing written
// and nothing held. A ctx that is done gives its error, but a closed store gives
// [ErrClosed] before that.
//
// The fn of an Update must not call Update of its store, and no fn may call Close:
// a backend may have one writer at a time, and each would wait for itself. An fn
// may call View, which sees the state before the Update that it runs in, if any.
type Store interface {
	// View runs fn on one consistent snapshot, which holds every Update that
	// returned before View was called. It blocks no writer, and no writer changes
	// what it sees. It returns fn's error unchanged, whatever became of ctx.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn once, in one serializable transaction: the outcome is as if
	// the committed Updates had run one after another, absent keys and empty ranges
	// included (no lost update, no write skew, no phantom).
	//
	// It commits if and only if fn returns nil and ctx is not done by then. When fn
	// returns an error or panics, or ctx is done, nothing of it is ever visible.
	// When Update returns nil the writes are as durable as the backend makes them,
	// and every later View and Update sees them. It returns fn's error unchanged,
	// even where a write has failed.
	//
	// Where the commit itself fails in such a way that only opening the store again
	// shows whether it happened, the error says so, and until then nothing of it is
	// visible.
	//
	// It never runs fn again. Where a backend cannot order this transaction with
	// another it returns [ErrConflict]; [Run] is the loop that tries again.
	Update(ctx context.Context, fn func(Tx) error) error

	// Limits says how much one transaction, key and value may hold. It is constant
	// for the life of the store, and may be called after Close.
	Limits() Limits

	// Close refuses new transactions with [ErrClosed], waits for those that run, and
	// releases what the store holds. It may be called again: it then waits for the
	// first call, and does nothing.
	Close() error
}

// Reader reads one snapshot. It belongs to the goroutine that runs fn and dies
// with fn: afterwards every method, and every sequence that it gave, gives
// [ErrTxDone]. Slices given to it are copied or not kept; slices that it returns
// belong to the caller. Each method returns ctx's error once ctx is done. A key to
// be read may be longer than any that can be written.
type Reader interface {
	// Get returns the values of keys, in the order of the arguments: nil for a key
	// that is absent, and an empty, non-nil slice for one whose value is empty. It
	// takes many keys so that a backend across a network needs one round trip.
	Get(ctx context.Context, keys ...[]byte) ([][]byte, error)

	// Scan yields the entries of a range in bytewise order of their keys, reading
	// as it goes. It yields at most one error, and nothing after it. Within a Tx
	// it sees the writes made before its loop began, and none made during it. A
	// sequence may be ranged over again, and then scans anew.
	Scan(ctx context.Context, r Range, o ScanOptions) iter.Seq2[Entry, error]
}

// Tx reads and writes in one transaction. Its reads see its own writes.
//
// A write that fails dooms the transaction: Update then returns that error and
// leaves nothing, even where fn drops the error and returns nil.
type Tx interface {
	Reader

	// Put sets key to value, which may be empty. It fails with [ErrKeyTooLarge],
	// [ErrValueTooLarge] or [ErrTxTooLarge].
	Put(key, value []byte) error

	// Delete removes keys. One that is absent is not an error, and counts as a write
	// all the same. It fails with
	// [ErrKeyTooLarge] or [ErrTxTooLarge].
	Delete(keys ...[]byte) error

	// DeleteRange removes every key of the range that the transaction can see. Each
	// counts as one write toward [Limits].
	DeleteRange(ctx context.Context, r Range) error
}

// Entry is a key and its value.
type Entry struct {
	Key   []byte
	Value []byte // nil with ScanOptions.KeysOnly, else not nil
}

// ScanOptions changes how a Scan goes. The zero value is a forward scan of everything.
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
	return Range{Start: p, End: after(p)}
}

// after returns the smallest key greater than every key that begins with p, or
// nil where there is none.
func after(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			end := append([]byte(nil), p[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Limits is how much a store takes. A store with no bound of its own names one that
// a test can reach.
type Limits struct {
	KeyBytes   int // longest key; at least 2048
	ValueBytes int // longest value; at least 64
	TxWrites   int // distinct keys that one transaction writes or deletes; at least 64
	TxBytes    int // sum over those keys of [EntryBytes]; at least 4096
}

// entryOverhead is what an entry weighs beside its key and value.
const entryOverhead = 32

// EntryBytes is what one written key weighs toward [Limits].TxBytes: its key, its
// value (none where it is deleted) and a fixed overhead.
func EntryBytes(key, value []byte) int { return len(key) + len(value) + entryOverhead }
