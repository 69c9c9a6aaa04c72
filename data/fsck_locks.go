package data

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// checkedLocks are the numbers of a customer's devices with access codes: the number that was read, and the number in the row that
// counts them, or 0 if there is no such row.
type checkedLocks struct{ actual, stored int }

// locksOf returns the numbers of the current customer's devices with access codes.
func (k *checker) locksOf(c *checkedCustomer) *checkedLocks {
	if k.counts.of == nil || k.counts.of.id != c.id {
		return new(checkedLocks) // the record of the customer is damaged, which is reported
	}
	return &k.counts.locks
}

// endLocks compares the stored number of the current customer's devices with access codes with the rows that were read.
func (k *checker) endLocks(c *checkedCustomer) {
	switch n := k.counts.locks; {
	case n.actual == n.stored:
	case n.stored == 0:
		k.damageAt(layout.Locks(c.id, ""), damageMissing, "a customer with devices with access codes requires it")
	default:
		k.damageAt(layout.Locks(c.id, ""), damageCount, "it counts %d devices with access codes, but there are %d", n.stored, n.actual)
	}
}

// requireLocks reports damage if the rows that count a device with access codes do not exist. locksRow and endLocks compare the
// numbers in them.
func (k *checker) requireLocks(ctx context.Context, c *checkedCustomer, d *devicerow.Device) error {
	if !d.Codes {
		return nil
	}
	k.locksOf(c).actual++
	var want []row
	for _, m := range d.Mappings {
		want = append(want, row{key: layout.Locks(c.id, m.SpaceKey)})
	}
	return k.require(ctx, "a device with access codes", want...)
}

// maxCheckedDevices is the number of devices that locksRow reads in one call.
const maxCheckedDevices = 256

// locksRow checks the row that counts the devices with access codes of a space. It reads the devices that are mapped to the space.
// The row of all such devices of the customer is compared by endLocks.
func (k *checker) locksRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	stored, err := devicerow.DecodeLocks(value)
	if err != nil {
		return k.reportMalformed()
	}
	if k.key.Key == "" {
		k.locksOf(c).stored = stored
		return nil
	}
	actual := 0
	var batch []uuid.UUID
	count := func() error {
		n, err := k.countLocks(ctx, c, k.key.Key, batch)
		actual, batch = actual+n, batch[:0]
		return err
	}
	mapped := storage.Prefix(layout.EdgesFromPrefix(c.id, byte(ClassSpace), k.key.Key, layout.KindDevice))
	for e, err := range k.r.Scan(ctx, mapped, storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return err
		}
		id, err := uuid.FromBytes([]byte(layout.Parse(e.Key).ReferrerKey))
		if err != nil {
			continue // reported at the edge
		}
		if batch = append(batch, id); len(batch) == maxCheckedDevices {
			if err := count(); err != nil {
				return err
			}
		}
	}
	if err := count(); err != nil {
		return err
	}
	switch {
	case actual == 0:
		k.damage(damageDangling, "no device with access codes is mapped to its space")
	case actual != stored:
		k.damage(damageCount, "it counts %d devices with access codes, but there are %d", stored, actual)
	}
	return nil
}

// countLocks returns the number of those devices that have access codes and are mapped to the space. It ignores devices that do not
// exist or cannot be decoded, which are reported at their edges and at their own rows.
func (k *checker) countLocks(ctx context.Context, c *checkedCustomer, space string, ids []uuid.UUID) (n int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = layout.Device(c.id, id)
	}
	rows, err := k.get(ctx, keys...)
	if err != nil {
		return 0, err
	}
	for i, value := range rows {
		d, err := devicerow.DecodeDevice(c.id, ids[i], value)
		if err == nil && d.Codes && slices.ContainsFunc(d.Mappings, func(m devicerow.Mapping) bool { return m.SpaceKey == space }) {
			n++
		}
	}
	return n, nil
}
