package web_test

import (
	"encoding/base64"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var noticeText = regexp.MustCompile(`(?s)<div class="notice done" role="status"><p>(.*?)</p>`)

// noticeOf returns the notice of a page, or "" if it has none.
func noticeOf(a response) string {
	if found := noticeText.FindStringSubmatch(a.body); found != nil {
		return html.UnescapeString(found[1])
	}
	return ""
}

// openNoticePortal opens a portal whose reservation r1 ends on March 16.
func openNoticePortal(t *testing.T, config portal.Config) (*fixture, *browser) {
	t.Helper()
	f := newFixture(t)
	_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
		s.BusinessVertical = hotel
		return nil
	})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{Config: config}).URL.Reveal())
	return f, b
}

func TestNotice_EachAction_NamesWhatWasDoneOnce(t *testing.T) {
	t.Parallel()
	_, b := openNoticePortal(t, portal.Config{})
	for _, row := range []struct {
		path  string
		typed []string
		want  string
	}{
		{"reservations/edit?key=r1", []string{"ends_at", "2026-03-18T11:00"}, "Ada: the stay is extended to Wed, Mar 18, 2026, 11:00 AM."},
		{"reservations/edit?key=r1", []string{"ends_at", "2026-03-17T11:00"}, "Ada: the stay now ends on Tue, Mar 17, 2026, 11:00 AM."},
		{"reservations/edit?key=r1", []string{"space", "102"}, "Ada now has access to Room 102."},
		{"reservations/edit?key=r1", []string{"preferred_code", "4711"}, "Ada: your changes are saved."},
		{"reservations/edit?key=r1", []string{"name", "Honeymoon"}, "Honeymoon: your changes are saved."},
		{"reservations/edit?key=r1", nil, "Honeymoon: your changes are saved."},
		{"reservations/new?guest=ada", []string{"space", "101", "starts_at", "2026-03-20T15:00", "ends_at", "2026-03-22T11:00"}, "Ada: the booking has been created."},
		{"reservations/new", []string{"guest_name", "Grace <b>", "space", "101", "starts_at", "2026-04-20T15:00", "ends_at", "2026-04-22T11:00"}, "Grace <b>: the booking has been created."},
		{"reservations/cancel?key=r1", nil, "Honeymoon: the booking is cancelled. Access has ended."},
		{"staff/new", []string{"name", "Zoe"}, "Zoe is on the staff now."},
		{"staff/edit?key=eve", []string{"name", "Eva"}, "Eva: your changes are saved."},
		{"staff/spaces?key=eve", []string{"space", "102"}, "Eva now serves Room 102."},
		{"staff/spaces?key=eve", []string{"space", ""}, "Eva: nothing is assigned now."},
		{"staff/remove?key=eve", nil, "Eva is no longer on the staff."},
		{"spaces/new", []string{"name", "Pool", "kind", "common_area"}, "Pool has been created."},
		{"spaces/rename?key=101", []string{"name", "Suite"}, "Room 101 is now called Suite."},
		{"spaces/rename?key=101", nil, "Suite: your changes are saved."},
		{"spaces/move?key=101", []string{"parent_site_key", ""}, "Suite no longer belongs to a site."},
		{"spaces/move?key=101", []string{"parent_site_key", "lisbon"}, "Suite now belongs to the site Lisbon."},
		{"spaces/delete?key=101", nil, "Suite has been deleted."},
	} {
		form := withValues(formValues(t, b.get(b.home+row.path)), row.typed...)
		if form.Get("space") == "" {
			form.Del("space")
		}
		posted := b.submit(b.home+row.path, form)
		require.Equal(t, http.StatusSeeOther, posted.StatusCode, "%s: %s", row.path, posted.body)
		to := posted.Header.Get("Location")
		require.NotContains(t, to, "done", "the address can be stored and sent to others")
		require.Empty(t, noticeOf(b.do(http.MethodHead, to, nil)))
		require.Equal(t, row.want, noticeOf(b.get(to)), row.path)
		require.Empty(t, noticeOf(b.get(to)), "%s: loaded again", row.path)
	}
}

func TestNotice_DeletePostedTwice_NamesTheResource(t *testing.T) {
	t.Parallel()
	_, b := openNoticePortal(t, portal.Config{})
	for path, want := range map[string]string{
		"reservations/cancel?key=r1": "Ada: the booking is cancelled. Access has ended.", "staff/remove?key=eve": "Eve is no longer on the staff.", "spaces/delete?key=102": "Room 102 has been deleted.",
	} {
		form := formValues(t, b.get(b.home+path))
		for range 2 {
			require.Equal(t, want, noticeOf(b.follow(b.submit(b.home+path, form))), path)
		}
	}
}

func TestNotice_OtherLocaleAndVertical_HasItsWords(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"de-DE": "Ada: Der Aufenthalt ist bis Mi, 18. März 2026, 11:00 Uhr verlängert.", "fr-FR": "Ada\u00a0: le séjour est prolongé jusqu’au mer. 18 mars 2026 à 11:00.",
		"pl-PL": "Ada: pobyt przedłużono do śr., 18 mar 2026, 11:00.",
	} {
		_, b := openNoticePortal(t, portal.Config{Locale: locale})
		path := b.home + "reservations/edit?key=r1"
		require.Equal(t, want, noticeOf(b.follow(b.submit(path, withValues(formValues(t, b.get(path)), "ends_at", "2026-03-18T11:00")))))
	}
	f := newFixture(t) // the neutral vertical has no stays
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	path := b.home + "reservations/edit?key=r1"
	require.Equal(t, "Ada: access is extended to Wed, Mar 18, 2026, 11:00 AM.", noticeOf(b.follow(b.submit(path, withValues(formValues(t, b.get(path)), "ends_at", "2026-03-18T11:00")))))
}

// The cookies of two portals that are open in one browser do not mix, and notices do not count as portals.
func TestNotice_OtherCookie_ShowsNothing(t *testing.T) {
	t.Parallel()
	_, b := openNoticePortal(t, portal.Config{})
	path := b.home + "staff/edit?key=eve"
	require.Equal(t, http.StatusSeeOther, b.post(path, "name", "Eva").StatusCode)
	name := ""
	for cookie := range b.cookies {
		if strings.Contains(cookie, "notice-") {
			name = cookie
		}
	}
	require.Equal(t, "__Host-portal-notice-"+strings.Split(b.home, "/")[2], name)
	for _, forged := range []string{"", "x", "bm90IEpTT04", base64.RawURLEncoding.EncodeToString([]byte(`{"k":"problem.internal.title","v":[]}`)), base64.RawURLEncoding.EncodeToString([]byte(`{"k":"done.created.x"}`))} {
		b.cookies[name] = forged
		a := b.get(b.home + "staff")
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Empty(t, noticeOf(a), forged)
	}
	b.cookies[name] = base64.RawURLEncoding.EncodeToString([]byte(`{"k":"done.added","v":["name"]}`))
	require.Equal(t, "{name} is on the staff now.", noticeOf(b.get(b.home+"staff")), "a value is missing")
}

func TestNotice_LongNames_FitIntoACookie(t *testing.T) {
	t.Parallel()
	f, b := openNoticePortal(t, portal.Config{})
	long := strings.Repeat("Ж", 200)
	d := data.CustomerData{CustomerKey: "acme"}
	for _, key := range []string{"long1", "long2", "long3", "long4"} {
		d.Add(data.Room(key, long))
	}
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	path := b.home + "reservations/edit?key=r1"
	form := formValues(t, b.get(path))
	form["space"] = []string{"long1", "long2", "long3", "long4"}
	posted := b.submit(path, form)
	require.Less(t, len(posted.Header.Get("Set-Cookie")), 4096)
	require.Equal(t, "Ada now has access to "+strings.Repeat("Ж", 119)+"….", noticeOf(b.follow(posted)))
}
