package memory

import (
	"cmp"

	"github.com/customerportal-go/customerportal/storage"
)

// The limits of New. The map itself has no bound. These are close to those of the
// Badger backend, so that a program meets its limits in its tests.
const (
	defaultKeyBytes   = 65_000
	defaultValueBytes = 1 << 20
)

func withDefaults(l storage.Limits) storage.Limits {
	return storage.Limits{
		KeyBytes:   cmp.Or(max(l.KeyBytes, 0), defaultKeyBytes),
		ValueBytes: cmp.Or(max(l.ValueBytes, 0), defaultValueBytes),
	}
}
