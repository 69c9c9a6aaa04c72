package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

// Every page shows a single state of the store and writes nothing.
func TestPages_Get_OpensOneView(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{Automations: preview.NewAutomations()}, nil)
	got := map[string]bool{}
	for name, link := range f.links {
		if len(link.Pages) == 0 || slices.Contains(portal.Locales(), name) {
			continue // the other portals of the preview are in English
		}
		b := f.newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(link.URL).StatusCode, name)
		paths := append([]string{"theme.css", "end", "undo", "no-such-page", "spaces/view?key=no-such-space", "connect/start", "connect/remove", "connect/back", "connect/done", "connect/cancel", "organize", "organize/device",
			"devices", "devices/view?id=none", "devices/command?id=none&do=lock", "devices/climate?id=none", "reservations/code?key=none", "reservations/guestlink?key=none", "reservations/extend?key=none", "reservations/move?key=none", "staff/code?key=none"}, link.Pages...)
		for _, path := range paths {
			methods := []string{http.MethodGet}
			if name == "full" {
				methods = append(methods, http.MethodHead)
			}
			for _, method := range methods {
				f.store.Reset()
				a := b.do(method, b.home+path, nil)
				require.EqualValues(t, 1, f.store.Views.Load(), "%s: %s %s: %d", name, method, path, a.StatusCode)
				require.Zero(t, f.store.Updates.Load(), "%s: %s %s", name, method, path)
			}
			page, _, _ := strings.Cut(path, "?")
			got[page] = true
		}
	}
	for _, page := range web.PagePaths() {
		require.True(t, got[page], "no test got the page %q", page)
	}
}

// The use of a session is stored at most once per minute, in an Update of its own.
func TestPages_GetAfterAMinute_RenewsTheSession(t *testing.T) {
	eachBackend(t, func(t *testing.T, f *fixture) {
		b := f.newBrowser(t)
		b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		f.clock.Advance(2 * time.Minute)
		for _, updates := range []int{1, 0} {
			f.store.Reset()
			require.Equal(t, http.StatusOK, b.get(b.home+"reservations").StatusCode)
			require.EqualValues(t, 1, f.store.Views.Load())
			require.EqualValues(t, updates, f.store.Updates.Load())
		}
		f.clock.Advance(29 * time.Minute)
		require.Equal(t, http.StatusNotFound, b.get(b.home+"spaces/view?key=no-such-space").StatusCode)
		f.clock.Advance(29 * time.Minute)
		require.Equal(t, http.StatusOK, b.get(b.home+"spaces").StatusCode, "a page with an error renews it too")
		f.clock.Advance(31 * time.Minute)
		require.Equal(t, http.StatusForbidden, b.get(b.home+"spaces").StatusCode)
	})
}
