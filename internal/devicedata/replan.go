package devicedata

import (
	"bytes"
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// MarkReplan records that the access codes of devices of the customer must be planned again, because what they accept has changed. The
// zero id stands for all devices. [SetMappings] does it for the devices whose mappings it changes.
func MarkReplan(ctx context.Context, tx data.CustomerTx, devices ...uuid.UUID) (err error) {
	w := newWriter(tx)
	if w.counts, err = devicerow.ReadCounts(ctx, tx.Tx, w.customer); err != nil {
		return err
	}
	devicerow.ReplanRows(tx.WorkspaceID(), w.customer, w.counts.Writes+1, devices, w.put)
	return w.finish()
}

// Replan is a device whose access codes must be planned again, or all devices of its customer if DeviceID is the zero id.
type Replan struct {
	DeviceID uuid.UUID
	value    []byte // of the row
}

// ReplanCustomers returns up to limit customers of the workspace for which [NextReplan] returns a device, in the order of their ids.
// The zero id comes first, if the rules of the workspace have changed: see [SetWorkspaceRules].
func ReplanCustomers(ctx context.Context, r storage.Reader, workspace uuid.UUID, limit int) (ids []CustomerID, err error) {
	for e, err := range r.Scan(ctx, storage.Prefix(layout.ReplanIndexPrefix(workspace)), storage.ScanOptions{KeysOnly: true, Limit: limit}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeReplanIndex, e.Key)
		if err != nil {
			return nil, err
		}
		ids = append(ids, k.Customer)
	}
	return ids, nil
}

// NextReplan returns the first device of the customer whose access codes must be planned again, or nil if there is none. The device
// may have been deleted.
func NextReplan(ctx context.Context, s *data.Snapshot, c CustomerID) (*Replan, error) {
	for e, err := range s.Reader().Scan(ctx, storage.Prefix(layout.ReplansPrefix(c)), storage.ScanOptions{Limit: 1}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeReplan, e.Key)
		if err != nil {
			return nil, err
		}
		return &Replan{DeviceID: k.Device, value: bytes.Clone(e.Value)}, nil
	}
	return nil, nil
}

// EndReplan records that the access codes of a device have been planned, unless the device was marked again since done was read.
func EndReplan(ctx context.Context, tx data.CustomerTx, done Replan) error {
	c := IDOf(tx.Customer)
	key := layout.Replan(c, done.DeviceID)
	rows, err := tx.Tx.Get(ctx, key)
	if err != nil || !bytes.Equal(rows[0], done.value) {
		return err
	}
	if err := tx.Tx.Delete(key); err != nil {
		return err
	}
	for _, err := range tx.Tx.Scan(ctx, storage.Prefix(layout.ReplansPrefix(c)), storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		return err // another device remains
	}
	return tx.Tx.Delete(layout.ReplanIndex(tx.WorkspaceID(), c))
}

// ForgetReplan deletes the row that finds a deleted customer whose access codes were marked to be planned.
func ForgetReplan(ctx context.Context, tx storage.Tx, workspace uuid.UUID, c CustomerID) error {
	rows, err := tx.Get(ctx, layout.CustomerRow(c))
	if err != nil || rows[0] != nil {
		return err
	}
	return tx.Delete(layout.ReplanIndex(workspace, c))
}

// ReadRules returns the automation rules of a workspace, and those of one of its customers. Each is zero if it was never set.
func ReadRules(ctx context.Context, r storage.Reader, workspace uuid.UUID, c CustomerID) (common, own Rules, err error) {
	rows, err := r.Get(ctx, layout.Rules(workspace), layout.CustomerRules(c))
	if err != nil {
		return common, own, err
	}
	if common, err = devicerow.DecodeRules(rows[0]); err == nil {
		own, err = devicerow.DecodeRules(rows[1])
	}
	return common, own, err
}

// SetCustomerRules stores the automation rules of the customer, and marks all its devices as [MarkReplan] does.
func SetCustomerRules(ctx context.Context, tx data.CustomerTx, value []byte) error {
	_, own, err := ReadRules(ctx, tx.Tx, tx.WorkspaceID(), IDOf(tx.Customer))
	if err != nil {
		return err
	}
	var found faults
	found.bytes("rules", value, maxDetails)
	if err := found.err(); err != nil {
		return err
	}
	next := Rules{Version: own.Version + 1, Value: value}
	if err := tx.Tx.Put(layout.CustomerRules(IDOf(tx.Customer)), next.Encode()); err != nil {
		return err
	}
	return MarkReplan(ctx, tx, uuid.Nil)
}

// SetWorkspaceRules stores the automation rules of a workspace, and records that all its customers must be marked as [MarkReplan] does:
// [ReplanCustomers] then returns the zero id until [EndReplanAll].
func SetWorkspaceRules(ctx context.Context, tx storage.Tx, workspace uuid.UUID, value []byte) error {
	rows, err := tx.Get(ctx, layout.Rules(workspace))
	if err != nil {
		return err
	}
	stored, err := devicerow.DecodeRules(rows[0])
	if err != nil {
		return err
	}
	var found faults
	found.bytes("rules", value, maxDetails)
	if err := found.err(); err != nil {
		return err
	}
	next := Rules{Version: stored.Version + 1, Value: value}
	if err := tx.Put(layout.Rules(workspace), next.Encode()); err != nil {
		return err
	}
	return tx.Put(layout.ReplanIndex(workspace, CustomerID{}), devicerow.EncodeReplan(next.Version))
}

// EndReplanAll records that all customers of the workspace are marked because of rules with this version, unless the rules have changed
// again.
func EndReplanAll(ctx context.Context, tx storage.Tx, workspace uuid.UUID, version uint64) error {
	key := layout.ReplanIndex(workspace, CustomerID{})
	rows, err := tx.Get(ctx, key)
	if err != nil || !bytes.Equal(rows[0], devicerow.EncodeReplan(version)) {
		return err
	}
	return tx.Delete(key)
}
