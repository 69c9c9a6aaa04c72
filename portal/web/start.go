package web

import (
	"cmp"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// startPage is today at a glance. Every list of it is bounded, so that it costs the
// same whatever a customer has.
type startPage struct {
	Today      time.Time
	Zone       string // of today, if the lists are in different time zones
	Grants     bool   // they are shown
	Arrivals   glance
	Departures glance
	InHouse    glance
	Idle       glance // spaces that nobody has access to now
	IdleSpaces []spaceRow
	Counts     []kindCount
}

// glance is a part of a list, and how long that is as far as was looked.
type glance struct {
	Rows  []grantRow
	N     int
	More  bool // and more than N
	Path  string
	Known bool
}

const (
	glanceRows  = 6
	glanceLimit = 100
	idleLimit   = 500 // spaces, and grants of today, that are looked at for those without access
)

func showStart(v *visit) error {
	c := v.config()
	if c.DeepLink != (data.Ref{}) || c.NavigationMode == portal.NavigationRestricted && c.LandingPage != (data.Ref{}) {
		ref, err := v.view.LandingPage(v.ctx())
		if err != nil {
			return err
		}
		if page := pageOf(ref); page != "" {
			return v.to(page, "key", ref.Key)
		}
		return data.ErrResourceNotFound // what it showed is gone
	}
	out := startPage{Grants: v.can(portal.ActionReadAccessGrants)}
	var places, idlePlaces []portal.Place
	if out.Grants {
		for _, part := range []struct {
			to    *glance
			limit int
			state string
		}{
			{&out.Arrivals, glanceLimit, stateArriving},
			{&out.Departures, glanceLimit, stateDeparting},
			{&out.InHouse, idleLimit, string(stateCurrent)},
		} {
			page, err := v.grants(grantFilter{State: part.state}, part.limit, "")
			if err != nil {
				return err
			}
			*part.to = glance{N: len(page.Items), More: page.Next != "", Path: v.Link(pageGrants, "state", part.state), Known: true}
			if part.to == &out.InHouse && v.can(portal.ActionReadSpaces) && len(c.Filters) == 0 { // filters hide who is there
				of, err := v.idle(&out, page)
				if err != nil {
					return err
				}
				idlePlaces = of
			}
			for _, g := range page.Items {
				places = append(places, page.Related.Place(g.Ref()))
			}
			page.Items = page.Items[:min(glanceRows, len(page.Items))]
			part.to.Rows = v.rows(page)
		}
	}
	// If the portal has no time zone, today is that of what the page shows.
	zone := v.pageZone()
	if v.look.TimeZone == "" {
		zone = v.zone(portal.Place{TimeZone: cmp.Or(commonPlace(places).TimeZone, commonPlace(idlePlaces).TimeZone)})
	}
	out.Today = v.h.db.Now().In(zone)
	if nameZones([]grantRow{{zone: zone, Starts: out.Today}}, out.Arrivals.Rows, out.Departures.Rows, out.InHouse.Rows) {
		out.Zone = zone.String()
	}
	counts, err := v.view.Counts()
	if err != nil {
		return err
	}
	for _, kind := range data.Kinds() {
		if n := counts[kind]; n > 0 {
			out.Counts = append(out.Counts, kindCount{v.KindsName(kind), n})
		}
	}
	return v.show("start", "nav.start", out)
}

// idle finds the spaces that none of the grants of the moment opens, and returns the
// places of all spaces that it read. It finds nothing if there are more grants than were
// read.
func (v *visit) idle(out *startPage, inHouse portal.Page[data.AccessGrant]) (places []portal.Place, err error) {
	if inHouse.Next != "" {
		return nil, nil
	}
	open := map[string]bool{}
	for _, g := range inHouse.Items {
		for _, ref := range g.Spaces {
			open[ref.Key] = true
		}
	}
	page, err := v.view.Spaces(v.ctx(), data.Query{Kinds: idleKinds, Limit: idleLimit})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	out.Idle = glance{More: page.Next != "", Path: v.Link(pageSpaces), Known: true}
	for _, s := range page.Items {
		places = append(places, page.Related.Place(s.Ref()))
		if open[s.Key] || open[s.ParentSiteKey] && s.ParentSiteKey != "" {
			continue
		}
		if out.Idle.N++; len(out.IdleSpaces) < glanceRows {
			row := spaceRow{Space: s}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				row.Site = site.Name
			}
			out.IdleSpaces = append(out.IdleSpaces, row)
		}
	}
	return places, nil
}

// idleKinds are the spaces that a guest has for its own.
var idleKinds = []data.Kind{
	data.KindSpace, data.KindProperty, data.KindRoom, data.KindUnit, data.KindFacility, data.KindListing, data.KindPropertyListing,
}
