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
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// opened returns the "opened" events of all portals in the change feed.
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

// uses returns how often the link of a portal was used.
func (f *fixture) uses(t *testing.T, p portal.CustomerPortal) int {
	t.Helper()
	got, err := f.portals.Get(t.Context(), f.ws(), p.ID)
	require.NoError(t, err)
	return got.Uses
}

func TestLink_BrowserWithoutCookies_LosesNoUse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, embedded := range []bool{false, true} {
			p := f.portal(t, portal.CreateRequest{MaxUses: 1, Config: portal.Config{IsEmbedded: embedded}})
			v := f.visitor(t)
			for range 2 {
				require.Equal(t, http.StatusOK, v.get(p.URL.Reveal()).StatusCode)
				clear(v.cookies)
				a := v.post(p.URL.Reveal())
				clear(v.cookies)
				require.Equal(t, http.StatusForbidden, a.StatusCode)
				require.Contains(t, a.body, "keeps no cookies")
				require.Contains(t, a.body, `href="/`+portal.Code(p.URL.Reveal())+`"`, "the link is offered again")
			}
			require.Zero(t, f.uses(t, p))
			require.Equal(t, http.StatusOK, v.get(p.URL.Reveal()).StatusCode)
			require.Equal(t, http.StatusOK, v.follow(v.post(p.URL.Reveal())).StatusCode)
			require.Equal(t, 1, f.uses(t, p))
		}
	})
}

func TestLink_BrowserWithoutCookies_BeginsNoSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		v := f.visitor(t)
		for range 3 {
			a := v.get(p.URL.Reveal())
			clear(v.cookies)
			a = v.get(a.Header.Get("Location"))
			require.Equal(t, http.StatusForbidden, a.StatusCode)
			require.Contains(t, a.body, "keeps no cookies")
		}
		require.Empty(t, f.opened(t))
	})
}

func TestLink_BrowserThatUsedIt_OpensItAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1, TTL: 3 * 24 * time.Hour})
		v := f.visitor(t)
		v.get(p.URL.Reveal())
		require.Equal(t, http.StatusOK, v.follow(v.post(p.URL.Reveal())).StatusCode)

		f.clock.pass(40 * time.Minute)
		a := v.get(v.home + "reservations")
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "Open your link again to go on.")
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode, "as the page says")

		// After the maximum age of a session too, but in no other browser.
		for range 13 * 3 {
			f.clock.pass(20 * time.Minute)
			a = v.get(v.home)
		}
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "open for a long time")
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
		require.Equal(t, 1, f.uses(t, p))
		other := f.visitor(t)
		require.Equal(t, http.StatusGone, other.get(p.URL.Reveal()).StatusCode)
		require.Equal(t, http.StatusGone, other.post(p.URL.Reveal()).StatusCode)

		// A portal that is revoked opens for nobody.
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		require.Equal(t, http.StatusGone, v.get(p.URL.Reveal()).StatusCode)
	})
}

func TestLink_DoubleClick_CountsOneUse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1})
		v := f.visitor(t)
		v.get(p.URL.Reveal())
		for range 3 { // the answer to the first clicks was lost
			again := f.visitor(t)
			for name, value := range v.cookies {
				again.cookies[name] = value
			}
			require.Equal(t, http.StatusOK, again.follow(again.post(p.URL.Reveal())).StatusCode)
		}
		require.Equal(t, 1, f.uses(t, p))
	})
}

func TestLink_ManyBrowsersAtOnce_OneUse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1})
		var visitors []*clientPrefix
		for range 100 {
			v := f.visitor(t)
			require.Equal(t, http.StatusOK, v.get(p.URL.Reveal()).StatusCode)
			visitors = append(visitors, v)
		}
		var won, gone atomic.Int32
		var wg sync.WaitGroup
		for _, v := range visitors {
			wg.Go(func() {
				switch a := v.post(p.URL.Reveal()); a.StatusCode {
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

func TestLink_ClosedByItsVisitor_IsOfferedOnlyIfItOpens(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
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
			v := f.visitor(t)
			v.get(p.URL.Reveal())
			v.follow(v.post(p.URL.Reveal()))
			require.Contains(t, v.get(v.home+"end").body, row.asks)
			require.Contains(t, v.post(v.home+"end").body, row.tells)
			a := v.get(v.home + "reservations") // in another tab
			require.Equal(t, http.StatusForbidden, a.StatusCode)
			require.Contains(t, a.body, "The portal is closed")
			require.Contains(t, a.body, row.tells)
			require.Equal(t, row.opensWith, v.open(p.URL.Reveal()).StatusCode)
		}
	})
}

func TestLink_OldProbe_IsOpened(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		for _, again := range []string{"1", "", "x", "-1", "99999999999999999999", strconv.FormatInt(f.clock.now().Add(-time.Hour).Unix(), 10), strconv.FormatInt(f.clock.now().Add(time.Hour).Unix(), 10)} {
			require.Equal(t, http.StatusOK, f.visitor(t).open(p.URL.Reveal()+"?again="+again).StatusCode, again)
		}
	})
}

// punctuation is text that mail programs put after a URL.
var punctuation = []string{
	"/", "//", ".", ",", ";", ":", "!", "?", ")", "]", "}", ">", `"`, "'", "`", "*", "_", "~", "|", `\`, "…", "”", "’", "»", "。", "）",
	").", ">.", "/.", "/)", " ", "\n", "\r\n", "\u00a0", "\u200b", "\ufeff", "\u202c", "&gt;", "&quot;", "&#39;", "?again=1", "#top",
}

func TestLink_PunctuationAfterTheCode_LeadsToTheLink(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		code := portal.Code(p.URL.Reveal())
		for _, tail := range punctuation {
			require.Equal(t, code, portal.Code(p.URL.Reveal()+tail), "%q", tail)
			path := "/" + (&url.URL{Path: code + tail}).EscapedPath()
			a := f.visitor(t).get(path)
			require.Equal(t, http.StatusSeeOther, a.StatusCode, "%q", tail)
			require.Equal(t, "/"+code, a.Header.Get("Location"), "%q", tail)
			require.Equal(t, http.StatusOK, f.visitor(t).open(path).StatusCode, "%q", tail)
		}
		for _, tail := range []string{"a", "0", ".a", "/a", "/p/", ".html", "/../x", "é", "٣", "\x00"} {
			require.Equal(t, http.StatusNotFound, f.visitor(t).get("/"+(&url.URL{Path: code + tail}).EscapedPath()).StatusCode, "%q", tail)
		}
		require.Equal(t, http.StatusNotFound, f.visitor(t).get("/x/"+code).StatusCode)
	})
}

func TestLink_PunctuationAfterAForgedCode_IsNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	p := f.portal(t, portal.CreateRequest{})
	code := portal.Code(p.URL.Reveal())
	want := f.visitor(t).get("/" + strings.Repeat("0", 33))
	f.store.Reset()
	guesses := 0
	for at := range code {
		for _, c := range "0123456789abcdefghjkmnpqrstvwxyz" {
			if byte(c) == code[at] {
				continue
			}
			v := f.visitor(t)
			v.from = "[2001:db8:" + strconv.FormatInt(int64(guesses/20), 16) + "::1]:1"
			got := v.get("/" + (&url.URL{Path: code[:at] + string(c) + code[at+1:] + punctuation[guesses%len(punctuation)]}).EscapedPath())
			require.Equal(t, want.StatusCode, got.StatusCode)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.Header, got.Header)
			guesses++
		}
	}
	require.Zero(t, f.store.Trips.Load())

	// They are counted as guesses.
	v := f.visitor(t)
	v.from = "203.0.113.9:1"
	for range 20 {
		require.Equal(t, http.StatusNotFound, v.get("/"+strings.Repeat("0", 33)+".").StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, v.get("/"+strings.Repeat("0", 33)+".").StatusCode)
}

// previews are the headers of requests that are no visits.
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

func TestLink_Previews_BeginNoSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, maxUses := range []int{0, 1} {
			p := f.portal(t, portal.CreateRequest{MaxUses: maxUses})
			before := len(f.opened(t))
			for _, header := range previews {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					v := f.visitor(t)
					v.header = header
					for range 3 {
						a := v.do(method, p.URL.Reveal(), nil)
						require.Equal(t, http.StatusOK, a.StatusCode, header)
						require.Empty(t, v.cookies, header)
						require.NotContains(t, a.body, "This link works until", header)
					}
				}
			}
			require.Len(t, f.opened(t), before)
			require.Zero(t, f.uses(t, p))

			// A person who is taken for a preview, or sees the page that was fetched for it, opens
			// the portal with the button.
			for _, header := range []http.Header{{}, previews[6]} {
				v := f.visitor(t)
				v.header = previews[0]
				require.Contains(t, v.get(p.URL.Reveal()).body, `name="preview" value="1"`)
				v.header = header
				a := v.follow(v.post(p.URL.Reveal(), "preview", "1"))
				if maxUses > 0 {
					require.Equal(t, http.StatusOK, a.StatusCode)
					require.Contains(t, a.body, "limited number of times")
					continue
				}
				require.Contains(t, a.body, "This link works until")
			}
		}
	})
}

func TestLink_PhonesAndInAppBrowsers_AreNoPreviews(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	p := f.portal(t, portal.CreateRequest{})
	for _, agent := range []string{
		"Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/440.0]",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari Line/13.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36 Teams/24", "",
	} {
		v := f.visitor(t)
		v.header.Set("User-Agent", agent)
		require.Contains(t, v.open(p.URL.Reveal()).body, "This link works until", agent)
	}
}

// TestSession_Over_SaysWhy ends a session in every way there is, while a page is open.
func TestSession_Over_SaysWhy(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		purge := func() {
			_, err := f.portals.Purge(t.Context(), f.ws(), f.clock.now())
			require.NoError(t, err)
		}
		deleteCustomer := func(t *testing.T) {
			_, err := f.ws().Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
		}
		for _, row := range []struct {
			name   string
			end    func(*testing.T, *clientPrefix, portal.CustomerPortal)
			status int
			says   string
		}{
			{"idle", func(*testing.T, *clientPrefix, portal.CustomerPortal) { f.clock.pass(31 * time.Minute) }, http.StatusForbidden, "You have been away for a while"},
			{"aged", func(_ *testing.T, v *clientPrefix, _ portal.CustomerPortal) {
				for range 12 * 3 {
					f.clock.pass(20 * time.Minute)
					v.get(v.home)
				}
			}, http.StatusForbidden, "The portal was open for a long time"},
			{"aged and purged", func(*testing.T, *clientPrefix, portal.CustomerPortal) {
				f.clock.pass(13 * time.Hour)
				purge()
			}, http.StatusForbidden, "The portal was open for a long time"},
			{"closed in another tab", func(_ *testing.T, v *clientPrefix, _ portal.CustomerPortal) { v.post(v.home + "end") }, http.StatusForbidden, "The portal is closed"},
			{"revoked", func(t *testing.T, _ *clientPrefix, p portal.CustomerPortal) {
				require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
			}, http.StatusGone, "This link was withdrawn"},
			{"all revoked", func(t *testing.T, _ *clientPrefix, _ portal.CustomerPortal) {
				_, err := f.portals.RevokeAll(t.Context(), f.ws(), "acme")
				require.NoError(t, err)
			}, http.StatusGone, "This link was withdrawn"},
			{"expired", func(*testing.T, *clientPrefix, portal.CustomerPortal) { f.clock.pass(25 * time.Hour) }, http.StatusGone, "This link has expired"},
			{"no cookie", func(_ *testing.T, v *clientPrefix, _ portal.CustomerPortal) { clear(v.cookies) }, http.StatusForbidden, "No portal is open in this browser"},
			{"made-up cookie", func(_ *testing.T, v *clientPrefix, _ portal.CustomerPortal) {
				for name := range v.cookies {
					v.cookies[name] = strings.Repeat("A", 22)
				}
			}, http.StatusForbidden, "No portal is open in this browser"},
			{"customer deleted", func(t *testing.T, _ *clientPrefix, _ portal.CustomerPortal) { deleteCustomer(t) }, http.StatusGone, "This portal was removed"},
			{"customer deleted and made again", func(t *testing.T, _ *clientPrefix, _ portal.CustomerPortal) {
				deleteCustomer(t)
				f.portal(t, portal.CreateRequest{})
			}, http.StatusGone, "This portal was removed"},
		} {
			p := f.portal(t, portal.CreateRequest{TTL: 24 * time.Hour})
			v := f.visitor(t)
			require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode, row.name)
			row.end(t, v, p)
			for _, a := range []answer{v.get(v.home + "reservations"), v.post(v.home + "reservations/cancel?key=r1"), v.get(v.home + "theme.css")} {
				require.Equal(t, row.status, a.StatusCode, row.name)
				require.Contains(t, a.body, row.says, row.name)
				require.NotContains(t, a.body, "Room 101", row.name)
			}
		}
	})
}

// TestSession_Over_TellsAStrangerNothing: without the cookie a portal that is open, one
// that has ended and one that never was have one answer.
func TestSession_Over_TellsAStrangerNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	back := portal.Config{ReturnURL: "https://host.example/trips"}
	open, revoked := f.portal(t, portal.CreateRequest{Config: back}), f.portal(t, portal.CreateRequest{Config: back})
	a, b := f.visitor(t), f.visitor(t)
	a.open(open.URL.Reveal())
	b.open(revoked.URL.Reveal())
	require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), revoked.ID))
	want := f.visitor(t).get("/p/000000000000/")
	require.Equal(t, http.StatusForbidden, want.StatusCode)
	for _, home := range []string{a.home, b.home} {
		for _, path := range []string{"", "reservations", "nowhere", "end"} {
			got := f.visitor(t).get(home + path)
			require.Equal(t, want.StatusCode, got.StatusCode)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.Header, got.Header)
		}
	}
}
