package badger

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/customerportal-go/customerportal/storage"
)

var (
	// ErrInUse is returned by Open where another process, or another Store of this
	// one, has the directory open.
	ErrInUse = errors.New("storage/badger: the directory is in use")

	// ErrForeign is returned by Open for a Badger directory that this package did
	// not make.
	ErrForeign = errors.New("storage/badger: the directory holds Badger data of another program")

	// ErrVersion is returned by Open for a directory in another version of this
	// package's format.
	ErrVersion = errors.New("storage/badger: the directory has another format")

	// ErrHalted is returned by Update once a commit has failed in the engine half way.
	// Open the directory again to go on. The Update whose own commit failed gets an
	// error that also matches [storage.ErrUnknown] if its writes may be there then.
	ErrHalted = errors.New("storage/badger: a commit failed half way; nothing can be written until the directory is opened again")

	// errUnreadable is returned for a read that panics because the engine has lost its table
	// in memory, as where it could not make a new log.
	errUnreadable = fmt.Errorf("%w: the engine has lost its table in memory, and cannot read without it", ErrHalted)

	// ErrDiskFull is returned by Open and Update where less of the disk is free than
	// [Options].MinFreeBytes. Nothing was written.
	ErrDiskFull = fmt.Errorf("storage/badger: too little of the disk is free to write safely: %w", syscall.ENOSPC)

	// ErrReaders is returned by Erase where a View that was still open keeps what was
	// deleted, or a file that holds it. Call it again when that View has ended.
	ErrReaders = errors.New("storage/badger: an open View keeps deleted rows on disk")

	// ErrNotErased is returned by Erase where the engine has kept deleted rows for
	// another reason. Call it again.
	ErrNotErased = errors.New("storage/badger: deleted rows are still on disk")
)

// systemErrors are the errors of the operating system that keep their identity.
var systemErrors = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOENT,
}

// engineErrors are the errors of the engine that have a counterpart here.
var engineErrors = []struct{ from, to error }{
	{engine.ErrDBClosed, storage.ErrClosed},
	{engine.ErrEncryptionKeyMismatch, fmt.Errorf("%w: it is encrypted", ErrForeign)},
}

// The engine wraps an error by writing its text behind a message, so that errors.Is
// finds it only if nothing was wrapped. It also writes paths and keys into its
// messages, and any word can occur in those. The text of an error is therefore compared
// only in the two places where the engine writes neither: at its beginning, and at the
// end of a line, which is where the cause is.

// damageCauses are causes that mean damaged files.
var damageCauses = []string{
	y.ErrChecksumMismatch.Error(), io.EOF.Error(), io.ErrUnexpectedEOF.Error(), y.ErrEOF.Error(),
	"manifest has bad magic", "manifest has checksum mismatch", "MANIFEST file has invalid manifestChange op",
	"block out of index", "checksum length less than zero. Data corrupted",
	"invalid checksum length. Either the data is corrupted or the table options are incorrectly set",
}

// damageMessages are beginnings of messages that mean damaged files.
var damageMessages = []string{
	"file does not exist for table ", "Opening table: ", "Level validation err: ",
	"Buffer length: ", "MANIFEST invalid, table ", "manifest has unsupported version: ", "cannot open DB because the external magic number",
}

const lockMessage = "Cannot acquire directory lock on "

// caused reports whether an error of the engine is, or was caused by, one with the text
// cause.
func causedBy(err error, cause string) bool {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		if line == cause || strings.HasSuffix(line, ": "+cause) {
			return true
		}
	}
	return false
}

// hide turns an error of the engine into an error that says what failed and holds no
// byte of a key or value. The engine quotes keys, and dumps values, in the text of its
// errors.
func sanitizeError(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrDiskFull) {
		return err // of this package
	}
	for _, known := range engineErrors {
		if errors.Is(err, known.from) || causedBy(err, known.from.Error()) {
			return known.to
		}
	}
	text := err.Error()
	if strings.HasPrefix(text, lockMessage) {
		return ErrInUse
	}
	for _, errno := range systemErrors {
		if errors.Is(err, errno) || causedBy(err, errno.Error()) {
			return fmt.Errorf("storage/badger: %s: %w", doing, errno)
		}
	}
	isCause := func(cause string) bool { return causedBy(err, cause) }
	begins := func(message string) bool { return strings.HasPrefix(text, message) }
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, y.ErrChecksumMismatch) ||
		slices.ContainsFunc(damageCauses, isCause) || slices.ContainsFunc(damageMessages, begins) {
		return corrupt(doing)
	}
	return fmt.Errorf("storage/badger: %s failed in the engine", doing)
}

func corrupt(doing string) error {
	return fmt.Errorf("storage/badger: %s: %w", doing, storage.ErrCorrupt)
}
