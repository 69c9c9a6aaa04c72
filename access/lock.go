package access

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/storage"
)

// lockCode is an access code or a removal of a lock, with its row.
type lockCode struct {
	lockplan.Code
	account  stored // of a removal, the Account may have only an id
	row      *devicedata.Code
	removal  *devicedata.Removal
	details  codeDetails
	unopened error // the PIN cannot be opened
}

// lock is everything that is stored about the access codes of one lock. If several customers have connected its account, it contains
// the codes of all of them.
type lock struct {
	limits  *device.CodeLimits // nil if no account lists the device, or if it has no access codes
	codes   []*lockCode
	devices []lockDevice
}

// lockDevice is the row of the lock in one account.
type lockDevice struct {
	account   stored
	id        uuid.UUID
	unmanaged []unmanagedCode
}

// readLock reads the codes and the removals of a lock.
func (h *holder) readLock(ctx context.Context, externalID string) (*lock, error) {
	accounts, err := h.accounts(ctx)
	if err != nil {
		return nil, err
	}
	var found *lock
	err = devicedata.View(ctx, h.s.db, func(r storage.Reader) error {
		found = &lock{}
		for id, account := range accounts {
			if account.damaged {
				continue
			}
			if err := h.readCodes(ctx, r, found, account, devicedata.DeviceID(id, externalID)); err != nil {
				return err
			}
		}
		orphans, err := h.removalAccounts(ctx, r)
		if err != nil {
			return err
		}
		for _, a := range orphans {
			account, exists := accounts[a.ID]
			if !exists || account.damaged {
				account = stored{Account: &devicedata.Account{ID: a.ID, Customer: a.Customer}, workspace: a.Workspace}
			}
			if err := h.readRemovals(ctx, r, found, account, externalID); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// readCodes adds the codes of a device of one account.
func (h *holder) readCodes(ctx context.Context, r storage.Reader, found *lock, account stored, id uuid.UUID) error {
	snapshot := h.s.db.Workspace(account.workspace).At(r)
	devices, err := devicedata.DevicesByID(ctx, snapshot, account.Customer, id)
	if err != nil || devices[0] == nil {
		return err
	}
	var details deviceDetails
	if err := decode("the details of a device", devices[0].Details, &details); err != nil {
		return err
	}
	found.devices = append(found.devices, lockDevice{account, id, details.Unmanaged})
	if details.Codes != nil {
		found.limits = details.Codes
	}
	rows, err := h.codesToProgram(ctx, snapshot, account, id)
	if err != nil {
		return err
	}
	for _, row := range rows {
		c := &lockCode{account: account, row: row}
		c.ID, c.Slot, c.State, c.StartsAt, c.EndsAt = row.ID, row.Slot, lockplan.State(row.State), row.StartsAt, row.EndsAt
		if err := h.complete(c, row.Details, row.AccountID, row.SealedPIN); err != nil {
			return err
		}
		found.codes = append(found.codes, c)
	}
	return nil
}

// knownCodes contains codes of a device that a holder remembers. No other process programs the device.
type knownCodes struct {
	many    bool                        // it has more than manyCodes codes
	slotted map[devicedata.CodeKey]bool // those that have or may have a slot
}

// manyCodes is the number of codes of a device up to which all of them are read at each step of its program.
const manyCodes = 200

// codesToProgram returns the codes of a device: all of them, or those that have a slot or are due soon if they are many, as those of
// an entrance that every later stay opens.
func (h *holder) codesToProgram(ctx context.Context, s *data.Snapshot, account stored, id uuid.UUID) (rows []*devicedata.Code, err error) {
	h.mu.Lock()
	known := h.codes[id]
	h.mu.Unlock()
	if known == nil || !known.many {
		next := &knownCodes{slotted: map[devicedata.CodeKey]bool{}}
		for row, err := range devicedata.CodesOfDevice(ctx, s, account.Customer, id) {
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
			if row.Slot != 0 {
				next.slotted[devicedata.CodeKey{Device: id, Code: row.ID}] = true
			}
		}
		next.many = len(rows) > manyCodes
		h.mu.Lock()
		h.codes[id] = next
		h.mu.Unlock()
		return rows, nil
	}
	h.mu.Lock()
	keys := maps.Clone(known.slotted)
	h.mu.Unlock()
	for due, err := range devicedata.DueCodes(ctx, s.Reader(), account.ID, maxScan) {
		if err != nil {
			return nil, err
		}
		if due.At.After(h.s.now().Add(maxBreakerPause)) {
			break
		}
		if due.Device == id && !due.Removal {
			keys[devicedata.CodeKey{Device: id, Code: due.Code}] = true
		}
	}
	found, err := devicedata.CodesByKey(ctx, s, account.Customer, slices.Collect(maps.Keys(keys))...)
	for _, row := range found {
		if row != nil {
			rows = append(rows, row)
		}
	}
	return rows, err
}

// slotted remembers that a code may have a slot from now on.
func (h *holder) slotted(key devicedata.CodeKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.codes[key.Device]; known != nil {
		known.slotted[key] = true
	}
}

// forgetCodes makes the next step of the program of a device read all its codes.
func (h *holder) forgetCodes(device uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.codes, device)
}

// readRemovals adds the removals of a device of one account, which may be deleted.
func (h *holder) readRemovals(ctx context.Context, r storage.Reader, found *lock, account stored, externalID string) error {
	for removal, err := range devicedata.RemovalsOfAccount(ctx, r, account.ID) {
		if err != nil {
			return err
		}
		if removal.DeviceExternalID != externalID {
			continue
		}
		c := &lockCode{account: account, removal: removal}
		c.ID, c.Slot, c.State, c.Ended = removal.CodeID, removal.Slot, lockplan.Removing, true
		if err := h.complete(c, removal.Details, removal.AccountID, removal.SealedPIN); err != nil {
			return err
		}
		found.codes = append(found.codes, c)
	}
	return nil
}

// complete sets what the details and the PIN of a row say.
func (h *holder) complete(c *lockCode, details []byte, account uuid.UUID, sealed []byte) (err error) {
	if c.details, err = decodeCodeDetails(details); err != nil {
		return err
	}
	c.Changed, c.ClearFirst, c.Unverified, c.WriteAt = c.details.Changed, c.details.ClearFirst, c.details.Unverified, c.details.WriteAt
	c.Edited, c.Shown = c.details.Edited, c.details.Shown
	c.PIN, c.unopened = h.s.openPIN(account, c.ID, sealed)
	return nil
}

// codePrefix begins the names of codes on locks that store names.
const codePrefix = "cp-"

// codeName returns the name of a code on a lock that stores names of up to a length. It contains nothing about the guest.
func codeName(id uuid.UUID, length int) string {
	name := codePrefix + hex.EncodeToString(id[:])[:8]
	if len(name) > length { // the id distinguishes the codes
		name = hex.EncodeToString(id[:])
	}
	return name[:min(len(name), length)]
}

// removalAccounts returns the accounts with removals at this account of the provider. They, or their customers, may be deleted.
func (h *holder) removalAccounts(ctx context.Context, r storage.Reader) (found []*devicedata.RemovalAccount, err error) {
	for a, err := range devicedata.RemovalAccounts(ctx, r, uuid.Nil) {
		if err != nil {
			return nil, err
		}
		if a.Provider == h.account.provider && a.ExternalID == h.account.externalID {
			found = append(found, a)
		}
	}
	return found, nil
}

// hasRemovals reports whether the account at the provider has removals.
func (h *holder) hasRemovals(ctx context.Context) (has bool, err error) {
	err = devicedata.View(ctx, h.s.db, func(r storage.Reader) error {
		found, err := h.removalAccounts(ctx, r)
		has = len(found) > 0
		return err
	})
	return has, err
}

// errNoSession is returned while the session of an account starts.
var errNoSession = errors.New("the session of the account has not started")

// errNoAccount is returned if no customer has the account and its secret cannot be used.
var errNoAccount = errors.New("the account of the lock was deleted and cannot be opened")

// coder returns a connection for the codes of an account: that of its session, that of another session of the workspace, because both
// belong to the same account at the provider, or one with the secret that is stored with the removals.
func (h *holder) coder(ctx context.Context, account stored) (device.Coder, error) {
	h.mu.Lock()
	own := h.sessions[account.ID]
	for _, other := range h.sessions {
		if own == nil && other.workspace() == account.workspace {
			own = other
		}
	}
	h.mu.Unlock()
	var conn device.Conn
	var err error
	exists := account.Provider != ""
	if own != nil {
		if conn, err = own.connection(ctx); errors.Is(err, ErrDeviceNotFound) { // the account of the session was deleted
			own = nil
		}
	}
	if own == nil && exists {
		return nil, errNoSession
	}
	if own == nil {
		conn, err = h.orphan(ctx, account)
	}
	if err != nil {
		return nil, err
	}
	coder, ok := conn.(device.Coder)
	if !ok {
		return nil, fmt.Errorf("%w: the driver %s does not program access codes", device.ErrUnsupported, h.account.provider)
	}
	return coder, nil
}

// orphan returns a connection to an account that was deleted. It remains open until it fails, or until it was not used for a minute.
func (h *holder) orphan(ctx context.Context, account stored) (device.Conn, error) {
	h.orphanMu.Lock()
	defer h.orphanMu.Unlock()
	if h.orphanConn != nil {
		h.orphanUsed = h.s.now()
		return h.orphanConn, nil
	}
	var id uuid.UUID
	var sealed []byte
	err := devicedata.View(ctx, h.s.db, func(r storage.Reader) error {
		a, err := devicedata.FindRemovalAccount(ctx, r, account.ID)
		if err != nil {
			return err
		}
		id, sealed, err = devicedata.CurrentSecret(ctx, r, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	secret, err := h.s.openSecret(id, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAccount, err)
	}
	opening, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := open(opening, h.s.provider(h.account.provider), device.Account{ID: h.account.externalID, Secret: secret}, &h.calls)
	if err != nil {
		return nil, err
	}
	h.orphanConn, h.orphanUsed = conn, h.s.now()
	return conn, nil
}

// closeOrphan closes the connection to a deleted account, if idle was given and it was used since, it remains open.
func (h *holder) closeOrphan(ctx context.Context, idle bool) {
	h.orphanMu.Lock()
	defer h.orphanMu.Unlock()
	if h.orphanConn == nil || idle && h.s.now().Sub(h.orphanUsed).Abs() < orphanIdle {
		return
	}
	if err := h.orphanConn.Close(); err != nil {
		h.s.failed(ctx, "closing the connection to a deleted account", err, "provider", h.account.provider)
	}
	h.orphanConn = nil
}

// within runs fn in a transaction of the customer of a code.
func (c *lockCode) within(ctx context.Context, h *holder, fn func(context.Context, data.CustomerTx) error) error {
	return h.within(ctx, c.account, fn)
}
