// Package storagetest contains the conformance tests for [storage.Store]. Each test is
// named after a guarantee of the contract. A backend runs them as follows:
//
//	func TestStore(t *testing.T)   { storagetest.Run(t, open) }
//	func TestLarge(t *testing.T)   { storagetest.RunLarge(t, open) }
//	func TestDurable(t *testing.T) { storagetest.RunDurable(t, openDir) }
//	func TestPair(t *testing.T)    { storagetest.RunPair(t, open, openMemory) }
//
// A backend must pass all four (RunDurable only if it is durable). No test can be disabled.
//
// Each test has a watchdog. If a test has not ended after 20 minutes, or shortly before the
// timeout of go test, it prints all goroutines and exits. The most likely reason is a
// deadlock in the backend.
//
// The random tests print their seed when they fail. To repeat a failure, set the
// environment variable STORAGETEST_SEED.
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

// Limits that every store must support.
const (
	minKeyBytes   = 2048
	minValueBytes = 64
)

// fillRows is the number of rows that fill writes per Update.
const fillRows = 32

// testTimeout bounds every wait, so that a store that blocks fails its test with a message.
// If a store ignores its context, the watchdog ends the test. The timeout is long enough
// for a slow machine that runs other tests at the same time.
const testTimeout = 5 * time.Minute

// largeTestTimeout is the timeout of tests with large transactions. It is shorter than the
// timeout of the watchdog.
const largeTestTimeout = 15 * time.Minute

// test tests one guarantee on a new, empty store.
type test struct {
	name string
	run  func(t *testing.T, s storage.Store)
}

type group struct {
	name  string
	tests []test
}

// Run runs the tests of the contract in parallel, each on its own store. open returns a
// new, empty store and closes it with t.Cleanup.
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

// RunLarge runs tests with transactions of 20,000 rows: 2,000 with -short, and 200,000 if the environment variable
// PORTAL_TEST_FULL is set. A backend should pass them at each size. If it splits large transactions internally, open
// should return a store that does so in these tests.
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

// testContext returns a context with the timeout testTimeout.
func testContext(t *testing.T) context.Context { return testContextFor(t, testTimeout) }

func testContextFor(t *testing.T, wait time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}

// view runs fn in a View and requires that it succeeds.
func view(t *testing.T, s storage.Store, fn func(ctx context.Context, r storage.Reader)) {
	t.Helper()
	ctx := testContext(t)
	require.NoError(t, s.View(ctx, func(r storage.Reader) error {
		fn(ctx, r)
		return nil
	}), "View")
}

// update runs fn in an Update and requires that it succeeds.
func update(t *testing.T, s storage.Store, fn func(ctx context.Context, tx storage.Tx)) {
	t.Helper()
	ctx := testContext(t)
	require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
		fn(ctx, tx)
		return nil
	}), "Update")
}

// fill puts entries in as many transactions as needed.
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

// numberedEntries returns n entries whose keys and values have four digits.
func numberedEntries(n int) map[string]string {
	entries := make(map[string]string, n)
	for i := range n {
		entries[fmt.Sprintf("%04d", i)] = fmt.Sprintf("%04d", i)
	}
	return entries
}

// contents returns all entries of the store as seen by a new View.
func contents(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	var all map[string]string
	view(t, s, func(ctx context.Context, r storage.Reader) { all = readAll(t, ctx, r) })
	return all
}

// readAll returns all entries that a transaction sees.
func readAll(t *testing.T, ctx context.Context, r storage.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
		require.NoError(t, err, "Scan of all rows")
		all[string(e.Key)] = string(e.Value)
	}
	return all
}

// scanKeys returns the keys of a scan in the order in which it yields them.
func scanKeys(t *testing.T, ctx context.Context, r storage.Reader, rg storage.Range, o storage.ScanOptions) []string {
	t.Helper()
	keys := []string{}
	for e, err := range r.Scan(ctx, rg, o) {
		require.NoError(t, err, "Scan")
		keys = append(keys, string(e.Key))
	}
	return keys
}

// get returns the value of a key, which must exist.
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

// span returns the range from start to end.
func span(start, end string) storage.Range {
	return storage.Range{Start: []byte(start), End: []byte(end)}
}

// background runs fn on a new goroutine and returns a channel for its error.
func background(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// await waits for a value from done and returns it.
func await(t *testing.T, ctx context.Context, done <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		require.FailNow(t, "timeout while waiting for "+what, "the store blocks")
		return nil
	}
}

// runConcurrently runs n copies of fn on separate goroutines and requires that none fails.
// fn must not use t.
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

// committed returns whether storage.Run has committed, given its error. Running out of
// attempts because of conflicts is not a failure.
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
