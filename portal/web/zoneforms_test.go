package web_test

import (
	"encoding/json"
	"math/rand/v2"
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

// setupZoned opens a portal of customer acme at a given time. pushed is the customer_data and config the configuration,
// both in the JSON of the API.
func setupZoned(t *testing.T, now, pushed, config string, o web.Options) (*fixture, *browser) {
	t.Helper()
	f := setup(t, memory.New(), "https://portal.example", o)
	f.clock.Advance(utc(t, now).Sub(f.clock.Now()))
	f.push(t, pushed)
	return f, f.openPortal(t, config)
}

// push pushes customer_data in the JSON of the API.
func (f *fixture) push(t *testing.T, pushed string) {
	t.Helper()
	d, err := data.Decode(strings.NewReader(pushed), data.DecodeOptions{})
	require.NoError(t, err)
	_, err = f.ws().Push(t.Context(), d)
	require.NoError(t, err)
}

// openPortal opens a new portal of customer acme.
func (f *fixture) openPortal(t *testing.T, config string) *browser {
	t.Helper()
	req := portal.CreateRequest{CustomerKey: "acme"}
	require.NoError(t, json.Unmarshal([]byte(config), &req.Config))
	p, err := f.portals.Create(t.Context(), f.ws(), req)
	require.NoError(t, err)
	b := f.newBrowser(t)
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
	return b
}

func utc(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}

// savedGrant returns the access grant that a form has saved, by the response to it.
func (b *browser) savedGrant(a response) data.AccessGrant {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, a.StatusCode, a.body)
	location, err := a.Location()
	require.NoError(b.t, err)
	g, err := b.fixture.ws().AccessGrant(b.t.Context(), location.Query().Get("key"))
	require.NoError(b.t, err)
	return g
}

var (
	hiddenField  = regexp.MustCompile(`<input type="hidden" name="([a-z_]+)" value="([^"]*)"`)
	checkedSpace = regexp.MustCompile(`<input type="checkbox" name="space" value="([^"]*)" checked`)
)

// submitForm posts the form of a page as a browser does. pairs replace values of the form, except that those of "space"
// are added up.
func (b *browser) submitForm(path string, pairs ...string) response {
	b.t.Helper()
	body := b.get(path).body
	var out []string
	given := map[string]bool{}
	for i := 0; i < len(pairs); i += 2 {
		given[pairs[i]] = true
		if pairs[i+1] != "" {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	for name, value := range inputValues(body) {
		if !given[name] {
			out = append(out, name, value)
		}
	}
	for _, hidden := range hiddenField.FindAllStringSubmatch(body, -1) {
		if !given[hidden[1]] {
			out = append(out, hidden[1], hidden[2])
		}
	}
	if !given["space"] {
		for _, box := range checkedSpace.FindAllStringSubmatch(body, -1) {
			out = append(out, "space", box[1])
		}
	}
	return b.post(path, out...)
}

// places are spaces in different time zones, and a guest.
const places = `"guests": [{"guest_key": "ada", "name": "Ada"}], "spaces": [
	{"space_key": "tokyo", "name": "Tokyo loft", "customer_data": {"time_zone": "Asia/Tokyo"}},
	{"space_key": "lisbon", "name": "Lisbon loft", "customer_data": {"time_zone": "Europe/Lisbon"}},
	{"space_key": "new-york", "name": "New York loft", "customer_data": {"time_zone": "America/New_York"}},
	{"space_key": "berlin", "name": "Berlin loft", "customer_data": {"time_zone": "Europe/Berlin"}},
	{"space_key": "sydney", "name": "Sydney loft", "customer_data": {"time_zone": "Australia/Sydney"}},
	{"space_key": "lord-howe", "name": "Lord Howe loft", "customer_data": {"time_zone": "Australia/Lord_Howe"}},
	{"space_key": "apia", "name": "Apia loft", "customer_data": {"time_zone": "Pacific/Apia"}},
	{"space_key": "sao-paulo", "name": "Sao Paulo loft", "customer_data": {"time_zone": "America/Sao_Paulo"}},
	{"space_key": "plain", "name": "Plain loft"}]`

func TestNewGrant_Times_AreInTheZoneOfTheSpace(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", `+places+`}`, `{}`, web.Options{})
	form := b.home + "reservations/new?guest=ada&space=tokyo"
	require.Contains(t, b.get(form).body, "Times are in Asia/Tokyo")
	a := b.submitForm(form, "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00")
	g := b.savedGrant(a)
	require.Equal(t, "2026-06-10T06:00:00Z", g.StartsAt.Format(time.RFC3339))
	require.Equal(t, "2026-06-11T02:00:00Z", g.EndsAt.Format(time.RFC3339))
	body := b.follow(a).body
	for _, text := range []string{"3:00 PM", "11:00 AM", "1 night", "Asia/Tokyo", "Wed, Jun 10, 2026"} {
		require.Contains(t, body, text)
	}
	require.Equal(t, "2026-06-10T15:00", inputValues(b.get(b.home + "reservations/edit?key=" + g.Key).body)["starts_at"])
	// A request without the hidden zone is read in the zone of the space.
	g = b.savedGrant(b.post(form, "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "tokyo"))
	require.Equal(t, "2026-06-10T06:00:00Z", g.StartsAt.Format(time.RFC3339))
}

func TestNewGrant_ClocksChange_TimesAreUnambiguous(t *testing.T) {
	t.Parallel()
	_, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", `+places+`}`, `{}`, web.Options{})
	for _, c := range []struct{ space, local, want, shown string }{
		{"new-york", "2027-03-14T02:30", "2027-03-14T07:30:00Z", "2027-03-14T03:30"},
		{"berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T02:30"},
		{"sydney", "2027-04-04T02:30", "2027-04-03T15:30:00Z", "2027-04-04T02:30"},
		{"lord-howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z", "2026-10-04T02:45"},
		{"apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z", "2011-12-31T12:00"},
		{"sao-paulo", "2018-11-04T00:00", "2018-11-04T03:00:00Z", "2018-11-04T01:00"},
		{"tokyo", "9999-12-31T23:59", "9999-12-31T14:59:00Z", "9999-12-31T23:59"},
		{"plain", "0001-01-01T00:01", "0001-01-01T00:01:00Z", "0001-01-01T00:01"},
	} {
		g := b.savedGrant(b.submitForm(b.home+"reservations/new?guest=ada&space="+c.space, "starts_at", c.local, "ends_at", ""))
		require.Equal(t, c.want, g.StartsAt.Format(time.RFC3339), c.space)
		edit := b.home + "reservations/edit?key=" + g.Key
		require.Equal(t, c.shown, inputValues(b.get(edit).body)["starts_at"], c.space)
		// The shown values can be saved unchanged.
		require.Equal(t, g.StartsAt, b.savedGrant(b.submitForm(edit, "name", "Saved again")).StartsAt, c.space)
	}
	// Times outside of the years that can be stored are refused.
	for space, local := range map[string]string{"new-york": "9999-12-31T23:59", "tokyo": "0001-01-01T00:01"} {
		a := b.submitForm(b.home+"reservations/new?guest=ada&space="+space, "starts_at", local, "ends_at", "")
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
		require.Equal(t, local, inputValues(a.body)["starts_at"])
	}
}

func TestEditGrant_SecondOfARepeatedHour_IsKept(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-10-01T08:00:00Z", `{"customer_key": "acme", `+places+`, "bookings": [
		{"booking_key": "b1", "guest_key": "ada", "space_keys": ["berlin"], "starts_at": "2026-10-24T13:00:00Z", "ends_at": "2026-10-25T01:30:15.5Z"}]}`, `{}`, web.Options{})
	edit := b.home + "reservations/edit?key=b1"
	require.Equal(t, "2026-10-25T02:30", inputValues(b.get(edit).body)["ends_at"])
	g := b.savedGrant(b.submitForm(edit, "name", "Renamed"))
	require.Equal(t, "Renamed", g.Name)
	require.Equal(t, utc(t, "2026-10-25T01:30:15.5Z"), g.EndsAt)
	require.Equal(t, utc(t, "2026-10-24T12:00:00Z"), b.savedGrant(b.submitForm(edit, "starts_at", "2026-10-24T14:00")).StartsAt)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, utc(t, "2026-10-25T01:30:15.5Z"), g.EndsAt)
}

// hotels are two hotels, of which one has no time zone.
const hotels = `"guests": [{"guest_key": "ada", "name": "Ada"}],
	"sites": [
		{"site_key": "ginza", "name": "Ginza", "customer_data": {"time_zone": "Asia/Tokyo", "default_checkin_time": "15:00", "default_checkout_time": "10:30"}},
		{"site_key": "other", "name": "Other"}],
	"rooms": [{"room_key": "g-1", "name": "G 1", "parent_site_key": "ginza"}, {"room_key": "o-1", "name": "O 1", "parent_site_key": "other"}],
	"spaces": [{"space_key": "g-2", "name": "G 2", "parent_site_key": "ginza", "customer_data": {"time_zone": "Pacific/Honolulu", "default_checkin_time": "18:00"}}]`

func TestNewGrant_CheckinTimesOfSite_AreProposed(t *testing.T) {
	t.Parallel()
	// It is June 2 in Tokyo and June 1 in Honolulu.
	_, b := setupZoned(t, "2026-06-01T16:00:00Z", `{"customer_key": "acme", `+hotels+`}`, `{}`, web.Options{})
	for path, want := range map[string][2]string{
		"reservations/new?space=g-1":           {"2026-06-02T15:00", "2026-06-03T10:30"},
		"reservations/new?space=g-2":           {"2026-06-01T18:00", "2026-06-02T10:30"},
		"reservations/new?space=o-1":           {"", ""},
		"reservations/new?guest=ada&space=g-1": {"2026-06-02T15:00", "2026-06-03T10:30"},
		"reservations/new":                     {"", ""}, // the spaces to choose from have different times
	} {
		values := inputValues(b.get(b.home + path).body)
		require.Equal(t, want, [2]string{values["starts_at"], values["ends_at"]}, path)
	}
	body := b.get(b.home + "spaces/view?key=g-2").body
	for _, text := range []string{"Pacific/Honolulu", "18:00", "10:30"} {
		require.Contains(t, body, text)
	}
	require.Contains(t, b.get(b.home+"spaces/view?key=ginza").body, "15:00")

	_, b = setupZoned(t, "2026-06-01T16:00:00Z", `{"customer_key": "acme", "sites": [{"site_key": "s", "name": "S", "customer_data": {"time_zone": "Asia/Tokyo", "default_checkin_time": "15:00"}}],
		"rooms": [{"room_key": "1", "name": "1", "parent_site_key": "s"}, {"room_key": "2", "name": "2", "parent_site_key": "s"}]}`, `{}`, web.Options{})
	body = b.get(b.home + "reservations/new").body
	require.Contains(t, body, "Times are in Asia/Tokyo", "all spaces that can be chosen are there")
	require.Equal(t, "2026-06-02T15:00", inputValues(body)["starts_at"])
}

func TestGrantForm_SpacesInAnotherZone_AsksToConfirmTimes(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", "customer_time_zone": "Europe/Lisbon", `+places+`}`, `{}`, web.Options{})
	form := b.home + "reservations/new?guest=ada"
	require.Contains(t, b.get(form).body, "Times are in Europe/Lisbon")
	a := b.submitForm(form, "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "tokyo")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.body, "These times are now in Asia/Tokyo")
	require.Contains(t, a.body, `name="zone" value="Asia/Tokyo"`)
	require.Contains(t, a.body, `value="tokyo" checked`)
	require.Equal(t, "2026-06-10T15:00", inputValues(a.body)["starts_at"], "what was typed stays")
	g := b.savedGrant(b.post(form, "zone", "Asia/Tokyo", "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "tokyo"))
	require.Equal(t, utc(t, "2026-06-10T06:00:00Z"), g.StartsAt)
	page, err := f.ws().AccessGrants(t.Context(), data.Query{CustomerKey: "acme"})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)

	// The visitor moves the booking.
	edit := b.home + "reservations/edit?key=" + g.Key
	a = b.submitForm(edit, "space", "new-york")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.body, "These times are now in America/New_York")
	g = b.savedGrant(b.post(edit, "zone", "America/New_York", "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "new-york"))
	require.Equal(t, utc(t, "2026-06-10T19:00:00Z"), g.StartsAt)

	// The host moves the booking while the visitor edits its name.
	f.push(t, `{"customer_key": "acme", "bookings": [{"booking_key": "`+g.Key+`", "space_keys": ["tokyo"]}]}`)
	after := b.savedGrant(b.post(edit, "zone", "America/New_York", "name", "Renamed", "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "tokyo"))
	require.Equal(t, g.StartsAt, after.StartsAt)
	require.Equal(t, g.EndsAt, after.EndsAt)

	// An invalid zone is ignored.
	for _, zone := range []string{"Local", "", "../etc/passwd", "Mars/Olympus"} {
		g := b.savedGrant(b.post(form, "zone", zone, "starts_at", "2026-06-10T15:00", "ends_at", "2026-06-11T11:00", "space", "tokyo"))
		require.Equal(t, utc(t, "2026-06-10T06:00:00Z"), g.StartsAt, zone)
	}
}

// Grants of many zones and times are saved with only the name changed.
func TestEditGrant_SavedAsShown_KeepsEveryInstant(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", `{"customer_key": "acme", `+places+`}`, `{}`, web.Options{})
	changes := map[string][]string{ // at which clocks change
		"berlin": {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"}, "new-york": {"2027-03-14T07:00:00Z", "2027-11-07T06:00:00Z"},
		"lord-howe": {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"}, "apia": {"2011-12-30T10:00:00Z"}, "sao-paulo": {"2018-11-04T03:00:00Z", "2018-02-18T02:00:00Z"},
		"sydney": {"2027-04-03T16:00:00Z"}, "tokyo": {"0001-01-01T00:00:01Z", "9999-12-31T22:00:00Z"}, "plain": {"1800-06-01T12:34:56.789Z"},
	}
	for space, times := range changes {
		for _, text := range times {
			for range 4 {
				at := utc(t, text).Add(time.Duration(random.IntN(240)) * 13 * time.Second)
				if at.Year() == 2011 || at.Year() == 2018 || at.Year() > 2020 {
					at = at.Add(-time.Duration(random.IntN(240)) * 13 * time.Second)
				}
				d := data.CustomerData{CustomerKey: "acme"}
				g := data.Booking("b1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindSpace, space)...)
				g.StartsAt, g.EndsAt = at, at.Add(time.Hour)
				d.Add(g)
				_, err := f.ws().Push(t.Context(), d)
				require.NoError(t, err)
				name := "Saved " + at.String()
				after := b.savedGrant(b.submitForm(b.home+"reservations/edit?key=b1", "name", name))
				require.Equal(t, name, after.Name)
				require.Equal(t, at.UTC(), after.StartsAt.UTC(), space)
				require.Equal(t, g.EndsAt.UTC(), after.EndsAt.UTC(), space)
			}
		}
	}
}

// The booking is moved from Lisbon to Tokyo while the form is open. The visitor changes only the title.
func TestEditForm_RoomMovedToAnotherZone_KeepsTimes(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	place := func(key, zone string) data.Space {
		s := data.PlainSpace(key, key)
		s.Details.TimeZone = zone
		return s
	}
	stay := data.Booking("b2", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindSpace, "loft")...).During(at(20, 15), at(22, 11))
	f.pushResources(t, place("loft", "Europe/Lisbon"), place("tower", "Asia/Tokyo"), stay)
	path := b.home + "reservations/edit?key=b2"
	form := withValues(formValues(t, b.get(path)), "name", "Typed")
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b2", Spaces: data.Refs(data.KindSpace, "tower")})
	a := b.submit(path, form)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	g, err := f.ws().AccessGrant(t.Context(), "b2")
	require.NoError(t, err)
	require.Equal(t, []any{"Typed", at(20, 15), at(22, 11), data.Refs(data.KindSpace, "tower")}, []any{g.Name, g.StartsAt, g.EndsAt, g.Spaces})
}
