package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "

// table is the headers of every response; frame is who may frame it, and empty is nobody.
func requireHeaders(t *testing.T, a answer, frame string) {
	t.Helper()
	want := map[string]string{
		"Content-Security-Policy": policy + "'none'", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		"Referrer-Policy": "strict-origin", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex, nofollow",
		"Cross-Origin-Opener-Policy": "same-origin",
	}
	if frame != "" {
		want["Content-Security-Policy"], want["X-Frame-Options"], want["Cross-Origin-Opener-Policy"] = policy+frame, "", ""
	}
	for name, value := range want {
		require.Equal(t, value, a.Header.Get(name), "%s, with status %d", name, a.StatusCode)
	}
}

func TestHeadersOfEveryResponse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		config portal.Config
		frame  string
	}{
		{portal.Config{}, ""},
		{portal.Config{IsEmbedded: true}, "*"},
		{portal.Config{IsEmbedded: true, FrameOrigins: []string{"https://a.example", "https://b.example:8443"}}, "https://a.example https://b.example:8443"},
	} {
		f := setup(t, memory.New(), "https://portal.example", web.Options{})
		p := f.portal(t, portal.CreateRequest{Config: row.config, MaxUses: 3})
		v := f.visitor(t)
		requireHeaders(t, v.do(http.MethodHead, p.URL.Reveal(), nil), row.frame)
		requireHeaders(t, v.get(p.URL.Reveal()), row.frame)
		opened := v.post(p.URL.Reveal())
		require.Equal(t, http.StatusSeeOther, opened.StatusCode)
		requireHeaders(t, opened, row.frame)
		require.Equal(t, http.StatusOK, v.follow(opened).StatusCode)
		for _, path := range []string{
			"", "theme.css", "reservations", "reservations/view?key=r1", "reservations/view?key=none", "nowhere", "reservations?cursor=x",
			"connect", "end",
		} {
			requireHeaders(t, v.get(v.home+path), row.frame)
		}
		requireHeaders(t, v.post(v.home+"reservations"), row.frame) // takes none
		requireHeaders(t, v.post(v.home+"reservations/new", "starts_at", "x"), row.frame)
		requireHeaders(t, v.post(v.home+"reservations/cancel?key=r1"), row.frame)

		// Where nothing is open nobody may frame it.
		for _, path := range []string{"/assets/portal.css", "/assets/portal.js", "/assets/icon.svg", "/assets/none", "/", "/" + strings.Repeat("0", 33), "/p/000000000000/", "/p/"} {
			requireHeaders(t, f.visitor(t).get(path), "")
		}
		requireHeaders(t, f.visitor(t).do(http.MethodPut, "/", nil), "")
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		requireHeaders(t, v.get(v.home), "")
	}
}

// A page about a link that opens nothing holds nothing of anybody's: where the browser
// says that it is for a frame it may be seen there, since else a host's page has a hole.
func TestAProblemIsSeenInAFrame(t *testing.T) {
	t.Parallel()
	f := previewed(t, web.Options{}, nil)
	for name, says := range map[string]string{"forged": "does not exist", "full": "does not open inside another page"} {
		v := f.visitor(t)
		v.header.Set("Sec-Fetch-Dest", "iframe")
		a := v.get(f.links[name].URL)
		requireHeaders(t, a, "*")
		require.Contains(t, a.body, says)
		require.Empty(t, v.cookies)
		require.NotContains(t, a.body, "<form")
	}
	// What is open, and not made for a frame, shows nothing of itself in one.
	v := f.visitor(t)
	v.open(f.links["full"].URL)
	v.header.Set("Sec-Fetch-Dest", "iframe")
	a := v.get(v.home + "reservations")
	require.Equal(t, http.StatusForbidden, a.StatusCode)
	require.NotContains(t, a.body, preview.Customer(hotel))
}

func TestAFrameWithoutCookiesOffersATab(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	for _, most := range []int{0, 1} {
		p := f.portal(t, portal.CreateRequest{MaxUses: most, Config: portal.Config{IsEmbedded: true}})
		v := f.visitor(t)
		a := v.get(p.URL.Reveal())
		clear(v.cookies)
		if most > 0 {
			a = v.post(p.URL.Reveal())
		} else {
			a = v.get(a.Header.Get("Location"))
		}
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "keeps no cookies here")
		require.Contains(t, a.body, `href="/`+portal.Code(p.URL.Reveal())+`" target="_blank"`)
		requireHeaders(t, a, "*")

		// No use was lost.
		v = f.visitor(t)
		if most > 0 {
			v.get(p.URL.Reveal())
			require.Equal(t, http.StatusOK, v.follow(v.post(p.URL.Reveal())).StatusCode)
		} else {
			require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
		}
	}
}
