package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

type members = map[string]any

func TestDevice_Update_SurvivesTheInventory(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	get := func() reply { return f.post(t, "/devices/get", members{"device_id": ids.lock}) }
	f.post(t, "/devices/update", members{"device_id": ids.lock, "name": "Sea view", "custom_metadata": members{"floor": "1", "wet": true}})
	f.post(t, "/devices/update", members{"device_id": ids.lock, "custom_metadata": members{"wet": nil, "wing": "b"}})
	require.Equal(t, members{"floor": "1", "wing": "b"}, get().at("device", "custom_metadata"))
	require.Equal(t, []any{"Sea view", "Sea view"}, []any{get().at("device", "display_name"), get().at("device", "properties", "name")})
	require.Equal(t, ids.lock, f.post(t, "/locks/get", `{"name": "Sea view"}`).at("lock", "device_id"))

	f.world.ChangeDevice("lock-101", func(d *device.Device) { d.Name, d.Model = "Renamed by the provider", "v2" })
	require.Eventually(t, func() bool { return get().at("device", "properties", "model", "display_name") == "v2" }, 10*time.Minute, time.Millisecond)
	require.Equal(t, "Sea view", get().at("device", "display_name"))
	require.Equal(t, members{"floor": "1", "wing": "b"}, get().at("device", "custom_metadata"))
	f.post(t, "/devices/update", members{"device_id": ids.lock, "properties": members{"name": nil}})
	require.Equal(t, "Renamed by the provider", get().at("device", "display_name"))

	for filter, n := range map[string]int{`{"floor": "1"}`: 1, `{"floor": "1", "wing": "b"}`: 1, `{"floor": "2"}`: 0, `{"wet": true}`: 0, `{}`: 4} {
		require.Len(t, f.deviceIDs(t, fmt.Sprintf(`{"custom_metadata_has": %s}`, filter)), n, filter)
	}
	for query, n := range map[string]int{"custom_metadata_has.floor=1": 1, "custom_metadata_has.floor=1&custom_metadata_has.wing=c": 0, "custom_metadata_has.wing=b&limit=1": 1} {
		require.Len(t, f.send(t, keyA, http.MethodGet, "/devices/list?"+query, "").at("devices"), n, query)
	}
	f.post(t, "/devices/update", members{"device_id": ids.noise, "custom_metadata": members{"wing": "b"}})
	paged := f.send(t, keyA, http.MethodGet, "/devices/list?custom_metadata_has.wing=b&limit=1", "")
	require.Contains(t, paged.at("pagination", "next_page_url"), "custom_metadata_has.wing=b")
	for _, query := range []string{"search.x=1", "custom_metadata_has.floor=1&custom_metadata_has.floor=2", "other.floor=1", "custom_metadata_has=1", "custom_metadata_has=1&custom_metadata_has.floor=1"} {
		f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodGet, "/devices/list?"+query, "")
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/devices/delete", fmt.Sprintf(`{"device_id": %q}`, ids.noise))
	f.removeDevices(t, "hotel", "noise")
	f.post(t, "/devices/delete", members{"device_id": ids.noise})
	f.expectError(t, http.StatusNotFound, "device_not_found", http.MethodPost, "/devices/get", fmt.Sprintf(`{"device_id": %q}`, ids.noise))
}

func TestConnectedAccount_Update_SurvivesConnectingAgain(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	out := f.post(t, "/connected_accounts/update", members{"connected_account_id": ids.account, "display_name": "Hub", "custom_metadata": members{"site": "north"}, "customer_key": "hotel"})
	require.Equal(t, []any{"Hub", members{"site": "north"}}, []any{out.at("connected_account", "display_name"), out.at("connected_account", "custom_metadata")})
	again := f.post(t, "/connected_accounts/create", members{
		"customer_key": "hotel", "provider": simulated.Key, "settings": members{"username": "user of hotel", "password": devicePassword},
	})
	require.Equal(t, []any{ids.account, "Hub", members{"site": "north"}}, []any{
		again.at("connected_account", "connected_account_id"), again.at("connected_account", "display_name"), again.at("connected_account", "custom_metadata"),
	})
	for filter, n := range map[string]int{`{"site": "north"}`: 1, `{"site": "south"}`: 0, `{"site": true}`: 0} {
		require.Len(t, list(f.post(t, "/connected_accounts/list", fmt.Sprintf(`{"custom_metadata_has": %s}`, filter)).at("connected_accounts")), n)
	}
	f.post(t, "/connected_accounts/update", members{"connected_account_id": ids.account, "custom_metadata": members{"wet": true}})
	require.Len(t, f.send(t, keyA, http.MethodGet, "/connected_accounts/list?custom_metadata_has.wet=true", "").at("connected_accounts"), 1)
	require.Empty(t, f.send(t, keyA, http.MethodGet, "/connected_accounts/list?custom_metadata_has.wet=false", "").at("connected_accounts"))
}

func TestClimatePresets_AreStoredAndActivated(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	preset := func(path string, m members) {
		t.Helper()
		m["device_id"] = ids.thermostat
		f.post(t, path, m)
	}
	properties := func(name string) any {
		return f.post(t, "/thermostats/get", members{"device_id": ids.thermostat}).at("thermostat", "properties", name)
	}
	preset("/thermostats/create_climate_preset", members{"climate_preset_key": "night", "name": "Night", "climate_preset_mode": "sleep", "hvac_mode_setting": "heat", "heating_set_point_celsius": 17})
	preset("/thermostats/create_climate_preset", members{"climate_preset_key": "away", "hvac_mode_setting": "off"})
	preset("/thermostats/update_climate_preset", members{"climate_preset_key": "night", "heating_set_point_fahrenheit": 64.4, "fan_mode_setting": "on"})
	preset("/thermostats/set_fallback_climate_preset", members{"climate_preset_key": "away"})
	require.Equal(t, "away", properties("fallback_climate_preset_key"))
	presets := list(properties("available_climate_presets"))
	require.Len(t, presets, 2)
	require.Equal(t, "away", presets[0].(members)["climate_preset_key"])
	night := document(presets[1].(members))
	require.Equal(t, []any{"night", "Night", "sleep", "heat", "on", true}, []any{
		night.at("climate_preset_key"), night.at("display_name"), night.at("climate_preset_mode"), night.at("hvac_mode_setting"), night.at("fan_mode_setting"), night.at("can_edit"),
	})
	require.InDelta(t, 18, night.at("heating_set_point_celsius"), 0.001)

	attempt := f.ended(t, f.post(t, "/thermostats/activate_climate_preset", members{"device_id": ids.thermostat, "climate_preset_key": "night"}))
	require.Equal(t, []any{"ACTIVATE_CLIMATE_PRESET", "success"}, []any{attempt.at("action_type"), attempt.at("status")})
	setPoint, _ := f.world.Device("thermostat").State.HeatingSetPoint.Get()
	require.InDelta(t, 18, setPoint, 0.001, "the thermostat got the command")

	preset("/thermostats/delete_climate_preset", members{"climate_preset_key": "away"})
	require.Nil(t, properties("fallback_climate_preset_key"))
	require.Len(t, properties("available_climate_presets"), 1)
}

// TestUpdates_BadInput_ChangesNothing sends invalid settings, and names devices of other workspaces.
func TestUpdates_BadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/thermostats/create_climate_preset", members{"device_id": ids.thermostat, "climate_preset_key": "night", "hvac_mode_setting": "heat", "heating_set_point_celsius": 17})
	before, calls := f.state(t), len(f.world.Calls())
	const create, update = "/thermostats/create_climate_preset", "/thermostats/update_climate_preset"
	for _, row := range []struct {
		path, body, at string
	}{
		{"/devices/update", `{"device_id": LOCK, "is_managed": false}`, "is_managed"},
		{"/devices/update", `{"device_id": LOCK, "name": "x", "backup_access_code_pool_enabled": true}`, "backup_access_code_pool_enabled"},
		{"/devices/update", `{"device_id": LOCK, "name": ""}`, "name"},
		{"/devices/update", `{"device_id": LOCK, "name": "a\u0007b"}`, "name"},
		{"/devices/update", `{"device_id": LOCK, "properties": {"name": " x"}}`, "properties"},
		{"/devices/update", `{"device_id": LOCK, "properties": {"locked": true}}`, "properties"},
		{"/devices/update", `{"device_id": LOCK, "name": "a", "properties": {"name": "b"}}`, "properties"},
		{"/devices/update", `{"device_id": LOCK, "name": "` + strings.Repeat("x", 201) + `"}`, "name"},
		{"/devices/update", `{"device_id": LOCK, "name": "x", "custom_metadata": {"a": 1}}`, "custom_metadata"},
		{"/devices/update", `{"device_id": LOCK, "name": "x", "custom_metadata": {"a.b": "c"}}`, "custom_metadata"},
		{"/devices/update", `{"device_id": LOCK, "custom_metadata": ` + manyMembers(51) + `}`, "custom_metadata"},
		{"/devices/update", `{"name": "x"}`, "device_id"},
		{"/connected_accounts/update", `{"connected_account_id": ACCOUNT, "customer_key": "other"}`, "customer_key"},
		{"/connected_accounts/update", `{"connected_account_id": ACCOUNT, "automatically_manage_new_devices": false}`, "automatically_manage_new_devices"},
		{"/connected_accounts/update", `{"connected_account_id": ACCOUNT, "accepted_capabilities": ["lock"]}`, "accepted_capabilities"},
		{"/connected_accounts/update", `{"connected_account_id": ACCOUNT, "display_name": ""}`, "display_name"},
		{"/connected_accounts/update", `{"connected_account_id": ACCOUNT, "display_name": "x ", "custom_metadata": {"a": "b"}}`, "display_name"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a"}`, "device_id"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "hvac_mode_setting": "eco"}`, "hvac_mode_setting"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "fan_mode_setting": "circulate"}`, "fan_mode_setting"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "heating_set_point_celsius": 99}`, "heating_set_point_celsius"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "cooling_set_point_fahrenheit": 0}`, "cooling_set_point_fahrenheit"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "heating_set_point_celsius": 20, "cooling_set_point_celsius": 20}`, "cooling_set_point_celsius"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "hvac_mode_setting": "off", "manual_override_allowed": false}`, "manual_override_allowed"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "hvac_mode_setting": "off", "ecobee_metadata": {"owner": "user"}}`, "ecobee_metadata"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": "a", "hvac_mode_setting": "off", "climate_preset_mode": "party"}`, "climate_preset_mode"},
		{create, `{"device_id": THERMOSTAT, "climate_preset_key": " ", "hvac_mode_setting": "off"}`, "climate_preset_key"},
		{create, `{"device_id": LOCK, "climate_preset_key": "a", "hvac_mode_setting": "off"}`, "device_id"},
		{update, `{"device_id": THERMOSTAT, "climate_preset_key": "night", "heating_set_point_celsius": 99}`, "heating_set_point_celsius"},
		{update, `{"device_id": THERMOSTAT, "climate_preset_key": "night", "cooling_set_point_celsius": 17}`, "cooling_set_point_celsius"},
		{"/thermostats/activate_climate_preset", `{"device_id": THERMOSTAT}`, "climate_preset_key"},
	} {
		body := ids.in(row.body)
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, row.path, body)
		require.NotNil(t, out.at("error", "validation_errors", row.at), "%s %s: %s", row.path, body, out.raw)
	}
	f.expectError(t, http.StatusConflict, "conflict", http.MethodPost, create, ids.in(`{"device_id": THERMOSTAT, "climate_preset_key": "night", "hvac_mode_setting": "off"}`))
	for path, body := range map[string]string{
		"/devices/update": `{"device_id": LOCK, "name": "x"}`, "/devices/delete": `{"device_id": LOCK}`,
		"/connected_accounts/update": `{"connected_account_id": ACCOUNT, "display_name": "x"}`,
		create:                       `{"device_id": THERMOSTAT, "climate_preset_key": "a", "hvac_mode_setting": "off"}`, update: `{"device_id": THERMOSTAT, "climate_preset_key": "night"}`,
		"/thermostats/delete_climate_preset": `{"device_id": THERMOSTAT, "climate_preset_key": "night"}`, "/thermostats/activate_climate_preset": `{"device_id": THERMOSTAT, "climate_preset_key": "night"}`,
		"/thermostats/set_fallback_climate_preset": `{"device_id": THERMOSTAT, "climate_preset_key": "night"}`,
	} {
		out := f.send(t, keyB, http.MethodPost, path, ids.in(body))
		require.Equal(t, http.StatusNotFound, out.status, "another workspace: %s", out.raw)
		if strings.Contains(body, "night") && path != create {
			f.expectError(t, http.StatusNotFound, "climate_preset_not_found", http.MethodPost, path, strings.Replace(ids.in(body), "night", "day", 1))
		}
	}
	require.Equal(t, before, f.state(t))
	require.Len(t, f.world.Calls(), calls, "a device was called")
}

// in replaces the names of devices in a text by their ids.
func (d devices) in(text string) string {
	quote := func(id string) string { return `"` + id + `"` }
	return strings.NewReplacer("LOCK", quote(d.lock), "THERMOSTAT", quote(d.thermostat), "ACCOUNT", quote(d.account)).Replace(text)
}

// manyMembers returns an object with n members.
func manyMembers(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`"k%d": "v"`, i)
	}
	return "{" + strings.Join(out, ", ") + "}"
}
