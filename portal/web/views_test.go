package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

// TestPages_Get_MakesOneView gets every page of the preview, and pages that do not exist: each
// is made of one state of the store, and writes nothing.
func TestPages_Get_MakesOneView(t *testing.T) {
	t.Parallel()
	f := previewed(t, web.Options{Accounts: preview.Accounts{}, Automations: preview.NewAutomations()}, nil)
	got := map[string]bool{}
	for name, link := range f.links {
		if len(link.Pages) == 0 {
			continue
		}
		v := f.visitor(t)
		require.Equal(t, http.StatusOK, v.open(link.URL).StatusCode, name)
		paths := append([]string{"theme.css", "end", "no-such-page", "spaces/view?key=no-such-space", "connect/start", "connect/remove"}, link.Pages...)
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				f.store.Reset()
				a := v.do(method, v.home+path, nil)
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

// TestPages_GetAfterAMinute_RenewsTheSessionInAnUpdateOfItsOwn: the session is noted as used,
// which is a write, and at most once a minute.
func TestPages_GetAfterAMinute_RenewsTheSessionInAnUpdateOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		v := f.visitor(t)
		v.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
		f.clock.pass(2 * time.Minute)
		for _, updates := range []int{1, 0} {
			f.store.Reset()
			require.Equal(t, http.StatusOK, v.get(v.home+"reservations").StatusCode)
			require.EqualValues(t, 1, f.store.Views.Load())
			require.EqualValues(t, updates, f.store.Updates.Load())
		}
		f.clock.pass(29 * time.Minute)
		require.Equal(t, http.StatusNotFound, v.get(v.home+"spaces/view?key=no-such-space").StatusCode)
		f.clock.pass(29 * time.Minute)
		require.Equal(t, http.StatusOK, v.get(v.home+"spaces").StatusCode, "a page with an error renews it too")
		f.clock.pass(31 * time.Minute)
		require.Equal(t, http.StatusForbidden, v.get(v.home+"spaces").StatusCode)
	})
}
