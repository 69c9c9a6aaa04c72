package httpapi_test

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
)

// callDeviceOperations calls each operation for devices at least once with requests that succeed.
func (f *fixture) callDeviceOperations(t testing.TB, do func(method, path string, body any, query ...string) reply, customer string) {
	t.Helper()
	type m = map[string]any
	ids := f.connectDevices(t, customer)
	do("POST", "/connected_accounts/create", m{
		"customer_key": customer, "provider": "simulated", "settings": m{"username": "user of " + customer, "password": devicePassword},
	})
	linked := do("POST", "/customers/create_portal", m{"customer_key": customer, "deep_link": m{"resource_type": "device", "resource_id": ids.lock}})
	do("POST", "/seam/customer/v1/portals/get", m{"customer_portal_id": linked.at("customer_portal_id")})
	space := f.spaceID(t, "room-101")
	attempt := do("POST", "/locks/lock_door", m{"device_id": ids.lock})
	f.ended(t, attempt)
	do("POST", "/locks/unlock_door", m{"device_id": ids.lock})
	do("POST", "/thermostats/heat", m{"device_id": ids.thermostat, "heating_set_point_celsius": 20.5})
	do("POST", "/thermostats/cool", m{"device_id": ids.thermostat, "cooling_set_point_fahrenheit": 75})
	do("POST", "/thermostats/heat_cool", m{"device_id": ids.thermostat, "heating_set_point_celsius": 19, "cooling_set_point_celsius": 24})
	do("POST", "/thermostats/off", m{"device_id": ids.thermostat})
	do("POST", "/thermostats/set_hvac_mode", m{"device_id": ids.thermostat, "hvac_mode_setting": "heat"})
	do("POST", "/thermostats/set_fan_mode", m{"device_id": ids.thermostat, "fan_mode_setting": "on"})
	do("PUT", "/spaces/add_devices", m{"space_id": space, "device_ids": []string{ids.lock}})
	do("POST", "/spaces/add_devices", m{"space_id": space, "device_ids": []string{ids.lock, ids.noise}})
	f.callCodeOperations(t, do, customer, ids)
	do("POST", "/customers/push_data", m{"customer_key": customer, "reservations": []m{{
		"reservation_key": "guest-link", "guest_key": "guest-1", "room_keys": []string{"room-101"}, "ends_at": f.clock.Now().Add(24 * time.Hour),
	}}})
	do("POST", "/customers/reservations/create_guest_link", m{"customer_key": customer, "reservation_key": "guest-link"})
	newWebview := func() string {
		made := do("POST", "/connect_webviews/create", m{
			"customer_key": customer, "accepted_providers": []string{"simulated"}, "accepted_capabilities": []string{"lock"}, "provider_category": "stable",
			"custom_redirect_url": "https://host.example/done", "custom_metadata": m{"ref": "7"}, "wait_for_device_creation": true,
		})
		return made.at("connect_webview", "connect_webview_id").(string)
	}
	webview := newWebview()
	for _, method := range []string{"GET", "POST"} {
		call := func(path, name, value string) {
			switch {
			case method == "POST" && name == "":
				do(method, path, m{})
			case method == "POST":
				text, err := url.QueryUnescape(value)
				require.NoError(t, err)
				do(method, path, m{name: text})
			case name == "":
				do(method, path, nil)
			default:
				do(method, path, nil, name+"="+value)
			}
		}
		call("/attention", "customer_key", url.QueryEscape(customer))
		call("/devices/get", "device_id", ids.lock)
		call("/devices/list", "device_type", "simulated_lock")
		call("/devices/list_device_providers", "provider_category", "stable")
		call("/locks/get", "device_id", ids.offline)
		call("/locks/list", "", "")
		call("/thermostats/get", "device_id", ids.thermostat)
		call("/thermostats/list", "", "")
		call("/noise_sensors/list", "", "")
		call("/connected_accounts/get", "connected_account_id", ids.account)
		call("/connect_webviews/get", "connect_webview_id", webview)
		call("/connect_webviews/list", "customer_key", url.QueryEscape(customer))
		call("/connected_accounts/list", "", "")
		call("/action_attempts/get", "action_attempt_id", attempt.at("action_attempt", "action_attempt_id").(string))
		call("/action_attempts/list", "device_id", ids.lock)
	}
	do("DELETE", "/connect_webviews/delete", nil, "connect_webview_id="+webview)
	do("POST", "/connect_webviews/delete", m{"connect_webview_id": newWebview()})
	do("DELETE", "/spaces/remove_devices", nil, "space_id="+space, "device_ids="+ids.lock)
	do("POST", "/spaces/remove_devices", m{"space_id": space, "device_ids": []string{ids.noise}})
	do("PATCH", "/devices/update", m{"device_id": ids.lock, "name": "Front door", "custom_metadata": m{"floor": "1", "old": nil}, "is_managed": true})
	do("POST", "/devices/update", m{"device_id": ids.lock, "properties": m{"name": nil}})
	do("PATCH", "/connected_accounts/update", m{"connected_account_id": ids.account, "display_name": "Hub", "custom_metadata": m{"hub": true}})
	do("POST", "/connected_accounts/update", m{"connected_account_id": ids.account, "automatically_manage_new_devices": true, "accepted_capabilities": []any{}})
	preset := func(members m) m {
		out := m{"device_id": ids.thermostat, "climate_preset_key": "away"}
		maps.Copy(out, members)
		return out
	}
	do("POST", "/thermostats/create_climate_preset", preset(m{"name": "Away", "climate_preset_mode": "away", "hvac_mode_setting": "heat", "heating_set_point_celsius": 16}))
	do("PATCH", "/thermostats/update_climate_preset", preset(m{"name": nil, "fan_mode_setting": "auto"}))
	do("POST", "/thermostats/update_climate_preset", preset(m{"heating_set_point_fahrenheit": 60}))
	do("POST", "/thermostats/set_fallback_climate_preset", preset(nil))
	f.ended(t, do("POST", "/thermostats/activate_climate_preset", preset(nil)))
	do("POST", "/thermostats/get", m{"device_id": ids.thermostat})
	do("DELETE", "/thermostats/delete_climate_preset", nil, "device_id="+ids.thermostat, "climate_preset_key=away")
	do("POST", "/thermostats/create_climate_preset", preset(m{"hvac_mode_setting": "off"}))
	do("POST", "/thermostats/delete_climate_preset", preset(nil))
	f.removeDevices(t, customer, "lock-102", "noise")
	do("DELETE", "/devices/delete", nil, "device_id="+ids.offline)
	do("POST", "/devices/delete", m{"device_id": ids.noise})
	do("GET", "/seam/partner/v1/building_blocks/spaces/auto_map", nil, "customer_key="+url.QueryEscape(customer))
	do("POST", "/seam/partner/v1/building_blocks/spaces/auto_map", m{"customer_key": customer, "accept": true})
	made := do("POST", "/spaces/create", m{"name": "Cellar", "customer_key": customer, "space_key": "cellar", "device_ids": []string{ids.thermostat}, "customer_data": m{"time_zone": "Europe/Lisbon"}})
	cellar := made.at("space", "space_id")
	do("PATCH", "/spaces/update", m{"space_id": cellar, "name": "Wine cellar", "customer_data": m{"time_zone": nil, "address": "Rua 1"}})
	do("POST", "/spaces/update", m{"space_key": "cellar", "device_ids": []string{ids.lock}})
	do("DELETE", "/spaces/delete", nil, "space_id="+cellar.(string))
	do("POST", "/spaces/delete", m{"space_id": do("POST", "/spaces/create", m{"name": "Attic", "customer_key": customer}).at("space", "space_id")})
	do("DELETE", "/connected_accounts/delete", nil, "connected_account_id="+ids.account)
	again := f.post(t, "/connected_accounts/create", m{
		"customer_key": customer, "provider": "simulated", "settings": m{"username": "user of " + customer, "password": devicePassword},
	})
	do("POST", "/connected_accounts/delete", m{"connected_account_id": again.at("connected_account", "connected_account_id")})
}

// deviceValues returns values of the members of a request to an operation for devices, with which it succeeds.
func (f *fixture) deviceValues(t testing.TB, customer, path string) map[string]any {
	t.Helper()
	if values := f.codeValues(t, customer, path); values != nil {
		return values
	}
	class, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch path {
	case "/attention":
		return map[string]any{"types": []any{"low_battery"}}
	case "/spaces/create":
		return map[string]any{"acs_entrance_ids": []any{}, "connected_account_ids": []any{}, "customer_data": map[string]any{}, "space_key": "new"}
	case "/spaces/update":
		return map[string]any{"acs_entrance_ids": []any{}, "customer_data": map[string]any{}}
	case "/spaces/delete":
		return map[string]any{"space_id": f.spaceID(t, "room-101")}
	case "/seam/partner/v1/building_blocks/spaces/auto_map":
		return map[string]any{"collection_key": "rooms", "connected_account_id": nil}
	}
	if !strings.Contains("devices locks thermostats noise_sensors connected_accounts action_attempts", class) && !strings.HasSuffix(name, "_devices") {
		return nil
	}
	ids := f.connectDevices(t, customer)
	values := map[string]any{
		"provider": "simulated", "settings": map[string]any{"username": "user of " + customer, "password": devicePassword},
		"connected_account_id": ids.account, "device_id": ids.lock, "device_ids": []string{ids.lock},
		"heating_set_point_fahrenheit": nil, "cooling_set_point_fahrenheit": nil, "heating_set_point_celsius": 20, "cooling_set_point_celsius": 25,
		"hvac_mode_setting": "heat_cool", "email": nil,
	}
	switch {
	case class == "thermostats":
		values["device_id"], values["hvac_mode_setting"], values["manual_override_allowed"], values["ecobee_metadata"] = ids.thermostat, "heat_cool", true, nil
		if key := "away"; strings.HasSuffix(name, "_climate_preset") {
			values["climate_preset_key"] = key
			if name != "create_climate_preset" {
				f.post(t, "/thermostats/create_climate_preset", map[string]any{"device_id": ids.thermostat, "climate_preset_key": key, "hvac_mode_setting": "off"})
			}
		}
	case path == "/devices/update":
		values["is_managed"], values["properties"] = true, nil
	case path == "/devices/delete":
		f.removeDevices(t, customer, "lock-101")
	case path == "/connected_accounts/update":
		values["automatically_manage_new_devices"], values["accepted_capabilities"] = true, []any{}
	case class == "action_attempts":
		values["action_attempt_id"] = f.post(t, "/locks/lock_door", map[string]any{"device_id": ids.lock}).at("action_attempt", "action_attempt_id")
		values["action_attempt_ids"] = nil
	case class == "spaces":
		values["space_id"] = f.spaceID(t, "room-101")
	}
	if name == "get" {
		values["name"] = nil
	}
	return values
}

// removeDevices removes devices from their account, and waits until the service has noticed it.
func (f *fixture) removeDevices(t testing.TB, customer string, names ...string) {
	t.Helper()
	for _, name := range names {
		f.world.RemoveDevice(name)
	}
	scope := f.access.Workspace(workspaceA).Customer(customer)
	require.Eventually(t, func() bool {
		page, err := scope.Devices(t.Context(), access.DeviceQuery{Keep: func(d access.Device) bool { return !d.MissingSince.IsZero() }})
		require.NoError(t, err)
		return len(page.Items) == len(names)
	}, 10*time.Minute, time.Millisecond)
}
