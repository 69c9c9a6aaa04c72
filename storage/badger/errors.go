package badger

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	engine "github.com/dgraph-io/badger/v4"

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

	// ErrHalted is returned by Update once a commit failed half way, so that it is
	// not known whether a restart will find it. Open the directory again to go on.
	ErrHalted = errors.New("storage/badger: a commit failed half way; the store only reads until it is opened again")

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

// systemErrors are those worth telling apart. The engine flattens them to text.
var systemErrors = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ENOTDIR, syscall.ENOENT,
}

// hide turns an error of the engine into one that says what failed and never
// holds a byte of a key or value: the engine quotes keys, and dumps values, in
// the text of its errors.
func hide(doing string, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrDiskFull):
		return err // of this package
	case errors.Is(err, engine.ErrDBClosed):
		return storage.ErrClosed
	case errors.Is(err, engine.ErrTxnTooBig):
		return storage.ErrTxTooLarge
	case errors.Is(err, engine.ErrEncryptionKeyMismatch):
		return fmt.Errorf("%w: it is encrypted", ErrForeign)
	}
	text := err.Error()
	if strings.Contains(text, "Cannot acquire directory lock") || strings.Contains(text, "pid lock file") {
		return ErrInUse
	}
	for _, errno := range systemErrors {
		if errors.Is(err, errno) || strings.Contains(text, errno.Error()) {
			return fmt.Errorf("storage/badger: %s: %w", doing, errno)
		}
	}
	lower := strings.ToLower(text)
	for _, sign := range []string{"checksum", "corrupt", "manifest", "does not exist for table", "eof", "opening table", "level validation"} {
		if strings.Contains(lower, sign) {
			return corrupt(doing)
		}
	}
	return fmt.Errorf("storage/badger: %s failed in the engine", doing)
}

func corrupt(doing string) error {
	return fmt.Errorf("storage/badger: %s: %w", doing, storage.ErrCorrupt)
}

// guard runs one call into the engine. Bytes that it cannot make sense of make it
// index out of bounds rather than return an error.
func guard(doing string, call func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("storage/badger: %s: the engine panicked: %w", doing, storage.ErrCorrupt)
		}
	}()
	return hide(doing, call())
}
