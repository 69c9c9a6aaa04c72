package access

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

const (
	inventoryBatch = 500    // devices that are stored in one transaction
	maxInventory   = 50_000 // devices of an account
)

// load reads the stored devices of the account and their states.
func (s *session) load(ctx context.Context, row stored) error {
	before := maps.Clone(s.devices)
	return s.h.s.db.Workspace(row.workspace).View(ctx, func(snapshot *data.Snapshot) error {
		clear(s.devices)
		var rows []*devicedata.Device
		flush := func() error {
			ids := make([]uuid.UUID, len(rows))
			for i, d := range rows {
				ids[i] = d.ID
			}
			states, err := devicedata.States(ctx, snapshot, row.Customer, ids...)
			if err != nil {
				return err
			}
			for i, d := range rows {
				known := &knownDevice{id: d.ID}
				if old := before[d.ExternalID]; old != nil {
					known.changeLimit, known.operationLimit, known.skipping = old.changeLimit, old.operationLimit, old.skipping
				}
				if states[i] != nil {
					state, err := decodeState(states[i])
					if err != nil {
						return err
					}
					known.stored, known.reported, known.writtenAt = state.State, state.reported, state.WrittenAt
				}
				s.devices[d.ExternalID] = known
			}
			rows = rows[:0]
			return nil
		}
		for d, err := range devicedata.DevicesOfAccount(ctx, snapshot, row.Customer, row.ID) {
			if err != nil {
				return err
			}
			if rows = append(rows, d); len(rows) == inventoryBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return flush()
	})
}

// resync reads the inventory and stores it. Devices that are not listed any more are marked as missing. It returns an error that
// matches errStoring if the inventory could be read but not stored.
func (s *session) resync(ctx context.Context, row stored, conn device.Conn) error {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	listed := map[string]bool{}
	n, ignored := 0, 0
	var first error // of the ignored devices
	var devices []device.Device
	flush := func() error {
		defer func() { devices = devices[:0] }()
		if err := s.putDevices(ctx, row, devices); err != nil {
			return fmt.Errorf("%w: %w", errStoring, err)
		}
		return nil
	}
	for d, err := range conn.Devices(reading) {
		if err != nil {
			return err
		}
		if n++; n > maxInventory {
			return fmt.Errorf("the account has more than %d devices", maxInventory)
		}
		err := d.Check()
		if err == nil && listed[d.ID] {
			err = fmt.Errorf("device %q is listed more than once", d.ID)
		}
		if len(d.ID) <= device.MaxIDBytes {
			listed[d.ID] = true
		}
		if err != nil {
			if ignored++; ignored == 1 {
				first = err
			}
			continue
		}
		if devices = append(devices, d); len(devices) == inventoryBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if ignored > 0 {
		s.h.s.log.WarnContext(ctx, "a driver listed devices that break a rule, which are ignored", "provider", row.Provider, "devices", ignored,
			"error", device.Label(first.Error()))
	}
	if err := s.markMissing(ctx, row, listed); err != nil {
		return fmt.Errorf("%w: %w", errStoring, err)
	}
	s.setStatus(ctx, row, nil)
	return nil
}

// putDevices stores devices of the inventory and their states.
func (s *session) putDevices(ctx context.Context, row stored, devices []device.Device) error {
	if len(devices) == 0 {
		return nil
	}
	var before []*devicedata.Device
	err := s.h.within(ctx, row, func(ctx context.Context, tx data.CustomerTx) (err error) {
		ids := make([]uuid.UUID, len(devices))
		for i, d := range devices {
			ids[i] = devicedata.DeviceID(row.ID, d.ID)
		}
		if before, err = devicedata.DevicesByID(ctx, tx.Snapshot, row.Customer, ids...); err != nil {
			return err
		}
		now := s.h.s.now()
		rows := make([]devicedata.Device, len(devices))
		var added []Activity
		var changed []uuid.UUID // locks whose rules for codes have changed
		for i, d := range devices {
			details, isNew := detailsOf(d), true
			if before[i] != nil {
				var old deviceDetails
				if err := decode("the details of a device", before[i].Details, &old); err != nil {
					return err
				}
				details.Settings, details.Unmanaged, isNew = old.Settings, old.Unmanaged, !old.MissingSince.IsZero()
				if !reflect.DeepEqual(old.Codes, details.Codes) {
					changed = append(changed, ids[i])
				}
			}
			rows[i] = details.row(d.ID)
			if isNew {
				added = append(added, Activity{Kind: ActivityDeviceListed, AccountID: row.ID, DeviceID: ids[i], DeviceName: rows[i].Name, At: now})
			}
		}
		if _, err := devicedata.PutDevices(ctx, tx, row.ID, rows); err != nil {
			return err
		}
		if err := devicedata.MarkReplan(ctx, tx, changed...); err != nil {
			return err
		}
		return s.h.s.record(ctx, tx, added)
	})
	if err != nil {
		return err
	}
	s.h.s.plans.set()
	states := batch{states: map[string]report{}}
	for i, d := range devices {
		known := s.devices[d.ID]
		if known == nil || before[i] == nil { // new, or deleted and listed again: no state is stored
			known = &knownDevice{id: devicedata.DeviceID(row.ID, d.ID)}
			s.devices[d.ID] = known
		}
		states.states[d.ID] = report{d.State, d.StateAt}
	}
	_, err = s.store(ctx, row, &states)
	return err
}

// markMissing marks the stored devices that the account does not list.
func (s *session) markMissing(ctx context.Context, row stored, listed map[string]bool) error {
	var missing []uuid.UUID
	for externalID, known := range s.devices {
		if !listed[externalID] {
			missing = append(missing, known.id)
		}
	}
	for len(missing) > 0 {
		ids := missing[:min(inventoryBatch, len(missing))]
		missing = missing[len(ids):]
		err := s.h.within(ctx, row, func(ctx context.Context, tx data.CustomerTx) error {
			stored, err := devicedata.DevicesByID(ctx, tx.Snapshot, row.Customer, ids...)
			if err != nil {
				return err
			}
			now := s.h.s.now()
			var rows []devicedata.Device
			var removed []Activity
			for _, d := range stored {
				if d == nil {
					continue // deleted
				}
				var details deviceDetails
				if err := decode("the details of a device", d.Details, &details); err != nil {
					return err
				}
				if !details.MissingSince.IsZero() {
					continue
				}
				details.MissingSince = now
				rows = append(rows, details.row(d.ExternalID))
				removed = append(removed, Activity{Kind: ActivityDeviceGone, AccountID: row.ID, DeviceID: d.ID, DeviceName: d.Name, At: now})
			}
			if len(rows) == 0 {
				return nil
			}
			if _, err := devicedata.PutDevices(ctx, tx, row.ID, rows); err != nil {
				return err
			}
			return s.h.s.record(ctx, tx, removed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// store stores the states and operations of a batch, and the states that have waited long enough, in several transactions if they
// are many. It reports whether it has written anything. After an error, the batch contains what was not stored.
func (s *session) store(ctx context.Context, row stored, b *batch) (wrote bool, err error) {
	now := s.h.s.db.Now()
	write := map[string]report{}
	for externalID, r := range b.states {
		known := s.devices[externalID]
		if known == nil {
			continue // the driver sends Resync if it is new
		}
		r.at = reportedAt(r.at, now)
		if known.take(r, now) {
			write[externalID] = r
		} else if known.waiting != nil {
			s.waits(known)
		}
	}
	if !s.firstDue.IsZero() && (!now.Before(s.firstDue) || s.firstDue.Sub(now) > changeBurst*changeInterval) { // the clock was set back
		s.firstDue = time.Time{}
		for externalID, known := range s.devices {
			switch {
			case known.waiting == nil:
			case known.mustStore(now):
				write[externalID] = *known.waiting
			default:
				s.waits(known)
			}
		}
	}
	waiting := slices.Collect(maps.Keys(write))
	for len(waiting) > 0 || len(b.operations) > 0 {
		chunk := map[string]report{}
		for _, externalID := range waiting[:min(inventoryBatch, len(waiting))] {
			chunk[externalID] = write[externalID]
		}
		operations := b.operations[:min(inventoryBatch, len(b.operations))]
		more, err := s.storeChunk(ctx, row, chunk, operations, now)
		if err != nil {
			for _, externalID := range waiting { // for the next attempt
				b.states[externalID] = write[externalID]
			}
			return wrote, err
		}
		wrote = wrote || more
		for externalID := range chunk {
			delete(b.states, externalID)
		}
		waiting, b.operations = waiting[len(chunk):], b.operations[len(operations):]
	}
	return wrote, nil
}

// storeChunk stores some states and operations in one transaction, and reports whether there was anything to write. It forgets
// devices that were deleted.
func (s *session) storeChunk(ctx context.Context, row stored, write map[string]report, operations []operation, now time.Time) (wrote bool, err error) {
	operated, undo := s.operations(operations, now)
	if len(write) == 0 && len(operated) == 0 {
		return false, nil
	}
	var deleted []string
	err = s.h.within(ctx, row, func(ctx context.Context, tx data.CustomerTx) (err error) {
		deleted, err = s.write(ctx, tx, row, write, operated, now)
		return err
	})
	if err != nil {
		undo()
		return false, err
	}
	for externalID, r := range write {
		known := s.devices[externalID]
		back := known.reported.LastOnline.Is(false)
		known.wrote(r, now)
		if back && known.reported.LastOnline.Is(true) {
			s.h.program(externalID, true, true) // what failed while it was offline is tried at once
		}
	}
	for _, externalID := range deleted {
		delete(s.devices, externalID) // the inventory may list it again
	}
	return true, nil
}

// write stores states and activities of the devices that exist, and returns the external ids of the others.
func (s *session) write(ctx context.Context, tx data.CustomerTx, row stored, write map[string]report, operated []Activity, now time.Time) (deleted []string, err error) {
	var ids []uuid.UUID
	var externalIDs []string
	for externalID := range write {
		ids, externalIDs = append(ids, s.devices[externalID].id), append(externalIDs, externalID)
	}
	for _, a := range operated {
		ids = append(ids, a.DeviceID)
	}
	exist, err := devicedata.DevicesByID(ctx, tx.Snapshot, row.Customer, ids...)
	if err != nil {
		return nil, err
	}
	var states []devicedata.State
	var activities []Activity
	for i, externalID := range externalIDs {
		if exist[i] == nil {
			deleted = append(deleted, externalID)
			continue
		}
		known, r := s.devices[externalID], write[externalID]
		states = append(states, devicedata.State{DeviceID: ids[i], At: r.at, Value: encode(storedState{r.state, now.UTC(), known.reported.after(r.state, r.at)})})
		for _, a := range known.changes(r.state, r.at.UTC()) {
			a.DeviceID, a.DeviceName = ids[i], exist[i].Name
			activities = append(activities, a)
		}
	}
	for i, a := range operated {
		row := exist[len(externalIDs)+i]
		if row == nil {
			continue
		}
		a.DeviceName = row.Name
		if a.cause != nil { // an earlier holder may have stored the activity with the result since this one expects the event
			written, err := hasActivity(ctx, tx.Tx, a.cause)
			if err != nil {
				return nil, err
			}
			if written {
				continue
			}
		}
		activities = append(activities, a)
	}
	if err := devicedata.PutStates(ctx, tx, states); err != nil {
		return nil, err
	}
	for i := range activities {
		activities[i].AccountID = row.ID
	}
	if err := findCodes(ctx, tx, row, activities); err != nil {
		return nil, err
	}
	return deleted, s.h.s.record(ctx, tx, activities)
}

// waits records that the state of a device waits.
func (s *session) waits(d *knownDevice) {
	if s.firstDue.IsZero() || d.due.Before(s.firstDue) {
		s.firstDue = d.due
	}
}

// nextDue returns a channel that receives when the first waiting state must be stored, or nil if none waits. The time is rounded
// up to a second, so that the states of many devices are stored together.
func (s *session) nextDue() <-chan time.Time {
	if s.firstDue.IsZero() {
		return nil
	}
	now := s.h.s.db.Now()
	return time.After(max(0, s.firstDue.Sub(now)).Truncate(time.Second) + time.Second)
}
