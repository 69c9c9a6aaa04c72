package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// calendar reads the spaces of a page and the access grants to them in a window of days. It reads the access grants of a page of
// spaces with one query, which reads only those in the window. An access grant to a site is one to each space in it.
//
// The days of a space are those of its own time zone. A stay covers the days on whose nights the guest is there, and an access
// grant that is no stay covers all of its days.
type calendar struct {
	x      *exchange
	now    time.Time
	first  wallclock.Day // the zero value is today
	today  wallclock.Day
	sites  siteSwitch
	free   bool // only the spaces that are free on the first day
	canAdd bool

	partial bool // the portal hides access grants, so that a space is not free for certain

	rows     []calendarRow
	rowSites map[string]data.Space // by key
	stopped  bool                  // the search for free spaces reached its limit
}

// calendarSpace is a space with its time zone.
type calendarSpace struct {
	data.Space
	zone *time.Location
}

// read reads the rows. It returns the page of spaces, which for free spaces has the cursor after the last row.
func (c *calendar) read(cursor string) (page portal.Page[data.Space], err error) {
	c.rowSites = map[string]data.Space{}
	if c.free {
		return c.readFree(cursor)
	}
	page, err = readPage(c.x, cursorParam, func(cursor string) (portal.Page[data.Space], error) { return c.spaces(cursor, calendarRooms) })
	if err != nil {
		return page, err
	}
	return page, c.addRows(c.remember(page))
}

// spaces reads a page of spaces.
func (c *calendar) spaces(cursor string, limit int) (portal.Page[data.Space], error) {
	q := data.Query{Kinds: idleKinds, ParentSiteKey: c.sites.Key, ByName: true, Limit: limit, Cursor: cursor}
	if c.sites.Key != "" && !c.free {
		q.CountLimit = countLimit
	}
	return c.x.view.Spaces(c.x.ctx(), q)
}

// readFree reads the rows of spaces that are free on the first day.
func (c *calendar) readFree(cursor string) (page portal.Page[data.Space], err error) {
	var free []calendarSpace
	for i := 0; ; i++ {
		if page, err = c.spaces(cursor, calendarRooms); err != nil {
			return page, err
		}
		all := c.remember(page)
		taken, err := c.stays(all, 1)
		if err != nil {
			return page, err
		}
		for j, s := range all {
			if !c.row(s, taken, 1).isFree() {
				continue
			}
			if len(free) == calendarRooms { // the next page begins here
				if page, err = c.spaces(cursor, j); err != nil {
					return page, err
				}
				return page, c.addRows(free)
			}
			free = append(free, s)
		}
		if page.Next == "" || len(free) == calendarRooms || i+1 == calendarSearch {
			c.stopped = page.Next != "" && len(free) < calendarRooms
			return page, c.addRows(free)
		}
		cursor = page.Next
	}
}

// isFree reports whether the space is free on the first day.
func (r calendarRow) isFree() bool { return r.Lines[0][0].Free }

// remember returns the spaces of a page, and keeps their sites. It decides which day is today.
func (c *calendar) remember(page portal.Page[data.Space]) (out []calendarSpace) {
	if c.today == (wallclock.Day{}) {
		c.setToday(page)
	}
	for _, s := range page.Items {
		out = append(out, calendarSpace{s, c.x.zone(page.Related.Place(s.Ref()))})
		if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
			c.rowSites[site.Key] = site
		}
	}
	return out
}

// addRows adds the rows of spaces.
func (c *calendar) addRows(spaces []calendarSpace) error {
	found, err := c.stays(spaces, calendarDays)
	for _, s := range spaces {
		c.rows = append(c.rows, c.row(s, found, calendarDays))
	}
	return err
}

// setToday sets the present day, which is that of the places of the spaces unless they are in different time zones.
func (c *calendar) setToday(page portal.Page[data.Space]) {
	zone := c.x.pageZone()
	switch {
	case c.sites.Key != "":
		zone = c.x.zone(c.sites.place)
	case c.x.appearance.TimeZone == "":
		zone = c.x.zone(commonPlace(lo.Map(page.Items, func(s data.Space, _ int) portal.Place { return page.Related.Place(s.Ref()) })))
	}
	c.today = wallclock.DayOf(c.now, zone)
	if c.first == (wallclock.Day{}) {
		c.first = c.today
	}
}

// stays contains the access grants in the window, by the key of their space.
type stays struct {
	bySpace map[string][]calendarBar
	more    map[string]bool // spaces of which not all access grants were read
}

// stays reads the access grants to spaces, and to their sites, on a number of days from the first one.
func (c *calendar) stays(spaces []calendarSpace, days int) (stays, error) {
	out := stays{map[string][]calendarBar{}, map[string]bool{}}
	if len(spaces) == 0 {
		return out, nil
	}
	var all []string
	var window data.Query
	for i, s := range spaces {
		all = append(all, s.Key)
		if c.rowSites[s.ParentSiteKey].Key != "" {
			all = append(all, s.ParentSiteKey)
		}
		if start := c.first.Start(s.zone); i == 0 || start.Before(window.From) {
			window.From = start
		}
		if end := c.first.Add(days).Start(s.zone); i == 0 || end.After(window.Until) {
			window.Until = end
		}
	}
	all = lo.Uniq(all)
	read := func(limit int, keys ...string) (more bool, err error) {
		q := window
		q.SpaceKeys, q.Limit = keys, limit
		page, err := c.x.view.AccessGrantOutlines(c.x.ctx(), q)
		if err != nil || page.Next != "" && len(keys) > 1 {
			return page.Next != "", err
		}
		for _, g := range page.Items {
			row := c.x.newGrantRow(g, page.Related)
			bar := calendarBar{grantRow: row, Person: cmp.Or(row.Guest, row.Name)}
			for _, ref := range g.Spaces {
				if slices.Contains(keys, ref.Key) {
					out.bySpace[ref.Key] = append(out.bySpace[ref.Key], bar)
				}
			}
		}
		return page.Next != "", nil
	}
	if more, err := read(calendarLimit, all...); err != nil || !more {
		return out, err
	}
	// Some spaces have very many access grants. They must not hide those of the others.
	for _, key := range all {
		more, err := read(calendarAlone, key)
		if err != nil {
			return out, err
		}
		out.more[key] = more
	}
	return out, nil
}

// row returns the row of a space for a number of days from the first one.
func (c *calendar) row(s calendarSpace, found stays, days int) calendarRow {
	out := calendarRow{Space: s.Space}
	byStart := func(a, b calendarBar) int { return a.Starts.Compare(b.Starts) }
	bars, more := slices.SortedStableFunc(slices.Values(found.bySpace[s.Key]), byStart), found.more[s.Key]
	if !c.x.localizer.lasting {
		markDouble(bars)
	}
	if c.rowSites[s.ParentSiteKey].Key != "" {
		bars, more = append(bars, found.bySpace[s.ParentSiteKey]...), more || found.more[s.ParentSiteKey]
	}
	slices.SortStableFunc(bars, byStart)
	bars = slices.CompactFunc(bars, func(a, b calendarBar) bool { return a.Ref == b.Ref }) // to a space and to its site
	taken := make([]bool, days)
	lines := [][]calendarCell{nil}
	for i := range bars {
		bar := &bars[i]
		from, until := c.columns(bar, s.zone, days)
		if from >= until {
			continue
		}
		for d := from; d < until; d++ {
			taken[d] = true
		}
		line := slices.IndexFunc(lines, func(cells []calendarCell) bool {
			return len(cells) == 0 || cells[len(cells)-1].Column+cells[len(cells)-1].Span <= from
		})
		if line < 0 {
			if len(lines) == calendarLines {
				more = true
				continue
			}
			line = len(lines)
			lines = append(lines, nil)
		}
		lines[line] = append(lines[line], calendarCell{Span: until - from, Bar: bar, Column: from})
	}
	if more {
		out.More = c.x.link(pageGrants, "space", s.Key, "state", stateAll)
	}
	today := wallclock.DayOf(c.now, s.zone)
	for i, bars := range lines {
		var cells []calendarCell
		gap := func(from, until int) {
			for d := from; d < until; d++ {
				switch day := c.first.Add(d); {
				case i == 0 && !taken[d] && !more:
					cell := calendarCell{Span: 1, Column: d}
					if c.canAdd && day.Since(today) >= 0 {
						cell.Path = c.x.link(pageNewGrant, "space", s.Key, fromParam, day.String())
						cell.Label = c.x.text("calendar.book", "name", isolatedPlain(s.Name), "date", c.x.localizer.dayMonth(day.Start(time.UTC)))
					}
					cell.Free = !c.partial || cell.Path != ""
					cells = append(cells, cell)
				case d > from && !cells[len(cells)-1].Free:
					cells[len(cells)-1].Span++
				default:
					cells = append(cells, calendarCell{Span: 1, Column: d})
				}
			}
		}
		at := 0
		for _, cell := range bars {
			gap(at, cell.Column)
			cells = append(cells, cell)
			at = cell.Column + cell.Span
		}
		gap(at, days)
		out.Lines = append(out.Lines, cells)
	}
	return out
}

// columns returns the columns of an access grant, and sets whether it continues outside of them.
func (c *calendar) columns(bar *calendarBar, zone *time.Location, days int) (from, until int) {
	until = days
	if !bar.Starts.IsZero() {
		from = wallclock.DayOf(bar.Starts, zone).Since(c.first)
	}
	if !bar.Ends.IsZero() {
		// A stay ends with the night before the departure. A stay without a night covers its day.
		if end := bar.Ends; c.x.localizer.lasting {
			until = wallclock.DayOf(end.Add(-time.Microsecond), zone).Since(c.first) + 1
		} else {
			until = max(wallclock.DayOf(end, zone).Since(c.first), from+1)
		}
	}
	bar.Before, bar.Past = bar.Starts.IsZero() || from < 0, bar.Ends.IsZero() || until > days
	return max(0, from), min(until, days)
}

// markDouble marks the access grants that are valid at the same time as another one. They are in the order of their starts.
func markDouble(bars []calendarBar) {
	for last, i := 0, 1; i < len(bars); i++ { // bars[last] ends last
		if end := bars[last].Ends; end.IsZero() || bars[i].Starts.Before(end) {
			bars[last].Double, bars[i].Double = true, true
		}
		if end := bars[last].Ends; !end.IsZero() && (bars[i].Ends.IsZero() || bars[i].Ends.After(end)) {
			last = i
		}
	}
}
