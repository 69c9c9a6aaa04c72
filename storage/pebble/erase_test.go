package pebble

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// filesWith returns the names of the files in dir that contain text.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // the engine has removed it since
		}
		require.NoError(t, err)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, f.Name())
		}
	}
	return names
}

// The deleted rows are in tables of the last level, in a table of the first one, and in a
// log. One of them is the first row of a table, whose key is in the list of tables.
func TestErase_DeletedAndReplacedRows_AreInNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, putMany(s, "secret", 20_000))
	require.NoError(t, putMany(s, "kept", 20_000))
	require.NoError(t, s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false))
	require.NoError(t, put(s, "replaced", "secret"))
	require.NoError(t, s.db.Flush())
	require.NoError(t, put(s, "secret in a log", "1"))
	require.NotEmpty(t, filesWith(t, dir, "secret"))

	require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
		if err := tx.Put([]byte("replaced"), []byte("public")); err != nil {
			return err
		}
		return tx.DeleteRange(t.Context(), storage.Prefix([]byte("secret")))
	}))
	require.NotEmpty(t, filesWith(t, dir, "secret"), "before Erase")
	require.NoError(t, s.Erase(t.Context()))
	require.Empty(t, filesWith(t, dir, "secret"))
	require.NotEmpty(t, filesWith(t, dir, "kept"))
	require.Equal(t, 20_001, count(t, s))
	require.Equal(t, []string{"public"}, get(t, s, "replaced"))
	require.NoError(t, s.Erase(t.Context()), "nothing to erase")

	require.NoError(t, s.Close())
	require.Equal(t, 20_001, count(t, setupDir(t, dir)))
	require.ErrorIs(t, s.Erase(t.Context()), storage.ErrClosed)
}

// A View that began before the delete can still read the rows. When it has ended, Erase
// removes them from the tables that a compaction has kept because of it.
func TestErase_OpenView_FailsUntilItHasEnded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, putMany(s, "secret", 10_000))
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("secret000000"))
		require.NoError(t, err)
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			return tx.DeleteRange(t.Context(), storage.Range{})
		}))
		require.NoError(t, s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false))
		ctx, cancel := context.WithCancel(t.Context())
		done := background(func() error { return s.Erase(ctx) })
		cancel()
		err = <-done
		require.ErrorIs(t, err, ErrReaders)
		require.ErrorIs(t, err, context.Canceled)
		values, err := r.Get(t.Context(), []byte("secret000001"))
		require.NotNil(t, values[0])
		return err
	}))
	require.NotEmpty(t, filesWith(t, s.dir, "secret"))
	require.NoError(t, s.Erase(t.Context()))
	require.Empty(t, filesWith(t, s.dir, "secret"))
}
