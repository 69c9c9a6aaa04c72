package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// openHostSections opens a portal with the connect and configure sections.
func openHostSections(t *testing.T, features portal.Features) *browser {
	t.Helper()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{Automations: preview.NewAutomations()}, newWorld().Provider("test"))
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{Config: portal.Config{Features: features}}).URL.Reveal())
	return b
}

func TestSettings_GroupsNotAllowed_AreHidden(t *testing.T) {
	t.Parallel()
	b := openHostSections(t, portal.Features{Configure: portal.ConfigureFeature{AllowClimateAutomationRuleCustomization: true}})
	body := b.get(b.home + "configure").body
	require.Contains(t, body, "Eco mode")
	require.NotContains(t, body, "Open before check-in")
	require.NotContains(t, body, "mobile key")
	require.Contains(t, b.follow(b.post(b.home+"configure", "setting:early", "60", "setting:mobile", "true")).body, "saved")
	body = b.get(b.home + "configure").body
	require.NotRegexp(t, `value="true" checked`, body, "a switch that is not sent is off")

	b = openHostSections(t, portal.Features{Configure: portal.ConfigureFeature{AllowAccessAutomationRuleCustomization: true}})
	require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"configure", "setting:early", "61").StatusCode)
	require.Contains(t, b.follow(b.post(b.home+"configure", "setting:early", "60")).body, `<option value="60" translate="no" selected>`)

	b = openHostSections(t, portal.Features{})
	require.Contains(t, b.get(b.home+"configure").body, "nothing to set")
}

func TestSections_WithoutAHost_AreHidden(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var err error
	f.portals, err = portal.New(f.portals.DB(), portal.Options{BaseURL: f.portals.BaseURL(), Keys: f.keys}) // without devices
	require.NoError(t, err)
	f.pages, err = web.New(f.portals, web.Options{})
	require.NoError(t, err)
	b := f.newBrowser(t)
	a := b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.NotContains(t, a.body, "Connect")
	require.NotContains(t, a.body, "Automations")
	require.Equal(t, http.StatusForbidden, b.get(b.home+"connect").StatusCode)
	require.Equal(t, http.StatusForbidden, b.get(b.home+"organize").StatusCode)
	require.Equal(t, http.StatusForbidden, b.post(b.home+"connect/start?provider=simulated").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get(b.home+"configure").StatusCode)

	b = openHostSections(t, portal.Features{Connect: portal.ConnectFeature{Exclude: true}, Configure: portal.ConfigureFeature{Exclude: true}})
	require.Equal(t, http.StatusForbidden, b.get(b.home+"connect").StatusCode)
	require.Equal(t, http.StatusForbidden, b.post(b.home+"configure").StatusCode)
}
