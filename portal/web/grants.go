package web

import (
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// grantRow is an access grant as lists show it.
type grantRow struct {
	Ref          data.Ref
	Name         string // its own, or the guest's, or its key
	Guest        string
	Spaces       []string
	More         int // spaces beyond those
	Starts, Ends time.Time
	State        grantState
}

// grantState is what a grant is at the moment.
type grantState string

const (
	stateUpcoming grantState = "upcoming"
	stateCurrent  grantState = "current"
	stateEnded    grantState = "ended"
)

func stateOf(g data.AccessGrant, now time.Time) grantState {
	switch {
	case !g.EndsAt.IsZero() && !now.Before(g.EndsAt):
		return stateEnded
	case !g.StartsAt.IsZero() && now.Before(g.StartsAt):
		return stateUpcoming
	}
	return stateCurrent
}

// shownSpaces is how many spaces a row names.
const shownSpaces = 3

func (v *visit) row(g data.AccessGrant, related portal.Related) grantRow {
	zone := v.zone(g.Spaces, related)
	out := grantRow{Ref: g.Ref(), Name: g.Name, State: stateOf(g, v.h.o.Now())}
	if !g.StartsAt.IsZero() {
		out.Starts = g.StartsAt.In(zone)
	}
	if !g.EndsAt.IsZero() {
		out.Ends = g.EndsAt.In(zone)
	}
	if u, shown := related.UserIdentity(g.User.Key); shown && g.User.Key != "" {
		out.Guest = u.Name
	}
	if out.Name == "" {
		out.Name = out.Guest
	}
	if out.Name == "" {
		out.Name = g.Key
	}
	for i, ref := range g.Spaces {
		if i == shownSpaces {
			out.More = len(g.Spaces) - i
			break
		}
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s.Name)
		}
	}
	return out
}

func (v *visit) rows(page portal.Page[data.AccessGrant]) []grantRow {
	out := make([]grantRow, len(page.Items))
	for i, g := range page.Items {
		out[i] = v.row(g, page.Related)
	}
	return out
}

// grantsPage is the list of access grants.
type grantsPage struct {
	Rows   []grantRow
	Next   string // path of the next page
	First  string // path of the first, where this is not it
	Filter grantFilter
	Spaces []spaceOption
	States []string
	Guests []data.UserIdentity // that the search finds
}

// grantFilter is what the list was asked for.
type grantFilter struct{ Text, From, Until, Space, State string }

// Set is whether anything was asked for.
func (f grantFilter) Set() bool { return f != grantFilter{State: f.State} || f.State != stateOpen }

// States to ask for beside those of a grant: what has not ended, all, and what begins or
// ends in the window, which is today where none is given.
const (
	stateOpen      = "open"
	stateAll       = "all"
	stateArriving  = "arriving"
	stateDeparting = "departing"
)

// StateName is what a state is called.
func (v *visit) StateName(state string) string {
	switch state {
	case stateArriving:
		return v.T("start.arrivals")
	case stateDeparting:
		return v.T("start.departures")
	}
	return v.T("state." + state)
}

const (
	pageLimit   = 50
	endedWindow = 90 * 24 * time.Hour // of what has ended, where no window is given
)

// query is what the list asks the session for.
func (f grantFilter) query(now time.Time, zone *time.Location) data.Query {
	q := data.Query{Text: f.Text, SpaceKey: f.Space, Limit: pageLimit}
	if from, err := time.ParseInLocation(time.DateOnly, f.From, zone); err == nil {
		q.From = from
	}
	if until, err := time.ParseInLocation(time.DateOnly, f.Until, zone); err == nil {
		q.Until = until.AddDate(0, 0, 1) // the day is part of the window
	}
	if f.State == stateArriving || f.State == stateDeparting {
		if q.From.IsZero() {
			q.From = midnight(now.In(zone))
		}
		if q.Until.IsZero() {
			q.Until = q.From.AddDate(0, 0, 1)
		}
		if f.State == stateArriving {
			return within(q, data.Query{StartsFrom: q.From, Until: q.Until})
		}
		return within(q, data.Query{From: q.From.Add(-time.Microsecond), EndsUntil: q.Until})
	}
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	switch f.State {
	case stateOpen:
		q.From = later(q.From, now)
	case string(stateCurrent):
		q.From = later(q.From, now)
		if q.Until.IsZero() || q.Until.After(now) {
			q.Until = now.Add(time.Microsecond)
		}
	case string(stateUpcoming):
		q.StartsFrom = now.Add(time.Microsecond)
	case string(stateEnded):
		q.EndsUntil = now.Add(time.Microsecond)
		if q.From.IsZero() {
			q.From = now.Add(-endedWindow)
		}
	}
	if !q.Until.IsZero() && !q.Until.After(q.From) { // a window that is none finds nothing
		q.Keys = []string{}
		q.From, q.Until = time.Time{}, time.Time{}
	}
	return q
}

// within is a query with the window of another.
func within(q, window data.Query) data.Query {
	q.From, q.Until, q.StartsFrom, q.EndsUntil = window.From, window.Until, window.StartsFrom, window.EndsUntil
	return q
}

// midnight is when a day began.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

func showGrants(v *visit) error {
	asked := v.r.URL.Query()
	f := grantFilter{
		Text: strings.TrimSpace(asked.Get("q")), From: asked.Get("from"), Until: asked.Get("until"),
		Space: asked.Get("space"), State: asked.Get("state"),
	}
	out := grantsPage{States: []string{stateOpen, string(stateCurrent), string(stateUpcoming), stateArriving, stateDeparting, string(stateEnded), stateAll}}
	if !slices.Contains(out.States, f.State) {
		f.State = stateOpen
	}
	out.Filter = f
	q := f.query(v.h.o.Now(), v.h.o.Location)
	q.Cursor = asked.Get("cursor")
	page, err := v.session.AccessGrants(v.ctx(), q)
	if err != nil {
		return err
	}
	out.Rows = v.rows(page)
	pairs := []string{"q", f.Text, "from", f.From, "until", f.Until, "space", f.Space, "state", f.State}
	if page.Next != "" {
		out.Next = v.Link(pageGrants, append(pairs, "cursor", page.Next)...)
	}
	if q.Cursor != "" {
		out.First = v.Link(pageGrants, pairs...)
	}
	var chosen []string
	if f.Space != "" {
		chosen = []string{f.Space}
	}
	pick, err := v.pick(v.ctx(), chosen, "")
	if err != nil {
		return err
	}
	out.Spaces = pick.Options
	if f.Text != "" && v.can(portal.ActionReadUserIdentities) {
		guests, err := v.session.UserIdentities(v.ctx(), data.Query{Text: f.Text, Limit: 5})
		if err != nil {
			return err
		}
		out.Guests = guests.Items
	}
	return v.show("grants", "nouns."+v.nouns().grant, out)
}

// grantPage is one access grant.
type grantPage struct {
	Row     grantRow
	Grant   data.AccessGrant
	Guest   *data.UserIdentity
	Spaces  []data.Space
	Sites   map[string]string // the names of the sites that the spaces lie in
	Zone    string
	Nights  int
	Details bool
	Meta    []pair
	History []data.FeedChange
}

type pair struct {
	Name  string
	Value any
}

const historyLimit = 20

func showGrant(v *visit) error {
	g, related, err := v.session.AccessGrant(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	zone := v.zone(g.Spaces, related)
	out := grantPage{Row: v.row(g, related), Grant: g, Sites: map[string]string{}, Zone: zone.String(), Details: v.can(portal.ActionReadHistory)}
	if u, shown := related.UserIdentity(g.User.Key); shown {
		out.Guest = &u
	}
	var sites []string
	for _, ref := range g.Spaces {
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s)
			if s.ParentSiteKey != "" {
				sites = append(sites, s.ParentSiteKey)
			}
		}
	}
	if len(sites) > 0 {
		page, err := v.session.Spaces(v.ctx(), data.Query{Keys: sites, Limit: 1000})
		if err != nil {
			return err
		}
		for _, s := range page.Items {
			out.Sites[s.Key] = s.Name
		}
	}
	if !g.StartsAt.IsZero() && !g.EndsAt.IsZero() {
		out.Nights = nights(g.StartsAt.In(zone), g.EndsAt.In(zone))
	}
	if out.Details {
		for name, value := range g.CustomMetadata {
			out.Meta = append(out.Meta, pair{name, value})
		}
		slices.SortFunc(out.Meta, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
		if out.History, err = v.session.History(v.ctx(), g.Key, historyLimit); err != nil {
			return err
		}
	}
	v.render(200, "grant", "grant.title", out, "name", out.Row.Name)
	return nil
}

// nights is how many midnights lie between two times.
func nights(from, until time.Time) int {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(day(until).Sub(day(from)) / (24 * time.Hour))
}
