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

// Restore creates the directory dir from a backup written by [storage.Backup], and returns
// the number of rows. dir must not exist or must be empty; otherwise Restore returns
// [storage.ErrNotEmpty]. It also returns the errors of [storage.Restore].
//
// Restore is atomic. It creates a directory next to dir, with the name of dir followed by
// ".restoring-" and a number, verifies it, and renames it to dir. After a crash that
// directory remains and must be removed.
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

// replaceEmpty renames the directory made to dir, and syncs the parent directory.
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
