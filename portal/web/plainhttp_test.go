package web_test

import (
	"net/http"
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
	v := f.visitor(t)
	a := v.open(p.URL.Reveal())
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Len(t, v.cookies, 2)
	for name := range v.cookies {
		require.Regexp(t, "^portal-", name)
	}
	for _, cookie := range f.visitor(t).get(p.URL.Reveal()).Cookies() {
		require.False(t, cookie.Secure)
		require.True(t, cookie.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	}
}
