package access

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// AttemptQuery selects action attempts of one device or of one customer.
type AttemptQuery struct {
	DeviceID uuid.UUID // selects the attempts of that device; required for the scope of a workspace

	Limit  int    // maximum number of attempts in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// Attempts returns a page of action attempts, the newest first. A page reads at most 10,000 attempts of the customer, and has
// Stopped set if it ended for that reason. Attempts returns a [validation.Error] for the scope of a workspace without a DeviceID
// and a Limit out of range, [data.ErrInvalidCursor], [ErrDeviceNotFound] and [data.ErrCustomerNotFound].
func (c *Scope) Attempts(ctx context.Context, q AttemptQuery) (page data.Page[ActionAttempt], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	var before uuid.UUID
	if q.Cursor != "" {
		if before, err = uuid.Parse(q.Cursor); err != nil {
			return page, data.ErrInvalidCursor
		}
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[ActionAttempt]{Items: []ActionAttempt{}}
		customer, err := c.customerOfAttempts(ctx, s, q.DeviceID)
		if err != nil {
			return err
		}
		rows := storage.Prefix(layout.AttemptsPrefix(customer))
		if before != uuid.Nil {
			rows.End = layout.Attempt(customer, before)
		}
		read := 0
		var last uuid.UUID
		for e, err := range s.Reader().Scan(ctx, rows, storage.ScanOptions{Reverse: true}) {
			if err != nil {
				return err
			}
			if len(page.Items) == limit || read == maxScan {
				page.Stopped, page.Next = len(page.Items) < limit, last.String()
				return nil
			}
			read++
			var a attemptRow
			if err := decode("an action attempt", e.Value, &a); err != nil {
				return err
			}
			last = a.ID
			if q.DeviceID == uuid.Nil || a.DeviceID == q.DeviceID {
				page.Items = append(page.Items, a.ActionAttempt)
			}
		}
		return nil
	})
	return page, err
}

// customerOfAttempts returns the id of the customer of a device, or of the customer of the scope if device is the zero id.
func (c *Scope) customerOfAttempts(ctx context.Context, s *data.Snapshot, device uuid.UUID) (devicedata.CustomerID, error) {
	if device != uuid.Nil {
		_, customer, err := c.findDevice(ctx, s, device)
		return devicedata.IDOf(customer), err
	}
	customer, err := c.customerIn(ctx, s)
	return devicedata.IDOf(customer), err
}
