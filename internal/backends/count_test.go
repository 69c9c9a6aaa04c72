package backends_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestCounted_Trips_MatchADatabaseServer runs transactions on a store with 1,000 rows.
func TestCounted_Trips_MatchADatabaseServer(t *testing.T) {
	t.Parallel()
	key := func(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
	store := &backends.Counted{Store: memory.New()}
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
		for n := range 1000 {
			if err := tx.Put(key(n), key(n)); err != nil {
				return err
			}
		}
		return nil
	}))
	get := func(keys ...[]byte) func(context.Context, storage.Reader) error {
		return func(ctx context.Context, r storage.Reader) error {
			values, err := r.Get(ctx, keys...)
			for i, value := range values {
				require.Equal(t, keys[i], value)
			}
			return err
		}
	}
	// scan reads a range and stops after stop rows, or at the end if stop is 0.
	scan := func(rows storage.Range, o storage.ScanOptions, stop int) func(context.Context, storage.Reader) error {
		return func(ctx context.Context, r storage.Reader) error {
			read := 0
			for _, err := range r.Scan(ctx, rows, o) {
				if read++; err != nil || read == stop {
					return err
				}
			}
			return nil
		}
	}
	until := func(n int) storage.Range { return storage.Range{End: key(n)} }
	put := func(tx storage.Tx) error { return tx.Put(key(1), key(1)) }
	type reads = []func(context.Context, storage.Reader) error
	for _, test := range []struct {
		name     string
		reads    reads
		write    func(storage.Tx) error // nil for a View or an Update that only reads
		declared [][]byte               // keys that the Update declares
		view     int                    // trips of a View; not used if write or declared is set
		update   int                    // trips of an Update
	}{
		{"nothing", nil, nil, nil, 0, 0},
		{"no keys", reads{get()}, nil, nil, 0, 0},
		{"one read", reads{get(key(1), key(2))}, nil, nil, 2, 2},
		{"two reads", reads{get(key(1)), get(key(1))}, nil, nil, 3, 3},
		{"a write", nil, put, nil, 0, 1},
		{"a delete", nil, func(tx storage.Tx) error { return tx.Delete(key(2000)) }, nil, 0, 1},
		{"a delete of nothing", nil, func(tx storage.Tx) error { return tx.Delete() }, nil, 0, 0},
		{"a delete of a range", nil, func(tx storage.Tx) error { return tx.DeleteRange(t.Context(), until(0)) }, nil, 0, 1},
		{"reads and a write", reads{get(key(1)), get(key(2))}, put, nil, 0, 3},
		{"declared reads and a write", reads{get(key(2), key(3)), get(key(3))}, put, [][]byte{key(2), key(3)}, 0, 2},
		{"one read of two was not declared", reads{get(key(2), key(3)), get(key(3))}, put, [][]byte{key(3)}, 0, 3},
		{"declared and not read", nil, nil, [][]byte{key(3)}, 0, 2},
		{"a scan of no rows", reads{scan(until(0), storage.ScanOptions{}, 0)}, nil, nil, 2, 2},
		{"a scan of less than a page", reads{scan(until(127), storage.ScanOptions{}, 0)}, nil, nil, 2, 2},
		{"a scan of a page", reads{scan(until(128), storage.ScanOptions{}, 0)}, nil, nil, 3, 3},
		{"a scan that stops after a page", reads{scan(until(200), storage.ScanOptions{}, 128)}, nil, nil, 2, 2},
		{"a scan that stops after a page and a row", reads{scan(until(200), storage.ScanOptions{}, 129)}, nil, nil, 3, 3},
		{"a scan of all", reads{scan(storage.Range{}, storage.ScanOptions{}, 0)}, nil, nil, 4, 4}, // 128, 512, 360
		{"a scan with a limit", reads{scan(storage.Range{}, storage.ScanOptions{Limit: 700}, 0)}, nil, nil, 2, 2},
		{"two scans", reads{scan(until(1), storage.ScanOptions{}, 0), scan(until(1), storage.ScanOptions{Reverse: true}, 0)}, nil, nil, 3, 3},
	} {
		readAll := func(r storage.Reader) error {
			for _, read := range test.reads {
				if err := read(t.Context(), r); err != nil {
					return err
				}
			}
			return nil
		}
		if test.write == nil && test.declared == nil {
			store.Reset()
			require.NoError(t, store.View(t.Context(), readAll), test.name)
			require.EqualValues(t, test.view, store.Trips.Load(), "View: %s", test.name)
			require.EqualValues(t, 1, store.Views.Load())
		}
		store.Reset()
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			err := readAll(tx)
			if err == nil && test.write != nil {
				err = test.write(tx)
			}
			return err
		}, test.declared...), test.name)
		require.EqualValues(t, test.update, store.Trips.Load(), "Update: %s", test.name)
		require.EqualValues(t, 1, store.Updates.Load())
		require.Zero(t, store.Views.Load())
	}
}

func TestCounted_FailedTransaction_IsCountedAndReturnsTheError(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	broken := errors.New("broken")
	require.ErrorIs(t, store.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		return errors.Join(err, broken)
	}), broken)
	require.EqualValues(t, 2, store.Trips.Load())
	require.ErrorIs(t, store.Update(t.Context(), func(tx storage.Tx) error {
		return errors.Join(tx.Put([]byte("a"), nil), broken)
	}), broken)
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		values, err := r.Get(t.Context(), []byte("a"))
		require.Equal(t, [][]byte{nil}, values)
		return err
	}))
}
