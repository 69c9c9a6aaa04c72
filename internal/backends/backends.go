// Package backends lists the stores that tests run on, and provides stores that count calls, fail and crash. Only tests
// import it.
package backends

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// Backend is a named way to open a store.
type Backend struct {
	Name string
	Open Open
}

// Open opens a new, empty store. reopen opens it again with the same contents after Close.
type Open func(t testing.TB) (store storage.Store, reopen func() storage.Store)

// EnvOnly is an environment variable that contains the name of the only backend to run the tests on.
const EnvOnly = "BACKENDS_ONLY"

// All returns the backends to run a test on: the one that [EnvOnly] names, only the memory store if [MemoryOnly] returns true,
// or otherwise all backends. It fails the test if EnvOnly contains a name that is not registered.
func All(t testing.TB) []Backend {
	t.Helper()
	only := os.Getenv(EnvOnly)
	if MemoryOnly() {
		only = memoryName
		t.Logf("with -short, this runs on the memory store only; %s=badger selects another", EnvOnly)
	}
	if only == "" {
		return registered
	}
	i := slices.IndexFunc(registered, func(b Backend) bool { return b.Name == only })
	require.NotEqual(t, -1, i, "%s is %q, but no backend of this name is registered", EnvOnly, only)
	return registered[i : i+1]
}

// MemoryOnly reports whether the tests run on the memory store only: with -short, unless the race detector is enabled or
// [EnvOnly] is set. Opening a Badger store for each test would take most of the time of -short.
func MemoryOnly() bool {
	return testing.Short() && !race.Enabled && os.Getenv(EnvOnly) == ""
}

// Register adds a backend. The script test/backends/run adds a file to this package that calls
// Register for a backend in another module.
func Register(name string, open Open) {
	registered = append(registered, Backend{name, open})
}

const memoryName = "memory"

var registered = []Backend{
	{memoryName, func(testing.TB) (storage.Store, func() storage.Store) {
		s := memory.New()
		return noClose{s}, func() storage.Store { return noClose{s} }
	}},
	{badgerName, func(t testing.TB) (storage.Store, func() storage.Store) {
		dir := t.TempDir()
		open := func() storage.Store {
			s, err := badger.Open(dir, badger.Options{MemTableBytes: 8 << 20, PartRows: partRows(t), NoSync: noSync(t)})
			require.NoError(t, err)
			return s
		}
		return open(), open
	}},
}

// partRows returns a small PartRows for tests, so that an Update of more than 64 rows is written
// in several parts, and the default for benchmarks.
func partRows(t testing.TB) int {
	if _, isBenchmark := t.(*testing.B); isBenchmark {
		return 0
	}
	return smallParts
}

// smallParts is a small PartRows of Badger.
const smallParts = 64

// noSync reports whether Badger omits syncs, which take most of the CPU time of small Updates. Only tests of storage/badger,
// which simulate a power loss, depend on syncs. Tests at full size and benchmarks sync.
func noSync(t testing.TB) bool {
	_, isBenchmark := t.(*testing.B)
	return !isBenchmark && !testsize.Full()
}

// noClose is a memory store that stays usable after Close, so that it can be reopened.
type noClose struct{ *memory.Store }

func (noClose) Close() error { return nil }

// Each runs test as a parallel subtest on a fresh store of every backend at full size, with the race detector, and if
// [EnvOnly] is set. Otherwise it runs test on the memory store only: opening a Badger store takes more time than most tests.
// For tests whose result depends on the concurrency or the limits of a store, use [EachAll].
func Each(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	list := All(t)
	if !testsize.Full() && !race.Enabled && os.Getenv(EnvOnly) == "" {
		list = registered[:1]
	}
	each(t, list, test)
}

// EachAll runs test as a parallel subtest on a fresh store of every backend that [All] returns.
func EachAll(t *testing.T, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	each(t, All(t), test)
}

func each(t *testing.T, list []Backend, test func(t *testing.T, store storage.Store)) {
	t.Helper()
	for _, backend := range list {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			store, _ := backend.Open(t)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			test(t, store)
		})
	}
}

// Benchmark runs a benchmark on a fresh store of every backend.
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

// Rows returns all rows of a store.
func Rows(t testing.TB, store storage.Store) (rows []storage.Entry) {
	t.Helper()
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			rows = append(rows, e)
		}
		return nil
	}))
	return rows
}
