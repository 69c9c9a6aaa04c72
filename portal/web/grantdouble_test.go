package web_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var (
	anywayButton = regexp.MustCompile(`<button class="danger fill" form="form" name="anyway" value="([^"]+)"`)
	pickedSpace  = regexp.MustCompile(`name="space" value="([^"]*)"( checked)?> <span>(.*?)</span></label>`)
	formToken    = regexp.MustCompile(`name="token" value="([^"]+)"`)
)

// picked returns the spaces to choose from in a form. A chosen one is followed by "*", and one that is taken by "!".
func picked(body string) (out []string) {
	for _, found := range pickedSpace.FindAllStringSubmatch(body, -1) {
		key := html.UnescapeString(found[1])
		if found[2] != "" {
			key += "*"
		}
		if strings.Contains(found[3], ">Taken<") {
			key += "!"
		}
		out = append(out, key)
	}
	return out
}

func TestNewBooking_RoomIsTaken_IsCreatedAfterAWarning(t *testing.T) {
	t.Parallel()
	f, b := openToday(t, portal.Config{}, atDay("a", 39, 83, "101"))
	path := b.home + "reservations/new?guest=ada"
	count := func() int {
		d, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		return len(d.AccessGrants)
	}
	token := "0123456789abcdef"
	post := func(room, from, until string, more ...string) response {
		return b.post(path, append([]string{"space", room, "starts_at", from, "ends_at", until, "zone", "Europe/Lisbon", "token", token}, more...)...)
	}
	a := post("101", "2026-03-17T10:00", "2026-03-18T11:00")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Already taken at that time. Nothing was saved yet.")
	require.Regexp(t, `<a href="[^"]*key=a"><bdi translate="no">Ada</bdi></a> <span class="muted"><bdi translate="no">Room 101</bdi></span></span>\n<span><time [^>]*>Sun, Mar 15, 2026, 3:00 PM</time> – <time [^>]*>Tue, Mar 17, 2026, 11:00 AM`, a.body)
	require.Contains(t, a.body, "data-typed")
	require.Equal(t, 1, count())
	anyway := anywayButton.FindStringSubmatch(a.body)
	require.NotNil(t, anyway)
	require.Equal(t, token, formToken.FindStringSubmatch(a.body)[1], "the form keeps its token")

	// The button does not confirm other times.
	require.Equal(t, http.StatusConflict, post("101", "2026-03-16T15:00", "2026-03-18T11:00", "anyway", anyway[1]).StatusCode)
	require.Equal(t, 1, count())
	require.Equal(t, http.StatusSeeOther, post("101", "2026-03-17T10:00", "2026-03-18T11:00", "anyway", anyway[1]).StatusCode)
	require.Equal(t, 2, count())
	require.Equal(t, http.StatusSeeOther, post("101", "2026-03-17T10:00", "2026-03-18T11:00", "anyway", anyway[1]).StatusCode, "the same form again")
	require.Equal(t, 2, count())

	// One guest leaves before the next one arrives, and another room is free.
	for i, c := range [][3]string{{"101", "2026-03-18T11:00", "2026-03-19T11:00"}, {"102", "2026-03-15T15:00", "2026-03-17T11:00"}} {
		token = fmt.Sprint("another-token-of-", i)
		for range 2 { // the form is posted twice
			require.Equal(t, http.StatusSeeOther, post(c[0], c[1], c[2]).StatusCode, c)
		}
	}
	require.Equal(t, 2, count()-2)
}

func TestNewBooking_PortalThatDoesNotShowTheBooking_DoesNotWarn(t *testing.T) {
	t.Parallel()
	hidden := data.Reservation("r", data.Ref{}, data.Refs(data.KindRoom, "101")...).During(f0(0), f0(9))
	_, b := openToday(t, portal.Config{Filters: []portal.Filter{{Field: "owner", Value: "Rui"}}}, hidden)
	a := b.post(b.home+"reservations/new", "guest_name", "Eve", "space", "101", "starts_at", "2026-03-17T10:00", "ends_at", "2026-03-18T11:00", "zone", "Europe/Lisbon")
	require.NotEqual(t, http.StatusConflict, a.StatusCode)
}

func TestNewBooking_Spaces_FreeOnesComeFirst(t *testing.T) {
	t.Parallel()
	_, b := openToday(t, portal.Config{}, atDay("a", 39, 83, "101"), data.CommonArea("pool", "Pool"), data.Site("s", "S"))
	path := b.home + "reservations/new"
	require.Equal(t, []string{"102", "pool", "101!"}, picked(b.get(path+"?from=2026-03-16").body))
	require.Equal(t, []string{"101*!", "102", "pool"}, picked(b.get(path+"?from=2026-03-16&space=101").body))
	require.Equal(t, []string{"101", "102", "pool"}, picked(b.get(path+"?from=2026-03-17").body))
	require.Equal(t, []string{"102", "pool", "101!"}, picked(b.post(path, "starts_at", "2026-03-16T10:00", "ends_at", "2026-03-20T11:00", "zone", "Europe/Lisbon", "find", "1").body))

	// The first 60 rooms are taken.
	var all []data.Resource
	for i := range 150 {
		room := fmt.Sprintf("r%03d", i)
		all = append(all, data.Room(room, room))
		if i < 90 {
			all = append(all, atDay("stay"+room, 39, 83, room))
		}
	}
	_, b = openToday(t, portal.Config{}, all...)
	found := picked(b.get(b.home + "reservations/new?from=2026-03-16").body)
	require.Len(t, found, 60)
	require.Equal(t, []string{"r090", "r091"}, found[:2])
	require.Equal(t, []string{"r119", "r000!"}, found[29:31])
}

func TestNewBooking_Day_ProposesTheTimesOfTheSite(t *testing.T) {
	t.Parallel()
	site := data.Site("s", "S")
	site.Details.DefaultCheckinTime, site.Details.DefaultCheckoutTime = "16:30", "10:15"
	_, b := openToday(t, portal.Config{}, site, data.Room("s1", "S 1").In("s"))
	for query, want := range map[string][2]string{
		"from=2026-05-10&space=s1":  {"2026-05-10T16:30", "2026-05-11T10:15"},
		"from=2026-05-10&space=101": {"2026-05-10T15:00", "2026-05-11T11:00"}, // the usual times of hotels
		"from=x&space=101":          {"2026-03-14T15:00", "2026-03-15T11:00"}, // today
	} {
		body := b.get(b.home + "reservations/new?" + query).body
		require.Contains(t, body, `name="starts_at" type="datetime-local" value="`+want[0]+`"`, query)
		require.Contains(t, body, `name="ends_at" type="datetime-local" value="`+want[1]+`"`, query)
	}
}

func TestNewBooking_SearchForTheGuest_ChoosesTheOnlyOne(t *testing.T) {
	t.Parallel()
	_, b := openToday(t, portal.Config{}, data.Guest("grace", "Grace"), data.Guest("greta", "Greta"))
	search := func(text string, more ...string) string {
		return b.post(b.home+"reservations/new", append([]string{"guest_text", text, "guest_find", "1"}, more...)...).body
	}
	const chosen = `name="guest" value="grace" checked`
	require.Contains(t, search("grac"), chosen)
	require.NotContains(t, search("gr"), chosen, "two guests match")
	require.NotContains(t, search("grac", "guest_name", "Somebody else"), chosen)
	require.NotContains(t, search("grac", "guest", "ada"), chosen)
	body := search("Zoe")
	require.Contains(t, body, `name="guest_name" type="text" value="Zoe"`)
	require.Contains(t, search("Zoe", "guest_name", "Zora"), `name="guest_name" type="text" value="Zora"`)
}
