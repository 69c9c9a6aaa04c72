package access

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// RemovalOverdue is the time after which a pending removal needs attention.
const RemovalOverdue = 30 * time.Minute

// AttentionType is the type of an [AttentionItem].
type AttentionType string

// The types of attention items.
const (
	AttentionAccountDisconnected AttentionType = "account_disconnected"    // an account is lost, or its provider is unreachable
	AttentionDeviceMissing       AttentionType = "device_missing"          // an account no longer lists a lock
	AttentionDeviceOffline       AttentionType = "device_offline"          // a lock of a connected account is offline
	AttentionLowBattery          AttentionType = "low_battery"             // the battery of a device is low, see [Device.LowBatterySince]
	AttentionCodeNotSet          AttentionType = "access_code_not_set"     // an access code is not on its lock although it is needed within [CodeMissing]
	AttentionCodeNotRemoved      AttentionType = "access_code_not_removed" // an access code is still on its lock after its end
	AttentionRemovalOverdue      AttentionType = "removal_overdue"         // an access code is still on its device after [RemovalOverdue]
)

// AttentionItem is a condition that somebody should look at. It ends when the condition does.
type AttentionItem struct {
	Type AttentionType `json:"type"`

	// CustomerKey is empty for the removal of an access code whose customer was deleted.
	CustomerKey string `json:"customer_key,omitempty"`

	AccountID    uuid.UUID `json:"connected_account_id"`
	DeviceID     uuid.UUID `json:"device_id,omitzero"`      // not of an account
	AccessCodeID uuid.UUID `json:"access_code_id,omitzero"` // only of an access code or a removal

	// Name is the name of the account, or of the device. It is empty if the removal of an access code is all that is left of the device.
	Name string `json:"name,omitempty"`

	// Spaces contains the spaces to which the device is mapped, in the order of their keys.
	Spaces []SpaceRef `json:"spaces"`

	Since   time.Time `json:"since,omitzero"` // of the condition; zero if it is not known
	Message string    `json:"message"`        // in English; may contain names, but no secret
}

// AttentionQuery selects attention items.
type AttentionQuery struct {
	// Types selects the items of these types. If it is empty, all are selected.
	Types []AttentionType

	Limit  int    // maximum number of items in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// Attention returns a page of the items that need attention in the scope: customer by customer in the order of their keys, the
// accounts, the devices and then the access codes of each in the order of their ids, and at the end the overdue removals, by account and id. The locks
// of an account that is not connected are not listed as offline.
//
// A page reads at most 10,000 accounts, devices, access codes and removals, and has Stopped set if it ended for that reason. It also reads a row for
// each account of the store that has removals, as [Scope.Removals] does. Attention returns a [validation.Error] for a Limit out of range, [data.ErrInvalidCursor], and [data.ErrCustomerNotFound].
func (c *Scope) Attention(ctx context.Context, q AttentionQuery) (page data.Page[AttentionItem], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	after, err := c.parseAttentionCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		r := &attentionReader{c: c, s: s, q: q, limit: limit, at: after, page: data.Page[AttentionItem]{Items: []AttentionItem{}}, customers: map[devicedata.CustomerID]string{}}
		err := r.readAll(ctx)
		if errors.Is(err, errPageFull) {
			r.page.Next, err = r.at.String(), nil
		}
		if err != nil {
			return err
		}
		if err := r.describe(ctx); err != nil {
			return err
		}
		page = r.page
		return nil
	})
	return page, err
}
