package portal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/wallclock"
)

// Place contains the time zone and the usual times of day of a space or an access grant. The time zone of a space is
// the first of these that is set: its own, its site's, the portal's, the customer's. Its times of day are its own or, if they
// are not set, its site's. A site counts even if the portal does not show it.
//
// The place of an access grant is that of its first space that has a time zone or whose site has one. If there is no such space,
// it is that of its first space.
type Place struct {
	TimeZone     string // IANA name; empty if none is set
	CheckinTime  string // HH:mm or HH:mm:ss; empty if there is none
	CheckoutTime string // HH:mm or HH:mm:ss; empty if there is none

	// Default reports whether neither the space nor its site has a time zone.
	Default bool

	// Mixed reports whether the spaces of an access grant are in different time zones.
	Mixed bool
}

// Zone returns the time zone of the place, or host if it has none.
func (p Place) Zone(host *time.Location) *time.Location {
	if p.TimeZone == "" {
		return host
	}
	zone, err := wallclock.Load(p.TimeZone)
	if err != nil {
		return host // an older list of time zones had this name
	}
	return zone
}

// defaultZone returns the time zone of resources that have none.
func (v *View) defaultZone() string { return cmp.Or(v.config.TimeZone, v.customer.TimeZone) }

// spacePlace returns the place of a space, whose site must be loaded.
func (v *View) spacePlace(s data.Space) Place {
	details := s.Details
	if s.ParentSiteKey != "" {
		if site, ok := v.loaded[portaldata.ByClass(data.Ref{Kind: data.KindSite, Key: s.ParentSiteKey})].(data.Space); ok && site.Kind == data.KindSite {
			details = details.Inherit(site.Details)
		}
	}
	return Place{
		TimeZone: cmp.Or(details.TimeZone, v.defaultZone()), Default: details.TimeZone == "",
		CheckinTime: details.DefaultCheckinTime, CheckoutTime: details.DefaultCheckoutTime,
	}
}

// grantPlace returns the place of an access grant, whose spaces and their sites must be
// loaded.
func (v *View) grantPlace(g data.AccessGrant) Place {
	var places []Place
	for _, ref := range g.Spaces {
		if s, ok := v.loaded[portaldata.ByClass(ref)].(data.Space); ok {
			places = append(places, v.spacePlace(s))
		}
	}
	if len(places) == 0 {
		return Place{TimeZone: v.defaultZone(), Default: true}
	}
	return firstPlace(places)
}

// firstPlace returns the place of an access grant to spaces in these places.
func firstPlace(places []Place) Place {
	out := places[max(0, slices.IndexFunc(places, func(p Place) bool { return !p.Default }))]
	out.Mixed = slices.ContainsFunc(places, func(p Place) bool { return p.TimeZone != out.TimeZone })
	return out
}

// place returns the place of a resource. The resources that it refers to, and their sites, must be loaded.
func (v *View) place(r data.Resource) Place {
	switch r := r.(type) {
	case data.Space:
		return v.spacePlace(r)
	case data.AccessGrant:
		return v.grantPlace(r)
	}
	return Place{TimeZone: v.defaultZone(), Default: true}
}

// addPlace adds the place of a space or an access grant.
func (v *View) addPlace(related Related, r data.Resource) {
	if r.Ref().Kind.Class() != data.ClassUserIdentity {
		related.places[portaldata.ByClass(r.Ref())] = v.place(r)
	}
}

// pageZone returns the time zone of dates that belong to no visible place, such as "today". It is that of the target, or the default
// if the portal has no visible target.
func (v *View) pageZone(ctx context.Context) (string, error) {
	if v.target == (data.Ref{}) {
		return v.defaultZone(), nil
	}
	if device, is := v.config.linkedDevice(); is {
		return v.deviceZone(ctx, device)
	}
	r, err := v.resource(ctx, v.target)
	if err != nil || r == nil {
		return v.defaultZone(), err
	}
	if shown, err := v.visible(ctx, r); err != nil || !shown {
		return v.defaultZone(), err
	}
	if err := v.loadReferences(ctx, r); err != nil {
		return "", err
	}
	return v.place(r).TimeZone, nil
}

// deviceZone returns the time zone of a device, which is that of an access grant to the spaces to which the device is mapped. It is the
// default if the portal does not show the device. A space counts even if the portal does not show it.
func (v *View) deviceZone(ctx context.Context, id uuid.UUID) (string, error) {
	scope, err := v.devices(ActionReadDevices)
	if err != nil {
		return v.defaultZone(), nil
	}
	d, err := scope.Device(ctx, id)
	if errors.Is(err, access.ErrNotFound) {
		return v.defaultZone(), nil
	}
	if err != nil {
		return "", err
	}
	keys := spacesOfDevices(d)
	slices.Sort(keys)
	if err := v.loadSpacesOf(ctx, keys...); err != nil {
		return "", err
	}
	return v.grantPlace(data.AccessGrant{Spaces: data.Refs(data.KindSpace, keys...)}).TimeZone, nil
}

// AccessGrantsByPlace returns a page of the access grants for which keep returns true. It is otherwise like
// [View.AccessGrants]. keep gets each access grant as the portal shows it, with its place, and can decide by the local date or
// time, such as whether a guest arrives today. keep must not use the View. Limit q to a time range that includes all access
// grants that keep accepts in any time zone, so that AccessGrantsByPlace reads no more than necessary.
func (v *View) AccessGrantsByPlace(ctx context.Context, q data.Query, keep func(data.AccessGrant, Place) bool) (Page[data.AccessGrant], error) {
	return list(ctx, v, ActionReadAccessGrants, data.ClassAccessGrant, q, v.at.AccessGrants, func(g data.AccessGrant) (bool, error) {
		shown, err := v.redact(ctx, g, newRelated())
		if err != nil {
			return false, err
		}
		return keep(shown.(data.AccessGrant), v.grantPlace(g)), nil
	})
}
