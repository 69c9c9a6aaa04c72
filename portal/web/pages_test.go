package web_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

var (
	rowHead = regexp.MustCompile(`<th scope="row">`)
	inline  = regexp.MustCompile(`(?i)<style|<script(?:[^>]*)>[^<]|\sstyle=|\son[a-z]+=|javascript:`)
	fetched = regexp.MustCompile(`(?:src|<link[^>]*href)="([^"]*)"`)
)

// The preview contains each page in each language.
func TestPages_EveryPageOfThePreview_Renders(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{Automations: preview.NewAutomations()}, nil)
	seen, stride := 0, max(race.Slowness(5), testsize.Pick(5, 2, 1))
	for name, link := range f.links {
		if len(link.Pages) == 0 {
			continue
		}
		b := f.newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(link.URL).StatusCode, name)
		for i, path := range link.Pages {
			if (i+len(name))%stride != 0 { // so that the links differ in their pages
				continue
			}
			a := b.follow(b.get(b.home + path))
			want := http.StatusOK
			if strings.Contains(path, "not-there") {
				want = http.StatusNotFound
			}
			require.Equal(t, want, a.StatusCode, "%s: %s\n%s", name, path, f.logs)
			require.NotRegexp(t, inline, withoutAttacks(a.body), "%s: %s", name, path)
			for _, found := range fetched.FindAllStringSubmatch(a.body, -1) {
				require.Regexp(t, `^/(assets|p)/`, found[1], "%s: %s", name, path)
			}
			most := 100_000
			if strings.HasPrefix(path, "calendar") {
				most = 250_000 // up to 700 links to days; see TestPages_LargeCustomer_ReadBoundedRows for the compressed size
			}
			require.Less(t, len(a.body), most, "%s: %s", name, path)
			require.NotContains(t, a.body, "ZgotmplZ", "%s: %s", name, path)
			seen++
		}
	}
	require.Greater(t, seen, 300/stride)
	require.Empty(t, f.logs.String())
}

// withoutAttacks removes the escaped texts of the hostile customer.
func withoutAttacks(body string) string {
	return strings.NewReplacer("onerror=alert", "", "onload=alert", "", "javascript:alert", "").Replace(body)
}

func TestReservation_CreateEditCancel_ChangesTheStore(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		b := f.newBrowser(t)
		b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())

		a := b.post(b.home+"reservations/new", "guest_name", "Grace", "guest_email", "grace@mail.example", "starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00",
			"preferred_code", "1234", "space", "101", "space", "102")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		a = b.follow(a)
		for _, text := range []string{"Grace: the booking has been created.", "Grace", "Room 101", "Room 102", "2 nights", "1234", "Fri, Mar 20, 2026", "3:00 PM"} {
			require.Contains(t, a.body, text)
		}

		edit := b.home + "reservations/edit?key=r1"
		before, err := f.ws().AccessGrant(t.Context(), "r1")
		require.NoError(t, err)
		values := inputValues(b.get(edit).body)
		require.Equal(t, "2026-03-14T16:00", values["starts_at"])
		a = b.post(edit, "name", "Renamed", "starts_at", values["starts_at"], "ends_at", "2026-03-19T11:00", "preferred_code", "", "space", "102")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		require.Contains(t, b.follow(a).body, "Renamed: your changes are saved.")
		after, err := f.ws().AccessGrant(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, "Renamed", after.Name)
		require.Equal(t, before.StartsAt, after.StartsAt)
		require.Equal(t, time.Date(2026, 3, 19, 11, 0, 0, 0, time.UTC), after.EndsAt)
		require.Equal(t, data.Refs(data.KindRoom, "102"), after.Spaces)

		a = b.get(b.home + "reservations/cancel?key=r1")
		require.NotContains(t, a.body, "This is deleted with it")
		_, err = f.ws().AccessGrant(t.Context(), "r1")
		require.NoError(t, err, "looking at the plan cancels nothing")
		require.Contains(t, b.follow(b.post(b.home+"reservations/cancel?key=r1")).body, "Renamed: the booking is cancelled. Access has ended.")
		_, err = f.ws().AccessGrant(t.Context(), "r1")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

func TestReservation_ClearedFields_AreEmptied(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	path := b.home + "reservations/edit?key=r1"
	for _, typed := range [][2]string{{"Anniversary", "4711"}, {"", ""}} {
		a := b.submit(path, withValues(formValues(t, b.get(path)), "name", typed[0], "preferred_code", typed[1]))
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		g, err := f.ws().AccessGrant(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, typed, [2]string{g.Name, g.PreferredCode})
		require.NotEmpty(t, g.Spaces)
	}
}

func TestStaffAndSpaces_AddEditRemove_ChangesTheStore(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		b := f.newBrowser(t)
		b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		ws := f.ws()

		a := b.post(b.home+"staff/new", "name", "Zoe", "email_address", "zoe@mail.example", "space", "101")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		require.Contains(t, b.follow(a).body, "Zoe is on the staff now.")
		require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"staff/new", "name", "").StatusCode)
		require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"staff/edit?key=eve", "name", "").StatusCode)
		require.Equal(t, http.StatusSeeOther, b.post(b.home+"staff/edit?key=eve", "name", "Eva").StatusCode)
		require.Equal(t, http.StatusSeeOther, b.post(b.home+"staff/spaces?key=eve", "space", "102").StatusCode)
		eve, err := ws.UserIdentity(t.Context(), "eve")
		require.NoError(t, err)
		require.Equal(t, "Eva", eve.Name)
		require.Equal(t, data.Refs(data.KindRoom, "102"), eve.Spaces)
		require.Regexp(t, `Room 102</bdi></a> <span class="muted">Room · <bdi[^>]*>Lisbon</bdi></span>`, b.get(b.home+"staff/view?key=eve").body)
		require.Contains(t, b.follow(b.post(b.home+"staff/remove?key=eve")).body, "Eva is no longer on the staff.")

		a = b.post(b.home+"spaces/new", "name", "Pool", "kind", "common_area", "parent_site_key", "lisbon")
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		require.Contains(t, b.follow(a).body, "Pool")
		require.Equal(t, http.StatusSeeOther, b.post(b.home+"spaces/rename?key=101", "name", "Suite").StatusCode)
		require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"spaces/rename?key=101", "name", "").StatusCode)
		require.Equal(t, http.StatusSeeOther, b.post(b.home+"spaces/move?key=101", "parent_site_key", "").StatusCode)
		a = b.post(b.home+"spaces/move?key=101", "parent_site_key", "gone")
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
		require.Contains(t, a.body, `id="e-site">This no longer exists.`)
		space, err := ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.Equal(t, "Suite", space.Name)
		require.Empty(t, space.ParentSiteKey)

		a = b.get(b.home + "spaces/delete?key=lisbon")
		require.Regexp(t, `<dt>Rooms</dt><dd>1</dd>`, a.body)
		require.Contains(t, b.follow(b.post(b.home+"spaces/delete?key=lisbon")).body, "Lisbon has been deleted.")
		_, err = ws.Space(t.Context(), "102")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// No page links to an edit, and every edit is refused.
func TestReadOnlyPortal_Edits_AreNotOffered(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{Automations: preview.NewAutomations()}, nil)
	b := f.newBrowser(t)
	b.open(f.links["readonly"].URL)
	writes := regexp.MustCompile(`/(new|edit|cancel|remove|rename|move|delete|start|device|configure)\b`)
	for _, path := range f.links["readonly"].Pages {
		a := b.get(b.home + path)
		require.NotRegexp(t, writes, a.body, path)
		for _, form := range regexp.MustCompile(`<form method="post"[^>]*>`).FindAllString(a.body, -1) {
			require.Contains(t, form, `class="locale"`, path)
		}
	}
	tried := 0
	for _, path := range f.links["full"].Pages {
		if !writes.MatchString("/" + path) {
			continue
		}
		require.Equal(t, http.StatusForbidden, b.get(b.home+path).StatusCode, path)
		require.Equal(t, http.StatusForbidden, b.post(b.home+path, "name", "x").StatusCode, path)
		tried++
	}
	require.Greater(t, tried, 10)
}

func TestDeepLink_OtherResources_AreHidden(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	b := f.newBrowser(t)
	a := b.open(f.links["deeplink"].URL)
	require.Contains(t, a.body, "Reservation 48203")
	require.NotContains(t, a.body, "<nav")
	for _, path := range []string{"reservations", "guests", "spaces"} {
		require.NotContains(t, b.get(b.home+path).body, "Reservation 48204", path)
	}
	for _, path := range []string{"reservations/view?key=b-0-04", "guests/view?key=g-0-04", "spaces/view?key=chiado-09", "reservations/edit?key=b-0-04"} {
		require.Equal(t, http.StatusNotFound, b.get(b.home+path).StatusCode, path)
	}
	for _, path := range []string{"staff", "reservations/new", "spaces/new"} {
		require.Equal(t, http.StatusForbidden, b.get(b.home+path).StatusCode, path)
	}
	require.Contains(t, b.post(b.home+"reservations/cancel?key=b-0-03").body, "and this link with it")
	require.Equal(t, http.StatusGone, b.get(b.home).StatusCode)
}

// The reads are counted at the interface of the store, so that they are the same on every backend.
func TestPages_LargeCustomer_ReadNoMoreRows(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	rooms := testsize.Pick(30, 55, 80) // and guests
	fewer := 150 * rooms               // more than a page of future grants for every guest and room
	many := testsize.Pick(2, 2, 3) * fewer
	if race.Enabled {
		many = 2 * fewer
	}
	cost := func(n int) map[string][3]int64 {
		f := newFixture(t)
		push := func(yield func(data.Resource, error) bool) {
			for i := range rooms {
				if !yield(data.Room(fmt.Sprintf("room-%03d", i), fmt.Sprintf("Room %d", i)), nil) || !yield(data.Guest(fmt.Sprintf("guest-%03d", i), fmt.Sprintf("Guest %d", i)), nil) {
					return
				}
			}
			begin := f.clock.Now().Add(-time.Duration(n/2) * 10 * time.Minute)
			for i := range n {
				from := begin.Add(time.Duration(i) * 10 * time.Minute)
				g := data.Reservation(fmt.Sprintf("r-%06d", i), data.Ref{Kind: data.KindGuest, Key: fmt.Sprintf("guest-%03d", i%rooms)}, data.Refs(data.KindRoom, fmt.Sprintf("room-%03d", i%rooms))...)
				if !yield(g.During(from, from.Add(16*time.Hour)), nil) {
					return
				}
			}
		}
		_, err := f.ws().Import(context.Background(), "acme", push, data.ImportOptions{BatchSize: 5000})
		require.NoError(t, err)
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
		require.NoError(t, err)
		b := f.newBrowser(t)
		b.open(p.URL.Reveal())
		out := map[string][3]int64{}
		for _, path := range []string{
			"", "reservations", "reservations?state=current", "reservations?state=ended", "reservations?state=upcoming", "reservations?state=all",
			"reservations?space=room-007", "reservations?state=all&order=down", "guests", "guests/view?key=guest-007", "spaces", "spaces?view=all", "spaces?view=all&order=down", "spaces/view?key=room-007",
			"reservations/view?key=r-000500", "reservations/new", "staff",
		} {
			f.store.Reset()
			a := b.get(b.home + path)
			require.Equal(t, http.StatusOK, a.StatusCode, path)
			require.Less(t, len(a.body), 100_000, path)
			out[path] = [3]int64{f.store.Gets.Load() + f.store.Scans.Load(), f.store.Keys.Load(), f.store.Rows.Load()}
		}
		page := b.get(b.home + "reservations")
		require.Equal(t, 50, strings.Count(page.body, `<th scope="row">`))
		next := regexp.MustCompile(`href="([^"]*cursor=[^"]*)"`).FindStringSubmatch(page.body)
		require.NotNil(t, next)
		second := b.get(strings.ReplaceAll(next[1], "&amp;", "&"))
		require.Equal(t, 50, strings.Count(second.body, `<th scope="row">`))
		require.NotEqual(t, page.body, second.body)
		return out
	}
	few, lots := cost(fewer), cost(many)
	for path, n := range few {
		for i, what := range []string{"calls", "keys", "rows"} {
			if what != "calls" && strings.HasPrefix(path, "reservations/view") {
				require.LessOrEqual(t, lots[path][i], int64(2_100)) // the history reads up to 2,000 of the newest commits
				continue
			}
			if strings.Contains(path, "=room-") || strings.Contains(path, "=guest-") {
				require.LessOrEqual(t, lots[path][i], int64(1_400), path) // the list is counted up to 1,000
				continue
			}
			require.LessOrEqual(t, lots[path][i], n[i]+n[i]/10+8, "%q: %s with %d reservations, and with %d: %d", path, what, many, fewer, n[i])
		}
		t.Logf("%-32q %v with %d, %v with %d", path, n, fewer, lots[path], many)
	}
}
