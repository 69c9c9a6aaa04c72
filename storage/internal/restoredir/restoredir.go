// Package restoredir restores a backup into a new directory, atomically.
package restoredir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/customerportal-go/customerportal/storage"
)

// Store is a store in a directory.
type Store interface {
	storage.Store
	VerifyChecksum(ctx context.Context) error
}

// Restore creates dir from a backup. open opens a store in a directory, and backend begins
// error messages. dir must not exist or must be empty. Restore creates a directory next to
// dir, with the name of dir followed by ".restoring-" and a number, verifies it, and renames
// it to dir.
func Restore[S Store](ctx context.Context, backend, dir string, from io.Reader, open func(dir string) (S, error)) (rows int64, err error) {
	if err := requireEmpty(dir); err != nil {
		return 0, wrap(backend, err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return 0, wrap(backend, err)
	}
	made, err := os.MkdirTemp(parent, filepath.Base(dir)+".restoring-*")
	if err != nil {
		return 0, wrap(backend, err)
	}
	if rows, err = restoreInto(ctx, made, from, open); err == nil {
		err = wrap(backend, replaceEmpty(made, dir))
	}
	if err != nil {
		return 0, errors.Join(err, os.RemoveAll(made))
	}
	return rows, nil
}

// wrap adds the name of the backend to an error of the operating system.
func wrap(backend string, err error) error {
	if err == nil || errors.Is(err, storage.ErrNotEmpty) {
		return err
	}
	return fmt.Errorf("%s: %w", backend, err)
}

func requireEmpty(dir string) error {
	files, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(files) > 0:
		return storage.ErrNotEmpty
	}
	return nil
}

func restoreInto[S Store](ctx context.Context, dir string, from io.Reader, open func(dir string) (S, error)) (rows int64, err error) {
	s, err := open(dir)
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
		return err
	}
	if err := os.Rename(made, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
