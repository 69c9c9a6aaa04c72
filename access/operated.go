package access

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// slotCode is an access code in a slot of a device.
type slotCode struct {
	id    uuid.UUID
	slot  int
	grant bool // of an access grant
}

// findCodes sets the access codes with which locks of an account were operated at the keypad. They include codes that are still on a
// device although their removal is pending. If a device does not report the slot, the code is not known; a guest may have used it if
// the device has a code of an access grant.
func findCodes(ctx context.Context, tx data.CustomerTx, row stored, activities []Activity) error {
	read := map[uuid.UUID][]slotCode{} // by device
	for i := range activities {
		a := &activities[i]
		if a.Method != device.MethodKeypad {
			continue
		}
		codes, done := read[a.DeviceID]
		if !done {
			var err error
			if codes, err = codesOn(ctx, tx, row, a.DeviceID); err != nil {
				return err
			}
			read[a.DeviceID] = codes
		}
		for _, c := range codes {
			if a.Slot == 0 {
				a.byGuest = a.byGuest || c.grant
			} else if a.Slot == c.slot {
				a.AccessCodeID, a.byGuest = c.id, c.grant
				break
			}
		}
	}
	return nil
}

// codesOn returns the access codes of a device, and those that must be removed from it.
func codesOn(ctx context.Context, tx data.CustomerTx, row stored, id uuid.UUID) (codes []slotCode, err error) {
	for c, err := range devicedata.CodesOfDevice(ctx, tx.Snapshot, row.Customer, id) {
		if err != nil {
			return nil, err
		}
		codes = append(codes, slotCode{c.ID, c.Slot, data.Class(c.Subject.Class) == data.ClassAccessGrant})
	}
	for r, err := range devicedata.RemovalsOfAccount(ctx, tx.Tx, row.ID) {
		if err != nil {
			return nil, err
		}
		if r.DeviceID() == id {
			codes = append(codes, slotCode{r.CodeID, r.Slot, data.Class(r.SubjectClass) == data.ClassAccessGrant})
		}
	}
	return codes, nil
}
