// Package backends is the table of stores that the tests of the domain run on, so
// that every test body runs on each. Only tests import it.
package backends

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var all = []struct {
	name string
	open func(t testing.TB) storage.Store
}{
	{"memory", func(testing.TB) storage.Store { return memory.New() }},
	{"badger", func(t testing.TB) storage.Store {
		s, err := badger.Open(t.TempDir(), badger.Options{MemTableBytes: 8 << 20})
		require.NoError(t, err)
		return s
	}},
}

// Each runs test as a parallel subtest on a fresh store of every backend.
func Each(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	for _, backend := range all {
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			store := backend.open(t)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			test(t, store)
		})
	}
}
