package web

import (
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// calendarPage is the content of the page with a table of spaces and days.
type calendarPage struct {
	pager
	Sites          siteSwitch
	From           string // the first day
	Days           []calendarDay
	Earlier, Later string // paths of the pages with the days before and after
	Now            string // path of the page that begins today; "" if this page does
	Free           bool   // the page shows only the spaces that are free on the first day
	All            string // path of the page with all spaces
	CanFilter      bool   // the visitor can choose Free
	Partial        bool   // the portal hides access grants to the spaces that it shows
	Kept           []hiddenInput
	Groups         []calendarGroup
	Empty          string
	CanAdd         bool
}

// calendarDay is a column of the table.
type calendarDay struct {
	Day            wallclock.Day
	Weekday, Label string
	Today          bool
}

// calendarGroup contains the spaces of a site, or those without a site.
type calendarGroup struct {
	Site *data.Space
	Rows []calendarRow
}

// calendarRow is a space. It has a line for each access grant that is on the same days as another one.
type calendarRow struct {
	data.Space
	Lines [][]calendarCell
	More  string // path of the list of all access grants to the space if the table does not show all of them
}

// calendarCell is a cell of the table, which can be several days wide.
type calendarCell struct {
	Span   int
	Bar    *calendarBar // nil without an access grant
	Free   bool
	Path   string // of the form that creates an access grant on the day; "" if the visitor cannot create it
	Label  string // of the link to Path
	Column int
}

// calendarBar is an access grant in the table.
type calendarBar struct {
	grantRow
	Person       string // the guest or, if none is named, the name of the grant
	Before, Past bool   // it begins before the first day, or ends after the last day
	Double       bool   // it is valid at the same time as another access grant to the space
}

const (
	calendarDays   = 14
	calendarRooms  = 50   // per page
	calendarLines  = 3    // per space
	calendarLimit  = 1000 // access grants that are read together
	calendarAlone  = 60   // access grants that are read for one space, if there are more than calendarLimit
	calendarSearch = 4    // pages of spaces that are searched for free ones

	fromParam = "from"
	freeParam = "free"
)

// The first days that a visitor can ask for. Other days are not a year of an input, or have no days after them.
var firstDay, lastDay = wallclock.Day{Year: 1900, Month: time.January, Day: 1}, wallclock.Day{Year: 2999, Month: time.December, Day: 1}

func showCalendar(x *exchange) error {
	if err := x.session.Can(portal.ActionReadAccessGrants); err != nil {
		return err
	}
	asked := x.r.URL.Query()
	config := x.config()
	out := calendarPage{Partial: len(config.Filters) > 0 || x.isDeepLink() || config.LandingPage.Kind.Class() == data.ClassAccessGrant, CanAdd: x.can(portal.ActionCreateAccessGrant)}
	out.CanFilter = !out.Partial
	out.Free = out.CanFilter && asked.Get(freeParam) != ""
	from := asked.Get(fromParam)
	free := ""
	if out.Free {
		free = "1"
		out.Kept = []hiddenInput{{freeParam, free}}
	}
	var err error
	if out.Sites, err = x.siteSwitch(pageCalendar, fromParam, from, freeParam, free); err != nil {
		return err
	}
	c := &calendar{x: x, now: x.h.db.Now(), free: out.Free, canAdd: out.CanAdd, partial: out.Partial, sites: out.Sites}
	if day, err := wallclock.ParseDay(from); err == nil && day.Since(firstDay) >= 0 && lastDay.Since(day) >= 0 {
		c.first = day
	}
	cursor := asked.Get(cursorParam)
	page, err := c.read(cursor)
	if err != nil {
		return err
	}
	out.pager = newPager(x, page, cursorParam, pageCalendar, fromParam, from, freeParam, free)
	if out.Free { // the pages before contain other spaces than the visitor has seen
		out.pager.Range, out.Previous = "", ""
		if cursor != "" {
			out.First = x.link(pageCalendar, fromParam, from, freeParam, free)
		}
	}
	out.pager.Stopped = c.stopped
	to := func(day wallclock.Day) string {
		if day == c.today {
			return x.link(pageCalendar, cursorParam, cursor, freeParam, free)
		}
		return x.link(pageCalendar, fromParam, day.String(), cursorParam, cursor, freeParam, free)
	}
	out.From, out.All = c.first.String(), x.link(pageCalendar, fromParam, from)
	out.Earlier, out.Later = to(c.first.Add(-calendarDays)), to(c.first.Add(calendarDays))
	if c.first != c.today {
		out.Now = to(c.today)
	}
	for i := range calendarDays {
		day := c.first.Add(i)
		at := day.Start(time.UTC)
		out.Days = append(out.Days, calendarDay{day, x.localizer.weekday(at), x.localizer.dayMonth(at), day == c.today})
	}
	out.Groups = c.groups()
	switch {
	case len(c.rows) > 0:
	case out.Free:
		out.Empty = x.text("calendar.none")
	default:
		out.Empty = x.text("spaces.none")
	}
	return x.renderOK("calendar", "nav.calendar", out)
}

// groups returns the rows by site, in the order of the names of the sites.
func (c *calendar) groups() []calendarGroup {
	index := func(key string) int {
		if i := slices.Index(c.sites.keys, key); i >= 0 {
			return i
		}
		return len(c.sites.keys)
	}
	var out []calendarGroup
	bySite := map[string]int{}
	for _, row := range c.rows {
		site, shown := c.rowSites[row.ParentSiteKey]
		i, known := bySite[site.Key]
		if !known {
			i = len(out)
			bySite[site.Key] = i
			out = append(out, calendarGroup{})
			if shown {
				out[i].Site = &site
			}
		}
		out[i].Rows = append(out[i].Rows, row)
	}
	slices.SortStableFunc(out, func(a, b calendarGroup) int {
		switch {
		case a.Site == nil && b.Site == nil:
			return 0
		case a.Site == nil:
			return 1 // spaces without a site come last
		case b.Site == nil:
			return -1
		}
		return index(a.Site.Key) - index(b.Site.Key)
	})
	return out
}
