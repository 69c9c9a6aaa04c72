package devicedata

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Removals yields the pending removals of all workspaces of the store, by account and then by code id.
func Removals(ctx context.Context, r storage.Reader) iter.Seq2[*Removal, error] {
	return removals(ctx, r, layout.RemovalsPrefix())
}

// RemovalsOfAccount yields the pending removals of one account by code id.
func RemovalsOfAccount(ctx context.Context, r storage.Reader, account uuid.UUID) iter.Seq2[*Removal, error] {
	return removals(ctx, r, layout.AccountRemovalsPrefix(account))
}

func removals(ctx context.Context, r storage.Reader, prefix []byte) iter.Seq2[*Removal, error] {
	return scan(ctx, r, storage.Prefix(prefix), func(e storage.Entry) (*Removal, error) {
		k, err := layout.ParseAs(layout.ShapeRemoval, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodeRemoval(k.Account, k.ID, e.Value)
	})
}

// CountRemovals returns the number of pending removals of all workspaces, or only those of the given account if account is not
// the zero id.
func CountRemovals(ctx context.Context, r storage.Reader, account uuid.UUID) (n int, err error) {
	prefix := layout.RemovalsPrefix()
	if account != uuid.Nil {
		prefix = layout.AccountRemovalsPrefix(account)
	}
	for _, err := range r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// FindRemoval reads a pending removal, or returns [ErrNotFound].
func FindRemoval(ctx context.Context, r storage.Reader, account, code uuid.UUID) (*Removal, error) {
	rows, err := r.Get(ctx, layout.Removal(account, code))
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, fmt.Errorf("%w: the removal of the access code %s", ErrNotFound, code)
	}
	return devicerow.DecodeRemoval(account, code, rows[0])
}

// RemovalAccounts yields the accounts with pending removals, of all workspaces, in the order of their ids. It begins with the first id
// that is not less than from. The account itself, or its customer, may be deleted: then only these rows lead to the devices.
func RemovalAccounts(ctx context.Context, r storage.Reader, from uuid.UUID) iter.Seq2[*RemovalAccount, error] {
	rows := storage.Prefix(layout.RemovalAccountsPrefix())
	rows.Start = layout.RemovalAccount(from)
	return scan(ctx, r, rows, func(e storage.Entry) (*RemovalAccount, error) {
		k, err := layout.ParseAs(layout.ShapeRemovalAccount, e.Key)
		if err != nil {
			return nil, err
		}
		return devicerow.DecodeRemovalAccount(k.ID, e.Value)
	})
}

// FindRemovalAccount reads an account with pending removals, or returns [ErrNotFound] if it has none.
func FindRemovalAccount(ctx context.Context, r storage.Reader, id uuid.UUID) (*RemovalAccount, error) {
	rows, err := r.Get(ctx, layout.RemovalAccount(id))
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, fmt.Errorf("%w: the account %s has no removals", ErrNotFound, id)
	}
	return devicerow.DecodeRemovalAccount(id, rows[0])
}

// CurrentSecret returns the sealed secret with which the removals of an account can be carried out, and the id of the account for
// whose [SecretKey] it is sealed. If the workspace has connected the same account at the provider again after it was deleted, that is
// the new secret. Otherwise it is the secret that the account had last.
func CurrentSecret(ctx context.Context, r storage.Reader, a *RemovalAccount) (account uuid.UUID, sealed []byte, err error) {
	var newest *Account
	for at, err := range AccountsAtProvider(ctx, r, a.Provider, a.ExternalID) {
		if err != nil {
			return account, nil, err
		}
		if at.Workspace != a.Workspace {
			continue
		}
		found, err := devicerow.ReadAccounts(ctx, r, at.Customer, []uuid.UUID{at.ID})
		if err != nil {
			return account, nil, err
		}
		if found[0] != nil && (newest == nil || found[0].UpdatedAt.After(newest.UpdatedAt)) {
			newest = found[0]
		}
	}
	if newest == nil {
		return a.ID, a.SealedSecret, nil
	}
	return newest.ID, newest.SealedSecret, nil
}

// AddRemoval schedules the removal of a code that is on a device of the customer and is not one of its access codes. It uses the CodeID,
// the Slot, the SealedPIN, the Reason and the Details of r. The CodeID must never be used again. The removal is due at once.
func AddRemoval(ctx context.Context, tx data.CustomerTx, device uuid.UUID, r Removal) error {
	c := IDOf(tx.Customer)
	rows, err := devicerow.ReadDevices(ctx, tx.Tx, c, []uuid.UUID{device})
	if err != nil {
		return err
	}
	var found faults
	found.bytes("sealed_pin", r.SealedPIN, maxSealed)
	found.bytes("details", r.Details, maxDetails)
	if r.CodeID == uuid.Nil {
		found.add("code_id", validation.RuleRequired, nil, "is required")
	}
	if rows[0] == nil {
		found.missing("device_id", "there is no device %s", device)
	}
	if err := found.err(); err != nil {
		return err
	}
	accounts, err := devicerow.ReadAccounts(ctx, tx.Tx, c, []uuid.UUID{rows[0].AccountID})
	if err != nil {
		return err
	}
	if accounts[0] == nil {
		return fmt.Errorf("%w: the account %s of a device", ErrNotFound, rows[0].AccountID)
	}
	code := Code{ID: r.CodeID, Slot: r.Slot, SealedPIN: r.SealedPIN, Details: r.Details}
	if err := writeRows(tx.Tx, code.Removal(rows[0], r.Reason, timeOf(tx.Snapshot)).Rows, false); err != nil {
		return err
	}
	return tx.Tx.Put(layout.RemovalAccount(accounts[0].ID), accounts[0].RemovalAccount(tx.WorkspaceID()).Encode())
}

// UpdateRemoval changes the SealedPIN, the DueAt or the Details of a pending removal. It ignores other changes that fn makes. It returns
// [ErrNotFound] if there is no such removal.
func UpdateRemoval(ctx context.Context, tx storage.Tx, account, code uuid.UUID, fn func(*Removal) error) error {
	stored, err := FindRemoval(ctx, tx, account, code)
	if err != nil {
		return err
	}
	changed := *stored
	if err := fn(&changed); err != nil {
		return err
	}
	var found faults
	found.bytes("sealed_pin", changed.SealedPIN, maxSealed)
	found.bytes("details", changed.Details, maxDetails)
	if err := found.err(); err != nil {
		return err
	}
	if err := writeRows(tx, stored.Rows, true); err != nil {
		return err
	}
	stored.SealedPIN, stored.DueAt, stored.Details = changed.SealedPIN, changed.DueAt, changed.Details
	return writeRows(tx, stored.Rows, false)
}

// writeRows writes or deletes the rows that rows yields.
func writeRows(tx storage.Tx, rows func(func(key, value []byte)), remove bool) (err error) {
	rows(func(key, value []byte) {
		switch {
		case err != nil:
		case remove:
			err = tx.Delete(key)
		default:
			err = tx.Put(key, value)
		}
	})
	return err
}

// UpdateRemovalSecret replaces the sealed secret of an account with pending removals, for example with a value that is sealed
// with another master key. [UpdateAccount] does the same for an account that exists. It returns [ErrNotFound] if the account
// has no removals.
func UpdateRemovalSecret(ctx context.Context, tx storage.Tx, account uuid.UUID, sealed []byte) error {
	stored, err := FindRemovalAccount(ctx, tx, account)
	if err != nil {
		return err
	}
	var found faults
	found.bytes("sealed_secret", sealed, maxSealed)
	if err := found.err(); err != nil {
		return err
	}
	stored.SealedSecret = sealed
	return tx.Put(layout.RemovalAccount(account), stored.Encode())
}

// DropRemoval deletes a pending removal, because the device has confirmed it or because it is given up. It reports whether there
// was one.
func DropRemoval(ctx context.Context, tx storage.Tx, account, code uuid.UUID) (bool, error) {
	stored, err := FindRemoval(ctx, tx, account, code)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := writeRows(tx, stored.Rows, true); err != nil {
		return false, err
	}
	for _, err := range tx.Scan(ctx, storage.Prefix(layout.AccountRemovalsPrefix(account)), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		return true, err // the account has other removals
	}
	return true, tx.Delete(layout.RemovalAccount(account))
}

// AccountAt is a customer's account at a provider.
type AccountAt struct {
	Provider   string
	ExternalID string
	Workspace  uuid.UUID
	Customer   CustomerID
	ID         uuid.UUID
}

// AllAccounts yields the accounts of all customers of all workspaces, by provider and external id.
func AllAccounts(ctx context.Context, r storage.Reader) iter.Seq2[AccountAt, error] {
	return accountsAt(ctx, r, layout.AllProviderAccountsPrefix())
}

// AccountsAtProvider yields the accounts of all customers of all workspaces that have this external id at the provider, such as
// the accounts of two customers who have connected the same hub.
func AccountsAtProvider(ctx context.Context, r storage.Reader, provider, externalID string) iter.Seq2[AccountAt, error] {
	return accountsAt(ctx, r, layout.ProviderAccountPrefix(provider, externalID))
}

// accountsAt yields the accounts with a prefix whose customers exist. It reads the customers in batches.
func accountsAt(ctx context.Context, r storage.Reader, prefix []byte) iter.Seq2[AccountAt, error] {
	decode := func(e storage.Entry) (a AccountAt, err error) {
		k, err := layout.ParseAs(layout.ShapeProviderAccount, e.Key)
		if err != nil {
			return a, err
		}
		a = AccountAt{Provider: k.Provider, ExternalID: k.Key, Customer: k.Customer}
		a.Workspace, a.ID, err = devicerow.DecodeProviderAccount(e.Value)
		return a, err
	}
	return inBatches(ctx, r, storage.Prefix(prefix), storage.ScanOptions{}, decode, func(batch []AccountAt) ([]AccountAt, error) {
		keys := make([][]byte, len(batch))
		for i, a := range batch {
			keys[i] = layout.CustomerRow(a.Customer)
		}
		rows, err := r.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		// The rows of a deleted customer wait for the sweep.
		return lo.Filter(batch, func(_ AccountAt, i int) bool { return rows[i] != nil }), nil
	})
}
