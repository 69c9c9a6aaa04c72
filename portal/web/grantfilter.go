package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantFilter is the filter that the visitor gave for the list.
type grantFilter struct{ Text, From, Until, Space, State string }

// Set reports whether the visitor gave a filter.
func (f grantFilter) Set() bool { return f != grantFilter{State: f.State} || f.State != stateOpen }

// States to ask for beside those of a grant: what has not ended, all, and what begins or
// ends in the window, which is today where none is given.
const (
	stateOpen      = "open"
	stateAll       = "all"
	stateArriving  = "arriving"
	stateDeparting = "departing"
)

// StateName returns the name of a state.
func (v *visit) StateName(state string) string {
	switch state {
	case stateArriving:
		return v.T("start.arrivals")
	case stateDeparting:
		return v.T("start.departures")
	}
	return v.T("state." + state)
}

// maxZone is more than the difference between the same day in any time zone and in UTC.
const maxZone = 26 * time.Hour

// grants lists what the filter asks for. Days are those of each access grant's own time
// zone, so that the list reads what is in the window anywhere, and leaves out the rest.
func (v *visit) grants(f grantFilter, limit int, cursor string) (portal.Page[data.AccessGrant], error) {
	now := v.h.db.Now()
	q := data.Query{Text: f.Text, SpaceKey: f.Space, Now: now, Limit: limit, Cursor: cursor}
	var w portal.Window
	days := f.days(now, time.UTC)
	if days == nil {
		w = f.window(now, time.Time{}, time.Time{})
	} else {
		w = f.window(now, days.from(time.UTC, -maxZone), days.until(time.UTC, maxZone))
	}
	if w.Empty() {
		q.Keys, w = []string{}, portal.Window{}
	}
	q.From, q.Until, q.StartsFrom, q.EndsUntil = w.From, w.Until, w.StartsFrom, w.EndsUntil
	if days == nil {
		return v.view.AccessGrants(v.ctx(), q)
	}
	return v.view.AccessGrantsByPlace(v.ctx(), q, func(p portal.Place) portal.Window {
		zone := v.zone(p)
		days := f.days(now, zone)
		return f.window(now, days.from(zone, 0), days.until(zone, 0))
	})
}

// dayWindow is a window of days, both of which are in it. nil is an open end.
type dayWindow struct{ first, last *wallclock.Day }

// from returns when the window begins in a time zone, moved by slack; zero if it is open.
func (d dayWindow) from(zone *time.Location, slack time.Duration) time.Time {
	if d.first == nil {
		return time.Time{}
	}
	at := d.first.Start(zone).Add(slack)
	if at.IsZero() {
		at = at.Add(time.Microsecond) // the zero time is an open end
	}
	return at
}

// until returns when the window ends, as from does.
func (d dayWindow) until(zone *time.Location, slack time.Duration) time.Time {
	if d.last == nil {
		return time.Time{}
	}
	return d.last.Add(1).Start(zone).Add(slack)
}

// days returns the days that the filter asks for, or nil if it asks for none. Today is the
// day in a time zone.
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

// window returns the window of the filter's state, within a window of its days.
func (f grantFilter) window(now, from, until time.Time) portal.Window {
	w := portal.Window{From: from, Until: until}
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	switch f.State {
	case stateArriving:
		if w.Empty() {
			return w
		}
		return portal.Window{StartsFrom: w.From, Until: w.Until}
	case stateDeparting:
		if w.Empty() {
			return w
		}
		return portal.Window{From: w.From.Add(-time.Microsecond), EndsUntil: w.Until}
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
