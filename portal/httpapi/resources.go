package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
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

func getSpace(ctx context.Context, c *call) (fields, error) { return spaces.get(ctx, c) }
func getUser(ctx context.Context, c *call) (fields, error)  { return users.get(ctx, c) }
func getGrant(ctx context.Context, c *call) (fields, error) { return grants.get(ctx, c) }

// get reads the resource of an id or of a key.
func (r resourceReads[T]) get(ctx context.Context, c *call) (out fields, err error) {
	id, key := c.params.id(r.name+"_id"), c.params.text(r.name+"_key")
	if (id == uuid.Nil) == (key == "") {
		return nil, faulty(data.Finding{Rule: data.RuleRequired, Message: "give either " + r.name + "_id or " + r.name + "_key"})
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

// pages answers a page of what a query finds. narrow completes that from the filters.
func (r resourceReads[T]) pages(ctx context.Context, c *call, narrow func(at *data.Snapshot, q *data.Query) error) (fields, error) {
	shown, next := []fields{}, ""
	err := c.ws.View(ctx, func(at *data.Snapshot) error {
		shown, next = []fields{}, ""
		q := data.Query{CustomerKey: c.params.text("customer_key"), Text: c.params.text("search")}
		q.Limit, q.Cursor = c.page()
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

// foreign warns of filters by what this library has none of: they leave nothing.
func (c *call) foreign(names ...string) error {
	var err error
	for _, name := range names {
		if c.params.id(name) != uuid.Nil {
			c.found = append(c.found, data.Finding{Path: name, Rule: data.RuleNotThereYet, Message: "names nothing: there are no devices or accounts here"})
			err = errNothing
		}
	}
	return err
}

func listSpaces(ctx context.Context, c *call) (fields, error) {
	return spaces.pages(ctx, c, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if err := c.foreign("connected_account_id"); err != nil {
			return err
		}
		if key := c.params.text("space_key"); key != "" {
			if err := only(ctx, spaces, at, uuid.Nil, key, q, func(key string) { q.Keys = []string{key} }); err != nil {
				return err
			}
		}
		id, key := c.params.id("parent_space_id"), c.params.text("parent_space_key")
		inside := func(key string) { q.ParentSiteKey = key }
		if id != uuid.Nil {
			if err := only(ctx, spaces, at, id, "", q, inside); err != nil {
				return err
			}
		}
		if key == "" {
			return nil
		}
		if q.ParentSiteKey != "" && q.ParentSiteKey != key {
			return errNothing
		}
		return only(ctx, spaces, at, uuid.Nil, key, q, inside)
	})
}

func listUsers(ctx context.Context, c *call) (fields, error) {
	return users.pages(ctx, c, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if before := of[time.Time](c.params, "created_before"); !before.IsZero() {
			q.Keep = func(r data.Resource) (bool, error) { return r.(data.UserIdentity).Meta.CreatedAt.Before(before), nil }
		}
		if err := users.withIDs(ctx, at, of[[]uuid.UUID](c.params, "user_identity_ids"), q); err != nil {
			return err
		}
		return c.foreign("credential_manager_acs_system_id")
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

func listGrants(ctx context.Context, c *call) (fields, error) {
	return grants.pages(ctx, c, func(at *data.Snapshot, q *data.Query) error {
		c.found = nil
		if err := c.foreign("acs_system_id", "acs_entrance_id", "device_id", "location_id", "access_code_id"); err != nil {
			return err
		}
		if err := grants.withIDs(ctx, at, of[[]uuid.UUID](c.params, "access_grant_ids"), q); err != nil {
			return err
		}
		for _, name := range []string{"access_grant_key", "reservation_key"} {
			key := c.params.text(name)
			if key == "" {
				continue
			}
			if name == "reservation_key" {
				q.Kinds = []data.Kind{data.KindReservation}
			}
			if err := only(ctx, grants, at, uuid.Nil, key, q, func(key string) { q.Keys = both(q.Keys, key) }); err != nil {
				return err
			}
		}
		if id := c.params.id("user_identity_id"); id != uuid.Nil {
			if err := only(ctx, users, at, id, "", q, func(key string) { q.UserKey = key }); err != nil {
				return err
			}
		}
		if id := c.params.id("space_id"); id != uuid.Nil {
			return only(ctx, spaces, at, id, "", q, func(key string) { q.SpaceKey = key })
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
