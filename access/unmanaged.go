package access

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// UnmanagedCode is an access code on a lock that is not one of this library, as the lock showed it when it was last read.
type UnmanagedCode struct {
	ID   uuid.UUID     `json:"access_code_id"` // of this code: another code in its slot, or the same with another PIN, has another id
	Slot int           `json:"slot"`
	Name string        `json:"name,omitempty"` // on locks that store names; see [device.Label]
	PIN  device.Secret `json:"-"`              // prints as [redacted]; set by [Scope.UnmanagedCodes], if the lock shows it

	StartsAt time.Time `json:"starts_at,omitzero"` // on locks with a native schedule; zero if it has no start
	EndsAt   time.Time `json:"ends_at,omitzero"`   // zero if it has no end

	// Disabled reports that the code is on the lock and does not open it.
	Disabled bool `json:"disabled,omitempty"`

	// PossiblyOurs reports that the name is one that this library gives its codes. The code was written after the backup from which the
	// store was restored, or by another installation.
	PossiblyOurs bool `json:"possibly_ours,omitempty"`
}

// unmanagedCode is the stored form of an UnmanagedCode, in the details of its device.
type unmanagedCode struct {
	ID           uuid.UUID `json:"id,omitzero"` // zero if it was stored by an earlier version
	Slot         int       `json:"slot"`
	Name         string    `json:"name,omitempty"`
	PossiblyOurs bool      `json:"possibly_ours,omitempty"`
	Disabled     bool      `json:"disabled,omitempty"`
	StartsAt     time.Time `json:"starts,omitzero"`
	EndsAt       time.Time `json:"ends,omitzero"`
	SealedPIN    []byte    `json:"pin,omitempty"` // sealed for [devicedata.PINKey] of the account and the ID
}

// newUnmanaged returns stored codes of a device as callers see them, without their PINs.
func newUnmanaged(device uuid.UUID, stored []unmanagedCode) (codes []UnmanagedCode) {
	for _, u := range stored {
		if u.ID == uuid.Nil {
			u.ID = uuid.NewSHA1(device, fmt.Appendf(nil, "unmanaged access code %d", u.Slot))
		}
		codes = append(codes, UnmanagedCode{
			ID: u.ID, Slot: u.Slot, Name: u.Name, PossiblyOurs: u.PossiblyOurs, Disabled: u.Disabled, StartsAt: u.StartsAt, EndsAt: u.EndsAt,
		})
	}
	return codes
}

// UnmanagedCodes returns the codes on a lock of the scope that this library did not write, with their PINs where the lock shows them, by
// slot. It calls no device, so they are those of the last time at which the lock was read to program it. UnmanagedCodes returns
// [ErrDeviceNotFound].
func (c *Scope) UnmanagedCodes(ctx context.Context, deviceID uuid.UUID) (codes []UnmanagedCode, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, _, err := c.findDevice(ctx, s, deviceID)
		if err != nil {
			return err
		}
		var details deviceDetails
		if err := decode("the details of a device", row.Details, &details); err != nil {
			return err
		}
		codes = newUnmanaged(row.ID, details.Unmanaged)
		for i, u := range details.Unmanaged {
			if pin, err := c.s.openPIN(row.AccountID, u.ID, u.SealedPIN); err == nil { // otherwise its key is missing
				codes[i].PIN = pin
			}
		}
		return nil
	})
	return codes, err
}

// UnmanagedCode returns an unmanaged code of the scope with its PIN, and its lock. It reads the devices of the scope until it finds the
// code. UnmanagedCode returns [ErrCodeNotFound].
func (c *Scope) UnmanagedCode(ctx context.Context, id uuid.UUID) (code UnmanagedCode, lock Device, err error) {
	is := func(u UnmanagedCode) bool { return u.ID == id }
	q := DeviceQuery{Limit: 1, Keep: func(d Device) bool { return slices.ContainsFunc(d.UnmanagedCodes, is) }}
	for {
		page, err := c.Devices(ctx, q)
		if err != nil {
			return code, lock, err
		}
		if len(page.Items) > 0 {
			lock = page.Items[0]
			break
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return code, lock, ErrCodeNotFound
		}
	}
	codes, err := c.UnmanagedCodes(ctx, lock.ID)
	if i := slices.IndexFunc(codes, is); err == nil && i >= 0 {
		return codes[i], lock, nil
	}
	if err == nil || isGone(err) {
		err = ErrCodeNotFound
	}
	return code, lock, err
}

// storeUnmanaged stores which slots hold codes of others, for each account that lists the lock.
func (p *program) storeUnmanaged(ctx context.Context, l *lock) error {
	var foreign []device.Slot
	for _, s := range p.slots {
		if s.Occupied() && !slices.ContainsFunc(l.codes, func(c *lockCode) bool { return c.Slot == s.Index }) {
			foreign = append(foreign, s)
		}
	}
	for _, d := range l.devices {
		next, changed, err := p.h.s.shownUnmanaged(d, foreign)
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		err = p.h.within(ctx, d.account, func(ctx context.Context, tx data.CustomerTx) error {
			return changeUnmanaged(ctx, tx, d.id, func(stored []unmanagedCode) []unmanagedCode {
				if !bytes.Equal(encode(stored), encode(d.unmanaged)) {
					return stored // the caller took a code from the list, whose slot is programmed next
				}
				return next
			})
		})
		if err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// changeUnmanaged changes the stored unmanaged codes of a device of the customer. It ignores a device that does not exist.
func changeUnmanaged(ctx context.Context, tx data.CustomerTx, id uuid.UUID, change func([]unmanagedCode) []unmanagedCode) error {
	rows, err := devicedata.DevicesByID(ctx, tx.Snapshot, devicedata.IDOf(tx.Customer), id)
	if err != nil || rows[0] == nil {
		return err
	}
	var details deviceDetails
	if err := decode("the details of a device", rows[0].Details, &details); err != nil {
		return err
	}
	details.Unmanaged = change(details.Unmanaged)
	_, err = devicedata.PutDevices(ctx, tx, rows[0].AccountID, []devicedata.Device{details.row(rows[0].ExternalID)})
	return err
}

// shownUnmanaged returns the unmanaged codes in the slots of a device, and reports whether they differ from the stored ones. A code that
// is still the same keeps its id and its sealed PIN.
func (s *Service) shownUnmanaged(d lockDevice, slots []device.Slot) (next []unmanagedCode, changed bool, err error) {
	known := map[int]unmanagedCode{}
	for _, u := range d.unmanaged {
		known[u.Slot] = u
	}
	changed = len(slots) != len(d.unmanaged)
	for _, slot := range slots {
		shown := unmanagedCode{
			Slot: slot.Index, Name: device.Label(slot.Name), PossiblyOurs: strings.HasPrefix(slot.Name, codePrefix), Disabled: slot.State == device.SlotDisabled,
			StartsAt: slot.StartsAt.UTC(), EndsAt: slot.EndsAt.UTC(),
		}
		if u, ok := known[slot.Index]; ok && u.ID != uuid.Nil {
			pin, err := s.openPIN(d.account.ID, u.ID, u.SealedPIN)
			shown.ID, shown.SealedPIN = u.ID, u.SealedPIN
			if err == nil && pin == slot.PIN && bytes.Equal(encode(shown), encode(u)) {
				next = append(next, u)
				continue
			}
		}
		changed = true
		if shown.ID, err = s.newID(); err != nil {
			return nil, false, err
		}
		if shown.SealedPIN = nil; !slot.PIN.IsZero() {
			if shown.SealedPIN, err = s.sealPIN(d.account.ID, shown.ID, slot.PIN); err != nil {
				return nil, false, err
			}
		}
		next = append(next, shown)
	}
	return next, changed, nil
}
