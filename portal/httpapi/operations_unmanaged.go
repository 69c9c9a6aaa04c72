package httpapi

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// An unmanaged access code is a slot of a lock that the library did not write. It is shown as the lock showed it when it was last read to
// program it. Its id is lost when the code is replaced at the lock.

func (c *call) unmanagedJSON(d access.Device, code access.UnmanagedCode) jsonObject {
	out := jsonObject{
		"access_code_id": code.ID, "device_id": d.ID, "connected_account_id": d.AccountID, "workspace_id": c.ws.ID(), "customer_key": d.CustomerKey,
		"name": nullIfEmpty(code.Name), "code": nullIfEmpty(code.PIN.Reveal()), "type": "ongoing", "status": access.CodeSet, "created_at": data.FormatTime(d.CreatedAt),
		"starts_at": nullIfZeroTime(code.StartsAt), "ends_at": nullIfZeroTime(code.EndsAt), "is_managed": false, "errors": deviceErrors(d), "warnings": []jsonObject{},
		"slot": code.Slot, "possibly_ours": code.PossiblyOurs,
	}
	if !code.EndsAt.IsZero() {
		out["type"] = "time_bound"
	}
	if code.Disabled {
		out["status"] = access.CodeUnset
	}
	return out
}

// getUnmanaged returns an unmanaged access code. By its id, it reads the devices of the workspace until it finds the code.
func getUnmanaged(ctx context.Context, c *call, r *getCodeRequest) (jsonObject, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.ID != uuid.Nil {
		code, d, err := c.scope("").UnmanagedCode(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		if r.DeviceID != uuid.Nil && r.DeviceID != d.ID {
			return nil, access.ErrCodeNotFound
		}
		return jsonObject{"access_code": c.unmanagedJSON(d, code)}, nil
	}
	d, codes, err := c.unmanagedOf(ctx, r.DeviceID)
	if err != nil {
		return nil, err
	}
	pin := device.NewSecret(r.PIN)
	i := slices.IndexFunc(codes, func(code access.UnmanagedCode) bool { return code.PIN == pin })
	if i < 0 {
		return nil, access.ErrCodeNotFound
	}
	return jsonObject{"access_code": c.unmanagedJSON(d, codes[i])}, nil
}

// unmanagedOf returns a lock and its unmanaged access codes.
func (c *call) unmanagedOf(ctx context.Context, id uuid.UUID) (d access.Device, codes []access.UnmanagedCode, err error) {
	err = c.ws.View(ctx, func(s *data.Snapshot) error {
		scope := c.scope("").At(s)
		if d, err = scope.Device(ctx, id); err == nil {
			codes, err = scope.UnmanagedCodes(ctx, id)
		}
		return err
	})
	return d, codes, err
}

// manageCodeRequest names an unmanaged access code that the library takes over.
type manageCodeRequest struct {
	ID                             uuid.UUID
	External, AllowExternal, Force *bool
}

func (r *manageCodeRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("access_code_id", &r.ID, idParam)),
		bind("is_external_modification_allowed", &r.External, optionalBoolParam), bind("allow_external_modification", &r.AllowExternal, optionalBoolParam),
		describe("Has no effect, because no other workspace manages the code.", bind("force", &r.Force, optionalBoolParam)),
	}}
}

// manageCode makes an unmanaged access code a managed one with the same id, slot and PIN, and an access grant of its own. It answers
// before the lock has shown the code again.
func manageCode(ctx context.Context, c *call, r *manageCodeRequest) (jsonObject, error) {
	var refused refusals
	(&codeOptions{External: r.External, AllowExternal: r.AllowExternal}).check(&refused)
	if err := refused.err(); err != nil {
		return nil, err
	}
	_, err := c.scope("").ManageCode(ctx, r.ID)
	return nil, err
}

// unmanagedRequest names an unmanaged access code.
type unmanagedRequest struct{ ID uuid.UUID }

func (r *unmanagedRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("access_code_id", &r.ID, idParam))}}
}

// deleteUnmanaged schedules the removal of an unmanaged access code from its lock. It answers before the lock has confirmed it.
func deleteUnmanaged(ctx context.Context, c *call, r *unmanagedRequest) (jsonObject, error) {
	d, err := c.scope("").DeleteUnmanagedCode(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return jsonObject{"action_attempt": c.acceptedJSON("DELETE_ACCESS_CODE", d.ID)}, nil
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
	d, codes, err := c.unmanagedOf(ctx, r.DeviceID)
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
	for _, code := range codes {
		if nothing || code.Slot <= after || !matches(search, code.Name, code.PIN.Reveal()) {
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
