package portal

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// show returns what the portal shows of resources, nil for each that it hides, and how many
// resources it read for that. It reads for all of them at once.
func (v *View) filterVisible(ctx context.Context, resources []data.Resource) (out []data.Resource, read int, err error) {
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
		shown, err := v.visible(ctx, r)
		if err != nil {
			return nil, 0, err
		}
		if shown {
			out[i] = v.withoutDetails(r)
		}
	}
	return out, v.read - before, nil
}

// seen returns the resource of the customer with that class and key. A resource that the
// portal hides is not found, like one that does not exist.
func (v *View) findResource(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := v.resource(ctx, ref)
	if err != nil {
		return nil, err
	}
	shown, err := v.visible(ctx, r)
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
func (v *View) findResourceAs(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := v.findResource(ctx, ref)
	if err == nil && (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
		err = notFound(ref)
	}
	return r, err
}

// shown returns a resource that the portal shows, without what the portal does not show, and
// the resources that it refers to.
func (v *View) readResource(ctx context.Context, ref data.Ref) (data.Resource, Related, error) {
	related := newRelated()
	r, err := v.findResourceAs(ctx, ref)
	if err != nil {
		return nil, related, err
	}
	if err := v.loadReferences(ctx, r); err != nil {
		return nil, related, err
	}
	r, err = v.redact(ctx, r, related)
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
func (v *View) redact(ctx context.Context, r data.Resource, related Related) (data.Resource, error) {
	shown := func(ref data.Ref) (bool, error) {
		to, err := v.resource(ctx, ref)
		if err != nil {
			return false, err
		}
		ok, err := v.visible(ctx, to)
		if ok && err == nil {
			v.addPlace(related, to)
			related.resources[byClass(ref)], err = v.withoutReferences(ctx, to)
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
		return v.withoutReferences(ctx, r)
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
func (v *View) withoutReferences(ctx context.Context, r data.Resource) (data.Resource, error) {
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
		if ok, err := v.visible(ctx, site); err != nil || !ok {
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

// trimReport removes from the report of a delete what the portal does not show.
func (v *View) redactReport(report *data.DeleteReport) {
	for i, d := range report.Deleted {
		if d.Kind.Class() == data.ClassAccessGrant && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
			report.Deleted[i].ID = uuid.Nil
		}
	}
	report.Revoked, report.NotFound = nil, nil
}

// hideOtherPortals removes the ids of all portals but one from the actors of changes.
func hideOtherPortals(changes []data.FeedChange, portalID uuid.UUID) {
	for i := range changes {
		if actor := &changes[i].Actor; actor.PortalID != portalID {
			actor.PortalID = uuid.Nil
		}
	}
}
