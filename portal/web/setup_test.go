package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// setupOf returns the steps of the first setup on the page of accounts.
func setupOf(b *browser) (out []string) {
	_, list, found := strings.Cut(b.get(b.home+"connect").body, `<section class="card setup">`)
	if !found {
		return nil
	}
	list, _, _ = strings.Cut(list, "</section>")
	for _, item := range strings.Split(list, "<li>")[1:] {
		out = append(out, strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(item, "")))
	}
	return out
}

func TestSetup_Steps_AreListedUntilALockIsMapped(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, automationsConfig(true, true))
	require.Equal(t, []string{"Add a space Done", "Connect an account", "Assign devices", "Add staff Done", "Automations"}, setupOf(b))
	require.NoError(t, f.scope("acme").SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(25)}))
	require.Equal(t, http.StatusSeeOther, b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword).StatusCode)
	require.Equal(t, []string{"Add a space Done", "Connect an account Done", "Assign devices", "Add staff Done", "Automations Done"}, setupOf(b))
	f.addDevices(t, "acme", device.Device{ID: "lock", Name: "Lock", Capabilities: []device.Capability{device.CanLock, device.CanUnlock}})
	require.Len(t, setupOf(b), 5, "the lock is mapped to no space")
	found, err := f.scope("acme").Devices(t.Context(), access.DeviceQuery{})
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, b.post(b.home+"organize", "map", found.Items[0].ID.String()+" 101").StatusCode)
	require.Empty(t, setupOf(b))
}

func TestSetup_OnlyAllowedSteps_AreListed(t *testing.T) {
	t.Parallel()
	_, b := openDevices(t, portal.Config{Features: portal.Features{Organize: portal.OrganizeFeature{Exclude: true}}})
	require.NotContains(t, setupOf(b), "Assign devices")
	require.NotContains(t, setupOf(b), "Automations")
	require.Contains(t, setupOf(b), "Connect an account")
	f, b := openDevices(t, portal.Config{})
	_, err := f.ws().Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSpace, "101", "102")})
	require.NoError(t, err)
	require.Contains(t, setupOf(b), "Add a space", "a site is nothing that can be booked")
}
