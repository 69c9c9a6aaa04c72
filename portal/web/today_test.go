package web_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

var (
	tileFigure = regexp.MustCompile(`<a class="tile" href="([^"]*)"[^>]*><span class="figure">([^<]*)</span> <span>([^<]*)</span></a>`)
	stayRow    = regexp.MustCompile(`<li><div><a href="[^"]*key=([^"]*)">`)
)

// tiles returns the tiles of the page Today as "31 of 42 occupied tonight".
func tiles(body string) (out []string) {
	for _, found := range tileFigure.FindAllStringSubmatch(body, -1) {
		out = append(out, html.UnescapeString(found[2]+" "+found[3]))
	}
	return out
}

// stays returns the keys of the rows on the page Today.
func stays(body string) (keys []string) {
	for _, found := range stayRow.FindAllStringSubmatch(body, -1) {
		keys = append(keys, found[1])
	}
	return keys
}

// The expected numbers are computed from the pushed data.
func TestToday_Counts_AreThoseOfTheData(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	d, err := preview.Workspace(f.portals.DB(), hotel).Export(t.Context(), preview.Customer(hotel))
	require.NoError(t, err)
	now := f.clock.Now()
	tonight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
	today := func(at time.Time) bool { return at.Format(time.DateOnly) == now.Format(time.DateOnly) }
	for _, site := range []string{"", "chiado", "ribeira"} {
		taken, in := map[string]bool{}, map[string]bool{}
		for _, s := range d.Spaces {
			if s.Kind == data.KindRoom && (site == "" || s.ParentSiteKey == site) {
				in[s.Key] = true
			}
		}
		var arrivals, departures, toCome, inHouse, staying int
		for _, g := range d.AccessGrants {
			if !in[g.Spaces[0].Key] {
				continue
			}
			if today(g.StartsAt) {
				arrivals++
				if g.StartsAt.After(now) {
					toCome++
				}
			}
			if today(g.EndsAt) {
				departures++
				if g.EndsAt.After(now) {
					inHouse++
				}
			}
			if g.StartsAt.Before(tonight) && (g.EndsAt.IsZero() || g.EndsAt.After(tonight)) {
				staying++
				for _, ref := range g.Spaces {
					taken[ref.Key] = true
				}
			}
		}
		if site == "" {
			require.NotZero(t, toCome*(arrivals-toCome)*inHouse*(departures-inHouse))
		}
		b := f.newBrowser(t)
		b.open(f.links["full"].URL)
		body := b.get(b.home + "?site=" + site).body
		plural := func(n int, one, many string) string {
			if n == 1 {
				return one
			}
			return many
		}
		require.Equal(t, []string{
			fmt.Sprintf("%d of %d %s still to come", toCome, arrivals, plural(arrivals, "arrival", "arrivals")),
			fmt.Sprintf("%d of %d %s still in house", inHouse, departures, plural(departures, "departure", "departures")),
			fmt.Sprintf("%d of %d occupied tonight", len(taken), len(in)),
			fmt.Sprintf("%d free tonight", len(in)-len(taken)),
		}, tiles(body), site)
		require.Len(t, stays(body), toCome+inHouse)
		for show, n := range map[string]int{"arrivals": arrivals, "departures": departures, "occupied": staying, "free": len(in) - len(taken)} {
			body := b.get(b.home + "?show=" + show).body
			require.Len(t, stays(body), n, "the tile %s leads to what it counts", show)
			require.Regexp(t, `href="`+b.home+`" aria-current="true"><span class="figure">`, body, "a second click on the tile removes the filter")
		}
	}
}

func TestToday_PortalWithFilters_ShowsNoFreeSpaces(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	b := f.newBrowser(t)
	rental := tiles(b.open(f.links["rental"].URL).body)
	require.Len(t, rental, 3, "filters hide some of the reservations")
	require.Regexp(t, `^\d+ occupied tonight$`, rental[2])
}

// openToday pushes data to a new hotel in Lisbon and opens a portal with a configuration. It is 16:00 on March 14 in Lisbon.
func openToday(t *testing.T, config portal.Config, resources ...data.Resource) (*fixture, *browser) {
	t.Helper()
	f := newFixture(t)
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = hotel
		return nil
	})
	require.NoError(t, err)
	d := data.CustomerData{CustomerKey: "acme", CustomerTimeZone: "Europe/Lisbon"}
	d.Add(data.Room("101", "Room 101"), data.Room("102", "Room 102"), data.Guest("ada", "Ada"))
	d.Add(resources...)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d, Config: config})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	return f, b
}

// atDay returns a booking of rooms between two times, in hours after midnight of March 14.
func atDay(key string, from, until float64, rooms ...string) data.AccessGrant {
	midnight := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	hours := func(h float64) time.Time { return midnight.Add(time.Duration(h * float64(time.Hour))) }
	return data.Booking(key, data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, rooms...)...).During(hours(from), hours(until))
}

func TestToday_UnassignedArrivalsAndDoubleBookings_NeedAttention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		grants     []data.Resource
		unassigned []string
		double     []string
		names      string
	}{
		{name: "nothing"},
		{name: "one after the other", grants: []data.Resource{atDay("a", -24, 18, "101"), atDay("b", 18, 40, "101"), atDay("c", 17, 40, "102")}},
		{name: "an arrival without a room", grants: []data.Resource{atDay("a", 18, 40), atDay("b", 15, 40), atDay("c", 42, 64)}, unassigned: []string{"a"}},
		{name: "a late departure", grants: []data.Resource{atDay("a", -24, 19, "101"), atDay("b", 18, 40, "101")}, double: []string{"a", "b"}, names: "Room 101"},
		{name: "an overlap that is over", grants: []data.Resource{atDay("a", -24, 15, "101"), atDay("b", 14, 40, "101")}},
		{name: "an overlap from tomorrow", grants: []data.Resource{atDay("a", 10, 40, "101"), atDay("b", 30, 40, "101")}},
		{name: "a third that overlaps the longest", grants: []data.Resource{atDay("a", 1, 64, "101"), atDay("b", 2, 17, "101"), atDay("c", 20, 22, "102", "101")}, double: []string{"a", "b", "c"}, names: "Room 101"},
		{name: "a third that overlaps only the second", grants: []data.Resource{atDay("a", 1, 18, "101"), atDay("b", 2, 64, "101"), atDay("c", 20, 22, "101")}, double: []string{"a", "b", "c"}, names: "Room 101"},
		{name: "without an end", grants: []data.Resource{atDay("a", 1, 64, "102"), data.Booking("b", data.Ref{}, data.Refs(data.KindRoom, "101", "102")...), atDay("c", 2, 64, "101")}, double: []string{"b", "c", "a"}, names: "Room 101, Room 102"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, b := openToday(t, portal.Config{}, c.grants...)
			body := b.get(b.home).body
			require.Equal(t, len(c.unassigned)+len(c.double) > 0, strings.Contains(body, "Needs attention"))
			require.Equal(t, len(c.unassigned) > 0, strings.Contains(body, "1 arrival today is not assigned yet"))
			require.Equal(t, c.unassigned, stays(b.get(b.home+"?show=unassigned").body))
			plain := regexp.MustCompile(`<bdi[^>]*>|</bdi>|<a href="[^"]*spaces[^"]*">|</a>`).ReplaceAllString(body, "")
			require.Equal(t, len(c.double) > 0, strings.Contains(plain, "Double-booked today: "+c.names+" <a"))
			require.ElementsMatch(t, c.double, stays(b.get(b.home+"?show=double").body))
		})
	}
}

func TestToday_ManyDoubleBookings_NamesThree(t *testing.T) {
	t.Parallel()
	var all []data.Resource
	for i := range 5 {
		room := fmt.Sprint(200 + i)
		all = append(all, data.Room(room, room), atDay("a"+room, 1, 40, room), atDay("b"+room, 2, 40, room))
	}
	_, b := openToday(t, portal.Config{}, all...)
	require.Regexp(t, `key=200"><bdi[^>]*>200</bdi></a>, .*>201</bdi></a>, .*>202</bdi></a> and 2 more <a`, b.get(b.home).body)
}

func TestToday_Row_ShowsGuestRoomSiteTimeAndCode(t *testing.T) {
	t.Parallel()
	coming := atDay("a", 18.5, 40, "s1")
	coming.PreferredCode, coming.Name = "4167", "Group A"
	sites := []data.Resource{data.Site("s", "Chiado"), data.Site("p", "Porto"), data.Room("s1", "Suite 1").In("s"), coming, atDay("gone", 9, 15, "101"), atDay("staying", -20, 17, "101")}
	_, b := openToday(t, portal.Config{}, sites...)
	body := b.get(b.home).body
	require.Contains(t, body, "Sat, Mar 14, 2026, 4:00 PM</time> <span translate=\"no\">Europe/Lisbon")
	require.Equal(t, []string{"a", "staying"}, stays(body))
	require.Regexp(t, `>Ada</bdi></a> <small><bdi translate="no">Group A</bdi></small>\s*<p class="muted"><bdi translate="no">Suite 1</bdi> · <bdi translate="no">Chiado</bdi> · <time [^>]*>6:30 PM</time>`, body)
	require.Contains(t, body, `<span class="code"><bdi translate="no">4167</bdi></span>`)
	require.Contains(t, body, "check-ins and check-outs are not recorded here", "the page says what it counts")

	passed := b.get(b.home + "?show=departures").body
	require.Equal(t, []string{"gone", "staying"}, stays(passed))
	require.Equal(t, 1, strings.Count(passed, `<span class="chip ended">`))

	require.Regexp(t, `>Sat, Mar 14, 2026, 6:30 PM</time> – <time [^>]*>Sun, Mar 15, 2026, 4:00 PM</time></p>`, b.get(b.home+"?show=occupied").body)
	for label, path := range map[string]string{"Extend": "reservations/extend?key=a&return=today", "Move": "reservations/move?key=a&return=today", "Late check-out": "reservations/extend?key=staying&return=today"} {
		require.Contains(t, body, `href="`+b.home+html.EscapeString(path)+`">`+label+"<")
		require.Equal(t, http.StatusOK, b.get(b.home+path).StatusCode)
	}
	for _, field := range []string{"ends_at", "spaces"} { // a link to the form can name the field that gets the focus
		edit := b.get(b.home + "reservations/edit?key=a&focus=" + field).body
		require.Regexp(t, `id="f-`+field+`"[^>]* autofocus`, edit)
		require.Equal(t, 1, strings.Count(edit, " autofocus"))
	}
	require.NotContains(t, b.get(b.home+"reservations/edit?key=a").body, " autofocus")

	_, b = openToday(t, portal.Config{ReadOnly: true}, sites...)
	require.NotContains(t, b.get(b.home).body, "return=today")
	_, b = openToday(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}}, sites...)
	require.NotContains(t, b.get(b.home).body, "4167")
}

func TestToday_ChosenSite_IsKeptInThePortal(t *testing.T) {
	t.Parallel()
	all := []data.Resource{data.Site("s", "Chiado"), data.Site("p", "Porto"), data.Room("s1", "S 1").In("s"), data.Room("p1", "P 1").In("p"), atDay("lisbon", 18, 40, "s1"), atDay("porto", 19, 40, "p1")}
	f, b := openToday(t, portal.Config{}, all...)
	require.Equal(t, []string{"lisbon", "porto"}, stays(b.get(b.home).body))
	require.Equal(t, []string{"porto"}, stays(b.get(b.home+"?site=p").body))
	b.get(b.home + "reservations")
	body := b.get(b.home).body
	require.Equal(t, []string{"porto"}, stays(body))
	require.Regexp(t, `site=p" aria-current="true"><bdi translate="no">Porto`, body)
	require.Equal(t, "1 of 1 occupied tonight", tiles(body)[2])
	require.Equal(t, []string{"porto"}, stays(b.get(b.home+"?show=arrivals").body))

	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	home := b.home
	require.Equal(t, []string{"lisbon", "porto"}, stays(b.open(p.URL.Reveal()).body), "another portal in the same browser")
	b.home = home
	require.Equal(t, []string{"porto"}, stays(b.get(home).body))
	for _, unknown := range []string{"no-such-site", "101"} {
		require.Equal(t, http.StatusOK, b.get(home+"?site="+unknown).StatusCode)
		require.Equal(t, []string{"lisbon", "porto"}, stays(b.get(home).body), "a site that is not there is no choice")
	}
	b.get(home + "?site=p")
	require.Equal(t, []string{"lisbon", "porto"}, stays(b.get(home+"?site=").body))
	require.Equal(t, []string{"lisbon", "porto"}, stays(b.get(home).body))
}

func TestToday_ManySites_AreInASelect(t *testing.T) {
	t.Parallel()
	var all []data.Resource
	for i := range 7 {
		all = append(all, data.Site(fmt.Sprint("s", i), fmt.Sprint("Site ", i)))
	}
	_, b := openToday(t, portal.Config{}, all...)
	body := b.get(b.home + "?site=s3&show=free").body
	require.Contains(t, body, `<option value="s3" translate="no" selected>Site 3`)
	require.Contains(t, body, `<input type="hidden" name="show" value="free">`)
}

func TestToday_OtherVerticals_HaveTheirWords(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	for name, want := range map[string][]string{
		"rental": {"arrivals still to come", "Late check-out"}, "homes": {"still to start today", "with access now", "without access now", "New lease"},
		"gym": {"still to end today", "New membership"}, "tours": {"Still to start today"}, "neutral": {"agreed start and end times"},
	} {
		b := f.newBrowser(t)
		body := b.open(f.links[name].URL).body
		for _, text := range want {
			require.Contains(t, body, text, name)
		}
		if name != "rental" {
			require.NotContains(t, body, "check-out", name)
			require.NotContains(t, body, "tonight", name)
		}
	}
}

// More bookings are valid today than the page reads.
func TestToday_ManyBookings_CountsAreLowerBounds(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	f, b := openToday(t, portal.Config{})
	_, err := f.ws().Import(t.Context(), "acme", func(yield func(data.Resource, error) bool) {
		for i := range 1200 {
			room := data.Room(fmt.Sprintf("r%04d", i), fmt.Sprint("R ", i))
			if !yield(room, nil) || !yield(atDay(fmt.Sprintf("stay%04d", i), -30, 40, room.Key), nil) || !yield(atDay(fmt.Sprintf("arr%04d", i), 17, 40, room.Key), nil) {
				return
			}
		}
	}, data.ImportOptions{})
	require.NoError(t, err)
	f.store.Reset()
	body := b.get(b.home).body
	t.Logf("%d keys and %d rows", f.store.Keys.Load(), f.store.Rows.Load())
	require.LessOrEqual(t, f.store.Keys.Load()+f.store.Rows.Load(), int64(15_000))
	require.Equal(t, []string{"500+ of 500+ arrivals still to come", "0 of 0 departures still in house", "1,000+ of 1,202 occupied tonight"}, tiles(body))
	require.Contains(t, body, "?show=arrivals")
	rows := stays(b.get(b.home + "?show=arrivals").body)
	require.Len(t, rows, 100)
	require.Contains(t, b.get(b.home+"?show=arrivals").body, "reservations?state=arriving")
	require.Contains(t, b.get(b.home+"?show=free").body, "Choose a site first")
}
