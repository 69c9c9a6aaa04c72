package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// An access method is the PIN of an access grant on all its locks. It exists as long as the grant has access codes. It is not stored:
// its id is computed from the id of the grant.

const (
	methodName  = "PIN code"
	methodClass = "access_method"
)

// methodBits are the bits in which the id of an access method differs from that of its grant. They are not among the bits of the
// version and the variant of a UUID.
var methodBits = uuid.UUID{0: 0x6d, 5: 0x65, 10: 0x74, 15: 0x68}

// methodOf returns the id of the access method of a grant.
func methodOf(grant uuid.UUID) (id uuid.UUID) {
	for i := range id {
		id[i] = grant[i] ^ methodBits[i]
	}
	return id
}

// grantOfMethod returns the id of the grant of an access method, or the zero id if id is zero.
func grantOfMethod(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return id
	}
	return methodOf(id)
}

// findGrant returns the access grant of an id or a key. Exactly one of the two must be set.
func (c *call) findGrant(ctx context.Context, id uuid.UUID, key string) (g data.AccessGrant, err error) {
	if err := accessGrants.checkNames(id, key); err != nil {
		return g, err
	}
	err = c.ws.View(ctx, func(s *data.Snapshot) error {
		g, err = accessGrants.find(ctx, s, id, key)
		return err
	})
	if errors.Is(err, data.ErrResourceNotFound) {
		err = notFound(accessGrants.name)
	}
	return g, err
}

// codesOfGrants returns the access codes of grants by the index of the grant. Grants without codes have none in the result.
func (c *call) codesOfGrants(ctx context.Context, snap *data.Snapshot, grants []data.AccessGrant) (map[int][]access.Code, error) {
	out := map[int][]access.Code{}
	if c.h.access == nil {
		return out, nil
	}
	indexes := map[string][]int{} // by customer
	for i, g := range grants {
		indexes[g.Meta.CustomerKey] = append(indexes[g.Meta.CustomerKey], i)
	}
	subject := func(i int) data.Ref { return data.Ref{Kind: data.KindAccessGrant, Key: grants[i].Key} }
	for customer, of := range indexes {
		codes, err := c.scope(customer).At(snap).CodesOf(ctx, lo.Map(of, func(i, _ int) data.Ref { return subject(i) })...)
		if err != nil {
			return nil, err
		}
		for _, i := range of {
			if found := codes[subject(i)]; len(found) > 0 {
				out[i] = found
			}
		}
	}
	return out, nil
}

// completeGrants adds what the access codes of grants and the automations have done to the JSON of the grants.
func completeGrants(ctx context.Context, c *call, snap *data.Snapshot, items []data.AccessGrant, encoded []jsonObject) error {
	if err := addMethods(ctx, c, snap, items, encoded); err != nil {
		return err
	}
	return addLastRuns(ctx, c, snap, items, encoded)
}

// addMethods adds the access methods of grants to their JSON, and warnings about their access codes.
func addMethods(ctx context.Context, c *call, snap *data.Snapshot, items []data.AccessGrant, encoded []jsonObject) error {
	codes, err := c.codesOfGrants(ctx, snap, items)
	if err != nil {
		return err
	}
	for i, of := range codes {
		requested, ids := requestedMethod(items[i]), []uuid.UUID{methodOf(items[i].Meta.ID)}
		requested["created_access_method_ids"] = ids
		encoded[i]["access_method_ids"], encoded[i]["requested_access_methods"] = ids, []jsonObject{requested}
		encoded[i]["warnings"] = grantWarnings(of)
	}
	return nil
}

// grantWarnings returns the warnings of a grant about its access codes.
func grantWarnings(codes []access.Code) []jsonObject {
	out := []jsonObject{}
	pin := commonPIN(codes)
	missing, since := 0, time.Time{}
	for _, code := range codes {
		for _, w := range code.Warnings {
			if w.Type == access.WarningOtherPIN {
				out = append(out, jsonObject{
					"warning_code": w.Type, "message": w.Message, "created_at": data.FormatTime(code.UpdatedAt),
					"device_id": code.DeviceID, "original_code": pin, "new_code": code.PIN.Reveal(),
				})
			}
		}
		if len(code.Errors) > 0 && !isIssued(code) {
			if missing++; since.IsZero() || code.Errors[0].Since.Before(since) {
				since = code.Errors[0].Since
			}
		}
	}
	if missing > 0 {
		out = append(out, jsonObject{
			"warning_code": "underprovisioned_access", "created_at": data.FormatTime(since),
			"message": fmt.Sprintf("%d of the %d access codes are not on their devices: see the errors of the access codes", missing, len(codes)),
		})
	}
	return out
}

// isIssued reports whether the lock holds a code.
func isIssued(code access.Code) bool { return code.Status == access.CodeSet || code.Scheduled }

// commonPIN returns the PIN of a grant: that of its codes except those whose lock required another one.
func commonPIN(codes []access.Code) string {
	for _, code := range codes {
		if !slices.ContainsFunc(code.Warnings, func(w access.CodeWarning) bool { return w.Type == access.WarningOtherPIN }) {
			return code.PIN.Reveal()
		}
	}
	return codes[0].PIN.Reveal()
}

// methodJSON returns the access method of a grant that has codes.
func (c *call) methodJSON(g data.AccessGrant, codes []access.Code) jsonObject {
	issued := lo.CountBy(codes, isIssued)
	errs, warnings, mutations := []jsonObject{}, []jsonObject{}, []jsonObject{}
	var issuedAt time.Time
	have, want := []uuid.UUID{}, []uuid.UUID{}
	for _, code := range codes {
		want = append(want, code.DeviceID)
		if isIssued(code) {
			have = append(have, code.DeviceID)
		}
		if code.UpdatedAt.After(issuedAt) {
			issuedAt = code.UpdatedAt
		}
		for _, e := range code.Errors {
			at := data.FormatTime(e.Since)
			switch {
			case e.Type == access.CodeFailedToIssue:
				errs = append(errs, jsonObject{"error_code": e.Type, "message": e.Message, "created_at": at})
			case !isIssued(code):
				warnings = append(warnings, jsonObject{"warning_code": "delay_in_issuing", "message": e.Message, "created_at": at})
			}
		}
	}
	due := lo.SomeBy(codes, func(code access.Code) bool { return !isIssued(code) && !c.h.db.Now().Before(code.WriteAt) })
	if due {
		mutations = append(mutations, jsonObject{
			"mutation_code": "provisioning_access", "message": "The PIN is being written to the devices", "created_at": data.FormatTime(issuedAt),
			"from": jsonObject{"device_ids": have}, "to": jsonObject{"device_ids": want},
		})
	}
	out := jsonObject{
		"access_method_id": methodOf(g.Meta.ID), "access_grant_id": g.Meta.ID, "workspace_id": c.ws.ID(), "customer_key": g.Meta.CustomerKey,
		"display_name": methodName, "mode": "code", "code": nullIfEmpty(commonPIN(codes)),
		"created_at": data.FormatTime(lo.MinBy(codes, func(a, b access.Code) bool { return a.CreatedAt.Before(b.CreatedAt) }).CreatedAt),
		"is_issued":  issued == len(codes), "issued_at": nil, "display_status": fmt.Sprintf("The PIN is on %d of %d devices.", issued, len(codes)),
		"errors": errs, "warnings": warnings, "pending_mutations": mutations,
	}
	if issued == len(codes) {
		out["issued_at"] = data.FormatTime(issuedAt)
	}
	return out
}

// methodRequest names an access method.
type methodRequest struct{ ID uuid.UUID }

func (r *methodRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("access_method_id", &r.ID, idParam))}}
}

func getMethod(ctx context.Context, c *call, r *methodRequest) (out jsonObject, err error) {
	err = c.ws.View(ctx, func(snap *data.Snapshot) error {
		out = nil
		g, err := snap.AccessGrantByID(ctx, grantOfMethod(r.ID))
		if err != nil {
			return err
		}
		codes, err := c.codesOfGrants(ctx, snap, []data.AccessGrant{g})
		if err != nil {
			return err
		}
		if len(codes[0]) == 0 {
			return notFound(methodClass)
		}
		out = jsonObject{methodClass: c.methodJSON(g, codes[0])}
		return nil
	})
	if errors.Is(err, data.ErrResourceNotFound) {
		return nil, notFound(methodClass)
	}
	return out, err
}

// deleteMethodRequest names an access method: by its id, by the id of its grant, or by the key of a reservation.
type deleteMethodRequest struct {
	ID, GrantID    uuid.UUID
	ReservationKey string
}

func (r *deleteMethodRequest) input() input {
	return input{params: []jsonobject.Field{
		bind("access_method_id", &r.ID, idParam), bind("access_grant_id", &r.GrantID, idParam), bind("reservation_key", &r.ReservationKey, keyParam),
	}}
}

// deleteMethod takes the PIN of an access grant away, and schedules the removal of its access codes from their locks. The grant remains
// and gets no codes, also if it changes, until its PIN is reissued in a portal.
func deleteMethod(ctx context.Context, c *call, r *deleteMethodRequest) (jsonObject, error) {
	id := r.ID
	if r.GrantID != uuid.Nil {
		id = methodOf(r.GrantID)
	}
	if given := lo.Compact([]string{idOrEmpty(r.ID), idOrEmpty(r.GrantID), r.ReservationKey}); len(given) != 1 {
		return nil, invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give one of access_method_id, access_grant_id and reservation_key"})
	}
	var g data.AccessGrant
	err := c.ws.View(ctx, func(snap *data.Snapshot) (err error) {
		if r.ReservationKey == "" {
			g, err = snap.AccessGrantByID(ctx, grantOfMethod(id))
		} else if g, err = snap.AccessGrant(ctx, r.ReservationKey); err == nil && g.Kind != data.KindReservation {
			return notFound(methodClass)
		}
		if err != nil {
			return err
		}
		codes, err := c.codesOfGrants(ctx, snap, []data.AccessGrant{g})
		if err == nil && len(codes[0]) == 0 {
			return notFound(methodClass)
		}
		return err
	})
	if err == nil {
		err = c.scope(g.Meta.CustomerKey).Checked(func(ctx context.Context, s *data.Snapshot) error { return sameGrant(ctx, s, g) }).RevokePIN(ctx, g.Key, data.Actor{})
	}
	if err != nil && (errors.Is(err, data.ErrResourceNotFound) || responseTo(err).status == http.StatusNotFound) {
		err = notFound(methodClass)
	}
	return nil, err
}

func idOrEmpty(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// listMethodsRequest selects access methods by their grants.
type listMethodsRequest struct {
	CodeID, GrantID, DeviceID, SpaceID uuid.UUID
	GrantKey, CustomerKey              string
	EntranceID                         foreignFilter
	pageRequest
}

func (r *listMethodsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("access_grant_id", &r.GrantID, idParam), bind("access_grant_key", &r.GrantKey, keyParam), bind("access_code_id", &r.CodeID, idParam),
		bind("device_id", &r.DeviceID, idParam), bind("space_id", &r.SpaceID, idParam), bind("customer_key", &r.CustomerKey, keyParam),
		bind("acs_entrance_id", &r.EntranceID, foreignIDParam),
	}, r.pageRequest.params()...)}
}

// listMethods lists access methods in the order of their grants. A page has the methods of Limit grants, of which some may have none.
func listMethods(ctx context.Context, c *call, r *listMethodsRequest) (jsonObject, error) {
	out, next := []jsonObject{}, ""
	nothing := c.matchesNothing(r.EntranceID)
	err := c.ws.View(ctx, func(snap *data.Snapshot) error {
		out, next = []jsonObject{}, ""
		q := data.Query{CustomerKey: r.CustomerKey, Limit: r.Limit, Cursor: r.Cursor}
		if nothing {
			return nil
		}
		for _, grant := range []resourceRequest{{ID: r.GrantID}, {Key: r.GrantKey}} {
			if grant == (resourceRequest{}) {
				continue
			}
			if err := accessGrants.restrictTo(ctx, snap, grant.ID, grant.Key, &q, func(key string) { q.Keys = intersect(q.Keys, key) }); err != nil {
				return err
			}
		}
		if r.SpaceID != uuid.Nil {
			if err := spaces.restrictTo(ctx, snap, r.SpaceID, "", &q, func(key string) { q.SpaceKey = key }); err != nil {
				return err
			}
		}
		if err := c.grantOfCode(ctx, snap, r.CodeID, &q); err != nil {
			return err
		}
		if err := c.grantsOf(ctx, snap, r.DeviceID, &q); err != nil {
			return err
		}
		page, err := snap.AccessGrants(ctx, q)
		if err != nil {
			return err
		}
		codes, err := c.codesOfGrants(ctx, snap, page.Items)
		if err != nil {
			return err
		}
		for i, g := range page.Items {
			if len(codes[i]) > 0 {
				out = append(out, c.methodJSON(g, codes[i]))
			}
		}
		next = page.Next
		c.warnIfStopped(page.Stopped)
		return nil
	})
	if errors.Is(err, errNoMatch) || errors.Is(err, data.ErrResourceNotFound) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return jsonObject{"access_methods": out, "pagination": c.pagination(next, next != "")}, nil
}

// grantOfCode restricts a query of access grants to the grant of an access code. It returns errNoMatch if the query excludes this grant. If
// id is zero, it changes nothing.
func (c *call) grantOfCode(ctx context.Context, snap *data.Snapshot, id uuid.UUID, q *data.Query) error {
	if id == uuid.Nil {
		return nil
	}
	if c.h.access == nil {
		return errNoMatch
	}
	code, err := c.scope(q.CustomerKey).At(snap).Code(ctx, id)
	switch {
	case err != nil:
		return noMatchIfMissing(err)
	case code.Subject.Kind.Class() != data.ClassAccessGrant:
		return errNoMatch
	}
	q.CustomerKey, q.Keys = code.CustomerKey, intersect(q.Keys, code.Subject.Key)
	return nil
}
