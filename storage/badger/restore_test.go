package badger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestRestore_DamagedBackup_CreatesNoDirectory(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	from := setup(t)
	putMarked(t, from, 600)
	var b bytes.Buffer
	count, err := storage.Backup(t.Context(), from, &b)
	require.NoError(t, err)
	require.Equal(t, int64(1200), count)
	small := Options{MemTableBytes: minMemTable}

	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	listed := func() (names []string) {
		files, err := os.ReadDir(parent)
		require.NoError(t, err)
		for _, f := range files {
			names = append(names, f.Name())
		}
		return names
	}
	for _, n := range []int{0, 100, b.Len() / 2, b.Len() - 1} {
		_, err := Restore(t.Context(), dir, bytes.NewReader(b.Bytes()[:n]), small)
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.Empty(t, listed())
	}
	for _, exists := range []bool{false, true} { // dir exists and is empty
		if exists {
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Mkdir(dir, 0o700))
		}
		n, err := Restore(t.Context(), dir, bytes.NewReader(b.Bytes()), small)
		require.NoError(t, err)
		require.Equal(t, count, n)
		require.Equal(t, []string{"data"}, listed())
	}
	_, err = Restore(t.Context(), dir, bytes.NewReader(b.Bytes()), small)
	require.ErrorIs(t, err, storage.ErrNotEmpty)
	var again bytes.Buffer
	_, err = storage.Backup(t.Context(), setupDir(t, dir), &again)
	require.NoError(t, err)
	require.Equal(t, b.Bytes(), again.Bytes())
}
