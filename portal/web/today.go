package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// todayPage is the content of the start page, an overview of the present day for a front desk. It reads a bounded number of
// rows for customers of any size; see today.
type todayPage struct {
	Now       time.Time
	Zone      string // the time zone of Now
	Grants    bool   // the portal shows access grants
	Sites     siteSwitch
	Attention []attention
	Tiles     []tile
	Lists     []todayList
	Counts    []kindCount // in a portal without access grants
}

// tile is a number of the day. It is also a filter: its path leads to the page with the list of what it counts.
type tile struct {
	Figure, Label, Path string
	Chosen              bool // the page shows the list of the tile; the path leads back to the page without filter
}

// attention is something that the front desk should look at.
type attention struct {
	Text   string
	Names  []placeName // the devices, accounts or spaces concerned
	More   int         // the number of further ones
	Path   string      // the list of those concerned
	Listed bool        // Path is shown even if Names contains all
}

// placeName is the name of a device, an account or a space.
type placeName struct {
	Name string
	Path string // of its page, or ""
	Site string // the name of its site if the page shows several sites
}

// todayList is a list of access grants or free spaces on the page.
type todayList struct {
	Title, Empty string
	Rows         []todayRow
	Free         []spaceRow
	All          string // path of the complete list if the page shows only its beginning
}

// todayRow is an access grant in a list of the page.
type todayRow struct {
	grantRow
	Person  string // the guest or, if none is named, the name of the grant
	Site    string
	Code    string    // "" if the portal does not show codes
	Time    time.Time // of the arrival or the departure; zero if the booking has no such time
	WithDay bool      // the row shows the start and the end with their days, instead of Time
	Past    bool      // Time has passed
	Actions []rowAction
}

// rowAction is a link to the page on which the visitor does something with a row.
type rowAction struct{ Label, Path string }

// The filters of the page, which are values of its query parameter "show".
const (
	showParam      = "show"
	showArrivals   = "arrivals"
	showDepartures = "departures"
	showOccupied   = "occupied"
	showFree       = "free"
	showUnassigned = "unassigned"
	showDouble     = "double"
)

const (
	todayRows       = 12  // in a list of the page without filter
	todayRowsChosen = 100 // in the list of a filter
	maxNames        = 3   // of the spaces that need attention
)

func showToday(x *exchange) error {
	if x.session.IsWebview() {
		return x.redirectTo(pageAccounts)
	}
	if x.session.IsGuestLink() {
		return x.redirectTo(pageStay)
	}
	c := x.config()
	if x.isDeepLink() || c.NavigationMode == portal.NavigationRestricted && c.LandingPage != (data.Ref{}) {
		ref, err := x.view.LandingPage(x.ctx())
		if err != nil {
			return err
		}
		if pageOf(ref) != "" {
			x.redirect(x.resourcePath(ref))
			return nil
		}
		return data.ErrResourceNotFound // the resource of the portal was deleted
	}
	out := todayPage{Grants: x.can(portal.ActionReadAccessGrants)}
	var err error
	if out.Sites, err = x.siteSwitch(pageStart, showParam, x.r.URL.Query().Get(showParam)); err != nil {
		return err
	}
	t := &today{x: x, now: x.h.db.Now(), site: out.Sites.Key, siteNames: out.Sites.names, lasting: x.localizer.lasting}
	if out.Grants {
		if err := t.read(); err != nil {
			return err
		}
		t.fill(&out, x.r.URL.Query().Get(showParam))
		if err := t.addCodes(&out); err != nil {
			return err
		}
	} else if err := x.addCounts(&out); err != nil {
		return err
	}
	if err := t.addDeviceAttention(&out); err != nil {
		return err
	}
	zone := x.pageZone()
	switch {
	case out.Sites.Key != "":
		zone = x.zone(out.Sites.place)
	case x.appearance.TimeZone == "": // the present day is that of the places on the page
		zone = x.zone(portal.Place{TimeZone: cmp.Or(commonPlace(t.places).TimeZone, commonPlace(t.roomPlaces).TimeZone)})
	}
	out.Now, out.Zone = t.now.In(zone), zone.String()
	for i := range out.Lists { // the page names its zone once
		for j := range out.Lists[i].Rows {
			if row := &out.Lists[i].Rows[j]; row.Zone == out.Zone {
				row.Zone = ""
			}
		}
	}
	return x.renderOK("today", "nav.start", out)
}

// addCodes adds the states of the codes to the rows. A PIN takes the place of the preferred code.
func (t *today) addCodes(out *todayPage) error {
	var rows []*grantRow
	for i := range out.Lists {
		for j := range out.Lists[i].Rows {
			rows = append(rows, &out.Lists[i].Rows[j].grantRow)
		}
	}
	if err := t.x.addCodes(rows); err != nil {
		return err
	}
	for i := range out.Lists {
		for j := range out.Lists[i].Rows {
			if row := &out.Lists[i].Rows[j]; row.Codes != nil {
				row.Code = row.Codes.PIN
			}
		}
	}
	return nil
}

// addCounts adds the numbers of resources by kind.
func (x *exchange) addCounts(out *todayPage) error {
	counts, err := x.view.Counts()
	if err != nil {
		return err
	}
	for _, kind := range data.Kinds() {
		if n := counts[kind]; n > 0 {
			out.Counts = append(out.Counts, kindCount{x.kindsName(kind), n})
		}
	}
	return nil
}

// fill sets the tiles, what needs attention, and the lists that a filter selects.
func (t *today) fill(out *todayPage, show string) {
	x := t.x
	tile := func(filter, figure, label string) {
		to := tile{Figure: figure, Label: label, Chosen: show == filter, Path: x.link(pageStart, showParam, filter)}
		if to.Chosen {
			to.Path = x.link(pageStart)
		}
		out.Tiles = append(out.Tiles, to)
	}
	tile(showArrivals, t.figure(t.arrivals.due(), t.arrivals.more), x.atLeast("start.tile.arrivals", len(t.arrivals.all), t.arrivals.more))
	tile(showDepartures, t.figure(t.departures.due(), t.departures.more), x.atLeast("start.tile.departures", len(t.departures.all), t.departures.more))
	occupied := t.occupiedSpaces()
	if t.roomTotal >= 0 {
		tile(showOccupied, t.figure(occupied, t.more), x.atLeast("start.tile.occupied", t.roomTotal, false))
	} else {
		tile(showOccupied, t.figure(occupied, t.more), x.text("start.tile.taken"))
	}
	if t.roomTotal >= 0 && !t.more {
		tile(showFree, t.figure(t.roomTotal-occupied, false), x.text("start.tile.free"))
	}
	double, doubleSpaces := t.doubleBooked()
	unassigned := t.unassigned()
	if n := len(unassigned); n > 0 {
		out.Attention = append(out.Attention, attention{Text: x.atLeast("start.unassigned", n, false), Path: x.link(pageStart, showParam, showUnassigned), Listed: true})
	}
	if n := len(doubleSpaces); n > 0 {
		out.Attention = append(out.Attention, attention{
			Text: x.text("start.double.in"), Names: doubleSpaces[:min(n, maxNames)], More: max(0, n-maxNames), Path: x.link(pageStart, showParam, showDouble), Listed: true,
		})
	}
	switch show {
	case showArrivals:
		out.Lists = []todayList{t.list(x.text("start.arrivals"), x.text("start.arrivals.none"), t.arrivals.all, t.arrivals, show)}
	case showDepartures:
		out.Lists = []todayList{t.list(x.text("start.departures"), x.text("start.departures.none"), t.departures.all, t.departures, show)}
	case showOccupied:
		out.Lists = []todayList{t.list(x.text("start.occupied"), x.text("start.occupied.none"), t.occupied, todayGroup{ends: true, withDay: true, more: t.more}, show)}
	case showFree:
		out.Lists = []todayList{t.freeList()}
	case showUnassigned:
		out.Lists = []todayList{t.list(x.text("start.unassigned.title"), x.text("start.attention.none"), unassigned, t.arrivals, show)}
	case showDouble:
		out.Lists = []todayList{t.list(x.text("start.double"), x.text("start.attention.none"), double, todayGroup{ends: true, withDay: true}, show)}
	default:
		out.Lists = []todayList{
			t.list(x.text("start.arrivals.due"), x.text("start.arrivals.over"), t.arrivals.dueItems(), t.arrivals, ""),
			t.list(x.text("start.departures.due"), x.text("start.departures.over"), t.departures.dueItems(), t.departures, ""),
		}
		if len(t.arrivals.all) == 0 {
			out.Lists[0].Empty = x.text("start.arrivals.none")
		}
		if len(t.departures.all) == 0 {
			out.Lists[1].Empty = x.text("start.departures.none")
		}
	}
	var rows [][]grantRow
	for _, l := range out.Lists {
		var of []grantRow
		for _, r := range l.Rows {
			of = append(of, r.grantRow)
		}
		rows = append(rows, of)
	}
	if labelZones(rows...) {
		for i, of := range rows {
			for j, r := range of {
				out.Lists[i].Rows[j].Zone = r.Zone
			}
		}
	}
}

// figure returns a number for a tile, with a plus sign if it is only the number of those that were read.
func (t *today) figure(n int, more bool) string {
	text := t.x.localizer.number(n)
	if more {
		text += "+"
	}
	return text
}

// atLeast returns the text of a key in the plural form for n. The number has a plus sign if there are more than n.
func (x *exchange) atLeast(key string, n int, more bool) string {
	if !more {
		return x.localizer.count(key, n)
	}
	return x.localizer.countText(key, n, x.localizer.number(n)+"+")
}

// list returns a list of grants. show is the filter that selects it; without one the list is short. of has the time that
// the rows show.
func (t *today) list(title, empty string, grants []data.AccessGrant, of todayGroup, show string) todayList {
	x := t.x
	out := todayList{Title: title, Empty: empty}
	limit := todayRows
	if show != "" {
		limit = todayRowsChosen
	}
	for _, g := range grants[:min(limit, len(grants))] {
		out.Rows = append(out.Rows, t.row(g, of))
	}
	switch {
	case show == "" && len(grants) > limit && of.ends:
		out.All = x.link(pageStart, showParam, showDepartures)
	case show == "" && len(grants) > limit:
		out.All = x.link(pageStart, showParam, showArrivals)
	case (len(grants) > limit || of.more) && (show == showArrivals || show == showDepartures || show == showOccupied):
		state := map[string]string{showArrivals: stateArriving, showDepartures: stateDeparting, showOccupied: string(stateCurrent)}[show]
		out.All = x.link(pageGrants, "state", state, "space", t.site)
	}
	return out
}

func (t *today) row(g data.AccessGrant, of todayGroup) todayRow {
	x := t.x
	row := todayRow{grantRow: x.newGrantRow(g, t.related(g)), Code: g.PreferredCode, WithDay: of.withDay}
	row.Person = cmp.Or(row.Guest, row.Name)
	if row.Time = row.Starts; of.ends {
		row.Time = row.Ends
	}
	row.Past = !row.Time.IsZero() && !row.Time.After(t.now)
	if t.site == "" && len(g.Spaces) > 0 {
		if s, shown := t.related(g).Space(g.Spaces[0].Key); shown {
			row.Site = t.siteNames[s.ParentSiteKey]
		}
	}
	if !x.can(portal.ActionEditAccessGrant) {
		return row
	}
	act := func(label, path string) {
		row.Actions = append(row.Actions, rowAction{label, x.link(path, "key", g.Key, returnParam, returnToday)})
	}
	if of.ends && !of.withDay {
		act(x.text("start.late"), pageExtendGrant)
		return row
	}
	act(x.text("start.extend"), pageExtendGrant)
	act(x.text("start.move"), pageMoveGrant)
	return row
}

func (t *today) freeList() todayList {
	out := todayList{Title: t.x.text("start.free"), Empty: t.x.text("start.free.none")}
	taken := t.takenSpaces()
	for _, s := range t.rooms {
		if taken.has(s) {
			continue
		}
		if len(out.Free) == todayRowsChosen {
			out.All = t.x.link(pageSpaces, "view", "all")
			break
		}
		row := spaceRow{Space: s}
		if t.site == "" {
			row.Site = t.siteNames[s.ParentSiteKey]
		}
		out.Free = append(out.Free, row)
	}
	if len(t.rooms) == 0 && t.roomTotal > 0 { // too many spaces to read
		out.Empty, out.All = t.x.text("start.free.long"), t.x.link(pageSpaces, "view", "all")
	}
	return out
}

// idleKinds are the kinds of spaces that a guest does not share with others.
var idleKinds = []data.Kind{
	data.KindSpace, data.KindProperty, data.KindRoom, data.KindUnit, data.KindFacility, data.KindListing, data.KindPropertyListing,
}

// isIdleKind reports whether a space counts as occupied or free.
func isIdleKind(s data.Space) bool { return slices.Contains(idleKinds, s.Kind) }
