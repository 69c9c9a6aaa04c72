package access

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
)

// RemovalReason says why an access code must be removed from its device: "access_grant_deleted", "staff_member_deleted",
// "space_deleted", "device_unmapped", "device_deleted", "account_deleted", "customer_deleted", "access_ended" if the access
// ended or moved without a delete, or "unmanaged_code_deleted" for a code that the library did not write.
type RemovalReason string

// reasons are the names of the stored reasons.
var reasons = map[devicedata.Reason]RemovalReason{
	devicedata.ReasonGrantDeleted: "access_grant_deleted", devicedata.ReasonStaffDeleted: "staff_member_deleted",
	devicedata.ReasonSpaceDeleted: "space_deleted", devicedata.ReasonUnmapped: "device_unmapped",
	devicedata.ReasonDeviceDeleted: "device_deleted", devicedata.ReasonAccountDeleted: "account_deleted",
	devicedata.ReasonCustomerDeleted: "customer_deleted", devicedata.ReasonEnded: "access_ended",
	devicedata.ReasonRequested: "unmanaged_code_deleted",
}

// Removal is an access code that must be removed from its device. It outlives its customer, and contains neither the PIN nor a
// name.
type Removal struct {
	ID         uuid.UUID     `json:"access_code_id"`
	AccountID  uuid.UUID     `json:"connected_account_id"`
	DeviceID   uuid.UUID     `json:"device_id"`
	Provider   string        `json:"provider"`
	ExternalID string        `json:"external_id"` // of the device
	Slot       int           `json:"slot"`
	Reason     RemovalReason `json:"reason"`
	Since      time.Time     `json:"since"`

	// Error is the last failure, or nil. The next attempt is at RetryAt.
	Error   *CodeError `json:"error,omitempty"`
	RetryAt time.Time  `json:"retry_at,omitzero"`
}

// position is the place of a removal in the order of the list.
func (r Removal) position() string { return string(r.AccountID[:]) + string(r.ID[:]) }

// RemovalQuery selects pending removals.
type RemovalQuery struct {
	Limit  int    // maximum number of removals in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page; empty selects the first page
}

// Removals returns a page of the pending removals of the workspace of the scope, or of its customer, ordered by account and id.
// The removals of deleted customers belong to the workspace, and only its scope lists them. Removals reads the removals of the page,
// and a row for each account of the store that has removals and comes after the Cursor, up to the end of the page. It returns a [validation.Error] for a Limit out of range, [data.ErrInvalidCursor], and [data.ErrCustomerNotFound].
func (c *Scope) Removals(ctx context.Context, q RemovalQuery) (page data.Page[Removal], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	after, err := hex.DecodeString(q.Cursor)
	if err != nil || len(after) != 0 && len(after) != 32 {
		return page, data.ErrInvalidCursor
	}
	var from uuid.UUID // the account at which the page begins
	copy(from[:], after)
	err = c.eachRemoval(ctx, from, func() { page = data.Page[Removal]{Items: []Removal{}} }, func(_ *devicedata.RemovalAccount, r Removal) bool {
		if r.position() <= string(after) {
			return true
		}
		if len(page.Items) == limit {
			page.Next = hex.EncodeToString([]byte(page.Items[limit-1].position()))
			return false
		}
		page.Items = append(page.Items, r)
		return true
	})
	return page, err
}

// CountRemovals returns the number of pending removals of the scope. It reads them, and a row for each account of the store that has
// removals.
func (c *Scope) CountRemovals(ctx context.Context) (n int, err error) {
	err = c.eachRemoval(ctx, uuid.Nil, func() { n = 0 }, func(*devicedata.RemovalAccount, Removal) bool { n++; return true })
	return n, err
}

// eachRemoval calls fn with the removals of the scope and their accounts until it returns false, after start. It begins with the
// account from.
func (c *Scope) eachRemoval(ctx context.Context, from uuid.UUID, start func(), fn func(*devicedata.RemovalAccount, Removal) bool) error {
	return c.view(ctx, func(s *data.Snapshot) error {
		start()
		return c.eachRemovalIn(ctx, s, from, fn)
	})
}

// eachRemovalIn is like eachRemoval, but reads a snapshot.
func (c *Scope) eachRemovalIn(ctx context.Context, s *data.Snapshot, from uuid.UUID, fn func(*devicedata.RemovalAccount, Removal) bool) error {
	var customer devicedata.CustomerID
	if c.customer != "" {
		found, err := s.Customer(ctx, c.customer)
		if err != nil {
			return err
		}
		customer = devicedata.IDOf(found)
	}
	for a, err := range devicedata.RemovalAccounts(ctx, s.Reader(), from) {
		if err != nil {
			return err
		}
		if a.Workspace != c.w.ID() || c.customer != "" && a.Customer != customer {
			continue
		}
		for r, err := range devicedata.RemovalsOfAccount(ctx, s.Reader(), a.ID) {
			if err != nil {
				return err
			}
			removal, err := newRemoval(a, r)
			if err != nil {
				return err
			}
			if !fn(a, removal) {
				return nil
			}
		}
	}
	return nil
}

func newRemoval(a *devicedata.RemovalAccount, r *devicedata.Removal) (Removal, error) {
	d, err := decodeCodeDetails(r.Details)
	return Removal{
		ID: r.CodeID, AccountID: r.AccountID, DeviceID: r.DeviceID(), Provider: a.Provider, ExternalID: r.DeviceExternalID,
		Slot: r.Slot, Reason: reasons[r.Reason], Since: r.At, Error: d.Error, RetryAt: d.RetryAt,
	}, err
}

// GiveUp ends a pending removal of the scope without the confirmation of the device, on which the access code may remain. It logs
// the removal and the actor, and adds an activity if the customer and the device still exist. It returns [ErrRemovalNotFound], and
// a [validation.Error] for an actor that breaks a rule.
func (c *Scope) GiveUp(ctx context.Context, id uuid.UUID, actor data.Actor) (given Removal, err error) {
	if err := validActor(actor); err != nil {
		return Removal{}, err
	}
	if actor.Type == "" {
		actor.Type = data.ActorHost
	}
	found := false
	err = c.eachRemoval(ctx, uuid.Nil, func() { found = false }, func(_ *devicedata.RemovalAccount, r Removal) bool {
		if r.ID == id {
			given, found = r, true
		}
		return !found
	})
	if err != nil {
		return Removal{}, err
	}
	if !found {
		return Removal{}, ErrRemovalNotFound
	}
	err = devicedata.Update(ctx, c.s.db, func(tx storage.Tx) error {
		dropped, err := devicedata.DropRemoval(ctx, tx, given.AccountID, id)
		if err != nil {
			return err
		}
		if !dropped {
			return ErrRemovalNotFound
		}
		d, _, err := c.s.Workspace(c.w.ID()).findDevice(ctx, c.w.At(tx), given.DeviceID)
		if err != nil {
			if isGone(err) {
				return nil
			}
			return err
		}
		now := c.s.now()
		return c.s.writeActivities(tx, d.Customer, []Activity{{
			Kind: ActivityGaveUp, AccountID: d.AccountID, DeviceID: d.ID, DeviceName: d.Name, At: now, Actor: &actor, Slot: given.Slot,
		}})
	})
	if err != nil {
		return Removal{}, err
	}
	c.s.log.WarnContext(ctx, "the removal of an access code was given up; the code may remain on the device", "access_code_id", id,
		"device_id", given.DeviceID, "device_external_id", given.ExternalID, "provider", given.Provider, "slot", given.Slot, "actor", fmt.Sprint(actor.Type))
	return given, nil
}
