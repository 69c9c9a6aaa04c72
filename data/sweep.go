package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maintenanceRows bounds the rows that one Update of maintenance writes, so that other
// writers do not wait long for it.
const maintenanceRows = 5000

// SweepReport counts what Sweep has removed.
type SweepReport struct {
	Customers int // whose last row is removed
	Rows      int // of the store
}

// Sweep removes the rows of deleted customers, of every workspace in the store. A delete of
// a customer returns as soon as nobody can find the customer or anything that it owned, and
// leaves its rows to Sweep. A program calls Sweep now and then, for example every minute and
// at its start; until then the rows only take space.
//
// Sweep works in Updates of at most 5,000 rows, and may run in several processes at once.
// If it fails, the rows that it has removed stay removed, and the next call goes on.
func (db *DB) Sweep(ctx context.Context) (SweepReport, error) {
	return db.sweep(ctx, maintenanceRows, unbounded)
}

// sweep is Sweep with bounds for the rows of an Update and for the number of Updates.
func (db *DB) sweep(ctx context.Context, rows, updates int) (SweepReport, error) {
	s := sweeper{db: db, rows: rows, updates: updates}
	waiting, err := db.deletedCustomers(ctx)
	if err != nil {
		return s.report, err
	}
	for id, deleted := range waiting {
		if err := s.customer(ctx, id, deleted.workspace); err != nil {
			return s.report, err
		}
	}
	return s.report, nil
}

// sweeper removes the rows of deleted customers.
type sweeper struct {
	db      *DB
	rows    int // that one Update removes at most
	updates int // that it may still make
	report  SweepReport
}

// Stats counts what waits for maintenance in a store.
type Stats struct {
	DeletedCustomers int       // whose rows wait for Sweep
	DeletedResources int       // that they had, when nothing of them was swept yet
	OldestDelete     time.Time // of those customers; zero if no customer waits
}

// Stats counts what waits for maintenance in a store, in every workspace.
func (db *DB) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	waiting, err := db.deletedCustomers(ctx)
	for _, deleted := range waiting {
		stats.DeletedCustomers++
		stats.DeletedResources += deleted.resources
		if stats.OldestDelete.IsZero() || deleted.at.Before(stats.OldestDelete) {
			stats.OldestDelete = deleted.at
		}
	}
	return stats, err
}

// EraseOptions changes what Erase does. The zero value keeps the change feed.
type EraseOptions struct {
	// TrimBefore drops the changes of every workspace's feed that are older, as
	// [Workspace.TrimChanges] does, whether a [Consumer] has read them or not. The feed names the resources that were deleted, by key,
	// so nothing of a deleted customer remains only if TrimBefore is after its delete.
	// Zero drops none.
	TrimBefore time.Time
}

// Erase makes deleted data leave the store: it sweeps, trims the change feed as requested,
// and calls the store's own Erase(ctx) error if it has one, such as that of storage/badger,
// which removes the deleted bytes from its files.
func (db *DB) Erase(ctx context.Context, o EraseOptions) error {
	if _, err := db.Sweep(ctx); err != nil {
		return err
	}
	if !o.TrimBefore.IsZero() {
		if err := db.trim(ctx, o.TrimBefore, false); err != nil {
			return err
		}
	}
	if eraser, ok := db.store.(interface{ Erase(context.Context) error }); ok {
		return eraser.Erase(ctx)
	}
	return nil
}

// trim drops the changes of every workspace that are older than a time. If spare is set, it
// keeps the changes that a Consumer still needs.
func (db *DB) trim(ctx context.Context, before time.Time, spare bool) error {
	workspaces, err := db.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, id := range workspaces {
		if _, err := db.Workspace(id).trim(ctx, before, spare); err != nil {
			return err
		}
	}
	return nil
}

// Workspaces returns the ids of the workspaces in the store that have, or had, a customer.
func (db *DB) Workspaces(ctx context.Context) (ids []uuid.UUID, err error) {
	err = db.view(ctx, func(r storage.Reader) error {
		ids = nil
		for e, err := range r.Scan(ctx, storage.Prefix(layout.AllFeedEndsPrefix()), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			k, err := layout.ParseAs(layout.ShapeFeedEnds, e.Key)
			if err != nil {
				return err
			}
			ids = append(ids, k.Workspace)
		}
		return nil
	})
	return ids, err
}

// deletedCustomer is the row of a deleted customer whose rows wait for Sweep.
type deletedCustomer struct {
	workspace uuid.UUID
	resources int // that it had
	at        time.Time
}

func (d deletedCustomer) encode() []byte {
	b := append([]byte{recordVersion}, d.workspace[:]...)
	return binary.AppendUvarint(layout.AppendTime(b, d.at), uint64(d.resources))
}

func decodeDeletedCustomer(row []byte) (deletedCustomer, error) {
	d := layout.NewDecoder(row)
	version := d.Byte()
	out := deletedCustomer{workspace: d.UUID(), at: d.Time(), resources: int(d.Uvarint())}
	if version != recordVersion || d.Done() != nil {
		return deletedCustomer{}, fmt.Errorf("%w: the row of a deleted customer", storage.ErrCorrupt)
	}
	return out, nil
}

// deletedCustomers returns the customers whose rows wait for Sweep.
func (db *DB) deletedCustomers(ctx context.Context) (map[layout.CustomerID]deletedCustomer, error) {
	out := map[layout.CustomerID]deletedCustomer{}
	err := db.view(ctx, func(r storage.Reader) error {
		clear(out)
		for e, err := range r.Scan(ctx, storage.Prefix(layout.DeletedCustomersPrefix()), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			k, err := layout.ParseAs(layout.ShapeDeletedCustomer, e.Key)
			if err != nil {
				return err
			}
			if out[k.Customer], err = decodeDeletedCustomer(e.Value); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// customer removes the rows of one deleted customer, and the row that says that they wait.
func (s *sweeper) customer(ctx context.Context, id layout.CustomerID, workspace uuid.UUID) error {
	rest := storage.Prefix(layout.CustomerPrefix(id)) // the rows before it are removed, and never read again
	for ; s.updates > 0; s.updates-- {
		var rows int
		var next []byte
		err := storage.Run(ctx, s.db.store, func(tx storage.Tx) (err error) {
			if rows, next, err = s.some(ctx, tx, workspace, rest); err != nil || next != nil {
				return err
			}
			return tx.Delete(layout.DeletedCustomer(id))
		}, layout.DeletedCustomer(id))
		if err != nil {
			return err
		}
		s.report.Rows += rows
		if next == nil {
			s.report.Customers++
			return nil
		}
		rest.Start = next
	}
	return nil
}

// some removes the first rows of a range of a deleted customer, and the rows elsewhere
// that point to them. It returns how many, and where the rest begins, or nil at the end.
func (s *sweeper) some(ctx context.Context, tx storage.Tx, workspace uuid.UUID, r storage.Range) (rows int, next []byte, err error) {
	var pointers []row
	var own [][]byte
	for e, err := range tx.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return 0, nil, err
		}
		if rows > 0 && rows+len(pointers) > s.rows-4 { // a row has at most two pointers, and the last Update one row more
			next = e.Key
			break
		}
		more, err := pointersTo(workspace, e)
		if err != nil {
			return 0, nil, err
		}
		pointers = append(pointers, more...)
		own = append(own, e.Key)
		rows++
	}
	// The keys of a deleted customer are free, so a row of the directory may point to a
	// resource of another customer by now.
	values, err := tx.Get(ctx, keysOf(pointers)...)
	if err != nil {
		return 0, nil, err
	}
	for i, value := range values {
		if value != nil && string(value) == string(pointers[i].value) {
			if err := tx.Delete(pointers[i].key); err != nil {
				return 0, nil, err
			}
			rows++
		}
	}
	return rows, next, tx.Delete(own...)
}
