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
	"github.com/customerportal-go/customerportal/portal/web"
)

// staffed has a staff member without times, and a room.
const staffed = `{"customer_key": "acme", "rooms": [{"room_key": "101", "name": "Room 101"}, {"room_key": "102", "name": "Room 102"}],
	"staff_members": [{"staff_member_key": "eve", "name": "Eve", "room_keys": ["101"]}]}`

const inTokyo = `{"time_zone": "Asia/Tokyo"}`

func (f *fixture) staffMember(t *testing.T, key string) data.UserIdentity {
	t.Helper()
	u, err := f.ws().UserIdentity(t.Context(), key)
	require.NoError(t, err)
	return u
}

// save posts the form of a page with other values of some fields.
func (b *browser) save(path string, pairs ...string) response {
	b.t.Helper()
	return b.submit(path, withValues(formValues(b.t, b.get(path)), pairs...))
}

func TestNewStaff_WithTimes_AreSavedAndShownInTheZoneOfThePortal(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", staffed, inTokyo, web.Options{})
	form := b.home + "staff/new"
	require.Contains(t, b.get(form).body, "Times are in Asia/Tokyo")
	a := b.save(form, "name", "Zoe", "starts_at", "2026-05-30T08:00", "ends_at", "2026-12-03T18:00", "space", "102")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	page := b.follow(a)
	for _, text := range []string{"<dt>From</dt>", "Sat, May 30, 2026, 8:00 AM", "<dt>Until</dt>", "Thu, Dec 3, 2026, 6:00 PM"} {
		require.Contains(t, page.body, text)
	}
	list := b.get(b.home + "staff").body
	require.Equal(t, "Zoe Room 102 Until Dec 3 –", rowOf(t, list, "Zoe"))
	require.Equal(t, "Eve Room 101 –", rowOf(t, list, "Eve"))
	require.NotContains(t, b.get(b.home+"staff/view?key=eve").body, "<dt>From</dt>")
	// The form was shown before the zone of the portal changed.
	a = b.save(form, "name", "Max", "ends_at", "2026-12-03T18:00", "zone", "Europe/Lisbon", "space", "102")
	require.Contains(t, b.follow(a).body, "Fri, Dec 4, 2026, 3:00 AM")
	all, err := f.ws().UserIdentities(t.Context(), data.Query{CustomerKey: "acme", Text: "Zoe"})
	require.NoError(t, err)
	require.Equal(t, []time.Time{utc(t, "2026-05-29T23:00:00Z"), utc(t, "2026-12-03T09:00:00Z")}, []time.Time{all.Items[0].StartsAt, all.Items[0].EndsAt})
}

func TestAssignStaff_Times_AreEditedAlone(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", staffed, inTokyo, web.Options{})
	exact := utc(t, "2026-06-01T00:00:00.5Z")
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...).During(exact, time.Time{})
	f.pushResources(t, eve)
	form := b.home + "staff/spaces?key=eve"
	require.Regexp(t, `name="starts_at"[^>]* autofocus`, b.get(form+"&focus=starts_at").body)
	require.Equal(t, "2026-06-01T09:00", inputValues(b.get(form).body)["starts_at"])
	a := b.save(form, "ends_at", "2026-06-10T18:00")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	require.Contains(t, b.follow(a).body, "your changes are saved.")
	u := f.staffMember(t, "eve")
	require.Equal(t, []time.Time{exact, utc(t, "2026-06-10T09:00:00Z")}, []time.Time{u.StartsAt, u.EndsAt})
	require.Equal(t, eve.Spaces, u.Spaces)

	require.Equal(t, http.StatusSeeOther, b.save(form, "starts_at", "", "space", "102").StatusCode)
	u = f.staffMember(t, "eve")
	require.Zero(t, u.StartsAt)
	require.Equal(t, utc(t, "2026-06-10T09:00:00Z"), u.EndsAt)
	require.Equal(t, data.Refs(data.KindRoom, "102"), u.Spaces)
	require.NotContains(t, b.get(b.home+"staff/view?key=eve").body, "<dt>From</dt>")

	// The form was shown before the zone of the portal changed.
	require.Equal(t, http.StatusSeeOther, b.post(form, "zone", "Europe/Lisbon", "ends_at", "2026-06-11T18:00", "space", "102").StatusCode)
	require.Equal(t, utc(t, "2026-06-11T17:00:00Z"), f.staffMember(t, "eve").EndsAt)
}

func TestStaffForms_InvalidTimes_AreReportedAtTheirFieldsAndChangeNothing(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", staffed, inTokyo, web.Options{})
	before := f.export(t)
	for _, path := range []string{"staff/new", "staff/spaces?key=eve"} {
		for _, c := range []struct{ starts, ends, field, text string }{
			{"2026-06-10T18:00", "2026-06-10T18:00", "ends_at", "The end must be after the start."},
			{"2026-06-10T18:00", "2026-06-09T18:00", "ends_at", "The end must be after the start."},
			{"tomorrow", "2026-06-09T18:00", "starts_at", "Enter a day and a time."},
			{"", "2026-06-31T18:00", "ends_at", "Enter a day and a time."},
			{"0001-01-01T00:01", "", "starts_at", "This is outside of what is allowed."},
		} {
			name := fmt.Sprint(path, " ", c.starts, " ", c.ends)
			a := b.save(b.home+path, "name", "Zoe", "starts_at", c.starts, "ends_at", c.ends, "space", "102")
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, name)
			require.Contains(t, a.body, `<p class="error" id="e-`+c.field+`">`+c.text, name)
			values := inputValues(a.body)
			require.Equal(t, []string{c.starts, c.ends}, []string{values["starts_at"], values["ends_at"]}, name)
			require.Regexp(t, `value="102"[^>]* checked`, a.body, name)
			require.Equal(t, before, f.export(t), name)
		}
	}
	a := b.save(b.home+"staff/new", "name", "", "starts_at", "tomorrow")
	require.Contains(t, a.body, `id="e-name"`, "the page reports all faults together")
	require.Contains(t, a.body, `id="e-starts_at"`)
}

func TestStaffList_Times_AreShownByState(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T08:00:00Z", staffed, inTokyo, web.Options{})
	now := f.clock.Now()
	for name, c := range map[string]struct {
		starts, ends time.Time
		want         string
	}{
		"Started":  {starts: now},
		"Coming":   {starts: now.Add(24 * time.Hour), ends: now.Add(48 * time.Hour), want: `<span class="chip upcoming">From Jun 2</span>`},
		"Ending":   {ends: now.Add(15 * time.Hour), want: `<span class="chip current">Until Jun 2</span>`}, // in Tokyo
		"Ended":    {ends: now, want: `<span class="chip ended">Ended on Jun 1</span>`},
		"NextYear": {starts: now, ends: now.Add(365 * 24 * time.Hour), want: `<span class="chip current">Until Jun 1, 2027</span>`},
	} {
		f.pushResources(t, data.StaffMember(name, name, data.Refs(data.KindRoom, "101")...).During(c.starts, c.ends))
		list := b.get(b.home + "staff").body
		require.Contains(t, list, c.want)
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(c.want, "")
		require.Equal(t, strings.Join(strings.Fields(name+" Room 101 "+text+" –"), " "), rowOf(t, list, name))
	}
}
