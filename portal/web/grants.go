package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantRow is an access grant as lists show it.
type grantRow struct {
	Ref          data.Ref
	Name         string // its own, or the guest's, or its key
	Guest        string
	Spaces       []string
	More         int       // spaces beyond those
	Starts, Ends time.Time // in its time zone
	State        grantState
	Zone         string // the name of that, if it is not clear from the list

	zone *time.Location
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
	zone := v.zone(related.Place(g.Ref()))
	out := grantRow{Ref: g.Ref(), Name: g.Name, State: stateOf(g, v.h.db.Now()), zone: zone}
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

// rows returns the rows of a list. Where they are in different time zones each names its.
func (v *visit) rows(page portal.Page[data.AccessGrant]) []grantRow {
	out := make([]grantRow, len(page.Items))
	for i, g := range page.Items {
		out[i] = v.row(g, page.Related)
	}
	nameZones(out)
	return out
}

// grantsPage is the list of access grants.
type grantsPage struct {
	Rows    []grantRow
	Next    string // path of the next page
	Stopped bool   // the page ended before all was searched; Next continues
	First   string // path of the first, where this is not it
	Filter  grantFilter
	Faults  map[string]string // of the filter, by field
	Spaces  []spaceOption
	States  []string
	Guests  []data.UserIdentity // that the search finds
}

const (
	pageLimit   = 50
	endedWindow = 90 * 24 * time.Hour // of what has ended, where no window is given
)

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
	out.Filter, out.Faults = f, map[string]string{}
	for name, day := range map[string]string{"from": f.From, "until": f.Until} {
		if _, err := wallclock.ParseDay(day); day != "" && err != nil {
			out.Faults[name] = v.T("rule.day")
		}
	}
	cursor := asked.Get("cursor")
	var page portal.Page[data.AccessGrant]
	if len(out.Faults) == 0 { // else the list would show what the filter was meant to leave out
		var err error
		if page, err = v.grants(f, pageLimit, cursor); err != nil {
			return err
		}
	}
	out.Rows, out.Stopped = v.rows(page), page.Stopped
	pairs := []string{"q", f.Text, "from", f.From, "until", f.Until, "space", f.Space, "state", f.State}
	if page.Next != "" {
		out.Next = v.Link(pageGrants, append(pairs, "cursor", page.Next)...)
	}
	if cursor != "" {
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
	if out.Spaces, err = v.withSites(pick.Options); err != nil {
		return err
	}
	if f.Text != "" && v.can(portal.ActionReadUserIdentities) {
		guests, err := v.view.UserIdentities(v.ctx(), data.Query{Text: f.Text, Limit: 5})
		if err != nil {
			return err
		}
		out.Guests = guests.Items
	}
	status := http.StatusOK
	if len(out.Faults) > 0 {
		status = http.StatusUnprocessableEntity
	}
	v.render(status, "grants", "nouns."+v.nouns().grant, out)
	return nil
}

// grantPage is one access grant.
type grantPage struct {
	Row     grantRow
	Grant   data.AccessGrant
	Guest   *data.UserIdentity
	Spaces  []data.Space
	Sites   map[string]string // the names of the sites that the spaces lie in
	Zone    string
	Mixed   bool // its spaces are in different time zones
	Nights  int
	Details bool
	Meta    []pair
	History []historyEntry
}

type pair struct {
	Name  string
	Value any
}

const historyLimit = 20

func showGrant(v *visit) error {
	g, related, err := v.view.AccessGrant(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	place := related.Place(g.Ref())
	zone := v.zone(place)
	out := grantPage{Row: v.row(g, related), Grant: g, Sites: map[string]string{}, Zone: zone.String(), Mixed: place.Mixed, Details: v.can(portal.ActionReadHistory)}
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
		page, err := v.view.Spaces(v.ctx(), data.Query{Keys: sites, Limit: 1000})
		if err != nil {
			return err
		}
		for _, s := range page.Items {
			out.Sites[s.Key] = s.Name
		}
	}
	if !g.StartsAt.IsZero() && !g.EndsAt.IsZero() {
		out.Nights = wallclock.Nights(g.StartsAt, g.EndsAt, zone)
	}
	if out.Details {
		for name, value := range g.CustomMetadata {
			out.Meta = append(out.Meta, pair{name, value})
		}
		slices.SortFunc(out.Meta, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
		changes, err := v.view.History(v.ctx(), g.Key, historyLimit)
		if err != nil {
			return err
		}
		for _, c := range changes {
			out.History = append(out.History, v.historyEntry(c, zone))
		}
	}
	v.render(200, "grant", "grant.title", out, "name", out.Row.Name)
	return nil
}

// cancelGrant is the page that cancels an access grant.
var cancelGrant = deletion{
	titleKey: "cancel.title",
	page: func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error) {
		g, related, err := v.view.AccessGrant(v.ctx(), key)
		if err != nil {
			return cancelPage{}, g.Meta, data.DeleteReport{}, err
		}
		report, err := v.view.PlanDelete(v.ctx(), g.Ref())
		out := cancelPage{Name: v.row(g, related).Name, Text: v.T("cancel.grant"), Button: v.T("cancel.grant.button"), Back: v.Link(pageGrant, "key", g.Key)}
		out.Deleted, out.Kept = v.plan(report, g.Ref())
		return out, g.Meta, report, err
	},
	remove: func(v *visit, key string, o portal.WriteOptions) error {
		_, err := v.session.CancelAccessGrant(v.ctx(), key, o)
		return err
	},
	done: func(v *visit) error {
		if v.config().DeepLink != (data.Ref{}) { // the portal went with it
			v.session = nil
			v.fail(200, problem{Key: "cancelled"})
			return nil
		}
		return v.done("cancelled", pageGrants)
	},
}
