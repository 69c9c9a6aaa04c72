package pebble

import (
	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/customerportal-go/customerportal/internal/friend"
)

// The function is Open on another file system, for measurements with slow disks.
var _ = friend.Offer(func(dir string, o Options, fs vfs.FS) (*Store, error) {
	return open(dir, o, func(_ *engine.Options, s *Store) { s.files.FS = fs })
})
