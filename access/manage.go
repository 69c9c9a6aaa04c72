package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// An unmanaged code becomes the code of a new access grant that names only its lock. The row of the code claims the slot in the state
// Setting, as if the library were about to write it there. So the next reading of the lock either verifies the code, or finds that its
// slot is empty or holds another code, and no slot is cleared. The id of the code remains.
//
// A code whose PIN the lock does not show is refused. The library could neither recognize nor repair it, and a reading could not tell it
// from the code of somebody else who has used the slot since.

// ManageCode makes an unmanaged code of the scope one of this library, with an access grant of its own, and returns it. Its id, its slot,
// its PIN and its times remain. The code is CodeSetting until the lock has shown it again. While the [Service] runs, it keeps the code
// on the lock. ManageCode calls no device.
//
// ManageCode returns [ErrCodeNotFound], and a [validation.Error] with the path "access_code_id" for a code that cannot be managed: if the
// lock does not show its PIN, if it does not open the lock or its time has ended, if it would be written only later, if its time is not
// longer than the lead and the grace of the rules, and if the rules of the customer give access grants no codes.
func (c *Scope) ManageCode(ctx context.Context, id uuid.UUID) (code Code, err error) {
	unmanaged, lock, err := c.UnmanagedCode(ctx, id)
	if err != nil {
		return code, err
	}
	own := c.s.Workspace(c.w.ID()).Customer(lock.CustomerKey)
	_, rules, err := own.Rules(ctx)
	if err != nil {
		return code, err
	}
	g := unmanaged.grant(lock, rules.effective())
	if !g.EndsAt.IsZero() && !g.EndsAt.After(g.StartsAt) {
		return code, invalid("access_code_id", validation.RuleRange, nil,
			"cannot be managed, because its time is not longer than the minutes before and after a stay that the rules add: delete it, and create an access code")
	}
	defer c.s.due.set()
	_, err = c.w.PushWith(ctx, data.CustomerData{CustomerKey: lock.CustomerKey, AccessGrants: []data.AccessGrant{g}}, data.PushOptions{
		Guard: func(_ context.Context, _ *data.Snapshot, report data.PushReport) error {
			if report.CustomerCreated || report.Resources[0].Change != data.Created { // the code was managed, or its customer deleted, in the meantime
				return ErrCodeNotFound
			}
			return nil
		},
		Within: func(ctx context.Context, tx data.CustomerTx) error {
			if err := c.s.manage(ctx, c.w, tx, unmanaged, lock, g); err != nil {
				return err
			}
			codes, err := own.At(tx.Snapshot).CodesOf(ctx, g.Ref())
			if err == nil {
				code = codes[g.Ref()][0]
			}
			return err
		},
	})
	if isGone(err) {
		err = ErrCodeNotFound
	}
	return code, err
}

// grant returns the access grant of an unmanaged code that becomes a managed one. Its window under the rules is that of the code.
func (u UnmanagedCode) grant(lock Device, rules effectiveRules) data.AccessGrant {
	g := data.AccessGrant{Kind: data.KindAccessGrant, Key: u.ID.String(), Name: u.Name, Devices: []uuid.UUID{lock.ID}}
	if g.Name == "" {
		g.Name = fmt.Sprintf("Slot %d of %s", u.Slot, lock.Name)
	}
	if !u.StartsAt.IsZero() {
		g.StartsAt = u.StartsAt.Add(rules.lead)
	}
	if !u.EndsAt.IsZero() {
		g.EndsAt = u.EndsAt.Add(-rules.grace)
	}
	return g
}

// manage creates the code of the grant g, which takes the place of an unmanaged one.
func (s *Service) manage(ctx context.Context, w *data.Workspace, tx data.CustomerTx, u UnmanagedCode, lock Device, g data.AccessGrant) error {
	stored, err := s.takeUnmanaged(ctx, tx, u, lock)
	if err != nil {
		return err
	}
	customer := devicedata.IDOf(tx.Customer)
	common, own, err := readRules(ctx, tx.Tx, w, customer)
	if err != nil {
		return err
	}
	p := newCodePlan(s, tx)
	p.rules = own.over(common).effective()
	sp, _ := p.subject(g)
	if err := p.readLocks(ctx, []subjectPlan{sp}); err != nil {
		return err
	}
	limits := p.locks[lock.ID].limits
	writeAt := p.writeAt(sp.starts, limits)
	refuse := func(format string, args ...any) error {
		return invalid("access_code_id", validation.RuleNotThereYet, nil, format, args...)
	}
	switch {
	case !p.locks[lock.ID].accepts:
		return refuse("cannot be managed, because the lock has no access codes at present")
	case u.PIN.IsZero():
		return refuse("cannot be managed, because the lock does not show its PIN, or the key of the stored PIN is missing: delete it, and create an access code")
	case u.Disabled:
		return refuse("cannot be managed, because it is disabled at the lock: enable or delete it there")
	case !sp.wanted:
		return refuse("cannot be managed, because the rule reservation_created of its customer is off, so that access grants have no codes")
	case sp.over(p.now):
		return refuse("cannot be managed, because its time has ended: delete it")
	case p.now.Before(writeAt):
		return refuse("cannot be managed before %s, because the library writes no code earlier", data.FormatTime(writeAt))
	}
	sealed, err := s.keys.Seal(keys.PurposePIN, devicedata.SubjectPINKey(customer, sp.subject), storedPIN{pin: u.PIN}.encode(), s.db.Rand())
	if err != nil {
		return err
	}
	if err := devicedata.SetSubjectPIN(ctx, tx, sp.subject, sealed); err != nil {
		return err
	}
	row := devicedata.Code{
		ID: u.ID, DeviceID: lock.ID, AccountID: lock.AccountID, Subject: sp.subject, Slot: u.Slot, SealedPIN: stored.SealedPIN,
		State: byte(lockplan.Setting), StartsAt: sp.starts, EndsAt: sp.ends,
	}
	setDetails(&row, codeDetails{WriteAt: writeAt}, p.now)
	p.created = append(p.created, row)
	p.event("access_code.unmanaged.converted_to_managed", &row)
	return p.write(ctx)
}

// DeleteUnmanagedCode schedules the removal of an unmanaged code of the scope from its lock. While the [Service] runs, it clears the slot
// of the code, unless the lock shows another PIN, or, if PINs are hidden, another name or other times. [Scope.Removals] lists the removal
// until the lock has confirmed it. DeleteUnmanagedCode calls no device. It returns the lock, or [ErrCodeNotFound].
func (c *Scope) DeleteUnmanagedCode(ctx context.Context, id uuid.UUID) (lock Device, err error) {
	unmanaged, lock, err := c.UnmanagedCode(ctx, id)
	if err != nil {
		return lock, err
	}
	customer, err := c.s.Workspace(c.w.ID()).Customer(lock.CustomerKey).customerID(ctx)
	if err == nil {
		defer c.s.due.set()
		err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
			stored, err := c.s.takeUnmanaged(ctx, tx, unmanaged, lock)
			if err != nil {
				return err
			}
			shown := codeDetails{Shown: lockplan.Fingerprint(id, stored.Name, stored.StartsAt, stored.EndsAt)}
			return devicedata.AddRemoval(ctx, tx, lock.ID, devicedata.Removal{
				CodeID: id, Slot: unmanaged.Slot, SealedPIN: stored.SealedPIN, Reason: devicedata.ReasonRequested, Details: encode(shown),
			})
		})
	}
	if isGone(err) {
		err = ErrCodeNotFound
	}
	return lock, err
}

// takeUnmanaged removes an unmanaged code from those of its device, and returns its stored form. It returns [ErrCodeNotFound] if the lock
// has shown something else in the meantime, or if one of our codes has claimed the slot.
func (s *Service) takeUnmanaged(ctx context.Context, tx data.CustomerTx, u UnmanagedCode, lock Device) (taken unmanagedCode, err error) {
	found := false
	err = changeUnmanaged(ctx, tx, lock.ID, func(stored []unmanagedCode) []unmanagedCode {
		codes := newUnmanaged(lock.ID, stored)
		i := slices.IndexFunc(codes, func(code UnmanagedCode) bool { return code.ID == u.ID })
		if found = i >= 0; found {
			taken = stored[i]
			stored = slices.Delete(stored, i, i+1)
		}
		return stored
	})
	if err != nil {
		return taken, err
	}
	claimed, err := s.isClaimed(ctx, tx, lock, u.Slot)
	if err == nil && (!found || claimed) {
		err = ErrCodeNotFound
	}
	return taken, err
}

// isClaimed reports whether an access code or a removal has a slot of a lock, in any account that lists it.
func (s *Service) isClaimed(ctx context.Context, tx data.CustomerTx, lock Device, slot int) (bool, error) {
	account, err := devicedata.FindAccounts(ctx, tx.Snapshot, lock.AccountID)
	if err != nil || account[0] == nil {
		return false, err
	}
	provider, external := account[0].Provider, account[0].ExternalID
	for at, err := range devicedata.AccountsAtProvider(ctx, tx.Tx, provider, external) {
		if err != nil {
			return false, err
		}
		snapshot := s.db.Workspace(at.Workspace).At(tx.Tx)
		for row, err := range devicedata.CodesOfDevice(ctx, snapshot, at.Customer, devicedata.DeviceID(at.ID, lock.ExternalID)) {
			if err != nil || row.Slot == slot {
				return true, err
			}
		}
	}
	for a, err := range devicedata.RemovalAccounts(ctx, tx.Tx, uuid.Nil) {
		if err != nil {
			return false, err
		}
		if a.Provider != provider || a.ExternalID != external {
			continue
		}
		if claimed, err := isRemoved(ctx, tx.Tx, a.ID, lock.ExternalID, slot); err != nil || claimed {
			return claimed, err
		}
	}
	return false, nil
}

// isRemoved reports whether an account has a removal in a slot of a lock.
func isRemoved(ctx context.Context, r storage.Reader, account uuid.UUID, externalID string, slot int) (bool, error) {
	for removal, err := range devicedata.RemovalsOfAccount(ctx, r, account) {
		if err != nil || removal.DeviceExternalID == externalID && removal.Slot == slot {
			return true, err
		}
	}
	return false, nil
}
