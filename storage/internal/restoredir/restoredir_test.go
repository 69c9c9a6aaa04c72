package restoredir

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// fakeStore is a store in memory that stands for a store in a directory.
type fakeStore struct {
	*memory.Store
	verify, close error
}

func (s fakeStore) VerifyChecksum(context.Context) error { return s.verify }

func (s fakeStore) Close() error { return errors.Join(s.Store.Close(), s.close) }

// opener returns a function that creates a file in the directory, as an engine does, and
// opens s.
func opener(s fakeStore) func(dir string) (fakeStore, error) {
	return func(dir string) (fakeStore, error) {
		s.Store = memory.New()
		return s, os.WriteFile(filepath.Join(dir, "rows"), []byte("rows"), 0o600)
	}
}

func backup(t *testing.T) []byte {
	t.Helper()
	s := memory.New()
	require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { return tx.Put([]byte("key"), []byte("value")) }))
	var b bytes.Buffer
	_, err := storage.Backup(t.Context(), s, &b)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return b.Bytes()
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestRestore_AbsentOrEmptyDirectory_IsCreated(t *testing.T) {
	t.Parallel()
	for _, exists := range []bool{false, true} {
		parent := filepath.Join(t.TempDir(), "parent")
		dir := filepath.Join(parent, "data")
		if exists {
			require.NoError(t, os.MkdirAll(dir, 0o700))
		}
		rows, err := Restore(t.Context(), "storage/fake", dir, bytes.NewReader(backup(t)), opener(fakeStore{}))
		require.NoError(t, err)
		require.Equal(t, int64(1), rows)
		require.Equal(t, []string{"data"}, names(t, parent))
		require.Equal(t, []string{"rows"}, names(t, dir))
	}
}

// A restore that fails after it has created files removes them.
func TestRestore_FailsLate_LeavesNoFiles(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	whole := backup(t)
	for name, c := range map[string]struct {
		open  func(dir string) (fakeStore, error)
		input []byte
		want  error
	}{
		"open": {
			open: func(dir string) (fakeStore, error) {
				return fakeStore{}, errors.Join(failure, os.WriteFile(filepath.Join(dir, "rows"), nil, 0o600))
			},
			input: whole,
			want:  failure,
		},
		"incomplete backup":     {open: opener(fakeStore{}), input: whole[:len(whole)-1], want: storage.ErrCorrupt},
		"verification":          {open: opener(fakeStore{verify: failure}), input: whole, want: failure},
		"close":                 {open: opener(fakeStore{close: failure}), input: whole, want: failure},
		"verification of close": {open: opener(fakeStore{verify: storage.ErrCorrupt, close: failure}), input: whole, want: storage.ErrCorrupt},
		"the files vanish": {
			open: func(dir string) (fakeStore, error) {
				return fakeStore{Store: memory.New()}, os.RemoveAll(dir)
			},
			input: whole,
			want:  fs.ErrNotExist,
		},
	} {
		parent := t.TempDir()
		rows, err := Restore(t.Context(), "storage/fake", filepath.Join(parent, "data"), bytes.NewReader(c.input), c.open)
		require.ErrorIs(t, err, c.want, name)
		require.Zero(t, rows, name)
		require.Empty(t, names(t, parent), name)
	}
}

// The directory may be used while the backup is read.
func TestRestore_DirectoryFilledMeanwhile_IsNotReplaced(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	_, err := Restore(t.Context(), "storage/fake", dir, bytes.NewReader(backup(t)), func(made string) (fakeStore, error) {
		require.Equal(t, parent, filepath.Dir(made))
		require.Regexp(t, `^data\.restoring-\d+$`, filepath.Base(made))
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("1"), 0o600))
		return opener(fakeStore{})(made)
	})
	require.ErrorIs(t, err, storage.ErrNotEmpty)
	require.Equal(t, []string{"data"}, names(t, parent))
	require.Equal(t, []string{"other"}, names(t, dir))
}

// Restore does not open a store if the directory cannot be created.
func TestRestore_UnusableDirectory_IsRefused(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	file, full := filepath.Join(parent, "file"), filepath.Join(parent, "full")
	require.NoError(t, os.WriteFile(file, []byte("1"), 0o600))
	require.NoError(t, os.Mkdir(full, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(full, "rows"), []byte("1"), 0o600))
	before := names(t, parent)
	for _, c := range []struct {
		dir  string
		want error
		text string
	}{
		{full, storage.ErrNotEmpty, storage.ErrNotEmpty.Error()},
		{file, syscall.ENOTDIR, "storage/fake: "},
		{filepath.Join(file, "data"), syscall.ENOTDIR, "storage/fake: "},
		{filepath.Join(parent, strings.Repeat("x", 250)), syscall.ENAMETOOLONG, "storage/fake: "}, // too long with the suffix
		{filepath.Join(parent, strings.Repeat("x", 300), "data"), syscall.ENAMETOOLONG, "storage/fake: "},
	} {
		_, err := Restore(t.Context(), "storage/fake", c.dir, bytes.NewReader(backup(t)), func(string) (fakeStore, error) {
			t.Error("a store is opened")
			return fakeStore{Store: memory.New()}, nil
		})
		require.ErrorIs(t, err, c.want)
		require.True(t, strings.HasPrefix(err.Error(), c.text), err.Error())
		require.Equal(t, before, names(t, parent))
	}
	b, err := os.ReadFile(filepath.Join(full, "rows"))
	require.NoError(t, err)
	require.Equal(t, "1", string(b))
}
