package pebble

import (
	"context"
	"io"

	"github.com/customerportal-go/customerportal/storage/internal/restoredir"
)

// Restore creates the directory dir from a backup written by [storage.Backup], and returns
// the number of rows. dir must not exist or must be empty; otherwise Restore returns
// [storage.ErrNotEmpty]. It also returns the errors of [storage.Restore].
//
// Restore is atomic. It creates a directory next to dir, with the name of dir followed by
// ".restoring-" and a number, verifies it, and renames it to dir. After a crash that
// directory remains and must be removed.
func Restore(ctx context.Context, dir string, from io.Reader, o Options) (rows int64, err error) {
	return restoredir.Restore(ctx, "storage/pebble", dir, from, func(dir string) (*Store, error) { return Open(dir, o) })
}
