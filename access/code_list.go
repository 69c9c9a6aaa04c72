package access

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// codeRows yields the codes that a query can select, ordered by device and id.
func (c *Scope) codeRows(ctx context.Context, s *data.Snapshot, customer data.Customer, q CodeQuery) iter.Seq2[*devicedata.Code, error] {
	id := devicedata.IDOf(customer)
	switch {
	case q.Subject.Key != "":
		return devicedata.CodesOf(ctx, s, id, subjectOf(q.Subject))
	case q.DeviceID != uuid.Nil:
		return devicedata.CodesOfDevice(ctx, s, id, q.DeviceID)
	}
	return devicedata.Codes(ctx, s, id)
}

// subjectOf returns an access grant or a staff member as the subject of codes.
func subjectOf(ref data.Ref) devicedata.Subject {
	return devicedata.Subject{Class: byte(ref.Kind.Class()), Key: ref.Key}
}

// Code returns an access code of the scope. It returns [ErrCodeNotFound].
func (c *Scope) Code(ctx context.Context, id uuid.UUID) (code Code, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		rows, err := devicedata.FindCodes(ctx, s, id)
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrCodeNotFound
		}
		customer, err := c.owner(ctx, s, rows[0].Customer, ErrCodeNotFound)
		if err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		code, err = c.s.newCode(customer.Key, rows[0], accounts[rows[0].AccountID])
		return err
	})
	return code, err
}

// codeEvent returns an event of an access code for the change feed.
func codeEvent(change data.Change, row *devicedata.Code, at time.Time, failure *CodeError) data.FeedChange {
	details := &data.DeviceEvent{AccountID: row.AccountID, OccurredAt: at, AccessCodeID: row.ID}
	if failure != nil {
		details.ErrorType, details.ErrorMessage = string(failure.Type), failure.Message
	}
	return data.FeedChange{Change: change, ID: row.DeviceID, Actor: automationActor, Device: details}
}
