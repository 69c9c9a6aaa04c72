package badger

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// misleadingWords are directory names and keys that contain words of the engine's errors.
var misleadingWords = []string{
	"geoffrey", "corrupt", "checksum mismatch", "MANIFEST", "unexpected EOF", "opening table", "level validation", "DB Closed",
	"permission denied", "no space left on device", "pid lock file", "Cannot acquire directory lock on x", "does not exist for table",
}

func TestSanitizeError_WordsInPathsAndKeys_AreIgnored(t *testing.T) {
	t.Parallel()
	for _, word := range misleadingWords {
		path := filepath.Join("/home", word, "store", "00001.mem")
		for _, err := range []error{
			y.Wrapf(errors.New("something else"), "Open existing file: %q", path),
			y.Wrapf(errors.Join(errors.New("something else"), fmt.Errorf("unable to open: %s", path)), "while opening memtables"),
			y.Wrapf(errors.New("something else"), "DB::Get key: %q", word),
			fmt.Errorf("File %s already exists", path),
		} {
			sanitized := sanitizeError("open", err)
			require.EqualError(t, sanitized, "storage/badger: open: the engine failed", "%s", err)
		}
		denied := sanitizeError("open", y.Wrapf(&os.PathError{Op: "open", Path: path, Err: syscall.EACCES}, "Opening file: %q", path))
		require.ErrorIs(t, denied, syscall.EACCES, word)
		require.NotErrorIs(t, denied, storage.ErrCorrupt, word)
	}
}

func TestSanitizeError_WrappedCauses_AreRecognized(t *testing.T) {
	t.Parallel()
	wrap := func(err error) error { return y.Wrapf(y.Wrapf(err, "while opening fid: 1"), "while opening memtables") }
	for _, test := range []struct {
		err  error
		want error
	}{
		{io.EOF, storage.ErrCorrupt},
		{io.ErrUnexpectedEOF, storage.ErrCorrupt},
		{wrap(io.EOF), storage.ErrCorrupt},
		{wrap(fmt.Errorf("reading a table: %w", io.ErrUnexpectedEOF)), storage.ErrCorrupt},
		{wrap(y.ErrChecksumMismatch), storage.ErrCorrupt},
		{fmt.Errorf("reading: %w", y.ErrChecksumMismatch), storage.ErrCorrupt},
		{errors.New("file does not exist for table 7"), storage.ErrCorrupt},
		{y.Wrapf(errors.New("anything"), "Opening table: %q", "/data/000001.sst"), storage.ErrCorrupt},
		{y.Wrap(errors.New("Level 1, j=1 numTables=2"), "Level validation"), storage.ErrCorrupt},
		{wrap(errors.Join(syscall.ENOSPC, errors.New("error while truncation"))), syscall.ENOSPC},
		{wrap(&os.PathError{Op: "open", Path: "/x", Err: syscall.EMFILE}), syscall.EMFILE},
		{fmt.Errorf("while sync file: %s, error: %v\n", "/x", syscall.EIO), syscall.EIO},
		{wrap(engine.ErrDBClosed), storage.ErrClosed},
		{wrap(engine.ErrEncryptionKeyMismatch), ErrForeign},
	} {
		require.ErrorIs(t, sanitizeError("open", test.err), test.want, "%v", test.err)
	}
}

// Open returns the correct error in directories whose names contain words of the engine's
// errors.
func TestOpen_MisleadingDirectoryName_ReturnsTheRealError(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, word := range misleadingWords {
		dir := filepath.Join(t.TempDir(), word)
		s := setupDir(t, dir)
		require.NoError(t, put(s, "a", "1"))
		_, err := engine.OpenManaged(engineOptions(dir, minMemTable, true, slog.New(slog.DiscardHandler)))
		require.ErrorIs(t, sanitizeError("open", err), ErrInUse, word)
		require.NoError(t, s.Close())
		registry := filepath.Join(dir, engine.KeyRegistryFileName)
		require.NoError(t, os.Remove(registry))
		require.NoError(t, os.Mkdir(registry, 0o700))
		_, err = Open(dir, Options{MemTableBytes: minMemTable})
		require.ErrorIs(t, err, syscall.EISDIR, word)
		require.NotErrorIs(t, err, storage.ErrCorrupt, word)
	}
}
