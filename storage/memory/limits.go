package memory

import (
	"cmp"

	"github.com/customerportal-go/customerportal/storage"
)

// The default limits. The tree itself has no limit. They are similar to those of the badger
// package, so that a program also reaches them in its tests.
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
