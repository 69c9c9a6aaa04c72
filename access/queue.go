package access

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// queuedAttempt is a row of the queue of attempts that have not ended.
type queuedAttempt struct {
	key       []byte // of the row
	workspace uuid.UUID
	customer  devicedata.CustomerID
	id        uuid.UUID
}

// errDamagedQueue is wrapped by the errors of rows of the queue that cannot be decoded.
var errDamagedQueue = errors.New("access: a row of the queue of action attempts is damaged")

// queued yields the attempts of all workspaces that have not ended, in the order in which they were created. It yields an error
// that wraps errDamagedQueue for a row that it cannot decode, and continues. Any other error is the last element.
func queued(ctx context.Context, r storage.Reader) iter.Seq2[queuedAttempt, error] {
	return func(yield func(queuedAttempt, error) bool) {
		for e, err := range r.Scan(ctx, storage.Prefix(layout.AttemptQueuePrefix()), storage.ScanOptions{}) {
			q := queuedAttempt{key: e.Key}
			if err == nil {
				var damage error
				if q.workspace, q.customer, q.id, damage = layout.ParseAttemptQueueEntry(e.Key, e.Value); damage != nil {
					damage = fmt.Errorf("%w: key %x: %w", errDamagedQueue, e.Key, damage)
				}
				if !yield(q, damage) {
					return
				}
				continue
			}
			yield(q, err)
			return
		}
	}
}

// account identifies an account at a provider. Several customers can have connected it.
type account struct{ provider, externalID string }

// pending is the content of the queue.
type pending struct {
	byAccount map[account][]*attemptRow
	overdue   []*attemptRow // no process will carry them out any more
	gone      []*attemptRow // not sent, and their device or account was deleted
	damaged   []error       // of rows that cannot be decoded
}

// readQueue reads the attempts that have not ended, and measures their deadlines.
func (s *Service) readQueue(ctx context.Context, d *deadlines) (p pending, err error) {
	started := time.Now()
	due := map[uuid.UUID]time.Time{}
	err = devicedata.View(ctx, s.db, func(r storage.Reader) error {
		p = pending{byAccount: map[account][]*attemptRow{}}
		var entries []queuedAttempt
		var rowKeys [][]byte
		for q, err := range queued(ctx, r) {
			if errors.Is(err, errDamagedQueue) {
				p.damaged = append(p.damaged, err)
				continue
			}
			if err != nil {
				return err
			}
			entries = append(entries, q)
			rowKeys = append(rowKeys, layout.Attempt(q.customer, q.id), layout.CustomerRow(q.customer))
		}
		if len(entries) == 0 {
			return nil
		}
		rows, err := r.Get(ctx, rowKeys...)
		if err != nil {
			return err
		}
		var attempts []*attemptRow
		var owners [][]byte // the keys of their devices and accounts
		for i, q := range entries {
			if rows[2*i] == nil || rows[2*i+1] == nil {
				continue // the rows of a deleted customer wait for the sweep
			}
			a := &attemptRow{workspace: q.workspace, customer: q.customer}
			if err := decode("an action attempt", rows[2*i], a); err != nil {
				p.damaged = append(p.damaged, fmt.Errorf("action attempt %v: %w", q.id, err))
				continue
			}
			attempts = append(attempts, a)
			owners = append(owners, layout.Device(a.customer, a.DeviceID), layout.Account(a.customer, a.AccountID))
		}
		if len(attempts) == 0 {
			return nil
		}
		if rows, err = r.Get(ctx, owners...); err != nil {
			return err
		}
		clock, now := s.db.Now(), time.Now()
		for i, a := range attempts {
			at := account{a.Provider, a.AccountExternal}
			a.due = d.measure(a, started, clock)
			due[a.ID] = a.due
			switch gone := rows[2*i] == nil || rows[2*i+1] == nil; {
			case gone && a.Sent.IsZero():
				p.gone = append(p.gone, a)
				continue
			case now.After(a.due.Add(s.overdueAfter(a))):
				p.overdue = append(p.overdue, a)
			}
			p.byAccount[at] = append(p.byAccount[at], a)
		}
		return nil
	})
	if err == nil {
		d.read, d.due = started, due
	}
	return p, err
}

// overdueAfter is the time after the deadline of an attempt after which any process may end it. No holder sends a command after its
// deadline. If the command was sent, its holder, or the next one, writes the result within this time.
func (s *Service) overdueAfter(a *attemptRow) time.Duration {
	if a.Sent.IsZero() {
		return s.poll
	}
	return s.lease + s.callTimeout + readTimeout
}

// overdue returns the result of an attempt that no process has ended in time.
func overdue(a *attemptRow) attemptResult {
	if a.Sent.IsZero() {
		return failed(ErrorTimedOut, "no process carried out the command before its deadline")
	}
	return failed(ErrorNotConfirmed, "the command was sent, and the process that sent it did not report the result")
}

// isOpen reports whether a stored attempt, which is nil if it was deleted, has not ended and has the claim of a. If it has another
// claim, another holder has sent it, and ends it.
func (a *attemptRow) isOpen(stored *attemptRow) bool {
	return stored != nil && stored.Status == AttemptPending && stored.Sent.Equal(a.Sent)
}

// change runs fn with an attempt as it is stored, or nil if it was deleted, in a transaction of the customer.
func (s *Service) change(ctx context.Context, a *attemptRow, fn func(ctx context.Context, tx data.CustomerTx, stored *attemptRow) error) error {
	return devicedata.Within(ctx, s.db.Workspace(a.workspace), a.customer, func(ctx context.Context, tx data.CustomerTx) error {
		stored, err := readAttempt(ctx, tx.Tx, a.workspace, a.customer, a.ID)
		if err != nil {
			return err
		}
		return fn(ctx, tx, stored)
	})
}

// untilStored calls fn until it succeeds or ctx is done. It then returns the error of ctx.
func (s *Service) untilStored(ctx context.Context, a *attemptRow, what string, fn func() error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := fn()
		if err == nil {
			return nil
		}
		s.log.ErrorContext(ctx, what+" failed", "action_attempt_id", a.ID, "error", err)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// unclaim records that an attempt was not sent, so that it is delivered again. The caller has claimed the attempt and has not sent
// it. unclaim tries again until ctx is done.
func (s *Service) unclaim(ctx context.Context, a *attemptRow) error {
	return s.untilStored(ctx, a, "withdrawing the claim of an action attempt", func() error {
		err := s.change(ctx, a, func(_ context.Context, tx data.CustomerTx, stored *attemptRow) error {
			if !a.isOpen(stored) {
				return nil
			}
			stored.Sent = time.Time{}
			return stored.write(tx.Tx)
		})
		if isGone(err) {
			return nil
		}
		return err
	})
}

// finish writes the result of an attempt, unless it has ended before, and the activity if there is one. It tries again until
// ctx is done. wrote reports whether the stored result is the one of this call.
func (s *Service) finish(ctx context.Context, a *attemptRow, result attemptResult) (wrote bool, err error) {
	result.at = s.now()
	err = s.untilStored(ctx, a, "storing the result of an action attempt", func() (err error) {
		wrote, err = s.finishOnce(ctx, a, result)
		return err
	})
	return wrote, err
}

// finishOnce is finish without a second try. A caller that tries again passes the same result.at.
func (s *Service) finishOnce(ctx context.Context, a *attemptRow, result attemptResult) (wrote bool, err error) {
	err = s.change(ctx, a, func(ctx context.Context, tx data.CustomerTx, stored *attemptRow) error {
		if !a.isOpen(stored) {
			// An earlier try may have succeeded although the store did not know it.
			wrote = stored != nil && stored.Status == result.status && stored.EndedAt.Equal(result.at)
			return nil
		}
		if result.activity != nil {
			if err := s.writeCaused(ctx, tx, stored, *result.activity); err != nil {
				return err
			}
		}
		stored.Status, stored.Confirmed, stored.Error, stored.EndedAt = result.status, result.confirmed, result.failure, result.at
		wrote = true
		return stored.end(tx.Tx)
	})
	if isGone(err) {
		wrote, err = false, nil
	}
	if err == nil {
		s.attemptsEnded()
	}
	return wrote, err
}

// writeCaused stores the activity of an attempt, unless its device was deleted or an earlier holder has stored the activity for an
// event.
func (s *Service) writeCaused(ctx context.Context, tx data.CustomerTx, a *attemptRow, activity Activity) error {
	devices, err := devicedata.DevicesByID(ctx, tx.Snapshot, a.customer, a.DeviceID)
	if err != nil || devices[0] == nil {
		return err
	}
	if written, err := hasActivity(ctx, tx.Tx, a); err != nil || written {
		return err
	}
	activity.AccountID, activity.DeviceName = a.AccountID, devices[0].Name
	return s.record(ctx, tx, []Activity{activity})
}

// hasActivity reports whether the activity of an attempt that was sent is stored.
func hasActivity(ctx context.Context, r storage.Reader, a *attemptRow) (bool, error) {
	newer := storage.Prefix(layout.DeviceActivitiesPrefix(a.customer, a.DeviceID))
	newer.Start = layout.AppendTime(newer.Start, a.Sent.Add(-lateAnswer)) // earlier, because the clocks of processes differ
	var ids []layout.ActivityID
	for e, err := range r.Scan(ctx, newer, storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return false, err
		}
		ids = append(ids, layout.Parse(e.Key).Activity)
	}
	stored, err := readActivities(ctx, r, a.customer, ids)
	return slices.ContainsFunc(stored, func(other Activity) bool { return other.AttemptID == a.ID }), err
}

// attemptResult is the result of an attempt.
type attemptResult struct {
	status    AttemptStatus
	confirmed bool
	failure   *AttemptFailure
	activity  *Activity
	at        time.Time // when the attempt ended
}

func failed(kind ErrorType, message string) attemptResult {
	return attemptResult{status: AttemptError, failure: &AttemptFailure{Type: kind, Message: message}}
}

// sleep waits for d, and reports whether ctx is not done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
