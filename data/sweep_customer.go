package data

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// sweepBatch contains rows of a deleted customer that one Update removes.
type sweepBatch struct {
	rows     storage.Range // of the customer
	first    []byte        // the key of the first row in the range
	count    int           // the number of rows in the range
	last     bool          // the customer has no rows after the range
	ids      [][]byte      // the keys of the rows of resource ids that point into the range
	pointers []row         // the other rows outside of the customer's range that point into the range
}

// sweepCustomer removes the rows of a deleted customer and finally the row that marks it as deleted. It reads the next batch
// of rows while an Update removes the previous one. Only Sweep writes rows of a deleted customer.
func (s *sweeper) sweepCustomer(ctx context.Context, id layout.CustomerID, workspace uuid.UUID) error {
	if s.updates == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	batches := make(chan sweepBatch)
	var readErr error
	var reader sync.WaitGroup
	defer reader.Wait() // the store is not used after Sweep has returned
	defer stop()
	reader.Go(func() {
		defer close(batches)
		readErr = s.readBatches(ctx, workspace, storage.Prefix(layout.CustomerPrefix(id)), batches)
	})
	for b := range batches {
		done, err := s.remove(ctx, id, b)
		if err != nil || done {
			return err
		}
		if s.updates--; s.updates == 0 {
			return nil
		}
	}
	return readErr
}

// readBatches sends all rows in rest, a range of a deleted customer, until ctx is done.
func (s *sweeper) readBatches(ctx context.Context, workspace uuid.UUID, rest storage.Range, out chan<- sweepBatch) error {
	for {
		var b sweepBatch
		err := s.db.view(ctx, func(r storage.Reader) (err error) {
			b, err = s.readBatch(ctx, r, workspace, rest)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		if b.last {
			return nil
		}
		rest.Start = b.rows.End // so that removed rows are not read again
	}
}

// readBatch reads the first rows in rest, a range of a deleted customer.
func (s *sweeper) readBatch(ctx context.Context, r storage.Reader, workspace uuid.UUID, rest storage.Range) (sweepBatch, error) {
	b := sweepBatch{rows: rest, last: true}
	for e, err := range r.Scan(ctx, rest, storage.ScanOptions{}) {
		if err != nil {
			return b, err
		}
		// A row has at most two pointers, and the last Update removes one more row.
		if removed := b.count + len(b.ids) + len(b.pointers); removed > 0 && removed > s.rows-4 {
			b.rows.End, b.last = e.Key, false
			return b, nil
		}
		pointers, err := pointersTo(workspace, e)
		if err != nil {
			return b, err
		}
		if b.count++; b.count == 1 {
			b.first = e.Key
		}
		if len(pointers) > 0 && layout.Parse(e.Key).Shape == layout.ShapeResource {
			// Another customer never uses this id, so its row need not be read.
			b.ids, pointers = append(b.ids, pointers[1].key), pointers[:1]
		}
		b.pointers = append(b.pointers, pointers...)
	}
	return b, nil
}

// remove removes a batch, and the row that marks the customer as deleted if the batch is the last one. done reports whether
// the customer has no rows any more.
func (s *sweeper) remove(ctx context.Context, id layout.CustomerID, b sweepBatch) (done bool, err error) {
	mark := layout.DeletedCustomer(id)
	keys := [][]byte{mark}
	if b.count > 0 {
		keys = append(keys, b.first)
	}
	keys = append(keys, keysOf(b.pointers)...)
	var rows, customers int
	err = storage.Run(ctx, s.db.store, func(tx storage.Tx) error {
		rows, customers, done = 0, 0, b.last
		values, err := tx.Get(ctx, keys...)
		if err != nil {
			return err
		}
		if values[0] == nil { // another Sweep has removed all rows
			done = true
			return nil
		}
		values = values[1:]
		counts := true
		if b.count > 0 {
			counts = values[0] != nil // or else another Sweep has removed the batch, and has counted it
			values = values[1:]
		}
		// The keys of a deleted customer are free, so another customer may use them again. A pointer is removed only if it
		// still has the value for this customer.
		found := b.ids[:len(b.ids):len(b.ids)]
		for i, value := range values {
			if value != nil && string(value) == string(b.pointers[i].value) {
				found = append(found, b.pointers[i].key)
			}
		}
		if counts {
			rows = b.count + len(found)
		}
		if b.last {
			found, customers = append(found, mark), 1
		}
		if err := tx.Delete(found...); err != nil {
			return err
		}
		return tx.DeleteRange(ctx, b.rows) // one write in most engines
	}, keys...)
	if err == nil {
		s.report.Rows += rows
		s.report.Customers += customers
	}
	return done, err
}
