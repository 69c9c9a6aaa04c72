package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestNew_PlainHTTP_NeedsAllowPrivateHTTP(t *testing.T) {
	t.Parallel()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	for host, want := range map[string]struct{ always, allowed bool }{
		"127.0.0.1": {true, true}, "127.0.0.2:8080": {true, true}, "[::1]:8080": {true, true}, "localhost": {true, true}, "LOCALHOST:1": {true, true}, "app.localhost": {true, true},
		"192.168.1.5": {false, true}, "192.168.1.5:8080": {false, true}, "10.1.2.3": {false, true}, "172.16.0.9": {false, true}, "169.254.7.7": {false, true},
		"[fd00::5]:8080": {false, true}, "[fe80::1]": {false, true}, "devbox": {false, true}, "devbox.local": {false, true}, "devbox.lan:8080": {false, true}, "portal.test": {false, true},
		"172.32.0.9": {}, "192.0.2.7": {}, "8.8.8.8": {}, "[2001:db8::1]": {}, "portal.example": {}, "localhost.example": {}, "192.168.1.5.example.com": {}, "127.0.0.1.nip.io": {}, "0.0.0.0": {},
	} {
		portals, err := portal.New(data.Open(memory.New(), data.Options{}), portal.Options{BaseURL: "http://" + host, Keys: ring})
		require.NoError(t, err)
		for allow, accepted := range map[bool]bool{false: want.always, true: want.allowed} {
			_, err = web.New(portals, web.Options{AllowPrivateHTTP: allow})
			if accepted {
				require.NoError(t, err, "%s, %v", host, allow)
				continue
			}
			require.ErrorIs(t, err, web.ErrInvalid, "%s, %v", host, allow)
			require.ErrorContains(t, err, host)
			require.ErrorContains(t, err, "https")
			if want.allowed {
				require.ErrorContains(t, err, "AllowPrivateHTTP")
			}
		}
	}
}

func TestNew_PrivateHTTP_CookiesHaveNoSecure(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "http://192.168.1.5:8080", web.Options{AllowPrivateHTTP: true})
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	a := b.open(p.URL.Reveal())
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Len(t, b.cookies, 2)
	for name := range b.cookies {
		require.Regexp(t, "^portal-", name)
	}
	for _, cookie := range f.newBrowser(t).get(p.URL.Reveal()).Cookies() {
		require.False(t, cookie.Secure)
		require.True(t, cookie.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	}
}

func TestNew_InvalidOptions_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	_, err := web.New(nil, web.Options{})
	require.ErrorIs(t, err, web.ErrInvalid)
	require.ErrorContains(t, err, "portal.Service is required")
	for _, row := range []struct {
		base, back string
	}{{"http://portal.example", ""}, {"http://192.0.2.7:8080", ""}, {"https://portal.example", "javascript:alert(1)"}, {"https://portal.example", "/here"}} {
		f := newFixture(t)
		master, err := keys.NewMaster()
		require.NoError(t, err)
		ring, err := keys.New(0, map[int][]byte{0: master})
		require.NoError(t, err)
		portals, err := portal.New(data.Open(f.store, data.Options{}), portal.Options{BaseURL: row.base, Keys: ring})
		require.NoError(t, err)
		_, err = web.New(portals, web.Options{ReturnURL: row.back})
		require.ErrorIs(t, err, web.ErrInvalid, "%+v", row)
	}
}

func TestHandler_ForwardedHeadersAndRedirectParameters_AreIgnored(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example/of", web.Options{})
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	for _, name := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-Url", "X-Forwarded-Prefix", "Forwarded"} {
		b.header.Set(name, "evil.example")
	}
	a := b.get(p.URL.Reveal() + "?next=https://evil.example&again=https://evil.example")
	require.NotContains(t, fmt.Sprint(a.Header, a.body), "evil")
	a = b.open(p.URL.Reveal())
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.NotContains(t, fmt.Sprint(a.Header, a.body), "evil")
	for _, name := range []string{"next", "url", "to", "redirect", "return", "return_url", "back", "done", "code"} { // none of these determines the address of a redirect
		asked := "?" + name + "=https://evil.example/"
		other := f.newBrowser(t)
		other.header = b.header
		a = other.get(p.URL.Reveal() + asked)
		require.Equal(t, http.StatusSeeOther, a.StatusCode)
		require.NotContains(t, a.Header.Get("Location"), "evil", name)
		require.Equal(t, http.StatusOK, other.follow(a).StatusCode)
		a = other.post(other.home+"spaces/rename"+asked+"&key=102", "name", "Renamed", name, "https://evil.example/")
		require.Equal(t, http.StatusSeeOther, a.StatusCode)
		require.True(t, strings.HasPrefix(a.Header.Get("Location"), other.home), name)
		require.NotContains(t, a.Header.Get("Location"), "evil", name)
	}
	require.True(t, strings.HasPrefix(b.home, "/of/p/"))
	require.Equal(t, http.StatusNotFound, b.get(strings.TrimPrefix(b.home, "/of")).StatusCode, "outside of its path it serves nothing")
}

func TestHandler_CrossSitePost_IsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	click := f.portal(t, portal.CreateRequest{MaxUses: 1})
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		b.header = header
		for _, path := range []string{b.home + "reservations/cancel?key=r1", b.home + "end", b.home + "nowhere", click.URL.Reveal()} {
			a := b.post(path)
			require.Equal(t, http.StatusForbidden, a.StatusCode, "%v %s", header, path)
			require.Contains(t, a.body, "came from another website")
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	require.Equal(t, http.StatusSeeOther, b.post(b.home+"reservations/cancel?key=r1").StatusCode)
}

func TestHandler_StoreFails_LogsNoSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.portal(t, portal.CreateRequest{})
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	require.NoError(t, f.store.Close())
	require.Equal(t, http.StatusInternalServerError, b.get(b.home).StatusCode)
	require.Equal(t, http.StatusInternalServerError, f.newBrowser(t).get(p.URL.Reveal()).StatusCode)
	require.Contains(t, f.logs.String(), "a page failed")
	require.NotContains(t, f.logs.String(), portal.Code(p.URL.Reveal()))
	for _, token := range b.cookies {
		require.NotContains(t, f.logs.String(), token)
	}
}
