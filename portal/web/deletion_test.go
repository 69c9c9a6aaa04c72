package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// The data changes between the page that asks and the request that deletes.
func TestDeletions_ChangedMeanwhile_AskAgain(t *testing.T) {
	t.Parallel()
	for path, change := range map[string][]data.Resource{
		"reservations/cancel?key=b1": {data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Somebody else's"}},
		"staff/remove?key=eve":       {data.StaffMember("eve", "Eva", data.Refs(data.KindRoom, "101")...)},
		"spaces/delete?key=lisbon":   {data.Room("104", "Room 104").In("lisbon")},
	} {
		f, b, _ := setupInn(t, portal.Config{})
		form := formValues(t, b.get(b.home+path))
		f.pushResources(t, change...)
		stored := f.export(t)
		a := b.submit(b.home+path, form)
		require.Equal(t, http.StatusConflict, a.StatusCode, path)
		require.Contains(t, a.body, "has changed since you opened the page", path)
		require.Equal(t, stored, f.export(t), "%s: nothing is deleted", path)

		form = formValues(t, a)
		a = b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		require.Less(t, f.export(t).Len(), stored.Len(), path)
		again := b.submit(b.home+path, form)
		require.Equal(t, http.StatusSeeOther, again.StatusCode, "%s: sent twice", path)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
	}
}

var textOfTags = regexp.MustCompile(`<[^>]*>`)

// affectedOf returns the texts of the groups of people that a page that asks before a delete names.
func affectedOf(body string) (out []string) {
	for _, found := range regexp.MustCompile(`(?s)<section class="(?:notice warn|affected)">(.*?)</section>`).FindAllStringSubmatch(body, -1) {
		out = append(out, strings.Join(strings.Fields(textOfTags.ReplaceAllString(found[1], " ")), " "))
	}
	return out
}

// setupFull returns a hotel with this many guests in house and this many still to come, one each day, and one guest who has left.
func setupFull(t *testing.T, here, later int) (*fixture, *browser) {
	t.Helper()
	f, b, _ := setupInn(t, portal.Config{})
	_, err := f.ws().Delete(t.Context(), data.Selection{Resources: []data.Ref{{Kind: data.KindBooking, Key: "b1"}}})
	require.NoError(t, err)
	add := func(key string, from, until int) {
		guest := data.Guest("g-"+key, "Guest "+key)
		f.pushResources(t, guest, data.Booking("b-"+key, guest.Ref(), data.Refs(data.KindRoom, "101")...).During(at(from, 15), at(until, 11)))
	}
	add("left", 10, 12)
	for i := range here {
		add(fmt.Sprint("here", i), 13, 15+i)
	}
	for i := range later {
		add(fmt.Sprint("later", i), 20+i, 21+i)
	}
	return f, b
}

func TestDeletions_PeopleConcerned_AreNamed(t *testing.T) {
	t.Parallel()
	_, b := setupFull(t, 3, 7)
	const inHouse = "3 guests are in house Guest here0 Room 101 Check-out Sun, Mar 15, 2026, 11:00 AM Guest here1 Room 101 Check-out Mon, Mar 16, 2026, 11:00 AM Guest here2 Room 101 Check-out Tue, Mar 17, 2026, 11:00 AM"
	later := "7 guests are still to arrive"
	for i := range 5 {
		later += fmt.Sprintf(" Guest later%d Room 101 Check-in %s", i, at(20+i, 15).Format("Mon, Jan 2, 2006, 3:04 PM"))
	}
	later += " and 2 more"
	for path, want := range map[string][]string{
		"spaces/delete?key=101":            {inHouse, later, "1 staff member loses access here Eve"},
		"spaces/delete?key=lisbon":         {inHouse, later, "1 staff member loses access here Eve"},
		"spaces/delete?key=102":            nil,
		"spaces/delete?key=porto":          nil,
		"reservations/cancel?key=b-here1":  {"1 guest is in house Guest here1 Room 101 Check-out Mon, Mar 16, 2026, 11:00 AM"},
		"reservations/cancel?key=b-later1": nil,
		"reservations/cancel?key=b-left":   nil,
		"staff/remove?key=eve":             nil,
	} {
		a := b.get(b.home + path)
		require.Equal(t, http.StatusOK, a.StatusCode, path)
		require.Equal(t, want, affectedOf(a.body), path)
		require.NotContains(t, a.body, "typed_name", path)
	}
}

// A guest checks in, so the page that the visitor saw does not name everybody in house.
func TestDeletions_GuestArrivesMeanwhile_AskAgain(t *testing.T) {
	t.Parallel()
	f, b := setupFull(t, 1, 1)
	path := b.home + "spaces/delete?key=101"
	form := formValues(t, b.get(path))
	_, err := f.ws().Push(t.Context(), data.CustomerData{CustomerKey: "acme", AccessGrants: []data.AccessGrant{{Kind: data.KindBooking, Key: "b-later0", StartsAt: at(13, 15)}}})
	require.NoError(t, err)
	stored := f.export(t)
	a := b.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "2 guests are in house")
	require.Equal(t, stored, f.export(t))
}

func TestDeletions_MoreThan20Resources_NeedTheName(t *testing.T) {
	t.Parallel()
	for _, guests := range []int{17, 18} { // with the room, Eve and the guest who has left, 20 or 21 resources
		f, b := setupFull(t, 0, guests)
		path := b.home + "spaces/delete?key=101"
		a := b.get(path)
		form := formValues(t, a)
		if guests == 17 {
			require.NotContains(t, a.body, "typed_name")
			require.Equal(t, http.StatusSeeOther, b.submit(path, form).StatusCode)
			continue
		}
		require.Contains(t, a.body, "Type the name to confirm")
		stored := f.export(t)
		for _, typed := range []string{"", "Room", "Room 1011", "102"} {
			a = b.submit(path, withValues(form, "typed_name", typed))
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, typed)
			require.Contains(t, a.body, "This is not the name. Nothing was deleted.")
		}
		require.Equal(t, http.StatusUnprocessableEntity, b.post(path).StatusCode, "a request that did not come from the page")
		require.Equal(t, stored, f.export(t))
		f.pushResources(t, data.Room("101", "Suite"))
		require.Equal(t, http.StatusConflict, b.submit(path, withValues(form, "typed_name", "Room 101")).StatusCode, "the name has changed")
		form = formValues(t, b.get(path))
		a = b.submit(path, withValues(form, "typed_name", "  suite "))
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		require.Less(t, f.export(t).Len(), stored.Len())
		require.Equal(t, http.StatusSeeOther, b.submit(path, withValues(form, "typed_name", "  suite ")).StatusCode, "sent twice")
	}
}
