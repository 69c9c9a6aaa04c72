// Package bbolttest opens stores of package bbolt for tests. test/backends/run uses it to
// run the tests of data and portal on them.
package bbolttest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/test/backends/bbolt"
)

// Open opens a new, empty store. reopen opens it again after Close.
func Open(t testing.TB) (store storage.Store, reopen func() storage.Store) {
	path := filepath.Join(t.TempDir(), "store")
	open := func() storage.Store {
		s, err := bbolt.Open(path)
		require.NoError(t, err)
		return s
	}
	return open(), open
}
