package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestTimeZone_SpaceWithoutZone_InheritsIt(t *testing.T) {
	t.Parallel()
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	require.NoError(t, err)
	for _, c := range []struct {
		name, customer, config string
		o                      web.Options
		room, want             string
	}{
		{"the site's", "", `{"time_zone": "America/New_York"}`, web.Options{}, "g-1", "Asia/Tokyo"},
		{"its own", "", `{"time_zone": "America/New_York"}`, web.Options{}, "g-2", "Pacific/Honolulu"},
		{"the portal's", `"customer_time_zone": "Asia/Kolkata",`, `{"time_zone": "America/New_York"}`, web.Options{Location: lisbon}, "o-1", "America/New_York"},
		{"the customer's", `"customer_time_zone": "Asia/Kolkata",`, `{}`, web.Options{Location: lisbon}, "o-1", "Asia/Kolkata"},
		{"the host's", "", `{}`, web.Options{Location: lisbon}, "o-1", "Europe/Lisbon"},
		{"UTC", "", `{}`, web.Options{}, "o-1", "UTC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.want)
			require.NoError(t, err)
			_, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", `+c.customer+hotels+`, "bookings": [
				{"booking_key": "b1", "guest_key": "ada", "space_keys": ["`+c.room+`"], "starts_at": "2026-06-10T06:00:00Z", "ends_at": "2026-06-11T02:00:00Z"}]}`, c.config, c.o)
			at := utc(t, "2026-06-10T06:00:00Z").In(zone)
			body := b.get(b.home + "reservations/view?key=b1").body
			require.Contains(t, body, "Times are in "+c.want)
			require.Contains(t, body, at.Format("Mon, Jan 2, 2006"))
			require.Contains(t, body, at.Format("3:04 PM"))
			for _, list := range []string{"reservations", "guests/view?key=ada", "spaces/view?key=" + c.room} {
				require.Contains(t, b.get(b.home+list).body, at.Format("3:04 PM"), list)
			}
			require.Contains(t, b.get(b.home+"spaces/view?key="+c.room).body, c.want)
			require.Equal(t, at.Format("2006-01-02T15:04"), inputValues(b.get(b.home + "reservations/edit?key=b1").body)["starts_at"])
			require.Contains(t, b.get(b.home+"reservations/new?space="+c.room).body, "Times are in "+c.want)
			require.Equal(t, at.UTC(), b.savedGrant(b.submitForm(b.home+"reservations/new?guest=ada&space="+c.room, "starts_at", at.Format("2006-01-02T15:04"), "ends_at", "")).StartsAt)
		})
	}
}

func TestTimeZone_DeepLinkAndLandingPage_UseZoneOfSite(t *testing.T) {
	t.Parallel()
	f, _ := setupZoned(t, "2026-06-01T16:00:00Z", `{"customer_key": "acme", `+hotels+`, "reservations": [
		{"reservation_key": "r1", "guest_key": "ada", "room_keys": ["g-1"], "starts_at": "2026-06-10T06:00:00Z", "ends_at": "2026-06-11T02:00:00Z"}]}`, `{}`, web.Options{})
	// The portal does not show the site of the room, but uses its time zone.
	b := f.openPortal(t, `{"deep_link": {"resource_type": "reservation", "resource_key": "r1"}}`)
	body := b.get(b.home + "reservations/view?key=r1").body
	require.NotContains(t, body, "Ginza")
	require.Contains(t, body, "Times are in Asia/Tokyo")
	require.Contains(t, body, "3:00 PM")
	require.Contains(t, body, "1 night")
	require.Regexp(t, `This link works until Wed, Jun 3, 2026, 1:00 AM .*Asia/Tokyo`, body)
	b = f.openPortal(t, `{"navigation_mode": "restricted", "landing_page": {"manage": {"site_key": "ginza"}}}`)
	require.Regexp(t, `This link works until Wed, Jun 3, 2026, 1:00 AM .*Asia/Tokyo`, b.get(b.home+"spaces/view?key=ginza").body)
}

func TestGrant_SpacesInSeveralZones_NamesTheZones(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", `+places+`, "bookings": [
		{"booking_key": "b1", "guest_key": "ada", "space_keys": ["plain", "tokyo", "lisbon"], "starts_at": "2026-06-10T06:00:00Z"},
		{"booking_key": "b2", "guest_key": "ada", "space_keys": ["lisbon"], "starts_at": "2026-06-10T06:00:00Z"}]}`, `{}`, web.Options{})
	body := b.get(b.home + "reservations/view?key=b1").body
	require.Contains(t, body, "Times are in Asia/Tokyo. Some of the places are in another time zone.", "it is the first that has one")
	require.NotContains(t, b.get(b.home+"reservations/view?key=b2").body, "Other spaces")
	for _, list := range []string{"reservations", "guests/view?key=ada", "spaces/view?key=lisbon"} {
		body = b.get(b.home + list).body
		require.Contains(t, body, "Asia/Tokyo", list)
		require.Contains(t, body, "Europe/Lisbon", list)
	}
	require.NotContains(t, b.get(b.home+"spaces/view?key=tokyo").body, "Europe/Lisbon", "a list in one time zone does not name it")
}

func TestStartPage_Today_IsThatOfTheSite(t *testing.T) {
	t.Parallel()
	// It is 01:00 on June 2 in Tokyo and 06:00 on June 1 in Honolulu.
	const now = "2026-06-01T16:00:00Z"
	bookings := `, "bookings": [
		{"booking_key": "tokyo-first", "guest_key": "ada", "name": "Tokyo June 1", "space_keys": ["g-1"], "starts_at": "2026-06-01T06:00:00Z", "ends_at": "2026-06-01T14:59:00Z"},
		{"booking_key": "tokyo-second", "guest_key": "ada", "name": "Tokyo June 2", "space_keys": ["g-1"], "starts_at": "2026-06-02T14:59:00Z", "ends_at": "2026-06-03T01:00:00Z"},
		{"booking_key": "tokyo-third", "guest_key": "ada", "name": "Tokyo June 3", "space_keys": ["g-1"], "starts_at": "2026-06-02T15:00:00Z"}`
	honolulu := `,
		{"booking_key": "honolulu-before", "guest_key": "ada", "name": "Honolulu May 31", "space_keys": ["g-2"], "starts_at": "2026-06-01T09:59:00Z", "ends_at": "2026-06-02T09:59:00Z"},
		{"booking_key": "honolulu-first", "guest_key": "ada", "name": "Honolulu June 1", "space_keys": ["g-2"], "starts_at": "2026-06-01T10:00:00Z"},
		{"booking_key": "honolulu-second", "guest_key": "ada", "name": "Honolulu June 2", "space_keys": ["g-2"], "starts_at": "2026-06-02T10:00:00Z"}`
	shown := func(body string) (names []string) {
		for _, name := range []string{"Tokyo June 1", "Tokyo June 2", "Tokyo June 3", "Honolulu May 31", "Honolulu June 1", "Honolulu June 2"} {
			if strings.Contains(body, ">"+name+"<") {
				names = append(names, name)
			}
		}
		return names
	}
	_, b := setupZoned(t, now, `{"customer_key": "acme", `+hotels+bookings+`]}`, `{}`, web.Options{})
	body := b.get(b.home).body
	require.Regexp(t, `eyebrow"><time datetime="[^"]*">Tue, Jun 2, 2026, 1:00 AM</time> <span translate="no">Asia/Tokyo</span></p>`, body)
	require.Equal(t, []string{"1 of 1 still to start today", "0 of 0 still to end today"}, tiles(body)[:2])
	require.Equal(t, []string{"Tokyo June 2"}, shown(body))

	_, b = setupZoned(t, now, `{"customer_key": "acme", "sites": [{"site_key": "s", "name": "S", "customer_data": {"time_zone": "Asia/Tokyo"}}],
		"rooms": [{"room_key": "1", "name": "1", "parent_site_key": "s"}]}`, `{}`, web.Options{})
	require.Regexp(t, `eyebrow"><time datetime="[^"]*">Tue, Jun 2, 2026, 1:00 AM</time> <span translate="no">Asia/Tokyo</span></p>`, b.get(b.home).body, "without bookings, that of the spaces")

	_, b = setupZoned(t, now, `{"customer_key": "acme", `+hotels+bookings+honolulu+`]}`, `{"time_zone": "Pacific/Honolulu"}`, web.Options{})
	body = b.get(b.home).body
	require.Regexp(t, `eyebrow"><time datetime="[^"]*">Mon, Jun 1, 2026, 6:00 AM</time> <span translate="no">Pacific/Honolulu</span></p>`, body)
	require.Equal(t, []string{"1 of 2 still to start today", "1 of 1 still to end today"}, tiles(body)[:2], "at 23:59 in Honolulu")
	for _, zone := range []string{"Asia/Tokyo", "Pacific/Honolulu"} {
		require.Contains(t, body, zone, "the lists name their time zones")
	}
	require.Equal(t, []string{"Tokyo June 2", "Honolulu June 1"}, shown(b.get(b.home+"reservations?state=arriving").body))
	require.Equal(t, []string{"Honolulu May 31"}, shown(b.get(b.home+"reservations?state=departing").body))
	require.Equal(t, []string{"Tokyo June 2", "Honolulu June 1", "Honolulu June 2"}, shown(b.get(b.home+"reservations?state=all&from=2026-06-02&until=2026-06-02").body))
	require.Equal(t, []string{"Tokyo June 3"}, shown(b.get(b.home+"reservations?state=arriving&from=2026-06-03&until=2026-06-03").body))
	require.Equal(t, []string{"Honolulu May 31"}, shown(b.get(b.home+"reservations?state=all&until=2026-05-31").body))
}

func TestGrants_FilterByDayAtAChangeOfClocks_SelectsThatDay(t *testing.T) {
	t.Parallel()
	// The bookings are at the first and last minutes of a day with 23 hours, one with 25 hours, one that begins at
	// 01:00, and one that was skipped, and at the minutes before and after.
	_, b := setupZoned(t, "2011-01-01T08:00:00Z", `{"customer_key": "acme", `+places+`, "bookings": [
		{"booking_key": "ny-0", "guest_key": "ada", "space_keys": ["new-york"], "starts_at": "2027-03-14T04:59:00Z", "ends_at": "2027-03-14T05:00:00Z"},
		{"booking_key": "ny-1", "guest_key": "ada", "space_keys": ["new-york"], "starts_at": "2027-03-14T05:00:00Z", "ends_at": "2027-03-14T05:01:00Z"},
		{"booking_key": "ny-2", "guest_key": "ada", "space_keys": ["new-york"], "starts_at": "2027-03-15T03:59:00Z", "ends_at": "2027-03-15T04:00:00Z"},
		{"booking_key": "ny-3", "guest_key": "ada", "space_keys": ["new-york"], "starts_at": "2027-03-15T04:00:00Z", "ends_at": "2027-03-15T04:01:00Z"},
		{"booking_key": "be-0", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-24T21:59:00Z", "ends_at": "2026-10-24T22:00:00Z"},
		{"booking_key": "be-1", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-24T22:00:00Z", "ends_at": "2026-10-24T22:01:00Z"},
		{"booking_key": "be-2", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-25T22:59:00Z", "ends_at": "2026-10-25T23:00:00Z"},
		{"booking_key": "be-3", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-25T23:00:00Z", "ends_at": "2026-10-25T23:01:00Z"},
		{"booking_key": "sp-0", "guest_key": "ada", "space_keys": ["sao-paulo"], "starts_at": "2018-11-04T02:59:00Z", "ends_at": "2018-11-04T03:00:00Z"},
		{"booking_key": "sp-1", "guest_key": "ada", "space_keys": ["sao-paulo"], "starts_at": "2018-11-04T03:00:00Z", "ends_at": "2018-11-04T03:01:00Z"},
		{"booking_key": "ap-0", "guest_key": "ada", "space_keys": ["apia"], "starts_at": "2011-12-30T09:59:00Z", "ends_at": "2011-12-30T10:00:00Z"},
		{"booking_key": "ap-1", "guest_key": "ada", "space_keys": ["apia"], "starts_at": "2011-12-30T10:00:00Z", "ends_at": "2011-12-30T10:01:00Z"}]}`, `{}`, web.Options{})
	row := regexp.MustCompile(`<th scope="row"><a href="[^"]*key=([a-z0-9-]+)`)
	for _, c := range []struct{ query, want string }{
		{"state=all&from=2027-03-14&until=2027-03-14", "ny-1 ny-2"},
		{"state=arriving&from=2027-03-14", "ny-1 ny-2"},
		{"state=departing&from=2027-03-14", "ny-0 ny-1"}, // ny-0 ends at the start of the day, and ny-2 at the start of the next day
		{"state=all&from=2026-10-25&until=2026-10-25", "be-1 be-2"},
		{"state=all&from=2018-11-04&until=2018-11-04", "sp-1"},
		{"state=all&from=2018-11-03&until=2018-11-03", "sp-0"},
		{"state=all&from=2011-12-29&until=2011-12-29", "ap-0"},
		{"state=all&from=2011-12-30&until=2011-12-30", ""},
		{"state=arriving&from=2011-12-30", ""},
		{"state=departing&from=2011-12-30", ""},
		{"state=all&from=2011-12-31&until=2011-12-31", "ap-1"},
		{"state=all&from=2011-12-31&until=2011-12-29", ""},
		{"state=arriving&from=2011-12-31&until=2011-12-29", ""},
		{"state=departing&until=2000-01-01", ""},
		{"state=all&from=0001-01-01&until=2011-12-29", "ap-0"},
		{"state=arriving&from=0001-01-01&until=2011-12-29", "ap-0"},
		{"state=all&from=2027-03-15&until=9999-12-31", "ny-3"},
		{"state=upcoming&from=2027-03-15&until=9999-12-31", "ny-3"},
	} {
		a := b.get(b.home + "reservations?" + c.query)
		require.Equal(t, http.StatusOK, a.StatusCode, c.query)
		var got []string
		for _, found := range row.FindAllStringSubmatch(a.body, -1) {
			got = append(got, found[1])
		}
		require.ElementsMatch(t, strings.Fields(c.want), got, c.query)
	}
}

func TestGrant_Nights_CountCalendarDays(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2011-01-01T08:00:00Z", `{"customer_key": "acme", `+places+`, "bookings": [
		{"booking_key": "b1", "guest_key": "ada", "space_keys": ["tokyo"], "starts_at": "2026-06-10T06:00:00Z", "ends_at": "2026-06-11T02:00:00Z"},
		{"booking_key": "b2", "guest_key": "ada", "space_keys": ["new-york"], "starts_at": "2027-03-13T20:00:00Z", "ends_at": "2027-03-14T15:00:00Z"},
		{"booking_key": "b3", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-24T09:00:00Z", "ends_at": "2026-10-25T11:00:00Z"},
		{"booking_key": "b4", "guest_key": "ada", "space_keys": ["apia"], "starts_at": "2011-12-30T01:00:00Z", "ends_at": "2011-12-30T21:00:00Z"}]}`, `{}`, web.Options{})
	for _, key := range []string{"b1", "b2", "b3", "b4"} {
		require.Contains(t, b.get(b.home+"reservations/view?key="+key).body, ">1 night<", key)
	}
}

func TestHistory_Times_AreInTheZoneOfTheGrant(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2026-06-01T16:00:00Z", `{"customer_key": "acme", `+hotels+`, "bookings": [
		{"booking_key": "b1", "guest_key": "ada", "room_keys": ["g-1"], "starts_at": "2026-06-10T06:00:00Z"}]}`, `{}`, web.Options{})
	require.Contains(t, b.get(b.home+"reservations/view?key=b1").body, "Tue, Jun 2, 2026, 1:00 AM")
}

func TestNew_LocationWithoutName_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, zone := range []*time.Location{time.Local, time.FixedZone("", 3600), time.FixedZone("my zone", 3600)} {
		if zone.String() == "UTC" {
			continue // time.Local on a machine in UTC
		}
		_, err := web.New(f.portals, web.Options{Location: zone})
		require.ErrorIs(t, err, web.ErrInvalid)
		require.ErrorContains(t, err, "Location")
	}
}

func TestClock_RepeatedTime_NamesTheZone(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2026-10-01T08:00:00Z", `{"customer_key": "acme", `+places+`, "bookings": [
		{"booking_key": "b1", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-25T00:30:00Z", "ends_at": "2026-10-25T01:30:00Z"}]}`, `{}`, web.Options{})
	body := b.get(b.home + "reservations/view?key=b1").body
	require.Contains(t, body, ">2:30 AM CEST<")
	require.Contains(t, body, ">2:30 AM CET<")
}

// More rows need no more reads of the store, because the spaces of all rows are read together.
func TestGrants_DayFilter_ReadsPlacesInOneBatch(t *testing.T) {
	t.Parallel()
	gets := func(n int) int64 {
		f, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme"}`, `{}`, web.Options{})
		d := data.CustomerData{CustomerKey: "acme"}
		for i := range n {
			key := fmt.Sprintf("%03d", i)
			d.Add(data.Site("site-"+key, "Site"), data.Room("room-"+key, "Room").In("site-"+key),
				data.Booking("b-"+key, data.Ref{}, data.Refs(data.KindRoom, "room-"+key)...).During(utc(t, "2026-06-01T15:00:00Z"), time.Time{}))
		}
		_, err := f.ws().Push(t.Context(), d)
		require.NoError(t, err)
		f.store.Reset()
		a := b.get(b.home + "reservations?state=arriving")
		require.Len(t, rowHead.FindAllString(a.body, -1), n)
		return f.store.Gets.Load() + f.store.Scans.Load()
	}
	few, many := gets(5), gets(45)
	t.Logf("%d calls for 5 rows, %d for 45", few, many)
	require.LessOrEqual(t, many, few+5)
}

func TestTimes_OfAGrant_AreInTheZoneOfTheSpace(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	f := setup(t, memory.New(), "https://portal.example", web.Options{Location: tokyo})
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.Contains(t, b.get(b.home+"reservations/view?key=r1").body, "1:00 AM") // 16:00 UTC
	d := data.CustomerData{CustomerKey: "acme"}
	loft := data.PlainSpace("loft", "Loft")
	loft.Details.TimeZone = "America/New_York"
	d.Add(loft, data.Booking("b1", data.Ref{}, loft.Ref()).During(f.clock.Now(), f.clock.Now().Add(time.Hour)))
	_, err = f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	body := b.get(b.home + "reservations/view?key=b1").body
	require.Contains(t, body, "12:00 PM")
	require.Contains(t, body, "America/New_York")
	edit := b.home + "reservations/edit?key=b1"
	require.Equal(t, "2026-03-14T12:00", inputValues(b.get(edit).body)["starts_at"])
	require.Equal(t, http.StatusSeeOther, b.post(edit, "starts_at", "2026-03-14T12:00", "ends_at", "2026-03-14T20:00", "space", "loft").StatusCode)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC), g.EndsAt)
}
