package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// An access code that a client creates is the code of an access grant that names only its lock. So it is written, verified, changed and
// removed like every other code, it ends when the lock is deleted, and access_grants/list shows it. access_codes/update and
// access_codes/delete change and delete that grant. They refuse the codes of grants that open other doors too, and those of staff
// members, because those follow their grant or staff member.

// errDuplicateCode is the response to a PIN that another code of the lock has.
var errDuplicateCode = &apiError{
	status: http.StatusConflict, kind: "duplicate_access_code", message: "Another access code of the device has this PIN at the same time: give another code, or none to let one be generated",
}

// codeOptions are the parameters of a code for things that this library does not have.
type codeOptions struct {
	External, AllowExternal, Offline *bool
}

func (o *codeOptions) params() []jsonobject.Field {
	return []jsonobject.Field{
		bind("is_external_modification_allowed", &o.External, optionalBoolParam), bind("allow_external_modification", &o.AllowExternal, optionalBoolParam),
		bind("attempt_for_offline_device", &o.Offline, optionalBoolParam),
	}
}

func (o *codeOptions) check(refused *refusals) {
	is := func(v *bool, want bool) bool { return v != nil && *v == want }
	const always = "must be false: a code that somebody changes at the lock is written again"
	refused.add("is_external_modification_allowed", is(o.External, true), always)
	refused.add("allow_external_modification", is(o.AllowExternal, true), always)
	refused.add("attempt_for_offline_device", is(o.Offline, false), "must be true: a code of an offline lock is written as soon as the lock is online")
}

// createCodeRequest creates an access code.
type createCodeRequest struct {
	DeviceID                    uuid.UUID
	PIN                         string
	Name                        newName
	StartsAt, EndsAt            time.Time
	CommonKey, Rounding         string
	OfflineCode, OldOfflineCode *bool
	OneTime, Native, Backup     *bool
	Length                      *float64
	codeOptions
}

func (r *createCodeRequest) input() input {
	return input{params: append([]jsonobject.Field{
		required(bind("device_id", &r.DeviceID, idParam)), bind("code", &r.PIN, pinParam), bind("name", &r.Name, newNameParam),
		bind("starts_at", &r.StartsAt, timeParam), bind("ends_at", &r.EndsAt, timeParam),
		bind("common_code_key", &r.CommonKey, nameParam), bind("is_offline_access_code", &r.OfflineCode, optionalBoolParam),
		bind("use_offline_access_code", &r.OldOfflineCode, optionalBoolParam), bind("is_one_time_use", &r.OneTime, optionalBoolParam),
		bind("max_time_rounding", &r.Rounding, wordParam("1hour", "1day", "1h", "1d")), bind("prefer_native_scheduling", &r.Native, optionalBoolParam),
		bind("preferred_code_length", &r.Length, numberParam), bind("use_backup_access_code_pool", &r.Backup, optionalBoolParam),
	}, r.codeOptions.params()...)}
}

// createCode creates an access code of a lock, with a grant of its own. It answers before the code is on the lock.
func createCode(ctx context.Context, c *call, r *createCodeRequest) (jsonObject, error) {
	d, err := c.scope("").Device(ctx, r.DeviceID)
	if err != nil {
		return nil, err
	}
	if err := r.check(ctx, c, d); err != nil {
		return nil, err
	}
	id, err := uuid.NewRandomFromReader(c.h.db.Rand())
	if err != nil {
		return nil, err
	}
	g := data.AccessGrant{Kind: data.KindAccessGrant, Key: id.String(), StartsAt: r.StartsAt, EndsAt: r.EndsAt, Devices: []uuid.UUID{d.ID}}
	if r.Name.Text != nil {
		g.Name = *r.Name.Text
	}
	report, codes, err := c.scope(d.CustomerKey).PushGrant(ctx, g, device.NewSecret(r.PIN), data.PushOptions{Guard: guardNew})
	switch {
	case errors.Is(err, access.ErrNoCodes): // the device was deleted in the meantime, or has lost its access codes
		return nil, access.ErrDeviceNotFound
	case err != nil:
		return nil, mapFaultPaths(err, grantPath)
	}
	c.warnAboutGrant(report)
	g.Meta.ID = report.Resources[0].ID
	// Nothing is read after the write, so that an error does not hide it.
	encoded := c.encodeCode(codes[0], codeContext{subjects: map[data.Ref]data.Resource{codes[0].Subject: g}, devices: map[uuid.UUID]access.Device{d.ID: d}})
	return jsonObject{"access_code": encoded, "action_attempt": c.acceptedJSON("CREATE_ACCESS_CODE", d.ID)}, nil
}

// acceptedJSON returns an action attempt that has succeeded: the change is stored, and the code shows what the lock has confirmed. The
// attempt is not stored.
func (c *call) acceptedJSON(kind string, deviceID uuid.UUID) jsonObject {
	id, err := uuid.NewRandomFromReader(c.h.db.Rand())
	if err != nil {
		id = uuid.Nil
	}
	return jsonObject{
		"action_attempt_id": id, "action_type": kind, "status": access.AttemptSuccess, "result": jsonObject{"was_confirmed_by_device": false}, "error": nil,
		"device_id": deviceID, "created_at": data.FormatTime(c.h.db.Now()),
	}
}

// check returns an error for a code that the lock cannot have.
func (r *createCodeRequest) check(ctx context.Context, c *call, d access.Device) error {
	is := func(v *bool) bool { return v != nil && *v }
	var refused refusals
	r.codeOptions.check(&refused)
	refused.add("common_code_key", r.CommonKey != "", "must be absent: to give several devices one PIN, create an access grant with device_ids")
	refused.add("is_offline_access_code", is(r.OfflineCode), "must be false: there are no offline access codes")
	refused.add("use_offline_access_code", is(r.OldOfflineCode), "must be false: there are no offline access codes")
	refused.add("is_one_time_use", is(r.OneTime), "must be false: there are no codes for one use")
	refused.add("max_time_rounding", r.Rounding != "", "must be absent: times are not rounded")
	refused.add("use_backup_access_code_pool", is(r.Backup), "must be false: there are no backup access codes")
	refused.add("preferred_code_length", r.Length != nil, "must be absent: give a code of that length")
	refused.add("device_id", d.Codes == nil, "is a device without access codes")
	if err := refused.err(); err != nil {
		return err
	}
	if err := c.checkWindow(r.StartsAt, r.EndsAt); err != nil {
		return err
	}
	_, rules, err := c.scope(d.CustomerKey).Rules(ctx)
	if err != nil {
		return err
	}
	if rules.GrantCodes.Is(false) {
		return invalidInput(0, validation.Finding{Path: "device_id", Rule: validation.RuleNotThereYet, Message: "gets no access codes, because the rule reservation_created of its customer is off"})
	}
	return c.checkPIN(ctx, d, r.PIN, r.StartsAt, r.EndsAt, uuid.Nil)
}

// checkWindow returns an error for times in which a code can never be valid.
func (c *call) checkWindow(starts, ends time.Time) error {
	message := ""
	switch {
	case ends.IsZero():
		return nil
	case !ends.After(c.h.db.Now()):
		message = "is in the past"
	case !ends.After(starts):
		message = "must be after starts_at"
	default:
		return nil
	}
	return invalidInput(0, validation.Finding{Path: "ends_at", Rule: validation.RuleRange, Message: message})
}

// checkPIN returns an error for a PIN that a lock forbids, and for one that another code of the lock than except has at the same time.
// An empty PIN is allowed.
func (c *call) checkPIN(ctx context.Context, d access.Device, pin string, starts, ends time.Time, except uuid.UUID) error {
	if pin == "" {
		return nil
	}
	var rejected *device.RejectedError
	if err := d.Codes.CheckPIN(device.NewSecret(pin)); errors.As(err, &rejected) {
		message := rejected.Detail
		if rejected.Constraint != "" {
			message = fmt.Sprintf("breaks the rule %s of the lock", rejected.Constraint)
		}
		return invalidInput(0, validation.Finding{Path: "code", Rule: validation.RuleFormat, Message: message})
	}
	given := device.NewSecret(pin)
	_, duplicate, err := c.findCode(ctx, d.CustomerKey, access.CodeQuery{DeviceID: d.ID, Keep: func(code access.Code) bool {
		return code.PIN == given && code.ID != except &&
			(code.EndsAt.IsZero() || code.EndsAt.After(starts) && code.EndsAt.After(c.h.db.Now())) && (ends.IsZero() || ends.After(code.StartsAt))
	}})
	if err == nil && duplicate {
		return errDuplicateCode
	}
	return err
}

// codeGrant returns an access code and its grant, which opens nothing else. It returns an error for other codes.
func (c *call) codeGrant(ctx context.Context, id, deviceID uuid.UUID) (code access.Code, g data.AccessGrant, err error) {
	if code, err = c.scope("").Code(ctx, id); err != nil {
		return code, g, err
	}
	if deviceID != uuid.Nil && deviceID != code.DeviceID {
		return code, g, access.ErrCodeNotFound
	}
	refuse := func(message string) error {
		return invalidInput(0, validation.Finding{Path: "access_code_id", Rule: validation.RuleNotThereYet, Message: message})
	}
	if code.Subject.Kind.Class() != data.ClassAccessGrant {
		return code, g, refuse("is the code of a staff member, whose spaces decide about it")
	}
	if g, err = c.findGrant(ctx, uuid.Nil, code.Subject.Key); err != nil {
		return code, g, noCodeIfMissing(err)
	}
	if len(g.Spaces) > 0 || len(g.Devices) != 1 || g.Devices[0] != code.DeviceID {
		return code, g, refuse("is the code of an access grant that opens more than this device: change the access grant " + g.Meta.ID.String())
	}
	return code, g, nil
}

func noCodeIfMissing(err error) error {
	if err != nil && responseTo(err).status == http.StatusNotFound {
		return access.ErrCodeNotFound
	}
	return err
}

// updateCodeRequest changes an access code that a client created.
type updateCodeRequest struct {
	ID, DeviceID     uuid.UUID
	PIN, Type        string
	Name             newName
	StartsAt, EndsAt timeChange
	Managed          *bool
	codeOptions
}

func (r *updateCodeRequest) input() input {
	return input{params: append([]jsonobject.Field{
		required(bind("access_code_id", &r.ID, idParam)), bind("device_id", &r.DeviceID, idParam), bind("code", &r.PIN, pinParam), bind("name", &r.Name, newNameParam),
		bind("starts_at", &r.StartsAt, timeChangeParam), bind("ends_at", &r.EndsAt, timeChangeParam),
		bind("type", &r.Type, wordParam("ongoing", "time_bound")), bind("is_managed", &r.Managed, optionalBoolParam),
	}, r.codeOptions.params()...)}
}

// updateCode changes the PIN, the name and the times of an access code. Members that are not given do not change. The type ongoing
// removes both times.
func updateCode(ctx context.Context, c *call, r *updateCodeRequest) (jsonObject, error) {
	code, g, err := c.codeGrant(ctx, r.ID, r.DeviceID)
	if err != nil {
		return nil, err
	}
	d, err := c.scope(code.CustomerKey).Device(ctx, code.DeviceID)
	if err != nil {
		return nil, err
	}
	if r.Type == "ongoing" {
		if !r.StartsAt.Time.IsZero() || !r.EndsAt.Time.IsZero() {
			return nil, invalidInput(0, validation.Finding{Path: "type", Rule: validation.RuleFormat, Message: "ongoing removes the times: leave starts_at and ends_at out"})
		}
		r.StartsAt.Given, r.EndsAt.Given = true, true
	}
	after := func(change timeChange, now time.Time) time.Time {
		if change.Given {
			return change.Time
		}
		return now
	}
	starts, ends := after(r.StartsAt, g.StartsAt), after(r.EndsAt, g.EndsAt)
	var refused refusals
	r.codeOptions.check(&refused)
	refused.add("is_managed", r.Managed != nil && !*r.Managed, "must be true: delete the code to end its management")
	refused.add("type", r.Type == "time_bound" && ends.IsZero(), "needs ends_at")
	refused.add("code", r.PIN != "" && d.Codes == nil, "cannot be changed, because the device has no access codes at present")
	if err := refused.err(); err != nil {
		return nil, err
	}
	if err := c.checkWindow(starts, ends); err != nil {
		return nil, err
	}
	if err := c.checkPIN(ctx, d, r.PIN, starts, ends, code.ID); err != nil {
		return nil, err
	}
	change := (&updateGrantRequest{Name: r.Name, StartsAt: r.StartsAt, EndsAt: r.EndsAt}).change(g)
	if r.PIN != "" && g.PreferredCode != "" {
		change.Clear = append(change.Clear, "preferred_code") // which the host may have given when it created the grant
	}
	report, _, err := c.scope(code.CustomerKey).PushGrant(ctx, change, device.NewSecret(r.PIN), data.PushOptions{Guard: guardSame(g)})
	switch {
	case errors.Is(err, access.ErrNoCodes):
		return nil, access.ErrCodeNotFound
	case err != nil:
		return nil, noCodeIfMissing(mapFaultPaths(err, grantPath))
	}
	c.warnAboutGrant(report)
	return jsonObject{"action_attempt": c.acceptedJSON("UPDATE_ACCESS_CODE", code.DeviceID)}, nil
}

// deleteCodeRequest names an access code that a client created.
type deleteCodeRequest struct{ ID, DeviceID uuid.UUID }

func (r *deleteCodeRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("access_code_id", &r.ID, idParam)), bind("device_id", &r.DeviceID, idParam)}}
}

// deleteCode deletes an access code, and schedules its removal from the lock. It answers before the lock has confirmed it.
func deleteCode(ctx context.Context, c *call, r *deleteCodeRequest) (jsonObject, error) {
	code, g, err := c.codeGrant(ctx, r.ID, r.DeviceID)
	if err != nil {
		return nil, err
	}
	if _, err := c.deleteGrant(ctx, g); err != nil {
		return nil, noCodeIfMissing(err)
	}
	return jsonObject{"action_attempt": c.acceptedJSON("DELETE_ACCESS_CODE", code.DeviceID)}, nil
}
