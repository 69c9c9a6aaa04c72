package portal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
)

// Place is where a space is, or where an access grant opens, as far as clocks are
// concerned. A space uses its own time zone, else that of its site, else the portal's,
// else the customer's; its times of day are its own, else those of its site. Sites that
// the portal does not show count too.
//
// An access grant is in the place of its first space that has a time zone, or whose site
// has one, and otherwise in the place of its first space.
type Place struct {
	TimeZone     string // IANA name; empty if none of these has one
	CheckinTime  string // HH:mm or HH:mm:ss; empty if there is none
	CheckoutTime string // the same

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
		return host // a name that an older list of time zones had
	}
	return zone
}

// defaultZone returns the time zone of resources that have none of their own.
func (v *View) defaultZone() string { return cmp.Or(v.config.TimeZone, v.customer.TimeZone) }

// spacePlace returns the place of a space, whose site must be loaded.
func (v *View) spacePlace(s data.Space) Place {
	details := s.Details
	if s.ParentSiteKey != "" {
		if site, ok := v.loaded[byClass(data.Ref{Kind: data.KindSite, Key: s.ParentSiteKey})].(data.Space); ok && site.Kind == data.KindSite {
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
		if s, ok := v.loaded[byClass(ref)].(data.Space); ok {
			places = append(places, v.spacePlace(s))
		}
	}
	if len(places) == 0 {
		return Place{TimeZone: v.defaultZone(), Default: true}
	}
	return firstPlace(places)
}

// firstPlace returns the place of an access grant to spaces in some places.
func firstPlace(places []Place) Place {
	out := places[max(0, slices.IndexFunc(places, func(p Place) bool { return !p.Default }))]
	out.Mixed = slices.ContainsFunc(places, func(p Place) bool { return p.TimeZone != out.TimeZone })
	return out
}

// GrantPlace returns the place of an access grant to some of the spaces of which there is
// a place, and the zero Place if it knows none of them.
func (r Related) GrantPlace(spaces []data.Ref) Place {
	var places []Place
	for _, ref := range spaces {
		if p, known := r.places[byClass(ref)]; known {
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		return Place{}
	}
	return firstPlace(places)
}

// place returns the place of a resource. What it refers to, and the sites behind that,
// must be loaded.
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
		related.places[byClass(r.Ref())] = v.place(r)
	}
}

// pageZone returns the time zone of dates that belong to no place, such as "today": that of
// the one resource that the portal shows, else the default.
func (v *View) pageZone(ctx context.Context) (string, error) {
	if v.target == (data.Ref{}) {
		return v.defaultZone(), nil
	}
	r, err := v.resource(ctx, v.target)
	if err != nil || r == nil {
		return v.defaultZone(), err
	}
	if shown, err := v.sees(ctx, r); err != nil || !shown {
		return v.defaultZone(), err
	}
	if err := v.loadReferences(ctx, r); err != nil {
		return "", err
	}
	return v.place(r).TimeZone, nil
}

// Window bounds times as the fields of [data.Query] of the same names do. A window whose
// Until is not after its From holds nothing.
type Window struct{ From, Until, StartsFrom, EndsUntil time.Time }

// Empty reports whether the window holds nothing.
func (w Window) Empty() bool {
	return !w.From.IsZero() && !w.Until.IsZero() && !w.Until.After(w.From)
}

// holds reports whether the window holds an access grant.
func (w Window) holds(g data.AccessGrant) bool {
	starts, ends := g.StartsAt, g.EndsAt
	return !w.Empty() &&
		(w.Until.IsZero() || starts.IsZero() || starts.Before(w.Until)) &&
		(w.From.IsZero() || ends.IsZero() || ends.After(w.From)) &&
		(w.StartsFrom.IsZero() || !starts.IsZero() && !starts.Before(w.StartsFrom)) &&
		(w.EndsUntil.IsZero() || !ends.IsZero() && ends.Before(w.EndsUntil))
}

// AccessGrantsByPlace lists access grants as AccessGrants does, but each must also be in
// the window of its own place, such as the day that it is there. The query's own times
// must hold whatever any of these windows holds.
func (v *View) AccessGrantsByPlace(ctx context.Context, q data.Query, window func(Place) Window) (Page[data.AccessGrant], error) {
	return list(ctx, v, ActionReadAccessGrants, data.ClassAccessGrant, q, v.at.AccessGrants, func(g data.AccessGrant) bool {
		return window(v.grantPlace(g)).holds(g)
	})
}
