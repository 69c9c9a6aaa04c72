package storagetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// RunDurable checks that committed writes remain after a store is closed and opened again.
// open opens the store in dir, which is empty at first, and closes it with t.Cleanup.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) storage.Store) {
	for _, c := range []struct {
		name  string
		write func(t *testing.T, s storage.Store)
		want  map[string]string
	}{
		{"puts", func(t *testing.T, s storage.Store) { fill(t, s, numberedEntries(200)) }, numberedEntries(200)},
		{"odd keys", func(t *testing.T, s storage.Store) { fill(t, s, oddEntries()) }, oddEntries()},
		{"empty values", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"": "", "a": ""})
		}, map[string]string{"": "", "a": ""}},
		{"overwrites", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"a": "old", "b": "old", "c": ""})
			fill(t, s, map[string]string{"a": "new", "b": "", "c": "new"})
		}, map[string]string{"a": "new", "b": "", "c": "new"}},
		{"deletes", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"a": "1", "b": "2", "c": "3"})
			update(t, s, func(_ context.Context, tx storage.Tx) {
				put(t, tx, "d", "put and deleted in one Update")
				del(t, tx, "a", "c", "d")
			})
		}, map[string]string{"b": "2"}},
		{"range deletes", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"})
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, "bb", "1")
				require.NoError(t, tx.DeleteRange(ctx, span("b", "d")), "DeleteRange")
				put(t, tx, "c", "again")
			})
		}, map[string]string{"a": "1", "c": "again", "d": "4"}},
		{"writes that were rolled back do not reappear", func(t *testing.T, s storage.Store) {
			fill(t, s, initialRows)
			require.Error(t, s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				return errors.New("fn failed")
			}), "Update returns the error of fn")
			require.Panics(t, func() {
				_ = s.Update(testContext(t), func(tx storage.Tx) error {
					writeAll(t, testContext(t), tx)
					panic("fn panicked")
				})
			}, "Update must not recover a panic of fn")
			ctx, cancel := context.WithCancel(testContext(t))
			require.ErrorIs(t, s.Update(ctx, func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				cancel()
				return nil
			}), context.Canceled, "Update whose context is done before it commits")
			require.ErrorIs(t, s.Update(testContext(t), func(tx storage.Tx) error {
				writeAll(t, testContext(t), tx)
				_ = tx.Put(make([]byte, s.Limits().KeyBytes+1), nil)
				return nil
			}), storage.ErrKeyTooLarge, "Update in which a write failed")
		}, initialRows},
		{"no writes", func(*testing.T, storage.Store) {}, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			watch(t)
			dir := t.TempDir()
			s := open(t, dir)
			require.Empty(t, contents(t, s), "the directory is new")
			c.write(t, s)
			for range 2 { // rows that survive one reopening may be lost by the next
				require.Equal(t, c.want, contents(t, s), "rows before the store is closed")
				require.NoError(t, s.Close(), "Close")
				s = open(t, dir)
			}
			require.Equal(t, c.want, contents(t, s), "rows after the store was opened again")
		})
	}
	t.Run("random transactions with reopening", func(t *testing.T) {
		t.Parallel()
		watch(t)
		seed := seedOf(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		dir, want := t.TempDir(), newModel()
		for range 5 {
			s := open(t, dir)
			for range 20 {
				requireSameResults(t, seed, randomTx(rng), s, want)
			}
			require.NoError(t, s.Close(), "Close")
		}
		require.Equal(t, want.entries, contents(t, open(t, dir)), "seed %d", seed)
	})
}

func oddEntries() map[string]string {
	entries := map[string]string{}
	for _, k := range oddKeys {
		entries[k] = "value of " + k
	}
	return entries
}
