package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// grantRow is an access grant in a list.
type grantRow struct {
	Ref          data.Ref
	Name         string // the grant's name, or else the guest's, or else the key of the grant
	Guest        string
	Spaces       []string
	More         int       // the number of spaces that are not listed
	Starts, Ends time.Time // in the time zone of the grant
	State        grantState
	Zone         string     // the name of the time zone; "" unless the list has several
	Codes        *codeBadge // nil if there are no codes or the list does not show them

	zone *time.Location
}

// grantState is the state of a grant, or of the time of a staff member, at the present time.
type grantState string

const (
	stateUpcoming grantState = "upcoming"
	stateCurrent  grantState = "current"
	stateEnded    grantState = "ended"
)

func stateOf(starts, ends, now time.Time) grantState {
	switch {
	case !ends.IsZero() && !now.Before(ends):
		return stateEnded
	case !starts.IsZero() && now.Before(starts):
		return stateUpcoming
	}
	return stateCurrent
}

// maxRowSpaces is the number of spaces that a row lists.
const maxRowSpaces = 3

func (x *exchange) newGrantRow(g data.AccessGrant, related portal.Related) grantRow {
	zone := x.zone(related.Place(g.Ref()))
	out := grantRow{Ref: g.Ref(), Name: g.Name, State: stateOf(g.StartsAt, g.EndsAt, x.h.db.Now()), zone: zone}
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
		if i == maxRowSpaces {
			out.More = len(g.Spaces) - i
			break
		}
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s.Name)
		}
	}
	return out
}

// newGrantRows returns the rows of a list. If they are in different time zones, each row names its zone.
func (x *exchange) newGrantRows(page portal.Page[data.AccessGrant]) []grantRow {
	out := make([]grantRow, len(page.Items))
	for i, g := range page.Items {
		out[i] = x.newGrantRow(g, page.Related)
	}
	labelZones(out)
	return out
}

// grantsPage is the content of the list of access grants.
type grantsPage struct {
	pager
	Rows    []grantRow
	Filter  grantFilter
	Faults  map[string]string // faults of the filter, by field
	Space   *spaceOption      // the space of the filter
	Remove  string            // path of the list without the filter by space
	Choices []spaceChoice     // spaces to choose from, because several match the filter
	Spaces  []spaceOption     // suggestions for the filter by space
	States  []string
	Guests  []data.UserIdentity // guests that match the search text
}

// spaceChoice is a link to a list that is filtered by a space.
type spaceChoice struct {
	spaceOption
	Path string
}

const (
	endedWindow = 90 * 24 * time.Hour // how far back ended grants are listed without a filter by days
	maxAge      = time.Hour           // how long the pages of a list use the time of the first page
)

func showGrants(x *exchange) error {
	asked := x.r.URL.Query()
	f := grantFilter{
		Text: strings.TrimSpace(asked.Get("q")), From: asked.Get("from"), Until: asked.Get("until"),
		Space: asked.Get("space"), SpaceText: strings.TrimSpace(asked.Get("space_name")), State: asked.Get("state"), Descending: x.descending(),
	}
	out := grantsPage{States: []string{stateOpen, string(stateCurrent), string(stateUpcoming), stateArriving, stateDeparting, string(stateEnded), stateAll}}
	if !slices.Contains(out.States, f.State) {
		f.State = stateOpen
	}
	out.Faults = map[string]string{}
	for name, day := range map[string]string{"from": f.From, "until": f.Until} {
		if _, err := wallclock.ParseDay(day); day != "" && err != nil {
			out.Faults[name] = x.text("rule.day")
		}
	}
	if err := x.chooseSpace(&f, &out); err != nil {
		return err
	}
	out.Filter = f
	// The pages of a list use the time of the first page, so that a booking that ends meanwhile does not move the others.
	now := x.h.db.Now().Truncate(time.Second)
	if at, err := strconv.ParseInt(asked.Get("at"), 10, 64); err == nil && asked.Has(cursorParam) && !now.Before(time.Unix(at, 0)) && now.Sub(time.Unix(at, 0)) < maxAge {
		now = time.Unix(at, 0)
	}
	pairs := f.pairs()
	if len(out.Faults)+len(out.Choices) == 0 { // with an invalid filter, the list would be unfiltered
		page, err := readPage(x, cursorParam, func(cursor string) (portal.Page[data.AccessGrant], error) {
			return x.grants(f, data.Query{Now: now, Limit: pageLimit, CountLimit: countLimit, Cursor: cursor})
		})
		if err != nil {
			return err
		}
		out.Rows = x.newGrantRows(page)
		if err := x.addCodes(pointers(out.Rows)); err != nil {
			return err
		}
		out.pager = newPager(x, page, cursorParam, pageGrants, append(pairs, "at", strconv.FormatInt(now.Unix(), 10))...)
		if f.Text == "" && len(out.Rows) > 1 {
			reversed := f
			reversed.Descending = false
			out.reversible(x, f.Descending, pageGrants, reversed.pairs()...)
		}
	}
	if f.Text != "" && x.can(portal.ActionReadUserIdentities) {
		guests, err := x.view.UserIdentities(x.ctx(), data.Query{Text: f.Text, Limit: 5, ByName: true})
		if err != nil {
			return err
		}
		out.Guests = guests.Items
	}
	status := http.StatusOK
	if len(out.Faults) > 0 {
		status = http.StatusUnprocessableEntity
	}
	x.render(status, "grants", "nouns."+x.nouns().grant, out)
	return nil
}

// grantPage is the content of the page of an access grant.
type grantPage struct {
	Row     grantRow
	Grant   data.AccessGrant
	Guest   *data.UserIdentity
	Spaces  []data.Space
	Sites   map[string]string // names of the sites of the spaces, by key
	Zone    string
	Mixed   bool // the spaces are in different time zones
	Nights  int
	Details bool
	Codes   *codesCard // nil if the portal does not show codes
	Steps   *steps     // nil if the portal does not allow edits
	Shares  bool       // a guest link can be created
	Meta    []metadataEntry
	History []historyEntry
}

type metadataEntry struct {
	Name  string
	Value any
}

const historyLimit = 20

func showGrant(x *exchange) error {
	g, related, err := x.view.AccessGrant(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	place := related.Place(g.Ref())
	zone := x.zone(place)
	out := grantPage{Row: x.newGrantRow(g, related), Grant: g, Zone: zone.String(), Mixed: place.Mixed, Details: x.can(portal.ActionReadHistory)}
	if u, shown := related.UserIdentity(g.User.Key); shown {
		out.Guest = &u
	}
	for _, ref := range g.Spaces {
		if s, shown := related.Space(ref.Key); shown {
			out.Spaces = append(out.Spaces, s)
		}
	}
	if out.Sites, err = x.siteNames(out.Spaces); err != nil {
		return err
	}
	if !g.StartsAt.IsZero() && !g.EndsAt.IsZero() {
		out.Nights = wallclock.Nights(g.StartsAt, g.EndsAt, zone)
	}
	out.Steps, out.Shares = x.steps(g, out.Row), x.sharesStay(out.Row)
	if out.Codes, err = x.codesOf(g.Ref(), out.Row.State == stateEnded, zone); err != nil {
		return err
	}
	if out.Details {
		for name, value := range g.CustomMetadata {
			out.Meta = append(out.Meta, metadataEntry{name, value})
		}
		slices.SortFunc(out.Meta, func(a, b metadataEntry) int { return strings.Compare(a.Name, b.Name) })
		changes, err := x.view.History(x.ctx(), g.Key, historyLimit)
		if err != nil {
			return err
		}
		for _, c := range changes {
			out.History = append(out.History, x.historyEntry(c, zone))
		}
	}
	x.render(200, "grant", "grant.title", out, "name", out.Row.Name)
	return nil
}

// cancelGrant is the page that cancels an access grant.
var cancelGrant = deletion{
	titleKey: "cancel.title.",
	load: func(x *exchange, key string) (deletePage, data.Meta, data.DeleteReport, error) {
		g, related, err := x.view.AccessGrant(x.ctx(), key)
		if err != nil {
			return deletePage{}, g.Meta, data.DeleteReport{}, err
		}
		report, err := x.view.PlanDelete(x.ctx(), g.Ref())
		row := x.newGrantRow(g, related)
		out := deletePage{Name: row.Name, Affected: x.affectedByGrant(row), Text: x.text("cancel.grant"), Button: x.text("cancel.grant.button"), Back: x.link(pageGrant, "key", g.Key)}
		out.Deleted, out.Kept = x.countPlan(report, g.Ref())
		return out, g.Meta, report, err
	},
	remove: func(x *exchange, key string, o portal.WriteOptions) error {
		_, err := x.session.CancelAccessGrant(x.ctx(), key, o)
		return err
	},
	done: func(x *exchange, key, name string) error {
		if x.isDeepLink() { // the portal is deleted with its only resource
			x.session, x.shutPortal = nil, x.session.Portal()
			x.showProblem(200, problem{Key: "cancelled"})
			return nil
		}
		return x.redirectWithUndo(x.grantNotice("done.cancelled.", name), undo{Action: undoCancel, Key: key, At: x.h.db.Now(), Name: name}, pageGrants)
	},
}
