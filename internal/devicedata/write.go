package devicedata

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/validation"
)

// The bounds of the input.
const (
	maxName     = 200
	maxSealed   = 16<<10 + keys.SealedOverhead // a secret of a driver has at most 16 KiB
	maxDetails  = 64 << 10
	maxSettings = 256 << 10 // of the details of an account or a device, with the settings of the host
	maxMappings = 500
)

// CreateAccount creates an account of the customer of the transaction. It uses the ID, Provider, ExternalID, Name, SealedSecret
// and Details of a. The caller makes the ID, with [data.DB.Rand], because it needs the ID to seal the secret for [SecretKey].
// CreateAccount refuses an ID that is in use, and the external id of another account of the customer at the same provider.
func CreateAccount(ctx context.Context, tx data.CustomerTx, a Account) error {
	return putAccount(ctx, tx, a, true)
}

// UpdateAccount replaces the Name, SealedSecret and Details of the account with a.ID. Removals of the account use the new secret.
func UpdateAccount(ctx context.Context, tx data.CustomerTx, a Account) error {
	return putAccount(ctx, tx, a, false)
}

func putAccount(ctx context.Context, tx data.CustomerTx, a Account, create bool) error {
	w := newWriter(tx)
	a.Customer = w.customer
	rows, err := tx.Tx.Get(ctx, layout.DeviceCounts(w.customer), layout.Account(w.customer, a.ID), layout.IDIndex(a.ID), layout.RemovalAccount(a.ID))
	if err != nil {
		return err
	}
	if err := w.readCounts(rows[0]); err != nil {
		return err
	}
	var found faults
	found.text("name", a.Name)
	found.bytes("sealed_secret", a.SealedSecret, maxSealed)
	found.bytes("details", a.Details, maxSettings)
	a.CreatedAt, a.UpdatedAt = w.now, w.now
	switch {
	case create:
		if err := checkNewAccount(ctx, tx, &found, a, rows[2] != nil || rows[3] != nil); err != nil {
			return err
		}
		w.counts.Accounts++
	case rows[1] == nil:
		found.missing("id", "there is no account %s", a.ID)
	default:
		stored, err := devicerow.DecodeAccount(w.customer, a.ID, rows[1])
		if err != nil {
			return err
		}
		a.Provider, a.ExternalID, a.CreatedAt = stored.Provider, stored.ExternalID, stored.CreatedAt
	}
	if err := found.err(); err != nil {
		return err
	}
	workspace := tx.WorkspaceID()
	a.Rows(workspace, w.put)
	if rows[3] != nil {
		w.put(layout.RemovalAccount(a.ID), a.RemovalAccount(workspace).Encode())
	}
	return w.finish()
}

var providerFormat = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// checkNewAccount adds the faults of an account that is created.
func checkNewAccount(ctx context.Context, tx data.CustomerTx, found *faults, a Account, used bool) error {
	if !providerFormat.MatchString(a.Provider) {
		found.add("provider", validation.RuleFormat, nil, "must have 1 to 64 characters of a-z, 0-9, \"_\", \".\" and \"-\"")
	}
	found.externalID("external_id", a.ExternalID)
	switch {
	case a.ID == uuid.Nil:
		found.add("id", validation.RuleRequired, nil, "is required")
	case used:
		found.add("id", validation.RuleDuplicateKey, nil, "is in use")
	}
	if found.err() != nil {
		return nil
	}
	rows, err := tx.Tx.Get(ctx, layout.ProviderAccount(a.Provider, a.ExternalID, a.Customer))
	if err == nil && rows[0] != nil {
		found.add("external_id", validation.RuleDuplicateKey, nil, "the customer has already connected this account")
	}
	return err
}

// PutDevices creates or updates devices of one account of the customer. It uses the ExternalID, Name, Details and Codes of each. A
// device that exists keeps its mappings. It returns the ids of the devices that are new or that it has changed.
func PutDevices(ctx context.Context, tx data.CustomerTx, account uuid.UUID, devices []Device) (changed []uuid.UUID, err error) {
	w := newWriter(tx)
	keys := [][]byte{layout.DeviceCounts(w.customer), layout.Account(w.customer, account)}
	var found faults
	seen := map[string]int{}
	for i, d := range devices {
		path := fmt.Sprintf("devices[%d].", i)
		found.externalID(path+"external_id", d.ExternalID)
		found.text(path+"name", d.Name)
		found.bytes(path+"details", d.Details, maxSettings)
		if first, twice := seen[d.ExternalID]; twice {
			found.add(path+"external_id", validation.RuleDuplicateKey, nil, "is also the external id of devices[%d]", first)
		}
		seen[d.ExternalID] = i
		keys = append(keys, layout.Device(w.customer, DeviceID(account, d.ExternalID)))
	}
	rows, err := tx.Tx.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	if err := w.readCounts(rows[0]); err != nil {
		return nil, err
	}
	if rows[1] == nil {
		found.missing("account_id", "there is no account %s", account)
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	locks := devicerow.LockChanges{}
	for i, d := range devices {
		next := devicerow.Device{
			Customer: w.customer, ID: DeviceID(account, d.ExternalID), AccountID: account, ExternalID: d.ExternalID, Name: d.Name, Details: d.Details, Codes: d.Codes,
			CreatedAt: w.now, UpdatedAt: w.now,
		}
		var stored *Device
		if row := rows[i+2]; row != nil {
			if stored, err = devicerow.DecodeDevice(w.customer, next.ID, row); err != nil {
				return nil, err
			}
			if stored.Name == d.Name && stored.Codes == d.Codes && bytes.Equal(stored.Details, d.Details) {
				continue
			}
			next.CreatedAt, next.Mappings = stored.CreatedAt, stored.Mappings
		} else {
			w.counts.Devices++
			w.put(layout.DeviceIndexEntry(w.customer, next.ID))
		}
		locks.Replace(stored, &next)
		w.put(layout.Device(w.customer, next.ID), next.Encode())
		changed = append(changed, next.ID)
	}
	if err := locks.Rows(ctx, tx.Tx, w.customer, w.put); err != nil {
		return nil, err
	}
	return changed, w.finish()
}

// DeviceMappings are the spaces to which a device is mapped.
type DeviceMappings struct {
	DeviceID uuid.UUID
	Mappings []Mapping // at most 500; each space at most once
}

// SetMappings replaces the mappings of devices of the customer. The codes of subjects that no longer reach a device become
// removals, which it returns. It refuses a space that the customer does not have.
func SetMappings(ctx context.Context, tx data.CustomerTx, devices []DeviceMappings) ([]data.CodeRemoval, error) {
	w := newWriter(tx)
	var found faults
	var spaces []data.Ref
	at := map[string]string{} // the path of the first reference to a space
	ids := make([]uuid.UUID, len(devices))
	changes := devicerow.Changes{Mappings: map[uuid.UUID][]Mapping{}}
	for i, d := range devices {
		path := fmt.Sprintf("devices[%d].", i)
		ids[i] = d.DeviceID
		if _, twice := changes.Mappings[d.DeviceID]; twice {
			found.add(path+"device_id", validation.RuleDuplicateKey, nil, "is listed twice")
		}
		changes.Mappings[d.DeviceID] = slices.Clone(d.Mappings)
		if len(d.Mappings) > maxMappings {
			found.add(path+"mappings", validation.RuleTooMany, nil, "has %d mappings, and may have %d", len(d.Mappings), maxMappings)
			continue
		}
		mapped := map[string]bool{}
		for j, m := range d.Mappings {
			path := fmt.Sprintf("%smappings[%d].space_key", path, j)
			found.key(path, m.SpaceKey)
			if mapped[m.SpaceKey] {
				found.add(path, validation.RuleDuplicateKey, nil, "the device is mapped to this space twice")
			}
			mapped[m.SpaceKey] = true
			if at[m.SpaceKey] == "" {
				at[m.SpaceKey] = path
				spaces = append(spaces, data.Ref{Kind: data.KindSpace, Key: m.SpaceKey})
			}
		}
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	stored, err := devicerow.ReadDevices(ctx, tx.Tx, w.customer, ids)
	if err != nil {
		return nil, err
	}
	for i, d := range stored {
		switch {
		case d == nil:
			found.missing(fmt.Sprintf("devices[%d].device_id", i), "there is no device %s", ids[i])
		case slices.Equal(d.Mappings, changes.Mappings[d.ID]):
			delete(changes.Mappings, d.ID)
		}
	}
	resources, err := resourcesOf(tx.Snapshot, ctx, tx.Customer, spaces)
	if err != nil {
		return nil, err
	}
	for i, r := range resources {
		if r == nil {
			found.missing(at[spaces[i].Key], "the customer has no space %q", textrules.Clip(spaces[i].Key))
		}
	}
	if err := found.err(); err != nil || len(changes.Mappings) == 0 {
		return nil, err
	}
	return changeDevices(tx, ctx, changes)
}

// PutStates stores the states that devices of the customer have reported. It does not change the counter of [Counts], because no
// delete depends on a state.
func PutStates(ctx context.Context, tx data.CustomerTx, states []State) error {
	c := IDOf(tx.Customer)
	var found faults
	ids := make([]uuid.UUID, len(states))
	for i, s := range states {
		ids[i] = s.DeviceID
		found.bytes(fmt.Sprintf("states[%d].value", i), s.Value, maxDetails)
	}
	devices, err := devicerow.ReadDevices(ctx, tx.Tx, c, ids)
	if err != nil {
		return err
	}
	for i, d := range devices {
		if d == nil {
			found.missing(fmt.Sprintf("states[%d].device_id", i), "there is no device %s", ids[i])
		}
	}
	if err := found.err(); err != nil {
		return err
	}
	for _, s := range states {
		if err := tx.Tx.Put(layout.DeviceState(c, s.DeviceID), s.Encode()); err != nil {
			return err
		}
	}
	return nil
}

// DeleteDevices deletes devices of the customer with their mappings and states, and revokes the portals that are deep links to them.
// Their codes become removals, which it returns. It ignores devices that do not exist.
func DeleteDevices(ctx context.Context, tx data.CustomerTx, ids ...uuid.UUID) ([]data.CodeRemoval, error) {
	stored, err := devicerow.ReadDevices(ctx, tx.Tx, IDOf(tx.Customer), ids)
	if err != nil {
		return nil, err
	}
	var changes devicerow.Changes
	for _, d := range stored {
		if d != nil {
			changes.Devices = append(changes.Devices, d.ID)
		}
	}
	if len(changes.Devices) == 0 {
		return nil, nil
	}
	return changeDevices(tx, ctx, changes)
}

// DeleteAccount deletes an account of the customer with its devices, as [DeleteDevices] does. The secret of
// the account remains stored until the last of them is done. DeleteAccount does nothing if there is no such account.
func DeleteAccount(ctx context.Context, tx data.CustomerTx, id uuid.UUID) ([]data.CodeRemoval, error) {
	c := IDOf(tx.Customer)
	accounts, err := devicerow.ReadAccounts(ctx, tx.Tx, c, []uuid.UUID{id})
	if err != nil || accounts[0] == nil {
		return nil, err
	}
	changes := devicerow.Changes{Account: accounts[0]}
	for d, err := range DevicesOfAccount(ctx, tx.Snapshot, c, id) {
		if err != nil {
			return nil, err
		}
		changes.Devices = append(changes.Devices, d.ID)
	}
	return changeDevices(tx, ctx, changes)
}

// writer collects the rows of one write, so that a write that is refused changes nothing.
type writer struct {
	tx       data.CustomerTx
	customer CustomerID
	now      time.Time
	counts   Counts
	rows     []row
}

type row struct{ key, value []byte } // a nil value deletes the row

func newWriter(tx data.CustomerTx) *writer {
	return &writer{tx: tx, customer: IDOf(tx.Customer), now: timeOf(tx.Snapshot)}
}

func (w *writer) readCounts(stored []byte) (err error) {
	w.counts, err = devicerow.DecodeCounts(stored)
	return err
}

func (w *writer) put(key, value []byte) { w.rows = append(w.rows, row{key, value}) }

// finish writes the rows and counts the write, unless there are no rows.
func (w *writer) finish() error {
	if len(w.rows) == 0 {
		return nil
	}
	w.counts.Writes++
	w.put(layout.DeviceCounts(w.customer), w.counts.Encode())
	for _, r := range w.rows {
		var err error
		if r.value == nil {
			err = w.tx.Tx.Delete(r.key)
		} else {
			err = w.tx.Tx.Put(r.key, r.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
