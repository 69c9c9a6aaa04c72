package memory

import (
	"cmp"

	"github.com/customerportal-go/customerportal/storage"
)

// What New takes. The map itself has no bound. These are near those of the Badger
// backend, so that a program meets its limits in its tests, and a transaction
// that reaches them can be filled in a fraction of a second.
const (
	defaultKeyBytes   = 65_000
	defaultValueBytes = 1 << 20
	defaultTxWrites   = 100_000
	defaultTxBytes    = 64 << 20
)

func withDefaults(l storage.Limits) storage.Limits {
	return storage.Limits{
		KeyBytes:   cmp.Or(max(l.KeyBytes, 0), defaultKeyBytes),
		ValueBytes: cmp.Or(max(l.ValueBytes, 0), defaultValueBytes),
		TxWrites:   cmp.Or(max(l.TxWrites, 0), defaultTxWrites),
		TxBytes:    cmp.Or(max(l.TxBytes, 0), defaultTxBytes),
	}
}

// ledger is what one transaction has written so far, by key.
type ledger struct {
	limits storage.Limits
	weight map[string]int
	bytes  int
}

// add enters the write of value to key, in the place of an earlier one to that key.
func (l *ledger) add(key, value []byte) error {
	if len(key) > l.limits.KeyBytes {
		return storage.ErrKeyTooLarge
	}
	if len(value) > l.limits.ValueBytes {
		return storage.ErrValueTooLarge
	}
	before, again := l.weight[string(key)]
	if !again && len(l.weight) == l.limits.TxWrites {
		return storage.ErrTxTooLarge
	}
	weight := storage.EntryBytes(key, value)
	if l.bytes-before+weight > l.limits.TxBytes {
		return storage.ErrTxTooLarge
	}
	l.weight[string(key)] = weight
	l.bytes += weight - before
	return nil
}
