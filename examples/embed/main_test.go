package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
)

const testKey = "seam_embedtestkey0000001"

// site starts the backend and returns it with its URL and a browser that does not follow redirects.
func site(t *testing.T) (*backend, string, *http.Client) {
	t.Helper()
	b, err := newBackend(t.Context(), "https://backend.example", testKey)
	require.NoError(t, err)
	server := httptest.NewServer(b.routes())
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return b, server.URL, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func send(t *testing.T, client *http.Client, method, target, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(r)
	require.NoError(t, err)
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer, string(b)
}

const formType = "application/x-www-form-urlencoded"

func TestPortalLink_LoggedInUser_OpensTheUsersCustomer(t *testing.T) {
	t.Parallel()
	b, base, browser := site(t)
	_, page := send(t, browser, http.MethodGet, base+"/", "")
	require.Contains(t, page, "Log in")
	answer, _ := send(t, browser, http.MethodPost, base+"/portal-link", "")
	require.Equal(t, "/", answer.Header.Get("Location"), "no user is logged in")

	send(t, browser, http.MethodPost, base+"/login", url.Values{"name": {"eve"}}.Encode(), "Content-Type", formType)
	answer, _ = send(t, browser, http.MethodPost, base+"/portal-link", "")
	require.Equal(t, "/", answer.Header.Get("Location"), "eve is not a user")

	send(t, browser, http.MethodPost, base+"/login", url.Values{"name": {"ada"}}.Encode(), "Content-Type", formType)
	_, page = send(t, browser, http.MethodGet, base+"/", "")
	require.Contains(t, page, "Open the customer portal")
	answer, _ = send(t, browser, http.MethodPost, base+"/portal-link", url.Values{"customer": {"another"}}.Encode(), "Content-Type", formType)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	link := answer.Header.Get("Location")
	require.True(t, strings.HasPrefix(link, "https://backend.example/portal/"), link)
	session, err := b.portals.Resolve(t.Context(), portal.Code(link))
	require.NoError(t, err)
	require.Equal(t, "seaside", session.Portal().CustomerKey)

	answer, _ = send(t, browser, http.MethodPost, base+"/portal-link", "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, answer.StatusCode, "cross-site requests are refused")
}

func TestAPI_WithPrefix_RequiresAPIKey(t *testing.T) {
	t.Parallel()
	_, base, browser := site(t)
	send(t, browser, http.MethodPost, base+"/login", url.Values{"name": {"ada"}}.Encode(), "Content-Type", formType)
	answer, _ := send(t, browser, http.MethodGet, base+"/api/spaces/list", "")
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "a login does not replace an API key")
	answer, body := send(t, browser, http.MethodGet, base+"/api/spaces/list?limit=1", "", "Authorization", "Bearer "+testKey)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, `"space_key":"seaside-101"`)
	require.Contains(t, body, `"next_page_url":"https://backend.example/api/spaces/list?`)
	answer, _ = send(t, browser, http.MethodGet, base+"/spaces/list", "", "Authorization", "Bearer "+testKey)
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
}

// TestPortalLink_FollowedInABrowser_ShowsTheSpaces goes from the login to a list of rooms in the portal. It finds each URL
// in the page before.
func TestPortalLink_FollowedInABrowser_ShowsTheSpaces(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	b, err := newBackend(t.Context(), base, testKey)
	require.NoError(t, err)
	server.Config.Handler = b.routes()
	server.Start()
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar} // follows redirects

	answer, page := send(t, browser, http.MethodPost, base+"/login", url.Values{"name": {"ada"}}.Encode(), "Content-Type", formType)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, page, "Open the customer portal")
	answer, page = send(t, browser, http.MethodPost, base+"/portal-link", "")
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s", answer.Request.URL)
	require.Contains(t, page, "Seaside Hotel")
	spaces := regexp.MustCompile(`href="([^"]+/spaces)"`).FindStringSubmatch(page)
	require.NotNil(t, spaces, "the portal has a link to its spaces")
	answer, page = send(t, browser, http.MethodGet, base+spaces[1], "")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, page, "Room 101")
	for _, asset := range regexp.MustCompile(`(?:href|src)="(/portal/[^"]+\.(?:css|js|svg)[^"]*)"`).FindAllStringSubmatch(page, -1) {
		answer, _ = send(t, browser, http.MethodGet, base+asset[1], "")
		require.Equal(t, http.StatusOK, answer.StatusCode, asset[1])
	}
}
