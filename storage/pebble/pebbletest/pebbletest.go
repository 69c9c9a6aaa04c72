// Package pebbletest opens stores of package pebble for tests. test/backends/run uses it to
// run the tests of data and portal on them.
package pebbletest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/pebble"
)

// OpenDir opens the store in a directory.
func OpenDir(dir string) (*pebble.Store, error) {
	return pebble.Open(dir, pebble.Options{MemTableBytes: 1 << 20})
}

// Open opens a new, empty store. reopen opens it again after Close.
func Open(t testing.TB) (store storage.Store, reopen func() storage.Store) {
	dir := t.TempDir()
	open := func() storage.Store {
		s, err := OpenDir(dir)
		require.NoError(t, err)
		return s
	}
	return open(), open
}
