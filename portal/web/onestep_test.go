package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var (
	postForm   = regexp.MustCompile(`(?s)<form method="post"([^>]*)>(.*?)</form>`)
	formButton = regexp.MustCompile(`(?s)<button([^>]*)>(.*?)</button>`)
	markupTag  = regexp.MustCompile(`<[^>]*>`)
)

// press presses the first button of a page whose text begins with a label, and returns the response. path is the path of the page.
func (b *browser) press(path string, page response, label string) response {
	b.t.Helper()
	action, form := b.button(path, page, label)
	return b.submit(action, form)
}

// button returns the path and the form that a browser posts for the first button whose text begins with a label.
func (b *browser) button(path string, page response, label string) (string, url.Values) {
	b.t.Helper()
	for _, found := range postForm.FindAllStringSubmatch(page.body, -1) {
		for _, button := range formButton.FindAllStringSubmatch(found[2], -1) {
			if !strings.HasPrefix(strings.TrimSpace(html.UnescapeString(markupTag.ReplaceAllString(button[2], ""))), label) {
				continue
			}
			form := url.Values{}
			for _, input := range formControl.FindAllStringSubmatch(found[2], -1) {
				of := attributes(input[1])
				form.Set(of["name"], of["value"])
			}
			if pressed := attributes(button[1]); pressed["name"] != "" {
				form.Set(pressed["name"], pressed["value"])
			}
			if action := attributes(found[1])["action"]; action != "" {
				path = action
			}
			return path, form
		}
	}
	require.Fail(b.t, "no button", "%q: %d %s", label, page.StatusCode, page.body)
	return "", nil
}

func (f *fixture) booking(t *testing.T, key string) data.AccessGrant {
	t.Helper()
	g, err := f.ws().AccessGrant(t.Context(), key)
	require.NoError(t, err)
	return g
}

// bobIn is a booking of Bob.
func bobIn(room string, from, until time.Time) data.Resource {
	return data.Booking("b2", data.Ref{Kind: data.KindGuest, Key: "bob"}, data.Refs(data.KindRoom, room)...).During(from, until)
}

const bookingPage = "reservations/view?key=b1"

func TestExtend_OneNightOnTheBookingsPage_TakesOneClickAndCanBeUndone(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	page := b.get(b.home + bookingPage)
	action, form := b.button(b.home+bookingPage, page, "+1 night")
	for range 2 { // a double click extends by one night
		a := b.follow(b.submit(action, form))
		require.Equal(t, "Weekend: the stay is extended to Mon, Mar 23, 2026, 11:00 AM.", noticeOf(a))
		require.Equal(t, at(23, 11), f.booking(t, "b1").EndsAt)
		page = a
	}
	a := b.follow(b.press(b.home+bookingPage, page, "Undo"))
	require.Equal(t, "Weekend: the change is undone.", noticeOf(a))
	require.Equal(t, at(22, 11), f.booking(t, "b1").EndsAt)
	require.NotContains(t, a.body, ">Undo<")
}

func TestExtend_RoomTakenByAnotherBooking_AsksFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other   data.Resource
		clashes bool
	}{
		"from the next afternoon":   {bobIn("101", at(22, 15), at(24, 11)), true},
		"until the end of the stay": {bobIn("101", at(19, 15), at(20, 11)), false},
		"from the new end":          {bobIn("101", at(23, 11), at(24, 11)), false},
		"in another room":           {bobIn("102", at(22, 15), at(24, 11)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, b, _ := setupInn(t, portal.Config{})
			f.pushResources(t, data.Guest("bob", "Bob & Co"), c.other)
			a := b.press(b.home+bookingPage, b.get(b.home+bookingPage), "+1 night")
			if !c.clashes {
				require.Equal(t, http.StatusSeeOther, a.StatusCode)
				require.Equal(t, at(23, 11), f.booking(t, "b1").EndsAt)
				return
			}
			require.Equal(t, http.StatusConflict, a.StatusCode)
			require.Equal(t, at(22, 11), f.booking(t, "b1").EndsAt, "nothing is saved yet")
			require.Contains(t, a.body, "Already taken at that time. Nothing was saved yet.")
			require.Regexp(t, `Bob &amp; Co</bdi></a> <span class="muted"><bdi translate="no">Room 101</bdi></span></span>\s*<span><time [^>]*>Sun, Mar 22, 2026, 3:00 PM</time>`, a.body)
			require.Equal(t, http.StatusSeeOther, b.press(b.home+"reservations/extend?key=b1", a, "Extend anyway").StatusCode)
			require.Equal(t, at(23, 11), f.booking(t, "b1").EndsAt)
		})
	}
}

func TestExtend_ChangedByTheHostMeanwhile_ShowsThePageAgain(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/extend?key=b1"
	page := b.get(path)
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", EndsAt: at(25, 11)})
	a := b.press(path, page, "+2 nights")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "This has changed since you opened the page.")
	require.Equal(t, at(25, 11), f.booking(t, "b1").EndsAt)
	require.Equal(t, http.StatusSeeOther, b.press(path, a, "+2 nights").StatusCode)
	require.Equal(t, at(27, 11), f.booking(t, "b1").EndsAt)
}

func TestExtend_LateCheckout_ReturnsToToday(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/extend?return=today&key=b1"
	a := b.press(path, b.get(path), "1:00 PM")
	require.Equal(t, b.home, a.Header.Get("Location"))
	require.Equal(t, at(22, 13), f.booking(t, "b1").EndsAt)
	require.Equal(t, "Weekend: the stay is extended to Sun, Mar 22, 2026, 1:00 PM.", noticeOf(b.follow(a)))

	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", EndsAt: at(22, 23)})
	require.NotContains(t, b.get(path).body, "Late check-out", "no full hour is left on that day")
	f.clock.Set(at(22, 12).Add(30 * time.Minute))
	b = reopen(t, f)
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", EndsAt: at(22, 11)})
	body := b.get(b.home + "reservations/extend?key=b1").body
	require.NotContains(t, body, ">12:00 PM<", "that time has passed")
	require.Contains(t, body, ">1:00 PM<")
}

// reopen opens a new portal, because the first one has expired.
func reopen(t *testing.T, f *fixture) *browser {
	t.Helper()
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	return b
}

func TestExtend_PickedTime_IsChecked(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/extend?key=b1"
	for until, fault := range map[string]string{"": "Please fill this in.", "tomorrow": "Enter a day and a time.", "2026-03-19T11:00": "The end must be after the start."} {
		a := b.post(path, "until", until)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, until)
		require.Contains(t, a.body, fault)
		require.Equal(t, at(22, 11), f.booking(t, "b1").EndsAt)
	}
	a := b.follow(b.press(path, b.get(path), "Save"))
	require.Equal(t, at(22, 11), f.booking(t, "b1").EndsAt)
	require.NotContains(t, a.body, ">Undo<", "nothing has changed")
	a = b.follow(b.post(path, "until", "2026-03-21T11:00"))
	require.Equal(t, "Weekend: the stay now ends on Sat, Mar 21, 2026, 11:00 AM.", noticeOf(a))
	b.follow(b.press(b.home+bookingPage, a, "Undo"))
	require.Equal(t, at(22, 11), f.booking(t, "b1").EndsAt)
}

// TestExtend_VerticalWithoutStays_OffersMonths extends a membership from the last day of a month, and another member has access to
// the same place.
func TestExtend_VerticalWithoutStays_OffersMonths(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = portal.VerticalGymManagement
		return nil
	})
	require.NoError(t, err)
	f.pushResources(t, data.Guest("bob", "Bob"), data.AccessGrant{Kind: data.KindBooking, Key: "b1", EndsAt: at(31, 11)}, bobIn("101", at(1, 0), at(31, 0).AddDate(1, 0, 0)))
	page := b.get(b.home + "reservations/extend?key=b1")
	require.NotContains(t, page.body, "night")
	require.NotContains(t, page.body, "Late check-out")
	require.Equal(t, http.StatusSeeOther, b.press(b.home+"reservations/extend?key=b1", page, "+1 month").StatusCode)
	require.Equal(t, time.Date(2026, 4, 30, 11, 0, 0, 0, time.UTC), f.booking(t, "b1").EndsAt)
}
