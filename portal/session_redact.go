package portal

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// filterVisible returns the resources as the portal shows them, with nil for each that it hides, and the number of resources
// that it read. It first reads, in few calls, the resources on which the visibility of the given ones depends. References to
// hidden resources remain; see redact.
func (v *View) filterVisible(ctx context.Context, resources []data.Resource) (out []data.Resource, read int, err error) {
	before := v.read
	var grants []data.AccessGrant
	var users []string
	var served []data.Ref // spaces that staff members serve
	for _, r := range resources {
		switch r := r.(type) {
		case data.AccessGrant:
			grants = append(grants, r)
		case data.UserIdentity:
			if r.Kind == data.KindStaffMember {
				served = append(served, r.Spaces...)
			} else {
				users = append(users, r.Key)
			}
		}
	}
	if err := v.loadSpaces(ctx, grants); err != nil {
		return nil, 0, err
	}
	if v.target != (data.Ref{}) || len(v.config.Filters) > 0 {
		if err := v.load(ctx, served...); err != nil {
			return nil, 0, err
		}
	}
	if v.target == (data.Ref{}) && len(v.config.Filters) > 0 || v.target.Kind.Class() == data.ClassSpace && !v.config.isDeepLink() {
		if err := v.learnGranted(ctx, users...); err != nil {
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

// findResource returns the resource with a class and key, or an error that matches data.ErrResourceNotFound if there is none or
// the portal hides it. The resource has all its fields; see redact.
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

// findResourceAs is like findResource, but it finds staff members only if ref has KindStaffMember, and other user identities
// only if it has not. Reading staff members and reading other user identities are different actions.
func (v *View) findResourceAs(ctx context.Context, ref data.Ref) (data.Resource, error) {
	r, err := v.findResource(ctx, ref)
	if err == nil && (r.Ref().Kind == data.KindStaffMember) != (ref.Kind == data.KindStaffMember) {
		err = notFound(ref)
	}
	return r, err
}

// readResource returns a visible resource, redacted, and the resources that it refers to.
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

// references returns the references of a resource.
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

// loadReferences loads the resources that resources refer to, and the sites of the spaces among them.
func (v *View) loadReferences(ctx context.Context, resources ...data.Resource) error {
	var refs, sites []data.Ref
	for _, r := range resources {
		refs = append(refs, references(r)...)
	}
	if err := v.load(ctx, refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		if to := v.loaded[portaldata.ByClass(ref)]; to != nil && to.Ref().Kind.Class() == data.ClassSpace {
			sites = append(sites, references(to)...)
		}
	}
	return v.load(ctx, sites...)
}

// redact returns a visible resource without the data that the portal does not show: references to resources that are hidden or do
// not exist, and technical details. It adds the resources to which the remaining references refer to related.
func (v *View) redact(ctx context.Context, r data.Resource, related Related) (data.Resource, error) {
	addRelated := func(ref data.Ref) (visible bool, err error) {
		to, err := v.resource(ctx, ref)
		if err != nil {
			return false, err
		}
		ok, err := v.visible(ctx, to)
		if ok && err == nil {
			v.addPlace(related, to)
			related.resources[portaldata.ByClass(ref)], err = v.withoutReferences(ctx, to)
		}
		return ok, err
	}
	keep := func(refs []data.Ref) (out []data.Ref, err error) {
		for _, ref := range refs {
			ok, err := addRelated(ref)
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
			if _, err := addRelated(data.Ref{Kind: data.KindSite, Key: r.ParentSiteKey}); err != nil {
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
			ok, err := addRelated(r.User)
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

// withoutReferences returns a related resource as the portal shows it, without its own references except the visible site of a
// space.
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

// withoutDetails returns an access grant without its technical details if the portal hides these, and other resources unchanged. If
// the program has locks, the preferred code of an access grant is a PIN.
func (v *View) withoutDetails(r data.Resource) data.Resource {
	if g, ok := r.(data.AccessGrant); ok && v.service.access != nil && v.permit(ActionReadPINs) != nil {
		g.PreferredCode = ""
		r = g
	}
	if g, ok := r.(data.AccessGrant); ok && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
		g.PreferredCode, g.CustomMetadata = "", nil
		g.Meta.ID = [16]byte{}
		return g
	}
	return r
}

// redactReport removes from the report of a delete the ids that the portal hides, the revoked portals, the keys that were not
// found, and the effects on devices, which can name resources that the portal hides.
func (v *View) redactReport(report *data.DeleteReport) {
	for i, d := range report.Deleted {
		if d.Kind.Class() == data.ClassAccessGrant && v.config.Features.Manage.ExcludeReservationTechnicalDetails {
			report.Deleted[i].ID = uuid.Nil
		}
	}
	report.Revoked, report.NotFound, report.Unmapped, report.CodeRemovals = nil, nil, nil, nil
}
