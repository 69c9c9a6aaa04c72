package pebble

import (
	"errors"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestOpen_DirectoryInUse_ReturnsErrInUse(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir, link := filepath.Join(parent, "a"), filepath.Join(parent, "b")
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", "1"))
	require.NoError(t, os.Symlink(dir, link))
	for _, name := range []string{dir, dir + "/.", link} {
		_, err := Open(name, Options{})
		require.ErrorIs(t, err, ErrInUse, name)
	}
	require.NoError(t, put(s, "a", "2"))
	require.NoError(t, s.Close())
	require.Equal(t, []string{"2"}, get(t, setupDir(t, link), "a"))
}

func TestOpen_InvalidOptions_AreRefused(t *testing.T) {
	t.Parallel()
	for text, o := range map[string]Options{
		"MemTableBytes is 1,":                         {MemTableBytes: 1},
		"MemTableBytes is 1073741824,":                {MemTableBytes: 1 << 30},
		"CacheBytes is 1, must be 0 or at least 6710": {CacheBytes: 1},
		"twice MemTableBytes":                         {MemTableBytes: 8 << 20, CacheBytes: 16<<20 - 1},
	} {
		_, err := Open(t.TempDir(), o)
		require.ErrorContains(t, err, text)
	}
	_, err := Open("", Options{})
	require.ErrorContains(t, err, "directory must not be empty")
}

func TestOpen_DataOfAnotherProgramOrVersion_IsRefused(t *testing.T) {
	t.Parallel()
	for want, row := range map[error][2]string{
		ErrForeign: {"a", "1"},
		ErrVersion: {string(formatRow), formatName + "2"},
	} {
		dir := t.TempDir()
		db, err := engine.Open(dir, &engine.Options{FormatMajorVersion: engine.FormatNewest, Logger: redactingLogger{to: slog.New(slog.DiscardHandler)}})
		require.NoError(t, err)
		require.NoError(t, db.Set([]byte(row[0]), []byte(row[1]), engine.Sync))
		require.NoError(t, db.Close())
		before := hashes(t, dir)
		_, err = Open(dir, Options{})
		require.ErrorIs(t, err, want)
		require.Equal(t, before, hashes(t, dir))
	}
}

// The engine reports iterators and snapshots that were not closed when it is closed.
func TestTransactions_EndedByPanicOrGoexit_ReleaseTheirSnapshots(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, putMany(s, "a", 10))
	use := func(r storage.Reader, end func()) error {
		_, err := r.Get(t.Context(), []byte("a000001"))
		next, _ := iter.Pull2(r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{})) // never stopped
		next()
		end()
		return err
	}
	for _, run := range []func(end func()) error{
		func(end func()) error {
			return s.View(t.Context(), func(r storage.Reader) error { return use(r, end) })
		},
		func(end func()) error {
			return s.Update(t.Context(), func(tx storage.Tx) error {
				require.NoError(t, tx.Put([]byte("b"), nil))
				return use(tx, end)
			})
		},
	} {
		require.PanicsWithValue(t, "end", func() { _ = run(func() { panic("end") }) })
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = run(runtime.Goexit)
		}()
		<-ended
		require.NoError(t, run(func() {}))
	}
	require.NoError(t, put(s, "c", "1"))
	require.Len(t, s.states.live, 1)
}

// Updates are refused before the disk is full. Views continue, and Updates when there is
// space.
func TestDiskFull_UpdatesAreRefusedAndViewsContinue(t *testing.T) {
	t.Parallel()
	s := setup(t)
	require.NoError(t, put(s, "a", "1"))
	free := s.space.Free
	s.space.Free = func() (int64, error) { return 4*minMemTable - 1, nil }
	err := put(s, "a", "2")
	require.ErrorIs(t, err, ErrDiskFull)
	require.NotErrorIs(t, err, storage.ErrUnknown)
	require.Equal(t, []string{"1"}, get(t, s, "a"))
	s.space.Free = func() (int64, error) { return 0, errors.New("unknown") }
	require.ErrorContains(t, put(s, "a", "2"), "cannot determine the free disk space")
	s.space.Free = free
	require.NoError(t, put(s, "a", "3"))
	require.Equal(t, []string{"3"}, get(t, s, "a"))
	_, err = Open(t.TempDir(), Options{MinFreeBytes: math.MaxInt64})
	require.ErrorIs(t, err, ErrDiskFull)
}
