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
	// ErrInUse is returned by Open if another process, or another Store of this process,
	// uses the directory.
	ErrInUse = errors.New("storage/badger: directory is in use by another store")

	// ErrForeign is returned by Open for a Badger directory that was not created by this
	// package.
	ErrForeign = errors.New("storage/badger: directory contains Badger data of another program")

	// ErrVersion is returned by Open if the directory has another version of this package's
	// format.
	ErrVersion = errors.New("storage/badger: unsupported format version")

	// ErrHalted is returned by Update after a commit has failed inside the engine. Close
	// the store and open the directory again to continue. If opening the directory may
	// commit the writes of an Update, its error also matches [storage.ErrUnknown].
	ErrHalted = errors.New("storage/badger: store halted after a failed commit; close it and open the directory again")

	// errUnreadable is returned for a read that panicked because the engine has no
	// in-memory table anymore, for example because it could not create a new log.
	errUnreadable = fmt.Errorf("%w: the engine has no in-memory table and cannot read", ErrHalted)

	// ErrDiskFull is returned by Open and Update if less disk space is free than
	// [Options].MinFreeBytes. Nothing was written.
	ErrDiskFull = fmt.Errorf("storage/badger: not enough free disk space; free some or lower MinFreeBytes: %w", syscall.ENOSPC)

	// ErrReaders is returned by Erase if an open View still uses deleted rows or a file
	// that contains them. Call Erase again when that View has ended.
	ErrReaders = errors.New("storage/badger: an open View still uses deleted rows; retry when it has ended")

	// ErrNotErased is returned by Erase if the engine still stores deleted rows for another
	// reason. Call Erase again.
	ErrNotErased = errors.New("storage/badger: deleted rows are still on disk; call Erase again")
)

// systemErrors are the errors of the operating system that remain matchable with errors.Is.
var systemErrors = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOENT,
}

// engineErrors maps errors of the engine to errors of this package.
var engineErrors = []struct{ from, to error }{
	{engine.ErrDBClosed, storage.ErrClosed},
	{engine.ErrEncryptionKeyMismatch, fmt.Errorf("%w: the data is encrypted", ErrForeign)},
}

// The engine wraps most errors by appending their text to a message, so errors.Is does not
// find them. Its messages also contain paths and keys, in which any word can occur. The
// text of an error is therefore only compared where the engine writes neither of these: at
// the beginning of the text, and at the end of a line, which is the cause.

// corruptionCauses are causes that indicate corrupt files.
var corruptionCauses = []string{
	y.ErrChecksumMismatch.Error(), io.EOF.Error(), io.ErrUnexpectedEOF.Error(), y.ErrEOF.Error(),
	"manifest has bad magic", "manifest has checksum mismatch", "MANIFEST file has invalid manifestChange op",
	"block out of index", "checksum length less than zero. Data corrupted",
	"invalid checksum length. Either the data is corrupted or the table options are incorrectly set",
}

// corruptionMessages are the beginnings of messages that indicate corrupt files.
var corruptionMessages = []string{
	"file does not exist for table ", "Opening table: ", "Level validation err: ",
	"Buffer length: ", "MANIFEST invalid, table ", "manifest has unsupported version: ", "cannot open DB because the external magic number",
}

const lockMessage = "Cannot acquire directory lock on "

// causedBy reports whether err, an error of the engine, has the text cause or was caused by
// an error with that text.
func causedBy(err error, cause string) bool {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		if line == cause || strings.HasSuffix(line, ": "+cause) {
			return true
		}
	}
	return false
}

// sanitizeError replaces an error of the engine by one that names the failed operation and
// contains no bytes of keys or values. The texts of the engine's errors may contain both.
func sanitizeError(operation string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrDiskFull) {
		return err // an error of this package
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
			return fmt.Errorf("storage/badger: %s: %w", operation, errno)
		}
	}
	isCause := func(cause string) bool { return causedBy(err, cause) }
	begins := func(message string) bool { return strings.HasPrefix(text, message) }
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, y.ErrChecksumMismatch) ||
		slices.ContainsFunc(corruptionCauses, isCause) || slices.ContainsFunc(corruptionMessages, begins) {
		return corrupt(operation)
	}
	return fmt.Errorf("storage/badger: %s: the engine failed", operation)
}

func corrupt(operation string) error {
	return fmt.Errorf("storage/badger: %s: %w", operation, storage.ErrCorrupt)
}
