package pebble

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// copyDir returns a copy of a directory without its lock, as after a crash of the process.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// glob returns the only file in dir with a pattern, or the first of several.
func glob(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names[0]
}

// hashes returns the checksum of each file in dir but the lock.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		all[f.Name()] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	delete(all, "LOCK")
	return all
}

func change(t *testing.T, path string, fn func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, fn(b), 0o600))
}

// crashed returns the directory of a store that was not closed, with n steps of a script in
// its log, and with the commit mark of an earlier step.
func crashed(t *testing.T, n, marked int) (dir string, oldMark []byte, c *script) {
	t.Helper()
	c = &script{name: "x"}
	s := setup(t)
	for i := range n {
		if i == marked {
			b, err := os.ReadFile(filepath.Join(s.dir, markName))
			require.NoError(t, err)
			oldMark = b
		}
		require.NoError(t, c.step(s, make([]byte, 20)))
	}
	return copyDir(t, s.dir), oldMark, c
}

// The end of the log is lost. With the commit mark, Open detects that an acknowledged commit
// is missing. With the mark of an earlier commit, as after a power loss, it opens the commits
// that are complete, unless the commit of the mark is missing.
func TestLog_CutAtEachOffset_NoPartialUpdate(t *testing.T) {
	t.Parallel()
	const n, marked = 12, 4
	dir, oldMark, c := crashed(t, n, marked)
	log := filepath.Base(glob(t, dir, "*.log"))
	b, err := os.ReadFile(filepath.Join(dir, log))
	require.NoError(t, err)
	refused, opened := 0, 0
	for at := 0; at < len(b); at += testsize.Pick(67, 23, 1) {
		for _, old := range []bool{false, true} {
			cut := copyDir(t, dir)
			require.NoError(t, os.Truncate(filepath.Join(cut, log), int64(at)))
			if old {
				require.NoError(t, os.WriteFile(filepath.Join(cut, markName), oldMark, 0o600))
			}
			before := hashes(t, cut)
			s, err := Open(cut, Options{MemTableBytes: minMemTable})
			if err != nil {
				require.ErrorIs(t, err, storage.ErrCorrupt, "cut at %d", at)
				require.Equal(t, before, hashes(t, cut), "cut at %d: Open has changed the directory", at)
				refused++
				continue
			}
			opened++
			least := int64(n)
			if old {
				least = marked
			}
			require.NoError(t, c.check(s, least, n), "cut at %d", at)
			require.NoError(t, s.Close())
		}
	}
	require.Positive(t, refused)
	require.Positive(t, opened)
}

// Corruption inside a log is not its end.
func TestLog_Corrupt_IsDetectedAndNothingIsChanged(t *testing.T) {
	t.Parallel()
	dir, _, c := crashed(t, 200, 0)
	for name, fn := range map[string]func(b []byte) []byte{
		"bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"zeroed":      func(b []byte) []byte { clear(b[4096:8192]); return b },
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
		"empty":       func([]byte) []byte { return nil },
	} {
		damaged := copyDir(t, dir)
		change(t, glob(t, damaged, "*.log"), fn)
		before := hashes(t, damaged)
		for range 2 {
			_, err := Open(damaged, Options{MemTableBytes: minMemTable})
			require.ErrorIs(t, err, storage.ErrCorrupt, name)
			require.True(t, maps.Equal(before, hashes(t, damaged)), "%s: Open has changed the directory", name)
		}
	}
	s := setupDir(t, dir)
	require.NoError(t, c.check(s, 200, 200), "without corruption")
}

// A missing log between others does not change the newest commit.
func TestLog_MissingBetweenOthers_IsDetected(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "1"))
	dir := copyDir(t, s.dir)
	require.NoError(t, put(s, "a", "2"))
	first := filepath.Base(glob(t, s.dir, "*.log"))
	require.NoError(t, s.db.Flush())
	require.NoError(t, put(s, "a", "3"))
	// The first log without the second commit, and the log with the third one.
	names, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	require.NoError(t, err)
	for _, name := range append(names, filepath.Join(s.dir, markName)) {
		if filepath.Base(name) != first {
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600))
		}
	}
	_, err = Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// A corrupt block is an error of its rows, and of no others.
func TestTable_Corrupt_ReadsFailAndAreNotWrong(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s := setup(t)
	require.NoError(t, putMany(s, "secret", n))
	require.NoError(t, s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false))
	require.NoError(t, s.VerifyChecksum(t.Context()))
	dir := s.dir
	require.NoError(t, s.Close())
	change(t, glob(t, dir, "*.sst"), func(b []byte) []byte { b[len(b)/3] ^= 1; return b })
	again := setupDir(t, dir)
	err := again.VerifyChecksum(t.Context())
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.NotContains(t, err.Error(), "secret")
	failed, read := 0, 0
	for i := 0; i < n; i += 7 {
		key := fmt.Sprintf("secret%06d", i)
		err := again.View(t.Context(), func(r storage.Reader) error {
			values, err := r.Get(t.Context(), []byte(key))
			if err == nil {
				require.Equal(t, fmt.Sprintf("secret value %0200d", i), string(values[0]))
			}
			return err
		})
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			require.NotContains(t, err.Error(), "secret")
			failed++
			continue
		}
		read++
	}
	require.Positive(t, failed)
	require.Greater(t, read, n/14)
}

// A changed or missing file is an error of Open, or changes nothing.
func TestFiles_ChangedOrMissing_AreDetected(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, putMany(s, "a", 3000))
	require.NoError(t, s.db.Flush())
	require.NoError(t, put(s, "b", "1"))
	dir := s.dir
	require.NoError(t, s.Close())
	refused := 0
	open := func(what, dir string) {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		if err != nil {
			refused++
			require.NotContains(t, err.Error(), "a0000")
			return
		}
		require.Equal(t, 3001, count(t, s), what)
		require.NoError(t, s.Close(), what)
	}
	_, list, ok := strings.Cut(glob(t, dir, "marker.manifest.*"), "."+listPrefix)
	require.True(t, ok)
	list = listPrefix + list
	info, err := os.Stat(filepath.Join(dir, list))
	require.NoError(t, err)
	for at := 0; at < int(info.Size()); at += testsize.Pick(29, 7, 1) {
		damaged := copyDir(t, dir)
		change(t, filepath.Join(damaged, list), func(b []byte) []byte { b[at] ^= 0x10; return b })
		open(fmt.Sprintf("byte %d of the list", at), damaged)
	}
	require.Positive(t, refused)
	for name := range hashes(t, dir) {
		damaged := copyDir(t, dir)
		require.NoError(t, os.Remove(filepath.Join(damaged, name)))
		open("without "+name, damaged)
	}
	missing := copyDir(t, dir)
	require.NoError(t, os.Remove(glob(t, missing, "*.sst")))
	_, err = Open(missing, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, storage.ErrCorrupt)
}
