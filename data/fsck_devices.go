package data

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// checkedDevices are the numbers of a customer's accounts, devices and codes: those that were read, and those in the row that
// counts them.
type checkedDevices struct {
	actual, stored devicerow.Counts
	found          bool // the row exists
}

// countsOf returns the numbers of the current customer's accounts, devices and codes that were read.
func (k *checker) countsOf(c *checkedCustomer) *devicerow.Counts {
	if k.counts.of == nil || k.counts.of.id != c.id {
		return new(devicerow.Counts) // the record of the customer is damaged, which is reported
	}
	return &k.counts.devices.actual
}

// endDevices compares the stored numbers of the current customer's accounts, devices and codes with the rows that were read.
func (k *checker) endDevices(c *checkedCustomer) {
	d := &k.counts.devices
	d.stored.Writes = 0
	switch key := layout.DeviceCounts(c.id); {
	case d.actual == d.stored:
	case !d.found:
		k.damageAt(key, damageMissing, "a customer with accounts, devices or access codes requires it")
	default:
		k.damageAt(key, damageCount, "it counts %+v, but the rows are %+v", d.stored, d.actual)
	}
}

func (k *checker) deviceCountsRow(_ context.Context, c *checkedCustomer, value []byte) error {
	counts, err := devicerow.DecodeCounts(value)
	if err != nil {
		return k.reportMalformed()
	}
	if k.counts.of != nil && k.counts.of.id == c.id {
		k.counts.devices.stored, k.counts.devices.found = counts, true
	}
	return nil
}

func (k *checker) accountRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	k.countsOf(c).Accounts++
	a, err := devicerow.DecodeAccount(c.id, k.key.ID, value)
	if err != nil {
		return k.reportMalformed()
	}
	return k.require(ctx, "its account", rowsTo(func(row func(key, value []byte)) { a.Rows(c.workspace, row) })...)
}

func (k *checker) deviceRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	k.countsOf(c).Devices++
	d, err := devicerow.DecodeDevice(c.id, k.key.ID, value)
	if err != nil {
		return k.reportMalformed()
	}
	index, indexValue := layout.DeviceIndexEntry(c.id, d.ID)
	want := []row{{index, indexValue}, {key: layout.Account(c.id, d.AccountID)}}
	var spaces []Ref
	for _, m := range d.Mappings {
		want = append(want, row{layout.MappingEdge(c.id, byte(ClassSpace), m.SpaceKey, d.ID), present})
		spaces = append(spaces, Ref{KindSpace, m.SpaceKey})
	}
	if d.IsEntrance() {
		want = append(want, entranceRow(d))
	}
	if err := k.require(ctx, "its device", want...); err != nil {
		return err
	}
	if err := k.requireLocks(ctx, c, d); err != nil {
		return err
	}
	return k.requireOwned(ctx, c, spaces...)
}

// requireOwned reports damage of the current row if the customer has no resource with one of these classes and keys.
func (k *checker) requireOwned(ctx context.Context, c *checkedCustomer, refs ...Ref) error {
	if len(refs) == 0 {
		return nil
	}
	keys := make([][]byte, len(refs))
	for i, ref := range refs {
		keys[i] = layout.Directory(c.workspace, byte(ref.Kind.Class()), ref.Key)
	}
	rows, err := k.get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if o, err := decodeOwner(row); err != nil || o.kind == 0 || o.customer != c.id {
			k.damage(damageDangling, "its customer has no %s to which it refers", refs[i].Kind.Class())
		}
	}
	return nil
}

// device reads a device of a customer. If the device does not exist, it returns nil and reports damage of the current row. It also
// returns nil for a device that cannot be decoded, which is reported at its own row.
func (k *checker) device(ctx context.Context, c *checkedCustomer, id uuid.UUID) (*devicerow.Device, error) {
	rows, err := k.get(ctx, layout.Device(c.id, id))
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		k.damage(damageDangling, "its device does not exist")
		return nil, nil
	}
	d, _ := devicerow.DecodeDevice(c.id, id, rows[0])
	return d, nil
}

func (k *checker) deviceStateRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	if _, err := devicerow.DecodeState(k.key.ID, value); err != nil {
		return k.reportMalformed()
	}
	_, err := k.device(ctx, c, k.key.ID)
	return err
}

func (k *checker) codeRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	k.countsOf(c).Codes++
	code, err := devicerow.DecodeCode(c.id, k.key.Device, k.key.ID, value)
	if err != nil {
		return k.reportMalformed()
	}
	if err := k.require(ctx, "its access code", rowsTo(code.Rows)...); err != nil {
		return err
	}
	if err := k.requireOwned(ctx, c, subjectRef(code.Subject)); err != nil {
		return err
	}
	d, err := k.device(ctx, c, code.DeviceID)
	if d == nil || err != nil {
		return err
	}
	if d.AccountID != code.AccountID {
		k.damage(damageDiffers, "its device belongs to another account")
	}
	rows, err := k.get(ctx, layout.Removal(d.AccountID, code.ID))
	if err == nil && rows[0] != nil {
		k.damage(damageDiffers, "the code has a removal")
	}
	return err
}

// deviceEdgeRow checks the edge from a device to a space to which it is mapped.
func (k *checker) deviceEdgeRow(ctx context.Context, c *checkedCustomer) error {
	id, err := uuid.FromBytes([]byte(k.key.ReferrerKey))
	if err != nil {
		k.damage(damageUnknown, "its device id cannot be decoded")
		return nil
	}
	d, err := k.device(ctx, c, id)
	if d == nil || err != nil {
		return err
	}
	if Class(k.key.Class) != ClassSpace || !slices.ContainsFunc(d.Mappings, func(m devicerow.Mapping) bool { return m.SpaceKey == k.key.Key }) {
		k.damage(damageDangling, "its device is not mapped to the space")
	}
	return nil
}

// codeEdgeRow checks the edge from an access code to its subject.
func (k *checker) codeEdgeRow(ctx context.Context, c *checkedCustomer) error {
	device, id, err := layout.ParseCodeReferrer(k.key.ReferrerKey)
	if err != nil {
		k.damage(damageUnknown, "its ids cannot be decoded")
		return nil
	}
	rows, err := k.get(ctx, layout.Code(c.id, device, id))
	if err != nil {
		return err
	}
	if rows[0] == nil {
		k.damage(damageDangling, "its access code does not exist")
		return nil
	}
	code, err := devicerow.DecodeCode(c.id, device, id, rows[0])
	if err == nil && code.Subject != (devicerow.Subject{Class: k.key.Class, Key: k.key.Key}) {
		k.damage(damageDangling, "its access code has another subject")
	}
	return nil
}

func (k *checker) providerAccountRow(ctx context.Context, value []byte) error {
	workspace, account, err := devicerow.DecodeProviderAccount(value)
	if err != nil {
		return k.reportMalformed()
	}
	c, stored, err := k.target(ctx, k.key.Customer, layout.Account(k.key.Customer, account))
	if c == nil || err != nil {
		return err
	}
	a, err := devicerow.DecodeAccount(c.id, account, stored)
	if err == nil && (a.Provider != k.key.Provider || a.ExternalID != k.key.Key || c.workspace != workspace) {
		k.damage(damageDiffers, "its account has another id at the provider or another workspace")
	}
	return nil
}

// removalRow checks a removal. Its customer and its account may be deleted.
func (k *checker) removalRow(ctx context.Context, value []byte) error {
	r, err := devicerow.DecodeRemoval(k.key.Account, k.key.ID, value)
	if err != nil {
		return k.reportMalformed()
	}
	return k.require(ctx, "its removal", append(rowsTo(r.Rows), row{key: layout.RemovalAccount(k.key.Account)})...)
}

func (k *checker) removalAccountRow(ctx context.Context, value []byte) error {
	a, err := devicerow.DecodeRemovalAccount(k.key.ID, value)
	if err != nil {
		return k.reportMalformed()
	}
	pending := false
	for _, err := range k.r.Scan(ctx, storage.Prefix(layout.AccountRemovalsPrefix(a.ID)), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		if err != nil {
			return err
		}
		pending = true
	}
	if !pending {
		k.damage(damageDangling, "its account has no removals")
	}
	c, err := k.customer(ctx, a.Customer)
	if err != nil || c.customer == nil {
		return err
	}
	rows, err := k.get(ctx, layout.Account(c.id, a.ID))
	if err != nil || rows[0] == nil {
		return err
	}
	stored, err := devicerow.DecodeAccount(c.id, a.ID, rows[0])
	if err == nil && !bytes.Equal(stored.RemovalAccount(c.workspace).Encode(), value) {
		k.damage(damageDiffers, "its account has another secret or another id at the provider")
	}
	return nil
}
