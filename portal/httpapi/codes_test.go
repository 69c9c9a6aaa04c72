package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// codeHotel returns the API with a customer that has a lock in room 101 and a reservation of this room, whose code is on the lock.
func codeHotel(t *testing.T) (f *fixture, ids devices, code document) {
	t.Helper()
	f, ids = deviceHotel(t)
	f.post(t, "/spaces/add_devices", members{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r1", "name": "Ada", "room_keys": ["101"],
		"starts_at": "2025-06-16T14:00:00Z", "ends_at": "2025-06-18T10:00:00Z", "preferred_code": "471186"}]}`)
	return f, ids, f.code(t, "r1", "set")
}

func TestAccessCodes_OfReservation_AreFoundAndListed(t *testing.T) {
	t.Parallel()
	f, ids, code := codeHotel(t)
	require.Equal(t, "471186", code.at("code"))
	require.Equal(t, "Ada", code.at("name"))
	require.Equal(t, "time_bound", code.at("type"))
	require.Equal(t, "2025-06-18T10:00:00.000000Z", code.at("ends_at"))
	require.Empty(t, code.at("errors"))
	require.Empty(t, code.at("pending_mutations"))
	id := code.at("access_code_id").(string)
	require.Equal(t, map[string]any(code), f.post(t, "/access_codes/get", members{"access_code_id": id}).at("access_code"))
	require.Equal(t, map[string]any(code), f.post(t, "/access_codes/get", members{"device_id": ids.lock, "code": "471186"}).at("access_code"))
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodGet, "/access_codes/get?code=471187&device_id="+ids.lock, "")
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodGet, "/access_codes/get?code=471186", "")

	grant := f.post(t, "/access_grants/get", `{"access_grant_key": "r1"}`)
	method := grant.at("access_grant", "access_method_ids").([]any)[0].(string)
	require.Equal(t, code.at("access_method_id"), method)
	require.Equal(t, code.at("access_grant_id"), grant.at("access_grant", "access_grant_id"))
	require.Equal(t, "reservation_created", grant.at("access_grant", "last_automation_result", "rule"))
	count := func(path, name, query string) int {
		out := f.send(t, keyA, http.MethodGet, path+"?"+query, "")
		require.Equal(t, http.StatusOK, out.status, out.raw)
		return len(list(out.at(name)))
	}
	other := "00000000-0000-4000-8000-000000000000"
	for query, want := range map[string]int{
		"device_id=" + ids.lock: 1, "device_id=" + ids.offline: 0, "device_id=" + other: 0, "access_code_ids=" + id + "&access_code_ids=" + other: 1,
		"access_grant_key=r1": 1, "access_grant_key=r2": 0, "access_grant_id=" + grant.at("access_grant", "access_grant_id").(string): 1,
		"access_method_id=" + method: 1, "access_method_id=" + other: 0, "customer_key=hotel": 1, "customer_key=other": 0, "customer_key=nobody": 0,
		"customer_key=other&device_id=" + ids.lock: 0, "customer_key=hotel&search=471186": 1, "customer_key=hotel&search=x": 0,
		"customer_key=hotel&user_identifier_key=x": 0, "access_grant_key=r1&device_id=" + ids.offline: 0,
	} {
		require.Equal(t, want, count("/access_codes/list", "access_codes", query), query)
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodGet, "/access_codes/list", "")
	for query, want := range map[string]int{
		"": 1, "access_code_id=" + id: 1, "access_code_id=" + other: 0, "access_grant_key=r1": 1, "access_grant_key=r2": 0, "device_id=" + ids.lock: 1,
		"device_id=" + ids.offline: 0, "customer_key=other": 0, "space_id=" + f.spaceID(t, "101"): 1, "space_id=" + f.spaceID(t, "102"): 0, "acs_entrance_id=" + other: 0,
	} {
		require.Equal(t, want, count("/access_methods/list", "access_methods", query), query)
	}
	found := f.post(t, "/access_methods/get", members{"access_method_id": method})
	require.Equal(t, "471186", found.at("access_method", "code"))
	require.Equal(t, true, found.at("access_method", "is_issued"))
	f.expectError(t, http.StatusNotFound, "access_method_not_found", http.MethodGet, "/access_methods/get?access_method_id="+other, "")

	pin := f.post(t, "/access_codes/generate_code", members{"device_id": ids.lock}).at("generated_code", "code").(string)
	require.NotEqual(t, "471186", pin)
	require.Regexp(t, `^\d{4,9}$`, pin)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/access_codes/generate_code", `{"device_id": "`+ids.thermostat+`"}`)
}

func TestAccessCodes_Pages_ContainEachCodeOnce(t *testing.T) {
	t.Parallel()
	f, ids, first := codeHotel(t)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "access_grants": [{"access_grant_key": "g2", "room_keys": ["101"]}, {"access_grant_key": "g3", "room_keys": ["101"]}]}`)
	f.code(t, "g2", "set")
	f.code(t, "g3", "set")
	all := []any{first.at("access_code_id")}
	for _, code := range list(f.post(t, "/access_codes/list", members{"device_id": ids.lock}).at("access_codes")) {
		all = append(all, code.(map[string]any)["access_code_id"])
	}
	all = all[1:]
	require.Len(t, all, 3)
	for _, filter := range []members{{"device_id": ids.lock}, {"customer_key": "hotel"}, {"access_code_ids": all}} {
		var paged []any
		cursor := any(nil)
		for {
			body := members{"limit": 1, "page_cursor": cursor}
			for name, v := range filter {
				body[name] = v
			}
			out := f.post(t, "/access_codes/list", body)
			require.LessOrEqual(t, len(list(out.at("access_codes"))), 1)
			for _, code := range list(out.at("access_codes")) {
				paged = append(paged, code.(map[string]any)["access_code_id"])
			}
			if cursor = out.at("pagination", "next_page_cursor"); cursor == nil {
				break
			}
		}
		require.ElementsMatch(t, all, paged, filter)
	}
	pagination := f.post(t, "/access_codes/list", members{"customer_key": "hotel", "limit": 1}).at("pagination").(map[string]any)
	require.Contains(t, pagination["next_page_url"], "customer_key=hotel")
	out := f.post(t, "/access_codes/list", members{"customer_key": "hotel", "search": "g", "limit": 1})
	require.NotNil(t, out.at("pagination", "next_page_cursor"))
	require.Nil(t, out.at("pagination", "next_page_url"), "a search can be a PIN")
	for _, body := range []string{`{"customer_key": "hotel", "page_cursor": "x"}`, `{"access_code_ids": [], "page_cursor": "-1"}`} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/access_codes/list", body)
		require.NotNil(t, out.at("error", "validation_errors", "page_cursor"))
	}
}

// TestEvents_OfAccessCodes_HaveTheirFields follows a code from its creation to its removal.
func TestEvents_OfAccessCodes_HaveTheirFields(t *testing.T) {
	t.Parallel()
	f, _, code := codeHotel(t)
	required := wireDocument(t).at("components", "schemas", "event", "x-event-types").(map[string]any)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r1", "ends_at": "2025-06-19T10:00:00Z"}]}`)
	await := func(kind string) (e document) {
		require.Eventually(t, func() bool {
			f.clock.Advance(time.Second)
			if found := f.events(t, members{"event_type": kind, "access_code_id": code.at("access_code_id")}); len(found) > 0 {
				e = found[0]
			}
			return e != nil
		}, 10*time.Minute, time.Millisecond, kind)
		for _, name := range required[kind].([]any) {
			require.Contains(t, map[string]any(e), name, kind)
		}
		require.Equal(t, map[string]any(e), f.post(t, "/events/get", members{"event_id": e.at("event_id")}).at("event"))
		return e
	}
	require.NotContains(t, map[string]any(await("access_code.created")), "code")
	require.Equal(t, "471186", await("access_code.set_on_device").at("code"))
	await("access_code.time_frame_changed")
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r1", "preferred_code": "825431"}]}`)
	changed := await("access_code.code_changed")
	require.NotContains(t, changed, "471186")
	require.NotContains(t, changed, "825431")
	require.Eventually(t, func() bool { return f.code(t, "r1", "").at("code") == "825431" }, 10*time.Minute, time.Millisecond)
	f.post(t, "/customers/delete_data", `{"reservation_keys": ["r1"]}`)
	await("access_code.removed_from_device")
	require.Empty(t, await("access_code.set_on_device").at("code"), "the code does not exist any more")
	require.NotContains(t, f.log.String(), "471186")
	for key, value := range storeRows(t, f.store) {
		if strings.Contains(key+value, "access_code.") {
			require.NotContains(t, value, "471186")
			require.NotContains(t, value, "825431")
		}
	}
}
