package badger

import (
	"context"
	"runtime"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// setup opens a store in a new directory.
func setup(t *testing.T) *Store {
	t.Helper()
	return setupDir(t, t.TempDir())
}

func setupDir(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{MemTableBytes: minMemTable})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func put(s *Store, key, value string) error {
	return s.Update(context.Background(), func(tx storage.Tx) error {
		return tx.Put([]byte(key), []byte(value))
	})
}

// get returns the values that a View reads, "-" for absent keys.
func get(t *testing.T, s *Store, keys ...string) []string {
	t.Helper()
	var found []string
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		var err error
		found, err = read(r, keys...)
		return err
	}))
	return found
}

func read(r storage.Reader, keys ...string) ([]string, error) {
	var found []string
	for _, key := range keys {
		values, err := r.Get(context.Background(), []byte(key))
		if err != nil {
			return nil, err
		}
		if values[0] == nil {
			found = append(found, "-")
			continue
		}
		found = append(found, string(values[0]))
	}
	return found, nil
}

func keys(t *testing.T, r storage.Reader, o storage.ScanOptions) []string {
	t.Helper()
	all := []string{}
	for e, err := range r.Scan(t.Context(), storage.Range{}, o) {
		require.NoError(t, err)
		all = append(all, string(e.Key))
	}
	return all
}

// heldCommits blocks each commit until the test sends its outcome, or ends.
type heldCommits struct {
	arrived chan struct{}
	outcome chan error
}

func (s *Store) holdCommits(t *testing.T) *heldCommits {
	v := &heldCommits{arrived: make(chan struct{}), outcome: make(chan error)}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) }) // runs before the store is closed
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		select {
		case v.arrived <- struct{}{}:
		case <-over:
		}
		select {
		case err := <-v.outcome:
			if err != nil {
				return err
			}
		case <-over:
		}
		return commitAt(txn, ts)
	}
	return v
}

func background(fn func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// awaitPending waits until the pending batch contains n keys.
func (s *Store) awaitPending(n int) {
	for s.flusher.Pending() != n {
		runtime.Gosched()
	}
}

func requireBlocked(t *testing.T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		require.FailNow(t, "returned too early", "error: %v", err)
	default:
	}
}
