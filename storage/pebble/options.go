package pebble

import (
	"fmt"
	"log/slog"

	"github.com/customerportal-go/customerportal/storage"
)

// Options configures Open. The zero value is ready to use.
type Options struct {
	// NoSync disables the sync of each commit. A single goroutine then performs many times
	// more Updates per second. A power loss or a crash of the process may lose the last
	// Updates that returned nil. Each Update is still atomic, and if an Update is lost, all
	// later ones are lost too.
	NoSync bool

	// Logger receives the warnings and errors of the engine, and its other messages at
	// debug level. No bytes of keys or values are logged. If nil, [slog.Default] is used.
	Logger *slog.Logger

	// MemTableBytes is the size of the engine's in-memory table, from 1 MiB to 512 MiB; 0
	// means 32 MiB. Two such tables can be in memory at the same time. Large tables are
	// faster for large Updates, and small ones for small Updates.
	MemTableBytes int64

	// CacheBytes is the size of the cache of blocks, with the in-memory tables, which the
	// engine takes out of it. It must be at least twice MemTableBytes, because otherwise
	// nothing would be cached. 0 means four times MemTableBytes, which is 128 MiB by
	// default.
	CacheBytes int64

	// MinFreeBytes is the free disk space that Open and each commit require. If less is
	// free, they return [ErrDiskFull]. Views still work then. Updates work again when there
	// is enough space.
	//
	// 0 means the sum of two sizes. The first is four times MemTableBytes, for data that is
	// being moved from memory to tables. The second, for compactions, is the size of all
	// tables, but at most sixteen times MemTableBytes. By default the sum is 128 MiB to
	// 640 MiB. A negative value disables the check. The check cannot prevent another program
	// from filling the disk during a commit.
	MinFreeBytes int64
}

const (
	defaultMemTable = 32 << 20
	minMemTable     = 1 << 20
	maxMemTable     = 512 << 20

	// maxUpdateBytes is the size of the largest Update. The engine's limit for a batch, which
	// may contain other Updates of less than groupcommit.DefaultMaxBytes, is 4 GiB with its
	// own overhead.
	maxUpdateBytes = 3 << 30
)

var limits = storage.Limits{KeyBytes: 65_000, ValueBytes: 1 << 20}

// complete returns o with its defaults, or an error if a value is invalid.
func (o Options) complete() (Options, error) {
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTable
	}
	if o.MemTableBytes < minMemTable || o.MemTableBytes > maxMemTable {
		return o, fmt.Errorf("storage/pebble: MemTableBytes is %d, must be 0 or from %d to %d", o.MemTableBytes, minMemTable, maxMemTable)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 4 * o.MemTableBytes
	}
	if o.CacheBytes < 2*o.MemTableBytes {
		return o, fmt.Errorf("storage/pebble: CacheBytes is %d, must be 0 or at least %d, twice MemTableBytes", o.CacheBytes, 2*o.MemTableBytes)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}
