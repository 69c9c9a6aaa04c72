package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// events returns the events of a request to list them.
func (f *fixture) events(t testing.TB, body any) (events []document) {
	t.Helper()
	for _, e := range list(f.post(t, "/events/list", body).at("events")) {
		events = append(events, document(e.(map[string]any)))
	}
	return events
}

func types(events []document) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.at("event_type").(string))
	}
	return out
}

// awaitEvent waits for an event of a device, and moves the clock, because states are stored once a minute.
func (f *fixture) awaitEvent(t testing.TB, device, kind string) (event document) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		found := f.events(t, map[string]any{"device_id": device, "event_type": kind})
		if len(found) > 0 {
			event = found[0]
		}
		return event != nil
	}, 10*time.Minute, time.Millisecond)
	return event
}

// eventHotel returns the API with a customer that has rooms, devices and events: of two spaces, of a lock that a portal unlocks, and
// of a lock that goes offline.
func eventHotel(t *testing.T) (f *fixture, ids devices, unlocked, offline document) {
	t.Helper()
	f, ids = deviceHotel(t)
	f.post(t, "/seam/customer/v1/automations/update", `{"access_rules": {"reservation_created": null}}`) // no events of access codes
	f.clock.Advance(time.Hour)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r", "room_keys": ["101"], "ends_at": "2025-07-01T10:00:00Z"}]}`)
	f.clock.Advance(time.Hour)
	f.post(t, "/spaces/add_devices", map[string]any{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	portal := data.Actor{Type: data.ActorPortal, PortalID: uuid.New()}
	_, err := f.access.Workspace(workspaceA).Do(t.Context(), uuid.MustParse(ids.lock), device.Command{Kind: device.Unlock}, portal, 0)
	require.NoError(t, err)
	unlocked = f.awaitEvent(t, ids.lock, "lock.unlocked")
	f.clock.Advance(time.Hour)
	f.world.SetFaults("thermostat", simulated.Faults{Offline: true})
	offline = f.awaitEvent(t, ids.thermostat, "device.disconnected")
	f.clock.Advance(time.Hour)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r", "ends_at": "2025-07-02T10:00:00Z"}]}`)
	f.clock.Advance(time.Hour)
	f.post(t, "/customers/delete_data", `{"reservation_keys": ["r"], "room_keys": ["o1"]}`)
	return f, ids, unlocked, offline
}

func TestEvents_List_Filters(t *testing.T) {
	t.Parallel()
	f, ids, unlocked, offline := eventHotel(t)
	all := f.events(t, `{}`)
	require.Equal(t, []string{
		"access_grant.deleted", "space.deleted", "access_grant.access_times_changed", "device.disconnected", "lock.unlocked",
		"access_grant.created", "space.created", "space.created", "space.created", "space.created",
	}, sortedEnds(types(all)))
	require.Equal(t, "remote", unlocked.at("method"))
	require.NotEmpty(t, unlocked.at("action_attempt_id"))
	require.Equal(t, ids.account, unlocked.at("connected_account_id"))
	require.Equal(t, "hotel", unlocked.at("customer_key"))
	require.Equal(t, "device_disconnected", offline.at("error_code"))

	wire := wireDocument(t)
	required := wire.at("components", "schemas", "event", "x-event-types").(map[string]any)
	for _, e := range all {
		kind := e.at("event_type").(string)
		require.Contains(t, required, kind, "the API has no such type")
		for _, member := range list(required[kind]) {
			require.Contains(t, e, member, kind)
		}
	}

	grant, space := f.events(t, `{"event_type": "access_grant.created"}`)[0].at("access_grant_id"), f.spaceID(t, "101")
	created := unlocked.at("created_at").(string)
	at, err := time.Parse(time.RFC3339, created)
	require.NoError(t, err)
	later := at.Add(time.Minute).Format(time.RFC3339Nano)
	type m = map[string]any
	for _, row := range []struct {
		body m
		want []string
	}{
		{m{"device_id": ids.lock}, []string{"lock.unlocked"}},
		{m{"device_ids": []string{ids.lock, ids.thermostat}}, []string{"device.disconnected", "lock.unlocked"}},
		{m{"device_ids": []string{ids.lock}, "device_id": ids.thermostat}, []string{}},
		{m{"device_ids": []string{}}, []string{}},
		{m{"connected_account_id": ids.account}, []string{"device.disconnected", "lock.unlocked"}},
		{m{"event_type": "lock.unlocked"}, []string{"lock.unlocked"}},
		{m{"event_types": []string{"lock.unlocked", "device.disconnected"}}, []string{"device.disconnected", "lock.unlocked"}},
		{m{"event_types": []string{}}, []string{}},
		{m{"access_grant_id": grant}, []string{"access_grant.deleted", "access_grant.access_times_changed", "access_grant.created"}},
		{m{"access_grant_ids": []any{grant}, "limit": 1}, []string{"access_grant.deleted"}},
		{m{"access_grant_id": grant, "unstable_offset": 1}, []string{"access_grant.access_times_changed", "access_grant.created"}},
		{m{"space_id": space}, []string{"lock.unlocked", "space.created"}},
		{m{"space_ids": []string{space}, "event_type": "space.created"}, []string{"space.created"}},
		{m{"space_id": "00000000-0000-4000-8000-000000000000"}, []string{}},
		{m{"customer_key": "other"}, []string{"space.deleted", "space.created"}},
		{m{"customer_key": "nobody"}, []string{}},
		{m{"since": created, "customer_key": "hotel"}, []string{"access_grant.deleted", "access_grant.access_times_changed", "device.disconnected", "lock.unlocked"}},
		{m{"between": []string{created, "2100-01-01T00:00:00Z"}, "device_id": ids.lock}, []string{}},
		{m{"between": []string{"2000-01-01T00:00:00Z", later}, "customer_key": "hotel", "limit": 2}, []string{"lock.unlocked", "access_grant.created"}},
		{m{"event_ids": []any{offline.at("event_id"), unlocked.at("event_id"), uuid.New()}}, []string{"device.disconnected", "lock.unlocked"}},
		{m{"event_ids": []any{unlocked.at("event_id")}, "device_id": ids.thermostat}, []string{}},
		{m{"access_code_id": ids.lock}, []string{}},
		{m{"acs_user_id": ids.lock}, []string{}},
		{m{"acs_system_ids": []string{}}, []string{}},
	} {
		require.Equal(t, row.want, types(f.events(t, row.body)), "%v", row.body)
	}
	out := f.post(t, "/events/list", `{"event_type": "lock.unlokced"}`)
	require.Empty(t, out.at("events"))
	require.Equal(t, "not_there_yet", out.body["warnings"].([]any)[0].(map[string]any)["rule"])
}

// sortedEnds sorts the first two and the last texts, which are of one commit or of commits whose order does not matter here.
func sortedEnds(texts []string) []string {
	slices.Sort(texts[:2])
	slices.Sort(texts[5:])
	return texts
}

// TestEvents_Pages_ListEachEventOnce reads pages while further events are added.
func TestEvents_Pages_ListEachEventOnce(t *testing.T) {
	t.Parallel()
	f, _, _, _ := eventHotel(t)
	all := f.events(t, `{}`)
	var paged []document
	for cursor := any(""); cursor != nil; {
		out := f.post(t, "/events/list", map[string]any{"limit": 2, "page_cursor": cursor})
		for _, e := range list(out.at("events")) {
			paged = append(paged, document(e.(map[string]any)))
		}
		cursor = out.at("pagination", "next_page_cursor")
		require.Equal(t, cursor != nil, out.at("pagination", "has_next_page"))
		f.post(t, "/customers/push_data", fmt.Sprintf(`{"customer_key": "hotel", "rooms": [{"room_key": "new %d", "name": "New"}]}`, len(paged)))
	}
	require.Equal(t, all, paged)
	again := f.events(t, `{}`)
	require.Equal(t, all, again[len(again)-len(all):], "events do not change")
}

// TestEvents_LongFeed_ReadsABoundedPart lists events that follow many changes without events.
func TestEvents_LongFeed_ReadsABoundedPart(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "rooms": [{"room_key": "101", "name": "Room"}]}`)
	guests := make([]map[string]any, 10_001)
	for i := range guests {
		guests[i] = map[string]any{"guest_key": fmt.Sprint("g", i), "name": "Guest"}
	}
	f.post(t, "/customers/push_data", map[string]any{"customer_key": "hotel", "guests": guests})
	out := f.post(t, "/events/list", `{}`)
	require.Empty(t, out.at("events"))
	require.Equal(t, "search_stopped", out.body["warnings"].([]any)[0].(map[string]any)["rule"])
	out = f.post(t, "/events/list", map[string]any{"page_cursor": out.at("pagination", "next_page_cursor")})
	require.Len(t, out.at("events"), 1)
	require.Equal(t, false, out.at("pagination", "has_next_page"))
	f.expectError(t, http.StatusNotFound, "event_not_found", http.MethodPost, "/events/get", `{"event_type": "space.created"}`)
}

func TestEvents_Get(t *testing.T) {
	t.Parallel()
	f, ids, unlocked, offline := eventHotel(t)
	for body, want := range map[string]document{
		fmt.Sprintf(`{"event_id": %q}`, unlocked.at("event_id")):                            unlocked,
		fmt.Sprintf(`{"event_id": %q, "device_id": %q}`, unlocked.at("event_id"), ids.lock): unlocked,
		`{"event_type": "device.disconnected"}`:                                             offline,
		fmt.Sprintf(`{"device_id": %q}`, ids.lock):                                          unlocked,
	} {
		require.Equal(t, map[string]any(want), f.post(t, "/events/get", body).at("event"), body)
	}
	for _, body := range []string{
		`{"event_id": "00000000-0000-4000-8000-000000000000"}`, fmt.Sprintf(`{"event_id": %q, "device_id": %q}`, unlocked.at("event_id"), ids.thermostat),
		fmt.Sprintf(`{"device_id": %q}`, ids.noise), `{"event_type": "lock.locked"}`,
	} {
		f.expectError(t, http.StatusNotFound, "event_not_found", http.MethodPost, "/events/get", body)
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/events/get", `{}`)
	out := f.send(t, keyB, http.MethodPost, "/events/get", fmt.Sprintf(`{"event_id": %q}`, unlocked.at("event_id")))
	require.Equal(t, http.StatusNotFound, out.status, "another workspace")
	require.Empty(t, list(f.send(t, keyB, http.MethodPost, "/events/list", fmt.Sprintf(`{"event_ids": [%q]}`, unlocked.at("event_id"))).at("events")))
	require.Empty(t, list(f.send(t, keyB, http.MethodPost, "/events/list", `{}`).at("events")))
}

func TestEvents_BadInput_NamesTheParameter(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	for body, at := range map[string]string{
		`{"since": "yesterday"}`:                                        "since",
		`{"between": ["2025-01-01T00:00:00Z"]}`:                         "between",
		`{"between": ["2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"]}`: "between",
		`{"between": ["2025-01-02T00:00:00Z", "now"]}`:                  "between",
		`{"between": []}`:                                               "between",
		`{"between": ["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"], "since": "2025-01-01T00:00:00Z"}`: "between",
		`{"event_type": ""}`:      "event_type",
		`{"device_id": "x"}`:      "device_id",
		`{"device_ids": ["x"]}`:   "device_ids",
		`{"page_cursor": "x"}`:    "page_cursor",
		`{"unstable_offset": -1}`: "unstable_offset",
		`{"devices": []}`:         "devices",
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/events/list", body)
		require.NotNil(t, out.at("error", "validation_errors", at), "%s: %s", body, out.raw)
	}
	f.expectError(t, http.StatusConflict, "conflict", http.MethodPost, "/events/list", `{"page_cursor": "00000000-0001-8000-8000-000000000000"}`)
}
