package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

const devicePassword = "correct horse battery staple"

// devices are the ids of the devices of a customer.
type devices struct{ account, lock, offline, thermostat, noise string }

// connectDevices connects an account with two locks, a thermostat and a noise sensor for a customer, by the API, and runs the
// service for devices until the test ends.
func (f *fixture) connectDevices(t testing.TB, customer string) devices {
	t.Helper()
	user := "user of " + customer
	f.world.AddLogin(simulated.Login{User: user, Password: devicePassword})
	for _, d := range []device.Device{
		simulated.Lock("lock-101", "Room 101"), simulated.Lock("lock-102", "Room 102"), simulated.Thermostat("thermostat", "Lobby"), simulated.NoiseSensor("noise", "Terrace"),
	} {
		f.world.AddDevice(user, d)
	}
	f.world.SetFaults("lock-102", simulated.Faults{Offline: true})
	f.runDevices(t)
	made := f.post(t, "/connected_accounts/create", map[string]any{
		"customer_key": customer, "provider": simulated.Key, "settings": map[string]any{"username": user, "password": devicePassword},
	})
	out := devices{account: made.at("connected_account", "connected_account_id").(string)}
	names := map[string]*string{"Room 101": &out.lock, "Room 102": &out.offline, "Lobby": &out.thermostat, "Terrace": &out.noise}
	require.Eventually(t, func() bool {
		found := list(f.post(t, "/devices/list", map[string]any{"customer_key": customer}).at("devices"))
		online := 0 // the states are stored after the devices
		for _, d := range found {
			d := document(d.(map[string]any))
			*names[d.at("display_name").(string)] = d.at("device_id").(string)
			if d.at("properties", "online") == true {
				online++
			}
		}
		status := f.post(t, "/connected_accounts/get", map[string]any{"connected_account_id": out.account})
		return len(found) == len(names) && online == len(names)-1 && len(list(status.at("connected_account", "warnings"))) == 0
	}, 10*time.Minute, time.Millisecond)
	return out
}

// runDevices runs the service for devices until the test ends.
func (f *fixture) runDevices(t testing.TB) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.access.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// ended waits for the end of the action attempt in a reply, and returns it.
func (f *fixture) ended(t testing.TB, r reply) document {
	t.Helper()
	id := r.at("action_attempt", "action_attempt_id")
	var attempt document
	require.Eventually(t, func() bool {
		attempt = document(f.post(t, "/action_attempts/get", map[string]any{"action_attempt_id": id}).at("action_attempt").(map[string]any))
		return attempt.at("status") != "pending"
	}, 10*time.Minute, time.Millisecond)
	return attempt
}

// deviceHotel returns the API with a customer that has rooms and devices.
func deviceHotel(t *testing.T) (*fixture, devices) {
	t.Helper()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "sites": [{"site_key": "site", "name": "Hotel"}],
		"rooms": [{"room_key": "101", "name": "Room 101", "parent_site_key": "site"}, {"room_key": "102", "name": "Room 102", "parent_site_key": "site"}]}`)
	f.post(t, "/customers/push_data", `{"customer_key": "other", "rooms": [{"room_key": "o1", "name": "Other"}]}`)
	return f, f.connectDevices(t, "hotel")
}

// TestPushData_GrantsOfRoomsWithoutLock_ReturnsWarnings pushes and syncs reservations of a room with a lock and a room without one.
// The room with only a thermostat has no lock.
func TestPushData_GrantsOfRoomsWithoutLock_ReturnsWarnings(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/spaces/add_devices", members{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	f.post(t, "/spaces/add_devices", members{"space_id": f.spaceID(t, "102"), "device_ids": []string{ids.thermostat}})
	const reservations = `"reservations": [{"reservation_key": "r1", "room_keys": ["101"]}, {"reservation_key": "r2", "room_keys": ["102"]}]`
	want := []any{map[string]any{
		"path": "reservations[1].room_keys", "rule": "no_lock",
		"message": `no lock with access codes is mapped to "102"; map one, or nobody can be given a code for it`,
	}}
	out := f.post(t, "/customers/push_data", `{"customer_key": "hotel", `+reservations+`}`)
	require.Equal(t, want, list(out.body["warnings"]))
	require.EqualValues(t, 2, out.at("report", "created", "access_grants"))
	out = f.post(t, "/customers/sync_data", `{"customer_key": "hotel", "sites": [{"site_key": "site", "name": "Hotel"}],
		"rooms": [{"room_key": "101", "name": "Room 101", "parent_site_key": "site"}, {"room_key": "102", "name": "Room 102", "parent_site_key": "site"}], `+reservations+`}`)
	require.Equal(t, want, list(out.body["warnings"]))
	out = f.post(t, "/customers/push_data", `{"customer_key": "other", "reservations": [{"reservation_key": "o", "room_keys": ["o1"]}]}`)
	require.Empty(t, out.body["warnings"], "a customer without devices")
}

func (f *fixture) spaceID(t testing.TB, key string) string {
	t.Helper()
	return f.post(t, "/spaces/get", map[string]any{"space_key": key}).at("space", "space_id").(string)
}

func TestDevices_List_Filters(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	names := func(path, query string) (names []string) {
		out := f.send(t, keyA, http.MethodGet, path+"?"+query, "")
		require.Equal(t, http.StatusOK, out.status, out.raw)
		for _, d := range list(out.at("devices")) {
			names = append(names, document(d.(map[string]any)).at("display_name").(string))
		}
		return names
	}
	require.ElementsMatch(t, []string{"Room 101", "Room 102", "Lobby", "Terrace"}, names("/devices/list", ""))
	require.ElementsMatch(t, []string{"Room 101", "Room 102"}, names("/locks/list", "customer_key=hotel"))
	require.Equal(t, []string{"Lobby"}, names("/thermostats/list", ""))
	require.Equal(t, []string{"Terrace"}, names("/noise_sensors/list", ""))
	require.Equal(t, []string{"Lobby"}, names("/devices/list", "device_types=simulated_thermostat"))
	require.Equal(t, []string{"Room 101"}, names("/devices/list", "search=101"))
	require.Equal(t, []string{"Terrace"}, names("/devices/list", "device_ids="+ids.noise))
	require.Len(t, names("/devices/list", "connected_account_id="+ids.account), 4)
	require.Empty(t, names("/devices/list", "customer_key=other"))
	require.Empty(t, names("/devices/list", "manufacturer=other"))
	require.Empty(t, names("/devices/list", "user_identifier_key=anna"))
	require.Empty(t, names("/devices/list", "connect_webview_id="+ids.account))
	require.Len(t, names("/devices/list", "manufacturer=simulated"), 4)
	require.Empty(t, names("/devices/list", "space_id="+f.spaceID(t, "101")))

	f.post(t, "/spaces/add_devices", map[string]any{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock, ids.noise}})
	require.ElementsMatch(t, []string{"Room 101", "Terrace"}, names("/devices/list", "space_id="+f.spaceID(t, "101")))
	require.Empty(t, names("/devices/list", "customer_key=other&space_id="+f.spaceID(t, "101")))
	require.EqualValues(t, 2, f.post(t, "/spaces/get", `{"space_key": "101"}`).at("space", "device_count"))
	lock := f.post(t, "/devices/get", map[string]any{"device_id": ids.lock})
	require.Equal(t, []any{f.spaceID(t, "101")}, lock.at("device", "space_ids"))
	f.post(t, "/spaces/remove_devices", map[string]any{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.noise}})
	require.Equal(t, []string{"Room 101"}, names("/devices/list", "space_id="+f.spaceID(t, "101")))

	var paged []string
	for cursor := ""; ; {
		out := f.post(t, "/devices/list", map[string]any{"limit": 1, "page_cursor": cursor})
		for _, d := range list(out.at("devices")) {
			paged = append(paged, document(d.(map[string]any)).at("display_name").(string))
		}
		next := out.at("pagination", "next_page_cursor")
		if next == nil {
			break
		}
		cursor = next.(string)
	}
	require.ElementsMatch(t, []string{"Room 101", "Room 102", "Lobby", "Terrace"}, paged)
}

func TestDevice_Get_ShowsStateAndErrors(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	lock := f.post(t, "/locks/get", `{"name": "Room 101"}`)
	require.Equal(t, ids.lock, lock.at("lock", "device_id"))
	require.Equal(t, "simulated_lock", lock.at("lock", "device_type"))
	require.Equal(t, true, lock.at("lock", "properties", "online"))
	require.Equal(t, true, lock.at("lock", "properties", "locked"))
	require.Equal(t, true, lock.at("lock", "can_remotely_unlock"))
	require.Equal(t, false, lock.at("lock", "can_hvac_heat"))
	require.Contains(t, lock.at("lock", "capabilities_supported"), "access_code")

	offline := f.post(t, "/devices/get", map[string]any{"device_id": ids.offline})
	require.Equal(t, false, offline.at("device", "properties", "online"))
	require.Equal(t, "device_offline", document(list(offline.at("device", "errors"))[0].(map[string]any)).at("error_code"))

	thermostat := f.post(t, "/thermostats/get", map[string]any{"device_id": ids.thermostat})
	require.InDelta(t, 68, thermostat.at("thermostat", "properties", "current_climate_setting", "heating_set_point_fahrenheit"), 0.001)
	require.Equal(t, "heat", thermostat.at("thermostat", "properties", "current_climate_setting", "hvac_mode_setting"))
	require.Equal(t, false, thermostat.at("thermostat", "can_remotely_lock"))

	for _, body := range []string{`{}`, fmt.Sprintf(`{"device_id": %q, "name": "x"}`, ids.lock)} {
		f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/devices/get", body)
	}
	f.expectError(t, http.StatusNotFound, "device_not_found", http.MethodPost, "/locks/get", fmt.Sprintf(`{"device_id": %q}`, ids.thermostat))
	f.expectError(t, http.StatusNotFound, "device_not_found", http.MethodPost, "/devices/get", `{"name": "nobody"}`)
	out := f.send(t, keyB, http.MethodPost, "/devices/get", fmt.Sprintf(`{"device_id": %q}`, ids.lock))
	require.Equal(t, http.StatusNotFound, out.status, "another workspace")
}

func TestCommands_AreCarriedOut(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	unlocked := f.ended(t, f.post(t, "/locks/unlock_door", map[string]any{"device_id": ids.lock}))
	require.Equal(t, "success", unlocked.at("status"))
	require.Equal(t, "UNLOCK_DOOR", unlocked.at("action_type"))
	require.Equal(t, true, unlocked.at("result", "was_confirmed_by_device"))
	require.Equal(t, "LOCK_DOOR", f.ended(t, f.post(t, "/locks/lock_door", map[string]any{"device_id": ids.lock})).at("action_type"))

	offline := f.ended(t, f.post(t, "/locks/unlock_door", map[string]any{"device_id": ids.offline}))
	require.Equal(t, "error", offline.at("status"))
	require.Equal(t, "device_offline", offline.at("error", "type"))

	for path, body := range map[string]map[string]any{
		"/thermostats/heat":          {"heating_set_point_fahrenheit": 70},
		"/thermostats/cool":          {"cooling_set_point_celsius": 25},
		"/thermostats/heat_cool":     {"heating_set_point_celsius": 19, "cooling_set_point_celsius": 24},
		"/thermostats/off":           {},
		"/thermostats/set_hvac_mode": {"hvac_mode_setting": "heat", "heating_set_point_celsius": 18},
		"/thermostats/set_fan_mode":  {"fan_mode_setting": "on"},
	} {
		body["device_id"] = ids.thermostat
		require.Equal(t, "success", f.ended(t, f.post(t, path, body)).at("status"), path)
	}
	all := list(f.post(t, "/action_attempts/list", map[string]any{"device_id": ids.thermostat}).at("action_attempts"))
	require.Len(t, all, 6)
	first := f.post(t, "/action_attempts/list", map[string]any{"device_id": ids.thermostat, "limit": 1})
	second := f.post(t, "/action_attempts/list", map[string]any{"device_id": ids.thermostat, "limit": 5, "page_cursor": first.at("pagination", "next_page_cursor")})
	require.Equal(t, all, append(list(first.at("action_attempts")), list(second.at("action_attempts"))...))
	byID := f.post(t, "/action_attempts/list", map[string]any{"action_attempt_ids": []any{unlocked.at("action_attempt_id"), "00000000-0000-4000-8000-000000000000"}})
	require.Len(t, list(byID.at("action_attempts")), 1)
}

func TestCommands_BadInput_NamesTheParameter(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	calls := len(f.world.Calls())
	for _, row := range []struct {
		path, body, at string
	}{
		{"/thermostats/heat", `{"device_id": %q, "heating_set_point_celsius": 99}`, "heating_set_point_celsius"},
		{"/thermostats/heat", `{"device_id": %q, "heating_set_point_fahrenheit": 200}`, "heating_set_point_fahrenheit"},
		{"/thermostats/cool", `{"device_id": %q, "cooling_set_point_celsius": 1}`, "cooling_set_point_celsius"},
		{"/thermostats/heat_cool", `{"device_id": %q, "heating_set_point_celsius": 20, "cooling_set_point_celsius": 20}`, "cooling_set_point_celsius"},
		{"/thermostats/heat", `{"device_id": %q, "heating_set_point_celsius": 20, "heating_set_point_fahrenheit": 68}`, "heating_set_point_fahrenheit"},
		{"/thermostats/set_hvac_mode", `{"device_id": %q, "hvac_mode_setting": "eco"}`, "hvac_mode_setting"},
		{"/thermostats/set_hvac_mode", `{"device_id": %q, "hvac_mode_setting": "warm"}`, "hvac_mode_setting"},
		{"/thermostats/set_hvac_mode", `{"device_id": %q, "hvac_mode_setting": "off", "heating_set_point_celsius": 20}`, "heating_set_point_celsius"},
		{"/thermostats/set_fan_mode", `{"device_id": %q, "fan_mode_setting": "circulate"}`, "fan_mode_setting"},
		{"/thermostats/set_fan_mode", `{"device_id": %q, "fan_mode": "circulate"}`, "fan_mode"},
		{"/thermostats/set_fan_mode", `{"device_id": %q}`, "fan_mode_setting"},
		{"/locks/unlock_door", `{"device_id": %q}`, "device_id"},
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, row.path, fmt.Sprintf(row.body, ids.thermostat))
		require.NotEmpty(t, out.at("error", "validation_errors", row.at, "_errors"), "%s %s: %s", row.path, row.body, out.raw)
	}
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/thermostats/heat", fmt.Sprintf(`{"device_id": %q, "heating_set_point_celsius": 20}`, ids.lock))
	require.NotEmpty(t, out.at("error", "validation_errors", "device_id", "_errors"), out.raw)
	f.expectError(t, http.StatusNotFound, "device_not_found", http.MethodPost, "/locks/unlock_door", `{"device_id": "00000000-0000-4000-8000-000000000000"}`)
	f.expectError(t, http.StatusNotFound, "action_attempt_not_found", http.MethodPost, "/action_attempts/get", `{"action_attempt_id": "00000000-0000-4000-8000-000000000000"}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/action_attempts/list", `{}`)
	require.Len(t, f.world.Calls(), calls, "a device was called")
}

func TestSpaceDevices_BadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	for _, row := range []struct {
		space, devices, at string
	}{
		{f.spaceID(t, "o1"), fmt.Sprintf("[%q]", ids.lock), "device_ids"},
		{f.spaceID(t, "101"), "[]", "device_ids"},
		{f.spaceID(t, "101"), fmt.Sprintf(`[%q, "00000000-0000-4000-8000-000000000000"]`, ids.lock), "device_ids"},
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/spaces/add_devices", fmt.Sprintf(`{"space_id": %q, "device_ids": %s}`, row.space, row.devices))
		require.NotNil(t, out.at("error", "validation_errors", row.at), out.raw)
	}
	f.expectError(t, http.StatusNotFound, "space_not_found", http.MethodPost, "/spaces/add_devices", fmt.Sprintf(`{"space_id": "00000000-0000-4000-8000-000000000000", "device_ids": [%q]}`, ids.lock))
	require.Equal(t, []any{}, f.post(t, "/devices/get", map[string]any{"device_id": ids.lock}).at("device", "space_ids"))
}

func TestConnectedAccounts(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	create := func(settings string) string {
		return fmt.Sprintf(`{"customer_key": "other", "provider": "simulated", "settings": %s}`, settings)
	}
	before := storeRows(t, f.store)
	for body, at := range map[string]string{
		create(`{"username": "user of hotel"}`):                                   "settings.password",
		create(`{"username": "user of hotel", "password": "wrong"}`):              "settings",
		create(`{"username": "user of hotel", "password": "wrong", "more": "x"}`): "settings.more",
		create(`null`):            "settings.username",
		create(`{"username": 7}`): "settings.username",
		`{"customer_key": "other", "provider": "nobody"}`: "provider",
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/connected_accounts/create", body)
		require.Contains(t, out.at("error", "message"), at+": ", body)
		require.NotContains(t, out.raw, "wrong\"", "the answer contains the password")
	}
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, "/connected_accounts/create", `{"customer_key": "nobody", "provider": "simulated"}`)
	require.Subset(t, storeRows(t, f.store), before)
	require.Empty(t, list(f.post(t, "/connected_accounts/list", `{"customer_key": "other"}`).at("connected_accounts")))

	all := f.post(t, "/connected_accounts/list", `{"search": "USER"}`)
	require.Len(t, list(all.at("connected_accounts")), 1)
	f.post(t, "/spaces/add_devices", map[string]any{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	for body, n := range map[string]int{
		`{"search": "nobody"}`: 0, `{"user_identifier_key": "anna"}`: 0, `{"custom_metadata_has": {"a": "b"}}`: 0, `{"custom_metadata_has": {}}`: 1,
		fmt.Sprintf(`{"space_id": %q}`, f.spaceID(t, "101")): 1, fmt.Sprintf(`{"space_id": %q}`, f.spaceID(t, "102")): 0,
		fmt.Sprintf(`{"space_id": %q, "customer_key": "other"}`, f.spaceID(t, "101")): 0,
	} {
		require.Len(t, list(f.post(t, "/connected_accounts/list", body).at("connected_accounts")), n, body)
	}
	require.Equal(t, ids.account, f.post(t, "/connected_accounts/get", `{"email": "user of hotel"}`).at("connected_account", "connected_account_id"))
	f.expectError(t, http.StatusNotFound, "connected_account_not_found", http.MethodPost, "/connected_accounts/get", `{"email": "nobody"}`)
	providers := f.post(t, "/devices/list_device_providers", `{"provider_category": "thermostats"}`)
	require.Equal(t, "simulated", document(list(providers.at("device_providers"))[0].(map[string]any)).at("device_provider_name"))
	require.Empty(t, list(f.post(t, "/devices/list_device_providers", `{"provider_category": "cameras"}`).at("device_providers")))

	out := f.send(t, keyB, http.MethodPost, "/connected_accounts/delete", fmt.Sprintf(`{"connected_account_id": %q}`, ids.account))
	require.Equal(t, http.StatusNotFound, out.status, "another workspace")
	f.post(t, "/connected_accounts/delete", map[string]any{"connected_account_id": ids.account})
	f.expectError(t, http.StatusNotFound, "connected_account_not_found", http.MethodPost, "/connected_accounts/get", fmt.Sprintf(`{"connected_account_id": %q}`, ids.account))
	require.Empty(t, list(f.post(t, "/devices/list", `{}`).at("devices")))
	require.NotContains(t, f.log.String(), devicePassword)
}

// TestDevices_ServiceWithoutDevices_HasNoDeviceOperations serves the API of a service without [portal.Options.Access].
func TestDevices_ServiceWithoutDevices_HasNoDeviceOperations(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Portals = newService(t, data.Open(o.Portals.DB().Store(), data.Options{})) })
	f.expectError(t, http.StatusNotFound, "not_found", http.MethodPost, "/devices/list", `{}`)
	require.NotContains(t, f.post(t, "/spaces/list", `{}`).raw, "device_id")
	require.NotContains(t, f.send(t, keyA, http.MethodGet, "/openapi.json", "").raw, "/devices/list")
	require.True(t, strings.Contains(string(httpapi.OpenAPI()), "/devices/list"))
}
