package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/storage"
)

// fail stores a failure of the lock or of its account for codes that need it, and ends the program.
func (p *program) fail(ctx context.Context, l *lock, codes []*lockCode, cause error) error {
	if p.h.ended() || ctx.Err() != nil || errors.Is(cause, errNoSession) {
		return errProgrammed // the next holder, or the next pass, continues
	}
	now := p.h.s.now()
	retryAt := now.Add(waitPause) // a new connection ends this pause
	if !errors.Is(cause, errNoConnection) {
		retryAt = p.h.breaker(p.device).fail(now)
	}
	for _, c := range codes {
		if err := p.storeFailure(ctx, c, cause, now, retryAt); err != nil {
			return err
		}
	}
	return p.finish(ctx, l, nil, now)
}

// failCode stores a failure of one code. The program continues with the others, unless several fail one after another.
func (p *program) failCode(ctx context.Context, c *lockCode, cause error) error {
	if p.h.ended() || ctx.Err() != nil || errors.Is(cause, errNoSession) {
		return errProgrammed
	}
	now := p.h.s.now()
	if errors.Is(cause, errNoConnection) { // a new connection ends the pause
		return p.storeFailure(ctx, c, cause, now, now.Add(waitPause))
	}
	if err := p.storeFailure(ctx, c, cause, now, now.Add(codePause(c.details.Failures))); err != nil {
		return err
	}
	if p.inRow++; p.inRow == maxInRow {
		p.h.breaker(p.device).fail(now)
		return errProgrammed
	}
	return nil
}

// storeFailure stores why a code is not as it should be, and when it is tried again.
func (p *program) storeFailure(ctx context.Context, c *lockCode, cause error, now, retryAt time.Time) error {
	p.failed[c.ID] = true
	t, message := failureType(c, now), failureMessage(cause)
	var rejected *device.RejectedError
	if errors.As(cause, &rejected) && rejected.Reason == device.RejectedConstraint {
		t = CodeConstraint
	}
	if c.removal != nil {
		return p.postponeRemoval(ctx, c, c.details.failed(CodeFailedToRemove, message, now, retryAt))
	}
	_, err := p.reload(ctx, c, failing(t, message, now, retryAt))
	return err
}

// failing returns the change of a code that stores an error and when the code is tried again.
func failing(t CodeErrorType, message string, now, retryAt time.Time) func(*devicedata.Code, *codeDetails) (data.Change, *CodeError) {
	return func(_ *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
		before := d.Error
		*d = d.failed(t, message, now, retryAt)
		return eventOf(before, d.Error), d.Error
	}
}

// failureMessage returns an error as a sentence for people.
func failureMessage(cause error) string {
	switch {
	case errors.Is(cause, device.ErrAccountLost):
		return "the account must be connected again"
	case errors.Is(cause, context.DeadlineExceeded):
		return "the lock or its account did not answer in time"
	case isGone(cause):
		return "the device or its account was deleted"
	}
	return device.Label(cause.Error())
}

// failureType returns the type of the error of a code that is not as it should be.
func failureType(c *lockCode, now time.Time) CodeErrorType {
	switch {
	case c.Over(now):
		return CodeFailedToExpire
	case !c.Due(now):
		return CodeFailedToRemove
	case c.State != lockplan.Set && !now.Before(c.StartsAt):
		return CodeFailedToIssue
	}
	return CodeFailedToSet
}

// eventOf returns the event of an error, or an empty one if the code had an error of the same type before.
func eventOf(before, after *CodeError) data.Change {
	if after == nil || before != nil && before.Type == after.Type {
		return ""
	}
	switch after.Type {
	case CodeFailedToIssue, CodeFailedToExpire, CodeFailedToRemove:
		return data.Change("access_code." + after.Type)
	}
	return "access_code.failed_to_set_on_device"
}

// postpone stores that codes wait until the circuit breaker closes.
func (p *program) postpone(ctx context.Context, codes []*lockCode, until time.Time) error {
	now := p.h.s.now()
	for _, c := range codes {
		p.failed[c.ID] = true
		message := fmt.Sprintf("the lock has failed several times; the next attempt is at %s", data.FormatTime(until))
		t := failureType(c, now)
		if c.details.Error != nil {
			message = c.details.Error.Message
		}
		if c.removal != nil {
			if err := p.postponeRemoval(ctx, c, c.details.failed(CodeFailedToRemove, message, now, until)); err != nil {
				return err
			}
			continue
		}
		if _, err := p.updateCode(ctx, c, failing(t, message, now, until)); err != nil {
			return err
		}
	}
	return errProgrammed
}

// postponeRemoval stores the details of a removal, which is due again at their RetryAt.
func (p *program) postponeRemoval(ctx context.Context, c *lockCode, d codeDetails) error {
	err := p.changeRemoval(ctx, c, eventOf(c.details.Error, d.Error), d.Error, func(ctx context.Context, tx storage.Tx) (bool, error) {
		return true, devicedata.UpdateRemoval(ctx, tx, c.removal.AccountID, c.ID, func(r *devicedata.Removal) error {
			r.Details, r.DueAt = encode(d), d.RetryAt
			return nil
		})
	})
	if isGone(err) {
		return nil
	}
	return err
}

// finish stores why codes wait, and when codes that need nothing now are looked at again.
func (p *program) finish(ctx context.Context, l *lock, waits []lockplan.Step, now time.Time) error {
	if p.slots != nil && len(p.failed) == 0 {
		p.succeeded()
	}
	if p.slots != nil {
		if err := p.storeUnmanaged(ctx, l); err != nil {
			return err
		}
	}
	waiting := map[*lockplan.Code]lockplan.Step{}
	for _, step := range waits {
		waiting[step.Code] = step
	}
	for _, c := range l.codes {
		if c.row == nil || p.failed[c.ID] {
			continue
		}
		if step, ok := waiting[&c.Code]; ok {
			if err := p.wait(ctx, c, step, now); err != nil {
				return err
			}
			continue
		}
		resolved := c.details.Error != nil && p.slots != nil && c.correct(now)
		if !resolved && (c.row.DueAt.IsZero() || c.row.DueAt.After(now)) {
			continue
		}
		if _, err := p.updateCode(ctx, c, func(row *devicedata.Code, d *codeDetails) (data.Change, *CodeError) {
			*d = d.cleared()
			if lockplan.State(row.State) == lockplan.Set && d.Scheduled && !now.Before(row.StartsAt) {
				d.Scheduled = false
				return "access_code.set_on_device", nil
			}
			if due := codeDue(row, *d, now); !due.IsZero() && !due.After(now) {
				d.RetryAt = now.Add(stuckPause)
			}
			return "", nil
		}); err != nil {
			return err
		}
	}
	return errProgrammed
}

// correct reports whether a code that the plan does not mention is as it should be.
func (c *lockCode) correct(now time.Time) bool {
	if c.Due(now) {
		return c.State == lockplan.Set && !c.Changed && !c.ClearFirst
	}
	return !c.Over(now) && c.Slot == 0
}

// wait stores why a code cannot be written now.
func (p *program) wait(ctx context.Context, c *lockCode, step lockplan.Step, now time.Time) error {
	t, message := CodeNoSpace, "all slots of the lock are occupied"
	if step.Reason == lockplan.Duplicate {
		t, message = CodeDuplicate, "another code, which will be removed, has the same PIN"
	}
	_, err := p.updateCode(ctx, c, failing(t, message, now, now.Add(waitPause)))
	return err
}
