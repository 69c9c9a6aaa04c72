package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// create writes the rows of a new attempt.
func (a *attemptRow) create(tx storage.Tx) error {
	index, value := layout.AttemptIndexEntry(a.customer, a.ID)
	if err := tx.Put(index, value); err != nil {
		return err
	}
	queue, value := layout.AttemptQueueEntry(a.workspace, a.customer, a.ID)
	if err := tx.Put(queue, value); err != nil {
		return err
	}
	if a.Token != uuid.Nil {
		if err := tx.Put(layout.AttemptToken(a.customer, a.Token), a.ID[:]); err != nil {
			return err
		}
	}
	return a.write(tx)
}

// attemptWith returns the attempt of a customer that was created with a token. It returns nil if there is none.
func attemptWith(ctx context.Context, r storage.Reader, workspace uuid.UUID, customer devicedata.CustomerID, token uuid.UUID) (*attemptRow, error) {
	if token == uuid.Nil {
		return nil, nil
	}
	rows, err := r.Get(ctx, layout.AttemptToken(customer, token))
	if err != nil || rows[0] == nil {
		return nil, err
	}
	id, err := uuid.FromBytes(rows[0])
	if err != nil {
		return nil, fmt.Errorf("%w: the row of a token: %w", storage.ErrCorrupt, err)
	}
	a, err := readAttempt(ctx, r, workspace, customer, id)
	if a == nil && err == nil {
		err = ErrAttemptNotFound
	}
	return a, err
}

func (a *attemptRow) write(tx storage.Tx) error {
	return tx.Put(layout.Attempt(a.customer, a.ID), encode(a))
}

// end writes the result of an attempt and removes it from the queue.
func (a *attemptRow) end(tx storage.Tx) error {
	queue, _ := layout.AttemptQueueEntry(a.workspace, a.customer, a.ID)
	if err := tx.Delete(queue); err != nil {
		return err
	}
	return a.write(tx)
}

// readAttempt reads an attempt. It returns nil if it does not exist.
func readAttempt(ctx context.Context, r storage.Reader, workspace uuid.UUID, customer devicedata.CustomerID, id uuid.UUID) (*attemptRow, error) {
	rows, err := r.Get(ctx, layout.Attempt(customer, id))
	if err != nil || rows[0] == nil {
		return nil, err
	}
	a := &attemptRow{workspace: workspace, customer: customer}
	return a, decode("an action attempt", rows[0], a)
}

// countOlder returns the number of attempts of a customer that have not ended and whose ids are less than first.
func (s *Service) countOlder(ctx context.Context, customer devicedata.CustomerID, first uuid.UUID) (n int, err error) {
	err = devicedata.View(ctx, s.db, func(r storage.Reader) error {
		n = 0
		for q, err := range queued(ctx, r) {
			switch {
			case errors.Is(err, errDamagedQueue):
			case err != nil:
				return err
			case q.customer == customer && bytes.Compare(q.id[:], first[:]) < 0:
				n++
			}
		}
		return nil
	})
	return n, err
}

// countNewer returns the number of attempts of a customer that have not ended and whose ids are not less than first. Unlike
// countOlder it does not read rows of other customers, so in a transaction it does not conflict with their commands.
func countNewer(ctx context.Context, r storage.Reader, customer devicedata.CustomerID, first uuid.UUID) (n int, err error) {
	newer := storage.Prefix(layout.AttemptsPrefix(customer))
	newer.Start = layout.Attempt(customer, first)
	for e, err := range r.Scan(ctx, newer, storage.ScanOptions{}) {
		if err != nil {
			return 0, err
		}
		var a attemptRow
		if decode("an action attempt", e.Value, &a) != nil {
			continue // Run logs it
		}
		if a.Status == AttemptPending {
			n++
		}
	}
	return n, nil
}
