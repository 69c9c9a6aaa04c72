package badger

import (
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/diskspace"
)

const (
	defaultMemTable = 64 << 20
	minMemTable     = 1 << 20
	maxMemTable     = 512 << 20

	// engineKeyBytes is the size of the longest key that the engine accepts.
	engineKeyBytes = 65_000

	// engineInline is the engine's upper limit for values that are stored inline. Longer
	// values would go to a value log, which needs garbage collection and reads as empty if
	// it is truncated, so they are not allowed.
	engineInline = 1 << 20

	// engineEntryOverhead is added by the engine to the size of each key and value of a
	// transaction: two bytes of metadata and ten for the version (Txn.checkSize).
	engineEntryOverhead = 12

	// engineCommitOverhead is an upper bound for the size of the row with which the engine
	// ends a transaction, the row of the part, and one byte because the limit of the engine
	// is exclusive.
	engineCommitOverhead = 128
)

// The prefix byte, the checksum and the overhead of the engine must not exceed the overhead
// that EntryBytes adds. Then every part within partLimit is within the limits of the
// engine.
const _ = uint(32 - (1 + crcBytes + engineEntryOverhead))

// inlineLimit returns the engine's ValueThreshold: smaller values are stored inline. The
// engine requires that it is not above the size of the largest transaction.
func inlineLimit(memTable int64) int64 {
	return min(engineInline, memTable*15/100)
}

// limitsOf returns the limits of the store and of a part. maxCount and maxSize are the
// engine's limits for one transaction, and inline the limit for inline values. All three
// are exclusive.
func limitsOf(maxCount, maxSize, inline int64) (storage.Limits, partLimit) {
	part := partLimit{
		rows:  int(maxCount - 1 - 2), // exclusive limit, row of the part, row that ends the transaction
		bytes: int(maxSize - engineCommitOverhead),
	}
	l := storage.Limits{KeyBytes: engineKeyBytes - 1} // without the prefix byte
	largest := part.bytes - storage.EntryBytes(make([]byte, l.KeyBytes), nil)
	l.ValueBytes = min(int(inline)-1-crcBytes, largest)
	return l, part
}

// newSpace returns the check of the free disk space for a directory. memTable is the size of
// the in-memory table, and fixed is Options.MinFreeBytes.
func newSpace(dir string, memTable, fixed int64) diskspace.Space {
	return diskspace.Space{
		Backend:       "storage/badger",
		ErrFull:       ErrDiskFull,
		Fixed:         fixed,
		MemTable:      memTable,
		Free:          func() (int64, error) { return diskspace.Free(dir) },
		MeasureTables: func() (int64, error) { return diskspace.TableBytes(dir) },
	}
}
