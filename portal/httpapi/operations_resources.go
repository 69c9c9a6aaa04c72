package httpapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// resourceClass reads the resources of a class and converts them to JSON.
type resourceClass[T data.Resource] struct {
	name       string // such as "space"
	plural     string // such as "spaces"
	byKey      func(*data.Snapshot, context.Context, string) (T, error)
	byID       func(*data.Snapshot, context.Context, uuid.UUID) (T, error)
	list       func(*data.Snapshot, context.Context, data.Query) (data.Page[T], error)
	meta       func(T) data.Meta
	toJSON     func(c *call, v T, related map[data.Ref]data.Resource) jsonObject
	references func(T) []data.Ref // the resources whose ids are in the JSON, by portaldata.ByClass

	// complete adds members that need further reads to the JSON of resources. It may be nil.
	complete func(ctx context.Context, c *call, snap *data.Snapshot, items []T, encoded []jsonObject) error
}

var (
	spaces = resourceClass[data.Space]{
		"space", "spaces", (*data.Snapshot).Space, (*data.Snapshot).SpaceByID, (*data.Snapshot).Spaces,
		func(s data.Space) data.Meta { return s.Meta }, spaceJSON, func(s data.Space) []data.Ref {
			if s.ParentSiteKey == "" {
				return nil
			}
			return []data.Ref{{Kind: data.KindSpace, Key: s.ParentSiteKey}}
		}, addDeviceCounts,
	}
	userIdentities = resourceClass[data.UserIdentity]{
		"user_identity", "user_identities", (*data.Snapshot).UserIdentity, (*data.Snapshot).UserIdentityByID, (*data.Snapshot).UserIdentities,
		func(u data.UserIdentity) data.Meta { return u.Meta }, userIdentityJSON, func(data.UserIdentity) []data.Ref { return nil }, nil,
	}
	accessGrants = resourceClass[data.AccessGrant]{
		"access_grant", "access_grants", (*data.Snapshot).AccessGrant, (*data.Snapshot).AccessGrantByID, (*data.Snapshot).AccessGrants,
		func(g data.AccessGrant) data.Meta { return g.Meta }, accessGrantJSON, func(g data.AccessGrant) []data.Ref {
			out := make([]data.Ref, 0, len(g.Spaces)+1)
			for _, ref := range g.Spaces {
				out = append(out, portaldata.ByClass(ref))
			}
			if g.User != (data.Ref{}) {
				out = append(out, portaldata.ByClass(g.User))
			}
			return out
		}, completeGrants,
	}
)

// resourceRequest names a resource by its id or by its key.
type resourceRequest struct {
	ID  uuid.UUID
	Key string
}

func (r *resourceRequest) inputFor(class string) input {
	return input{params: []jsonobject.Field{bind(class+"_id", &r.ID, idParam), bind(class+"_key", &r.Key, keyParam)}}
}

type (
	spaceRequest        struct{ resourceRequest }
	userIdentityRequest struct{ resourceRequest }
	accessGrantRequest  struct{ resourceRequest }
)

func (r *spaceRequest) input() input        { return r.inputFor(spaces.name) }
func (r *userIdentityRequest) input() input { return r.inputFor(userIdentities.name) }
func (r *accessGrantRequest) input() input  { return r.inputFor(accessGrants.name) }

func getSpace(ctx context.Context, c *call, r *spaceRequest) (jsonObject, error) {
	return spaces.get(ctx, c, r.ID, r.Key)
}

func getUserIdentity(ctx context.Context, c *call, r *userIdentityRequest) (jsonObject, error) {
	return userIdentities.get(ctx, c, r.ID, r.Key)
}

func getAccessGrant(ctx context.Context, c *call, r *accessGrantRequest) (jsonObject, error) {
	return accessGrants.get(ctx, c, r.ID, r.Key)
}

// get returns the response with the resource of an id or a key. Exactly one of the two must be set.
func (rc resourceClass[T]) get(ctx context.Context, c *call, id uuid.UUID, key string) (out jsonObject, err error) {
	if err := rc.checkNames(id, key); err != nil {
		return nil, err
	}
	err = c.ws.View(ctx, func(snap *data.Snapshot) error {
		v, err := rc.find(ctx, snap, id, key)
		if err != nil {
			return err
		}
		encoded, err := rc.encode(ctx, c, snap, []T{v})
		if err != nil {
			return err
		}
		out = jsonObject{rc.name: encoded[0]}
		return nil
	})
	if errors.Is(err, data.ErrResourceNotFound) {
		return nil, notFound(rc.name)
	}
	return out, err
}

// checkNames returns an error unless exactly one of the id and the key of a resource is set.
func (rc resourceClass[T]) checkNames(id uuid.UUID, key string) error {
	if (id == uuid.Nil) == (key == "") {
		return invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give either " + rc.name + "_id or " + rc.name + "_key"})
	}
	return nil
}

// find returns the resource of an id, or of a key if the id is zero.
func (rc resourceClass[T]) find(ctx context.Context, snap *data.Snapshot, id uuid.UUID, key string) (T, error) {
	if id != uuid.Nil {
		return rc.byID(snap, ctx, id)
	}
	return rc.byKey(snap, ctx, key)
}

// errNoMatch is returned if the filters of a list cannot match any resource.
var errNoMatch = errors.New("httpapi: the filters match nothing")

// listPage returns the response with a page of the resources that match a query. addFilters adds filters to the query that
// depend on stored resources. The page is empty if addFilters returns errNoMatch or [data.ErrResourceNotFound].
func (rc resourceClass[T]) listPage(ctx context.Context, c *call, query data.Query, addFilters func(snap *data.Snapshot, q *data.Query) error) (jsonObject, error) {
	encoded, next := []jsonObject{}, ""
	err := c.ws.View(ctx, func(snap *data.Snapshot) error {
		encoded, next, c.warnings = []jsonObject{}, "", nil
		q := query
		if err := addFilters(snap, &q); errors.Is(err, errNoMatch) || errors.Is(err, data.ErrResourceNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		page, err := rc.list(snap, ctx, q)
		if err != nil {
			return err
		}
		next = page.Next
		c.warnIfStopped(page.Stopped)
		encoded, err = rc.encode(ctx, c, snap, page.Items)
		return err
	})
	if err != nil {
		return nil, err
	}
	return jsonObject{rc.plural: encoded, "pagination": c.pagination(next, next != "")}, nil
}

// encode converts resources to JSON. It reads the resources that they refer to, because the JSON contains their ids.
func (rc resourceClass[T]) encode(ctx context.Context, c *call, snap *data.Snapshot, items []T) ([]jsonObject, error) {
	references := map[string][]data.Ref{} // by customer
	for _, v := range items {
		customer := rc.meta(v).CustomerKey
		references[customer] = append(references[customer], rc.references(v)...)
	}
	related := map[string]map[data.Ref]data.Resource{}
	for customer, refs := range references {
		refs = lo.Uniq(refs)
		found, err := snap.Resources(ctx, customer, refs)
		if err != nil {
			return nil, err
		}
		related[customer] = map[data.Ref]data.Resource{}
		for i, v := range found {
			if v != nil {
				related[customer][refs[i]] = v
			}
		}
	}
	out := []jsonObject{}
	for _, v := range items {
		meta := rc.meta(v)
		o := rc.toJSON(c, v, related[meta.CustomerKey])
		o[rc.name+"_id"], o[rc.name+"_key"] = meta.ID, v.Ref().Key
		o["workspace_id"], o["customer_key"] = c.ws.ID(), meta.CustomerKey
		o["created_at"], o["kind"] = data.FormatTime(meta.CreatedAt), v.Ref().Kind
		out = append(out, o)
	}
	if rc.complete != nil {
		return out, rc.complete(ctx, c, snap, items, out)
	}
	return out, nil
}

// restrictTo restricts a query to the customer of the resource of an id or a key. addFilter adds a filter by the key of the
// resource. It returns errNoMatch if the query is restricted to another customer.
func (rc resourceClass[T]) restrictTo(ctx context.Context, snap *data.Snapshot, id uuid.UUID, key string, q *data.Query, addFilter func(key string)) error {
	v, err := rc.find(ctx, snap, id, key)
	if err != nil {
		return err
	}
	if customer := rc.meta(v).CustomerKey; q.CustomerKey == "" {
		q.CustomerKey = customer
	} else if q.CustomerKey != customer {
		return errNoMatch
	}
	addFilter(v.Ref().Key)
	return nil
}

// restrictToIDs restricts a query to the resources of ids. It ignores unknown ids. If ids is nil, it changes nothing.
func (rc resourceClass[T]) restrictToIDs(ctx context.Context, snap *data.Snapshot, ids []uuid.UUID, q *data.Query) error {
	if ids == nil {
		return nil
	}
	q.Keys = []string{}
	for _, id := range ids {
		v, err := rc.byID(snap, ctx, id)
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

// matchesNothing reports whether one of the filters is given, and warns about it.
func (c *call) matchesNothing(filters ...foreignFilter) (nothing bool) {
	for _, f := range filters {
		if f.value != nil {
			c.warn(f.name, validation.RuleNotThereYet, "matches nothing: the resources of this list do not have it")
			nothing = true
		}
	}
	return nothing
}

type listSpacesRequest struct {
	CustomerKey, Search string
	ConnectedAccountID  uuid.UUID
	DeviceID            uuid.UUID
	DeviceIDs           []uuid.UUID
	Key                 string
	ParentID            uuid.UUID
	ParentKey           string
	pageRequest
}

func (r *listSpacesRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("search", &r.Search, textParam), bind("connected_account_id", &r.ConnectedAccountID, idParam),
		bind("device_id", &r.DeviceID, idParam), bind("device_ids", &r.DeviceIDs, idsParam),
		bind("space_key", &r.Key, keyParam), bind("parent_space_id", &r.ParentID, idParam), bind("parent_space_key", &r.ParentKey, keyParam),
	}, r.pageRequest.params()...)}
}

func listSpaces(ctx context.Context, c *call, r *listSpacesRequest) (jsonObject, error) {
	query := data.Query{CustomerKey: r.CustomerKey, Text: r.Search, Limit: r.Limit, Cursor: r.Cursor}
	return spaces.listPage(ctx, c, query, func(snap *data.Snapshot, q *data.Query) error {
		if r.Key != "" {
			if err := spaces.restrictTo(ctx, snap, uuid.Nil, r.Key, q, func(key string) { q.Keys = []string{key} }); err != nil {
				return err
			}
		}
		if err := c.spacesOfAccount(ctx, snap, r.ConnectedAccountID, q); err != nil {
			return err
		}
		if err := c.spacesOf(ctx, snap, r.DeviceIDs, q); err != nil {
			return err
		}
		if r.DeviceID != uuid.Nil {
			if err := c.spacesOf(ctx, snap, []uuid.UUID{r.DeviceID}, q); err != nil {
				return err
			}
		}
		setParent := func(key string) { q.ParentSiteKey = key }
		if r.ParentID != uuid.Nil {
			if err := spaces.restrictTo(ctx, snap, r.ParentID, "", q, setParent); err != nil {
				return err
			}
		}
		if r.ParentKey == "" {
			return nil
		}
		if q.ParentSiteKey != "" && q.ParentSiteKey != r.ParentKey {
			return errNoMatch
		}
		return spaces.restrictTo(ctx, snap, uuid.Nil, r.ParentKey, q, setParent)
	})
}

type listUserIdentitiesRequest struct {
	CustomerKey               string
	IDs                       []uuid.UUID
	Search                    string
	CredentialManagerSystemID foreignFilter
	CreatedBefore             time.Time
	pageRequest
}

func (r *listUserIdentitiesRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("user_identity_ids", &r.IDs, idsParam), bind("search", &r.Search, textParam),
		bind("credential_manager_acs_system_id", &r.CredentialManagerSystemID, foreignIDParam), bind("created_before", &r.CreatedBefore, timeParam),
	}, r.pageRequest.params()...)}
}

func listUserIdentities(ctx context.Context, c *call, r *listUserIdentitiesRequest) (jsonObject, error) {
	query := data.Query{CustomerKey: r.CustomerKey, Text: r.Search, Limit: r.Limit, Cursor: r.Cursor}
	return userIdentities.listPage(ctx, c, query, func(snap *data.Snapshot, q *data.Query) error {
		if before := r.CreatedBefore; !before.IsZero() {
			q.Keep = func(r data.Resource) (bool, error) { return r.(data.UserIdentity).Meta.CreatedAt.Before(before), nil }
		}
		if err := userIdentities.restrictToIDs(ctx, snap, r.IDs, q); err != nil {
			return err
		}
		if c.matchesNothing(r.CredentialManagerSystemID) {
			return errNoMatch
		}
		return nil
	})
}

type listAccessGrantsRequest struct {
	CustomerKey                       string
	IDs                               []uuid.UUID
	UserIdentityID, SpaceID, DeviceID uuid.UUID
	Key, ReservationKey               string
	AccessCodeID                      uuid.UUID
	SystemID, EntranceID, LocationID  foreignFilter
	pageRequest
}

func (r *listAccessGrantsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("customer_key", &r.CustomerKey, keyParam), bind("access_grant_ids", &r.IDs, idsParam),
		bind("user_identity_id", &r.UserIdentityID, idParam), bind("space_id", &r.SpaceID, idParam),
		bind("access_grant_key", &r.Key, keyParam), bind("reservation_key", &r.ReservationKey, keyParam),
		bind("acs_system_id", &r.SystemID, foreignIDParam), bind("acs_entrance_id", &r.EntranceID, foreignIDParam),
		bind("device_id", &r.DeviceID, idParam), bind("location_id", &r.LocationID, foreignIDParam), bind("access_code_id", &r.AccessCodeID, idParam),
	}, r.pageRequest.params()...)}
}

func listAccessGrants(ctx context.Context, c *call, r *listAccessGrantsRequest) (jsonObject, error) {
	query := data.Query{CustomerKey: r.CustomerKey, Limit: r.Limit, Cursor: r.Cursor}
	return accessGrants.listPage(ctx, c, query, func(snap *data.Snapshot, q *data.Query) error {
		if c.matchesNothing(r.SystemID, r.EntranceID, r.LocationID) {
			return errNoMatch
		}
		if err := accessGrants.restrictToIDs(ctx, snap, r.IDs, q); err != nil {
			return err
		}
		if r.ReservationKey != "" {
			q.Kinds = []data.Kind{data.KindReservation}
		}
		for _, key := range []string{r.Key, r.ReservationKey} {
			if key == "" {
				continue
			}
			if err := accessGrants.restrictTo(ctx, snap, uuid.Nil, key, q, func(key string) { q.Keys = intersect(q.Keys, key) }); err != nil {
				return err
			}
		}
		if r.UserIdentityID != uuid.Nil {
			if err := userIdentities.restrictTo(ctx, snap, r.UserIdentityID, "", q, func(key string) { q.UserKey = key }); err != nil {
				return err
			}
		}
		if r.SpaceID != uuid.Nil {
			if err := spaces.restrictTo(ctx, snap, r.SpaceID, "", q, func(key string) { q.SpaceKey = key }); err != nil {
				return err
			}
		}
		if err := c.grantOfCode(ctx, snap, r.AccessCodeID, q); err != nil {
			return err
		}
		return c.grantsOf(ctx, snap, r.DeviceID, q)
	})
}

// intersect restricts a filter by keys to some keys. A nil filter matches every resource, and an empty one matches none.
func intersect(filter []string, keys ...string) []string {
	if filter == nil {
		return append([]string{}, keys...)
	}
	return slices.DeleteFunc(slices.Clone(filter), func(key string) bool { return !slices.Contains(keys, key) })
}
