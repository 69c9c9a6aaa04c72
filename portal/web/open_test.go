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

func TestALinkOpensItsPortal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		v := f.visitor(t)
		first := v.get(p.URL.Reveal())
		require.Equal(t, http.StatusSeeOther, first.StatusCode)
		a := v.follow(first)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Contains(t, a.body, "Customer portal")
		require.Contains(t, a.body, "This link works until")
		require.NotContains(t, v.home, portal.Code(p.URL.Reveal()), "the code is in the address")

		// The same browser goes on where it was, and begins no second session.
		token := fmt.Sprint(v.cookies)
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
		require.Equal(t, token, fmt.Sprint(v.cookies))

		other := f.visitor(t)
		require.Equal(t, http.StatusForbidden, other.get(v.home).StatusCode, "without the cookie nothing is open")
	})
}

func TestLookingAtALinkUsesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{MaxUses: 1})
		v := f.visitor(t)
		for range 3 {
			require.Equal(t, http.StatusOK, v.do(http.MethodHead, p.URL.Reveal(), nil).StatusCode)
			a := v.get(p.URL.Reveal())
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Contains(t, a.body, "Open your portal")
		}
		require.Empty(t, f.opened(t), "no session has begun")
		require.Equal(t, http.StatusOK, v.follow(v.post(p.URL.Reveal())).StatusCode)

		// It is used up for others, and goes on for who has it open.
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
		other := f.visitor(t)
		other.get(p.URL.Reveal())
		late := other.post(p.URL.Reveal())
		require.Equal(t, http.StatusGone, late.StatusCode)
		require.Contains(t, late.body, "used already")
	})
}

func TestHeadOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		v := f.visitor(t)
		a := v.do(http.MethodHead, p.URL.Reveal(), nil)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Empty(t, a.body)
		require.Empty(t, v.cookies)
	})
}

func TestForgedAndUnknownAreOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.portal(t, portal.CreateRequest{})
		v := f.visitor(t)
		want := v.get("/" + strings.Repeat("0", 33))
		require.Equal(t, http.StatusNotFound, want.StatusCode)
		for _, path := range []string{"/", "/x", "/" + strings.Repeat("z", 33), "/a/b", "/assets/none.css", "/robots.txt"} {
			got := v.get(path)
			require.Equal(t, http.StatusNotFound, got.StatusCode, path)
			require.Equal(t, want.body, got.body, path)
			require.Equal(t, want.Header, got.Header, path)
		}
	})
}

func TestALinkThatOpensNothingMoreSaysWhatToDo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		back := portal.Config{ReturnURL: "https://host.example/trips"}
		revoked := f.portal(t, portal.CreateRequest{Config: back})
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws(), revoked.ID))
		a := f.visitor(t).get(revoked.URL.Reveal())
		require.Equal(t, http.StatusGone, a.StatusCode)
		require.Contains(t, a.body, "withdrawn")

		// Half a second is rounded up in the code: the portal's own time is over, and its row is read.
		expired := f.portal(t, portal.CreateRequest{Config: back, TTL: 1500 * time.Millisecond})
		f.clock.pass(1700 * time.Millisecond)
		a = f.visitor(t).get(expired.URL.Reveal())
		require.Equal(t, http.StatusGone, a.StatusCode)
		require.Contains(t, a.body, "has expired")
		require.Contains(t, a.body, back.ReturnURL)
	})
}

func TestAnExpiredCodeCostsNoRead(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{ReturnURL: "https://host.example/"})
	p := f.portal(t, portal.CreateRequest{TTL: time.Minute})
	f.clock.pass(time.Hour)
	f.store.Reset()
	a := f.visitor(t).get(p.URL.Reveal())
	require.Equal(t, http.StatusGone, a.StatusCode)
	require.Contains(t, a.body, `href="https://host.example/"`, "the handler's own, since the portal's is not known")
	require.Equal(t, http.StatusNotFound, f.visitor(t).get("/"+strings.Repeat("0", 33)).StatusCode)
	require.Zero(t, f.store.Trips.Load())
}

func TestAnOpenPortalEnds(t *testing.T) {
	back := portal.Config{ReturnURL: "https://acme.example/back"}
	ends := map[string]struct {
		end    func(*testing.T, *fixture, portal.CustomerPortal)
		status int
		says   string
		leads  string // back to the host; empty is nowhere
	}{
		"expired": {func(_ *testing.T, f *fixture, _ portal.CustomerPortal) { f.clock.pass(25 * time.Minute) }, http.StatusGone, "has expired", back.ReturnURL},
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
			each(t, func(t *testing.T, f *fixture) {
				p := f.portal(t, portal.CreateRequest{TTL: 20 * time.Minute, Config: back})
				v := f.visitor(t)
				require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
				end.end(t, f, p)
				for _, a := range []answer{v.get(v.home + "reservations"), v.post(v.home + "reservations/cancel?key=r1")} {
					require.Equal(t, end.status, a.StatusCode)
					require.Contains(t, a.body, end.says)
					require.Equal(t, end.leads != "", strings.Contains(a.body, `href="https://acme.example/back"`))
					require.NotContains(t, strings.ReplaceAll(a.body, "acme.example", ""), "acme")
				}
			})
		})
	}
}

func TestASessionThatIsNotUsedIsOver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.portal(t, portal.CreateRequest{})
		v := f.visitor(t)
		v.open(p.URL.Reveal())
		f.clock.pass(31 * time.Minute)
		a := v.get(v.home)
		require.Equal(t, http.StatusForbidden, a.StatusCode)
		require.Contains(t, a.body, "Open your link again")
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode, "the link opens another")
	})
}

func TestAVisitorClosesThePortal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		p := f.portal(t, portal.CreateRequest{})
		v.open(p.URL.Reveal())
		kept := map[string]string{}
		for name, value := range v.cookies {
			kept[name] = value
		}
		require.Equal(t, http.StatusOK, v.get(v.home+"end").StatusCode)
		require.Contains(t, v.post(v.home+"end").body, "The portal is closed")
		for name, value := range kept {
			v.cookies[name] = value
		}
		a := v.get(v.home)
		require.Equal(t, http.StatusForbidden, a.StatusCode, "the token opens nothing more")
		require.Contains(t, a.body, "The portal is closed")
		require.Equal(t, http.StatusOK, v.open(p.URL.Reveal()).StatusCode)
	})
}

func TestGuessesAreCountedByAddress(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("198.51.100.0/24")
	f := setup(t, memory.New(), "https://portal.example", web.Options{TrustedProxies: []netip.Prefix{proxy}})
	p := f.portal(t, portal.CreateRequest{})
	old := f.portal(t, portal.CreateRequest{TTL: time.Second})
	f.clock.pass(time.Minute)
	guess := "/" + strings.Repeat("0", 33)

	attacker := f.visitor(t)
	attacker.from = "[2001:db8:1:2::7]:1"
	for range 50 { // what was no guess is not counted
		require.Equal(t, http.StatusNotFound, attacker.get("/favicon.ico").StatusCode)
		require.Equal(t, http.StatusGone, attacker.get(old.URL.Reveal()).StatusCode)
	}
	for range 20 {
		require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	}
	a := attacker.get(guess)
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	require.Equal(t, "6", a.Header.Get("Retry-After"))
	attacker.from = "[2001:db8:1:2:ffff::9]:1"
	require.Equal(t, http.StatusTooManyRequests, attacker.get(p.URL.Reveal()).StatusCode, "the same /64, whatever it asks for")
	attacker.from = "[2001:db8:1:3::7]:1"
	require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)

	// Ten a minute come back, and no more than twenty.
	attacker.from = "[2001:db8:1:2::7]:1"
	f.clock.pass(6 * time.Second)
	require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	require.Equal(t, http.StatusTooManyRequests, attacker.get(guess).StatusCode)
	f.clock.pass(time.Hour)
	for range 20 {
		require.Equal(t, http.StatusNotFound, attacker.get(guess).StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, attacker.get(guess).StatusCode)

	// A header is believed from a proxy alone, and there the hop that the proxy saw.
	liar := f.visitor(t)
	for i := range 21 {
		liar.header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
		a = liar.get(guess)
	}
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	behind := f.visitor(t)
	behind.from = "198.51.100.9:80"
	for i := range 21 {
		behind.header.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d, 203.0.113.77, 198.51.100.8", i))
		a = behind.get(guess)
	}
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	behind.header.Set("X-Forwarded-For", "203.0.113.78")
	require.Equal(t, http.StatusNotFound, behind.get(guess).StatusCode)
	require.Equal(t, http.StatusOK, f.visitor(t).openFrom("192.0.2.44:5", p.URL.Reveal()).StatusCode)
}

func (v *clientPrefix) openFrom(from, link string) answer { v.from = from; return v.open(link) }
