package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maintenanceRows is the maximum number of rows that one Update of maintenance writes, so that other writers do not wait
// long.
const maintenanceRows = 5000

// SweepReport is the result of a Sweep.
type SweepReport struct {
	Customers int // the number of deleted customers that have no rows any more
	Rows      int // the number of rows that were removed from the store
}

// Sweep removes the rows of deleted customers in all workspaces of the store. Deleting a customer makes it and everything
// that it owned invisible at once, but leaves its rows in the store. A program calls Sweep at its start and then at
// intervals, for example every minute, or calls [DB.Run]. Until then, the rows only take space.
//
// The removals of access codes that wait for their devices belong to no customer, and stay.
//
// Sweep uses Updates of at most 5,000 rows. It may run in several processes at once. If it fails, the rows that it has
// removed stay removed, and the next call continues.
func (db *DB) Sweep(ctx context.Context) (SweepReport, error) {
	return db.sweep(ctx, maintenanceRows, unbounded)
}

// sweep is Sweep with a maximum number of rows in an Update and a maximum number of Updates.
func (db *DB) sweep(ctx context.Context, rows, updates int) (SweepReport, error) {
	s := sweeper{db: db, rows: rows, updates: updates}
	pending, err := db.deletedCustomers(ctx)
	if err != nil {
		return s.report, err
	}
	for id, deleted := range pending {
		if err := s.sweepCustomer(ctx, id, deleted.workspace); err != nil {
			return s.report, err
		}
	}
	return s.report, nil
}

// sweeper removes the rows of deleted customers.
type sweeper struct {
	db      *DB
	rows    int // the maximum number of rows that one Update removes
	updates int // the number of Updates that remain
	report  SweepReport
}

// Stats has the amount of work that waits in a store: for maintenance, or for devices.
type Stats struct {
	DeletedCustomers int       // the number of deleted customers whose rows wait for Sweep
	DeletedResources int       // the number of resources that these customers had when they were deleted
	OldestDelete     time.Time // the time of the first of these deletes; zero if there are none

	// PendingRemovals is the number of access codes whose removal from their devices is scheduled and not confirmed yet. They
	// include those of deleted customers, even after Sweep and Erase.
	PendingRemovals int
}

// Stats returns the amount of work that waits in all workspaces of the store. It reads a row for each deleted customer and each
// pending removal.
func (db *DB) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	err := db.view(ctx, func(r storage.Reader) error {
		stats = Stats{}
		for _, err := range r.Scan(ctx, storage.Prefix(layout.RemovalsPrefix()), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			stats.PendingRemovals++
		}
		pending, err := readDeletedCustomers(ctx, r)
		for _, deleted := range pending {
			stats.DeletedCustomers++
			stats.DeletedResources += deleted.resources
			if stats.OldestDelete.IsZero() || deleted.at.Before(stats.OldestDelete) {
				stats.OldestDelete = deleted.at
			}
		}
		return err
	})
	if err != nil {
		return Stats{}, err
	}
	return stats, nil
}

// EraseOptions configures Erase. The zero value keeps the change feed.
type EraseOptions struct {
	// TrimBefore drops older changes from the feeds of all workspaces, as [Workspace.TrimChanges] does, including changes that a
	// [Consumer] has not read yet. The feed contains the keys of deleted resources, so the data of a deleted customer leaves
	// the store completely only if TrimBefore is after the time at which the customer was deleted. The zero value drops nothing.
	TrimBefore time.Time
}

// Erase removes deleted data from the store physically, except the removals of access codes that wait for their devices. These
// contain no keys and no names. It calls Sweep, trims the change feeds as requested, and calls the
// store's Erase(ctx) error method if it has one. The method of storage/badger removes deleted bytes from the files.
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

// trim drops the changes of every workspace that are older than before. If keepUnread is set, it keeps the changes that a
// Consumer has not read yet.
func (db *DB) trim(ctx context.Context, before time.Time, keepUnread bool) error {
	workspaces, err := db.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, id := range workspaces {
		if _, err := db.Workspace(id).trim(ctx, before, keepUnread); err != nil {
			return err
		}
	}
	return nil
}

// Workspaces returns the ids of the workspaces that have or had a customer, in ascending order. It reads one row for each workspace,
// and the first customer of each.
func (db *DB) Workspaces(ctx context.Context) (ids []uuid.UUID, err error) {
	err = db.view(ctx, func(r storage.Reader) error {
		ids = nil
		collect := func(rows storage.Range, o storage.ScanOptions, shape layout.Shape) error {
			for e, err := range r.Scan(ctx, rows, o) {
				if err != nil {
					return err
				}
				k, err := layout.ParseAs(shape, e.Key)
				if err != nil {
					return err
				}
				ids = append(ids, k.Workspace)
			}
			return nil
		}
		if err := collect(storage.Prefix(layout.AllFeedEndsPrefix()), storage.ScanOptions{KeysOnly: true}, layout.ShapeFeedEnds); err != nil {
			return err
		}
		// A customer without resources is in no feed.
		for rows := storage.Prefix(layout.AllCustomerIndexPrefix()); ; {
			before := len(ids)
			if err := collect(rows, storage.ScanOptions{KeysOnly: true, Limit: 1}, layout.ShapeCustomerIndex); err != nil || len(ids) == before {
				return err
			}
			rows.Start = storage.Prefix(layout.CustomerIndexPrefix(ids[before])).End
		}
	})
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids), err
}

// deletedCustomer is the value of the row of a deleted customer whose rows wait for Sweep.
type deletedCustomer struct {
	workspace uuid.UUID
	resources int // the number of resources that the customer had
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
		return deletedCustomer{}, fmt.Errorf("%w: the row of a deleted customer cannot be decoded", storage.ErrCorrupt)
	}
	return out, nil
}

// deletedCustomers returns the customers whose rows wait for Sweep.
func (db *DB) deletedCustomers(ctx context.Context) (out map[layout.CustomerID]deletedCustomer, err error) {
	err = db.view(ctx, func(r storage.Reader) (err error) {
		out, err = readDeletedCustomers(ctx, r)
		return err
	})
	return out, err
}

func readDeletedCustomers(ctx context.Context, r storage.Reader) (map[layout.CustomerID]deletedCustomer, error) {
	out := map[layout.CustomerID]deletedCustomer{}
	for e, err := range r.Scan(ctx, storage.Prefix(layout.DeletedCustomersPrefix()), storage.ScanOptions{}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeDeletedCustomer, e.Key)
		if err != nil {
			return nil, err
		}
		if out[k.Customer], err = decodeDeletedCustomer(e.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}
