package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantFilter is the visitor's filter for the list of access grants.
type grantFilter struct {
	Text, From, Until, Space, State string

	SpaceText  string // the name of a space, if Space is not known yet
	Descending bool   // the latest start comes first
}

// pairs returns the names and values of the query parameters of the filter.
func (f grantFilter) pairs() []string {
	return []string{"q", f.Text, "from", f.From, "until", f.Until, "space", f.Space, "space_name", f.SpaceText, "state", f.State, orderParam, order(f.Descending)}
}

// Set reports whether the filter differs from the default.
func (f grantFilter) Set() bool {
	return f != grantFilter{State: f.State, Descending: f.Descending} || f.State != stateOpen
}

// States of the filter in addition to those of a grant. stateArriving and stateDeparting select the grants that begin or
// end in the window of days, which is today by default.
const (
	stateOpen      = "open"
	stateAll       = "all"
	stateArriving  = "arriving"
	stateDeparting = "departing"
)

// maxZone is greater than the difference between the start of a day in any time zone and in UTC.
const maxZone = 26 * time.Hour

// grants returns a page of the access grants that match a filter. The days of the filter are days in each grant's own time
// zone. The query therefore selects a window that contains the days in every zone, and omits the grants that are not in the
// window of their own zone. q is the rest of the query, with the present time.
func (x *exchange) grants(f grantFilter, q data.Query) (portal.Page[data.AccessGrant], error) {
	now := q.Now
	q.Text, q.SpaceKey, q.Descending, q.ByTime = f.Text, f.Space, f.Descending && f.Text == "", true
	var w window
	days := f.days(now, time.UTC)
	if days == nil {
		w = f.window(now, time.Time{}, time.Time{})
	} else {
		w = f.window(now, days.from(time.UTC, -maxZone), days.until(time.UTC, maxZone))
	}
	if w.empty() {
		q.Keys, q.ByTime, w = []string{}, false, window{}
	}
	q.From, q.Until, q.StartsFrom, q.EndsUntil = w.From, w.Until, w.StartsFrom, w.EndsUntil
	if days == nil {
		return x.view.AccessGrants(x.ctx(), q)
	}
	return x.view.AccessGrantsByPlace(x.ctx(), q, func(g data.AccessGrant, p portal.Place) bool {
		zone := x.zone(p)
		days := f.days(now, zone)
		return f.window(now, days.from(zone, 0), days.until(zone, 0)).holds(g)
	})
}

// window bounds times as the fields of [data.Query] of the same names do. A window whose Until is not after its From is
// empty.
type window struct{ From, Until, StartsFrom, EndsUntil time.Time }

// empty reports whether no access grant is in the window.
func (w window) empty() bool {
	return !w.From.IsZero() && !w.Until.IsZero() && !w.Until.After(w.From)
}

// holds reports whether an access grant is in the window.
func (w window) holds(g data.AccessGrant) bool {
	starts, ends := g.StartsAt, g.EndsAt
	return !w.empty() &&
		(w.Until.IsZero() || starts.IsZero() || starts.Before(w.Until)) &&
		(w.From.IsZero() || ends.IsZero() || ends.After(w.From)) &&
		(w.StartsFrom.IsZero() || !starts.IsZero() && !starts.Before(w.StartsFrom)) &&
		(w.EndsUntil.IsZero() || !ends.IsZero() && ends.Before(w.EndsUntil))
}

// dayWindow is a range of days that includes both ends. nil is an open end.
type dayWindow struct{ first, last *wallclock.Day }

// from returns the start of the window in a time zone, plus slack. It returns the zero time for an open end.
func (d dayWindow) from(zone *time.Location, slack time.Duration) time.Time {
	if d.first == nil {
		return time.Time{}
	}
	at := d.first.Start(zone).Add(slack)
	if at.IsZero() {
		at = at.Add(time.Microsecond) // the zero time would be an open end
	}
	return at
}

// until returns the end of the window in a time zone, plus slack. It returns the zero time for an open end.
func (d dayWindow) until(zone *time.Location, slack time.Duration) time.Time {
	if d.last == nil {
		return time.Time{}
	}
	return d.last.Add(1).Start(zone).Add(slack)
}

// days returns the days of the filter, or nil if it has none. zone determines the present day.
func (f grantFilter) days(now time.Time, zone *time.Location) *dayWindow {
	var out dayWindow
	if from, err := wallclock.ParseDay(f.From); err == nil {
		out.first = &from
	}
	if until, err := wallclock.ParseDay(f.Until); err == nil {
		out.last = &until
	}
	if f.State == stateArriving || f.State == stateDeparting {
		if out.first == nil {
			today := wallclock.DayOf(now, zone)
			out.first = &today
		}
		if out.last == nil {
			out.last = out.first
		}
	}
	if out == (dayWindow{}) {
		return nil
	}
	return &out
}

// window returns the part of a window of time that the state of the filter selects.
func (f grantFilter) window(now, from, until time.Time) window {
	w := window{From: from, Until: until}
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	switch f.State {
	case stateArriving:
		if w.empty() {
			return w
		}
		return window{StartsFrom: w.From, Until: w.Until}
	case stateDeparting:
		if w.empty() {
			return w
		}
		return window{From: w.From.Add(-time.Microsecond), EndsUntil: w.Until}
	case stateOpen:
		w.From = later(w.From, now)
	case string(stateCurrent):
		w.From = later(w.From, now)
		if w.Until.IsZero() || w.Until.After(now) {
			w.Until = now.Add(time.Microsecond)
		}
	case string(stateUpcoming):
		w.StartsFrom = now.Add(time.Microsecond)
	case string(stateEnded):
		w.EndsUntil = now.Add(time.Microsecond)
		if w.From.IsZero() {
			w.From = now.Add(-endedWindow)
		}
	}
	return w
}

// chooseSpace replaces the name of a space in a filter with the space. If no space has the name, it adds a fault. If several
// match it, it adds the choices.
func (x *exchange) chooseSpace(f *grantFilter, out *grantsPage) error {
	if !x.can(portal.ActionReadSpaces) {
		return nil
	}
	option := func(page portal.Page[data.Space], s data.Space) spaceOption {
		o := spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind}
		if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
			o.Site = site.Name
		}
		return o
	}
	if f.Space == "" && f.SpaceText != "" {
		// The words also match the spaces in a site with that name, which can be many. The sites come first.
		var found []spaceOption
		for _, kinds := range [][]data.Kind{{data.KindSite}, pickableKinds} {
			page, err := x.view.Spaces(x.ctx(), data.Query{Text: f.SpaceText, Kinds: kinds, Limit: pickerLimit, ByName: true})
			if err != nil {
				return err
			}
			for _, s := range page.Items {
				found = append(found, option(page, s))
			}
		}
		exact := func(o spaceOption) bool { return isExact(f.SpaceText, o.Name, o.Key) }
		exactFirst(found, exact)
		switch {
		case len(found) == 0:
			out.Faults["space_name"] = x.text("grants.nothing")
		case len(found) == 1 || exact(found[0]) && !exact(found[1]):
			f.Space, f.SpaceText = found[0].Key, ""
		default:
			for _, o := range found {
				chosen := *f
				chosen.Space, chosen.SpaceText = o.Key, ""
				out.Choices = append(out.Choices, spaceChoice{o, x.link(pageGrants, chosen.pairs()...)})
			}
		}
	}
	if f.Space != "" {
		page, err := x.view.Spaces(x.ctx(), data.Query{Keys: []string{f.Space}, Limit: 1})
		if err != nil {
			return err
		}
		for _, s := range page.Items {
			o, without := option(page, s), *f
			without.Space = ""
			out.Space, out.Remove = &o, x.link(pageGrants, without.pairs()...)
		}
		if len(page.Items) > 0 {
			return nil
		}
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Limit: pickerLimit, ByName: true})
	if err != nil {
		return err
	}
	for _, s := range page.Items {
		out.Spaces = append(out.Spaces, option(page, s))
	}
	return nil
}
