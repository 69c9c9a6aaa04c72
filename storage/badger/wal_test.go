package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
)

// dirWithLog returns a directory that a process has left with logRows rows in a log, and the
// path of that log.
func dirWithLog(t *testing.T) (dir, log string) {
	t.Helper()
	dir = t.TempDir()
	writeAndDie(t, dir, logRows)
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	return dir, logs[0]
}

// This corrupts a log at many positions. The engine alone would open it and silently lose
// everything after that position.
func TestOpen_CorruptLog_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	dir, log := dirWithLog(t)
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	used := len(bytes.TrimRight(whole, "\x00"))
	require.Greater(t, used, logRows*1000)
	for name, damage := range map[string]func(b []byte, at int) []byte{
		"4 KiB zeroed":  func(b []byte, at int) []byte { clear(b[at:min(at+4096, len(b))]); return b },
		"a bit flipped": func(b []byte, at int) []byte { b[at] ^= 0x20; return b },
		"cut short":     func(b []byte, at int) []byte { return b[:at] },
		"shifted":       func(b []byte, at int) []byte { return append(b[:at], b[at+1:]...) },
	} {
		for at := logHeader; at < used-4; at += used / testsize.Pick(2, 7, 7) {
			b := damage(bytes.Clone(whole), at)
			require.NoError(t, os.WriteFile(log, b, 0o600))
			_, err := Open(dir, Options{MemTableBytes: minMemTable})
			require.ErrorIs(t, err, storage.ErrCorrupt, "%s at %d", name, at)
			left, err := os.ReadFile(log)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, left), "Open has changed the log")
		}
	}
	require.NoError(t, os.Remove(log))
	_, err = Open(dir, Options{MemTableBytes: minMemTable})
	require.ErrorIs(t, err, storage.ErrCorrupt)

	require.NoError(t, os.WriteFile(log, whole, 0o600))
	s := setupDir(t, dir)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Len(t, keys(t, r, storage.ScanOptions{}), logRows)
		return nil
	}))
}

// Incomplete data after the last acknowledged commit is ignored. A process leaves it if it
// ends while it writes.
func TestOpen_LogWithTornEnd_Succeeds(t *testing.T) {
	t.Parallel()
	dir, log := dirWithLog(t)
	f, err := os.OpenFile(log, os.O_RDWR, 0)
	require.NoError(t, err)
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	used := len(bytes.TrimRight(whole, "\x00"))
	_, err = f.WriteAt(whole[logHeader:logHeader+700], int64(used)+1)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, setupDir(t, dir).VerifyChecksum(t.Context()))
}

func TestOpen_ChangedCommitMark_ReturnsErrorIfCommitsAreMissing(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	open := func(dir string) error {
		s, err := Open(dir, Options{MemTableBytes: minMemTable})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		want   error
	}{
		"unchanged":          {func(b []byte) []byte { return b }, nil},
		"one slot torn":      {func(b []byte) []byte { b[7] ^= 1; return b }, nil},
		"other slot torn":    {func(b []byte) []byte { b[commitmark.SlotBytes+7] ^= 1; return b }, nil},
		"both slots torn":    {func(b []byte) []byte { b[7] ^= 1; b[commitmark.SlotBytes+7] ^= 1; return b }, storage.ErrCorrupt},
		"zeros":              {func(b []byte) []byte { return make([]byte, len(b)) }, storage.ErrCorrupt},
		"empty":              {func([]byte) []byte { return nil }, nil}, // created but not written
		"newer":              {func([]byte) []byte { return markFormat.Encode(true, 1000) }, storage.ErrCorrupt},
		"newer, with NoSync": {func([]byte) []byte { return markFormat.Encode(false, 1000) }, nil},
		"older":              {func([]byte) []byte { return markFormat.Encode(true, 1) }, nil},
		"other version": {func([]byte) []byte {
			return commitmark.Format{Magic: markFormat.OldMagic}.Encode(true, 1)
		}, ErrVersion},
	} {
		dir := t.TempDir()
		s := setupDir(t, dir)
		for range 5 {
			require.NoError(t, put(s, "a", "1"))
		}
		require.NoError(t, s.Close())
		path := filepath.Join(dir, markName)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, c.change(b), 0o600))
		for range 2 {
			if c.want == nil {
				require.NoError(t, open(dir), name)
			} else {
				require.ErrorIs(t, open(dir), c.want, name)
			}
		}
	}
}

// Tables that contain only deletions, and then no rows at all, are not reported as lost.
func TestOpen_EmptiedStore_Succeeds(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	for range 3 {
		s := setupDir(t, dir)
		putMarked(t, s, 200)
		deleteMarked(t, s, 200)
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			return tx.DeleteRange(t.Context(), storage.Range{})
		}))
		require.NoError(t, s.Erase(t.Context()))
		require.NoError(t, s.Close())
	}
	requireRowCount(t, setupDir(t, dir), 0)
}

// After a directory was written with NoSync, its mark is not strict until a Store that
// syncs has closed it without an error.
func TestCommitMark_NoSync_IsNotStrictUntilSyncedClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	strict := func() bool {
		m, err := readMark(dir)
		require.NoError(t, err)
		return m.Strict
	}
	for _, step := range []struct{ noSync, during, after bool }{
		{false, true, true}, {true, false, false}, {false, false, true}, {false, true, true},
	} {
		s, err := Open(dir, Options{MemTableBytes: minMemTable, NoSync: step.noSync})
		require.NoError(t, err)
		require.NoError(t, put(s, "a", "1"))
		require.Equal(t, step.during, strict())
		require.NoError(t, s.Close())
		require.Equal(t, step.after, strict())
	}
}

func TestUpdate_NotEnoughFreeSpace_ReturnsErrDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := setupDir(t, dir)
	require.NoError(t, put(s, "a", "1"))
	free := int64(0)
	s.space.Free = func() (int64, error) { return free, nil }
	for range 2 {
		err := put(s, "a", "2")
		require.ErrorIs(t, err, ErrDiskFull)
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	require.ErrorIs(t, s.Erase(t.Context()), ErrDiskFull)
	require.Equal(t, []string{"1"}, get(t, s, "a"))
	free = 4*minMemTable - 1
	require.ErrorIs(t, put(s, "a", "2"), ErrDiskFull)
	free++
	require.NoError(t, put(s, "a", "2"))
	require.Equal(t, []string{"2"}, get(t, s, "a"))
	require.NoError(t, s.Close())

	_, err := Open(dir, Options{MinFreeBytes: 1 << 62})
	require.ErrorIs(t, err, ErrDiskFull)
	s, err = Open(dir, Options{MemTableBytes: minMemTable, MinFreeBytes: -1})
	require.NoError(t, err)
	s.space.Free = func() (int64, error) { return 0, nil }
	require.NoError(t, put(s, "a", "3"))
	require.NoError(t, s.Close())
}

func TestUpdate_MinFreeBytes_IncludesSizeOfTables(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	s := setup(t)
	putMarked(t, s, testsize.Pick(3000, 3000, 6000))
	require.NoError(t, s.rotate(t.Context()))
	require.NoError(t, s.space.Measure())
	require.Greater(t, s.space.Tables, int64(testsize.Pick(2, 2, 5)*minMemTable))
	s.space.Free = func() (int64, error) { return 4*minMemTable + s.space.Tables - 1, nil }
	require.ErrorIs(t, put(s, "a", "1"), ErrDiskFull)
}

// A process that is killed just after it has created a log leaves an empty file. The engine
// alone fails to open it.
func TestOpen_EmptyLogs_Succeeds(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	left, _ := dirWithLog(t)
	closed := t.TempDir()
	require.NoError(t, setupDir(t, closed).Close())
	for _, dir := range []string{left, closed} {
		for _, name := range []string{"00099.mem", "000099.vlog"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
			s, err := Open(dir, Options{MemTableBytes: minMemTable})
			require.NoError(t, err, name)
			require.NoError(t, s.Close())
		}
	}
}

// This damages each file in turn, of a directory left by a crash and, at full size, of a closed one. Open must fail, or
// all rows must be present. Full size damages each file in each way. The default size damages the log in each way, because
// only the log contains rows, and any other file in a third of the ways, which are different ones for the next file.
func TestOpen_AnyFileDamaged_FailsOrHasAllRows(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	closed, _ := dirWithTables(t)
	left, _ := dirWithLog(t)
	for name, c := range map[string]struct {
		dir  string
		rows int
	}{"closed": {closed, 3000}, "crashed": {left, logRows}} {
		if name == "closed" && !testsize.Full() {
			continue // TestOpen_CorruptFile_ReturnsErrCorrupt damages files of such a directory
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := os.ReadDir(c.dir)
			require.NoError(t, err)
			var refused, sound int
			for i, file := range files {
				path := filepath.Join(c.dir, file.Name())
				whole, size := readSparse(t, path)
				used := len(whole)
				flip := func(b []byte, at int) []byte {
					if len(b) == 0 {
						b = []byte{0}
					}
					b[at] ^= 0x40
					return b
				}
				for j, damaged := range []struct {
					way    string
					damage func(b []byte) (content []byte, size int64)
				}{
					{"removed", nil},
					{"empty", func([]byte) ([]byte, int64) { return nil, 0 }},
					{"one byte", func(b []byte) ([]byte, int64) { return b[:min(1, used)], min(1, size) }},
					{"cut to half", func(b []byte) ([]byte, int64) { return b[:used/2], int64(used / 2) }},
					{"zeros", func([]byte) ([]byte, int64) { return nil, size }},
					{"other bytes", func([]byte) ([]byte, int64) {
						n := max(used, 100)
						return bytes.Repeat([]byte{0xa5}, n), int64(n)
					}},
					{"first byte", func(b []byte) ([]byte, int64) { return flip(b, 0), max(size, 1) }},
					{"inner byte", func(b []byte) ([]byte, int64) { return flip(b, used/3), max(size, 1) }},
					{"appended", func(b []byte) ([]byte, int64) { return b, size + 4 }},
				} {
					if !testsize.Full() && filepath.Ext(file.Name()) != ".mem" && (i+j)%3 != 0 {
						continue
					}
					way, damage := damaged.way, damaged.damage
					copied := copyDir(t, c.dir)
					at := filepath.Join(copied, file.Name())
					require.NoError(t, os.Remove(at))
					if damage != nil {
						content, n := damage(bytes.Clone(whole))
						writeSparse(t, at, content, n)
					}
					if way == "appended" {
						f, err := os.OpenFile(at, os.O_WRONLY, 0)
						require.NoError(t, err)
						_, err = f.WriteAt([]byte("more"), size)
						require.NoError(t, errors.Join(err, f.Close()))
					}
					s, err := Open(copied, Options{MemTableBytes: minMemTable, Logger: slog.New(slog.DiscardHandler)})
					if err != nil {
						refused++
						require.ErrorContains(t, err, "storage/badger:", "%s: %s", file.Name(), way)
						require.NoError(t, os.RemoveAll(copied))
						continue
					}
					sound++
					require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
						require.Len(t, keys(t, r, storage.ScanOptions{}), c.rows, "%s: %s", file.Name(), way)
						return nil
					}))
					require.NoError(t, put(s, "a", "1"))
					require.NoError(t, s.Close())
					require.NoError(t, os.RemoveAll(copied))
				}
			}
			t.Logf("%d failed to open, %d opened with all rows", refused, sound)
		})
	}
}

// FuzzScanLog checks that scanLog accepts any content without an error, and does not return
// more parts than the log can contain.
func FuzzScanLog(f *testing.F) {
	entry := func(meta byte, key, value string) []byte {
		b := append([]byte{meta, 0, byte(len(key)), byte(len(value)), 0}, key+value...)
		return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	}
	at := "\xff\xff\xff\xff\xff\xff\xff\xfe" // version 1 as encoded by the engine
	one := entry(metaTxn, "key"+at, "value")
	all := part{ts: 1, number: 1, last: true}
	one = append(one, entry(metaTxn, string(all.row())+at, string(all.seal()))...)
	one = append(one, entry(metaTxnEnd, "!", "1")...)
	f.Add([]byte{})
	f.Add(one)
	f.Add(append(bytes.Clone(one), one[:len(one)-2]...))
	f.Fuzz(func(t *testing.T, entries []byte) {
		path := filepath.Join(t.TempDir(), "00001.mem")
		require.NoError(t, os.WriteFile(path, append(make([]byte, logHeader), entries...), 0o600))
		var found int
		_, err := scanLog(path, func(p part) error { found++; require.Positive(t, p.number); return nil })
		require.NoError(t, err)
		require.LessOrEqual(t, found, len(entries)/10)
		if bytes.Equal(entries, one) {
			require.Equal(t, 1, found)
		}
	})
}
