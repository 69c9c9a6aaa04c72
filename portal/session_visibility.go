package portal

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// visible reports whether the portal shows a resource of the customer. It is false for nil. If the resource is a visible access
// grant, visible also adds its user to v.granted.
func (v *View) visible(ctx context.Context, r data.Resource) (bool, error) {
	shown, err := v.decideVisible(ctx, r)
	if g, ok := r.(data.AccessGrant); ok && shown && g.User.Key != "" {
		v.granted[g.User.Key] = true
	}
	return shown, err
}

// decideVisible is like visible, but does not change v.granted.
func (v *View) decideVisible(ctx context.Context, r data.Resource) (bool, error) {
	if r == nil || v.config.permit(readAction(r)) != nil || !v.config.matches(r) {
		return false, nil
	}
	if v.target == (data.Ref{}) {
		if len(v.config.Filters) == 0 {
			return true, nil
		}
		return v.belongsToVisible(ctx, r)
	}
	target, err := v.resource(ctx, v.target)
	if err != nil || target == nil || v.config.permit(readAction(target)) != nil || !v.config.matches(target) {
		return false, err // a portal whose target is gone or hidden shows nothing
	}
	if portaldata.ByClass(target.Ref()) == portaldata.ByClass(r.Ref()) {
		return true, nil
	}
	if grant, ok := target.(data.AccessGrant); ok {
		return refersTo(grant, r.Ref()), nil
	}
	if v.config.isDeepLink() {
		return false, nil
	}
	return v.inLandingPage(ctx, r, target.Ref())
}

// belongsToVisible reports whether a portal with filters shows a resource that the filters do not hide. It shows a user identity
// that has a visible access grant, a staff member that serves a visible space or no space, and all spaces and access grants.
func (v *View) belongsToVisible(ctx context.Context, r data.Resource) (bool, error) {
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
		if shown, err := v.visible(ctx, v.loaded[portaldata.ByClass(ref)]); shown || err != nil {
			return shown, err
		}
	}
	return false, nil
}

// inLandingPage reports whether a resource belongs to the space of the landing page: a space in that site, an access grant to the
// space or to a space in it, a staff member that serves one of these, or a user identity with a visible access grant.
func (v *View) inLandingPage(ctx context.Context, r data.Resource, page data.Ref) (bool, error) {
	switch r := r.(type) {
	case data.Space:
		return isInSite(r, page), nil
	case data.AccessGrant:
		return v.anyIn(ctx, r.Spaces, page)
	case data.UserIdentity:
		if r.Kind == data.KindStaffMember {
			return v.anyIn(ctx, r.Spaces, page)
		}
		return v.isGranted(ctx, r.Key)
	}
	return false, nil
}

// isGranted reports whether a user identity has a visible access grant.
func (v *View) isGranted(ctx context.Context, key string) (bool, error) {
	err := v.learnGranted(ctx, key)
	return v.granted[key], err
}

// learnGranted adds user identities to v.granted, except those that it contains, in as few reads as possible.
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
			if out[i], err = v.visible(ctx, g); err != nil {
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

// loadSpaces loads the spaces of access grants if the portal has a target, since visible then needs them.
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

// anyIn reports whether any of the spaces is the space of the landing page, or is in that site.
func (v *View) anyIn(ctx context.Context, spaces []data.Ref, page data.Ref) (bool, error) {
	if err := v.load(ctx, spaces...); err != nil {
		return false, err
	}
	return slices.ContainsFunc(spaces, func(ref data.Ref) bool {
		space, ok := v.loaded[portaldata.ByClass(ref)].(data.Space)
		return ok && (space.Key == page.Key || isInSite(space, page))
	}), nil
}

// isInSite reports whether a space is in a site. It is false if site refers to a space of another kind.
func isInSite(s data.Space, site data.Ref) bool {
	return site.Kind == data.KindSite && s.ParentSiteKey == site.Key
}

// refersTo reports whether an access grant refers to a resource.
func refersTo(g data.AccessGrant, to data.Ref) bool {
	switch to.Kind.Class() {
	case data.ClassSpace:
		return slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return ref.Key == to.Key })
	case data.ClassUserIdentity:
		return g.User.Key == to.Key
	}
	return false
}

// matches reports whether a resource matches all filters. Filters apply only to property listings and reservations; other
// resources match.
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

// filtered reports whether filters apply to a kind.
func filtered(kind data.Kind) bool {
	return kind == data.KindPropertyListing || kind == data.KindReservation
}
