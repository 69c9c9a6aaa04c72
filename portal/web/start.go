package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// startPage is today at a glance. Every list of it is bounded, so that it costs the
// same whatever a customer has.
type startPage struct {
	Today      time.Time
	Grants     bool // they are shown
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
		ref, err := v.session.LandingPage(v.ctx())
		if err != nil {
			return err
		}
		if page := pageOf(ref); page != "" {
			return v.to(page, "key", ref.Key)
		}
		return data.ErrResourceNotFound // what it showed is gone
	}
	now := v.h.o.Now().In(v.h.o.Location)
	today := func(state string) data.Query { return grantFilter{State: state}.query(now, now.Location()) }
	out := startPage{Today: now, Grants: v.can(portal.ActionReadAccessGrants)}
	if out.Grants {
		for _, part := range []struct {
			to    *glance
			q     data.Query
			limit int
			state string
		}{
			{&out.Arrivals, today(stateArriving), glanceLimit, stateArriving},
			{&out.Departures, today(stateDeparting), glanceLimit, stateDeparting},
			{&out.InHouse, today(string(stateCurrent)), idleLimit, string(stateCurrent)},
		} {
			part.q.Limit = part.limit
			page, err := v.session.AccessGrants(v.ctx(), part.q)
			if err != nil {
				return err
			}
			*part.to = glance{N: len(page.Items), More: page.Next != "", Path: v.Link(pageGrants, "state", part.state), Known: true}
			if part.to == &out.InHouse && v.can(portal.ActionReadSpaces) && len(c.Filters) == 0 { // filters hide who is there
				if err := v.idle(&out, page); err != nil {
					return err
				}
			}
			page.Items = page.Items[:min(glanceRows, len(page.Items))]
			part.to.Rows = v.rows(page)
		}
	}
	counts, err := v.session.Counts(v.ctx())
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

// idle finds the spaces that none of the grants of the moment opens. It says nothing
// where there are more of those than were read.
func (v *visit) idle(out *startPage, inHouse portal.Page[data.AccessGrant]) error {
	if inHouse.Next != "" {
		return nil
	}
	open := map[string]bool{}
	for _, g := range inHouse.Items {
		for _, ref := range g.Spaces {
			open[ref.Key] = true
		}
	}
	page, err := v.session.Spaces(v.ctx(), data.Query{Kinds: idleKinds, Limit: idleLimit})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return nil
	}
	out.Idle = glance{More: page.Next != "", Path: v.Link(pageSpaces), Known: true}
	for _, s := range page.Items {
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
	return nil
}

// idleKinds are the spaces that a guest has for its own.
var idleKinds = []data.Kind{
	data.KindSpace, data.KindProperty, data.KindRoom, data.KindUnit, data.KindFacility, data.KindListing, data.KindPropertyListing,
}
