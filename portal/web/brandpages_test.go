package web_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestProblem_WithoutPortal_ShowsPartnerSupportAndNewLink(t *testing.T) {
	t.Parallel()
	o := web.Options{Partner: "Mews & Sons", Support: "help@mews.example", NewLinkURL: "https://mews.example/link?a=1&b=2"}
	f := setup(t, memory.New(), "https://portal.example", o)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	missing := b.get(b.home + "spaces/view?key=none")
	require.Contains(t, missing.body, `href="mailto:help@mews.example"`, "an error page of an open portal")
	require.NotContains(t, missing.body, "Get a new link")
	require.NotContains(t, missing.body, "Mews", "an open portal has a name of its own")
	require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
	for status, path := range map[int]string{http.StatusNotFound: "/00000000000000000000000000000000f", http.StatusGone: p.URL.Reveal()} {
		a := b.get(path)
		require.Equal(t, status, a.StatusCode)
		require.Contains(t, a.body, `<span class="customer"><bdi translate="no">Mews &amp; Sons</bdi></span>`)
		require.Contains(t, a.body, `Do you need help? <a href="mailto:help@mews.example">`)
		require.Contains(t, a.body, `<a class="button primary" href="https://mews.example/link?a=1&amp;b=2" target="_top" rel="noopener">Get a new link</a>`)
	}
	require.NotContains(t, b.do(http.MethodPut, "/", nil).body, "Get a new link", "a new link does not help")

	// A URL instead of an email address, and no options at all.
	f = setup(t, memory.New(), "https://portal.example", web.Options{Support: "https://mews.example/help"})
	require.Contains(t, f.newBrowser(t).get("/x").body, `Do you need help? <a href="https://mews.example/help" target="_top"`)
	body := newFixture(t).newBrowser(t).get("/x").body
	require.NotContains(t, body, "Do you need help?")
	require.NotContains(t, body, "<header")
}

// A page without a session has the primary colour of the portal's profile if the link or the session is known.
func TestPagesWithoutSession_PortalWithProfile_HaveItsColour(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	profile, err := f.portals.CreateProfile(t.Context(), f.ws(), portal.Profile{PrimaryColor: "#7A1F3D", Theme: portal.Theme{PrimaryForegroundColor: "#fe9"}})
	require.NoError(t, err)
	sheet := regexp.MustCompile(`<link rel="stylesheet" href="(/assets/[0-9a-f]{12}/theme-7a1f3d-fe9-(auto|dark)\.css)">`)
	for scheme, name := range map[string]string{"": "auto", "dark": "dark"} {
		config := portal.Config{CustomizationProfileID: profile.ID, ColorScheme: scheme}
		p := f.portal(t, portal.CreateRequest{Config: config, MaxUses: 1})
		b := f.newBrowser(t)
		click := b.get(p.URL.Reveal())
		require.Equal(t, name, sheet.FindStringSubmatch(click.body)[2], "the page with a button")
		css := b.get(sheet.FindStringSubmatch(click.body)[1])
		require.Equal(t, "public, max-age=31536000, immutable", css.Header.Get("Cache-Control"))
		require.Equal(t, "text/css; charset=utf-8", css.Header.Get("Content-Type"))
		require.Contains(t, css.body, "--brand:#7a1f3d;--on-brand:#ffee99;")
		require.Equal(t, scheme == "", regexp.MustCompile(`@media`).MatchString(css.body))

		p = f.portal(t, portal.CreateRequest{Config: config})
		b.open(p.URL.Reveal())
		b.header.Set("Sec-Fetch-Dest", "iframe")
		require.NotRegexp(t, `theme-`, b.get(p.URL.Reveal()).body, "in a frame that the portal does not allow")
		b.header.Del("Sec-Fetch-Dest")
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		for _, path := range []string{b.home, p.URL.Reveal()} { // the session that was open, and the link
			a := b.get(path)
			require.Contains(t, a.body, "was withdrawn", path)
			require.Equal(t, name, sheet.FindStringSubmatch(a.body)[2], path)
		}
	}
	b := f.newBrowser(t)
	require.NotRegexp(t, `theme-`, b.get("/00000000000000000000000000000000f").body, "a forged code")
	for _, name := range []string{"theme-7a1f3d-fe9-auto", "theme-7a1f3g-fe9-auto.css", "theme-7a1f3d-fe9-x.css", "theme--fe9-auto.css"} {
		require.Equal(t, http.StatusNotFound, b.get("/assets/000000000000/"+name).StatusCode, name)
	}
}

func TestNew_InvalidSupportOrNewLinkURL_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, o := range map[string]web.Options{
		"Support":    {Support: "call us"},
		"NewLinkURL": {NewLinkURL: "javascript:alert(1)"},
	} {
		_, err := web.New(f.portals, o)
		require.ErrorIs(t, err, web.ErrInvalid)
		require.ErrorContains(t, err, name)
	}
}

func TestColorScheme_OfTheConfiguration_DecidesTheStylesheets(t *testing.T) {
	t.Parallel()
	dark := regexp.MustCompile(`<link rel="stylesheet" href="/assets/[0-9a-f]{12}/dark\.css"( media="\(prefers-color-scheme: dark\)")?>`)
	for scheme, row := range map[string]struct {
		meta  string
		sheet string // the end of the link to dark.css; "" for none
		media bool   // the theme has colours that depend on the device
	}{
		"":      {"light dark", ` media="(prefers-color-scheme: dark)"`, true},
		"auto":  {"light dark", ` media="(prefers-color-scheme: dark)"`, true},
		"light": {"light", "none", false},
		"dark":  {"dark", "", false},
	} {
		f := newFixture(t)
		b := f.newBrowser(t)
		a := b.open(f.portal(t, portal.CreateRequest{Config: portal.Config{ColorScheme: scheme}}).URL.Reveal())
		require.Contains(t, a.body, `<meta name="color-scheme" content="`+row.meta+`">`, scheme)
		found := dark.FindStringSubmatch(a.body)
		require.Equal(t, row.sheet == "none", found == nil, scheme)
		if found != nil {
			require.Equal(t, row.sheet, found[1], scheme)
		}
		css := b.get(b.home + "theme.css").body
		require.Equal(t, row.media, regexp.MustCompile(`@media`).MatchString(css), scheme)
		require.Equal(t, scheme != "light", regexp.MustCompile(`#211f1d|--tint:[^;]*;.*--tint:`).MatchString(css), scheme)
	}
}

// An embedded portal has no name, no logo and no bar of its own at the bottom, because the page around it has them.
func TestEmbedded_Pages_HaveNoSecondHeader(t *testing.T) {
	t.Parallel()
	for _, embedded := range []bool{false, true} {
		f := newFixture(t)
		b := f.newBrowser(t)
		a := b.open(f.portal(t, portal.CreateRequest{Config: portal.Config{IsEmbedded: embedded}}).URL.Reveal())
		for _, part := range []string{`class="brand"`, `class="bottom"`} {
			require.Equal(t, !embedded, regexp.MustCompile(part).MatchString(a.body), part)
		}
		for _, part := range []string{`<form class="omni"`, `<nav class="tabs"`} {
			require.Contains(t, a.body, part)
		}
	}
}
