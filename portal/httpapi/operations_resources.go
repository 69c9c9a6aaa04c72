package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/validation"
)

// resourceReads is how the resources of a class are read and shown.
type resourceReads[T data.Resource] struct {
	name   string // such as "space"
	many   string // such as "spaces"
	byKey  func(*data.Snapshot, context.Context, string) (T, error)
	byID   func(*data.Snapshot, context.Context, uuid.UUID) (T, error)
	list   func(*data.Snapshot, context.Context, data.Query) (data.Page[T], error)
	meta   func(T) data.Meta
	show   func(c *call, v T, related map[data.Ref]data.Resource) fields
	refers func(T) []data.Ref // what is shown of others: their ids
}

var (
	spaces = resourceReads[data.Space]{
		"space", "spaces", (*data.Snapshot).Space, (*data.Snapshot).SpaceByID, (*data.Snapshot).Spaces,
		func(s data.Space) data.Meta { return s.Meta }, showSpace, func(s data.Space) []data.Ref {
			if s.ParentSiteKey == "" {
				return nil
			}
			return []data.Ref{{Kind: data.KindSpace, Key: s.ParentSiteKey}}
		},
	}
	users = resourceReads[data.UserIdentity]{
		"user_identity", "user_identities", (*data.Snapshot).UserIdentity, (*data.Snapshot).UserIdentityByID, (*data.Snapshot).UserIdentities,
		func(u data.UserIdentity) data.Meta { return u.Meta }, showUser, func(data.UserIdentity) []data.Ref { return nil },
	}
	grants = resourceReads[data.AccessGrant]{
		"access_grant", "access_grants", (*data.Snapshot).AccessGrant, (*data.Snapshot).AccessGrantByID, (*data.Snapshot).AccessGrants,
		func(g data.AccessGrant) data.Meta { return g.Meta }, showGrant, func(g data.AccessGrant) []data.Ref {
			out := make([]data.Ref, 0, len(g.Spaces)+1)
			for _, ref := range g.Spaces {
				out = append(out, ofClass(ref))
			}
			if g.User != (data.Ref{}) {
				out = append(out, ofClass(g.User))
			}
			return out
		},
	}
)

// ofClass is a reference under the first name of its class, since it goes by class.
func ofClass(ref data.Ref) data.Ref {
	return data.Ref{Kind: data.Kinds(ref.Kind.Class())[0], Key: ref.Key}
}

// resourceRequest names a resource, by its id or by its key.
type resourceRequest struct {
	ID  uuid.UUID
	Key string
}

func (r *resourceRequest) of(name string) input {
	return input{params: []form.Field{bind(name+"_id", &r.ID, anID), bind(name+"_key", &r.Key, aKey)}}
}

type (
	spaceRequest struct{ resourceRequest }
	userRequest  struct{ resourceRequest }
	grantRequest struct{ resourceRequest }
)

func (r *spaceRequest) input() input { return r.of(spaces.name) }
func (r *userRequest) input() input  { return r.of(users.name) }
func (r *grantRequest) input() input { return r.of(grants.name) }

func getSpace(ctx context.Context, c *call, r *spaceRequest) (fields, error) {
	return spaces.get(ctx, c, r.ID, r.Key)
}

func getUser(ctx context.Context, c *call, r *userRequest) (fields, error) {
	return users.get(ctx, c, r.ID, r.Key)
}

func getGrant(ctx context.Context, c *call, r *grantRequest) (fields, error) {
	return grants.get(ctx, c, r.ID, r.Key)
}

// get reads the resource of an id or of a key.
func (r resourceReads[T]) get(ctx context.Context, c *call, id uuid.UUID, key string) (out fields, err error) {
	if (id == uuid.Nil) == (key == "") {
		return nil, faulty(validation.Finding{Rule: validation.RuleRequired, Message: "give either " + r.name + "_id or " + r.name + "_key"})
	}
	err = c.ws.View(ctx, func(at *data.Snapshot) error {
		v, err := r.find(ctx, at, id, key)
		if err != nil {
			return err
		}
		shown, err := r.shown(ctx, c, at, []T{v})
		if err != nil {
			return err
		}
		out = fields{r.name: shown[0]}
		return nil
	})
	if errors.Is(err, data.ErrResourceNotFound) {
		return nil, noSuch(r.name)
	}
	return out, err
}

func (r resourceReads[T]) find(ctx context.Context, at *data.Snapshot, id uuid.UUID, key string) (T, error) {
	if id != uuid.Nil {
		return r.byID(at, ctx, id)
	}
	return r.byKey(at, ctx, key)
}

// errNothing ends a list whose filters leave nothing.
var errNothing = errors.New("httpapi: a filter names nothing")

// pages answers with a page of what a query finds. narrow adds the filters to the query.
func (r resourceReads[T]) pages(ctx context.Context, c *call, wanted data.Query, narrow func(at *data.Snapshot, q *data.Query) error) (fields, error) {
	shown, next := []fields{}, ""
	err := c.ws.View(ctx, func(at *data.Snapshot) error {
		shown, next = []fields{}, ""
		q := wanted
		if err := narrow(at, &q); errors.Is(err, errNothing) || errors.Is(err, data.ErrResourceNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		page, err := r.list(at, ctx, q)
		if err != nil {
			return err
		}
		next = page.Next
		c.stopped(page.Stopped)
		shown, err = r.shown(ctx, c, at, page.Items)
		return err
	})
	if err != nil {
		return nil, err
	}
	return fields{r.many: shown, "pagination": c.pagination(next, next != "")}, nil
}

// shown is resources as the API has them, with the ids of what they refer to.
func (r resourceReads[T]) shown(ctx context.Context, c *call, at *data.Snapshot, items []T) ([]fields, error) {
	refs := map[string][]data.Ref{} // by customer
	for _, v := range items {
		key := r.meta(v).CustomerKey
		refs[key] = append(refs[key], r.refers(v)...)
	}
	related := map[string]map[data.Ref]data.Resource{}
	for customer, of := range refs {
		of = lo.Uniq(of) // a page of one guest's grants names it once
		found, err := at.Resources(ctx, customer, of)
		if err != nil {
			return nil, err
		}
		related[customer] = map[data.Ref]data.Resource{}
		for i, v := range found {
			if v != nil {
				related[customer][of[i]] = v
			}
		}
	}
	out := []fields{}
	for _, v := range items {
		meta := r.meta(v)
		shown := r.show(c, v, related[meta.CustomerKey])
		shown[r.name+"_id"], shown[r.name+"_key"] = meta.ID, v.Ref().Key
		shown["workspace_id"], shown["customer_key"] = c.ws.ID(), meta.CustomerKey
		shown["created_at"], shown["kind"] = data.FormatTime(meta.CreatedAt), v.Ref().Kind
		out = append(out, shown)
	}
	return out, nil
}

// only narrows a query to the resource of an id or key; a key alone says which
// customer's it is.
func only[T data.Resource](ctx context.Context, r resourceReads[T], at *data.Snapshot, id uuid.UUID, key string, q *data.Query, narrow func(key string)) error {
	v, err := r.find(ctx, at, id, key)
	if err != nil {
		return err
	}
	if customer := r.meta(v).CustomerKey; q.CustomerKey == "" {
		q.CustomerKey = customer
	} else if q.CustomerKey != customer {
		return errNothing
	}
	narrow(v.Ref().Key)
	return nil
}

// foreign warns of filters by something that this library does not have. They match nothing.
func (c *call) foreign(filters ...foreignID) error {
	var err error
	for _, f := range filters {
		if f.id != uuid.Nil {
			c.found = append(c.found, validation.Finding{Path: f.name, Rule: validation.RuleNotThereYet, Message: "names nothing: there are no devices or accounts here"})
			err = errNothing
		}
	}
	return err
}

type listSpacesRequest struct {
	CustomerKey, Search string
	ConnectedAccountID  foreignID
	Key                 string
	ParentID            uuid.UUID
	ParentKey           string
	pageRequest
}

func (r *listSpacesRequest) input() input {
	return input{params: append([]form.Field{
		bind("customer_key", &r.CustomerKey, aKey), bind("search", &r.Search, aText), bind("connected_account_id", &r.ConnectedAccountID, aForeignID),
		bind("space_key", &r.Key, aKey), bind("parent_space_id", &r.ParentID, anID), bind("parent_space_key", &r.ParentKey, aKey),
	}, r.pageRequest.fields()...)}
}

func listSpaces(ctx context.Context, c *call, r *listSpacesRequest) (fields, error) {
	wanted := data.Query{CustomerKey: r.CustomerKey, Text: r.Search, Limit: r.Limit, Cursor: r.Cursor}
	return spaces.pages(ctx, c, wanted, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if err := c.foreign(r.ConnectedAccountID); err != nil {
			return err
		}
		if r.Key != "" {
			if err := only(ctx, spaces, at, uuid.Nil, r.Key, q, func(key string) { q.Keys = []string{key} }); err != nil {
				return err
			}
		}
		inside := func(key string) { q.ParentSiteKey = key }
		if r.ParentID != uuid.Nil {
			if err := only(ctx, spaces, at, r.ParentID, "", q, inside); err != nil {
				return err
			}
		}
		if r.ParentKey == "" {
			return nil
		}
		if q.ParentSiteKey != "" && q.ParentSiteKey != r.ParentKey {
			return errNothing
		}
		return only(ctx, spaces, at, uuid.Nil, r.ParentKey, q, inside)
	})
}

type listUsersRequest struct {
	CustomerKey               string
	IDs                       []uuid.UUID
	Search                    string
	CredentialManagerSystemID foreignID
	CreatedBefore             time.Time
	pageRequest
}

func (r *listUsersRequest) input() input {
	return input{params: append([]form.Field{
		bind("customer_key", &r.CustomerKey, aKey), bind("user_identity_ids", &r.IDs, someIDs), bind("search", &r.Search, aText),
		bind("credential_manager_acs_system_id", &r.CredentialManagerSystemID, aForeignID), bind("created_before", &r.CreatedBefore, aTime),
	}, r.pageRequest.fields()...)}
}

func listUsers(ctx context.Context, c *call, r *listUsersRequest) (fields, error) {
	wanted := data.Query{CustomerKey: r.CustomerKey, Text: r.Search, Limit: r.Limit, Cursor: r.Cursor}
	return users.pages(ctx, c, wanted, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if before := r.CreatedBefore; !before.IsZero() {
			q.Keep = func(r data.Resource) (bool, error) { return r.(data.UserIdentity).Meta.CreatedAt.Before(before), nil }
		}
		if err := users.withIDs(ctx, at, r.IDs, q); err != nil {
			return err
		}
		return c.foreign(r.CredentialManagerSystemID)
	})
}

// withIDs narrows a query to the resources of some ids; nil is all.
func (r resourceReads[T]) withIDs(ctx context.Context, at *data.Snapshot, ids []uuid.UUID, q *data.Query) error {
	if ids == nil {
		return nil
	}
	q.Keys = []string{}
	for _, id := range ids {
		v, err := r.byID(at, ctx, id)
		if errors.Is(err, data.ErrResourceNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		q.Keys = append(q.Keys, v.Ref().Key)
	}
	return nil
}

type listGrantsRequest struct {
	CustomerKey                                              string
	IDs                                                      []uuid.UUID
	UserIdentityID, SpaceID                                  uuid.UUID
	Key, ReservationKey                                      string
	SystemID, EntranceID, DeviceID, LocationID, AccessCodeID foreignID
	pageRequest
}

func (r *listGrantsRequest) input() input {
	return input{params: append([]form.Field{
		bind("customer_key", &r.CustomerKey, aKey), bind("access_grant_ids", &r.IDs, someIDs),
		bind("user_identity_id", &r.UserIdentityID, anID), bind("space_id", &r.SpaceID, anID),
		bind("access_grant_key", &r.Key, aKey), bind("reservation_key", &r.ReservationKey, aKey),
		bind("acs_system_id", &r.SystemID, aForeignID), bind("acs_entrance_id", &r.EntranceID, aForeignID),
		bind("device_id", &r.DeviceID, aForeignID), bind("location_id", &r.LocationID, aForeignID), bind("access_code_id", &r.AccessCodeID, aForeignID),
	}, r.pageRequest.fields()...)}
}

func listGrants(ctx context.Context, c *call, r *listGrantsRequest) (fields, error) {
	wanted := data.Query{CustomerKey: r.CustomerKey, Limit: r.Limit, Cursor: r.Cursor}
	return grants.pages(ctx, c, wanted, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if err := c.foreign(r.SystemID, r.EntranceID, r.DeviceID, r.LocationID, r.AccessCodeID); err != nil {
			return err
		}
		if err := grants.withIDs(ctx, at, r.IDs, q); err != nil {
			return err
		}
		if r.ReservationKey != "" {
			q.Kinds = []data.Kind{data.KindReservation}
		}
		for _, key := range []string{r.Key, r.ReservationKey} {
			if key == "" {
				continue
			}
			if err := only(ctx, grants, at, uuid.Nil, key, q, func(key string) { q.Keys = both(q.Keys, key) }); err != nil {
				return err
			}
		}
		if r.UserIdentityID != uuid.Nil {
			if err := only(ctx, users, at, r.UserIdentityID, "", q, func(key string) { q.UserKey = key }); err != nil {
				return err
			}
		}
		if r.SpaceID != uuid.Nil {
			return only(ctx, spaces, at, r.SpaceID, "", q, func(key string) { q.SpaceKey = key })
		}
		return nil
	})
}

// both is the keys that a list, where there is one, and a key leave.
func both(keys []string, key string) []string {
	if keys == nil {
		return []string{key}
	}
	for _, k := range keys {
		if k == key {
			return []string{key}
		}
	}
	return []string{}
}
