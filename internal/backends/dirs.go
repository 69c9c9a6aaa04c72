package backends

import (
	"context"
	"os"
	"testing"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// DirStore is a store in a directory.
type DirStore interface {
	storage.Store

	// Erase removes the bytes of deleted rows from all files.
	Erase(ctx context.Context) error
}

// OpenDir opens the store in a directory. Its tables are small, so that the engine writes and compacts tables all the time.
type OpenDir func(dir string) (DirStore, error)

// RegisterDir adds a backend that keeps each store in a directory, as [Register] does.
func RegisterDir(name string, open OpenDir) { dirs[name] = open }

const badgerName = "badger"

var dirs = map[string]OpenDir{
	badgerName: func(dir string) (DirStore, error) {
		return badger.Open(dir, badger.Options{MemTableBytes: 1 << 20, PartRows: smallParts})
	},
}

// InDir returns the name and the function of the backend for tests that kill a process and open its directory: the one that
// [EnvOnly] names if it keeps stores in directories, and otherwise Badger. A process that inherits the environment of the
// test gets the same backend.
func InDir() (name string, open OpenDir) {
	if open, ok := dirs[os.Getenv(EnvOnly)]; ok {
		return os.Getenv(EnvOnly), open
	}
	return badgerName, dirs[badgerName]
}

// RunInDir runs test as a subtest that is named after the backend of [InDir].
func RunInDir(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	name, _ := InDir()
	t.Run(name, test)
}
