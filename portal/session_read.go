package portal

import (
	"context"
	"fmt"
	"slices"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/validation"
)

// Page is a part of a list of what a portal shows.
type Page[T any] struct {
	Items   []T
	Next    string // the cursor of the next page; empty after the last
	Stopped bool   // the page ended because it had read as much as a page may read; Next continues
	Related Related
}

// Related holds the resources that others refer to and the portal shows, so that a page
// needs no more reads to name a guest or a room, and the places of both.
type Related struct {
	resources map[data.Ref]data.Resource
	places    map[data.Ref]Place
}

func newRelated() Related {
	return Related{map[data.Ref]data.Resource{}, map[data.Ref]Place{}}
}

// Space returns the space with that key. Its kind need not be that of the reference to it.
func (r Related) Space(key string) (data.Space, bool) {
	s, ok := r.resources[byClass(data.Ref{Kind: data.KindSpace, Key: key})].(data.Space)
	return s, ok
}

// UserIdentity returns the user identity with that key.
func (r Related) UserIdentity(key string) (data.UserIdentity, bool) {
	u, ok := r.resources[byClass(data.Ref{Kind: data.KindUserIdentity, Key: key})].(data.UserIdentity)
	return u, ok
}

// Place returns the place of a space or an access grant that was read, or of a space that one of
// them refers to. Of several spaces it returns the place that an access grant to them would have.
// Resources of which r has no place are ignored; if there are no others, Place returns the zero
// Place.
func (r Related) Place(of ...data.Ref) Place {
	var places []Place
	for _, ref := range of {
		if p, known := r.places[byClass(ref)]; known {
			places = append(places, p)
		}
	}
	switch len(places) {
	case 0:
		return Place{}
	case 1:
		return places[0] // that of an access grant may be Mixed
	}
	return firstPlace(places)
}

func notFound(ref data.Ref) error {
	return fmt.Errorf("%w: %s %q", data.ErrResourceNotFound, ref.Kind.Class(), ref.Key)
}

// Space reads a space by its key.
func (v *View) Space(ctx context.Context, key string) (data.Space, Related, error) {
	return get[data.Space](ctx, v, ActionReadSpaces, data.Ref{Kind: data.KindSpace, Key: key})
}

// UserIdentity reads a user identity that is not a staff member, by its key.
func (v *View) UserIdentity(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, v, ActionReadUserIdentities, data.Ref{Kind: data.KindUserIdentity, Key: key})
}

// StaffMember reads a staff member by its key.
func (v *View) StaffMember(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, v, ActionReadStaff, data.Ref{Kind: data.KindStaffMember, Key: key})
}

// AccessGrant reads an access grant by its key.
func (v *View) AccessGrant(ctx context.Context, key string) (data.AccessGrant, Related, error) {
	return get[data.AccessGrant](ctx, v, ActionReadAccessGrants, data.Ref{Kind: data.KindAccessGrant, Key: key})
}

// get reads a resource. A staff member is found only as one, and other user identities only
// as such.
func get[T data.Resource](ctx context.Context, v *View, action Action, ref data.Ref) (out T, related Related, err error) {
	if err := v.permit(action); err != nil {
		return out, related, err
	}
	r, related, err := v.readResource(ctx, ref)
	if err == nil {
		out = r.(T)
	}
	return out, related, err
}

// Spaces lists spaces. The query's CustomerKey, Keep and Show are replaced, here and in the
// other lists; a key in it that the portal does not show finds nothing. Text is matched
// only against what the portal shows, see [data.Query.Show].
func (v *View) Spaces(ctx context.Context, q data.Query) (Page[data.Space], error) {
	return list(ctx, v, ActionReadSpaces, data.ClassSpace, q, v.at.Spaces, nil)
}

// UserIdentities lists the user identities that are not staff members.
func (v *View) UserIdentities(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	people := slices.DeleteFunc(data.Kinds(data.ClassUserIdentity), func(k data.Kind) bool { return k == data.KindStaffMember })
	if len(q.Kinds) == 0 {
		q.Kinds = people
	}
	if slices.Contains(q.Kinds, data.KindStaffMember) {
		return Page[data.UserIdentity]{}, fmt.Errorf("%w: StaffMembers lists staff members", validation.ErrInvalid)
	}
	return list(ctx, v, ActionReadUserIdentities, data.ClassUserIdentity, q, v.at.UserIdentities, nil)
}

var staffOnly = []data.Kind{data.KindStaffMember}

// StaffMembers lists staff members.
func (v *View) StaffMembers(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	q.Kinds = staffOnly
	return list(ctx, v, ActionReadStaff, data.ClassUserIdentity, q, v.at.UserIdentities, nil)
}

// AccessGrants lists access grants.
func (v *View) AccessGrants(ctx context.Context, q data.Query) (Page[data.AccessGrant], error) {
	return list(ctx, v, ActionReadAccessGrants, data.ClassAccessGrant, q, v.at.AccessGrants, nil)
}

// list reads a page. keep, if it is not nil, reports whether to list a resource that the portal
// shows. The resources that this one refers to, and their sites, are loaded when it is called.
func list[T data.Resource](ctx context.Context, v *View, action Action, class data.Class, q data.Query, read func(context.Context, data.Query) (data.Page[T], error), keep func(T) (bool, error)) (Page[T], error) {
	if err := v.permit(action); err != nil {
		return Page[T]{}, err
	}
	page := Page[T]{Items: []T{}, Related: newRelated()}
	var err error
	if q.Cursor, err = link.OpenCursor(v.service.keys, v.portal.ID, q.Cursor); err != nil {
		return Page[T]{}, data.ErrInvalidCursor
	}
	q.CustomerKey = v.customer.Key
	if q.Now.IsZero() {
		q.Now = v.service.now()
	}
	q.Keep = nil
	q.Show = func(resources []data.Resource) ([]data.Resource, int, error) {
		before := v.read
		shown, read, err := v.filterVisible(ctx, resources)
		if err != nil || keep == nil {
			return shown, read, err
		}
		if err := v.loadReferences(ctx, lo.Filter(resources, func(_ data.Resource, i int) bool { return shown[i] != nil })...); err != nil {
			return nil, 0, err
		}
		for i, r := range resources {
			of, listed := r.(T)
			if !listed || shown[i] == nil {
				continue
			}
			kept, err := keep(of)
			if err != nil {
				return nil, 0, err
			}
			if !kept {
				shown[i] = nil
			}
		}
		return shown, v.read - before, nil
	}
	if hidden, err := v.namesHidden(ctx, class, q); err != nil || hidden {
		return page, err
	}
	if q, err = v.narrowToTarget(ctx, class, q); err != nil {
		return Page[T]{}, err
	}
	found, err := read(ctx, q)
	if err != nil {
		return Page[T]{}, err
	}
	page.Stopped = found.Stopped
	if page.Next, err = link.SealCursor(v.service.keys, v.portal.ID, found.Next, v.service.rand); err != nil {
		return Page[T]{}, err
	}
	if err := v.loadReferences(ctx, lo.Map(found.Items, func(r T, _ int) data.Resource { return r })...); err != nil {
		return Page[T]{}, err
	}
	for _, r := range found.Items {
		trimmed, err := v.redact(ctx, r, page.Related)
		if err != nil {
			return Page[T]{}, err
		}
		page.Items = append(page.Items, trimmed.(T))
	}
	return page, nil
}

// hidesAny reports whether a query names a resource that the portal does not show. The
// resources that refer to it would give it away.
func (v *View) namesHidden(ctx context.Context, class data.Class, q data.Query) (bool, error) {
	for _, ref := range []data.Ref{
		{Kind: data.KindSite, Key: q.ParentSiteKey}, {Kind: data.KindSpace, Key: q.SpaceKey}, {Kind: data.KindUserIdentity, Key: q.UserKey},
	} {
		if ref.Key == "" {
			continue
		}
		r, err := v.resource(ctx, ref)
		if err != nil {
			return false, err
		}
		if shown, err := v.visible(ctx, r); err != nil || !shown {
			return true, err
		}
	}
	// Nor can it be asked what the details say that are not shown.
	if class == data.ClassAccessGrant && len(q.CustomMetadata) > 0 && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		return true, nil
	}
	return false, nil
}

// narrow makes a query read no more than it has to where the portal shows only what
// belongs to one resource. What it shows is still for sees to say.
func (v *View) narrowToTarget(ctx context.Context, class data.Class, q data.Query) (data.Query, error) {
	if v.target == (data.Ref{}) {
		return q, nil
	}
	target, err := v.resource(ctx, v.target)
	if err != nil {
		return q, err
	}
	var only []data.Ref
	switch target := target.(type) {
	case data.AccessGrant:
		only = append(references(target), target.Ref())
	case data.Space:
		only = []data.Ref{target.Ref()}
		if v.config.DeepLink != (data.Ref{}) || class == data.ClassSpace && target.Kind != data.KindSite {
			break
		}
		if q.SpaceKey == "" && (class == data.ClassAccessGrant || slices.Equal(q.Kinds, staffOnly)) {
			q.SpaceKey = target.Key
		}
		return q, nil
	}
	keys := []string{}
	for _, ref := range only {
		if ref.Kind.Class() == class && (q.Keys == nil || slices.Contains(q.Keys, ref.Key)) {
			keys = append(keys, ref.Key)
		}
	}
	q.Keys = keys
	return q, nil
}

// Counts counts what the portal shows, by kind. A kind of which the portal shows only some
// resources is left out, since its count would include hidden ones; in a portal with filters
// that includes the kinds of people.
func (v *View) Counts() (map[data.Kind]int, error) {
	if err := v.checkOpen(); err != nil {
		return nil, err
	}
	counts := map[data.Kind]int{}
	if v.target != (data.Ref{}) {
		return counts, nil
	}
	for kind, n := range v.customer.Counts {
		if v.config.permit(readAction(emptyResource(kind))) == nil && (len(v.config.Filters) == 0 || !filtered(kind) && kind.Class() != data.ClassUserIdentity) {
			counts[kind] = n
		}
	}
	return counts, nil
}

// ofKind is a resource of a kind, for what goes by kind alone.
func emptyResource(kind data.Kind) data.Resource {
	switch kind.Class() {
	case data.ClassSpace:
		return data.Space{Kind: kind}
	case data.ClassUserIdentity:
		return data.UserIdentity{Kind: kind}
	}
	return data.AccessGrant{Kind: kind}
}

// History returns the changes of an access grant, the newest first. If the portal's
// Events.AllowedEvents is not nil, it returns only the changes that this list names, by kind
// and change, such as "reservation.created". An actor that is another portal has no PortalID.
// See [data.Snapshot.History] for how far it goes back.
func (v *View) History(ctx context.Context, key string, limit int) ([]data.FeedChange, error) {
	if err := v.permit(ActionReadHistory); err != nil {
		return nil, err
	}
	r, err := v.findResource(ctx, data.Ref{Kind: data.KindAccessGrant, Key: key})
	if err != nil {
		return nil, err
	}
	changes, err := v.at.History(ctx, v.customer.Key, r.(data.AccessGrant).Meta.ID, limit)
	if err != nil {
		return nil, err
	}
	hideOtherPortals(changes, v.portal.ID)
	if allowed := v.config.Features.Manage.Events.AllowedEvents; allowed != nil {
		changes = slices.DeleteFunc(changes, func(c data.FeedChange) bool {
			return !slices.Contains(allowed, c.Kind.String()+"."+string(c.Change))
		})
	}
	return changes, nil
}

// LandingPage returns the resource that the portal opens with: that of its deep link, or else
// of its landing page. It returns the zero Ref, for the start page, if the portal has neither,
// or does not show the resource.
func (v *View) LandingPage(ctx context.Context) (data.Ref, error) {
	if err := v.checkOpen(); err != nil {
		return data.Ref{}, err
	}
	ref := v.config.LandingPage
	if v.config.DeepLink != (data.Ref{}) {
		ref = v.config.DeepLink
	}
	if ref == (data.Ref{}) {
		return ref, nil
	}
	r, err := v.resource(ctx, ref)
	if err != nil {
		return data.Ref{}, err
	}
	if shown, err := v.visible(ctx, r); err != nil || !shown {
		return data.Ref{}, err
	}
	return r.Ref(), nil
}
