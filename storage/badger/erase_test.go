package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// countInFiles returns the number of occurrences of marker in the files of a directory.
func countInFiles(t *testing.T, dir, marker string) (count int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		count += bytes.Count(data, []byte(marker))
		return err
	}))
	return count
}

const marker = "Erica Mustermann"

// putMarked puts the given number of rows with the marker in key and value, and as many
// rows without it.
func putMarked(t *testing.T, s *Store, rows int) {
	t.Helper()
	for i := 0; i < rows; i += 20 {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			for j := i; j < min(i+20, rows); j++ {
				err := errors.Join(
					tx.Put(fmt.Appendf(nil, "%04d %s", j, marker), bytes.Repeat([]byte(marker), 50)),
					tx.Put(fmt.Appendf(nil, "%04d other", j), bytes.Repeat([]byte{byte(j)}, 500)),
				)
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// deleteMarked deletes the rows with the marker.
func deleteMarked(t *testing.T, s *Store, rows int) {
	t.Helper()
	for i := 0; i < rows; i += 20 {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			for j := i; j < min(i+20, rows); j++ {
				if err := tx.Delete(fmt.Appendf(nil, "%04d %s", j, marker)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func requireRowCount(t *testing.T, s *Store, rows int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), rows)
		return nil
	}))
}

func TestErase_DeletedRows_AreRemovedFromFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows int
		age  func(t *testing.T, s *Store) *Store // runs between writing and deleting
	}{
		"in the log": {20, func(_ *testing.T, s *Store) *Store { return s }},
		"in tables":  {1500, func(_ *testing.T, s *Store) *Store { return s }},
		"in old tables": {1500, func(t *testing.T, s *Store) *Store {
			dir := s.db.Opts().Dir
			require.NoError(t, s.Close())
			s = setupDir(t, dir)
			require.NoError(t, s.db.Flatten(1))
			return s
		}},
	} {
		if testing.Short() && name != "in the log" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := setupDir(t, dir)
			putMarked(t, s, c.rows)
			s = c.age(t, s)
			deleteMarked(t, s, c.rows)
			require.Positive(t, countInFiles(t, dir, marker), "a delete alone does not remove it")
			require.NoError(t, s.Erase(t.Context()))
			require.Zero(t, countInFiles(t, dir, marker))
			requireRowCount(t, s, c.rows)
			require.NoError(t, put(s, "a", "1"))
			require.NoError(t, s.Close())
			require.Zero(t, countInFiles(t, dir, marker))
			requireRowCount(t, setupDir(t, dir), c.rows+1)
		})
	}
}

func TestErase_ReplacedRow_IsRemovedFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", marker))
	require.NoError(t, put(s, "a", "another"))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, countInFiles(t, dir, marker))
	require.Equal(t, []string{"another"}, get(t, s, "a"))
}

// If an open View keeps a version while its table is compacted, the version stays in the
// lowest level, and later compactions do not process it.
func TestErase_VersionKeptByView_IsRemovedFromFiles(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	rows := testsize.Pick(2000, 2000, 6000)
	putMarked(t, s, rows)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		deleteMarked(t, s, rows)
		require.NoError(t, s.rotate(t.Context()))
		require.NoError(t, s.db.Flatten(1))
		return err
	}))
	require.NoError(t, s.rotate(t.Context()))
	require.NoError(t, s.db.Flatten(1))
	require.Positive(t, countInFiles(t, dir, marker), "a compaction does not remove it")
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, countInFiles(t, dir, marker))
	requireRowCount(t, s, rows)
}

func TestErase_OlderViewIsOpen_ReturnsErrReaders(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	putMarked(t, s, 100)
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		deleteMarked(t, s, 100)
		err := s.Erase(expired)
		require.ErrorIs(t, err, ErrReaders)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, put(s, "a", "1"), "other Updates do not wait")
		require.Len(t, keys(t, r, storage.ScanOptions{}), 200)
		return nil
	}))
	require.Positive(t, countInFiles(t, dir, marker))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, countInFiles(t, dir, marker))
}

// A View that began after the delete does not see the rows, but it may use the table that
// contains them.
func TestErase_ViewUsesObsoleteFile_WaitsForIt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	putMarked(t, s, 1500)
	deleteMarked(t, s, 1500)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			ctx, cancel := context.WithCancel(t.Context())
			newest := s.snaps.newest()
			done := background(func() error { return s.Erase(ctx) })
			s.snaps.awaitWaiter(newest + 1)
			require.Positive(t, countInFiles(t, dir, marker))
			requireBlocked(t, done)
			cancel()
			require.ErrorIs(t, <-done, ErrReaders)
			break
		}
		return nil
	}))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, countInFiles(t, dir, marker))
}

// awaitWaiter returns when a goroutine waits for the readers below ts or a later timestamp.
func (s *snapshots) awaitWaiter(ts uint64) {
	for {
		s.mu.Lock()
		there := len(s.waiting) > 0 && s.waiting[0].ts >= ts
		s.mu.Unlock()
		if there {
			return
		}
		runtime.Gosched()
	}
}

func TestErase_ConcurrentUpdates_Succeeds(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	putMarked(t, s, 300)
	deleteMarked(t, s, 300)
	stop := make(chan struct{})
	writing := background(func() error {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			if err := put(s, fmt.Sprintf("new %d", i%50), fmt.Sprint(i)); err != nil {
				return err
			}
		}
	})
	require.NoError(t, s.Erase(t.Context()))
	close(stop)
	require.NoError(t, <-writing)
	require.Zero(t, countInFiles(t, dir, marker))
	require.NoError(t, s.VerifyChecksum(t.Context()))
}

func TestErase_CommitFails_StoreHalts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return errors.Join(commitAt(txn, ts), errors.New("commit failed"))
	}
	require.ErrorIs(t, s.Erase(t.Context()), ErrHalted)
	require.ErrorIs(t, put(s, "a", "1"), ErrHalted)
	require.ErrorIs(t, s.Erase(t.Context()), ErrHalted)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Erase(t.Context()), storage.ErrClosed)
}

func ExampleStore_Erase() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := Open(dir, Options{MemTableBytes: 8 << 20})
	if err != nil {
		panic(err)
	}
	defer store.Close()

	// Call Erase after personal data was deleted, and after TrimChanges.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch err := store.Erase(ctx); {
	case errors.Is(err, ErrReaders):
		fmt.Println("a View is still open, try again later")
	case err == nil:
		fmt.Println("erased")
	}
	// Output: erased
}

// BenchmarkErase deletes a tenth of 64 MB and erases it.
func BenchmarkErase(b *testing.B) {
	s, err := Open(b.TempDir(), Options{MemTableBytes: minMemTable})
	require.NoError(b, err)
	defer s.Close()
	row := func(i, j int) []byte { return fmt.Appendf(nil, "%04d%04d", i, j) }
	write := func(i, every int, do func(tx storage.Tx, key []byte) error) {
		require.NoError(b, s.Update(b.Context(), func(tx storage.Tx) error {
			for j := 0; j < 4096; j += every {
				if err := do(tx, row(i, j)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for b.Loop() {
		b.StopTimer()
		for i := range 64 {
			write(i, 1, func(tx storage.Tx, key []byte) error { return tx.Put(key, make([]byte, 240)) })
		}
		for i := range 64 {
			write(i, 10, func(tx storage.Tx, key []byte) error { return tx.Delete(key) })
		}
		b.StartTimer()
		require.NoError(b, s.Erase(b.Context()))
	}
}

// If the engine cannot create the log that Erase needs, another write would terminate the
// process.
func TestErase_NextLogCannotBeCreated_StoreHalts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{MemTableBytes: minMemTable, MinFreeBytes: -1, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(dir, o)
	require.NoError(t, err)
	require.NoError(t, put(s, "a", "1"))
	blocker := filepath.Join(dir, "00002.mem")
	require.NoError(t, os.Mkdir(blocker, 0o700))
	require.ErrorIs(t, s.Erase(t.Context()), ErrHalted)
	require.ErrorIs(t, put(s, "b", "2"), ErrHalted)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		require.ErrorIs(t, err, ErrHalted)
		require.NotErrorIs(t, err, storage.ErrCorrupt)
		return nil
	}))
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(blocker))
	again, err := Open(dir, o)
	require.NoError(t, err)
	require.Equal(t, rowsAt{"a": "1"}, rowsIn(t, again))
	require.NoError(t, again.Close())
}
