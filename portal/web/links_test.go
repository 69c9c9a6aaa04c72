package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// opened returns the PortalOpened events in the change feed.
func (f *fixture) opened(t *testing.T) (out []data.Change) {
	t.Helper()
	for c, err := range f.ws().Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		if c.Change == data.PortalOpened {
			out = append(out, c.Change)
		}
	}
	return out
}

// uses returns the number of uses of a link.
func (f *fixture) uses(t *testing.T, p portal.CustomerPortal) int {
	t.Helper()
	got, err := f.portals.Get(t.Context(), f.ws(), p.ID)
	require.NoError(t, err)
	return got.Uses
}

func TestLink_BrowserWithoutCookies_LosesNoUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, embedded := range []bool{false, true} {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1, Config: portal.Config{IsEmbedded: embedded}})
		b := f.newBrowser(t)
		for range 2 {
			require.Equal(t, http.StatusOK, b.get(p.URL.Reveal()).StatusCode)
			clear(b.cookies)
			a := b.post(p.URL.Reveal())
			clear(b.cookies)
			require.Equal(t, http.StatusForbidden, a.StatusCode)
			require.Contains(t, a.body, "keeps no cookies")
			require.Contains(t, a.body, `href="/`+portal.Code(p.URL.Reveal())+`"`, "the link is offered again")
		}
		require.Zero(t, f.uses(t, p))
		require.Equal(t, http.StatusOK, b.get(p.URL.Reveal()).StatusCode)
		require.Equal(t, http.StatusOK, b.follow(b.post(p.URL.Reveal())).StatusCode)
		require.Equal(t, 1, f.uses(t, p))
	}
}

func TestLink_BrowserWithoutCookies_OpensNoSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	for range 3 {
		a := b.get(p.URL.Reveal())
		clear(b.cookies)
		a = b.get(a.Header.Get("Location"))
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "keeps no cookies")
	}
	require.Empty(t, f.opened(t))
}

func TestLink_BrowserThatUsedIt_OpensItAgain(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1, TTL: 3 * 24 * time.Hour})
		b := f.newBrowser(t)
		b.get(p.URL.Reveal())
		require.Equal(t, http.StatusOK, b.follow(b.post(p.URL.Reveal())).StatusCode)

		f.clock.Advance(40 * time.Minute)
		a := b.get(b.home + "reservations")
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "Open your link again to go on.")
		require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode, "as the page says")

		// The link opens again after the maximum age of a session, but not in another browser.
		for range 13 * 3 {
			f.clock.Advance(20 * time.Minute)
			a = b.get(b.home)
		}
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "open for a long time")
		require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
		require.Equal(t, 1, f.uses(t, p))
		other := f.newBrowser(t)
		require.Equal(t, http.StatusGone, other.get(p.URL.Reveal()).StatusCode)
		require.Equal(t, http.StatusGone, other.post(p.URL.Reveal()).StatusCode)

		// A revoked portal does not open.
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		require.Equal(t, http.StatusGone, b.get(p.URL.Reveal()).StatusCode)
	})
}

func TestLink_DoubleClick_CountsOneUse(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1})
		b := f.newBrowser(t)
		b.get(p.URL.Reveal())
		for range 3 { // the responses to the first clicks were lost
			again := f.newBrowser(t)
			for name, value := range b.cookies {
				again.cookies[name] = value
			}
			require.Equal(t, http.StatusOK, again.follow(again.post(p.URL.Reveal())).StatusCode)
		}
		require.Equal(t, 1, f.uses(t, p))
	})
}

func TestLink_ManyBrowsersAtOnce_OneUse(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1})
		var visitors []*browser
		for range 100 {
			b := f.newBrowser(t)
			require.Equal(t, http.StatusOK, b.get(p.URL.Reveal()).StatusCode)
			visitors = append(visitors, b)
		}
		var won, gone atomic.Int32
		var wg sync.WaitGroup
		for _, b := range visitors {
			wg.Go(func() {
				switch a := b.post(p.URL.Reveal()); a.StatusCode {
				case http.StatusSeeOther:
					won.Add(1)
				case http.StatusGone:
					gone.Add(1)
				default:
					t.Error(a.StatusCode)
				}
			})
		}
		wg.Wait()
		require.Equal(t, []int32{1, 99}, []int32{won.Load(), gone.Load()})
	})
}

func TestLink_SessionClosed_IsOfferedOnlyIfItOpens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, row := range []struct {
		maxUses   int
		asks      string
		tells     string
		opensWith int
	}{
		{0, "Until the link expires you can open it again.", "Until the link expires you can open it again.", http.StatusOK},
		{2, "Until the link expires you can open it again.", "Until the link expires you can open it again.", http.StatusOK},
		{1, "this link does not open it again", "Its link does not open it again.", http.StatusGone},
	} {
		p := f.portal(t, portal.CreateRequest{MaxUses: row.maxUses})
		b := f.newBrowser(t)
		b.get(p.URL.Reveal())
		b.follow(b.post(p.URL.Reveal()))
		require.Contains(t, b.get(b.home+"end").body, row.asks)
		require.Contains(t, b.post(b.home+"end").body, row.tells)
		a := b.get(b.home + "reservations") // in another tab
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "The portal is closed")
		require.Contains(t, a.body, row.tells)
		require.Equal(t, row.opensWith, b.open(p.URL.Reveal()).StatusCode)
	}
}

func TestLink_OldCookieProbe_Opens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	for _, again := range []string{"1", "", "x", "-1", "99999999999999999999", strconv.FormatInt(f.clock.Now().Add(-time.Hour).Unix(), 10), strconv.FormatInt(f.clock.Now().Add(time.Hour).Unix(), 10)} {
		require.Equal(t, http.StatusOK, f.newBrowser(t).open(p.URL.Reveal()+"?again="+again).StatusCode, again)
	}
}

// punctuation is text that mail programs append to URLs.
var punctuation = []string{
	"/", "//", ".", ",", ";", ":", "!", "?", ")", "]", "}", ">", `"`, "'", "`", "*", "_", "~", "|", `\`, "…", "”", "’", "»", "。", "）",
	").", ">.", "/.", "/)", " ", "\n", "\r\n", "\u00a0", "\u200b", "\ufeff", "\u202c", "&gt;", "&quot;", "&#39;", "?again=1", "#top",
}

func TestLink_PunctuationAfterTheCode_LeadsToTheLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	code := portal.Code(p.URL.Reveal())
	for _, tail := range punctuation {
		require.Equal(t, code, portal.Code(p.URL.Reveal()+tail), "%q", tail)
		path := "/" + (&url.URL{Path: code + tail}).EscapedPath()
		a := f.newBrowser(t).get(path)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, "%q", tail)
		require.Equal(t, "/"+code, a.Header.Get("Location"), "%q", tail)
		require.Equal(t, http.StatusOK, f.newBrowser(t).open(path).StatusCode, "%q", tail)
	}
	for _, tail := range []string{"a", "0", ".a", "/a", "/p/", ".html", "/../x", "é", "٣", "\x00"} {
		require.Equal(t, http.StatusNotFound, f.newBrowser(t).get("/"+(&url.URL{Path: code + tail}).EscapedPath()).StatusCode, "%q", tail)
	}
	require.Equal(t, http.StatusNotFound, f.newBrowser(t).get("/x/"+code).StatusCode)
}

func TestLink_PunctuationAfterAForgedCode_IsNotFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	code := portal.Code(p.URL.Reveal())
	want := f.newBrowser(t).get("/" + strings.Repeat("0", 33))
	f.store.Reset()
	guesses := 0
	for at := range code {
		for _, c := range "0123456789abcdefghjkmnpqrstvwxyz" {
			if byte(c) == code[at] {
				continue
			}
			b := f.newBrowser(t)
			b.remoteAddr = "[2001:db8:" + strconv.FormatInt(int64(guesses/20), 16) + "::1]:1"
			got := b.get("/" + (&url.URL{Path: code[:at] + string(c) + code[at+1:] + punctuation[guesses%len(punctuation)]}).EscapedPath())
			require.Equal(t, want.StatusCode, got.StatusCode)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.Header, got.Header)
			guesses++
		}
	}
	require.Zero(t, f.store.Trips.Load())

	// The requests count as wrong codes.
	b := f.newBrowser(t)
	b.remoteAddr = "203.0.113.9:1"
	for range 20 {
		require.Equal(t, http.StatusNotFound, b.get("/"+strings.Repeat("0", 33)+".").StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, b.get("/"+strings.Repeat("0", 33)+".").StatusCode)
}

// previews are headers of requests that must not open a session.
var previews = []http.Header{
	{"Sec-Purpose": {"prefetch"}}, {"Sec-Purpose": {"prefetch;prerender"}}, {"Sec-Purpose": {"prefetch;anonymous-client-ip"}}, {"Purpose": {"prefetch"}}, {"X-Moz": {"prefetch"}}, {"X-Purpose": {"preview"}},
	{"User-Agent": {"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}}, {"User-Agent": {"WhatsApp/2.23.20.0"}},
	{"User-Agent": {"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"}}, {"User-Agent": {"Twitterbot/1.0"}},
	{"User-Agent": {"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)"}},
	{"User-Agent": {"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"}}, {"User-Agent": {"TelegramBot (like TwitterBot)"}},
	{"User-Agent": {"Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com"}},
	{"User-Agent": {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"}},
	{"User-Agent": {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}}, {"User-Agent": {"Mozilla/5.0 (Applebot/0.1; +http://www.apple.com/go/applebot)"}},
	{"User-Agent": {"Mozilla/4.0 (compatible; ms-office; MSOffice 16)"}}, {"User-Agent": {"Mozilla/5.0 (Windows NT 10.0) BingPreview/1.0b"}},
}

func TestLink_Previews_OpenNoSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, maxUses := range []int{0, 1} {
		p := f.portal(t, portal.CreateRequest{MaxUses: maxUses})
		before := len(f.opened(t))
		for _, header := range previews {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				b := f.newBrowser(t)
				b.header = header
				for range 3 {
					a := b.do(method, p.URL.Reveal(), nil)
					require.Equal(t, http.StatusOK, a.StatusCode, header)
					require.Empty(t, b.cookies, header)
					require.NotContains(t, a.body, "This link works until", header)
				}
			}
		}
		require.Len(t, f.opened(t), before)
		require.Zero(t, f.uses(t, p))

		// A person whose browser was taken for a preview, or who sees the prefetched page, opens the portal with the
		// button.
		for _, header := range []http.Header{{}, previews[6]} {
			b := f.newBrowser(t)
			b.header = previews[0]
			require.Contains(t, b.get(p.URL.Reveal()).body, `name="preview" value="1"`)
			b.header = header
			a := b.follow(b.post(p.URL.Reveal(), "preview", "1"))
			if maxUses > 0 {
				require.Equal(t, http.StatusOK, a.StatusCode)
				require.Contains(t, a.body, "limited number of times")
				continue
			}
			require.Contains(t, a.body, "This link works until")
		}
	}
}

func TestLink_PhonesAndInAppBrowsers_OpenIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	for _, agent := range []string{
		"Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/440.0]",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari Line/13.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36 Teams/24", "",
	} {
		b := f.newBrowser(t)
		b.header.Set("User-Agent", agent)
		require.Contains(t, b.open(p.URL.Reveal()).body, "This link works until", agent)
	}
}

func TestSession_Ended_SaysWhy(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		purge := func() {
			_, err := f.portals.Purge(t.Context(), f.ws(), f.clock.Now())
			require.NoError(t, err)
		}
		deleteCustomer := func(t *testing.T) {
			_, err := f.ws().Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
		}
		for _, row := range []struct {
			name   string
			end    func(*testing.T, *browser, portal.CustomerPortal)
			status int
			says   string
		}{
			{"idle", func(*testing.T, *browser, portal.CustomerPortal) { f.clock.Advance(31 * time.Minute) }, http.StatusForbidden, "You have been away for a while"},
			{"aged", func(_ *testing.T, b *browser, _ portal.CustomerPortal) {
				for range 12 * 3 {
					f.clock.Advance(20 * time.Minute)
					b.get(b.home)
				}
			}, http.StatusForbidden, "The portal was open for a long time"},
			{"aged and purged", func(*testing.T, *browser, portal.CustomerPortal) {
				f.clock.Advance(13 * time.Hour)
				purge()
			}, http.StatusForbidden, "The portal was open for a long time"},
			{"closed in another tab", func(_ *testing.T, b *browser, _ portal.CustomerPortal) { b.post(b.home + "end") }, http.StatusForbidden, "The portal is closed"},
			{"revoked", func(t *testing.T, _ *browser, p portal.CustomerPortal) {
				require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
			}, http.StatusGone, "This link was withdrawn"},
			{"all revoked", func(t *testing.T, _ *browser, _ portal.CustomerPortal) {
				_, err := f.portals.RevokeAll(t.Context(), f.ws(), "acme")
				require.NoError(t, err)
			}, http.StatusGone, "This link was withdrawn"},
			{"expired", func(*testing.T, *browser, portal.CustomerPortal) { f.clock.Advance(25 * time.Hour) }, http.StatusGone, "This link has expired"},
			{"no cookie", func(_ *testing.T, b *browser, _ portal.CustomerPortal) { clear(b.cookies) }, http.StatusForbidden, "No portal is open in this browser"},
			{"made-up cookie", func(_ *testing.T, b *browser, _ portal.CustomerPortal) {
				for name := range b.cookies {
					b.cookies[name] = strings.Repeat("A", 22)
				}
			}, http.StatusForbidden, "No portal is open in this browser"},
			{"customer deleted", func(t *testing.T, _ *browser, _ portal.CustomerPortal) { deleteCustomer(t) }, http.StatusGone, "This portal was removed"},
			{"customer deleted and made again", func(t *testing.T, _ *browser, _ portal.CustomerPortal) {
				deleteCustomer(t)
				f.portal(t, portal.CreateRequest{})
			}, http.StatusGone, "This portal was removed"},
		} {
			p := f.portal(t, portal.CreateRequest{TTL: 24 * time.Hour})
			b := f.newBrowser(t)
			require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode, row.name)
			row.end(t, b, p)
			for _, a := range []response{b.get(b.home + "reservations"), b.post(b.home + "reservations/cancel?key=r1"), b.get(b.home + "theme.css")} {
				require.Equal(t, row.status, a.StatusCode, row.name)
				require.Contains(t, a.body, row.says, row.name)
				require.NotContains(t, a.body, "Room 101", row.name)
			}
		}
	})
}

// Without the cookie, the responses for open, ended and nonexistent portals are the same.
func TestSession_Ended_OtherBrowserLearnsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	back := portal.Config{ReturnURL: "https://host.example/trips"}
	open, revoked := f.portal(t, portal.CreateRequest{Config: back}), f.portal(t, portal.CreateRequest{Config: back})
	a, b := f.newBrowser(t), f.newBrowser(t)
	a.open(open.URL.Reveal())
	b.open(revoked.URL.Reveal())
	require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), revoked.ID))
	want := f.newBrowser(t).get("/p/000000000000/")
	require.Equal(t, http.StatusForbidden, want.StatusCode)
	for _, home := range []string{a.home, b.home} {
		for _, path := range []string{"", "reservations", "nowhere", "end"} {
			got := f.newBrowser(t).get(home + path)
			require.Equal(t, want.StatusCode, got.StatusCode)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.Header, got.Header)
		}
	}
}
