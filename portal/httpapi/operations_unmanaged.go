package httpapi

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// An unmanaged access code is a slot of a lock that the library did not write. It is shown as the lock showed it when it was last read to
// program it, without its PIN, which the library does not keep. Its id is computed from the lock and the slot, so it is that of the next
// code in the slot too.

// unmanagedID returns the id of the unmanaged code in a slot of a device.
func unmanagedID(device uuid.UUID, slot int) uuid.UUID {
	return uuid.NewSHA1(device, fmt.Appendf(nil, "unmanaged access code %d", slot))
}

func (c *call) unmanagedJSON(d access.Device, code access.UnmanagedCode) jsonObject {
	return jsonObject{
		"access_code_id": unmanagedID(d.ID, code.Slot), "device_id": d.ID, "connected_account_id": d.AccountID, "workspace_id": c.ws.ID(), "customer_key": d.CustomerKey,
		"name": nullIfEmpty(code.Name), "code": nil, "type": "ongoing", "status": access.CodeSet, "created_at": data.FormatTime(d.CreatedAt),
		"starts_at": nil, "ends_at": nil, "is_managed": false, "errors": deviceErrors(d), "warnings": []jsonObject{},
		"slot": code.Slot, "possibly_ours": code.PossiblyOurs,
	}
}

// getUnmanaged returns an unmanaged access code. It reads the devices of the workspace until it finds the code.
func getUnmanaged(ctx context.Context, c *call, r *getCodeRequest) (jsonObject, error) {
	switch {
	case r.PIN != "":
		return nil, invalidInput(0, validation.Finding{Path: "code", Rule: validation.RuleNotThereYet, Message: "cannot be searched, because the PINs of unmanaged access codes are not kept: give access_code_id"})
	case r.ID == uuid.Nil:
		return nil, invalidInput(0, validation.Finding{Path: "access_code_id", Rule: validation.RuleRequired, Message: "is required"})
	}
	find := func(d access.Device) (access.UnmanagedCode, bool) {
		for _, code := range d.UnmanagedCodes {
			if (r.DeviceID == uuid.Nil || r.DeviceID == d.ID) && unmanagedID(d.ID, code.Slot) == r.ID {
				return code, true
			}
		}
		return access.UnmanagedCode{}, false
	}
	page, err := c.devices(ctx, "", access.DeviceQuery{Keep: func(d access.Device) bool { _, has := find(d); return has }}, 1)
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, access.ErrCodeNotFound
	}
	code, _ := find(page.Items[0])
	return jsonObject{"access_code": c.unmanagedJSON(page.Items[0], code)}, nil
}

// listUnmanagedRequest selects the unmanaged access codes of a lock.
type listUnmanagedRequest struct {
	DeviceID uuid.UUID
	Search   string
	UserKey  foreignFilter
	pageRequest
}

func (r *listUnmanagedRequest) input() input {
	return input{params: append([]jsonobject.Field{
		required(bind("device_id", &r.DeviceID, idParam)), bind("search", &r.Search, searchPINParam), bind("user_identifier_key", &r.UserKey, foreignTextParam),
	}, r.pageRequest.params()...)}
}

// listUnmanaged lists the unmanaged access codes of a lock by slot. The cursor is the last slot of the page.
func listUnmanaged(ctx context.Context, c *call, r *listUnmanagedRequest) (jsonObject, error) {
	d, err := c.scope("").Device(ctx, r.DeviceID)
	if err != nil {
		return nil, err
	}
	after := 0
	if r.Cursor != "" {
		if after, err = strconv.Atoi(r.Cursor); err != nil || after < 0 {
			return nil, data.ErrInvalidCursor
		}
	}
	out, next := []jsonObject{}, ""
	search, nothing := textsearch.Parse(r.Search), c.matchesNothing(r.UserKey)
	for _, code := range d.UnmanagedCodes {
		if nothing || code.Slot <= after || !matches(search, code.Name) {
			continue
		}
		if len(out) == r.Limit {
			next = strconv.Itoa(out[len(out)-1]["slot"].(int))
			break
		}
		out = append(out, c.unmanagedJSON(d, code))
	}
	return jsonObject{"access_codes": out, "pagination": c.pagination(next, next != "")}, nil
}
