package pebble

import (
	"context"
	"fmt"
	"testing"

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

// putMany puts n rows with the given prefix, and values of 200 bytes, in one Update.
func putMany(s *Store, prefix string, n int) error {
	return s.Update(context.Background(), func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Put(fmt.Appendf(nil, "%s%06d", prefix, i), fmt.Appendf(nil, "%s value %0200d", prefix, i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// get returns the values that a View reads, "-" for absent keys.
func get(t *testing.T, s *Store, keys ...string) (found []string) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for _, key := range keys {
			values, err := r.Get(t.Context(), []byte(key))
			if err != nil {
				return err
			}
			if values[0] == nil {
				found = append(found, "-")
				continue
			}
			found = append(found, string(values[0]))
		}
		return nil
	}))
	return found
}

// count returns the number of rows that a View reads.
func count(t *testing.T, s *Store) (n int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for _, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}

func background(fn func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}
