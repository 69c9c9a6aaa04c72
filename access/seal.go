package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// sealedValue is a stored value that is sealed.
type sealedValue struct {
	purpose keys.Purpose
	rowKey  []byte
	sealed  []byte

	// Its place: an account, a code of it, or a pending removal.
	workspace uuid.UUID
	customer  devicedata.CustomerID
	account   uuid.UUID
	code      devicedata.CodeKey // zero for the secret of an account and the PIN of a subject; of an unmanaged code, its device and its id
	unmanaged bool               // the code is an unmanaged one, in the row of its device
	subject   devicedata.Subject // an access grant or a staff member, whose PIN it is; zero for the other values
	removal   bool               // the row belongs to no customer
}

// openSecret opens the secret of an account.
func (s *Service) openSecret(account uuid.UUID, sealed []byte) (device.Secret, error) {
	secret, err := s.keys.Open(keys.PurposeAccount, devicedata.SecretKey(account), sealed)
	return device.NewSecret(string(secret)), err
}

// sealedValues calls fn with every sealed value of the store. It reads each customer in a snapshot of its own.
func (s *Service) sealedValues(ctx context.Context, fn func(sealedValue) error) error {
	workspaces, err := s.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, id := range workspaces {
		var owners []devicedata.CustomerID
		err := s.db.Workspace(id).View(ctx, func(snapshot *data.Snapshot) error {
			owners = nil
			for c, err := range devicedata.CustomersWithRows(ctx, snapshot, id) {
				if err != nil {
					return err
				}
				owners = append(owners, devicedata.IDOf(c))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, c := range owners {
			if err := s.sealedOf(ctx, id, c, fn); err != nil {
				return err
			}
		}
	}
	return s.sealedRemovals(ctx, fn)
}

// sealedOf calls fn with the sealed values of one customer.
func (s *Service) sealedOf(ctx context.Context, workspace uuid.UUID, customer devicedata.CustomerID, fn func(sealedValue) error) error {
	var found []sealedValue
	err := s.db.Workspace(workspace).View(ctx, func(snapshot *data.Snapshot) error {
		found = nil
		if _, err := customerByID(ctx, snapshot, customer); err != nil {
			return err
		}
		for a, err := range devicedata.Accounts(ctx, snapshot, customer) {
			if err != nil {
				return err
			}
			found = append(found, sealedValue{
				purpose: keys.PurposeAccount, rowKey: devicedata.SecretKey(a.ID), sealed: a.SealedSecret,
				workspace: workspace, customer: customer, account: a.ID,
			})
		}
		for c, err := range devicedata.Codes(ctx, snapshot, customer) {
			if err != nil {
				return err
			}
			if len(c.SealedPIN) == 0 {
				continue
			}
			found = append(found, sealedValue{
				purpose: keys.PurposePIN, rowKey: devicedata.PINKey(c.AccountID, c.ID), sealed: c.SealedPIN,
				workspace: workspace, customer: customer, account: c.AccountID, code: devicedata.CodeKey{Device: c.DeviceID, Code: c.ID},
			})
		}
		for p, err := range devicedata.SubjectPINs(ctx, snapshot, customer) {
			if err != nil {
				return err
			}
			found = append(found, sealedValue{
				purpose: keys.PurposePIN, rowKey: devicedata.SubjectPINKey(customer, p.Subject), sealed: p.Sealed,
				workspace: workspace, customer: customer, subject: p.Subject,
			})
		}
		for d, err := range devicedata.Devices(ctx, snapshot, customer, uuid.Nil) {
			if err != nil {
				return err
			}
			var details deviceDetails
			if decode("the details of a device", d.Details, &details) != nil {
				continue // the device is reported where it is used
			}
			for _, u := range details.Unmanaged {
				if len(u.SealedPIN) > 0 {
					found = append(found, sealedValue{
						purpose: keys.PurposePIN, rowKey: devicedata.PINKey(d.AccountID, u.ID), sealed: u.SealedPIN,
						workspace: workspace, customer: customer, account: d.AccountID, code: devicedata.CodeKey{Device: d.ID, Code: u.ID}, unmanaged: true,
					})
				}
			}
		}
		return nil
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil // deleted in the meantime
	}
	if err != nil {
		return err
	}
	return forEach(found, fn)
}

// forEach calls fn with each value until it returns an error.
func forEach(values []sealedValue, fn func(sealedValue) error) error {
	for _, v := range values {
		if err := fn(v); err != nil {
			return err
		}
	}
	return nil
}

// sealedRemovals calls fn with the sealed values of pending removals.
func (s *Service) sealedRemovals(ctx context.Context, fn func(sealedValue) error) error {
	var found []sealedValue
	err := devicedata.View(ctx, s.db, func(r storage.Reader) error {
		found = nil
		for a, err := range devicedata.RemovalAccounts(ctx, r, uuid.Nil) {
			if err != nil {
				return err
			}
			found = append(found, sealedValue{purpose: keys.PurposeAccount, rowKey: devicedata.SecretKey(a.ID), sealed: a.SealedSecret, account: a.ID, removal: true})
		}
		for v, err := range devicedata.Removals(ctx, r) {
			if err != nil {
				return err
			}
			if len(v.SealedPIN) > 0 {
				found = append(found, sealedValue{
					purpose: keys.PurposePIN, rowKey: devicedata.PINKey(v.AccountID, v.CodeID), sealed: v.SealedPIN,
					account: v.AccountID, code: devicedata.CodeKey{Code: v.CodeID}, removal: true,
				})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return forEach(found, fn)
}

// SealedBySlot counts the stored sealed values of all workspaces by the key slot that sealed them: secrets of accounts, PINs, and
// those of pending removals. It reads all accounts, devices, access codes, PINs and removals. A slot that it does not contain can be removed
// from the ring, if no link uses it.
func (s *Service) SealedBySlot(ctx context.Context) (map[int]int, error) {
	counts := map[int]int{}
	err := s.sealedValues(ctx, func(v sealedValue) error {
		slot, err := keys.SealedSlot(v.sealed)
		if err == nil {
			counts[slot]++
		}
		return err
	})
	return counts, err
}

// CheckKeys returns an error that matches [ErrSlotInUse] if a stored value was sealed with a slot that next does not have. A
// program calls it with its keys at its start and refuses to start, so that nobody drops a slot that is in use.
func (s *Service) CheckKeys(ctx context.Context, next *keys.Ring) error {
	counts, err := s.SealedBySlot(ctx)
	if err != nil {
		return err
	}
	for slot := range keys.Slots {
		if counts[slot] > 0 && !next.Has(slot) {
			return fmt.Errorf("%w: %d stored values are sealed with slot %d: keep its master until Reseal has sealed them with the active one", ErrSlotInUse, counts[slot], slot)
		}
	}
	return nil
}

// Reseal seals the stored values that were not sealed with the active slot again, with the active one, and returns their number.
// It writes each value in a transaction of its own, and may be interrupted and repeated. Connections stay open. [Service.Run] does
// it every hour. If a value cannot be opened, for example because the ring does not have its slot any more, Reseal continues with
// the others and returns the first such error.
func (s *Service) Reseal(ctx context.Context) (resealed int, err error) {
	var unopened error
	err = s.sealedValues(ctx, func(v sealedValue) error {
		slot, err := keys.SealedSlot(v.sealed)
		if err == nil && slot == s.keys.Active() {
			return nil
		}
		changed := false
		if err == nil {
			changed, err = s.resealValue(ctx, v)
		}
		if changed {
			resealed++
		}
		if errors.Is(err, keys.ErrNoMaster) || errors.Is(err, keys.ErrCannotOpen) {
			if unopened == nil {
				unopened = fmt.Errorf("access: a sealed value of the account %s: %w", v.account, err)
			}
			return nil
		}
		return err
	})
	return resealed, errors.Join(err, unopened)
}

// resealValue seals one value again, unless it was changed or deleted in the meantime.
func (s *Service) resealValue(ctx context.Context, v sealedValue) (changed bool, err error) {
	plain, err := s.keys.Open(v.purpose, v.rowKey, v.sealed)
	if err != nil {
		return false, err
	}
	next, err := s.keys.Seal(v.purpose, v.rowKey, plain, s.db.Rand())
	if err != nil {
		return false, err
	}
	same := func(stored []byte) bool { return bytes.Equal(stored, v.sealed) }
	if v.removal {
		err = devicedata.Update(ctx, s.db, func(tx storage.Tx) (err error) {
			changed, err = resealRemoval(ctx, tx, v, next, same)
			return err
		})
	} else {
		err = devicedata.Within(ctx, s.db.Workspace(v.workspace), v.customer, func(ctx context.Context, tx data.CustomerTx) (err error) {
			changed, err = resealRow(ctx, tx, v, next, same)
			return err
		})
	}
	if isGone(err) {
		return false, nil
	}
	return changed && err == nil, err
}

func resealRow(ctx context.Context, tx data.CustomerTx, v sealedValue, next []byte, same func([]byte) bool) (bool, error) {
	if v.unmanaged {
		changed := false
		err := changeUnmanaged(ctx, tx, v.code.Device, func(stored []unmanagedCode) []unmanagedCode {
			for i, u := range stored {
				if u.ID == v.code.Code && same(u.SealedPIN) {
					stored[i].SealedPIN, changed = next, true
				}
			}
			return stored
		})
		return changed, err
	}
	if v.code != (devicedata.CodeKey{}) {
		codes, err := devicedata.CodesByKey(ctx, tx.Snapshot, v.customer, v.code)
		if err != nil || codes[0] == nil || !same(codes[0].SealedPIN) {
			return false, err
		}
		codes[0].SealedPIN = next
		return true, devicedata.UpdateCodes(ctx, tx, []devicedata.Code{*codes[0]})
	}
	if v.subject != (devicedata.Subject{}) {
		sealed, err := devicedata.SubjectPIN(ctx, tx.Snapshot, v.customer, v.subject)
		if err != nil || !same(sealed) {
			return false, err
		}
		return true, devicedata.SetSubjectPIN(ctx, tx, v.subject, next)
	}
	accounts, err := devicedata.FindAccounts(ctx, tx.Snapshot, v.account)
	if err != nil || accounts[0] == nil || !same(accounts[0].SealedSecret) {
		return false, err
	}
	accounts[0].SealedSecret = next
	return true, devicedata.UpdateAccount(ctx, tx, *accounts[0])
}

func resealRemoval(ctx context.Context, tx storage.Tx, v sealedValue, next []byte, same func([]byte) bool) (changed bool, err error) {
	if v.code != (devicedata.CodeKey{}) {
		err := devicedata.UpdateRemoval(ctx, tx, v.account, v.code.Code, func(r *devicedata.Removal) error {
			if changed = same(r.SealedPIN); changed {
				r.SealedPIN = next
			}
			return nil
		})
		return changed, err
	}
	stored, err := devicedata.FindRemovalAccount(ctx, tx, v.account)
	if err != nil || !same(stored.SealedSecret) {
		return false, err
	}
	return true, devicedata.UpdateRemovalSecret(ctx, tx, v.account, next)
}
