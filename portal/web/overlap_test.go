package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// wholeSite is a booking of a site, and of spaces if the site is named for its entrances.
func wholeSite(site string, from, until time.Time, and ...data.Ref) data.Resource {
	return data.Booking("b2", data.Ref{}, append(and, data.Ref{Kind: data.KindSite, Key: site})...).During(from, until)
}

func TestOverlap_BookingOfTheSite_CountsForItsRooms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other   data.Resource
		clashes bool
	}{
		"the whole site":       {wholeSite("lisbon", at(20, 15), at(24, 11)), true},
		"another site":         {wholeSite("porto", at(20, 15), at(24, 11)), false},
		"its entrances":        {wholeSite("lisbon", at(20, 15), at(24, 11), data.Ref{Kind: data.KindRoom, Key: "103"}), false},
		"the site at the time": {wholeSite("lisbon", at(22, 11), at(22, 23)), true},
		"the site before":      {wholeSite("lisbon", at(18, 11), at(20, 15)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, _ := setupInn(t, portal.Config{})
			f.pushResources(t, data.Room("104", "Room 104").In("lisbon"), c.other)
			check := func(step string, a response) {
				t.Helper()
				if !c.clashes {
					require.Equal(t, http.StatusSeeOther, a.StatusCode, step)
					return
				}
				require.Equal(t, http.StatusConflict, a.StatusCode, step)
				require.Contains(t, a.body, `<bdi translate="no">Lisbon</bdi>`, step)
			}
			if name != "the site at the time" {
				page := b.get(b.home + movePath)
				require.Equal(t, c.clashes, regexp.MustCompile(`(?s)Taken at that time.*Room 102`).MatchString(page.body))
				check("move", b.press(b.home+movePath, page, "Room 102"))
			}
			check("new", b.post(b.home+"reservations/new", "guest_name", "Eve", "space", "104", "starts_at", "2026-03-22T10:00", "ends_at", "2026-03-22T20:00", "zone", "UTC", "token", "0123456789abcdef"))
			check("extend", b.press(b.home+bookingPage, b.get(b.home+bookingPage), "+1 night"))
		})
	}
}

func TestOverlap_WholeSiteIsExtended_RoomsInItCount(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, wholeSite("lisbon", at(15, 15), at(20, 11)))
	path := b.home + "reservations/extend?key=b2"
	a := b.press(path, b.get(path), "+1 night")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Weekend")
	require.Contains(t, a.body, `<bdi translate="no">Room 101</bdi>`)
	require.Equal(t, http.StatusSeeOther, b.press(path, a, "Extend anyway").StatusCode)
}

func TestOverlap_NewBooking_RoomsOfATakenSiteAreTaken(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, data.Room("900", "Room 900").In("porto"), wholeSite("lisbon", at(24, 15), at(28, 11)))
	require.Equal(t, []string{"900", "101!", "102!", "103!"}, picked(b.get(b.home+"reservations/new?from=2026-03-25").body))
	f.pushResources(t, wholeSite("lisbon", at(24, 15), at(28, 11), data.Ref{Kind: data.KindRoom, Key: "103"}))
	require.Equal(t, []string{"101", "102", "900", "103!"}, picked(b.get(b.home+"reservations/new?from=2026-03-25").body))
}

// TestMove_RoomInAnotherZoneIsTakenAtTheShiftedTimes moves a guest to a room that is taken at the times at which the guest would be in it,
// and not at the present times of the stay.
func TestMove_RoomInAnotherZoneIsTakenAtTheShiftedTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other   data.Resource
		clashes bool
	}{
		"only at the shifted times": {bobIn("901", at(22, 11), at(22, 12)), true},
		"only at the present times": {bobIn("901", at(20, 15), at(20, 16)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, _ := setupInn(t, portal.Config{})
			site := data.Site("funchal", "Azores")
			site.Details.TimeZone = "Atlantic/Azores" // one hour behind UTC in this week
			f.pushResources(t, site, data.Room("901", "Room 901").In("funchal"), data.Guest("bob", "Bob"), c.other)
			page := b.get(b.home + movePath)
			targets := moveTargets(page.body)
			if c.clashes {
				require.Equal(t, []string{"102", "103", "901"}, targets)
				require.Regexp(t, `(?s)Taken at that time.*Room 901`, page.body)
			} else {
				require.NotContains(t, page.body, "Taken at that time")
			}
			a := b.press(b.home+movePath, page, "Room 901")
			if c.clashes {
				require.Equal(t, http.StatusConflict, a.StatusCode)
				require.Contains(t, a.body, ">Bob</bdi>")
				return
			}
			require.Equal(t, http.StatusSeeOther, a.StatusCode)
		})
	}
}

// TestMove_VeryManyBookings_SaysThatNotAllWereCompared has more bookings than the pages compare.
func TestMove_VeryManyBookings_SaysThatNotAllWereCompared(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	const unsure = "not everything could be checked"
	require.NotContains(t, b.get(b.home+movePath).body, unsure)
	var many []data.Resource
	for i := range 2600 {
		many = append(many, data.Booking(fmt.Sprintf("m%d", i), data.Ref{}, data.Refs(data.KindRoom, "102")...).During(at(21, 0).Add(time.Duration(i)*time.Minute), at(21, 0).Add(time.Duration(i+1)*time.Minute)))
	}
	f.pushResources(t, many[:1900]...)
	require.NotContains(t, b.get(b.home+movePath).body, unsure)
	f.pushResources(t, append(many[1900:], data.AccessGrant{Kind: data.KindBooking, Key: "b1", EndsAt: at(28, 11)})...)
	page := b.get(b.home + movePath)
	require.Contains(t, page.body, unsure)
	require.Contains(t, b.get(b.home+"reservations/new?from=2026-03-21").body, "Taken")
	f.pushResources(t, bobIn("103", at(27, 11), at(28, 11)), data.Guest("bob", "Bob"))
	require.Equal(t, http.StatusConflict, b.press(b.home+movePath, b.get(b.home+movePath), "Room 103").StatusCode, "the warning comes all the same")
}

func TestUndo_RoomIsGone_IsExplained(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	done := b.follow(b.press(b.home+movePath, b.get(b.home+movePath), "Room 102"))
	_, err := f.ws().Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
	require.NoError(t, err)
	a := b.press(b.home, done, "Undo")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Something that belongs to it is gone or no longer free.")
	require.Equal(t, data.Refs(data.KindRoom, "102"), f.booking(t, "b1").Spaces)
}
