package portal

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// sees reports whether the portal shows a resource of the customer.
func (v *View) visible(ctx context.Context, r data.Resource) (bool, error) {
	shown, err := v.decideVisible(ctx, r)
	if g, ok := r.(data.AccessGrant); ok && shown && g.User.Key != "" {
		v.granted[g.User.Key] = true
	}
	return shown, err
}

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
	return v.inLandingPage(ctx, r, target.Ref())
}

// belongsToShown reports whether a resource that passes the filters belongs to a resource
// that the portal shows. A user identity belongs to its access grants, and a staff member
// that serves spaces to these; others belong to none, and are shown.
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
		if shown, err := v.visible(ctx, v.loaded[byClass(ref)]); shown || err != nil {
			return shown, err
		}
	}
	return false, nil
}

// belongs reports whether a resource belongs to the space of a landing page: it lies in it,
// gives access to it or to what lies in it, serves it, or has access to it.
func (v *View) inLandingPage(ctx context.Context, r data.Resource, to data.Ref) (bool, error) {
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

// byClass is the reference that all references to the same resource share.
func byClass(ref data.Ref) data.Ref {
	return data.Ref{Kind: data.Kinds(ref.Kind.Class())[0], Key: ref.Key}
}
