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

var targetButton = regexp.MustCompile(`<button name="space" value="([^"]*)">`)

// moveTargets returns the keys of the spaces to which the page can move a guest, in their order.
func moveTargets(body string) (keys []string) {
	for _, found := range targetButton.FindAllStringSubmatch(body, -1) {
		keys = append(keys, found[1])
	}
	return keys
}

const movePath = "reservations/move?key=b1"

func TestMove_FreeRooms_ComeFirstAndTheCodeRemains(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, data.Guest("bob", "Bob"), bobIn("102", at(21, 15), at(25, 11)), data.Room("100", "Room 100").In("porto"), data.Room("1001", "Room 1001").In("lisbon"))
	page := b.get(b.home + movePath)
	require.Equal(t, []string{"103", "1001", "100", "102"}, moveTargets(page.body), "free ones of the same site, free ones of others, taken ones")
	a := b.follow(b.press(b.home+movePath, page, "Room 103"))
	require.Equal(t, "Weekend: moved to Room 103.", noticeOf(a))
	g := f.booking(t, "b1")
	require.Equal(t, data.Refs(data.KindRoom, "103"), g.Spaces)
	require.Equal(t, "1234", g.PreferredCode)
	again := b.follow(b.press(b.home+movePath, page, "Room 103"))
	require.Equal(t, "Weekend: moved to Room 103.", noticeOf(again), "posted twice")
	b.follow(b.press(b.home+bookingPage, a, "Undo"))
	require.Equal(t, data.Refs(data.KindRoom, "101"), f.booking(t, "b1").Spaces)
}

func TestMove_TakenRoom_AsksFirst(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, data.Guest("bob", "Bob"), bobIn("102", at(21, 15), at(25, 11)))
	a := b.press(b.home+movePath, b.get(b.home+movePath), "Room 102")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, ">Bob</bdi>")
	require.Equal(t, data.Refs(data.KindRoom, "101"), f.booking(t, "b1").Spaces)
	require.Equal(t, http.StatusSeeOther, b.press(b.home+movePath, a, "Move anyway").StatusCode)
	require.Equal(t, data.Refs(data.KindRoom, "102"), f.booking(t, "b1").Spaces)
}

func TestMove_ChangedByTheHostMeanwhile_ShowsThePageAgain(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	page := b.get(b.home + movePath)
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Spaces: data.Refs(data.KindRoom, "102"), Clear: []string{"room_keys"}})
	a := b.press(b.home+movePath, page, "Room 103")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "This has changed since you opened the page.")
	require.Equal(t, data.Refs(data.KindRoom, "102"), f.booking(t, "b1").Spaces)
}

// TestMove_SeveralSpaces_OneIsReplaced moves a guest with two rooms and a common area.
func TestMove_SeveralSpaces_OneIsReplaced(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, data.CommonArea("pool", "Pool"))
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Spaces: append(data.Refs(data.KindRoom, "101", "102"), data.Refs(data.KindCommonArea, "pool")...)})
	page := b.get(b.home + movePath)
	require.Contains(t, page.body, "Which one should become free?")
	require.Empty(t, moveTargets(page.body))
	require.Equal(t, http.StatusConflict, b.post(b.home+movePath, "space", "103").StatusCode, "it is not known which room the guest leaves")
	path := b.home + "reservations/move?key=b1&out=101"
	require.Contains(t, page.body, `reservations/move?key=b1&amp;out=101"`)
	require.Equal(t, http.StatusSeeOther, b.press(path, b.get(path), "Room 103").StatusCode)
	var keys []string
	for _, ref := range f.booking(t, "b1").Spaces {
		keys = append(keys, ref.Key)
	}
	require.ElementsMatch(t, []string{"102", "103", "pool"}, keys)
}

func TestMove_BookingWithoutRoom_GetsOne(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Clear: []string{"room_keys"}})
	a := b.follow(b.press(b.home+movePath, b.get(b.home+movePath), "Room 102"))
	require.Equal(t, data.Refs(data.KindRoom, "102"), f.booking(t, "b1").Spaces)
	b.follow(b.press(b.home+bookingPage, a, "Undo"))
	require.Empty(t, f.booking(t, "b1").Spaces)
}

func TestMove_OtherTimeZone_KeepsTheLocalTimes(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	site := data.Site("funchal", "Azores")
	site.Details.TimeZone = "Atlantic/Azores"
	f.pushResources(t, site, data.Room("901", "Room 901").In("funchal"))
	before := f.booking(t, "b1")
	a := b.follow(b.press(b.home+movePath, b.get(b.home+movePath), "Room 901"))
	g := f.booking(t, "b1")
	require.Equal(t, []time.Time{before.StartsAt.Add(time.Hour), before.EndsAt.Add(time.Hour)}, []time.Time{g.StartsAt, g.EndsAt})
	b.follow(b.press(b.home+bookingPage, a, "Undo"))
	g = f.booking(t, "b1")
	require.Equal(t, []any{before.StartsAt, before.EndsAt, before.Spaces}, []any{g.StartsAt, g.EndsAt, g.Spaces})
}

// TestMove_PortalWithFilters_DoesNotCallRoomsFree has a portal that may hide a booking of a room.
func TestMove_PortalWithFilters_DoesNotCallRoomsFree(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
	south := data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "bob"}, data.Refs(data.KindRoom, "102")...).During(at(21, 15), at(25, 11))
	south.CustomMetadata = data.CustomMetadata{"region": "south"}
	f.pushResources(t, data.Guest("bob", "Bob"), south)
	body := b.get(b.home + movePath).body
	require.NotContains(t, body, "Free at that time")
	require.NotContains(t, body, "Bob")
}

func TestMove_ManyRooms_SearchFindsTheOthers(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	var rooms []data.Resource
	for i := range 250 {
		rooms = append(rooms, data.Room(fmt.Sprintf("r%03d", i), fmt.Sprintf("Suite %d", i)).In("porto"))
	}
	f.pushResources(t, rooms...)
	a := b.get(b.home + movePath)
	require.Len(t, moveTargets(a.body), 60)
	require.Contains(t, a.body, "There are more.")
	a = b.get(b.home + movePath + "&find=suite+249")
	require.Equal(t, []string{"r249"}, moveTargets(a.body))
	require.NotContains(t, a.body, "There are more.")
}
