package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// today contains the access grants of the present day and the spaces of a portal or of one site. A portal that shows access
// grants also shows spaces. today reads at most
// todayLimit access grants that are valid today, and at most roomLimit spaces. If more access grants are valid today, it
// also reads the first arrivalLimit arrivals and departures, and the numbers are lower bounds.
//
// The day of an access grant is that of its own time zone. Arrivals and departures are known by their times only: an arrival
// is still to come until its time, and a guest is in the house until the time of the departure.
type today struct {
	x         *exchange
	now       time.Time
	site      string            // the key of the chosen site; "" for all sites
	siteNames map[string]string // by key
	lasting   bool              // a space is occupied if somebody has access now, instead of tonight

	arrivals, departures todayGroup
	valid                []data.AccessGrant // valid at some time of the present day
	occupied             []data.AccessGrant // valid tonight or, if lasting is set, now
	more                 bool               // more grants than todayLimit are valid
	rooms                []data.Space
	roomTotal            int // the number of spaces that can be free; -1 if it is not known

	pages      []portal.Related
	relatedTo  map[string]int // the index in pages, by the key of the grant
	places     []portal.Place
	roomPlaces []portal.Place
}

// todayGroup contains the arrivals or the departures of the day.
type todayGroup struct {
	all     []data.AccessGrant // in the order of their times
	more    bool               // there are more
	ends    bool               // the time of a grant is its end
	withDay bool               // the starts and ends can be on other days
	now     time.Time
}

// time returns the time of a grant in the group.
func (p todayGroup) time(g data.AccessGrant) time.Time {
	if p.ends {
		return g.EndsAt
	}
	return g.StartsAt
}

// dueItems returns the grants whose time has not passed.
func (p todayGroup) dueItems() []data.AccessGrant {
	i, _ := slices.BinarySearchFunc(p.all, p.now, func(g data.AccessGrant, now time.Time) int {
		if p.time(g).After(now) {
			return 1
		}
		return -1
	})
	return p.all[i:]
}

func (p todayGroup) due() int { return len(p.dueItems()) }

const (
	todayLimit   = 1000
	arrivalLimit = 500
	roomLimit    = 500
)

// dayOf returns the bounds of the present day in the time zone of a place.
func (t *today) dayOf(place portal.Place) (from, until time.Time) {
	zone := t.x.zone(place)
	day := wallclock.DayOf(t.now, zone)
	return day.Start(zone), day.Add(1).Start(zone)
}

// read reads the grants and the spaces.
func (t *today) read() error {
	t.relatedTo = map[string]int{}
	t.arrivals.now, t.departures.now, t.departures.ends = t.now, t.now, true
	inDay := func(at, from, until time.Time) bool { return !at.IsZero() && !at.Before(from) && at.Before(until) }
	// The present day of every time zone is in this window.
	q := data.Query{SpaceKey: t.site, From: t.now.Add(-maxZone), Until: t.now.Add(maxZone), Limit: todayLimit}
	page, err := t.x.view.AccessGrantsByPlace(t.x.ctx(), q, func(g data.AccessGrant, p portal.Place) bool {
		from, until := t.dayOf(p)
		return (g.StartsAt.IsZero() || g.StartsAt.Before(until)) && (g.EndsAt.IsZero() || !g.EndsAt.Before(from))
	})
	if err != nil {
		return err
	}
	t.more = page.Next != ""
	t.remember(page)
	t.valid = page.Items
	for _, g := range page.Items {
		from, until := t.dayOf(page.Related.Place(g.Ref()))
		if inDay(g.StartsAt, from, until) {
			t.arrivals.all = append(t.arrivals.all, g)
		}
		if inDay(g.EndsAt, from, until) {
			t.departures.all = append(t.departures.all, g)
		}
		if t.lasting {
			until = t.now.Add(time.Microsecond)
		}
		if g.StartsAt.Before(until) && (g.EndsAt.IsZero() || !g.EndsAt.Before(until)) {
			t.occupied = append(t.occupied, g)
		}
	}
	if t.more {
		for state, group := range map[string]*todayGroup{stateArriving: &t.arrivals, stateDeparting: &t.departures} {
			page, err := t.x.grants(grantFilter{State: state, Space: t.site}, data.Query{Now: t.now, Limit: arrivalLimit})
			if err != nil {
				return err
			}
			t.remember(page)
			group.all, group.more = page.Items, page.Next != ""
		}
	}
	for _, group := range []*todayGroup{&t.arrivals, &t.departures} {
		slices.SortStableFunc(group.all, func(a, b data.AccessGrant) int { return group.time(a).Compare(group.time(b)) })
	}
	return t.readRooms()
}

// remember keeps the resources to which the grants of a page refer.
func (t *today) remember(page portal.Page[data.AccessGrant]) {
	for _, g := range page.Items {
		t.relatedTo[g.Key] = len(t.pages)
		t.places = append(t.places, page.Related.Place(g.Ref()))
	}
	t.pages = append(t.pages, page.Related)
}

// related returns the resources to which a grant refers.
func (t *today) related(g data.AccessGrant) portal.Related { return t.pages[t.relatedTo[g.Key]] }

// readRooms reads the spaces that can be free. It does nothing in a portal with filters, which hide some of the grants.
func (t *today) readRooms() error {
	t.roomTotal = -1
	if len(t.x.config().Filters) > 0 {
		return nil
	}
	if t.site == "" {
		counts, err := t.x.view.Counts()
		if err != nil {
			return err
		}
		total := 0
		for _, kind := range idleKinds {
			total += counts[kind]
		}
		if total > roomLimit {
			t.roomTotal = total
			return nil
		}
	}
	page, err := t.x.view.Spaces(t.x.ctx(), data.Query{Kinds: idleKinds, ParentSiteKey: t.site, Limit: roomLimit})
	if err != nil {
		return err
	}
	for _, s := range page.Items {
		t.roomPlaces = append(t.roomPlaces, page.Related.Place(s.Ref()))
	}
	if page.Next == "" && len(page.Items) > 0 {
		t.rooms, t.roomTotal = page.Items, len(page.Items)
	}
	return nil
}

// takenSpaces contains spaces by key. They can be sites that were taken as a whole.
type takenSpaces map[string]bool

func (t takenSpaces) has(s data.Space) bool {
	return t[s.Key] || s.ParentSiteKey != "" && t[s.ParentSiteKey]
}

// takenSpaces returns the spaces of the grants in t.occupied.
func (t *today) takenSpaces() takenSpaces {
	taken := takenSpaces{}
	for _, g := range t.occupied {
		for _, ref := range g.Spaces {
			taken[ref.Key] = taken[ref.Key] || ref.Kind != data.KindSite || portaldata.TakesSite(g, ref.Key)
		}
	}
	return taken
}

// occupiedSpaces returns the number of spaces that are occupied.
func (t *today) occupiedSpaces() int {
	if len(t.rooms) > 0 {
		return lo.CountBy(t.rooms, t.takenSpaces().has)
	}
	counted := map[string]bool{}
	for _, g := range t.occupied {
		for _, ref := range g.Spaces {
			s, shown := t.related(g).Space(ref.Key)
			if shown && isIdleKind(s) && !counted[ref.Key] && (t.site == "" || s.ParentSiteKey == t.site) {
				counted[ref.Key] = true
			}
		}
	}
	return len(counted)
}

// unassigned returns the arrivals that are still to come and have no space. It returns none in a portal with filters, which hide
// spaces.
func (t *today) unassigned() (out []data.AccessGrant) {
	if len(t.x.config().Filters) > 0 {
		return nil
	}
	for _, g := range t.arrivals.dueItems() {
		if len(g.Spaces) == 0 {
			out = append(out, g)
		}
	}
	return out
}

// siteOf returns the name of the site of a space if the page shows several sites; otherwise "".
func (t *today) siteOf(s data.Space) string {
	if t.site != "" || len(t.siteNames) < 2 {
		return ""
	}
	return t.siteNames[s.ParentSiteKey]
}

// doubleBooked returns the grants that are valid at the same time as another grant to the same space, later than now but
// beginning today, and the names of these spaces. It returns none for verticals in which several persons have access to a
// space at the same time.
func (t *today) doubleBooked() (grants []data.AccessGrant, names []placeName) {
	if t.lasting {
		return nil, nil
	}
	bySpace := map[string][]data.AccessGrant{}
	var keys []string
	for _, g := range t.valid {
		if !g.EndsAt.IsZero() && !g.EndsAt.After(t.now) {
			continue
		}
		for _, ref := range g.Spaces {
			if s, shown := t.related(g).Space(ref.Key); !shown || !isIdleKind(s) {
				continue
			}
			if bySpace[ref.Key] == nil {
				keys = append(keys, ref.Key)
			}
			bySpace[ref.Key] = append(bySpace[ref.Key], g)
		}
	}
	listed := map[string]bool{}
	for _, key := range keys {
		of := bySpace[key]
		slices.SortStableFunc(of, func(a, b data.AccessGrant) int { return a.StartsAt.Compare(b.StartsAt) })
		found := false
		for last, i := 0, 1; i < len(of); i++ { // of[last] ends last
			if end := of[last].EndsAt; end.IsZero() || of[i].StartsAt.Before(end) {
				found = true
				for _, g := range []data.AccessGrant{of[last], of[i]} {
					if !listed[g.Key] {
						listed[g.Key] = true
						grants = append(grants, g)
					}
				}
			}
			if end := of[last].EndsAt; !end.IsZero() && (of[i].EndsAt.IsZero() || of[i].EndsAt.After(end)) {
				last = i
			}
		}
		if found {
			s, _ := t.related(of[0]).Space(key)
			names = append(names, placeName{Name: s.Name, Path: t.x.resourcePath(s.Ref()), Site: t.siteOf(s)})
		}
	}
	slices.SortFunc(names, func(a, b placeName) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Site, b.Site))
	})
	return grants, names
}
