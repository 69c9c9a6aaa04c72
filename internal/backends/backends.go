// Package backends is the table of stores that the tests of the domain run on, so
// that every test body runs on each. Only tests import it.
package backends

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// Backend is a way to open a store.
type Backend struct {
	Name string
	Open Open
}

// Open opens a new, empty store. reopen opens it again after Close, with the same contents.
type Open func(t testing.TB) (store storage.Store, reopen func() storage.Store)

// Only names the environment variable with the name of the backend to run the tests on. If
// it is not set, they run on all backends.
const Only = "BACKENDS_ONLY"

// All returns the backends to run a test on. It fails the test if the variable [Only] names a
// backend that is not registered.
func All(t testing.TB) []Backend {
	t.Helper()
	only := os.Getenv(Only)
	if only == "" {
		return registered
	}
	i := slices.IndexFunc(registered, func(b Backend) bool { return b.Name == only })
	require.NotEqual(t, -1, i, "%s is %q, but no backend of this name is registered", Only, only)
	return registered[i : i+1]
}

// Register adds a backend. A backend outside of this module is registered by the file that
// test/backends/run adds to this package.
func Register(name string, open Open) {
	registered = append(registered, Backend{name, open})
}

var registered = []Backend{
	{"memory", func(testing.TB) (storage.Store, func() storage.Store) {
		s := memory.New()
		return keep{s}, func() storage.Store { return keep{s} }
	}},
	{"badger", func(t testing.TB) (storage.Store, func() storage.Store) {
		dir := t.TempDir()
		open := func() storage.Store {
			s, err := badger.Open(dir, badger.Options{MemTableBytes: 8 << 20, PartRows: partRows(t)})
			require.NoError(t, err)
			return s
		}
		return open(), open
	}},
}

// partRows makes Badger write every Update of more than 64 rows in several parts, unless
// it is measured.
func partRows(t testing.TB) int {
	if _, measured := t.(*testing.B); measured {
		return 0
	}
	return 64
}

// keep is a memory store that Close leaves as it is, to be opened again.
type keep struct{ *memory.Store }

func (keep) Close() error { return nil }

// Each runs test as a parallel subtest on a fresh store of every backend.
func Each(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	for _, backend := range All(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			store, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			test(t, store)
		})
	}
}

// Benchmark runs a benchmark on every backend, with a store of its own.
func Benchmark(b *testing.B, run func(b *testing.B, store storage.Store)) {
	b.Helper()
	for _, backend := range All(b) {
		b.Run(backend.Name, func(b *testing.B) {
			store, _ := backend.Open(b)
			defer func() { require.NoError(b, store.Close()) }()
			b.ReportAllocs()
			run(b, store)
		})
	}
}
