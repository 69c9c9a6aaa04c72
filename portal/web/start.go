package web

import (
	"cmp"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// startPage is the content of the start page, an overview of the present day. The number of rows that it reads is
// bounded for customers of any size.
type startPage struct {
	Today      time.Time
	Zone       string // the time zone of Today; "" unless the lists have several
	Grants     bool   // the portal shows access grants
	Arrivals   startList
	Departures startList
	InHouse    startList
	Idle       startList // spaces to which nobody has access now
	IdleSpaces []spaceRow
	Counts     []kindCount
}

// startList is the beginning of a list, with its length up to a limit.
type startList struct {
	Rows  []grantRow
	N     int
	More  bool // the list has more than N elements
	Path  string
	Known bool
}

const (
	startListRows  = 6
	startListLimit = 100
	idleLimit      = 500 // the largest number of spaces, and of current grants, that idle examines
)

func showStart(x *exchange) error {
	c := x.config()
	if c.DeepLink != (data.Ref{}) || c.NavigationMode == portal.NavigationRestricted && c.LandingPage != (data.Ref{}) {
		ref, err := x.view.LandingPage(x.ctx())
		if err != nil {
			return err
		}
		if page := pageOf(ref); page != "" {
			return x.redirectTo(page, "key", ref.Key)
		}
		return data.ErrResourceNotFound // the resource of the portal was deleted
	}
	out := startPage{Grants: x.can(portal.ActionReadAccessGrants)}
	var places, idlePlaces []portal.Place
	if out.Grants {
		for _, part := range []struct {
			to    *startList
			limit int
			state string
		}{
			{&out.Arrivals, startListLimit, stateArriving},
			{&out.Departures, startListLimit, stateDeparting},
			{&out.InHouse, idleLimit, string(stateCurrent)},
		} {
			page, err := x.grants(grantFilter{State: part.state}, part.limit, "")
			if err != nil {
				return err
			}
			*part.to = startList{N: len(page.Items), More: page.Next != "", Path: x.link(pageGrants, "state", part.state), Known: true}
			if part.to == &out.InHouse && x.can(portal.ActionReadSpaces) && len(c.Filters) == 0 { // filters hide some of the grants
				of, err := x.idle(&out, page)
				if err != nil {
					return err
				}
				idlePlaces = of
			}
			for _, g := range page.Items {
				places = append(places, page.Related.Place(g.Ref()))
			}
			page.Items = page.Items[:min(startListRows, len(page.Items))]
			part.to.Rows = x.newGrantRows(page)
		}
	}
	// If the portal has no time zone, the present day is that of the places on the page.
	zone := x.pageZone()
	if x.appearance.TimeZone == "" {
		zone = x.zone(portal.Place{TimeZone: cmp.Or(commonPlace(places).TimeZone, commonPlace(idlePlaces).TimeZone)})
	}
	out.Today = x.h.db.Now().In(zone)
	if labelZones([]grantRow{{zone: zone, Starts: out.Today}}, out.Arrivals.Rows, out.Departures.Rows, out.InHouse.Rows) {
		out.Zone = zone.String()
	}
	counts, err := x.view.Counts()
	if err != nil {
		return err
	}
	for _, kind := range data.Kinds() {
		if n := counts[kind]; n > 0 {
			out.Counts = append(out.Counts, kindCount{x.kindsName(kind), n})
		}
	}
	return x.renderOK("start", "nav.start", out)
}

// idle sets the spaces to which no current grant gives access. It returns the places of all spaces that it read. It does
// nothing if there are more current grants than inHouse contains.
func (x *exchange) idle(out *startPage, inHouse portal.Page[data.AccessGrant]) (places []portal.Place, err error) {
	if inHouse.Next != "" {
		return nil, nil
	}
	open := map[string]bool{}
	for _, g := range inHouse.Items {
		for _, ref := range g.Spaces {
			open[ref.Key] = true
		}
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Kinds: idleKinds, Limit: idleLimit})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	out.Idle = startList{More: page.Next != "", Path: x.link(pageSpaces), Known: true}
	for _, s := range page.Items {
		places = append(places, page.Related.Place(s.Ref()))
		if open[s.Key] || open[s.ParentSiteKey] && s.ParentSiteKey != "" {
			continue
		}
		if out.Idle.N++; len(out.IdleSpaces) < startListRows {
			row := spaceRow{Space: s}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				row.Site = site.Name
			}
			out.IdleSpaces = append(out.IdleSpaces, row)
		}
	}
	return places, nil
}

// idleKinds are the kinds of spaces that a guest does not share with others.
var idleKinds = []data.Kind{
	data.KindSpace, data.KindProperty, data.KindRoom, data.KindUnit, data.KindFacility, data.KindListing, data.KindPropertyListing,
}
