package portal

import (
	"context"
	"fmt"
	"slices"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/link"
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

// Place returns the place of a space or an access grant that was read, or of a space that
// one refers to. It is zero for others.
func (r Related) Place(of data.Ref) Place { return r.places[byClass(of)] }

func notFound(ref data.Ref) error {
	return fmt.Errorf("%w: %s %q", data.ErrResourceNotFound, ref.Kind.Class(), ref.Key)
}

// Space reads a space by its key.
func (s *Session) Space(ctx context.Context, key string) (data.Space, Related, error) {
	return get[data.Space](ctx, s, ActionReadSpaces, data.Ref{Kind: data.KindSpace, Key: key})
}

// UserIdentity reads a user identity that is no staff member, by its key.
func (s *Session) UserIdentity(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, s, ActionReadUserIdentities, data.Ref{Kind: data.KindUserIdentity, Key: key})
}

// StaffMember reads a staff member by its key.
func (s *Session) StaffMember(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, s, ActionReadStaff, data.Ref{Kind: data.KindStaffMember, Key: key})
}

// AccessGrant reads an access grant by its key.
func (s *Session) AccessGrant(ctx context.Context, key string) (data.AccessGrant, Related, error) {
	return get[data.AccessGrant](ctx, s, ActionReadAccessGrants, data.Ref{Kind: data.KindAccessGrant, Key: key})
}

func get[T data.Resource](ctx context.Context, s *Session, action Action, ref data.Ref) (out T, related Related, err error) {
	err = s.do(ctx, action, func(v *view) error {
		r, err := v.seen(ctx, ref)
		if err != nil {
			return err
		}
		if readsOf(r) != action { // a staff member is no guest
			return notFound(ref)
		}
		out, related, err = trimAs[T](ctx, v, r)
		return err
	})
	return out, related, err
}

func trimAs[T data.Resource](ctx context.Context, v *view, r data.Resource) (out T, _ Related, err error) {
	related := newRelated()
	if err := v.loadReferences(ctx, r); err != nil {
		return out, related, err
	}
	trimmed, err := v.trim(ctx, r, related)
	if err == nil {
		out = trimmed.(T)
	}
	return out, related, err
}

// Spaces lists spaces. CustomerKey, Keep and Show of the query are the session's own, here
// and below; a key in it that the portal does not show finds nothing. Text is matched
// against what the portal shows only, see [data.Query.Show].
func (s *Session) Spaces(ctx context.Context, q data.Query) (Page[data.Space], error) {
	return list(ctx, s, ActionReadSpaces, data.ClassSpace, q, (*data.Snapshot).Spaces, nil)
}

// UserIdentities lists the user identities that are no staff members.
func (s *Session) UserIdentities(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	people := slices.DeleteFunc(data.Kinds(data.ClassUserIdentity), func(k data.Kind) bool { return k == data.KindStaffMember })
	if len(q.Kinds) == 0 {
		q.Kinds = people
	}
	if slices.Contains(q.Kinds, data.KindStaffMember) {
		return Page[data.UserIdentity]{}, fmt.Errorf("%w: StaffMembers lists staff members", ErrInvalid)
	}
	return list(ctx, s, ActionReadUserIdentities, data.ClassUserIdentity, q, (*data.Snapshot).UserIdentities, nil)
}

var staffOnly = []data.Kind{data.KindStaffMember}

// StaffMembers lists staff members.
func (s *Session) StaffMembers(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	q.Kinds = staffOnly
	return list(ctx, s, ActionReadStaff, data.ClassUserIdentity, q, (*data.Snapshot).UserIdentities, nil)
}

// AccessGrants lists access grants.
func (s *Session) AccessGrants(ctx context.Context, q data.Query) (Page[data.AccessGrant], error) {
	return list(ctx, s, ActionReadAccessGrants, data.ClassAccessGrant, q, (*data.Snapshot).AccessGrants, nil)
}

// list reads a page. keep, if it is not nil, reports whether a resource that the portal
// shows is to be listed. What that refers to, and the sites behind that, are loaded.
func list[T data.Resource](ctx context.Context, s *Session, action Action, class data.Class, q data.Query, read func(*data.Snapshot, context.Context, data.Query) (data.Page[T], error), keep func(*view, T) bool) (page Page[T], err error) {
	if q.Cursor, err = link.OpenCursor(s.service.keys, s.portal.ID, q.Cursor); err != nil {
		return page, data.ErrInvalidCursor
	}
	err = s.do(ctx, action, func(v *view) error {
		page = Page[T]{Items: []T{}, Related: newRelated()}
		q := q
		q.CustomerKey = v.customer.Key
		if q.Now.IsZero() {
			q.Now = s.service.now()
		}
		q.Keep = nil
		q.Show = func(resources []data.Resource) ([]data.Resource, int, error) {
			before := v.read
			shown, read, err := v.show(ctx, resources)
			if err != nil || keep == nil {
				return shown, read, err
			}
			if err := v.loadReferences(ctx, lo.Filter(resources, func(_ data.Resource, i int) bool { return shown[i] != nil })...); err != nil {
				return nil, 0, err
			}
			for i, r := range resources {
				if of, listed := r.(T); listed && shown[i] != nil && !keep(v, of) {
					shown[i] = nil
				}
			}
			return shown, v.read - before, nil
		}
		hidden, err := v.hidesAny(ctx, class, q)
		if err != nil || hidden {
			return err
		}
		if q, err = v.narrow(ctx, class, q); err != nil {
			return err
		}
		found, err := read(v.at, ctx, q)
		if err != nil {
			return err
		}
		page.Stopped = found.Stopped
		if page.Next, err = link.SealCursor(s.service.keys, s.portal.ID, found.Next, s.service.rand); err != nil {
			return err
		}
		if err := v.loadReferences(ctx, lo.Map(found.Items, func(r T, _ int) data.Resource { return r })...); err != nil {
			return err
		}
		for _, r := range found.Items {
			trimmed, err := v.trim(ctx, r, page.Related)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, trimmed.(T))
		}
		return nil
	})
	return page, err
}

// hidesAny reports whether a query names a resource that the portal does not show. The
// resources that refer to it would give it away.
func (v *view) hidesAny(ctx context.Context, class data.Class, q data.Query) (bool, error) {
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
		if shown, err := v.sees(ctx, r); err != nil || !shown {
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
func (v *view) narrow(ctx context.Context, class data.Class, q data.Query) (data.Query, error) {
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

// Counts counts what the portal shows, by kind. Kinds of which it shows only some are left
// out, since that would count what is hidden: in a portal with filters also those of people.
func (s *Session) Counts(ctx context.Context) (counts map[data.Kind]int, err error) {
	err = s.liveView(ctx, func(v *view) error {
		counts = map[data.Kind]int{}
		if v.target != (data.Ref{}) {
			return nil
		}
		for kind, n := range v.customer.Counts {
			if v.config.permit(readsOf(ofKind(kind))) == nil && (len(v.config.Filters) == 0 || !filtered(kind) && kind.Class() != data.ClassUserIdentity) {
				counts[kind] = n
			}
		}
		return nil
	})
	return counts, err
}

// ofKind is a resource of a kind, for what goes by kind alone.
func ofKind(kind data.Kind) data.Resource {
	switch kind.Class() {
	case data.ClassSpace:
		return data.Space{Kind: kind}
	case data.ClassUserIdentity:
		return data.UserIdentity{Kind: kind}
	}
	return data.AccessGrant{Kind: kind}
}

// History is what became of an access grant, the newest first, as far as
// Events.AllowedEvents has it: an event is named for its kind and change, such as
// "reservation.created". See [data.Snapshot.History] for how far it goes back.
func (s *Session) History(ctx context.Context, key string, limit int) (changes []data.FeedChange, err error) {
	err = s.do(ctx, ActionReadHistory, func(v *view) error {
		r, err := v.seen(ctx, data.Ref{Kind: data.KindAccessGrant, Key: key})
		if err != nil {
			return err
		}
		if changes, err = v.at.History(ctx, v.customer.Key, r.(data.AccessGrant).Meta.ID, limit); err != nil {
			return err
		}
		if allowed := v.config.Features.Manage.Events.AllowedEvents; allowed != nil {
			changes = slices.DeleteFunc(changes, func(c data.FeedChange) bool {
				return !slices.Contains(allowed, c.Kind.String()+"."+string(c.Change))
			})
		}
		return nil
	})
	return changes, err
}

// LandingPage is the resource that the portal opens with: its deep link, or the landing
// page; the zero Ref is the start page, as where that is gone or is not shown.
func (s *Session) LandingPage(ctx context.Context) (ref data.Ref, err error) {
	err = s.liveView(ctx, func(v *view) error {
		ref = v.config.LandingPage
		if v.config.DeepLink != (data.Ref{}) {
			ref = v.config.DeepLink
		}
		if ref == (data.Ref{}) {
			return nil
		}
		r, err := v.resource(ctx, ref)
		if err != nil {
			return err
		}
		if shown, err := v.sees(ctx, r); err != nil || !shown {
			ref = data.Ref{}
			return err
		}
		ref = r.Ref()
		return nil
	})
	return ref, err
}
