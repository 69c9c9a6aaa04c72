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

	"github.com/customerportal-go/customerportal/storage"
)

// holding is how often marker is in the files of a directory.
func holding(t *testing.T, dir, marker string) (count int) {
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

// setMarked writes so many rows with the marker in key and value, among as many
// others that stay.
func setMarked(t *testing.T, s *Store, rows int) {
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

// dropMarked deletes the rows with the marker.
func dropMarked(t *testing.T, s *Store, rows int) {
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

func requireOthers(t *testing.T, s *Store, rows int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), rows)
		return nil
	}))
}

func TestEraseLeavesNoByteOfWhatWasDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows int
		age  func(t *testing.T, s *Store) *Store // between writing and deleting
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := setupDir(t, dir)
			setMarked(t, s, c.rows)
			s = c.age(t, s)
			dropMarked(t, s, c.rows)
			require.Positive(t, holding(t, dir, marker), "deleting alone leaves it")
			require.NoError(t, s.Erase(t.Context()))
			require.Zero(t, holding(t, dir, marker))
			requireOthers(t, s, c.rows)
			require.NoError(t, put(s, "a", "1"))
			require.NoError(t, s.Close())
			require.Zero(t, holding(t, dir, marker))
			requireOthers(t, setupDir(t, dir), c.rows+1)
		})
	}
}

func TestEraseTakesWhatWasReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", marker))
	require.NoError(t, put(s, "a", "another"))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, holding(t, dir, marker))
	require.Equal(t, []string{"another"}, get(t, s, "a"))
}

// A version that an open View pinned while its table was compacted stays in the oldest
// level, where no later compaction looks by itself.
func TestEraseTakesWhatAViewHadKeptThroughACompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	const rows = 6000
	setMarked(t, s, rows)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		dropMarked(t, s, rows)
		require.NoError(t, s.rotate(t.Context()))
		require.NoError(t, s.db.Flatten(1))
		return err
	}))
	require.NoError(t, s.rotate(t.Context()))
	require.NoError(t, s.db.Flatten(1))
	require.Positive(t, holding(t, dir, marker), "compacting is not enough")
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, holding(t, dir, marker))
	requireOthers(t, s, rows)
}

func TestEraseSaysThatAViewPreventsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	setMarked(t, s, 100)
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		dropMarked(t, s, 100)
		err := s.Erase(expired)
		require.ErrorIs(t, err, ErrReaders)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, put(s, "a", "1"), "nobody else is kept waiting")
		require.Len(t, keys(t, r, storage.ScanOptions{}), 200)
		return nil
	}))
	require.Positive(t, holding(t, dir, marker))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, holding(t, dir, marker))
}

// A View that began after the delete does not see the rows, but may hold the table
// that they are in.
func TestEraseWaitsForAViewThatHoldsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	setMarked(t, s, 1500)
	dropMarked(t, s, 1500)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		for range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			ctx, cancel := context.WithCancel(t.Context())
			newest := s.snaps.newest()
			done := background(func() error { return s.Erase(ctx) })
			s.snaps.awaited(newest + 1)
			require.Positive(t, holding(t, dir, marker))
			pending(t, done)
			cancel()
			require.ErrorIs(t, <-done, ErrReaders)
			break
		}
		return nil
	}))
	require.NoError(t, s.Erase(t.Context()))
	require.Zero(t, holding(t, dir, marker))
}

// awaited returns when somebody waits for the readers below ts, or below a later one.
func (s *snapshots) awaited(ts uint64) {
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

func TestEraseAmongUpdates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	setMarked(t, s, 300)
	dropMarked(t, s, 300)
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
	require.Zero(t, holding(t, dir, marker))
	require.NoError(t, s.VerifyChecksum(t.Context()))
}

func TestEraseOfAStoreThatCannot(t *testing.T) {
	t.Parallel()
	s := setup(t)
	through := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return errors.Join(through(txn, ts), errors.New("half way"))
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

	// After a delete that has to be the last of somebody's data, and TrimChanges:
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch err := store.Erase(ctx); {
	case errors.Is(err, ErrReaders):
		fmt.Println("try again later: a View is still open")
	case err == nil:
		fmt.Println("erased")
	}
	// Output: erased
}

// BenchmarkErase deletes a tenth of 64 MB and erases it.
func BenchmarkErase(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
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

// If the engine cannot make the log that Erase begins, another write would end the process.
func TestErase_NextLogCannotBeMade_Halts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{MemTableBytes: minMemTable, MinFreeBytes: -1, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(dir, o)
	require.NoError(t, err)
	require.NoError(t, put(s, "a", "1"))
	inTheWay := filepath.Join(dir, "00002.mem")
	require.NoError(t, os.Mkdir(inTheWay, 0o700))
	require.ErrorIs(t, s.Erase(t.Context()), ErrHalted)
	require.ErrorIs(t, put(s, "b", "2"), ErrHalted)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		_, err := r.Get(t.Context(), []byte("a"))
		require.ErrorIs(t, err, ErrHalted)
		require.NotErrorIs(t, err, storage.ErrCorrupt)
		return nil
	}))
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(inTheWay))
	again, err := Open(dir, o)
	require.NoError(t, err)
	require.Equal(t, rowsAt{"a": "1"}, rowsIn(t, again))
	require.NoError(t, again.Close())
}
