package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// accounts is a host's providers, and what was asked of it.
type accounts struct {
	asked []string
	to    string
	err   error
}

func (a *accounts) Providers(_ context.Context, s *portal.Session) ([]web.Provider, error) {
	if s.Portal().CustomerKey != "acme" {
		return nil, errors.New("whose accounts?")
	}
	return []web.Provider{
		{Name: "brivo", Label: "Brivo", Accounts: []web.Account{{ID: "7", Label: "keys@acme.example"}}}, {Name: "salto", Label: "SALTO"}, {Name: "yale", Label: "Yale"},
	}, nil
}

func (a *accounts) Connect(_ context.Context, _ *portal.Session, provider string) (string, error) {
	a.asked = append(a.asked, "connect "+provider)
	return a.to, a.err
}

func (a *accounts) Disconnect(_ context.Context, _ *portal.Session, provider, account string) error {
	a.asked = append(a.asked, "disconnect "+provider+" "+account)
	return a.err
}

// sections opens a portal of a host that offers both sections.
func sections(t *testing.T, a *accounts, features portal.Features) *visitor {
	t.Helper()
	f := setup(t, memory.New(), "https://portal.example", web.Options{Accounts: a, Automations: preview.NewAutomations()})
	v := f.visitor(t)
	v.open(f.portal(t, portal.CreateRequest{Config: portal.Config{Features: features}}).URL.Reveal())
	return v
}

func TestProvidersAreThoseThatThePortalLeaves(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		feature portal.ConnectFeature
		shown   []string
		hidden  []string
	}{
		{portal.ConnectFeature{}, []string{"Brivo", "SALTO", "Yale"}, nil},
		{portal.ConnectFeature{AcceptedProviders: []string{"salto", "other"}}, []string{"SALTO"}, []string{"Brivo", "Yale"}},
		{portal.ConnectFeature{ExcludedProviders: []string{"brivo"}}, []string{"SALTO", "Yale"}, []string{"Brivo"}},
		{portal.ConnectFeature{AcceptedProviders: []string{}}, []string{"There is nothing to connect."}, []string{"Brivo", "SALTO", "Yale"}},
	} {
		a := &accounts{to: "https://provider.example/start?x=1"}
		v := sections(t, a, portal.Features{Connect: row.feature})
		body := v.get(v.home + "connect").body
		for _, text := range row.shown {
			require.Contains(t, body, text)
		}
		for _, text := range row.hidden {
			require.NotContains(t, body, text)
		}
		// What is left out cannot be named either.
		for name, label := range map[string]string{"brivo": "Brivo", "salto": "SALTO", "yale": "Yale"} {
			answer := v.post(v.home+"connect/start", "provider", name)
			if contains(row.shown, label) {
				require.Equal(t, http.StatusOK, answer.StatusCode)
				require.Contains(t, answer.body, `href="https://provider.example/start?x=1" target="_top"`)
			} else {
				require.Equal(t, http.StatusNotFound, answer.StatusCode)
				require.NotContains(t, a.asked, "connect "+name)
			}
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func TestAccountsAreConnectedAndForgotten(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	v := sections(t, a, portal.Features{})
	require.Contains(t, v.follow(v.post(v.home+"connect/start", "provider", "salto")).body, "Connected.")
	forget := v.home + "connect/remove?provider=brivo&account=7"
	require.Contains(t, v.get(forget).body, "keys@acme.example")
	require.Contains(t, v.follow(v.post(forget)).body, "Disconnected.")
	require.Equal(t, []string{"connect salto", "disconnect brivo 7"}, a.asked)
	for _, path := range []string{"connect/remove?provider=brivo&account=8", "connect/remove?provider=nobody&account=7"} {
		require.Equal(t, http.StatusNotFound, v.post(v.home+path).StatusCode, path)
	}
	a.err = fmt.Errorf("%w: not now", web.ErrInvalid)
	require.Equal(t, http.StatusBadRequest, v.post(forget).StatusCode)
	a.err = errors.New("its database is gone")
	answer := v.post(forget)
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
	require.NotContains(t, answer.body, "database")
	a.err = nil
	for _, to := range []string{"http://provider.example", "javascript:alert(1)", "//provider.example", "https://user@provider.example"} {
		a.to = to
		require.Equal(t, http.StatusInternalServerError, v.post(v.home+"connect/start", "provider", "salto").StatusCode, to)
	}
}

func TestSettingsAreThoseThatThePortalAllows(t *testing.T) {
	t.Parallel()
	v := sections(t, &accounts{}, portal.Features{Configure: portal.ConfigureFeature{AllowClimateAutomationRuleCustomization: true}})
	body := v.get(v.home + "configure").body
	require.Contains(t, body, "Eco mode")
	require.NotContains(t, body, "Open before check-in")
	require.NotContains(t, body, "mobile key")
	require.Contains(t, v.follow(v.post(v.home+"configure", "setting:early", "60", "setting:mobile", "true")).body, "saved")
	body = v.get(v.home + "configure").body
	require.NotRegexp(t, `value="true" checked`, body, "a switch that is not sent is off")

	v = sections(t, &accounts{}, portal.Features{Configure: portal.ConfigureFeature{AllowAccessAutomationRuleCustomization: true}})
	require.Equal(t, http.StatusUnprocessableEntity, v.post(v.home+"configure", "setting:early", "61").StatusCode)
	require.Contains(t, v.follow(v.post(v.home+"configure", "setting:early", "60")).body, `<option value="60" translate="no" selected>`)

	v = sections(t, &accounts{}, portal.Features{})
	require.Contains(t, v.get(v.home+"configure").body, "nothing to set")
}

func TestSectionsWithoutAHostAreNotThere(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	v := f.visitor(t)
	a := v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.NotContains(t, a.body, "Connect")
	require.NotContains(t, a.body, "Automations")
	require.Equal(t, http.StatusNotFound, v.get(v.home+"connect").StatusCode)
	require.Equal(t, http.StatusNotFound, v.post(v.home+"connect/start", "provider", "brivo").StatusCode)
	require.Equal(t, http.StatusNotFound, v.get(v.home+"configure").StatusCode)

	v = sections(t, &accounts{}, portal.Features{Connect: portal.ConnectFeature{Exclude: true}, Configure: portal.ConfigureFeature{Exclude: true}})
	require.Equal(t, http.StatusForbidden, v.get(v.home+"connect").StatusCode)
	require.Equal(t, http.StatusForbidden, v.post(v.home+"configure").StatusCode)
}

func TestAVisitorChoosesALanguage(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	open := func(c portal.Config, asks string) (*visitor, answer) {
		v := f.visitor(t)
		v.header.Set("Accept-Language", asks)
		return v, v.open(f.portal(t, portal.CreateRequest{Config: c}).URL.Reveal())
	}
	_, a := open(portal.Config{}, "tlh, de-AT;q=0.9, en;q=0.5")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	_, a = open(portal.Config{}, "tlh")
	require.Contains(t, a.body, `<html lang="en-US">`)
	v, a := open(portal.Config{Locale: "pl-PL"}, "de")
	require.Contains(t, a.body, `<html lang="pl-PL">`, "the portal's own comes before what the browser asks for")
	back := v.post(v.home+"reservations?state=all", "set_locale", "el-GR")
	require.Equal(t, v.home+"reservations?state=all", back.Header.Get("Location"))
	require.Contains(t, v.follow(back).body, `<html lang="el-GR">`)
	v.post(v.home, "set_locale", "../../etc")
	require.Contains(t, v.get(v.home).body, `<html lang="el-GR">`)
	v, a = open(portal.Config{Locale: "fr-FR", ExcludeLocalePicker: true}, "de")
	require.NotContains(t, a.body, "set_locale")
	require.Contains(t, v.follow(v.post(v.home, "set_locale", "el-GR")).body, `<html lang="fr-FR">`)
	v = f.visitor(t)
	v.header.Set("Accept-Language", "it")
	require.Contains(t, v.get("/").body, "Questa pagina non esiste", "where no portal is known the browser's")
}

func TestTimesAreThoseOfTheSpace(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	f := setup(t, memory.New(), "https://portal.example", web.Options{Location: tokyo})
	v := f.visitor(t)
	v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.Contains(t, v.get(v.home+"reservations/view?key=r1").body, "1:00 AM") // 16:00 UTC
	d := data.CustomerData{CustomerKey: "acme"}
	loft := data.PlainSpace("loft", "Loft")
	loft.Details.TimeZone = "America/New_York"
	d.Add(loft, data.Booking("b1", data.Ref{}, loft.Ref()).During(f.clock.now(), f.clock.now().Add(time.Hour)))
	_, err = f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	body := v.get(v.home + "reservations/view?key=b1").body
	require.Contains(t, body, "12:00 PM")
	require.Contains(t, body, "America/New_York")
	edit := v.home + "reservations/edit?key=b1"
	require.Equal(t, "2026-03-14T12:00", valuesOf(v.get(edit).body)["starts_at"])
	require.Equal(t, http.StatusSeeOther, v.post(edit, "starts_at", "2026-03-14T12:00", "ends_at", "2026-03-14T20:00", "space", "loft").StatusCode)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC), g.EndsAt)
}

func TestAReservationForAGuestWhoIsThere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		path := v.home + "reservations/new?guest=ada&space=102"
		a := v.get(path)
		require.Contains(t, a.body, "Ada")
		require.Contains(t, a.body, `value="102" checked`)
		require.NotContains(t, a.body, "guest_name")
		a = v.follow(v.post(path, "space", "102", "starts_at", "2026-03-20T15:00"))
		require.Contains(t, a.body, "Created.")
		require.Contains(t, v.get(v.home+"guests/view?key=ada").body, "Room 102")
		require.Equal(t, http.StatusNotFound, v.get(v.home+"reservations/new?guest=nobody").StatusCode)
		require.Equal(t, http.StatusNotFound, v.get(v.home+"reservations/new?guest=eve").StatusCode, "a staff member is no guest")
	})
}

func TestListsAreAskedByTimeSpaceStateAndText(t *testing.T) {
	t.Parallel()
	f := previewed(t, web.Options{}, nil)
	v := f.visitor(t)
	v.open(f.links["full"].URL)
	count := func(query string) int {
		a := v.get(v.home + "reservations?" + query)
		require.Equal(t, http.StatusOK, a.StatusCode, query)
		return len(rowHead.FindAllString(a.body, -1))
	}
	all, open, current, upcoming, ended := count("state=all"), count(""), count("state=current"), count("state=upcoming"), count("state=ended")
	require.Equal(t, 42, all)
	require.Equal(t, open, current+upcoming)
	require.Equal(t, all, open+ended)
	require.Equal(t, 1, count("state=all&q=b-2-11"))
	require.Equal(t, 2, count("state=all&space=chiado-05"))
	require.Zero(t, count("state=all&from=2030-01-01&until=2030-01-02")-countOpenEnded(count))
	require.Zero(t, count("from=2030-01-02&until=2030-01-01"), "a window that is none")
	require.Equal(t, open, count("state=whatever"), "an unknown state is the default, which the page shows as selected")
	require.Equal(t, http.StatusBadRequest, v.get(v.home+"reservations?cursor=made-up").StatusCode)
	require.Contains(t, v.get(v.home+"reservations?q=Lovelace").body, "Ada Lovelace", "guests are found by name")
}

// countOpenEnded is how many of the preview's bookings never end.
func countOpenEnded(count func(string) int) int {
	return count("state=all&from=2040-01-01&until=2040-01-02")
}

// TestTodayAtAGlance counts what the start page counts, in what was pushed.
func TestTodayAtAGlance(t *testing.T) {
	t.Parallel()
	f := previewed(t, web.Options{}, nil)
	d, err := preview.Workspace(f.portals.DB(), hotel).Export(t.Context(), preview.Customer(hotel))
	require.NoError(t, err)
	now := f.clock.now()
	today := func(at time.Time) bool { return at.Format(time.DateOnly) == now.Format(time.DateOnly) }
	var arrivals, departures, inHouse, idle int
	taken := map[string]bool{}
	for _, g := range d.AccessGrants {
		if today(g.StartsAt) {
			arrivals++
		}
		if today(g.EndsAt) {
			departures++
		}
		if !now.Before(g.StartsAt) && (g.EndsAt.IsZero() || now.Before(g.EndsAt)) {
			inHouse++
			for _, ref := range g.Spaces {
				taken[ref.Key] = true
			}
		}
	}
	for _, s := range d.Spaces {
		if s.Kind == data.KindRoom && !taken[s.Key] {
			idle++
		}
	}
	require.NotZero(t, arrivals*departures*inHouse*idle)
	v := f.visitor(t)
	body := v.open(f.links["full"].URL).body
	for label, n := range map[string]int{"Arrivals": arrivals, "Departures": departures, "In house": inHouse, "Without access": idle} {
		require.Contains(t, body, fmt.Sprintf(`<span class="figure">%d</span> <span>%s</span>`, n, label))
	}
	// Each tile leads to what it counts.
	for state, n := range map[string]int{"current": inHouse, "arriving": arrivals, "departing": departures} {
		require.Contains(t, body, "reservations?state="+state)
		require.Len(t, rowHead.FindAllString(v.get(v.home+"reservations?state="+state).body, -1), n, state)
	}

	// Where filters hide who is there it is not said which spaces are free.
	v = f.visitor(t)
	require.NotContains(t, v.open(f.links["rental"].URL).body, "Without access")
}

// A filter that cannot be read must not show everything, as if there were no filter.
func TestGrants_FilterDayIsNoDay_ShowsTheFault(t *testing.T) {
	t.Parallel()
	_, v, _ := innAt(t, portal.Config{})
	all := v.get(v.home + "reservations?state=all&from=&until=")
	require.Equal(t, http.StatusOK, all.StatusCode)
	require.Contains(t, all.body, "reservations/view?key=b1")
	for _, filter := range []string{"from=xx", "until=2026-02-30", "from=2026-01-01&until=1"} {
		a := v.get(v.home + "reservations?state=all&" + filter)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, filter)
		require.Equal(t, 1, strings.Count(a.body, "Give a day."), filter)
		require.NotContains(t, a.body, "reservations/view?key=b1", filter)
	}
}
