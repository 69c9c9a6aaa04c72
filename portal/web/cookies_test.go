package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestCookies_EachBaseURL_HaveTheirAttributes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		base, name, path string
		embedded         bool
		attributes       []string
		not              []string
	}{
		{"https://portal.example", "__Host-portal-", "/", false, []string{"HttpOnly", "Secure", "SameSite=Lax"}, []string{"Domain", "Partitioned"}},
		{"https://portal.example", "__Host-portal-", "/", true, []string{"HttpOnly", "Secure", "SameSite=None", "Partitioned"}, []string{"Domain"}},
		{"https://portal.example/of/guests", "__Secure-portal-", "/of/guests/", false, []string{"HttpOnly", "Secure", "SameSite=Lax"}, []string{"Domain", "Partitioned"}},
		{"https://portal.example/of/guests", "__Secure-portal-", "/of/guests/", true, []string{"HttpOnly", "Secure", "SameSite=None", "Partitioned"}, []string{"Domain"}},
		{"http://127.0.0.1:8080", "portal-", "/", false, []string{"HttpOnly", "SameSite=Lax"}, []string{"Domain", "Partitioned", "Secure"}},
		{"http://localhost:8080", "portal-", "/", true, []string{"HttpOnly", "Secure", "SameSite=None", "Partitioned"}, []string{"Domain"}},
	} {
		f := setup(t, memory.New(), row.base, web.Options{})
		p := f.portal(t, portal.CreateRequest{Config: portal.Config{IsEmbedded: row.embedded}})
		b := f.newBrowser(t)
		first := b.get(p.URL.Reveal())
		for _, set := range []struct {
			by   response
			name string
		}{{first, "browser"}, {b.get(first.Header.Get("Location")), "[0-9a-f]{12}"}} {
			cookie := set.by.Header.Values("Set-Cookie")
			require.Len(t, cookie, 1)
			parts := strings.Split(cookie[0], "; ")
			require.Regexp(t, "^"+row.name+set.name+`=[A-Za-z0-9_-]{22}\.[0-9a-z]+$`, parts[0])
			require.Contains(t, parts, "Path="+row.path)
			for _, attribute := range row.attributes {
				require.Contains(t, parts, attribute, row.base)
			}
			for _, attribute := range row.not {
				require.NotContains(t, cookie[0], attribute, row.base)
			}
		}
		require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode, row.base)
	}
}

func TestCookies_SeveralPortals_AreOpenAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	var homes []string
	for range 30 {
		b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		homes = append(homes, b.home)
	}
	require.LessOrEqual(t, len(b.cookies), 20+1, "a browser's room for cookies is bounded")
	require.Equal(t, http.StatusOK, b.get(homes[29]).StatusCode)
	require.NotEqual(t, homes[28], homes[29])

	// The token of a portal does not open the pages of another one.
	var names []string
	for name := range b.cookies {
		if !strings.HasSuffix(name, "browser") {
			names = append(names, name)
		}
	}
	b.cookies[names[0]], b.cookies[names[1]] = b.cookies[names[1]], b.cookies[names[0]]
	for _, name := range names[:2] {
		require.Equal(t, http.StatusForbidden, b.get("/p/"+name[len("__Host-portal-"):]+"/").StatusCode)
	}
}
