package web_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
)

func TestSearch_Reservations_ByGuestRoomCodeEmailPhoneAndReference(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.clock.Now()
	d := data.CustomerData{CustomerKey: "acme"}
	stay := data.Reservation("ref-48203", data.Ref{Kind: data.KindGuest, Key: "g1"}, data.Refs(data.KindRoom, "r1")...).During(now, now.Add(48*time.Hour))
	stay.PreferredCode = "482913"
	d.Add(
		data.Site("s1", "Hotel Lisboa"), data.Room("r1", "Suite Océane").In("s1"), data.Room("r2", "Zimmer Weiß").In("s1"),
		data.UserIdentity{Kind: data.KindGuest, Key: "g1", Name: "Renée Dupont", EmailAddress: "r.dupont@example.com", PhoneNumber: "(541)639-5376x7242"},
		data.Guest("g2", "Somebody Else"), data.StaffMember("m1", "Mia", data.Refs(data.KindRoom, "r2")...), stay,
		data.Reservation("ref-2", data.Ref{Kind: data.KindGuest, Key: "g2"}, data.Refs(data.KindRoom, "r2")...).During(now, now.Add(48*time.Hour)),
	)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	rows := func(path, text string) []string {
		a := b.get(b.home + path + "?q=" + url.QueryEscape(text))
		require.Equal(t, 200, a.StatusCode)
		var out []string
		for _, m := range regexp.MustCompile(`<th scope="row"><a href="[^"]*key=([a-z0-9-]+)`).FindAllStringSubmatch(a.body, -1) {
			out = append(out, m[1])
		}
		return out
	}
	for _, text := range []string{"renee", "dupont renée", "oceane", "482913", "r.dupont@example.com", "541 639", "541-639-5376", "ref-48203", "suite dupont", "RENE\u0301E"} {
		require.Equal(t, []string{"ref-48203"}, rows("reservations", text), text)
	}
	for _, text := range []string{"dupont weiss", "nobody"} {
		require.Empty(t, rows("reservations", text), text)
	}
	for _, text := range []string{"renee", "example.com", "5416395376"} {
		require.Equal(t, []string{"g1"}, rows("guests", text), text)
	}
	require.Equal(t, []string{"m1"}, rows("staff", "weiss"), "the column names the room")
	require.Equal(t, []string{"s1", "r1", "r2"}, rows("spaces", "lisboa"), "the column names the site")
	require.Equal(t, []string{"r2"}, rows("spaces", "lisboa zimmer"))
}

func TestSitePage_RoomsInside_AreIncluded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	site := b.get(b.home + "spaces/view?key=lisbon")
	require.Contains(t, site.body, "reservations/view?key=r1")
	require.NotContains(t, site.body, "Nobody has access now or later")
	require.Contains(t, site.body, "staff/view?key=eve")
	require.Contains(t, b.get(b.home+"reservations?space=lisbon").body, "reservations/view?key=r1")
	require.Contains(t, b.get(b.home+"reservations").body, `<option value="Lisbon"`, "a site is a suggestion for the filter")
	require.Contains(t, b.get(b.home+"reservations?space_name=lisbon").body, "reservations/view?key=r1")
}

// There are more guests and bookings than one search reads.
func TestSearch_LimitReached_PagesSaySo(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	f := newFixture(t)
	_, err := f.ws().Import(t.Context(), "acme", func(yield func(data.Resource, error) bool) {
		for i := range 10_050 {
			now := f.clock.Now().Add(time.Duration(i) * time.Minute)
			g := data.Booking(fmt.Sprintf("stay-%05d", i), data.Ref{}, data.Refs(data.KindRoom, "r")...).During(now, now.Add(time.Hour))
			if !yield(data.Guest(fmt.Sprintf("guest-%05d", i), "Guest"), nil) || !yield(g, nil) {
				return
			}
		}
	}, data.ImportOptions{BatchSize: 5000})
	require.NoError(t, err)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	for path, key := range map[string]string{"guests": "guest-10049", "reservations": "stay-10049"} {
		a := b.get(b.home + path + "?q=" + key)
		require.Contains(t, a.body, "Not everything has been searched yet", path)
		require.NotContains(t, a.body, "matches your search", path)
		next := regexp.MustCompile(`href="([^"]*cursor=[^"]*)"`).FindStringSubmatch(a.body)
		require.NotNil(t, next, path)
		second := b.get(strings.ReplaceAll(next[1], "&amp;", "&"))
		require.Contains(t, second.body, "view?key="+key, path)
		require.NotContains(t, second.body, "Not everything", path)
	}
}
