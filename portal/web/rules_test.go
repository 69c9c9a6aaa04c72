package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

func automationsConfig(codes, climates bool) portal.Config {
	return portal.Config{Features: portal.Features{Configure: portal.ConfigureFeature{
		AllowAccessAutomationRuleCustomization: codes, AllowClimateAutomationRuleCustomization: climates,
	}}}
}

func (m *motel) rules() access.Rules {
	m.t.Helper()
	own, _, err := m.scope.Rules(m.t.Context())
	require.NoError(m.t, err)
	return own
}

func TestAutomations_Rules_AreShownPreviewedAndSaved(t *testing.T) {
	inMotel(t, func(m *motel) {
		workspace := m.portals.Access().Workspace(m.ws().ID())
		require.NoError(m.t, workspace.SetRules(m.t.Context(), access.Rules{LeadMinutes: device.Known(25)}))
		b := m.open(automationsConfig(true, true))
		page := b.get(b.home + "configure")
		require.Equal(m.t, http.StatusOK, page.StatusCode)
		for _, text := range []string{">Default: 25 minutes<", ">Default: On<", ">Default: Off<", ">Default: 1 hour<", ">Default: Nothing changes<", ">25 minutes<"} {
			require.Contains(m.t, page.body, text)
		}
		day := time.Now().UTC().Truncate(24 * time.Hour)
		at := func(d time.Duration) string { return day.Add(d).Format("Mon, Jan 2, 2006, 3:04 PM") }
		starts, ends := 39*time.Hour, 83*time.Hour
		example := func(lead, grace, write time.Duration) string {
			return "Example: for access from " + at(starts) + " to " + at(ends) + ", the code works from " + at(starts-lead) + " to " + at(ends+grace) +
				". It is put on the lock: " + at(starts-lead-write) + "."
		}
		require.Contains(m.t, page.body, example(25*time.Minute, 0, time.Hour))

		form := withValues(formValues(m.t, page), "setting:rule.lead", "60", "setting:rule.grace", "15", "setting:rule.phone", "true", "setting:rule.staff", "true", "setting:rule.unoccupied", "nothing")
		preview := b.submit(b.home+"configure", withValues(form, "preview", "1"))
		require.Equal(m.t, http.StatusOK, preview.StatusCode)
		for _, text := range []string{example(time.Hour, 15*time.Minute, time.Hour), "The code is the last 4 digits of the phone number.", "Staff have codes too"} {
			require.Contains(m.t, preview.body, text)
		}
		require.Equal(m.t, access.Rules{}, m.rules(), "a preview saves nothing")

		require.Contains(m.t, b.follow(b.submit(b.home+"configure", form)).body, "Your changes are saved.")
		want := access.Rules{
			LeadMinutes: device.Known(60), GraceMinutes: device.Known(15), PhoneLast4: device.Known(true), StaffCodes: device.Known(true), Unoccupied: access.ClimateRule{None: true},
		}
		require.Equal(m.t, want, m.rules())

		form = formValues(m.t, b.get(b.home+"configure"))
		require.Equal(m.t, "60", form.Get("setting:rule.lead"))
		changed := want
		changed.GraceMinutes = device.Known(30)
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), changed))
		require.Equal(m.t, http.StatusConflict, b.submit(b.home+"configure", withValues(form, "setting:rule.grace", "0")).StatusCode)
		require.Contains(m.t, b.follow(b.submit(b.home+"configure", withValues(form, "setting:rule.lead", ""))).body, "Your changes are saved.")
		changed.LeadMinutes = device.Optional[int]{}
		require.Equal(m.t, changed, m.rules(), "another field had changed")
		require.Equal(m.t, http.StatusUnprocessableEntity, b.submit(b.home+"configure", withValues(form, "setting:rule.write", "-5")).StatusCode)
		require.Equal(m.t, changed, m.rules())

		require.NoError(m.t, m.scope.SetRules(m.t.Context(), access.Rules{GrantCodes: device.Known(false)}))
		require.Contains(m.t, b.get(b.home+"configure").body, "The automations give no codes.")
	})
}

func TestAutomations_ClimatePresets_CanBeChosen(t *testing.T) {
	inMotel(t, func(m *motel) {
		id := m.device("t101")
		for key, name := range map[string]string{"warm": "Cosy", "away": ""} {
			require.NoError(m.t, m.scope.SetClimatePreset(m.t.Context(), id, key, func(p access.ClimatePreset, _ bool) (access.ClimatePreset, error) {
				p.Name, p.HeatingSetPoint = name, device.Known(21.0)
				return p, nil
			}))
		}
		b := m.open(automationsConfig(false, true))
		page := b.get(b.home + "configure")
		require.NotContains(m.t, page.body, "rule.lead", "the portal can set only climates")
		require.Contains(m.t, page.body, ">Cosy<")
		form := withValues(formValues(m.t, page), "setting:rule.occupied", "preset:warm", "setting:rule.precondition", "30")
		require.Contains(m.t, b.submit(b.home+"configure", withValues(form, "preview", "1")).body, "Thermostats: Cosy (")
		b.submit(b.home+"configure", form)
		require.Equal(m.t, access.Rules{Occupied: access.ClimateRule{PresetKey: device.Known("warm")}, PreconditionMinutes: device.Known(30)}, m.rules())

		custom := access.Rules{Occupied: access.ClimateRule{Climate: device.Climate{HeatingSetPoint: device.Known(19.0)}}}
		require.NoError(m.t, m.scope.SetRules(m.t.Context(), custom))
		page = b.get(b.home + "configure")
		require.Contains(m.t, page.body, ">As set elsewhere<")
		b.submit(b.home+"configure", withValues(formValues(m.t, page), "setting:rule.precondition", "10"))
		custom.PreconditionMinutes = device.Known(10)
		require.Equal(m.t, custom, m.rules(), "settings of the host stay")
	})
}

func TestAutomations_PortalThatCannotSetRules_HasNoPage(t *testing.T) {
	inMotel(t, func(m *motel) {
		readOnly, filtered := automationsConfig(true, true), automationsConfig(true, true)
		readOnly.ReadOnly = true
		filtered.Filters = []portal.Filter{{Field: "region", Value: "north"}}
		for _, c := range []portal.Config{{}, readOnly, filtered} {
			b := m.open(c)
			require.NotContains(m.t, b.get(b.home).body, "Automations")
			require.NotContains(m.t, b.get(b.home+"configure").body, "rule.lead")
			require.NotEqual(m.t, http.StatusOK, b.get(b.home+"configure").StatusCode)
			require.NotEqual(m.t, http.StatusSeeOther, b.post(b.home+"configure", "setting:rule.lead", "60").StatusCode)
			require.Equal(m.t, access.Rules{}, m.rules())
		}
	})
}
