package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage"
)

var (
	// ErrInUse is returned by Open if another process, or another Store of this process,
	// uses the directory.
	ErrInUse = errors.New("storage/pebble: directory is in use by another store")

	// ErrForeign is returned by Open for a Pebble directory that was not created by this
	// package.
	ErrForeign = errors.New("storage/pebble: directory contains Pebble data of another program")

	// ErrVersion is returned by Open if the directory has another version of this package's
	// format.
	ErrVersion = errors.New("storage/pebble: unsupported format version")

	// ErrHalted is returned by Update after a commit has failed inside the engine. Close
	// the store and open the directory again to continue. The error of the Updates whose
	// writes may be on disk also matches [storage.ErrUnknown].
	ErrHalted = errors.New("storage/pebble: store halted after a failed commit; close it and open the directory again")

	// errBroken is returned after a panic of the engine. Close cannot close the engine then,
	// because the locks of the engine stay held.
	errBroken = fmt.Errorf("%w: the engine panicked; restart the process to open the directory again", ErrHalted)

	// ErrDiskFull is returned by Open and Update if less disk space is free than
	// [Options].MinFreeBytes. Nothing was written.
	ErrDiskFull = fmt.Errorf("storage/pebble: not enough free disk space; free some or lower MinFreeBytes: %w", syscall.ENOSPC)

	// ErrReaders is returned by Erase if an open View still uses deleted rows or a file
	// that contains them. Call Erase again when that View has ended.
	ErrReaders = errors.New("storage/pebble: an open View still uses deleted rows; retry when it has ended")

	// ErrNotErased is returned by Erase if a file that may contain deleted rows could not be
	// removed. Call Erase again.
	ErrNotErased = errors.New("storage/pebble: deleted rows are still on disk; call Erase again")
)

// ownErrors are the errors of this package that sanitizeError returns unchanged.
var ownErrors = []error{storage.ErrCorrupt, ErrDiskFull, ErrHalted, ErrInUse, ErrForeign, ErrVersion}

// sanitizeError replaces an error of the engine by one that names the failed operation and
// contains no bytes of keys or values. The texts of the engine's errors may contain both.
func sanitizeError(operation string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range ownErrors {
		if errors.Is(err, own) {
			return err
		}
	}
	if engine.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) { // the engine has listed the file
		return corrupt(operation)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Errorf("storage/pebble: %s: %w", operation, errno)
	}
	return fmt.Errorf("storage/pebble: %s: the engine failed", operation)
}

func corrupt(operation string) error {
	return fmt.Errorf("storage/pebble: %s: %w", operation, storage.ErrCorrupt)
}
