package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "

// requireHeaders checks the headers that every response must have. frame is the expected value of frame-ancestors, or ""
// for a page that cannot be framed.
func requireHeaders(t *testing.T, a response, frame string) {
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

func TestHandler_EveryResponse_HasSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		config portal.Config
		frame  string
	}{
		{portal.Config{}, ""},
		{portal.Config{IsEmbedded: true}, "*"},
		{portal.Config{IsEmbedded: true, FrameOrigins: []string{"https://a.example", "https://b.example:8443"}}, "https://a.example https://b.example:8443"},
	} {
		f := newFixture(t)
		p := f.portal(t, portal.CreateRequest{Config: row.config, MaxUses: 3})
		b := f.newBrowser(t)
		requireHeaders(t, b.do(http.MethodHead, p.URL.Reveal(), nil), row.frame)
		requireHeaders(t, b.get(p.URL.Reveal()), row.frame)
		opened := b.post(p.URL.Reveal())
		require.Equal(t, http.StatusSeeOther, opened.StatusCode)
		requireHeaders(t, opened, row.frame)
		require.Equal(t, http.StatusOK, b.follow(opened).StatusCode)
		for _, path := range []string{
			"", "theme.css", "reservations", "reservations/view?key=r1", "reservations/view?key=none", "nowhere", "reservations?cursor=x",
			"connect", "end",
		} {
			requireHeaders(t, b.get(b.home+path), row.frame)
		}
		requireHeaders(t, b.post(b.home+"reservations"), row.frame) // a page without a form
		requireHeaders(t, b.post(b.home+"reservations/new", "starts_at", "x"), row.frame)
		requireHeaders(t, b.post(b.home+"reservations/cancel?key=r1"), row.frame)

		// Responses outside of an open portal cannot be framed.
		for _, path := range []string{"/assets/portal.css", "/assets/portal.js", "/assets/icon.svg", "/assets/none", "/", "/" + strings.Repeat("0", 33), "/p/000000000000/", "/p/"} {
			requireHeaders(t, f.newBrowser(t).get(path), "")
		}
		requireHeaders(t, f.newBrowser(t).do(http.MethodPut, "/", nil), "")
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		requireHeaders(t, b.get(b.home), "")
	}
}

// An error page contains no data of a customer, so a frame may show it. Otherwise the host's page would have an empty
// frame.
func TestFrame_ErrorPage_IsVisible(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{}, nil)
	for name, says := range map[string]string{"forged": "does not exist", "full": "does not open inside another page"} {
		b := f.newBrowser(t)
		b.header.Set("Sec-Fetch-Dest", "iframe")
		a := b.get(f.links[name].URL)
		requireHeaders(t, a, "*")
		require.Contains(t, a.body, says)
		require.Empty(t, b.cookies)
		require.NotContains(t, a.body, "<form")
	}
	// An open portal that does not allow frames shows nothing in a frame.
	b := f.newBrowser(t)
	b.open(f.links["full"].URL)
	b.header.Set("Sec-Fetch-Dest", "iframe")
	a := b.get(b.home + "reservations")
	require.Equal(t, http.StatusForbidden, a.StatusCode)
	require.NotContains(t, a.body, preview.Customer(hotel))
}

func TestFrame_WithoutCookies_OffersATab(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, most := range []int{0, 1} {
		p := f.portal(t, portal.CreateRequest{MaxUses: most, Config: portal.Config{IsEmbedded: true}})
		b := f.newBrowser(t)
		a := b.get(p.URL.Reveal())
		clear(b.cookies)
		if most > 0 {
			a = b.post(p.URL.Reveal())
		} else {
			a = b.get(a.Header.Get("Location"))
		}
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "keeps no cookies here")
		require.Contains(t, a.body, `href="/`+portal.Code(p.URL.Reveal())+`" target="_blank"`)
		requireHeaders(t, a, "*")

		// No use was counted.
		b = f.newBrowser(t)
		if most > 0 {
			b.get(p.URL.Reveal())
			require.Equal(t, http.StatusOK, b.follow(b.post(p.URL.Reveal())).StatusCode)
		} else {
			require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
		}
	}
}
