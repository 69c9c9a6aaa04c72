package commitmark

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

var (
	errOld     = errors.New("old format")
	testFormat = Format{Backend: "storage/fake", Magic: "new2", OldMagic: "new1", OldErr: errOld}
)

// fakeFiles is a file system with one file, which is not mapped to memory.
type fakeFiles struct {
	content                    []byte
	readErr, openErr, writeErr error
	lateErr                    error // of writes after the first
	syncErr, closeErr          error
	opened, closed, writes     int
}

func (f *fakeFiles) Read(string) ([]byte, error) {
	if f.content == nil && f.readErr == nil {
		return nil, fs.ErrNotExist
	}
	return f.content, f.readErr
}

func (f *fakeFiles) Open(string) (File, error) {
	if f.openErr != nil {
		return nil, f.openErr
	}
	f.opened++
	return f, nil
}

func (f *fakeFiles) WriteAt(b []byte, at int64) (int, error) {
	if f.writes++; f.writes > 1 && f.lateErr != nil {
		return 0, f.lateErr
	}
	if f.writeErr != nil {
		return 0, f.writeErr
	}
	f.content = append(f.content, make([]byte, max(0, int(at)+len(b)-len(f.content)))...)
	return copy(f.content[at:], b), nil
}

func (f *fakeFiles) Sync() error  { return f.syncErr }
func (f *fakeFiles) Close() error { f.closed++; return f.closeErr }

// eachFiles runs a test with a file that is mapped to memory, and one that is not.
func eachFiles(t *testing.T, test func(t *testing.T, files Files, path string)) {
	t.Run("mapped", func(t *testing.T) {
		t.Parallel()
		test(t, OS{}, filepath.Join(t.TempDir(), "COMMITS"))
	})
	t.Run("not mapped", func(t *testing.T) {
		t.Parallel()
		test(t, &fakeFiles{}, "COMMITS")
	})
}

func TestMark_Record_IsReadAgain(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(t *testing.T, files Files, path string) {
		m, err := testFormat.Read(files, path)
		require.NoError(t, err)
		require.False(t, m.Found)
		require.NoError(t, m.Close(7, true, true), "not open")
		require.NoError(t, m.Open(3, true))
		for n := uint64(3); n < 8; n++ {
			again, err := testFormat.Read(files, path)
			require.NoError(t, err)
			require.True(t, again.Found)
			require.True(t, again.Strict)
			require.Equal(t, n, again.Number)
			require.NoError(t, m.Record(n+1))
		}
		require.NoError(t, m.Close(8, true, true))
	})
}

// A directory that was written without syncing stays marked as such until a store that syncs
// has closed it without an error.
func TestMark_WrittenWithoutSync_IsNotStrictUntilASyncingStoreIsClosed(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(t *testing.T, files Files, path string) {
		strictAfter := func(sync, clean bool) bool {
			m, err := testFormat.Read(files, path)
			require.NoError(t, err)
			require.NoError(t, m.Open(5, sync))
			require.NoError(t, m.Close(5, clean, sync))
			m, err = testFormat.Read(files, path)
			require.NoError(t, err)
			require.Equal(t, uint64(5), m.Number)
			return m.Strict
		}
		require.False(t, strictAfter(false, true))
		require.False(t, strictAfter(true, false))
		require.True(t, strictAfter(true, true))
		require.True(t, strictAfter(true, false))
		require.False(t, strictAfter(false, true))
	})
}

// Any byte has any other value. A torn write damages one slot, and the other one may contain
// an earlier commit.
func TestRead_DamagedSlot_TheOtherOneCounts(t *testing.T) {
	t.Parallel()
	two := make([]byte, 2*SlotBytes)
	copy(two, testFormat.Encode(true, 8))
	copy(two[SlotBytes:], testFormat.Encode(true, 9))
	for at := range two {
		want := uint64(9)
		if at >= SlotBytes && at < SlotBytes+markBytes {
			want = 8
		}
		for change := 1; change < 256; change++ {
			b := bytes.Clone(two)
			b[at] ^= byte(change)
			m, err := testFormat.Read(&fakeFiles{content: b}, "COMMITS")
			if err != nil || m.Number != want || !m.Found || !m.Strict { // require is slow here
				require.Fail(t, "wrong mark", "byte %d, changed by %x: %v, %v", at, change, m, err)
			}
		}
	}
	m, err := testFormat.Read(&fakeFiles{content: two[:SlotBytes+markBytes-1]}, "COMMITS")
	require.NoError(t, err)
	require.Equal(t, uint64(8), m.Number, "the second slot is too short")
}

func TestRead_NoValidSlot_ReturnsAnError(t *testing.T) {
	t.Parallel()
	valid := testFormat.Encode(true, 8)
	flipped := bytes.Clone(valid)
	flipped[6] ^= 1
	for name, c := range map[string]struct {
		files fakeFiles
		want  error
		text  string
	}{
		"short":         {fakeFiles{content: valid[:markBytes-1]}, storage.ErrCorrupt, "the commit mark in the file COMMITS is invalid"},
		"one byte":      {fakeFiles{content: valid[:1]}, storage.ErrCorrupt, "the commit mark in the file COMMITS is invalid"},
		"zeroed":        {fakeFiles{content: make([]byte, 2*SlotBytes)}, storage.ErrCorrupt, "the commit mark in the file COMMITS is invalid"},
		"bit flipped":   {fakeFiles{content: flipped}, storage.ErrCorrupt, "the commit mark in the file COMMITS is invalid"},
		"other program": {fakeFiles{content: Format{Magic: "else"}.Encode(true, 8)}, storage.ErrCorrupt, "the commit mark in the file COMMITS is invalid"},
		"old format":    {fakeFiles{content: Format{Magic: "new1"}.Encode(true, 8)}, errOld, ""},
		"unreadable":    {fakeFiles{readErr: syscall.EIO}, syscall.EIO, "storage/fake: "},
	} {
		_, err := testFormat.Read(&c.files, "COMMITS")
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.text, name)
	}
	_, err := testFormat.Read(OS{}, t.TempDir())
	require.ErrorContains(t, err, "storage/fake: ", "a directory")
	m, err := testFormat.Read(&fakeFiles{content: []byte{}}, "COMMITS")
	require.NoError(t, err, "created, but not written before a crash")
	require.False(t, m.Found)
}

func TestRecordDamage_IsReportedByEveryRead(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(t *testing.T, files Files, path string) {
		m, err := testFormat.Read(files, path)
		require.NoError(t, err)
		require.NoError(t, m.Open(3, true))
		require.NoError(t, m.Close(3, true, true))
		require.NoError(t, m.RecordDamage())
		for range 2 {
			_, err = testFormat.Read(files, path)
			require.ErrorIs(t, err, storage.ErrCorrupt)
			require.ErrorContains(t, err, "commits are missing")
		}
	})
}

// A file that cannot be written is closed, and no later call uses it.
func TestMark_UnwritableFile_ReturnsAnErrorAndIsClosed(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]*fakeFiles{
		"open":  {openErr: syscall.EACCES},
		"write": {writeErr: syscall.ENOSPC},
		"sync":  {syncErr: syscall.EIO},
	} {
		want := errors.Join(files.openErr, files.writeErr, files.syncErr).(interface{ Unwrap() []error }).Unwrap()[0]
		for _, call := range []func(*Mark) error{
			func(m *Mark) error { return m.Open(3, true) },
			(*Mark).RecordDamage,
		} {
			m := Mark{format: testFormat, files: files, path: "COMMITS"}
			err := call(&m)
			require.ErrorIs(t, err, want, name)
			require.True(t, strings.HasPrefix(err.Error(), "storage/fake: "), err.Error())
			require.Equal(t, files.opened, files.closed, name)
			require.NoError(t, m.Close(3, true, true), "it is closed already")
			require.Equal(t, files.opened, files.closed, name)
		}
	}
	path := t.TempDir()
	m := Mark{format: testFormat, files: OS{}, path: path}
	require.ErrorContains(t, m.Open(3, true), "storage/fake: ")
	require.NoError(t, m.Close(3, true, true))
}

// The file stays as it is if a later write fails, and the error of each operation is
// returned.
func TestMark_LaterWriteFails_ReturnsTheError(t *testing.T) {
	t.Parallel()
	files := &fakeFiles{lateErr: syscall.EIO, closeErr: syscall.EBADF}
	m := Mark{format: testFormat, files: files, path: "COMMITS"}
	require.NoError(t, m.Open(3, false))
	require.ErrorIs(t, m.Record(4), syscall.EIO)
	err := m.Close(4, true, true)
	require.ErrorIs(t, err, syscall.EIO, "the mark becomes strict")
	require.ErrorIs(t, err, syscall.EBADF)
	require.Equal(t, 1, files.closed)
	again, err := testFormat.Read(files, "COMMITS")
	require.NoError(t, err)
	require.Equal(t, uint64(3), again.Number)
	require.False(t, again.Strict)
}
