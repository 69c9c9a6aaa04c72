// Package storagetest holds the tests that every [storage.Store] must pass, each
// named after what the contract promises. A backend's own test file is a factory
// and four calls:
//
//	func TestStore(t *testing.T)   { storagetest.Run(t, open) }
//	func TestLarge(t *testing.T)   { storagetest.RunLarge(t, open) }
//	func TestDurable(t *testing.T) { storagetest.RunDurable(t, openDir) }
//	func TestPair(t *testing.T)    { storagetest.RunPair(t, open, openMemory) }
//
// A backend must pass all four (RunDurable only if it is durable); no test can be
// switched off.
//
// Each test has a watchdog: if the test has not ended after 20 minutes, or shortly before
// the timeout of go test, most likely because the backend waits for itself, it prints all
// goroutines and ends the process.
//
// The random tests print their seed when they fail, and take it from the
// environment variable STORAGETEST_SEED when it is set.
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// The least that every store must accept.
const (
	minKeyBytes   = 2048
	minValueBytes = 64
)

// fillRows is the number of rows that fill writes in one Update.
const fillRows = 32

// patience bounds every wait, so that a store that blocks forever fails its test with a
// message. A store that ignores its context is stopped by the watchdog. It is long enough
// for a machine that is slow, and runs other tests at the same time.
const testTimeout = 5 * time.Minute

// largeTestTimeout is the same for the tests of large transactions. It is shorter than the
// wait of the watchdog.
const largeTestTimeout = 15 * time.Minute

// test is one promise. Its store is new and empty.
type test struct {
	name string
	run  func(t *testing.T, s storage.Store)
}

type group struct {
	name  string
	tests []test
}

// Run tests every promise of the contract, in parallel, each over a store of its
// own. open returns a new, empty store, and has t.Cleanup close it.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	runGroups(t, open, []group{
		{"Read", readTests},
		{"Scan", scanTests},
		{"Write", writeTests},
		{"Rollback", rollbackTests},
		{"Aliasing", aliasingTests},
		{"Isolation", isolationTests()},
		{"Snapshot", snapshotTests},
		{"Limits", limitTests()},
		{"Lifecycle", lifecycleTests},
		{"Hints", hintTests},
		{"Random", randomTests},
	})
}

// RunLarge tests transactions of 200,000 rows, which take seconds; with the race detector
// they have 20,000. A backend that divides a large transaction internally should open a store
// that does so here.
func RunLarge(t *testing.T, open func(t *testing.T) storage.Store) {
	runGroups(t, open, []group{{"Large", largeTests}})
}

func runGroups(t *testing.T, open func(t *testing.T) storage.Store, groups []group) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.tests {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					watch(t)
					c.run(t, open(t))
				})
			}
		})
	}
}

// patient is a context that ends well after any test should.
func testContext(t *testing.T) context.Context { return testContextFor(t, testTimeout) }

func testContextFor(t *testing.T, wait time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}

// view runs fn in a View that must succeed.
func view(t *testing.T, s storage.Store, fn func(ctx context.Context, r storage.Reader)) {
	t.Helper()
	ctx := testContext(t)
	require.NoError(t, s.View(ctx, func(r storage.Reader) error {
		fn(ctx, r)
		return nil
	}), "View")
}

// update runs fn in an Update that must succeed.
func update(t *testing.T, s storage.Store, fn func(ctx context.Context, tx storage.Tx)) {
	t.Helper()
	ctx := testContext(t)
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		fn(ctx, tx)
		return nil
	}), "Update")
}

// fill puts entries, in as many transactions as they need.
func fill(t *testing.T, s storage.Store, entries map[string]string) {
	t.Helper()
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(entries)), fillRows) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for _, k := range keys {
				require.NoError(t, tx.Put([]byte(k), []byte(entries[k])), "Put")
			}
		})
	}
}

// numbered is n entries, whose keys and values are four digits.
func numberedEntries(n int) map[string]string {
	entries := make(map[string]string, n)
	for i := range n {
		entries[fmt.Sprintf("%04d", i)] = fmt.Sprintf("%04d", i)
	}
	return entries
}

// contents is everything in the store as a new View sees it.
func contents(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	var all map[string]string
	view(t, s, func(ctx context.Context, r storage.Reader) { all = readAll(t, ctx, r) })
	return all
}

// everything is all that a transaction sees.
func readAll(t *testing.T, ctx context.Context, r storage.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
		require.NoError(t, err, "Scan of everything")
		all[string(e.Key)] = string(e.Value)
	}
	return all
}

// keysOf is the keys of a scan, in the order in which it yields them.
func scanKeys(t *testing.T, ctx context.Context, r storage.Reader, rg storage.Range, o storage.ScanOptions) []string {
	t.Helper()
	keys := []string{}
	for e, err := range r.Scan(ctx, rg, o) {
		require.NoError(t, err, "Scan")
		keys = append(keys, string(e.Key))
	}
	return keys
}

// get is the value of a key that must be there.
func get(t *testing.T, ctx context.Context, r storage.Reader, key string) string {
	t.Helper()
	got, err := r.Get(ctx, []byte(key))
	require.NoError(t, err, "Get")
	require.Len(t, got, 1, "Get returns one value for each key")
	require.NotNil(t, got[0], "no value at key %q", key)
	return string(got[0])
}

func put(t *testing.T, tx storage.Tx, key, value string) {
	t.Helper()
	require.NoError(t, tx.Put([]byte(key), []byte(value)), "Put")
}

func del(t *testing.T, tx storage.Tx, keys ...string) {
	t.Helper()
	require.NoError(t, tx.Delete(slices.Collect(bytesOf(keys))...), "Delete")
}

func bytesOf(keys []string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, k := range keys {
			if !yield([]byte(k)) {
				return
			}
		}
	}
}

// span is the range from start to end.
func span(start, end string) storage.Range {
	return storage.Range{Start: []byte(start), End: []byte(end)}
}

// background runs fn on a goroutine, and returns where its error will come.
func background(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// await returns what comes from done.
func await(t *testing.T, ctx context.Context, done <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		require.FailNow(t, "waited in vain for "+what, "the store blocks where it must not")
		return nil
	}
}

// together runs n copies of fn, each on its own goroutine, and returns when all
// have ended and none has failed. fn must not use t.
func runConcurrently(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...), "a goroutine of the test failed")
}

// committed sorts the outcome of storage.Run into committed, beaten by others too
// often (which the contract allows), and failed.
func committed(err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, storage.ErrConflict):
		return false, nil
	default:
		return false, err
	}
}
