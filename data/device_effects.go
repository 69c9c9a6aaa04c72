package data

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// rows returns the rows to write.
func (dc *deviceCascade) rows() []row {
	counts := dc.counts
	var rows []row
	var replan []uuid.UUID // devices that subjects reach who may have no code yet
	for _, id := range sortedIDs(dc.after) {
		d := dc.devices[id]
		_, deleted := dc.deleted[id]
		kept := map[string]bool{}
		if !deleted {
			for _, m := range dc.after[id] {
				kept[m.SpaceKey] = true
			}
		}
		for _, m := range d.Mappings {
			if !kept[m.SpaceKey] {
				rows = append(rows, row{key: layout.MappingEdge(dc.c.id, byte(ClassSpace), m.SpaceKey, id)})
			}
		}
		switch key := layout.Device(dc.c.id, id); {
		case deleted:
			index, _ := layout.DeviceIndexEntry(dc.c.id, id)
			rows = append(rows, row{key: key}, row{key: layout.DeviceState(dc.c.id, id)}, row{key: index}, row{key: layout.Entrance(dc.c.id, id)})
			counts.Devices--
		case !slices.Equal(d.Mappings, dc.after[id]):
			for _, m := range dc.after[id] {
				rows = append(rows, row{layout.MappingEdge(dc.c.id, byte(ClassSpace), m.SpaceKey, id), present})
			}
			after := *d
			after.Mappings = dc.after[id]
			rows = append(rows, row{key, after.Encode()}, entranceRow(&after))
			if _, remapped := dc.remap[id]; remapped {
				replan = append(replan, id)
			}
		}
	}
	rows = append(rows, dc.locks...)
	remove := func(key, _ []byte) { rows = append(rows, row{key: key}) }
	for _, key := range sortedCodes(dc.ended) {
		dc.codes[key].Rows(remove)
	}
	rows = append(rows, dc.removals()...) // at the end, because a code and its removal have the same row if they are due at the same time
	counts.Codes -= len(dc.ended)
	for _, pin := range dc.pins {
		pin.Rows(remove)
	}
	for _, id := range sortedIDs(dc.gone) {
		dc.gone[id].Rows(dc.c.workspace, remove)
		counts.Accounts--
	}
	if len(rows) > 0 {
		counts.Writes++
		devicerow.ReplanRows(dc.c.workspace, dc.c.id, counts.Writes, replan, func(key, value []byte) { rows = append(rows, row{key, value}) })
		rows = append(rows, row{layout.DeviceCounts(dc.c.id), counts.Encode()})
	}
	return rows
}

// countLocks plans the changes of the rows that count the locks of spaces. It reads these rows in one call.
func (dc *deviceCascade) countLocks(ctx context.Context) error {
	changes := devicerow.LockChanges{}
	for id, mappings := range dc.after {
		var after *devicerow.Device
		if _, deleted := dc.deleted[id]; !deleted {
			changed := *dc.devices[id]
			changed.Mappings = mappings
			after = &changed
		}
		changes.Replace(dc.devices[id], after)
	}
	return changes.Rows(ctx, dc.s.r, dc.c.id, func(key, value []byte) { dc.locks = append(dc.locks, row{key, value}) })
}

// removals returns the rows that schedule the removal of the ended codes. They belong to no customer.
func (dc *deviceCascade) removals() (rows []row) {
	for _, key := range sortedCodes(dc.ended) {
		d := dc.devices[key.Device]
		removal := dc.codes[key].Removal(d, dc.ended[key].reason, dc.s.time())
		removal.Rows(func(key, value []byte) { rows = append(rows, row{key, value}) })
	}
	for _, id := range sortedIDs(dc.accounts) {
		rows = append(rows, row{layout.RemovalAccount(id), dc.accounts[id].RemovalAccount(dc.c.workspace).Encode()})
	}
	return rows
}

// entranceRow returns the row of [layout.Entrance] of a device. It deletes the row if the device is not a shared entrance.
func entranceRow(d *devicerow.Device) row {
	if d.IsEntrance() {
		return row{layout.Entrance(d.Customer, d.ID), present}
	}
	return row{key: layout.Entrance(d.Customer, d.ID)}
}

// customerRows returns the rows that schedule the removal of all codes of a deleted customer. The codes are not due any more. Their
// other rows remain for the sweep.
func (dc *deviceCascade) customerRows() (rows []row) {
	for _, key := range sortedCodes(dc.ended) {
		dc.codes[key].DueRow(func(key, _ []byte) { rows = append(rows, row{key: key}) })
	}
	return append(rows, dc.removals()...)
}

// unmapped returns the mappings that end because spaces are deleted.
func (dc *deviceCascade) unmapped() (out []Unmapped) {
	for _, id := range sortedIDs(dc.unmap) {
		for _, key := range slices.Sorted(maps.Keys(dc.unmap[id])) {
			out = append(out, Unmapped{CustomerKey: dc.c.key, DeviceID: id, Space: dc.unmap[id][key]})
		}
	}
	return out
}

// codeRemovals returns the codes that become removals, for a report.
func (dc *deviceCascade) codeRemovals() (out []CodeRemoval) {
	for _, key := range sortedCodes(dc.ended) {
		out = append(out, CodeRemoval{CustomerKey: dc.c.key, DeviceID: key.Device, CodeID: key.Code, Because: dc.ended[key].because})
	}
	return out
}

// planCustomer plans the deletion of the customer. All its codes become removals. The other rows remain for the sweep.
func (dc *deviceCascade) planCustomer(ctx context.Context) error {
	if dc.counts.Codes == 0 {
		return nil
	}
	ids := map[uuid.UUID]bool{}
	for e, err := range dc.s.r.Scan(ctx, storage.Prefix(layout.CodesPrefix(dc.c.id)), storage.ScanOptions{}) {
		if err == nil {
			err = dc.charge(1)
		}
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeCode, e.Key)
		if err != nil {
			return err
		}
		code, err := devicerow.DecodeCode(dc.c.id, k.Device, k.ID, e.Value)
		if err != nil {
			return err
		}
		key := devicerow.CodeKey{Device: k.Device, Code: k.ID}
		dc.codes[key], dc.ended[key] = code, codeEnd{reason: devicerow.ReasonCustomerDeleted}
		ids[k.Device] = true
	}
	var err error
	if dc.devices, err = readDevices(ctx, dc.s.r, dc.c.id, ids); err != nil {
		return err
	}
	dc.accounts, err = readAccounts(ctx, dc.s.r, dc.c.id, dc.ended, dc.devices)
	return err
}

// changeDevices writes changes of devices that can end access codes, and returns the codes that became removals. The devices and
// codes must exist. It revokes the portals that are deep links to deleted devices.
func (tx CustomerTx) changeDevices(ctx context.Context, changes devicerow.Changes) ([]CodeRemoval, error) {
	c := &customer{id: tx.Customer.id, workspace: tx.w.id, key: tx.Customer.Key}
	counts, err := devicerow.ReadCounts(ctx, tx.Tx, c.id)
	if err != nil {
		return nil, err
	}
	dc := newDeviceCascade(tx.Snapshot, c, counts, func(int) error { return nil })
	dc.remap = changes.Mappings
	reason := devicerow.ReasonDeviceDeleted
	if changes.Account != nil {
		reason = devicerow.ReasonAccountDeleted
		dc.gone[changes.Account.ID] = changes.Account
	}
	for _, id := range changes.Devices {
		dc.deleted[id] = codeEnd{reason: reason}
	}
	for code, reason := range changes.Codes {
		dc.ended[code] = codeEnd{reason: reason}
	}
	granted, err := tx.dropGrantedDevices(ctx, dc, changes.Devices)
	if err == nil && !granted {
		if err = dc.plan(ctx, nil); err == nil {
			err = writeRows(tx.Tx, dc.rows())
		}
	}
	if err != nil {
		return nil, err
	}
	return dc.codeRemovals(), tx.revokeDeviceLinks(ctx, c, changes.Devices)
}

// dropGrantedDevices removes deleted devices from the access grants that name them, with the other effects of the deletion, and writes
// all of it. It reports false, and writes nothing, if no grant names them.
func (tx CustomerTx) dropGrantedDevices(ctx context.Context, dc *deviceCascade, ids []uuid.UUID) (bool, error) {
	if len(ids) == 0 {
		return false, nil
	}
	c, err := tx.customerByID(ctx, dc.c.id)
	if err != nil {
		return false, err
	}
	cas := newCascader(tx.Snapshot, c, dc.counts, false, func(int) error { return nil })
	cas.devices = dc
	if err := cas.dropDevices(ctx, ids); err != nil || len(cas.order) == 0 {
		return false, err
	}
	ch := tx.newChanges(c, false)
	cas.finish(ch, &DeleteReport{})
	ch.prepare(nil)
	if err := ch.write(tx.Tx); err != nil {
		return false, err
	}
	return true, tx.w.appendFeed(ctx, tx.Tx, Actor{}, ch.feedEvents())
}

// revokeDeviceLinks revokes the portals that are deep links to deleted devices of the customer. It changes the version of the
// customer, so that a large operation which revokes the same portals is planned again.
func (tx CustomerTx) revokeDeviceLinks(ctx context.Context, c *customer, devices []uuid.UUID) error {
	if len(devices) == 0 {
		return nil
	}
	prefixes := make([][]byte, len(devices))
	for i, id := range devices {
		prefixes[i] = layout.DeviceLinkEdgesPrefix(c.id, id)
	}
	var revoked []Revoked
	for key, err := range tx.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, key)
		if err != nil {
			return err
		}
		id, err := uuid.FromBytes([]byte(k.ReferrerKey))
		if err != nil {
			return fmt.Errorf("%w: an edge from a portal: %w", storage.ErrCorrupt, err)
		}
		revoked = append(revoked, Revoked{CustomerKey: c.key, PortalID: id})
	}
	revoked, err := tx.withoutRevoked(ctx, c, revoked)
	if err != nil || len(revoked) == 0 {
		return err
	}
	after, err := tx.customerByID(ctx, c.id)
	if err != nil {
		return err
	}
	after.seq++
	rows := []row{{layout.CustomerRow(c.id), encodeCustomer(after)}}
	var events []event
	for _, r := range revoked {
		rows = append(rows, row{layout.Revoked(c.id, r.PortalID), layout.RevokedAt(tx.time(), false)})
		events = append(events, event{change: PortalRevoked, kind: KindCustomerPortal, id: r.PortalID})
	}
	if err := writeRows(tx.Tx, rows); err != nil {
		return err
	}
	return tx.w.appendFeed(ctx, tx.Tx, Actor{}, feedEvents{customer: c, at: tx.time(), events: events})
}

func sortedIDs[V any](of map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(of), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
}

func sortedCodes(of map[devicerow.CodeKey]codeEnd) []devicerow.CodeKey {
	return slices.SortedFunc(maps.Keys(of), func(a, b devicerow.CodeKey) int {
		return cmp.Or(bytes.Compare(a.Device[:], b.Device[:]), bytes.Compare(a.Code[:], b.Code[:]))
	})
}
