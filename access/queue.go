package access

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// queuedAttempt is a row of the queue of attempts that have not ended.
type queuedAttempt struct {
	workspace uuid.UUID
	customer  devicedata.CustomerID
	id        uuid.UUID
}

// queued yields the attempts of all workspaces that have not ended, in the order in which they were created.
func queued(ctx context.Context, r storage.Reader) iter.Seq2[queuedAttempt, error] {
	return func(yield func(queuedAttempt, error) bool) {
		for e, err := range r.Scan(ctx, storage.Prefix(layout.AttemptQueuePrefix()), storage.ScanOptions{}) {
			var q queuedAttempt
			if err == nil {
				q.workspace, q.customer, q.id, err = layout.ParseAttemptQueueEntry(e.Key, e.Value)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// account identifies an account at a provider. Several customers can have connected it.
type account struct{ provider, externalID string }

// readQueue returns the attempts that have not ended by account, and those that no process will carry out any more.
func (s *Service) readQueue(ctx context.Context) (byAccount map[account][]*attemptRow, overdue []*attemptRow, err error) {
	err = devicedata.View(ctx, s.db, func(r storage.Reader) error {
		byAccount, overdue = map[account][]*attemptRow{}, nil
		var entries []queuedAttempt
		var rowKeys [][]byte
		for q, err := range queued(ctx, r) {
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
		now := s.db.Now()
		for i, q := range entries {
			if rows[2*i] == nil || rows[2*i+1] == nil {
				continue // the rows of a deleted customer wait for the sweep
			}
			a := &attemptRow{workspace: q.workspace, customer: q.customer}
			if err := decode("an action attempt", rows[2*i], a); err != nil {
				return err
			}
			at := account{a.Provider, a.AccountExternal}
			byAccount[at] = append(byAccount[at], a)
			if now.After(a.Deadline.Add(s.overdueAfter(a))) {
				overdue = append(overdue, a)
			}
		}
		return nil
	})
	return byAccount, overdue, err
}

// overdueAfter is the time after the deadline of an attempt after which any process may end it. No holder sends a command after its
// deadline. If the command was sent, its holder, or the next one, writes the result within this time.
func (s *Service) overdueAfter(a *attemptRow) time.Duration {
	if a.Sent.IsZero() {
		return s.poll
	}
	return s.lease + s.callTimeout + readTimeout
}

// finish writes the result of an attempt, unless it has ended before, and the activity if there is one. It tries again until
// ctx is done.
func (s *Service) finish(ctx context.Context, a *attemptRow, result attemptResult) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := devicedata.Within(ctx, s.db.Workspace(a.workspace), a.customer, func(ctx context.Context, tx data.CustomerTx) error {
			stored, err := readAttempt(ctx, tx.Tx, a.workspace, a.customer, a.ID)
			if err != nil || stored == nil || stored.Status != AttemptPending {
				return err
			}
			if !stored.Sent.Equal(a.Sent) {
				return nil // another holder has sent it, and ends it
			}
			now := s.now()
			stored.Status, stored.Confirmed, stored.Error, stored.EndedAt = result.status, result.confirmed, result.failure, now
			if result.activity != nil {
				if err := s.writeActivities(tx.Tx, a.customer, []Activity{*result.activity}); err != nil {
					return err
				}
			}
			return stored.end(tx.Tx)
		})
		if err == nil || isGone(err) {
			s.attemptsEnded()
			return nil
		}
		s.log.ErrorContext(ctx, "storing the result of an action attempt failed", "action_attempt_id", a.ID, "error", err)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// attemptResult is the result of an attempt.
type attemptResult struct {
	status    AttemptStatus
	confirmed bool
	failure   *AttemptFailure
	activity  *Activity
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
