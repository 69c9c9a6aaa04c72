package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/storage"
)

// updateCode changes a code in a transaction, if this process has the lease and the code is still as it was read. It reports whether it
// is. change returns the event of the change, or an empty one.
func (p *program) updateCode(ctx context.Context, c *lockCode, change func(*devicedata.Code, *codeDetails) (data.Change, *CodeError)) (stored bool, err error) {
	return p.updateCodeUnless(ctx, c, func(context.Context, data.CustomerTx) (bool, error) { return false, nil }, change)
}

// updateCodeUnless is updateCode that changes nothing if prevented reports true.
func (p *program) updateCodeUnless(
	ctx context.Context, c *lockCode, prevented func(context.Context, data.CustomerTx) (bool, error), change func(*devicedata.Code, *codeDetails) (data.Change, *CodeError),
) (stored bool, err error) {
	p.h.slotted(c.key())
	err = c.within(ctx, p.h, func(ctx context.Context, tx data.CustomerTx) error {
		stored = false
		rows, err := devicedata.CodesByKey(ctx, tx.Snapshot, c.account.Customer, c.key())
		if err != nil || rows[0] == nil || !bytes.Equal(rows[0].Encode(), c.row.Encode()) {
			return err
		}
		if no, err := prevented(ctx, tx); err != nil || no {
			return err
		}
		stored = true
		next, d, now := *rows[0], c.details, p.h.s.now()
		event, failure := change(&next, &d)
		setDetails(&next, d, now)
		if err := devicedata.UpdateCodes(ctx, tx, []devicedata.Code{next}); err != nil {
			return err
		}
		return addCodeEvent(ctx, tx, event, &next, now, failure)
	})
	if isGone(err) {
		return false, nil
	}
	if err != nil {
		p.h.forgetCodes(c.row.DeviceID) // it may have been stored
	}
	return stored, err
}

func (c *lockCode) key() devicedata.CodeKey {
	return devicedata.CodeKey{Device: c.row.DeviceID, Code: c.row.ID}
}

// addCodeEvent adds an event of a code to the feed, unless change is empty.
func addCodeEvent(ctx context.Context, tx data.CustomerTx, change data.Change, row *devicedata.Code, at time.Time, failure *CodeError) error {
	if change == "" {
		return nil
	}
	return devicedata.AddEvents(ctx, tx, []data.FeedChange{codeEvent(change, row, at, failure)})
}

// intend stores that a slot is about to be written or cleared, and reports whether the code is still as it was read.
func (p *program) intend(ctx context.Context, l *lock, c *lockCode, step lockplan.Step) (bool, error) {
	if c.removal != nil {
		return p.checkRemoval(ctx, c)
	}
	claimed := func(ctx context.Context, tx data.CustomerTx) (bool, error) {
		if step.Action != lockplan.Write || step.Slot == c.Slot {
			return false, nil
		}
		for _, d := range l.devices { // a caller has deleted an unmanaged code there, which the lock does not show any more
			if claimed, err := isRemoved(ctx, tx.Tx, d.account.ID, p.device, step.Slot); err != nil || claimed {
				return claimed, err
			}
		}
		return false, nil
	}
	return p.updateCodeUnless(ctx, c, claimed, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
		row.Slot = step.Slot
		row.State = byte(lockplan.Removing)
		if step.Action == lockplan.Write {
			d.Edited = step.Reason == lockplan.Modified
			row.State, d.Unverified = byte(lockplan.Setting), true
		}
		d.Scheduled = false
		switch step.Reason {
		case lockplan.Removed:
			if d.Error == nil {
				d.Modified = true
				return "access_code.deleted_external_to_seam", nil
			}
		case lockplan.Modified, lockplan.Disabled:
			if !d.ClearFirst && d.Error == nil && p.calls[c.ID] == 1 { // otherwise a write of this library has failed
				d.Modified = true
				return "access_code.modified_external_to_seam", nil
			}
		}
		return "", nil
	})
}

// checkRemoval reports whether a removal still exists, if this process has the lease.
func (p *program) checkRemoval(ctx context.Context, c *lockCode) (exists bool, err error) {
	err = devicedata.View(ctx, p.h.s.db, func(r storage.Reader) error {
		if err := p.h.lease.Check(ctx, r); err != nil {
			return err
		}
		_, err := devicedata.FindRemoval(ctx, r, c.removal.AccountID, c.ID)
		exists = err == nil
		if errors.Is(err, devicedata.ErrNotFound) {
			return nil
		}
		return err
	})
	return exists, err
}

// dropUnwritten deletes the codes and removals that are over and were never written, without calling the lock.
func (p *program) dropUnwritten(ctx context.Context, l *lock, now time.Time) (changed bool, err error) {
	for _, c := range l.codes {
		if c.Slot == 0 && c.Over(now) {
			if err := p.drop(ctx, c, "access_code.deleted"); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}

// drop deletes a code or a removal that is not on its lock.
func (p *program) drop(ctx context.Context, c *lockCode, event data.Change) error {
	now := p.h.s.now()
	if c.row != nil {
		err := c.within(ctx, p.h, func(ctx context.Context, tx data.CustomerTx) error {
			rows, err := devicedata.CodesByKey(ctx, tx.Snapshot, c.account.Customer, c.key())
			if err != nil || rows[0] == nil || !bytes.Equal(rows[0].Encode(), c.row.Encode()) {
				return err
			}
			if err := devicedata.DropCodes(ctx, tx, []devicedata.CodeKey{c.key()}); err != nil {
				return err
			}
			return addCodeEvent(ctx, tx, event, c.row, now, nil)
		})
		if isGone(err) {
			return nil
		}
		return err
	}
	if c.removal.Reason == devicedata.ReasonRequested {
		event = "access_code.unmanaged.removed"
	}
	return p.changeRemoval(ctx, c, event, nil, func(ctx context.Context, tx storage.Tx) (bool, error) {
		return devicedata.DropRemoval(ctx, tx, c.removal.AccountID, c.ID)
	})
}

// changeRemoval changes a removal in a transaction, if this process has the lease. change reports whether there was a change. The event
// is added if the customer of the removal exists.
func (p *program) changeRemoval(ctx context.Context, c *lockCode, event data.Change, failure *CodeError, change func(context.Context, storage.Tx) (bool, error)) error {
	row := &devicedata.Code{ID: c.ID, AccountID: c.removal.AccountID, DeviceID: c.removal.DeviceID()}
	err := c.within(ctx, p.h, func(ctx context.Context, tx data.CustomerTx) error {
		if changed, err := change(ctx, tx.Tx); err != nil || !changed {
			return err
		}
		return addCodeEvent(ctx, tx, event, row, p.h.s.now(), failure)
	})
	if !errors.Is(err, data.ErrCustomerNotFound) {
		return err
	}
	return devicedata.Update(ctx, p.h.s.db, func(tx storage.Tx) error { // the removal has outlived its customer
		if err := p.h.lease.Check(ctx, tx); err != nil {
			return err
		}
		_, err := change(ctx, tx)
		return err
	})
}

// conclude stores what a reading of the lock shows.
func (p *program) conclude(ctx context.Context, l *lock, c *lockCode, step lockplan.Step, limits device.CodeLimits, now time.Time) error {
	switch {
	case step.Action == lockplan.NewPIN:
		return p.chooseOwnPIN(ctx, l, c, otherPINReason(step), limits)
	case step.Action == lockplan.Gone && c.Over(now):
		return p.drop(ctx, c, "access_code.removed_from_device")
	}
	var replaced []byte // the PIN that a code gets that is not on the lock any more
	if c.ClearFirst && step.Action != lockplan.Verify {
		pin, err := p.replacement(ctx, c, &limits, p.used(l))
		if err != nil {
			return p.failCode(ctx, c, err)
		}
		if replaced, err = p.h.s.sealPIN(c.row.AccountID, c.ID, pin); err != nil {
			return err
		}
	}
	_, err := p.updateCode(ctx, c, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
		*d = d.cleared()
		if replaced != nil {
			row.SealedPIN = replaced
		}
		d.Changed, d.Unverified, d.Edited = false, false, false
		if step.Action == lockplan.Verify {
			row.State, row.Slot = byte(lockplan.Set), step.Slot
			d.Hidden = step.Reason == lockplan.Unreadable
			if d.Scheduled = limits.NativeSchedule && now.Before(row.StartsAt); d.Scheduled {
				return "access_code.scheduled_on_device", nil
			}
			return "access_code.set_on_device", nil
		}
		before := row.State
		row.State, row.Slot = byte(lockplan.Unset), 0
		d.ClearFirst, d.Hidden, d.Scheduled = false, false, false
		if step.Action == lockplan.Release || before == byte(lockplan.Setting) {
			return "", nil // it has never been on the lock
		}
		return "access_code.removed_from_device", nil
	})
	return err
}

// cleared stores that the slot of a code is empty. If the code is still needed, it is written again, perhaps with another PIN.
func (p *program) cleared(ctx context.Context, c *lockCode, limits *device.CodeLimits, used func(device.Secret) bool) error {
	p.emptied[c.ID] = true
	if c.removal != nil || !c.ClearFirst {
		return nil // the plan concludes it from the slot
	}
	pin, err := p.replacement(ctx, c, limits, used)
	if err != nil {
		return p.failCode(ctx, c, err)
	}
	sealed, err := p.h.s.sealPIN(c.row.AccountID, c.ID, pin)
	if err != nil {
		return err
	}
	_, err = p.reload(ctx, c, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
		row.SealedPIN = sealed
		d.ClearFirst, d.Changed, d.Hidden, d.Unverified, d.Edited = false, false, false, false, false
		return "access_code.code_changed", nil
	})
	return err
}

// replacement returns the PIN with which a code is written again: one of its own if the lock has refused the PIN of the subject, and
// otherwise the PIN of the subject.
func (p *program) replacement(ctx context.Context, c *lockCode, limits *device.CodeLimits, used func(device.Secret) bool) (pin device.Secret, err error) {
	if c.details.OwnPIN != "" && limits != nil {
		return lockplan.GeneratePIN(p.h.s.db.Rand(), []device.CodeLimits{*limits}, used)
	}
	err = p.h.s.db.Workspace(c.account.workspace).View(ctx, func(s *data.Snapshot) error {
		stored, err := p.h.s.subjectPIN(ctx, s, c.account.Customer, c.row.Subject)
		pin = stored.pin
		return err
	})
	if pin.IsZero() && err == nil {
		pin = c.PIN
	}
	return pin, err
}

// reload is updateCode for a code whose row this program has changed since it was read.
func (p *program) reload(ctx context.Context, c *lockCode, change func(*devicedata.Code, *codeDetails) (data.Change, *CodeError)) (bool, error) {
	var current *devicedata.Code
	err := p.h.s.db.Workspace(c.account.workspace).View(ctx, func(s *data.Snapshot) error {
		rows, err := devicedata.CodesByKey(ctx, s, c.account.Customer, c.key())
		current = rows[0]
		return err
	})
	if err != nil || current == nil || string(current.SealedPIN) != string(c.row.SealedPIN) {
		return false, err
	}
	again := *c
	again.row = current
	if again.details, err = decodeCodeDetails(current.Details); err != nil {
		return false, err
	}
	return p.updateCode(ctx, &again, change)
}

// otherPINReason explains why a code gets another PIN on its lock.
func otherPINReason(step lockplan.Step) string {
	switch {
	case step.Reason == lockplan.Constraint:
		return "the lock does not accept the PIN of the access grant"
	case step.Other != nil:
		return fmt.Sprintf("the access code %s has the same PIN", step.Other.ID)
	}
	return fmt.Sprintf("slot %d, which this library did not write, has the same PIN", step.OtherSlot)
}

// chooseOwnPIN gives a code a PIN that the lock accepts. If the lock holds the code, it is cleared first.
func (p *program) chooseOwnPIN(ctx context.Context, l *lock, c *lockCode, reason string, limits device.CodeLimits) error {
	if p.newPINs[c.ID]++; p.newPINs[c.ID] > maxNewPINs {
		return p.failCode(ctx, c, errors.New("the lock has refused several PINs: "+reason))
	}
	if c.Slot != 0 && p.slot(c.Slot).Occupied() {
		_, err := p.reload(ctx, c, func(_ *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
			d.ClearFirst, d.OwnPIN = true, reason
			return "", nil
		})
		return err
	}
	pin, err := lockplan.GeneratePIN(p.h.s.db.Rand(), []device.CodeLimits{limits}, p.used(l))
	if errors.Is(err, lockplan.ErrNoPIN) {
		return p.failCode(ctx, c, err)
	}
	if err != nil {
		return err
	}
	sealed, err := p.h.s.sealPIN(c.row.AccountID, c.ID, pin)
	if err != nil {
		return err
	}
	_, err = p.reload(ctx, c, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
		row.SealedPIN, d.OwnPIN = sealed, reason
		return "access_code.code_changed", nil
	})
	return err
}

// slot returns a slot as the lock shows it.
func (p *program) slot(index int) device.Slot {
	for _, s := range p.slots {
		if s.Index == index {
			return s
		}
	}
	return device.Slot{}
}

// used returns a function that reports whether a PIN is on the lock, or is the one of a stored code.
func (p *program) used(l *lock) func(device.Secret) bool {
	return func(pin device.Secret) bool {
		return slices.ContainsFunc(p.slots, func(s device.Slot) bool { return s.PIN == pin }) ||
			slices.ContainsFunc(l.codes, func(c *lockCode) bool { return c.PIN == pin })
	}
}

// rejected handles a code that the lock has refused.
func (p *program) rejected(ctx context.Context, l *lock, c *lockCode, slot int, rejected *device.RejectedError) error {
	if c.row == nil {
		return p.failCode(ctx, c, rejected)
	}
	if !p.slot(slot).Occupied() { // the command had no effect, so the slot is free
		if _, err := p.reload(ctx, c, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
			row.State, row.Slot, d.Unverified, d.Edited = byte(lockplan.Unset), 0, false, false
			return "", nil
		}); err != nil {
			return err
		}
		c.Slot = 0
	}
	switch rejected.Reason {
	case device.RejectedDuplicate:
		if p.slot(slot).Occupied() { // our code, with other times
			return p.failCode(ctx, c, rejected)
		}
		if rejected.Slot == 0 {
			return p.chooseOwnPIN(ctx, l, c, "the lock says that another code has the same PIN", *l.limits)
		}
		return p.chooseOwnPIN(ctx, l, c, otherPINReason(lockplan.Step{OtherSlot: rejected.Slot}), *l.limits)
	case device.RejectedConstraint:
		if aboutPIN(rejected.Constraint) && !p.slot(slot).Occupied() {
			return p.chooseOwnPIN(ctx, l, c, otherPINReason(lockplan.Step{Reason: lockplan.Constraint}), *l.limits)
		}
	case device.RejectedFull:
		p.failed[c.ID] = true
		now := p.h.s.now()
		_, err := p.reload(ctx, c, failing(CodeNoSpace, "the lock holds as many codes as it can", now, now.Add(waitPause)))
		return err
	}
	return p.failCode(ctx, c, rejected)
}

// aboutPIN reports whether another PIN can obey a constraint. It may be unknown.
func aboutPIN(c device.Constraint) bool {
	return c != device.StartInFuture && c != device.NameMustBeUnique && c != device.CannotSpecifyPIN
}
