package httpapi

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// getCodeRequest names an access code by its id, or by its lock and its PIN.
type getCodeRequest struct {
	ID, DeviceID uuid.UUID
	PIN          string
}

func (r *getCodeRequest) input() input {
	return input{params: []jsonobject.Field{
		bind("access_code_id", &r.ID, idParam), bind("device_id", &r.DeviceID, idParam), bind("code", &r.PIN, pinFilterParam),
	}}
}

// check returns an error unless the request names a code.
func (r *getCodeRequest) check() error {
	if (r.ID == uuid.Nil) == (r.DeviceID == uuid.Nil || r.PIN == "") {
		return invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give either access_code_id, or device_id and code"})
	}
	return nil
}

// pinFilterParam reads a PIN by which an access code is searched. It is not repeated in next_page_url.
var pinFilterParam = param[string]{nameParam.schema, nameParam.read, func(string) any { return nil }}

// searchPINParam reads the text of a search that also finds PINs. Addresses appear in logs, so there is no next_page_url with it.
var searchPINParam = param[string]{textParam.schema, textParam.read, func(s string) any {
	if s == "" {
		return nil
	}
	return notInURL{}
}}

// getCode returns an access code. A code whose access was deleted is not found, also while it is being removed from its lock.
func getCode(ctx context.Context, c *call, r *getCodeRequest) (out jsonObject, err error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var code access.Code
	if r.ID != uuid.Nil {
		if code, err = c.scope("").Code(ctx, r.ID); err != nil {
			return nil, err
		}
	} else {
		d, err := c.scope("").Device(ctx, r.DeviceID)
		if err != nil {
			return nil, err
		}
		var found bool
		pin := device.NewSecret(r.PIN)
		if code, found, err = c.findCode(ctx, d.CustomerKey, access.CodeQuery{DeviceID: d.ID, Keep: func(code access.Code) bool { return code.PIN == pin }}); err != nil {
			return nil, err
		}
		if !found {
			return nil, access.ErrCodeNotFound
		}
	}
	encoded, err := c.encodeCodes(ctx, []access.Code{code})
	if err != nil {
		return nil, err
	}
	return jsonObject{"access_code": encoded[0]}, nil
}

// findCode returns the first access code of a customer that a query selects. found is false if it selects no code.
func (c *call) findCode(ctx context.Context, customer string, q access.CodeQuery) (code access.Code, found bool, err error) {
	for q.Limit = 1; ; {
		page, err := c.scope(customer).Codes(ctx, q)
		if err != nil {
			return code, false, err
		}
		if len(page.Items) > 0 {
			return page.Items[0], true, nil
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return code, false, nil
		}
	}
}

// listCodesRequest selects access codes. At least one of the ids and keys is required, as in the API.
type listCodesRequest struct {
	IDs                         []uuid.UUID
	DeviceID, MethodID, GrantID uuid.UUID
	GrantKey                    string
	CustomerKey, Search         string
	UserKey                     foreignFilter
	pageRequest
}

func (r *listCodesRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("access_code_ids", &r.IDs, idsParam), bind("device_id", &r.DeviceID, idParam), bind("access_method_id", &r.MethodID, idParam),
		bind("access_grant_id", &r.GrantID, idParam), bind("access_grant_key", &r.GrantKey, keyParam), bind("customer_key", &r.CustomerKey, keyParam),
		bind("search", &r.Search, searchPINParam), bind("user_identifier_key", &r.UserKey, foreignTextParam),
	}, r.pageRequest.params()...)}
}

// listCodes lists the access codes that pass all given filters, by device. It ignores unknown ids in access_code_ids, and returns
// nothing for other ids and keys of things that do not exist.
func listCodes(ctx context.Context, c *call, r *listCodesRequest) (jsonObject, error) {
	if r.IDs == nil && r.DeviceID == uuid.Nil && r.MethodID == uuid.Nil && r.GrantID == uuid.Nil && r.GrantKey == "" && r.CustomerKey == "" {
		return nil, invalidInput(0, validation.Finding{
			Rule: validation.RuleRequired, Message: "give at least one of device_id, access_code_ids, access_method_id, access_grant_id, access_grant_key and customer_key",
		})
	}
	codes, next := []access.Code{}, ""
	if !c.matchesNothing(r.UserKey) {
		var err error
		if codes, next, err = r.find(ctx, c); err != nil && !errors.Is(err, errNoMatch) {
			return nil, err
		}
	}
	encoded, err := c.encodeCodes(ctx, codes)
	if err != nil {
		return nil, err
	}
	return jsonObject{"access_codes": encoded, "pagination": c.pagination(next, next != "")}, nil
}

// find returns the codes that the request selects, and the cursor of the next page. It returns errNoMatch if there can be none.
func (r *listCodesRequest) find(ctx context.Context, c *call) (codes []access.Code, next string, err error) {
	q := access.CodeQuery{DeviceID: r.DeviceID, Cursor: r.Cursor}
	customer := r.CustomerKey
	restrict := func(to string) error {
		if customer != "" && customer != to {
			return errNoMatch
		}
		customer = to
		return nil
	}
	for _, grant := range []resourceRequest{{ID: r.GrantID}, {Key: r.GrantKey}, {ID: grantOfMethod(r.MethodID)}} {
		if grant == (resourceRequest{}) {
			continue
		}
		g, err := c.findGrant(ctx, grant.ID, grant.Key)
		if err != nil {
			return nil, "", noMatchIfMissing(err)
		}
		if err := restrict(g.Meta.CustomerKey); err != nil {
			return nil, "", err
		}
		subject := data.Ref{Kind: data.KindAccessGrant, Key: g.Key}
		if q.Subject != (data.Ref{}) && q.Subject != subject {
			return nil, "", errNoMatch
		}
		q.Subject = subject
	}
	if r.DeviceID != uuid.Nil {
		d, err := c.scope("").Device(ctx, r.DeviceID)
		if err != nil {
			return nil, "", noMatchIfMissing(err)
		}
		if err := restrict(d.CustomerKey); err != nil {
			return nil, "", err
		}
	}
	search := textsearch.Parse(r.Search)
	keep := func(code access.Code) bool { return matches(search, code.Subject.Key, code.PIN.Reveal()) }
	if r.IDs != nil {
		return r.findByID(ctx, c, customer, q, keep)
	}
	q.Limit = r.Limit
	if r.Search != "" {
		q.Keep = keep
	}
	page, err := c.scope(customer).Codes(ctx, q)
	c.warnIfStopped(page.Stopped)
	return page.Items, page.Next, noMatchIfMissing(err)
}

// findByID returns the codes of access_code_ids that pass the other filters. The cursor is an index in the list of ids.
func (r *listCodesRequest) findByID(ctx context.Context, c *call, customer string, q access.CodeQuery, keep func(access.Code) bool) (codes []access.Code, next string, err error) {
	from := 0
	if r.Cursor != "" {
		if from, err = strconv.Atoi(r.Cursor); err != nil || from < 0 {
			return nil, "", data.ErrInvalidCursor
		}
	}
	for i := from; i < len(r.IDs); i++ {
		code, err := c.scope(customer).Code(ctx, r.IDs[i])
		if errors.Is(err, access.ErrCodeNotFound) || slices.Contains(r.IDs[:i], r.IDs[i]) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if q.DeviceID != uuid.Nil && code.DeviceID != q.DeviceID || q.Subject != (data.Ref{}) && code.Subject != q.Subject || !keep(code) {
			continue
		}
		if len(codes) == r.Limit {
			return codes, strconv.Itoa(i), nil
		}
		codes = append(codes, code)
	}
	return codes, "", nil
}

// noMatchIfMissing returns errNoMatch if the error says that something does not exist, and otherwise the error.
func noMatchIfMissing(err error) error {
	if err != nil && strings.HasSuffix(responseTo(err).kind, "_not_found") {
		return errNoMatch
	}
	return err
}

// generateCode returns a PIN that a lock accepts, in the form of an access code. It creates no access code, so the id is the nil UUID.
func generateCode(ctx context.Context, c *call, r *lockRequest) (jsonObject, error) {
	d, err := c.scope("").Device(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	pin, err := c.scope(d.CustomerKey).GenerateCode(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	now := c.h.db.Now()
	out := c.codeJSON(access.Code{
		DeviceID: d.ID, AccountID: d.AccountID, CustomerKey: d.CustomerKey, PIN: pin, Status: access.CodeUnset, WriteAt: now, CreatedAt: now, UpdatedAt: now,
	})
	out["name"], out["pending_mutations"] = nil, []jsonObject{}
	return jsonObject{"generated_code": out}, nil
}
