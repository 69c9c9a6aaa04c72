package portal

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// View reads what a session's portal shows, in one state of the store: its reads agree with
// each other. It is valid until the function of [Session.View] or [Service.ViewSession] that
// got it returns; its methods return an error afterwards. It is not safe for concurrent use.
//
// Each read returns a [RefusedError] if the portal does not allow it, and
// [data.ErrResourceNotFound] for a resource that the portal does not show, whether the
// resource exists or not.
type View struct {
	opened   *opened
	at       *data.Snapshot
	service  *Service
	ws       *data.Workspace
	portal   CustomerPortal
	config   *Config // the portal's
	customer data.Customer
	row      sessionRow
	over     bool // the function that got the view has returned

	// target is the one resource that is seen, with what belongs to it; zero is all. A
	// deep link's is seen with what it refers to, and a landing page's with what refers
	// to it as well.
	target data.Ref
	loaded map[data.Ref]data.Resource // by class and key; nil for what is not there

	// granted reports for user identities, by key, whether they have an access grant that
	// the portal shows. It is filled as far as it was needed.
	granted map[string]bool
	read    int // resources that were read
}

// View calls fn with a View of the current state. fn should only read: v does not see a write
// that is made meanwhile, and on a database server such a write takes a second connection
// while v holds the first. Write after View has returned, with
// [WriteOptions].IfUnchanged if the write depends on what fn has read.
//
// View returns the error of fn, or one of those that [Session] lists if the session is not
// good; fn is not called then.
func (s *Session) View(ctx context.Context, fn func(*View) error) error {
	return s.viewOr(ctx, func(v *View, err error) error {
		if err != nil {
			return err
		}
		return fn(v)
	})
}

// viewOr calls fn with a View of the current state. If the session is not good but is still
// stored, fn gets the error that says why. viewOr returns the error of fn. It tells the
// change feed of an expiry.
func (s *Session) viewOr(ctx context.Context, fn func(*View, error) error) error {
	var v *View
	err := s.service.view(ctx, func(r storage.Reader) (err error) {
		if v, err = s.viewAt(ctx, r); v == nil {
			return err
		}
		defer func() { v.over = true }()
		return fn(v, err)
	})
	if v != nil && errors.Is(err, ErrExpired) {
		err = errors.Join(err, s.service.tellExpiry(ctx, v.opened))
	}
	return err
}

// errOver is returned by the methods of a View that is not valid any more.
var errOver = errors.New("portal: the View was used after the function that got it had returned: read inside of Session.View")

// alive returns an error if the view is not valid any more.
func (v *View) alive() error {
	if v.over {
		return errOver
	}
	return nil
}

// permit returns an error if the portal does not allow an action.
func (v *View) permit(action Action) error {
	if err := v.alive(); err != nil {
		return err
	}
	return v.config.permit(action)
}

// viewAt returns the view of a state. If the session is not good in that state, the error
// says why, and the view is not nil if the session is still stored.
func (s *Session) viewAt(ctx context.Context, r storage.Reader) (*View, error) {
	to := pointer{s.customer, s.portal.ID}
	if s.ws == nil { // it is known by its token alone
		rows, err := r.Get(ctx, layout.Session(*s.hash))
		if err != nil {
			return nil, err
		}
		if rows[0] == nil {
			return nil, ErrSessionUnknown
		}
		if to, err = decodePointer(rows[0]); err != nil {
			return nil, err
		}
	}
	var along [][]byte
	if s.hash != nil {
		along = append(along, layout.OwnSession(to.customer, to.portal, *s.hash))
	}
	p, stateErr := s.service.live(ctx, r, to, along...)
	if p == nil {
		return nil, stateErr
	}
	v := &View{
		opened: p, at: p.ws.At(r), service: s.service, ws: p.ws, customer: p.owner, row: sessionRow{slot: s.slot},
		loaded: map[data.Ref]data.Resource{}, granted: map[string]bool{},
	}
	var err error
	if v.portal, err = s.service.describe(p.standing, p.owner); err != nil {
		return nil, err
	}
	v.config = &v.portal.Config
	switch {
	case v.config.DeepLink != (data.Ref{}):
		v.target = v.config.DeepLink
	case v.config.navigation() == NavigationRestricted:
		v.target = v.config.LandingPage
	}
	if s.hash != nil {
		if p.along[0] == nil {
			return v, cmp.Or(stateErr, ErrSessionUnknown)
		}
		if v.row, err = decodeSession(p.along[0]); err != nil {
			return nil, err
		}
		stateErr = cmp.Or(stateErr, v.row.over(s.service.now(), s.service.idle))
	}
	if stateErr == nil && !s.service.keys.Has(int(v.row.slot)) {
		stateErr = ErrKeyRemoved
	}
	return v, stateErr
}

// byClass is the reference that all references to the same resource share.
func byClass(ref data.Ref) data.Ref {
	return data.Ref{Kind: data.Kinds(ref.Kind.Class())[0], Key: ref.Key}
}

// load reads resources of the customer, all that are not known yet at once.
func (v *View) load(ctx context.Context, refs ...data.Ref) error {
	var ask []data.Ref
	for _, ref := range refs {
		ref = byClass(ref)
		if _, known := v.loaded[ref]; !known {
			v.loaded[ref] = nil
			ask = append(ask, ref)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	v.read += len(ask)
	found, err := portaldata.Resources(ctx, v.at, v.customer, ask)
	if err != nil {
		return err
	}
	for i, r := range found {
		v.loaded[ask[i]] = r
	}
	return nil
}

// resource reads a resource of the customer by class and key. It returns nil if there is none.
func (v *View) resource(ctx context.Context, ref data.Ref) (data.Resource, error) {
	err := v.load(ctx, ref)
	return v.loaded[byClass(ref)], err
}

// readsOf is the action that it takes to see a resource.
func readsOf(r data.Resource) Action {
	switch kind := r.Ref().Kind; {
	case kind == data.KindStaffMember:
		return ActionReadStaff
	case kind.Class() == data.ClassUserIdentity:
		return ActionReadUserIdentities
	case kind.Class() == data.ClassSpace:
		return ActionReadSpaces
	}
	return ActionReadAccessGrants
}

// sees reports whether the portal shows a resource of the customer.
func (v *View) sees(ctx context.Context, r data.Resource) (bool, error) {
	shown, err := v.shows(ctx, r)
	if g, ok := r.(data.AccessGrant); ok && shown && g.User.Key != "" {
		v.granted[g.User.Key] = true
	}
	return shown, err
}

func (v *View) shows(ctx context.Context, r data.Resource) (bool, error) {
	if r == nil || v.config.permit(readsOf(r)) != nil || !v.config.matches(r) {
		return false, nil
	}
	if v.target == (data.Ref{}) {
		if len(v.config.Filters) == 0 {
			return true, nil
		}
		return v.belongsToShown(ctx, r)
	}
	target, err := v.resource(ctx, v.target)
	if err != nil || target == nil || v.config.permit(readsOf(target)) != nil || !v.config.matches(target) {
		return false, err // it is gone, or hidden, and nothing takes its place
	}
	if byClass(target.Ref()) == byClass(r.Ref()) {
		return true, nil
	}
	if grant, ok := target.(data.AccessGrant); ok {
		return refersTo(grant, r.Ref()), nil
	}
	if v.config.DeepLink != (data.Ref{}) {
		return false, nil
	}
	return v.belongs(ctx, r, target.Ref())
}

// belongsToShown reports whether a resource that passes the filters belongs to a resource
// that the portal shows. A user identity belongs to its access grants, and a staff member
// that serves spaces to these; others belong to none, and are shown.
func (v *View) belongsToShown(ctx context.Context, r data.Resource) (bool, error) {
	u, ok := r.(data.UserIdentity)
	switch {
	case !ok:
		return true, nil
	case u.Kind != data.KindStaffMember:
		return v.isGranted(ctx, u.Key)
	case len(u.Spaces) == 0:
		return true, nil
	}
	if err := v.load(ctx, u.Spaces...); err != nil {
		return false, err
	}
	for _, ref := range u.Spaces {
		if shown, err := v.sees(ctx, v.loaded[byClass(ref)]); shown || err != nil {
			return shown, err
		}
	}
	return false, nil
}

// belongs reports whether a resource belongs to the space of a landing page: it lies in it,
// gives access to it or to what lies in it, serves it, or has access to it.
func (v *View) belongs(ctx context.Context, r data.Resource, to data.Ref) (bool, error) {
	switch r := r.(type) {
	case data.Space:
		return liesIn(r, to), nil
	case data.AccessGrant:
		return v.anyIn(ctx, r.Spaces, to)
	case data.UserIdentity:
		if r.Kind == data.KindStaffMember {
			return v.anyIn(ctx, r.Spaces, to)
		}
		return v.isGranted(ctx, r.Key)
	}
	return false, nil
}

// isGranted reports whether a user identity has an access grant that the portal shows.
func (v *View) isGranted(ctx context.Context, key string) (bool, error) {
	err := v.learnGranted(ctx, key)
	return v.granted[key], err
}

// learnGranted finds out which user identities have an access grant that the portal shows,
// for all that are not known yet at once.
func (v *View) learnGranted(ctx context.Context, keys ...string) error {
	keys = slices.DeleteFunc(keys, func(key string) bool { _, known := v.granted[key]; return known })
	if len(keys) == 0 || v.config.permit(ActionReadAccessGrants) != nil {
		return nil
	}
	granted, read, err := portaldata.Granted(ctx, v.at, v.customer.Key, keys, func(grants []data.AccessGrant) ([]bool, error) {
		if err := v.loadSpaces(ctx, grants); err != nil {
			return nil, err
		}
		out := make([]bool, len(grants))
		for i, g := range grants {
			var err error
			if out[i], err = v.sees(ctx, g); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
	v.read += read
	for _, key := range keys {
		v.granted[key] = granted[key]
	}
	return err
}

// loadSpaces loads the spaces of access grants if they decide which grants are shown.
func (v *View) loadSpaces(ctx context.Context, grants []data.AccessGrant) error {
	if v.target == (data.Ref{}) {
		return nil
	}
	var refs []data.Ref
	for _, g := range grants {
		refs = append(refs, g.Spaces...)
	}
	return v.load(ctx, refs...)
}

// show returns what the portal shows of resources, nil for each that it hides, and how many
// resources it read for that. It reads for all of them at once.
func (v *View) show(ctx context.Context, resources []data.Resource) (out []data.Resource, read int, err error) {
	before := v.read
	var grants []data.AccessGrant
	var people []string
	var serves []data.Ref
	for _, r := range resources {
		switch r := r.(type) {
		case data.AccessGrant:
			grants = append(grants, r)
		case data.UserIdentity:
			if r.Kind == data.KindStaffMember {
				serves = append(serves, r.Spaces...)
			} else {
				people = append(people, r.Key)
			}
		}
	}
	if err := v.loadSpaces(ctx, grants); err != nil {
		return nil, 0, err
	}
	if v.target != (data.Ref{}) || len(v.config.Filters) > 0 {
		if err := v.load(ctx, serves...); err != nil {
			return nil, 0, err
		}
	}
	if v.target == (data.Ref{}) && len(v.config.Filters) > 0 || v.target.Kind.Class() == data.ClassSpace && v.config.DeepLink == (data.Ref{}) {
		if err := v.learnGranted(ctx, people...); err != nil {
			return nil, 0, err
		}
	}
	out = make([]data.Resource, len(resources))
	for i, r := range resources {
		shown, err := v.sees(ctx, r)
		if err != nil {
			return nil, 0, err
		}
		if shown {
			out[i] = v.withoutDetails(r)
		}
	}
	return out, v.read - before, nil
}

// anyIn reports whether one of spaces is the space to, or lies in it.
func (v *View) anyIn(ctx context.Context, spaces []data.Ref, to data.Ref) (bool, error) {
	if err := v.load(ctx, spaces...); err != nil {
		return false, err
	}
	return slices.ContainsFunc(spaces, func(ref data.Ref) bool {
		space, ok := v.loaded[byClass(ref)].(data.Space)
		return ok && (space.Key == to.Key || liesIn(space, to))
	}), nil
}

// liesIn reports whether a space lies in a site.
func liesIn(s data.Space, site data.Ref) bool {
	return site.Kind == data.KindSite && s.ParentSiteKey == site.Key
}

// refersTo reports whether a grant names a resource.
func refersTo(g data.AccessGrant, to data.Ref) bool {
	switch to.Kind.Class() {
	case data.ClassSpace:
		return slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return ref.Key == to.Key })
	case data.ClassUserIdentity:
		return g.User.Key == to.Key
	}
	return false
}

// matches reports whether a resource passes the filters. They apply to property listings and
// reservations only.
func (c *Config) matches(r data.Resource) bool {
	var metadata data.CustomMetadata
	switch r := r.(type) {
	case data.Space:
		metadata = r.CustomMetadata
	case data.AccessGrant:
		metadata = r.CustomMetadata
	}
	return !filtered(r.Ref().Kind) || !slices.ContainsFunc(c.Filters, func(f Filter) bool { return metadata[f.Field] != f.Value })
}

func filtered(kind data.Kind) bool {
	return kind == data.KindPropertyListing || kind == data.KindReservation
}

// seen returns the resource of the customer with that class and key. A resource that the
// portal hides is not found, like one that does not exist.
func (v *View) seen(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := v.resource(ctx, ref)
	if err != nil {
		return nil, err
	}
	shown, err := v.sees(ctx, r)
	if err != nil {
		return nil, err
	}
	if !shown {
		return nil, notFound(ref)
	}
	return r, nil
}

// seenAs is seen for a resource that is to be changed: it does not find a staff member as
// a guest, or a guest as a staff member.
func (v *View) seenAs(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := v.seen(ctx, ref)
	if err == nil && (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
		err = notFound(ref)
	}
	return r, err
}

// shown returns a resource that the portal shows, without what the portal does not show, and
// the resources that it refers to.
func (v *View) shown(ctx context.Context, ref data.Ref) (data.Resource, Related, error) {
	related := newRelated()
	r, err := v.seenAs(ctx, ref)
	if err != nil {
		return nil, related, err
	}
	if err := v.loadReferences(ctx, r); err != nil {
		return nil, related, err
	}
	r, err = v.trim(ctx, r, related)
	return r, related, err
}

// references returns what a resource refers to.
func references(r data.Resource) []data.Ref {
	switch r := r.(type) {
	case data.Space:
		if r.ParentSiteKey != "" {
			return data.Refs(data.KindSite, r.ParentSiteKey)
		}
	case data.UserIdentity:
		return r.Spaces
	case data.AccessGrant:
		if r.User.Key != "" {
			return append(slices.Clip(r.Spaces), r.User)
		}
		return r.Spaces
	}
	return nil
}

// loadReferences loads what resources refer to, and the sites of the spaces among that.
func (v *View) loadReferences(ctx context.Context, resources ...data.Resource) error {
	var refs, sites []data.Ref
	for _, r := range resources {
		refs = append(refs, references(r)...)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		if to := v.loaded[byClass(ref)]; to != nil && to.Ref().Kind.Class() == data.ClassSpace {
			sites = append(sites, references(to)...)
		}
	}
	return v.load(ctx, sites...)
}

// trim takes from a resource what the portal does not show: references to what is
// hidden or not there, and details. Those that stay are in related.
func (v *View) trim(ctx context.Context, r data.Resource, related Related) (data.Resource, error) {
	shown := func(ref data.Ref) (bool, error) {
		to, err := v.resource(ctx, ref)
		if err != nil {
			return false, err
		}
		ok, err := v.sees(ctx, to)
		if ok && err == nil {
			v.addPlace(related, to)
			related.resources[byClass(ref)], err = v.alone(ctx, to)
		}
		return ok, err
	}
	keep := func(refs []data.Ref) (out []data.Ref, err error) {
		for _, ref := range refs {
			ok, err := shown(ref)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, ref)
			}
		}
		return out, nil
	}
	v.addPlace(related, r)
	var err error
	switch r := v.withoutDetails(r).(type) {
	case data.Space:
		if r.ParentSiteKey != "" {
			if _, err := shown(data.Ref{Kind: data.KindSite, Key: r.ParentSiteKey}); err != nil {
				return nil, err
			}
		}
		return v.alone(ctx, r)
	case data.UserIdentity:
		r.Spaces, err = keep(r.Spaces)
		return r, err
	case data.AccessGrant:
		if r.Spaces, err = keep(r.Spaces); err != nil {
			return nil, err
		}
		if r.User.Key != "" {
			ok, err := shown(r.User)
			if err != nil {
				return nil, err
			}
			if !ok {
				r.User = data.Ref{}
			}
		}
		return r, nil
	}
	return r, nil
}

// alone is a resource that something refers to: without what it refers to itself, but
// for the site that a space lies in.
func (v *View) alone(ctx context.Context, r data.Resource) (data.Resource, error) {
	switch r := r.(type) {
	case data.UserIdentity:
		r.Spaces = nil
		return r, nil
	case data.Space:
		if r.ParentSiteKey == "" {
			return r, nil
		}
		site, err := v.resource(ctx, data.Ref{Kind: data.KindSite, Key: r.ParentSiteKey})
		if err != nil {
			return nil, err
		}
		if ok, err := v.sees(ctx, site); err != nil || !ok {
			r.ParentSiteKey = ""
			return r, err
		}
		return r, nil
	}
	return v.withoutDetails(r), nil
}

// withoutDetails is an access grant without what is technical about it, where the
// portal leaves that out.
func (v *View) withoutDetails(r data.Resource) data.Resource {
	if g, ok := r.(data.AccessGrant); ok && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		g.PreferredCode, g.CustomMetadata = "", nil
		g.Meta.ID = [16]byte{}
		return g
	}
	return r
}
