package access

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// repairQueue ends or removes the attempts that no holder can carry out because a row is damaged or missing, and logs them. It does
// not put them back into the queue, because commands that were created later may have been sent.
func (s *Service) repairQueue(ctx context.Context) error {
	faults := map[string]error{} // by key of the queue
	err := devicedata.View(ctx, s.db, func(r storage.Reader) error {
		clear(faults)
		for q, err := range queued(ctx, r) {
			if errors.Is(err, errDamagedQueue) {
				faults[string(q.key)] = err
				continue
			}
			if err != nil {
				return err
			}
			rows, err := r.Get(ctx, layout.CustomerRow(q.customer), layout.Attempt(q.customer, q.id))
			switch {
			case err != nil:
				return err
			case rows[0] == nil: // the rows of a deleted customer wait for the sweep
			case rows[1] == nil:
				faults[string(q.key)] = errors.New("there is no such action attempt")
			default:
				if err := decode("an action attempt", rows[1], new(attemptRow)); err != nil {
					faults[string(q.key)] = err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, fault := range faults {
		removed, err := s.repairAttempt(ctx, []byte(key))
		if err != nil {
			return err
		}
		if removed {
			s.log.ErrorContext(ctx, "an action attempt was ended or removed because its rows are damaged", "queue_key", key, "error", fault)
		}
	}
	return nil
}

// repairAttempt ends the attempt of a row of the queue, or removes its rows if it cannot be decoded. It reports whether it did. It
// does nothing while a holder may still be carrying the attempt out.
func (s *Service) repairAttempt(ctx context.Context, queue []byte) (removed bool, err error) {
	k, err := layout.ParseAs(layout.ShapeAttemptQueue, queue)
	if err == nil && s.db.Now().Before(attemptTime(k.ID).Add(MaxDeadline+s.overdueAfter(&attemptRow{Sent: time.Unix(1, 0)}))) {
		return false, nil
	}
	malformed := err != nil
	err = devicedata.Update(ctx, s.db, func(tx storage.Tx) error {
		if malformed {
			return tx.Delete(queue)
		}
		index, err := tx.Get(ctx, layout.IDIndex(k.ID))
		if err != nil {
			return err
		}
		d := layout.NewDecoder(index[0])
		customer, kind := d.CustomerID(), d.Byte()
		if d.Done() != nil || kind != layout.KindAttempt {
			return tx.Delete(queue)
		}
		a, err := readAttempt(ctx, tx, uuid.Nil, customer, k.ID)
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			return tx.Delete(queue, layout.IDIndex(k.ID), layout.Attempt(customer, k.ID))
		case err != nil:
			return err
		case a == nil || a.Status != AttemptPending:
			return tx.Delete(queue)
		}
		result := overdue(a)
		a.Status, a.Error, a.EndedAt = result.status, result.failure, s.now()
		return a.end(tx)
	})
	if err == nil {
		s.attemptsEnded()
	}
	return err == nil, err
}

// attemptTime returns the time at which an attempt was created according to its id.
func attemptTime(id uuid.UUID) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, id[:6]...))))
}
