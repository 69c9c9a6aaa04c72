package web_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
)

// rowNames returns the names in the first column of the lists of a page.
func rowNames(body string) (names []string) {
	for _, m := range regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi[^>]*>([^<]*)</bdi>`).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	return names
}

// linkTo returns the path of the link with a text.
func linkTo(t *testing.T, body, text string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `<`).FindStringSubmatch(body)
	require.NotNil(t, m, text)
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// lists opens a portal with these resources.
func (f *fixture) lists(t *testing.T, d data.CustomerData, c portal.Config) *browser {
	t.Helper()
	d.CustomerKey = "acme"
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme", Config: c})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	return b
}

func configWith(change func(*portal.Config)) (c portal.Config) {
	change(&c)
	return c
}

// TestGuests_Pages_ForwardAndBackward reads the list of guests in both orders, page by page.
func TestGuests_Pages_ForwardAndBackward(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var d data.CustomerData
	var want []string
	found := 0 // by a search
	for i := range 120 {
		name, key := fmt.Sprintf("Guest %d", i+1), fmt.Sprintf("key-%03d", (i*37)%120)
		if strings.Contains(name+key, "11") {
			found++
		}
		d.Add(data.Guest(key, name))
		want = append(want, name)
	}
	b := f.lists(t, d, portal.Config{})
	first := b.get(b.home + "guests").body
	require.Contains(t, first, "1–50 of 120")
	require.NotContains(t, first, "Previous page")
	second := b.get(linkTo(t, first, "Next page")).body
	require.Contains(t, second, "51–100 of 120")
	third := b.get(linkTo(t, second, "Next page")).body
	require.Contains(t, third, "101–120 of 120")
	require.NotContains(t, third, "Next page")
	require.Equal(t, want, append(append(rowNames(first), rowNames(second)...), rowNames(third)...), "natural order")
	require.Equal(t, rowNames(second), rowNames(b.get(linkTo(t, third, "Previous page")).body))
	require.Equal(t, rowNames(first), rowNames(b.get(linkTo(t, second, "Previous page")).body))
	require.Equal(t, rowNames(first), rowNames(b.get(linkTo(t, third, "First page")).body))

	down := b.get(linkTo(t, first, "From Z to A")).body
	require.Equal(t, "Guest 120", rowNames(down)[0])
	require.Equal(t, "Guest 70", rowNames(b.get(linkTo(t, down, "Next page")).body)[0], "the next page keeps the order")

	require.Contains(t, b.get(b.home+"guests?q=guest+11").body, fmt.Sprintf("1–%d of %d", found, found), "a search is counted")

	// A deleted guest moves the pages, so the numbers of their items are not known any more. The total is.
	_, err := f.ws().Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, "key-000")})
	require.NoError(t, err)
	changed := b.get(linkTo(t, first, "Next page")).body
	require.Contains(t, changed, "Total: 119")
	require.NotContains(t, changed, "51–")
	require.Len(t, rowNames(b.get(linkTo(t, second, "Previous page")).body), 50, "the first page is full")
}

// TestGrants_Pages_KeepFilterAndTime pages through filtered bookings, one of which ends meanwhile.
func TestGrants_Pages_KeepFilterAndTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.clock.Now()
	d := data.CustomerData{}
	d.Add(data.Room("r", "Room 1"))
	for i := range 70 {
		g := data.Reservation(fmt.Sprintf("b-%02d", i), data.Ref{}, data.Refs(data.KindRoom, "r")...).During(now.Add(-time.Hour), now.Add(time.Duration(i+1)*time.Minute))
		g.Name = "Stay"
		d.Add(g)
	}
	b := f.lists(t, d, portal.Config{})
	first := b.get(b.home + "reservations?state=current&space=r").body
	require.Contains(t, first, "1–50 of 70")
	f.clock.Advance(90 * time.Second)
	second := b.get(linkTo(t, first, "Next page")).body
	require.Contains(t, second, "51–70 of 70", "the pages use the time of the first one")
	require.Contains(t, second, `name="space" value="r"`)
	require.Contains(t, b.get(linkTo(t, second, "First page")).body, "1–50 of 69", "the first page uses the present time")
	require.Len(t, rowNames(b.get(linkTo(t, first, "Latest first")).body), 50)
}

// TestGrants_FilterBySpace_ReachesEverySpace filters by spaces that are not among the suggestions.
func TestGrants_FilterBySpace_ReachesEverySpace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.clock.Now()
	d := data.CustomerData{}
	d.Add(data.Site("a", "Hotel A"), data.Site("b", "Hotel B"))
	for i := range 150 {
		s := data.Room(fmt.Sprintf("r%d", i), fmt.Sprintf("Room %d", i/2)).In([]string{"a", "b"}[i%2])
		g := data.Reservation("g-"+s.Key, data.Ref{}, s.Ref()).During(now, now.Add(time.Hour))
		g.Name = "Stay in " + s.Key
		d.Add(s, g)
	}
	b := f.lists(t, d, portal.Config{})
	choices := b.get(b.home + "reservations?space_name=" + url.QueryEscape("room 74"))
	require.Equal(t, 200, choices.StatusCode)
	require.Contains(t, choices.body, "Which one do you mean?")
	require.Empty(t, rowNames(choices.body), "the list would not be filtered")
	link := regexp.MustCompile(`href="([^"]*space=r149[^"]*)"`).FindStringSubmatch(choices.body)
	require.NotNil(t, link)
	require.Equal(t, []string{"Stay in r149"}, rowNames(b.get(strings.ReplaceAll(link[1], "&amp;", "&")).body))
	require.Equal(t, []string{"Stay in r149"}, rowNames(b.get(b.home+"reservations?space_name="+url.QueryEscape("74 hotel b")).body))
	require.Len(t, rowNames(b.get(b.home+"reservations?space_name="+url.QueryEscape("Hotel A")).body), 50, "a site")
	none := b.get(b.home + "reservations?space_name=nowhere")
	require.Equal(t, 422, none.StatusCode)
	require.Contains(t, none.body, "Nothing matches your search.")
	require.Empty(t, rowNames(none.body))
}

// TestSpaces_States_SayWhoIsThere shows the states of rooms.
func TestSpaces_States_SayWhoIsThere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.clock.Now()
	d := data.CustomerData{}
	stay := func(room, guest string, from, until time.Duration) {
		d.Add(data.Room(room, "Room "+room), data.Guest("g-"+room, guest))
		d.Add(data.Reservation("s-"+room, data.Ref{Kind: data.KindGuest, Key: "g-" + room}, data.Refs(data.KindRoom, room)...).During(now.Add(from), now.Add(until)))
	}
	stay("1001", "Zoe", -time.Hour, 48*time.Hour)
	stay("102", "Mia", time.Hour, 48*time.Hour)
	stay("9", "Ida", 30*time.Hour, 48*time.Hour)
	stay("8", "Old", -48*time.Hour, -time.Hour)
	b := f.lists(t, d, portal.Config{})
	body := b.get(b.home + "spaces").body
	require.Equal(t, []string{"Room 8", "Room 9", "Room 102", "Room 1001"}, rowNames(body))
	var states []string
	for _, m := range regexp.MustCompile(`<td data-label="Status">(?:<strong>)?([^<]*)`).FindAllStringSubmatch(body, -1) {
		states = append(states, m[1])
	}
	require.Len(t, states, 4)
	require.Equal(t, []string{"Free", "Free"}, states[:2])
	require.Regexp(t, `^Free, (arrival at|access from) 5:00 PM$`, strings.ReplaceAll(states[2], "\u202f", " "))
	require.Contains(t, states[3], "Zoe until ")

	hidden := f.lists(t, data.CustomerData{}, configWith(func(c *portal.Config) { c.Features.Manage.ExcludeReservationManagement = true }))
	require.NotContains(t, hidden.get(hidden.home+"spaces").body, "Zoe")

	// The tree and the page of a site have the same states.
	d = data.CustomerData{}
	d.Add(data.Site("h", "Hotel"))
	for _, room := range []string{"1001", "102", "9", "8"} {
		d.Add(data.Room(room, "Room "+room).In("h"))
	}
	b = f.lists(t, d, portal.Config{})
	for _, path := range []string{"spaces", "spaces/view?key=h"} {
		tiles := regexp.MustCompile(`<bdi translate="no">Room (\d+)</bdi>(?: <small>Room</small>)? <small( class="taken")?>([^<]*)</small></a></li>`).FindAllStringSubmatch(b.get(b.home+path).body, -1)
		require.Len(t, tiles, 4, path)
		for i, tile := range tiles {
			require.Equal(t, i == 3, tile[2] != "", path)
			require.Equal(t, states[i], tile[3], path)
		}
		require.NotContains(t, hidden.get(hidden.home+path).body, "Free")
	}
}

// TestSearch_EveryType_IsFoundInGroups searches from the box that every page has.
func TestSearch_EveryType_IsFoundInGroups(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.clock.Now()
	d := data.CustomerData{}
	d.Add(data.Site("h", "Hotel"), data.Room("12", "Room 12").In("h"), data.Room("r2", "Room 121"),
		data.UserIdentity{Kind: data.KindGuest, Key: "ada", Name: "Ada Lovelace", EmailAddress: "ada@example.com", PhoneNumber: "+351912345678"}, data.StaffMember("eve", "Eve"))
	for i := range 20 {
		g := data.Reservation(fmt.Sprintf("ref-%d", i), data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "12")...).During(now.Add(time.Duration(i)*time.Hour), now.Add(48*time.Hour))
		g.PreferredCode = fmt.Sprintf("%04d", 4800+i)
		d.Add(g)
	}
	b := f.lists(t, d, portal.Config{})
	for text, want := range map[string][]string{
		"lovelace": {"key=ref-0", "key=ada", "reservations?q=lovelace"}, "room 121": {"spaces/view?key=r2"}, "eve": {"staff/view?key=eve"},
		"ada@example.com": {"key=ref-0", "guests/view?key=ada"}, "912345678": {"guests/view?key=ada"}, "4813": {"key=ref-13"}, "ref-19": {"key=ref-19"}, "hotel": {"spaces/view?key=h"},
	} {
		a := b.get(b.home + "search?q=" + url.QueryEscape(text))
		require.Equal(t, 200, a.StatusCode)
		for _, link := range want {
			require.Contains(t, a.body, link, text)
		}
	}
	body := b.get(b.home + "search?q=" + url.QueryEscape("room 12")).body
	require.Less(t, strings.Index(body, "spaces/view?key=12\""), strings.Index(body, "spaces/view?key=r2\""), "the exact match comes first")
	require.Less(t, strings.Index(body, "spaces/view?key=12\""), strings.Index(body, "reservations/view"), "its group comes first")
	require.Contains(t, b.get(b.home+"search?q=nobody").body, "Nothing matches your search.")
	require.Equal(t, 200, b.get(b.home+"search").StatusCode)

	hidden := f.lists(t, data.CustomerData{}, configWith(func(c *portal.Config) {
		c.Features.Manage.ExcludeReservationTechnicalDetails, c.Features.Manage.ExcludeStaffManagement = true, true
	}))
	require.NotContains(t, hidden.get(hidden.home+"search?q=4813").body, "ref-13", "a hidden code is not searched")
	require.NotContains(t, hidden.get(hidden.home+"search?q=eve").body, "staff/view")
}

// TestSearch_ManyBookings_ReadsBoundedRows counts the reads of a search that finds the last of many bookings.
func TestSearch_ManyBookings_ReadsBoundedRows(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	n := testsize.Pick(5_000, 5_000, 100_000)
	if race.Enabled {
		n = 1_000
	}
	f := newFixture(t)
	_, err := f.ws().Import(t.Context(), "acme", func(yield func(data.Resource, error) bool) {
		for i := range n {
			from := f.clock.Now().Add(time.Duration(i) * time.Minute)
			u := data.Guest(fmt.Sprintf("g-%d", i), fmt.Sprintf("Guest Number%d", i))
			if !yield(u, nil) || !yield(data.Reservation(fmt.Sprintf("b-%d", i), u.Ref(), data.Refs(data.KindRoom, "r")...).During(from, from.Add(time.Hour)), nil) {
				return
			}
		}
	}, data.ImportOptions{BatchSize: 5000})
	require.NoError(t, err)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	// A search reads 10,000 resources of each type, with those to which they refer.
	stops := n >= 5_000
	for _, text := range []string{fmt.Sprintf("number%d", n-1), "nobody", fmt.Sprintf("b-%d", n-1)} {
		f.store.Reset()
		a := b.get(b.home + "search?q=" + text)
		require.Equal(t, 200, a.StatusCode)
		require.Equal(t, stops, strings.Contains(a.body, "Not everything has been searched"), text)
		if n <= 10_000 && text != "nobody" || strings.HasPrefix(text, "b-") {
			require.Contains(t, a.body, fmt.Sprintf("reservations/view?key=b-%d\"", n-1), text)
		}
		require.LessOrEqual(t, f.store.Keys.Load(), int64(50_000), text)
		require.LessOrEqual(t, f.store.Rows.Load(), int64(35_000), text)
		t.Logf("%q: %d keys, %d rows", text, f.store.Keys.Load(), f.store.Rows.Load())
	}
}
