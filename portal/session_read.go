package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/validation"
)

// Page is a page of a list of resources, as the portal shows them.
type Page[T any] struct {
	Items   []T
	Next    string  // the cursor of the next page, or empty on the last page
	Stopped bool    // the page is short because it reached the bound on reads; Next continues the list
	Related Related // the resources that the items refer to

	// Previous, Offset, Total and AtLeast are as in [data.Page]. In addition, Total is known for every list without filters
	// whose number [View.Counts] contains.
	Previous      string
	Offset, Total int
	AtLeast       bool
}

// Related contains the visible resources that one or more resources refer to, such as the guest and the rooms of a reservation,
// and the places of all of them. A caller can display their names without further reads.
type Related struct {
	resources map[data.Ref]data.Resource
	places    map[data.Ref]Place
}

func newRelated() Related {
	return Related{map[data.Ref]data.Resource{}, map[data.Ref]Place{}}
}

// Space returns the space with a key. It reports false if r does not contain it.
func (r Related) Space(key string) (data.Space, bool) {
	s, ok := r.resources[portaldata.ByClass(data.Ref{Kind: data.KindSpace, Key: key})].(data.Space)
	return s, ok
}

// UserIdentity returns the user identity with a key. It reports false if r does not contain it.
func (r Related) UserIdentity(key string) (data.UserIdentity, bool) {
	u, ok := r.resources[portaldata.ByClass(data.Ref{Kind: data.KindUserIdentity, Key: key})].(data.UserIdentity)
	return u, ok
}

// AccessGrant returns the access grant with a key. It reports false if r does not contain it.
func (r Related) AccessGrant(key string) (data.AccessGrant, bool) {
	g, ok := r.resources[portaldata.ByClass(data.Ref{Kind: data.KindAccessGrant, Key: key})].(data.AccessGrant)
	return g, ok
}

// Place returns the place of a space or an access grant that was read, or of a space that one of them refers to. For several
// spaces it returns the place of an access grant to all of them. It ignores resources whose place is not in r. It returns the
// zero Place if r has the place of none of them.
func (r Related) Place(refs ...data.Ref) Place {
	var places []Place
	for _, ref := range refs {
		if p, known := r.places[portaldata.ByClass(ref)]; known {
			places = append(places, p)
		}
	}
	switch len(places) {
	case 0:
		return Place{}
	case 1:
		return places[0] // firstPlace would recompute Mixed
	}
	return firstPlace(places)
}

// notFound returns an error that matches data.ErrResourceNotFound.
func notFound(ref data.Ref) error {
	return fmt.Errorf("%w: %s %q", data.ErrResourceNotFound, ref.Kind.Class(), ref.Key)
}

// Space returns the space with a key, and the resources that it refers to.
func (v *View) Space(ctx context.Context, key string) (data.Space, Related, error) {
	return get[data.Space](ctx, v, ActionReadSpaces, data.Ref{Kind: data.KindSpace, Key: key})
}

// UserIdentity returns the user identity with a key, and the resources that it refers to. It does not find staff members.
func (v *View) UserIdentity(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, v, ActionReadUserIdentities, data.Ref{Kind: data.KindUserIdentity, Key: key})
}

// StaffMember returns the staff member with a key, and the resources that it refers to.
func (v *View) StaffMember(ctx context.Context, key string) (data.UserIdentity, Related, error) {
	return get[data.UserIdentity](ctx, v, ActionReadStaff, data.Ref{Kind: data.KindStaffMember, Key: key})
}

// AccessGrant returns the access grant with a key, and the resources that it refers to.
func (v *View) AccessGrant(ctx context.Context, key string) (data.AccessGrant, Related, error) {
	return get[data.AccessGrant](ctx, v, ActionReadAccessGrants, data.Ref{Kind: data.KindAccessGrant, Key: key})
}

// get returns a resource as type T, and the resources that it refers to. It finds staff members only if ref has
// KindStaffMember, and other user identities only if it has not.
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

// Spaces returns a page of spaces. All lists of a View ignore CustomerKey, Keep and Show of the query. The page is empty if the
// query names a resource that the portal does not show, for example in SpaceKey or SpaceKeys. Text matches only the fields that the portal
// shows, see [data.Query.Show].
func (v *View) Spaces(ctx context.Context, q data.Query) (Page[data.Space], error) {
	return list(ctx, v, ActionReadSpaces, data.ClassSpace, q, v.at.Spaces, nil)
}

// UserIdentities returns a page of user identities that are not staff members. It returns an error that matches
// [validation.ErrInvalid] if q.Kinds contains [data.KindStaffMember].
func (v *View) UserIdentities(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	kinds := slices.DeleteFunc(data.Kinds(data.ClassUserIdentity), func(k data.Kind) bool { return k == data.KindStaffMember })
	if len(q.Kinds) == 0 {
		q.Kinds = kinds
	}
	if slices.Contains(q.Kinds, data.KindStaffMember) {
		return Page[data.UserIdentity]{}, fmt.Errorf("%w: UserIdentities does not list staff members: use StaffMembers", validation.ErrInvalid)
	}
	return list(ctx, v, ActionReadUserIdentities, data.ClassUserIdentity, q, v.at.UserIdentities, nil)
}

var staffOnly = []data.Kind{data.KindStaffMember}

// StaffMembers returns a page of staff members. It sets q.Kinds.
func (v *View) StaffMembers(ctx context.Context, q data.Query) (Page[data.UserIdentity], error) {
	q.Kinds = staffOnly
	return list(ctx, v, ActionReadStaff, data.ClassUserIdentity, q, v.at.UserIdentities, nil)
}

// AccessGrants returns a page of access grants.
func (v *View) AccessGrants(ctx context.Context, q data.Query) (Page[data.AccessGrant], error) {
	return list(ctx, v, ActionReadAccessGrants, data.ClassAccessGrant, q, v.at.AccessGrants, nil)
}

// AccessGrantOutlines is like [View.AccessGrants], but of the access grants only the kind, key, name, user identity, spaces and times are
// always set. It reads less: for an access grant to one space that q.SpaceKeys names, it does not read the record. It returns an error that
// matches [validation.ErrInvalid] if q has a Text or a CustomMetadata.
func (v *View) AccessGrantOutlines(ctx context.Context, q data.Query) (Page[data.AccessGrant], error) {
	read := v.at.AccessGrants
	if len(v.config.Filters) == 0 { // a filter needs the metadata
		read = func(ctx context.Context, q data.Query) (data.Page[data.AccessGrant], error) {
			return portaldata.AccessGrantOutlines(ctx, v.at, q)
		}
	}
	return list(ctx, v, ActionReadAccessGrants, data.ClassAccessGrant, q, read, nil)
}

// list returns a page of the results of read, as the portal shows them. keep, if it is not nil, reports whether to list a visible
// resource. When keep is called, the resources that its argument refers to, and the sites of these, are loaded.
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
		for _, r := range resources {
			if s, ok := r.(data.Space); ok {
				v.loaded[portaldata.ByClass(s.Ref())] = s // so that references to it need no further read
			}
		}
		shown, read, err := v.filterVisible(ctx, resources)
		if err != nil || keep == nil {
			return shown, read, err
		}
		if err := v.loadReferences(ctx, lo.Filter(resources, func(_ data.Resource, i int) bool { return shown[i] != nil })...); err != nil {
			return nil, 0, err
		}
		for i, r := range resources {
			item, ok := r.(T)
			if !ok || shown[i] == nil {
				continue
			}
			kept, err := keep(item)
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
	if q.Keys != nil {
		q.ByTime = false // a portal with a target has few resources
	}
	total, known := 0, false
	if keep == nil {
		total, known = v.storedTotal(class, q)
	}
	if known {
		q.CountLimit = 0
	}
	found, err := read(ctx, q)
	if err != nil {
		return Page[T]{}, err
	}
	page.Stopped, page.Offset, page.Total, page.AtLeast = found.Stopped, found.Offset, found.Total, found.AtLeast
	if known {
		page.Total, page.AtLeast = total, false
	}
	for sealed, cursor := range map[*string]string{&page.Next: found.Next, &page.Previous: found.Previous} {
		if *sealed, err = link.SealCursor(v.service.keys, v.portal.ID, cursor, v.service.rand); err != nil {
			return Page[T]{}, err
		}
	}
	if err := v.loadReferences(ctx, lo.Map(found.Items, func(r T, _ int) data.Resource { return r })...); err != nil {
		return Page[T]{}, err
	}
	for _, r := range found.Items {
		redacted, err := v.redact(ctx, r, page.Related)
		if err != nil {
			return Page[T]{}, err
		}
		page.Items = append(page.Items, redacted.(T))
	}
	return page, nil
}

// namesHidden reports whether a query names a resource, or asks for metadata, that the portal does not show. The results of
// such a query would reveal it.
func (v *View) namesHidden(ctx context.Context, class data.Class, q data.Query) (bool, error) {
	named := append([]data.Ref{
		{Kind: data.KindSite, Key: q.ParentSiteKey}, {Kind: data.KindSpace, Key: q.SpaceKey}, {Kind: data.KindUserIdentity, Key: q.UserKey},
	}, data.Refs(data.KindSpace, q.SpaceKeys...)...)
	if err := v.load(ctx, data.Refs(data.KindSpace, q.SpaceKeys...)...); err != nil {
		return false, err
	}
	for _, ref := range named {
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
	if class == data.ClassAccessGrant && len(q.CustomMetadata) > 0 && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		return true, nil
	}
	return false, nil
}

// narrowToTarget restricts a query to resources that can belong to the target of the portal, so that it reads no more than
// necessary. visible still decides about each result.
func (v *View) narrowToTarget(ctx context.Context, class data.Class, q data.Query) (data.Query, error) {
	if v.target == (data.Ref{}) {
		return q, nil
	}
	target, err := v.resource(ctx, v.target)
	if err != nil {
		return q, err
	}
	var candidates []data.Ref
	switch target := target.(type) {
	case data.AccessGrant:
		candidates = append(references(target), target.Ref())
	case data.Space:
		candidates = []data.Ref{target.Ref()}
		if v.config.isDeepLink() || class == data.ClassSpace && target.Kind != data.KindSite {
			break
		}
		if q.SpaceKey == "" && q.SpaceKeys == nil && (class == data.ClassAccessGrant || slices.Equal(q.Kinds, staffOnly)) {
			q.SpaceKey = target.Key
		}
		return q, nil
	}
	keys := []string{}
	for _, ref := range candidates {
		if ref.Kind.Class() == class && (q.Keys == nil || slices.Contains(q.Keys, ref.Key)) {
			keys = append(keys, ref.Key)
		}
	}
	q.Keys = keys
	return q, nil
}

// Counts returns the number of resources that the portal shows, by kind. It omits the kinds that the portal hides, and every
// kind whose number could include hidden resources. A portal with a target therefore has no counts, and a portal with filters
// has none of property listings, reservations and user identities.
func (v *View) Counts() (map[data.Kind]int, error) {
	if err := v.checkOpen(); err != nil {
		return nil, err
	}
	counts := map[data.Kind]int{}
	if v.target != (data.Ref{}) {
		return counts, nil
	}
	for kind, n := range v.customer.Counts {
		if v.isCounted(kind) {
			counts[kind] = n
		}
	}
	return counts, nil
}

// storedTotal returns the number of resources that a query selects, if it has no filters and the number is stored.
func (v *View) storedTotal(class data.Class, q data.Query) (total int, known bool) {
	if v.target != (data.Ref{}) || q.Keys != nil || q.ParentSiteKey != "" || q.SpaceKey != "" || q.UserKey != "" || strings.TrimSpace(q.Text) != "" || len(q.CustomMetadata) > 0 ||
		!q.From.IsZero() || !q.Until.IsZero() || !q.StartsFrom.IsZero() || !q.EndsUntil.IsZero() {
		return 0, false
	}
	kinds := slices.Clone(q.Kinds)
	if len(kinds) == 0 {
		kinds = data.Kinds(class)
	}
	for _, kind := range lo.Uniq(kinds) {
		if !v.isCounted(kind) {
			return 0, false
		}
		total += v.customer.Counts[kind]
	}
	return total, true
}

// isCounted reports whether the portal shows all resources of a kind, so that their number does not reveal anything.
func (v *View) isCounted(kind data.Kind) bool {
	return v.config.permit(readAction(emptyResource(kind))) == nil && (len(v.config.Filters) == 0 || !filtered(kind) && kind.Class() != data.ClassUserIdentity)
}

// emptyResource returns a resource of a kind without other fields.
func emptyResource(kind data.Kind) data.Resource {
	switch kind.Class() {
	case data.ClassSpace:
		return data.Space{Kind: kind}
	case data.ClassUserIdentity:
		return data.UserIdentity{Kind: kind}
	}
	return data.AccessGrant{Kind: kind}
}

// History returns at most limit changes of the access grant with a key, the newest first. See [data.Snapshot.History] for the
// values of limit and the age of the oldest change. If the portal's Events.AllowedEvents is not nil, History returns only the
// changes in that list, which have names such as "reservation.created". It omits the PortalID of an actor that is another
// portal.
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
	for i := range changes {
		if actor := &changes[i].Actor; actor.PortalID != v.portal.ID {
			actor.PortalID = uuid.Nil
		}
	}
	if allowed := v.config.Features.Manage.Events.AllowedEvents; allowed != nil {
		changes = slices.DeleteFunc(changes, func(c data.FeedChange) bool {
			return !slices.Contains(allowed, c.Kind.String()+"."+string(c.Change))
		})
	}
	return changes, nil
}

// LandingPage returns the resource or the device that the portal opens with: its DeepLink or, if it has none, its LandingPage. The Ref
// of a device is as in [Config]. LandingPage returns the zero Ref, which means the start page, if the portal has neither or does not
// show the resource or the device.
func (v *View) LandingPage(ctx context.Context) (data.Ref, error) {
	if err := v.checkOpen(); err != nil {
		return data.Ref{}, err
	}
	ref := v.config.LandingPage
	if v.config.isDeepLink() {
		ref = v.config.DeepLink
	}
	if device, is := v.config.linkedDevice(); is {
		_, _, err := v.Device(ctx, device)
		if errors.Is(err, ErrRefused) || errors.Is(err, access.ErrNotFound) {
			return data.Ref{}, nil
		}
		return ref, err
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
