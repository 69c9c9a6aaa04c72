package devicerow

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// LockChanges are changes of the numbers in a customer's rows of [layout.Locks], by space key.
type LockChanges map[string]int

// Replace adds the changes that result if a device is replaced. before is nil for a new device, and after for a deleted one.
func (n LockChanges) Replace(before, after *Device) {
	n.add(before, -1)
	n.add(after, 1)
}

func (n LockChanges) add(d *Device, by int) {
	if d == nil || !d.Codes {
		return
	}
	n[""] += by
	for _, m := range d.Mappings {
		n[m.SpaceKey] += by
	}
}

// Rows reads the rows that change, in one call, and calls row with the key and the new value of each. The value is nil for a row
// that must be deleted. Without changes it reads nothing.
func (n LockChanges) Rows(ctx context.Context, r storage.Reader, c layout.CustomerID, row func(key, value []byte)) error {
	maps.DeleteFunc(n, func(_ string, by int) bool { return by == 0 })
	if len(n) == 0 {
		return nil
	}
	spaces := slices.Sorted(maps.Keys(n))
	keys := make([][]byte, len(spaces))
	for i, space := range spaces {
		keys[i] = layout.Locks(c, space)
	}
	stored, err := r.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, space := range spaces {
		count := 0
		if stored[i] != nil {
			if count, err = DecodeLocks(stored[i]); err != nil {
				return err
			}
		}
		switch count += n[space]; {
		case count < 0:
			return fmt.Errorf("%w: a space has more locks than its row counts", storage.ErrCorrupt)
		case count == 0:
			row(keys[i], nil)
		default:
			row(keys[i], EncodeLocks(count))
		}
	}
	return nil
}

// EncodeLocks returns the value of the row of [layout.Locks].
func EncodeLocks(n int) []byte { return binary.AppendUvarint([]byte{version}, uint64(n)) }

// DecodeLocks decodes the value of the row of [layout.Locks]. The number is at least 1.
func DecodeLocks(b []byte) (int, error) {
	d := decoder(b)
	n := d.Uvarint()
	if err := d.Done(); err != nil || n == 0 || n > MaxSlot {
		return 0, malformed("the number of locks", layout.ErrMalformed)
	}
	return int(n), nil
}
