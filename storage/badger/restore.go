package badger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/customerportal-go/customerportal/storage"
)

// Restore makes the directory dir, which must be absent or empty, of what
// [storage.Backup] wrote, and says how many rows that is. It returns
// [storage.ErrNotEmpty] where dir holds anything, and the errors of
// [storage.Restore]. The directory is there as a whole or not at all: it is made
// beside dir, under its name and ".restoring-" and a number, verified, and then
// renamed. A crash leaves that one behind, to be removed.
func Restore(ctx context.Context, dir string, from io.Reader, o Options) (rows int64, err error) {
	if err := requireEmpty(dir); err != nil {
		return 0, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	made, err := os.MkdirTemp(parent, filepath.Base(dir)+".restoring-*")
	if err != nil {
		return 0, fmt.Errorf("storage/badger: %w", err)
	}
	if rows, err = restoreInto(ctx, made, from, o); err == nil {
		err = replaceEmpty(made, dir)
	}
	if err != nil {
		return 0, errors.Join(err, os.RemoveAll(made))
	}
	return rows, nil
}

func requireEmpty(dir string) error {
	files, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("storage/badger: %w", err)
	case len(files) > 0:
		return storage.ErrNotEmpty
	}
	return nil
}

func restoreInto(ctx context.Context, dir string, from io.Reader, o Options) (rows int64, err error) {
	s, err := Open(dir, o)
	if err != nil {
		return 0, err
	}
	rows, err = storage.Restore(ctx, s, from)
	if err == nil {
		err = s.VerifyChecksum(ctx)
	}
	return rows, errors.Join(err, s.Close())
}

// replaceEmpty renames made to dir, and makes that last.
func replaceEmpty(made, dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		if full := requireEmpty(dir); full != nil {
			return full
		}
		return fmt.Errorf("storage/badger: %w", err)
	}
	if err := os.Rename(made, dir); err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	return nil
}
