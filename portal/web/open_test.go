package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestLink_Opened_LeadsToItsPortal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	first := b.get(p.URL.Reveal())
	require.Equal(t, http.StatusSeeOther, first.StatusCode)
	a := b.follow(first)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Contains(t, a.body, "Customer portal")
	require.Contains(t, a.body, "This link works until")
	require.NotContains(t, b.home, portal.Code(p.URL.Reveal()), "the code is in the address")

	// The same browser resumes its session and does not open another one.
	token := fmt.Sprint(b.cookies)
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
	require.Equal(t, token, fmt.Sprint(b.cookies))

	other := f.newBrowser(t)
	require.Equal(t, http.StatusForbidden, other.get(b.home).StatusCode, "without the cookie nothing is open")
}

func TestLink_Get_CountsNoUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{MaxUses: 1})
	b := f.newBrowser(t)
	for range 3 {
		require.Equal(t, http.StatusOK, b.do(http.MethodHead, p.URL.Reveal(), nil).StatusCode)
		a := b.get(p.URL.Reveal())
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Contains(t, a.body, "Open your portal")
	}
	require.Empty(t, f.opened(t), "no session has begun")
	require.Equal(t, http.StatusOK, b.follow(b.post(p.URL.Reveal())).StatusCode)

	// The link is used up for other browsers, but the session continues.
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
	other := f.newBrowser(t)
	other.get(p.URL.Reveal())
	late := other.post(p.URL.Reveal())
	require.Equal(t, http.StatusGone, late.StatusCode)
	require.Contains(t, late.body, "used already")
}

func TestLink_Head_OpensNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	a := b.do(http.MethodHead, p.URL.Reveal(), nil)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Empty(t, a.body)
	require.Empty(t, b.cookies)
}

func TestHandler_UnknownPath_RespondsAsToAForgedCode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	want := b.get("/" + strings.Repeat("0", 33))
	require.Equal(t, http.StatusNotFound, want.StatusCode)
	for _, path := range []string{"/", "/x", "/" + strings.Repeat("z", 33), "/a/b", "/assets/none.css", "/robots.txt"} {
		got := b.get(path)
		require.Equal(t, http.StatusNotFound, got.StatusCode, path)
		require.Equal(t, want.body, got.body, path)
		require.Equal(t, want.Header, got.Header, path)
	}
}

func TestLink_RevokedOrExpired_OffersReturnURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	back := portal.Config{ReturnURL: "https://host.example/trips"}
	revoked := f.portal(t, portal.CreateRequest{Config: back})
	require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), revoked.ID))
	a := f.newBrowser(t).get(revoked.URL.Reveal())
	require.Equal(t, http.StatusGone, a.StatusCode)
	require.Contains(t, a.body, "withdrawn")

	// The expiry in the code is rounded up to seconds, so the code is still valid although the portal has expired.
	expired := f.portal(t, portal.CreateRequest{Config: back, TTL: 1500 * time.Millisecond})
	f.clock.Advance(1700 * time.Millisecond)
	a = f.newBrowser(t).get(expired.URL.Reveal())
	require.Equal(t, http.StatusGone, a.StatusCode)
	require.Contains(t, a.body, "has expired")
	require.Contains(t, a.body, back.ReturnURL)
}

func TestLink_ExpiredCode_ReadsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{ReturnURL: "https://host.example/"})
	p := f.portal(t, portal.CreateRequest{TTL: time.Minute})
	f.clock.Advance(time.Hour)
	f.store.Reset()
	a := f.newBrowser(t).get(p.URL.Reveal())
	require.Equal(t, http.StatusGone, a.StatusCode)
	require.Contains(t, a.body, `href="https://host.example/"`, "the handler's own, since the portal's is not known")
	require.Equal(t, http.StatusNotFound, f.newBrowser(t).get("/"+strings.Repeat("0", 33)).StatusCode)
	require.Zero(t, f.store.Trips.Load())
}

func TestPortal_EndsWhileOpen_SaysWhy(t *testing.T) {
	t.Parallel()
	back := portal.Config{ReturnURL: "https://acme.example/back"}
	ends := map[string]struct {
		end    func(*testing.T, *fixture, portal.CustomerPortal)
		status int
		says   string
		leads  string // the ReturnURL on the page; "" for none
	}{
		"expired": {func(_ *testing.T, f *fixture, _ portal.CustomerPortal) { f.clock.Advance(25 * time.Minute) }, http.StatusGone, "has expired", back.ReturnURL},
		"revoked": {func(t *testing.T, f *fixture, p portal.CustomerPortal) {
			require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), p.ID))
		}, http.StatusGone, "withdrawn", back.ReturnURL},
		"customer deleted": {func(t *testing.T, f *fixture, _ portal.CustomerPortal) {
			_, err := f.ws().Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
		}, http.StatusGone, "This portal was removed", ""},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			p := f.portal(t, portal.CreateRequest{TTL: 20 * time.Minute, Config: back})
			b := f.newBrowser(t)
			require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
			end.end(t, f, p)
			for _, a := range []response{b.get(b.home + "reservations"), b.post(b.home + "reservations/cancel?key=r1")} {
				require.Equal(t, end.status, a.StatusCode)
				require.Contains(t, a.body, end.says)
				require.Equal(t, end.leads != "", strings.Contains(a.body, `href="https://acme.example/back"`))
				require.NotContains(t, strings.ReplaceAll(a.body, "acme.example", ""), "acme")
			}
		})
	}
}

func TestSession_NotUsed_Ends(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	f.clock.Advance(31 * time.Minute)
	a := b.get(b.home)
	require.Equal(t, http.StatusForbidden, a.StatusCode)
	require.Contains(t, a.body, "Open your link again")
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode, "the link opens another")
}

func TestSession_ClosedByVisitor_Ends(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	p := f.portal(t, portal.CreateRequest{})
	b.open(p.URL.Reveal())
	kept := map[string]string{}
	for name, value := range b.cookies {
		kept[name] = value
	}
	require.Equal(t, http.StatusOK, b.get(b.home+"end").StatusCode)
	require.Contains(t, b.post(b.home+"end").body, "The portal is closed")
	for name, value := range kept {
		b.cookies[name] = value
	}
	a := b.get(b.home)
	require.Equal(t, http.StatusForbidden, a.StatusCode, "the token opens nothing more")
	require.Contains(t, a.body, "The portal is closed")
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
}

func TestRateLimit_WrongCodes_AreCountedByClient(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("198.51.100.0/24")
	f := setup(t, memory.New(), "https://portal.example", web.Options{TrustedProxies: []netip.Prefix{proxy}})
	p := f.portal(t, portal.CreateRequest{})
	old := f.portal(t, portal.CreateRequest{TTL: time.Second})
	f.clock.Advance(time.Minute)
	guess := "/" + strings.Repeat("0", 33)

	attacker := f.newBrowser(t)
	attacker.remoteAddr = "[2001:db8:1:2::7]:1"
	for range 50 { // genuine codes and other paths are not counted
		require.Equal(t, http.StatusNotFound, attacker.get("/favicon.ico").StatusCode)
		require.Equal(t, http.StatusGone, attacker.get(old.URL.Reveal()).StatusCode)
	}
	for range 20 {
		require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	}
	a := attacker.get(guess)
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	require.Equal(t, "6", a.Header.Get("Retry-After"))
	attacker.remoteAddr = "[2001:db8:1:2:ffff::9]:1"
	require.Equal(t, http.StatusTooManyRequests, attacker.get(p.URL.Reveal()).StatusCode, "the same /64, whatever it asks for")
	attacker.remoteAddr = "[2001:db8:1:3::7]:1"
	require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)

	// Ten tokens come back per minute, up to twenty.
	attacker.remoteAddr = "[2001:db8:1:2::7]:1"
	f.clock.Advance(6 * time.Second)
	require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	require.Equal(t, http.StatusTooManyRequests, attacker.get(guess).StatusCode)
	f.clock.Advance(time.Hour)
	for range 20 {
		require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, attacker.get(guess).StatusCode)

	// X-Forwarded-For is used only from a trusted proxy, and there only the hop that the proxy added.
	liar := f.newBrowser(t)
	for i := range 21 {
		liar.header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
		a = liar.get(guess)
	}
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	behind := f.newBrowser(t)
	behind.remoteAddr = "198.51.100.9:80"
	for i := range 21 {
		behind.header.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d, 203.0.113.77, 198.51.100.8", i))
		a = behind.get(guess)
	}
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	behind.header.Set("X-Forwarded-For", "203.0.113.78")
	require.Equal(t, http.StatusNotFound, behind.get(guess).StatusCode)
	require.Equal(t, http.StatusOK, f.newBrowser(t).openFrom("192.0.2.44:5", p.URL.Reveal()).StatusCode)
}

func (b *browser) openFrom(from, link string) response { b.remoteAddr = from; return b.open(link) }
