package badger

import "github.com/customerportal-go/customerportal/storage"

const (
	defaultMemTable = 64 << 20
	minMemTable     = 1 << 20
	maxMemTable     = 512 << 20

	// engineKeyBytes is the longest key that the engine takes.
	engineKeyBytes = 65_000

	// engineInline is the engine's upper bound for values that it keeps beside their
	// key. A longer one goes to a file of its own, which would need a collector of
	// its own and reads as empty when that file is cut short; so there are none.
	engineInline = 1 << 20

	// enginePerEntry is what the engine adds to a key and value when it weighs a
	// transaction: two bytes of meta data and ten for the version (Txn.checkSize).
	engineEntryOverhead = 12

	// engineCommit is more than the weight of the row with which the engine ends a
	// transaction and of the row of a part, and one more because its bound is exclusive.
	engineCommitOverhead = 128
)

// The space byte, the checksum and the engine's share must fit what EntryBytes
// adds to each entry; then a part within partLimit is within the engine's bounds.
const _ = uint(32 - (1 + crcBytes + engineEntryOverhead))

// inlineBound is the engine's ValueThreshold: values shorter than it stay inline.
// The engine refuses one above the size of its largest transaction.
func inlineLimit(memTable int64) int64 {
	return min(engineInline, memTable*15/100)
}

// limitsOf derives the limits of the store and of a part from the engine's bounds for
// one transaction, both exclusive, and the bound for inline values, exclusive too.
func limitsOf(maxCount, maxSize, inline int64) (storage.Limits, partLimit) {
	part := partLimit{
		rows:  int(maxCount - 1 - 2), // exclusive, the row of the part, and the row that ends a commit
		bytes: int(maxSize - engineCommitOverhead),
	}
	l := storage.Limits{KeyBytes: engineKeyBytes - 1} // the space byte
	largest := part.bytes - storage.EntryBytes(make([]byte, l.KeyBytes), nil)
	l.ValueBytes = min(int(inline)-1-crcBytes, largest)
	return l, part
}
