package web_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
)

var (
	calendarTR   = regexp.MustCompile(`(?s)<tr(?: class="site")?>(.*?)</tr>`)
	calendarTH   = regexp.MustCompile(`(?s)<th scope="(?:row|rowgroup)"[^>]*><a [^>]*><bdi[^>]*>([^<]*)</bdi></a>(.*?)</th>`)
	calendarTD   = regexp.MustCompile(`(?s)<td(?: colspan="(\d+)")?>(.*?)</td>`)
	calendarStay = regexp.MustCompile(`^<a class="bar-stay [^>]*>(<span class="mark-double">.*?</span></span>)?<bdi[^>]*>([^<]*)</bdi>`)
)

// calendarLines returns the rows of the page Calendar. In a row, "." is a free day that leads to the form, "o" a free day that
// does not, "-" a day without content, and "3 Ada" a booking of three days. "!" marks a double booking.
func calendarLines(t *testing.T, body string) (out []string) {
	t.Helper()
	for _, tr := range calendarTR.FindAllStringSubmatch(body, -1) {
		line := "+"
		if th := calendarTH.FindStringSubmatch(tr[1]); th != nil {
			line = html.UnescapeString(th[1])
			if strings.Contains(th[2], `class="all"`) {
				line += " (more)"
			}
		} else if !strings.Contains(tr[1], "<td") {
			continue // the head
		}
		line += ":"
		days := 0
		for _, td := range calendarTD.FindAllStringSubmatch(tr[1], -1) {
			span := 1
			if td[1] != "" {
				span, _ = strconv.Atoi(td[1])
			}
			days += span
			stay := calendarStay.FindStringSubmatch(td[2])
			switch {
			case stay != nil && stay[1] != "":
				line += fmt.Sprintf(" %d %s!", span, html.UnescapeString(stay[2]))
			case stay != nil:
				line += fmt.Sprintf(" %d %s", span, html.UnescapeString(stay[2]))
			case strings.Contains(td[2], `class="free"`):
				line += "."
			case strings.Contains(td[2], ">Free<"):
				line += "o"
			default:
				require.Empty(t, td[2])
				line += strings.Repeat("-", span)
			}
		}
		if strings.Contains(tr[1], "<td") && !strings.Contains(tr[1], "rowspan") && line[0] != '+' {
			require.Equal(t, 14, days, line)
		}
		out = append(out, line)
	}
	return out
}

func named(g data.AccessGrant, name string) data.AccessGrant {
	g.User, g.Name = data.Ref{}, name
	return g
}

// It is Saturday, March 14, 16:00.
func TestCalendar_Stays_CoverTheirNights(t *testing.T) {
	t.Parallel()
	_, b := openToday(t, portal.Config{},
		named(atDay("long", -200*24, 35, "101"), "Long"), // leaves on March 15
		named(atDay("next", 39, 83, "101"), "Next"),      // arrives on that day
		named(atDay("short", 10, 12, "102"), "Short"),    // only today
		named(atDay("later", 14*24+15, 15*24, "102"), "Later"),
		named(atDay("gone", -48, 9, "102"), "Gone"),
		data.Booking("open", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "103")...), data.Room("103", "Room 103"),
	)
	body := b.get(b.home + "calendar").body
	require.Equal(t, []string{"Room 101: 1 Long 2 Next...........", "Room 102: 1 Short.............", "Room 103: 14 Ada"}, calendarLines(t, body))
	require.Contains(t, body, `<th scope="col" class="now" aria-current="date"><time datetime="2026-03-14"><small>Sat</small> Mar 14</time></th>`)
	require.Contains(t, body, `href="`+b.home+`reservations/new?from=2026-03-17&amp;space=101" aria-label="Room 101 is free on Mar 17. Book it"`)
	require.Contains(t, body, `<a class="bar-stay current before" href="`+b.home+`reservations/view?key=long"`)

	// Days before today are not offered.
	body = b.get(b.home + "calendar?from=2026-03-12").body
	require.Equal(t, []string{"Room 101: 3 Long 2 Next.........", "Room 102: 2 Gone 1 Short...........", "Room 103: 14 Ada"}, calendarLines(t, body))
	require.Equal(t, "Room 102:oooooooooooo 2 Gone", calendarLines(t, b.get(b.home+"calendar?from=2026-02-28").body)[1])
	require.Contains(t, b.get(b.home+"calendar?from=2026-02-28").body, `href="`+b.home+`calendar" rel="next"`, "the days after these begin today")
	for _, unknown := range []string{"?from=x", "?from=0001-01-01", "?from=9999-12-31"} {
		require.Contains(t, b.get(b.home+"calendar"+unknown).body, `aria-current="date"`, unknown)
	}
}

func TestCalendar_SeveralStaysOnADay_HaveLinesOfTheirOwn(t *testing.T) {
	t.Parallel()
	_, b := openToday(t, portal.Config{},
		named(atDay("a", 15, 60, "101"), "A"), named(atDay("b", 30, 84, "101", "102"), "B"), named(atDay("c", 84, 110, "101"), "C"),
		named(atDay("day", 9, 12, "102"), "Day"), named(atDay("night", 15, 35, "102"), "Night"),
	)
	require.Equal(t, []string{"Room 101: 2 A!- 1 C..........", "+:- 2 B!-----------", "Room 102: 1 Day 2 B...........", "+: 1 Night!-------------"}[:2], calendarLines(t, b.get(b.home+"calendar").body)[:2])
	require.Equal(t, []string{"Room 102: 1 Day 2 B!...........", "+: 1 Night!-------------"}, calendarLines(t, b.get(b.home+"calendar").body)[2:])
}

func TestCalendar_ManyStaysInOneSpace_DoNotHideOthers(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	var all []data.Resource
	for i := range 1100 {
		all = append(all, named(atDay(fmt.Sprintf("a%04d", i), float64(i)/10, float64(i)/10+0.1, "101"), "A"))
	}
	f, b := openToday(t, portal.Config{}, append(all, named(atDay("b", 200, 250, "102"), "B"))...)
	f.store.Reset()
	lines := calendarLines(t, b.get(b.home+"calendar").body)
	require.LessOrEqual(t, f.store.Keys.Load()+f.store.Rows.Load(), int64(6_000))
	require.Equal(t, "Room 101 (more)", strings.Split(lines[0], ":")[0])
	require.NotContains(t, lines[0], ".", "a day whose bookings were not read is not offered")
	require.Equal(t, "Room 102:........ 2 B....", lines[len(lines)-1])
}

func TestCalendar_Sites_GroupTheirRooms(t *testing.T) {
	t.Parallel()
	_, b := openToday(t, portal.Config{},
		data.Site("p", "Porto"), data.Site("l", "Lisbon"), data.Room("p1", "101").In("p"), data.Room("l1", "102").In("l"), data.Room("p2", "1001").In("p"), data.Room("l2", "103").In("l"),
		data.CommonArea("pool", "Pool").In("l"),
		data.Booking("all", data.Ref{}, data.Ref{Kind: data.KindSite, Key: "l"}).During(f0(2), f0(4)), named(atDay("a", 49, 75, "l1"), "A"),
	)
	require.Equal(t, []string{
		"Lisbon:", "102:.. 2 all..........", "+:-- 1 A-----------", "103:.. 2 all..........", "Porto:", "101:..............", "1001:..............",
		"Room 101:..............", "Room 102:..............",
	}, calendarLines(t, b.get(b.home+"calendar").body), "spaces without a site come last")
	require.Equal(t, []string{"Porto:", "101:..............", "1001:.............."}, calendarLines(t, b.get(b.home+"calendar?site=p&from=2026-03-14").body))
	require.Len(t, calendarLines(t, b.get(b.home+"calendar").body), 3, "the browser keeps the site")
	require.Contains(t, b.get(b.home+"calendar?from=2026-03-20&free=1").body, `calendar?free=1&amp;from=2026-03-20&amp;site=l"`, "a choice of a site keeps the days")
}

// f0 returns midnight of the day that is n days after March 14.
func f0(n int) time.Time { return time.Date(2026, 3, 14+n, 0, 0, 0, 0, time.UTC) }

func TestCalendar_FreeOnly_ShowsSpacesThatAreFreeOnTheFirstDay(t *testing.T) {
	t.Parallel()
	var all []data.Resource
	for i := range 180 {
		room := data.Room(fmt.Sprintf("r%03d", i), fmt.Sprintf("Suite %d", i+1))
		all = append(all, room)
		if i%2 == 0 {
			all = append(all, atDay("stay"+room.Key, 15, 35, room.Key))
		}
	}
	_, b := openToday(t, portal.Config{}, all...)
	path := b.home + "calendar?free=1"
	var found []string
	for pages := 0; path != ""; pages++ {
		body := b.get(path).body
		lines := calendarLines(t, body)
		require.LessOrEqual(t, len(lines), 50)
		require.Less(t, pages, 4)
		found = append(found, lines...)
		path = ""
		if next := regexp.MustCompile(`<a class="button" href="([^"]*)" rel="next"`).FindStringSubmatch(body); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	require.Len(t, found, 92)
	require.Equal(t, "Room 101:..............", found[0])
	for i, line := range found[2:] {
		require.Equal(t, fmt.Sprintf("Suite %d:..............", 2*i+2), line)
	}
	require.Len(t, calendarLines(t, b.get(b.home+"calendar?free=1&from=2026-03-15").body), 50)
	// Almost everything is taken.
	all = nil
	for i := range 300 {
		room := fmt.Sprintf("r%03d", i)
		all = append(all, data.Room(room, room), atDay("stay"+room, 15, 35, room))
	}
	_, b = openToday(t, portal.Config{}, append(all, atDay("x", 15, 35, "101", "102"))...)
	body := b.get(b.home + "calendar?free=1").body
	require.Contains(t, body, "Nothing is free on this day.")
	require.Contains(t, body, "The search continues on the next page.")
}

func TestCalendar_Pages_HaveFiftySpaces(t *testing.T) {
	t.Parallel()
	var all []data.Resource
	for i := range 118 {
		all = append(all, data.Room(fmt.Sprint("s", i), fmt.Sprint("Suite ", i+1)))
	}
	_, b := openToday(t, portal.Config{}, all...)
	body := b.get(b.home + "calendar?from=2026-04-01").body
	require.Len(t, calendarLines(t, body), 50)
	require.Contains(t, body, "1–50 of 120")
	next := html.UnescapeString(regexp.MustCompile(`href="([^"]*)" rel="next">Next page`).FindStringSubmatch(body)[1])
	second := b.get(next).body
	require.Equal(t, "Suite 49:..............", calendarLines(t, second)[0])
	later := html.UnescapeString(regexp.MustCompile(`href="([^"]*)" rel="next">Later days`).FindStringSubmatch(second)[1])
	require.Contains(t, later, "from=2026-04-15")
	require.Equal(t, "Suite 49:..............", calendarLines(t, b.get(later).body)[0], "other days of the same spaces")
}

func TestCalendar_Permissions(t *testing.T) {
	t.Parallel()
	taken := []data.Resource{atDay("a", 15, 35, "101"), data.Room("103", "Room 103")}
	_, b := openToday(t, portal.Config{ReadOnly: true}, taken...)
	body := b.get(b.home + "calendar").body
	require.Equal(t, "Room 101: 1 Adaooooooooooooo", calendarLines(t, body)[0])
	require.NotContains(t, body, "reservations/new")

	_, b = openToday(t, portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: data.Ref{Kind: data.KindRoom, Key: "101"}}, taken...)
	require.Equal(t, []string{"Room 101: 1 Ada............."}, calendarLines(t, b.get(b.home+"calendar").body))

	hidden := data.Reservation("r", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).During(f0(0), f0(9))
	_, b = openToday(t, portal.Config{Filters: []portal.Filter{{Field: "owner", Value: "Rui"}}}, data.Room("103", "Room 103"), hidden)
	body = b.get(b.home + "calendar?free=1").body
	require.Contains(t, body, "This portal does not show everything.")
	require.NotContains(t, body, "Free on this day")
	require.NotContains(t, body, ">Ada<", "the filter hides the booking")

	_, b = openToday(t, portal.Config{DeepLink: data.Ref{Kind: data.KindReservation, Key: "r"}, IsEmbedded: true, NavigationMode: portal.NavigationRestricted}, append(taken, hidden)...)
	require.Equal(t, []string{"Room 101: 9 Ada-----"}, calendarLines(t, b.get(b.home+"calendar").body), "a deep link shows nothing else")

	_, b = openToday(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}}, taken...)
	require.Equal(t, http.StatusForbidden, b.get(b.home+"calendar").StatusCode)
	require.NotContains(t, b.get(b.home).body, "Calendar")
}

// The days of a room are those of its own time zone.
func TestCalendar_Days_AreThoseOfTheRoom(t *testing.T) {
	t.Parallel()
	const now = "2026-03-14T16:00:00Z" // March 15 in Tokyo
	_, b := setupZoned(t, now, `{"customer_key": "acme", "guests": [{"guest_key": "ada", "name": "Ada"}], "sites": [{"site_key": "s", "name": "S", "customer_data": {"time_zone": "Asia/Tokyo"}}],
		"rooms": [{"room_key": "1", "name": "One", "parent_site_key": "s"}],
		"bookings": [{"booking_key": "b", "guest_key": "ada", "room_keys": ["1"], "starts_at": "2026-03-16T06:00:00Z", "ends_at": "2026-03-17T02:00:00Z"},
			{"booking_key": "c", "guest_key": "ada", "room_keys": ["1"], "starts_at": "2026-03-27T16:00:00Z", "ends_at": "2026-03-28T16:00:00Z"}]}`, "{}", web.Options{})
	body := b.get(b.home + "calendar").body
	require.Contains(t, body, `aria-current="date"><time datetime="2026-03-15">`)
	require.Equal(t, []string{"S:", "One:. 2 Ada.......... 1 Ada"}, calendarLines(t, body))
}

func TestCalendar_OtherVerticals_CoverAllDays(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	for name, word := range map[string]string{"gym": "Facility", "tours": "Tour space", "homes": "Unit", "rental": "Property", "full": "Room", "neutral": "Space"} {
		b := f.newBrowser(t)
		b.open(f.links[name].URL)
		body := b.get(b.home + "calendar").body
		require.Contains(t, body, `<th scope="col">`+word, name)
		require.NotEmpty(t, calendarLines(t, body), name)
	}
}
