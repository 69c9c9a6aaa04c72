package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

func TestSpaces_CreateUpdateDelete(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	type m = map[string]any
	made := f.post(t, "/spaces/create", m{
		"customer_key": "hotel", "name": "Cellar", "space_key": "cellar", "device_ids": []string{ids.lock, ids.noise, ids.lock},
		"customer_data": m{"time_zone": "Europe/Lisbon", "address": "Rua 1", "default_checkin_time": "15:00"},
	})
	id := made.at("space", "space_id")
	require.Equal(t, []any{"Cellar", "cellar", "hotel", "space", 2.0}, []any{
		made.at("space", "name"), made.at("space", "space_key"), made.at("space", "customer_key"), made.at("space", "kind"), made.at("space", "device_count"),
	})
	require.Equal(t, made.at("space"), f.post(t, "/spaces/get", m{"space_key": "cellar"}).at("space"))
	exported := f.post(t, "/customers/export_data", m{"customer_key": "hotel"})
	require.Contains(t, exported.raw, `"space_key":"cellar"`, "the space is like a pushed one")

	updated := f.post(t, "/spaces/update", m{"space_id": id, "name": "Wine cellar", "customer_data": m{"address": nil, "default_checkin_time": "16:00"}})
	require.Equal(t, m{"time_zone": "Europe/Lisbon", "default_checkin_time": "16:00"}, updated.at("space", "customer_data"))
	require.Equal(t, "Wine cellar", updated.at("space", "name"))
	require.InEpsilon(t, 2.0, updated.at("space", "device_count"), 0.01, "the devices were not given")
	f.post(t, "/spaces/update", m{"space_key": "cellar", "device_ids": []string{ids.thermostat, ids.lock}})
	require.ElementsMatch(t, []any{ids.thermostat, ids.lock}, f.deviceIDs(t, m{"space_id": id}))
	room := f.post(t, "/spaces/update", m{"space_key": "101", "device_ids": []string{ids.lock}, "name": "Sea view"})
	require.Equal(t, []any{"room", "Sea view"}, []any{room.at("space", "kind"), room.at("space", "name")})
	f.post(t, "/spaces/update", m{"space_key": "cellar", "device_ids": []string{}})
	require.Empty(t, f.deviceIDs(t, m{"space_id": id}))
	require.Equal(t, []any{ids.lock}, f.deviceIDs(t, m{"space_id": f.spaceID(t, "101")}), "the other mappings of the device stay")

	generated := f.post(t, "/spaces/create", m{"customer_key": "hotel", "name": "Attic"})
	_, err := uuid.Parse(generated.at("space", "space_key").(string))
	require.NoError(t, err)

	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r", "room_keys": ["101"]}]}`)
	deleted := f.post(t, "/spaces/delete", m{"space_id": f.spaceID(t, "101")})
	require.Len(t, deleted.at("report", "deleted"), 2, "the reservation depends on the room")
	require.Len(t, deleted.at("report", "unmapped"), 1)
	f.expectError(t, http.StatusNotFound, "space_not_found", http.MethodPost, "/spaces/get", `{"space_key": "101"}`)
	f.post(t, "/spaces/delete", m{"space_id": id})
}

// deviceIDs returns the ids of the devices that a request lists.
func (f *fixture) deviceIDs(t testing.TB, body any) []any {
	t.Helper()
	out := []any{}
	for _, d := range list(f.post(t, "/devices/list", body).at("devices")) {
		out = append(out, d.(map[string]any)["device_id"])
	}
	return out
}

// TestSpaces_BadInput_ChangesNothing sends requests that are invalid, or name resources of other customers and workspaces.
func TestSpaces_BadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	const nobody = "00000000-0000-4000-8000-000000000000"
	before := f.state(t)
	for _, row := range []struct {
		path, body, at string
		status         int
	}{
		{"/spaces/create", `{"name": "X"}`, "customer_key", 400},
		{"/spaces/create", `{"customer_key": "hotel"}`, "name", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": ""}`, "name", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "space_key": "101"}`, "space_key", 409},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "space_key": "o1"}`, "space_key", 409},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "space_key": " "}`, "space_key", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "customer_data": {"default_checkin_time": "25:00"}}`, "customer_data", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "customer_data": {"zone": "UTC"}}`, "customer_data", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "acs_entrance_ids": ["` + nobody + `"]}`, "acs_entrance_ids", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "connected_account_ids": ["` + ids.account + `"]}`, "connected_account_ids", 400},
		{"/spaces/create", `{"customer_key": "hotel", "name": "X", "device_ids": ["` + ids.lock + `", "` + nobody + `"]}`, "device_ids", 400},
		{"/spaces/create", `{"customer_key": "other", "name": "X", "device_ids": ["` + ids.lock + `"]}`, "device_ids", 400},
		{"/spaces/update", `{"space_key": "o1", "name": "Y", "device_ids": ["` + ids.lock + `"]}`, "device_ids", 400},
		{"/spaces/update", `{"space_key": "101", "name": "Y", "device_ids": ["` + nobody + `"]}`, "device_ids", 400},
		{"/spaces/update", `{"space_key": "101", "name": "Y", "customer_data": {"address": "Rua 1"}}`, "customer_data", 400},
		{"/spaces/update", `{"space_key": "101", "name": null, "names": "Y"}`, "names", 400},
		{"/spaces/update", `{"space_key": "101", "space_id": "` + f.spaceID(t, "101") + `", "name": "Y"}`, "_errors", 400},
		{"/spaces/delete", `{}`, "space_id", 400},
	} {
		out := f.send(t, keyA, http.MethodPost, row.path, row.body)
		require.Equal(t, row.status, out.status, "%s %s: %s", row.path, row.body, out.raw)
		require.NotEmpty(t, out.at("error", "validation_errors", row.at), "%s: %s", row.body, out.raw)
	}
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, "/spaces/create", `{"customer_key": "nobody", "name": "X"}`)
	for path, body := range map[string]string{"/spaces/update": `{"space_id": %q, "name": "Y"}`, "/spaces/delete": `{"space_id": %q}`} {
		f.expectError(t, http.StatusNotFound, "space_not_found", http.MethodPost, path, fmt.Sprintf(body, nobody))
		out := f.send(t, keyB, http.MethodPost, path, fmt.Sprintf(body, f.spaceID(t, "101")))
		require.Equal(t, http.StatusNotFound, out.status, "another workspace")
	}
	require.Equal(t, before, f.state(t))
}

// state returns the customers, resources and mappings of workspace A.
func (f *fixture) state(t testing.TB) (out []any) {
	t.Helper()
	for _, path := range []string{"/seam/customer/v1/customers/list", "/spaces/list", "/access_grants/list", "/connected_accounts/list", "/customers/changes"} {
		out = append(out, f.post(t, path, `{}`).body)
	}
	for _, d := range list(f.post(t, "/devices/list", `{}`).at("devices")) {
		d := document(d.(map[string]any))
		out = append(out, d.at("device_id"), d.at("display_name"), d.at("space_ids"), d.at("custom_metadata"), d.at("properties", "available_climate_presets"))
	}
	return out
}

// TestSpaces_ServiceWithoutDevices_CreatesSpaces creates spaces with a service without devices.
func TestSpaces_ServiceWithoutDevices_CreatesSpaces(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Portals = newService(t, data.Open(o.Portals.DB().Store(), data.Options{})) })
	f.post(t, "/customers/push_data", `{"customer_key": "hotel"}`)
	f.post(t, "/spaces/create", `{"customer_key": "hotel", "name": "Cellar", "space_key": "cellar", "device_ids": []}`)
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/spaces/create", fmt.Sprintf(`{"customer_key": "hotel", "name": "X", "device_ids": [%q]}`, uuid.New()))
	require.NotNil(t, out.at("error", "validation_errors", "device_ids"))
	require.Len(t, f.post(t, "/events/list", fmt.Sprintf(`{"space_id": %q}`, f.spaceID(t, "cellar"))).at("events"), 1)
	for path, member := range map[string]string{"/spaces/list": "spaces", "/access_grants/list": "access_grants"} {
		require.Empty(t, f.post(t, path, fmt.Sprintf(`{"device_id": %q}`, uuid.New())).at(member))
	}
}

func TestAutoMap_SuggestsAndAccepts(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	const path = "/seam/partner/v1/building_blocks/spaces/auto_map"
	type m = map[string]any
	names := func(out reply) (names []any) {
		for _, s := range list(out.at("spaces")) {
			names = append(names, s.(map[string]any)["partner_resource_key"])
		}
		return names
	}
	suggested := f.post(t, path, m{"customer_key": "hotel"})
	require.Equal(t, []any{"101", "102"}, names(suggested))
	first := document(list(suggested.at("spaces"))[0].(map[string]any))
	require.Equal(t, []any{"Room 101", "site", true, false, []any{ids.account}}, []any{
		first.at("name"), first.at("parent_partner_resource_key"), first.at("is_draft"), first.at("needs_review"), first.at("connected_account_ids"),
	})
	require.Equal(t, ids.lock, list(first.at("devices"))[0].(map[string]any)["device_id"])
	for _, row := range []struct {
		body m
		want []any
	}{
		{m{"customer_key": "hotel", "collection_key": "rooms"}, []any{"101", "102"}},
		{m{"customer_key": "hotel", "collection_key": "sites"}, nil},
		{m{"customer_key": "hotel", "connected_account_id": ids.account}, []any{"101", "102"}},
		{m{"customer_key": "other"}, nil},
	} {
		require.Equal(t, row.want, names(f.post(t, path, row.body)), "%v", row.body)
	}
	before := f.state(t)
	for body, at := range map[string]string{
		`{}`: "customer_key", `{"customer_key": "hotel", "collection_key": "guests"}`: "collection_key", `{"customer_key": "hotel", "accept": "yes"}`: "accept",
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
		require.NotNil(t, out.at("error", "validation_errors", at), body)
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodGet, path+"?customer_key=hotel&accept=true", "")
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, path, `{"customer_key": "nobody", "accept": true}`)
	f.expectError(t, http.StatusNotFound, "connected_account_not_found", http.MethodPost, path, fmt.Sprintf(`{"customer_key": "other", "connected_account_id": %q, "accept": true}`, ids.account))
	out := f.send(t, keyB, http.MethodPost, path, `{"customer_key": "hotel", "accept": true}`)
	require.Equal(t, http.StatusNotFound, out.status, "another workspace")
	require.Equal(t, before, f.state(t))

	accepted := f.post(t, path, m{"customer_key": "hotel", "accept": true})
	require.Equal(t, []any{"101", "102"}, names(accepted))
	require.Equal(t, []any{ids.lock}, f.deviceIDs(t, m{"space_id": f.spaceID(t, "101")}))
	require.Equal(t, []any{ids.offline}, f.deviceIDs(t, m{"space_id": f.spaceID(t, "102")}))
	require.Empty(t, names(f.post(t, path, m{"customer_key": "hotel"})), "the devices are mapped")
}

func TestDeviceFilters_OfSpacesAndAccessGrants(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r1", "room_keys": ["101"]}, {"reservation_key": "r2", "room_keys": ["102"]}],
		"rooms": [{"room_key": "103", "name": "Without a site"}], "access_grants": [{"access_grant_key": "g3", "room_keys": ["103"]}]}`)
	f.post(t, "/spaces/add_devices", map[string]any{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock, ids.noise}})
	f.post(t, "/spaces/add_devices", map[string]any{"space_id": f.spaceID(t, "102"), "device_ids": []string{ids.lock}})
	shared(t, f, ids.offline, "101")
	const nobody = "00000000-0000-4000-8000-000000000000"
	keys := func(path, member, key, query string) []string {
		out := f.send(t, keyA, http.MethodGet, path+"?"+query, "")
		require.Equal(t, http.StatusOK, out.status, out.raw)
		found := []string{}
		for _, r := range list(out.at(member)) {
			found = append(found, r.(map[string]any)[key].(string))
		}
		return found
	}
	for query, want := range map[string][]string{
		"device_id=" + ids.lock: {"101", "102"}, "device_ids=" + ids.noise + "&device_ids=" + nobody: {"101"}, "device_id=" + ids.thermostat: {}, "device_ids=": {},
		"device_id=" + ids.lock + "&device_ids=" + ids.noise: {"101"}, "device_id=" + ids.lock + "&customer_key=other": {},
		"device_id=" + ids.lock + "&space_key=102": {"102"}, "connected_account_id=" + ids.account: {"101", "102"},
		"connected_account_id=" + nobody: {}, "connected_account_id=" + ids.account + "&customer_key=other": {},
		"connected_account_id=" + ids.account + "&device_id=" + ids.noise: {"101"},
	} {
		require.ElementsMatch(t, want, keys("/spaces/list", "spaces", "space_key", query), query)
	}
	for query, want := range map[string][]string{
		"device_id=" + ids.noise: {"r1"}, "device_id=" + ids.lock: {"r1", "r2"}, "device_id=" + ids.thermostat: {}, "device_id=" + nobody: {},
		"device_id=" + ids.offline:                                   {"r1", "r2"}, // the shared entrance of the site
		"device_id=" + ids.noise + "&customer_key=other":             {},
		"device_id=" + ids.lock + "&access_grant_key=r2":             {"r2"},
		"device_id=" + ids.noise + "&reservation_key=r2":             {},
		"device_id=" + ids.lock + "&space_id=" + f.spaceID(t, "101"): {"r1"},
	} {
		require.ElementsMatch(t, want, keys("/access_grants/list", "access_grants", "access_grant_key", query), query)
	}
	for path, member := range map[string]string{"/spaces/list": "spaces", "/access_grants/list": "access_grants"} {
		require.Empty(t, f.send(t, keyB, http.MethodPost, path, fmt.Sprintf(`{"device_id": %q}`, ids.lock)).at(member))
	}
}

// shared maps a device to a space as an entrance of its whole site.
func shared(t testing.TB, f *fixture, device, space string) {
	t.Helper()
	_, err := f.access.Workspace(workspaceA).Customer("hotel").Map(t.Context(), access.DeviceMapping{
		DeviceID: uuid.MustParse(device), Mapping: access.Mapping{SpaceKey: space, Shared: true},
	})
	require.NoError(t, err)
}
