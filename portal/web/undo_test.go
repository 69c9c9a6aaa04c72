package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var undoButton = regexp.MustCompile(`<button class="small">Undo<`)

// TestUndo_AfterAPushOfTheHost_ExplainsWhatHasChanged undoes a click after the host has pushed something.
func TestUndo_AfterAPushOfTheHost_ExplainsWhatHasChanged(t *testing.T) {
	t.Parallel()
	booking := func(change func(*data.AccessGrant)) data.Resource {
		g := data.AccessGrant{Kind: data.KindBooking, Key: "b1"}
		change(&g)
		return g
	}
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	for name, c := range map[string]struct {
		path, label string
		push        []data.Resource
		after       time.Duration
		undone      bool
		want        []string
	}{
		"another field":  {"reservations/extend?key=b1", "+1 night", []data.Resource{booking(func(g *data.AccessGrant) { g.Name = "Pushed" })}, 0, true, nil},
		"the same field": {"reservations/extend?key=b1", "+1 night", []data.Resource{booking(func(g *data.AccessGrant) { g.EndsAt = at(28, 11) })}, 0, false, []string{"Somebody else has changed this since. It is now:", "<dt>Check-out</dt><dd>Sat, Mar 28, 2026, 11:00 AM</dd>"}},
		"the room": {
			movePath, "Room 102", []data.Resource{booking(func(g *data.AccessGrant) { g.Spaces, g.Clear = data.Refs(data.KindRoom, "103"), []string{"room_keys"} })},
			0, false, []string{"<dt>Rooms</dt><dd>Room 103</dd>"},
		},
		"a booking of the room": {movePath, "Room 102", []data.Resource{data.Guest("bob", "Bob"), bobIn("101", at(21, 15), at(23, 11))}, time.Second, false, []string{"Room 101 is no longer free."}},
		"a later start": {
			"reservations/extend?key=b1", "+1 night", []data.Resource{booking(func(g *data.AccessGrant) { g.StartsAt = at(22, 15) })}, 0, false,
			[]string{"Somebody else has changed this since. It is now:", "<dt>Check-in</dt><dd>Sun, Mar 22, 2026, 3:00 PM</dd>"},
		},
		"a booking of its site":   {movePath, "Room 102", []data.Resource{wholeSite("lisbon", at(21, 15), at(22, 11))}, time.Second, false, []string{"Room 101 is no longer free."}},
		"ten minutes":             {movePath, "Room 102", nil, 10 * time.Minute, false, []string{"More than ten minutes have passed."}},
		"nothing":                 {"reservations/cancel?key=b1", "Cancel now", nil, 0, true, nil},
		"the cancelled booking":   {"reservations/cancel?key=b1", "Cancel now", []data.Resource{innData().AccessGrants[0]}, 0, false, []string{"Weekend is already back in the list"}},
		"a booking in its place":  {"reservations/cancel?key=b1", "Cancel now", []data.Resource{data.Guest("bob", "Bob"), bobIn("101", at(21, 15), at(23, 11))}, time.Second, false, []string{"is gone or no longer free"}},
		"cancelled long ago":      {"reservations/cancel?key=b1", "Cancel now", nil, 10 * time.Minute, false, []string{"More than ten minutes have passed."}},
		"the staff is unchanged":  {"staff/remove?key=eve", "Remove", nil, 0, true, nil},
		"the staff member":        {"staff/remove?key=eve", "Remove", []data.Resource{eve}, 0, false, []string{"Eve is already back in the list"}},
		"a staff member long ago": {"staff/remove?key=eve", "Remove", nil, 10 * time.Minute, false, []string{"More than ten minutes have passed."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, _ := setupInn(t, portal.Config{})
			before := f.export(t)
			done := b.follow(b.press(b.home+c.path, b.get(b.home+c.path), c.label))
			require.NotEmpty(t, noticeOf(done))
			f.clock.Set(f.clock.Now().Add(c.after))
			if len(c.push) > 0 {
				f.pushResources(t, c.push...)
			}
			pushed := f.export(t)
			a := b.press(b.home, done, "Undo")
			if c.undone {
				require.Contains(t, noticeOf(b.follow(a)), "the change is undone")
				if len(c.push) == 0 {
					require.Equal(t, before, f.export(t))
				}
				return
			}
			require.Equal(t, http.StatusConflict, a.StatusCode)
			require.Contains(t, a.body, "<h1>This can no longer be undone</h1>")
			for _, text := range c.want {
				require.Contains(t, a.body, text)
			}
			require.Equal(t, pushed, f.export(t))
			require.NotRegexp(t, undoButton, b.get(b.home).body, "a failed undo is not offered again")
		})
	}
}

// TestUndo_LaterPages_OfferItForTenMinutes looks at other pages after the notice was shown.
func TestUndo_LaterPages_OfferItForTenMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, label  string
		offer, other []string
	}{
		{"reservations/extend?key=b1", "+1 night", []string{"", bookingPage}, []string{"reservations", "staff", "guests", "spaces/view?key=101"}},
		{"reservations/cancel?key=b1", "Cancel now", []string{"", "reservations"}, []string{"staff", "guests"}},
		{"staff/remove?key=eve", "Remove", []string{"staff"}, []string{"", "reservations", bookingPage}},
	} {
		f, b, _ := setupInn(t, portal.Config{})
		shown := noticeOf(b.follow(b.press(b.home+c.path, b.get(b.home+c.path), c.label)))
		require.NotEmpty(t, shown)
		f.clock.Set(f.clock.Now().Add(10*time.Minute - time.Second))
		for _, path := range c.offer {
			a := b.get(b.home + path)
			require.Regexp(t, undoButton, a.body, path)
			require.Contains(t, a.body, `<div class="notice undo"><p>`+shown+"</p>")
			require.Empty(t, noticeOf(a), "the notice appears once")
		}
		for _, path := range c.other {
			require.NotRegexp(t, undoButton, b.get(b.home+path).body, path)
		}
		f.clock.Set(f.clock.Now().Add(time.Second))
		for _, path := range c.offer {
			require.NotRegexp(t, undoButton, b.get(b.home+path).body, path)
		}
	}
}

func TestUndo_PortalThatBecameReadOnly_DoesNotOfferIt(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	done := b.follow(b.press(b.home+bookingPage, b.get(b.home+bookingPage), "+1 night"))
	page, err := f.portals.List(t.Context(), f.ws(), "acme", 1, "")
	require.NoError(t, err)
	_, err = f.portals.UpdateConfig(t.Context(), f.ws(), page.Items[0].ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
	require.NoError(t, err)
	require.NotRegexp(t, undoButton, b.get(b.home+bookingPage).body)
	require.Equal(t, http.StatusForbidden, b.press(b.home, done, "Undo").StatusCode)
	require.Equal(t, at(23, 11), f.booking(t, "b1").EndsAt)
}

func TestUndo_OtherText_IsRefused(t *testing.T) {
	t.Parallel()
	_, b, _ := setupInn(t, portal.Config{})
	for _, text := range []string{"", "x", "e30", "bm90IEpTT04"} {
		require.Equal(t, http.StatusBadRequest, b.post(b.home+"undo", "undo", text).StatusCode, text)
		b.cookies["__Host-portal-undo-"+strings.Split(b.home, "/")[2]] = text
		require.NotRegexp(t, undoButton, b.get(b.home).body)
	}
}

// TestUndo_BookingWithManySpaces_FitsIntoACookie moves a guest whose other spaces do not fit into a cookie.
func TestUndo_BookingWithManySpaces_FitsIntoACookie(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	g := data.AccessGrant{Kind: data.KindBooking, Key: "b1"}
	for i := range 30 {
		area := data.CommonArea(strings.Repeat("x", 100+i), "Area")
		f.pushResources(t, area)
		g.Spaces = append(g.Spaces, area.Ref())
	}
	f.pushResources(t, g)
	a := b.press(b.home+movePath, b.get(b.home+movePath), "Room 102")
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	for _, cookie := range a.Header["Set-Cookie"] {
		require.Less(t, len(cookie), 4096)
	}
	require.NotRegexp(t, undoButton, b.follow(a).body)
}
