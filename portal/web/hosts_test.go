package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// accounts implements web.Accounts and records its calls.
type accounts struct {
	asked []string
	to    string
	err   error
}

func (a *accounts) Providers(_ context.Context, s *portal.Session) ([]web.Provider, error) {
	if s.Portal().CustomerKey != "acme" {
		return nil, errors.New("whose accounts?")
	}
	return []web.Provider{
		{Name: "brivo", Label: "Brivo", Accounts: []web.Account{{ID: "7", Label: "keys@acme.example"}}}, {Name: "salto", Label: "SALTO"}, {Name: "yale", Label: "Yale"},
	}, nil
}

func (a *accounts) Connect(_ context.Context, _ *portal.Session, provider string) (string, error) {
	a.asked = append(a.asked, "connect "+provider)
	return a.to, a.err
}

func (a *accounts) Disconnect(_ context.Context, _ *portal.Session, provider, account string) error {
	a.asked = append(a.asked, "disconnect "+provider+" "+account)
	return a.err
}

// openHostSections opens a portal with the connect and configure sections.
func openHostSections(t *testing.T, a *accounts, features portal.Features) *browser {
	t.Helper()
	f := setup(t, memory.New(), "https://portal.example", web.Options{Accounts: a, Automations: preview.NewAutomations()})
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{Config: portal.Config{Features: features}}).URL.Reveal())
	return b
}

func TestAccounts_ExcludedProviders_AreHidden(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		feature portal.ConnectFeature
		shown   []string
		hidden  []string
	}{
		{portal.ConnectFeature{}, []string{"Brivo", "SALTO", "Yale"}, nil},
		{portal.ConnectFeature{AcceptedProviders: []string{"salto", "other"}}, []string{"SALTO"}, []string{"Brivo", "Yale"}},
		{portal.ConnectFeature{ExcludedProviders: []string{"brivo"}}, []string{"SALTO", "Yale"}, []string{"Brivo"}},
		{portal.ConnectFeature{AcceptedProviders: []string{}}, []string{"There is nothing to connect."}, []string{"Brivo", "SALTO", "Yale"}},
	} {
		a := &accounts{to: "https://provider.example/start?x=1"}
		b := openHostSections(t, a, portal.Features{Connect: row.feature})
		body := b.get(b.home + "connect").body
		for _, text := range row.shown {
			require.Contains(t, body, text)
		}
		for _, text := range row.hidden {
			require.NotContains(t, body, text)
		}
		// An excluded provider cannot be connected either.
		for name, label := range map[string]string{"brivo": "Brivo", "salto": "SALTO", "yale": "Yale"} {
			answer := b.post(b.home+"connect/start", "provider", name)
			if contains(row.shown, label) {
				require.Equal(t, http.StatusOK, answer.StatusCode)
				require.Contains(t, answer.body, `href="https://provider.example/start?x=1" target="_top"`)
			} else {
				require.Equal(t, http.StatusNotFound, answer.StatusCode)
				require.NotContains(t, a.asked, "connect "+name)
			}
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func TestAccounts_ConnectAndDisconnect_CallTheHost(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	b := openHostSections(t, a, portal.Features{})
	require.Contains(t, b.follow(b.post(b.home+"connect/start", "provider", "salto")).body, "is connected.")
	forget := b.home + "connect/remove?provider=brivo&account=7"
	require.Contains(t, b.get(forget).body, "keys@acme.example")
	require.Contains(t, b.follow(b.post(forget)).body, "is disconnected.")
	require.Equal(t, []string{"connect salto", "disconnect brivo 7"}, a.asked)
	for _, path := range []string{"connect/remove?provider=brivo&account=8", "connect/remove?provider=nobody&account=7"} {
		require.Equal(t, http.StatusNotFound, b.post(b.home+path).StatusCode, path)
	}
	a.err = fmt.Errorf("%w: not now", web.ErrInvalid)
	require.Equal(t, http.StatusBadRequest, b.post(forget).StatusCode)
	a.err = errors.New("its database is gone")
	answer := b.post(forget)
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
	require.NotContains(t, answer.body, "database")
	a.err = nil
	for _, to := range []string{"http://provider.example", "javascript:alert(1)", "//provider.example", "https://user@provider.example"} {
		a.to = to
		require.Equal(t, http.StatusInternalServerError, b.post(b.home+"connect/start", "provider", "salto").StatusCode, to)
	}
}

func TestSettings_GroupsNotAllowed_AreHidden(t *testing.T) {
	t.Parallel()
	b := openHostSections(t, &accounts{}, portal.Features{Configure: portal.ConfigureFeature{AllowClimateAutomationRuleCustomization: true}})
	body := b.get(b.home + "configure").body
	require.Contains(t, body, "Eco mode")
	require.NotContains(t, body, "Open before check-in")
	require.NotContains(t, body, "mobile key")
	require.Contains(t, b.follow(b.post(b.home+"configure", "setting:early", "60", "setting:mobile", "true")).body, "saved")
	body = b.get(b.home + "configure").body
	require.NotRegexp(t, `value="true" checked`, body, "a switch that is not sent is off")

	b = openHostSections(t, &accounts{}, portal.Features{Configure: portal.ConfigureFeature{AllowAccessAutomationRuleCustomization: true}})
	require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"configure", "setting:early", "61").StatusCode)
	require.Contains(t, b.follow(b.post(b.home+"configure", "setting:early", "60")).body, `<option value="60" translate="no" selected>`)

	b = openHostSections(t, &accounts{}, portal.Features{})
	require.Contains(t, b.get(b.home+"configure").body, "nothing to set")
}

func TestSections_WithoutAHost_AreHidden(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	a := b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.NotContains(t, a.body, "Connect")
	require.NotContains(t, a.body, "Automations")
	require.Equal(t, http.StatusNotFound, b.get(b.home+"connect").StatusCode)
	require.Equal(t, http.StatusNotFound, b.post(b.home+"connect/start", "provider", "brivo").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get(b.home+"configure").StatusCode)

	b = openHostSections(t, &accounts{}, portal.Features{Connect: portal.ConnectFeature{Exclude: true}, Configure: portal.ConfigureFeature{Exclude: true}})
	require.Equal(t, http.StatusForbidden, b.get(b.home+"connect").StatusCode)
	require.Equal(t, http.StatusForbidden, b.post(b.home+"configure").StatusCode)
}
