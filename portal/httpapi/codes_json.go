package httpapi

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
)

// codeContext has what the JSON of access codes of one customer contains besides the codes.
type codeContext struct {
	subjects map[data.Ref]data.Resource
	devices  map[uuid.UUID]access.Device
}

// encodeCodes converts access codes to JSON. It reads their subjects, for their names, and their devices, for the errors of these.
func (c *call) encodeCodes(ctx context.Context, codes []access.Code) ([]jsonObject, error) {
	out := []jsonObject{}
	if len(codes) == 0 {
		return out, nil
	}
	of := map[string]codeContext{}
	err := c.ws.View(ctx, func(snap *data.Snapshot) error {
		clear(of)
		for customer, codes := range lo.GroupBy(codes, func(code access.Code) string { return code.CustomerKey }) {
			read := codeContext{subjects: map[data.Ref]data.Resource{}, devices: map[uuid.UUID]access.Device{}}
			refs := lo.Uniq(lo.Map(codes, func(code access.Code, _ int) data.Ref { return code.Subject }))
			found, err := snap.Resources(ctx, customer, refs)
			if err != nil {
				return err
			}
			for i, r := range found {
				read.subjects[refs[i]] = r
			}
			ids := lo.Uniq(lo.Map(codes, func(code access.Code, _ int) uuid.UUID { return code.DeviceID }))
			devices, err := c.scope(customer).At(snap).DevicesByID(ctx, ids...)
			if err != nil {
				return err
			}
			for i, d := range devices {
				if d != nil {
					read.devices[ids[i]] = *d
				}
			}
			of[customer] = read
		}
		return nil
	})
	if err != nil && responseTo(err).kind != notFound("customer").kind { // it was deleted in the meantime
		return nil, err
	}
	for _, code := range codes {
		o := c.encodeCode(code, of[code.CustomerKey])
		if code.Replacing {
			next, err := c.scope(code.CustomerKey).PIN(ctx, code.Subject)
			if err != nil && responseTo(err).kind != notFound("customer").kind {
				return nil, err
			}
			o["pending_mutations"] = append(o["pending_mutations"].([]jsonObject), jsonObject{
				"mutation_code": "updating_code", "message": "The PIN is being replaced on the device", "created_at": data.FormatTime(code.UpdatedAt),
				"from": jsonObject{"code": nullIfEmpty(code.PIN.Reveal())}, "to": jsonObject{"code": nullIfEmpty(next.Reveal())},
			})
		}
		out = append(out, o)
	}
	return out, nil
}

// encodeCode converts an access code to JSON, without the PIN that replaces its own.
func (c *call) encodeCode(code access.Code, with codeContext) jsonObject {
	o := c.codeJSON(code)
	o["name"] = nullIfEmpty(subjectName(with.subjects[code.Subject]))
	if g, ok := with.subjects[code.Subject].(data.AccessGrant); ok {
		o["access_grant_id"], o["access_method_id"] = g.Meta.ID, methodOf(g.Meta.ID)
	}
	if d, known := with.devices[code.DeviceID]; known {
		o["errors"] = append(o["errors"].([]jsonObject), deviceErrors(d)...)
	}
	return o
}

// subjectName returns the name of an access grant or a staff member, or its key if it has no name.
func subjectName(r data.Resource) string {
	switch r := r.(type) {
	case data.AccessGrant:
		return cmp.Or(r.Name, r.Key)
	case data.UserIdentity:
		return cmp.Or(r.Name, r.Key)
	}
	return ""
}

// codeJSON returns the members of an access code that do not depend on its subject and its device.
func (c *call) codeJSON(code access.Code) jsonObject {
	out := jsonObject{
		"access_code_id": code.ID, "device_id": code.DeviceID, "connected_account_id": code.AccountID, "workspace_id": c.ws.ID(), "customer_key": code.CustomerKey,
		"code": nullIfEmpty(code.PIN.Reveal()), "type": codeType(code), "status": code.Status, "created_at": data.FormatTime(code.CreatedAt),
		"starts_at": nullIfZeroTime(code.StartsAt), "ends_at": nullIfZeroTime(code.EndsAt),
		"is_managed": true, "common_code_key": nil, "is_backup": false, "is_backup_access_code_available": false,
		"is_external_modification_allowed": false, "is_offline_access_code": false, "is_one_time_use": false,
		"is_scheduled_on_device": code.Scheduled, "is_waiting_for_code_assignment": false,
	}
	errs, warnings := []jsonObject{}, []jsonObject{}
	for _, e := range code.Errors {
		errs = append(errs, jsonObject{"error_code": e.Type, "message": e.Message, "created_at": data.FormatTime(e.Since), "is_access_code_error": true})
	}
	for _, w := range code.Warnings {
		warnings = append(warnings, jsonObject{"warning_code": w.Type, "message": w.Message, "created_at": data.FormatTime(code.UpdatedAt)})
	}
	out["errors"], out["warnings"], out["pending_mutations"] = errs, warnings, c.codeMutations(code)
	return out
}

// codeType returns "ongoing" for a code without an end.
func codeType(code access.Code) string {
	if code.EndsAt.IsZero() {
		return "ongoing"
	}
	return "time_bound"
}

// codeMutations returns what the library is going to do with a code on its lock.
func (c *call) codeMutations(code access.Code) []jsonObject {
	mutation := func(name, message string) []jsonObject {
		return []jsonObject{{"mutation_code": name, "message": message, "created_at": data.FormatTime(code.UpdatedAt)}}
	}
	now := c.h.db.Now()
	switch over := !code.EndsAt.IsZero() && !now.Before(code.EndsAt); {
	case code.Status == access.CodeRemoving, over && code.Slot != 0:
		return mutation("deleting", "The code is being removed from the device")
	case code.Status == access.CodeUnset && !code.Scheduled && now.Before(code.WriteAt):
		out := mutation("deferring_creation", "The code is written to the device later")
		out[0]["scheduled_at"] = data.FormatTime(code.WriteAt)
		return out
	case code.Status == access.CodeSetting, code.Status == access.CodeUnset && !code.Scheduled && !over:
		return mutation("creating", "The code is being written to the device")
	}
	return []jsonObject{}
}

// nullIfZeroTime returns a time as text, or nil if it is zero.
func nullIfZeroTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return data.FormatTime(t)
}
