package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// addUnmanaged writes a code at a lock, as somebody does who stands in front of it, and waits until the API shows it.
func (f *fixture) addUnmanaged(t testing.TB, lock, id string, slot int, name, pin string) (code document) {
	t.Helper()
	f.world.WriteCode(lock, device.Slot{Index: slot, State: device.SlotKnown, PIN: device.NewSecret(pin), Name: name})
	require.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		for _, c := range list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": id}).at("access_codes")) {
			if found := document(c.(map[string]any)); found.at("name") == name {
				code = found
			}
		}
		return code != nil
	}, 10*time.Minute, time.Millisecond)
	return code
}

func TestUnmanagedCodes_AreListedAndFound(t *testing.T) {
	t.Parallel()
	f, ids, _ := codeHotel(t)
	last := f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172")
	first := f.addUnmanaged(t, "lock-101", ids.lock, 4, "Cleaner", "908173")
	require.Equal(t, "908172", last.at("code"))
	require.Equal(t, "ongoing", last.at("type"))
	require.Equal(t, false, last.at("is_managed"))
	require.EqualValues(t, 9, last.at("slot"))
	out := f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "limit": 1})
	require.Equal(t, []any{map[string]any(first)}, list(out.at("access_codes")))
	out = f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "limit": 1, "page_cursor": out.at("pagination", "next_page_cursor")})
	require.Equal(t, []any{map[string]any(last)}, list(out.at("access_codes")))
	require.Nil(t, out.at("pagination", "next_page_cursor"))
	require.Len(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "search": "own"}).at("access_codes")), 1)
	require.Len(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "search": "908173"}).at("access_codes")), 1)
	require.Empty(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.offline}).at("access_codes")))
	id := last.at("access_code_id").(string)
	require.Equal(t, map[string]any(last), f.post(t, "/access_codes/unmanaged/get", members{"access_code_id": id}).at("access_code"))
	const path = "/access_codes/unmanaged/get"
	require.Equal(t, map[string]any(last), f.post(t, path, members{"device_id": ids.lock, "code": "908172"}).at("access_code"))
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, path, `{"access_code_id": "`+id+`", "device_id": "`+ids.offline+`"}`)
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, path, `{"device_id": "`+ids.lock+`", "code": "471186"}`)
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, "/access_codes/get", `{"access_code_id": "`+id+`"}`)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, `{"access_code_id": "`+id+`"}`).status)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, "/access_codes/unmanaged/list", `{"device_id": "`+ids.lock+`"}`).status)
	for _, body := range []string{`{}`, `{"device_id": "` + ids.lock + `"}`, `{"access_code_id": "` + id + `", "device_id": "` + ids.lock + `", "code": "908172"}`} {
		f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/access_codes/unmanaged/list", `{"device_id": "`+ids.lock+`", "page_cursor": "x"}`)
}

// TestUnmanagedCode_Converted_BecomesAnAccessCode converts a code to a managed one, and deletes it.
func TestUnmanagedCode_Converted_BecomesAnAccessCode(t *testing.T) {
	t.Parallel()
	f, ids, _ := codeHotel(t)
	id := f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172").at("access_code_id").(string)
	const path = "/access_codes/unmanaged/convert_to_managed"
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, `{"access_code_id": "`+id+`"}`).status)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, `{"access_code_id": "`+id+`", "is_external_modification_allowed": true}`)
	out := f.post(t, path, members{"access_code_id": id, "force": true})
	require.Empty(t, out.body["warnings"])
	code := f.post(t, "/access_codes/get", members{"access_code_id": id})
	require.Equal(t, "Owner", code.at("access_code", "name"))
	require.Equal(t, "908172", code.at("access_code", "code"))
	require.Equal(t, true, code.at("access_code", "is_managed"))
	require.Equal(t, "ongoing", code.at("access_code", "type"))
	grant := f.post(t, "/access_grants/get", members{"access_grant_id": code.at("access_code", "access_grant_id")}).at("access_grant", "access_grant_key").(string)
	require.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		return f.post(t, "/access_codes/get", members{"access_code_id": id}).at("access_code", "status") == "set"
	}, 10*time.Minute, time.Millisecond)
	require.Equal(t, "908172", f.code(t, grant, "set").at("code"))
	f.holds(t, "lock-101", "471186", "908172")
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, path, `{"access_code_id": "`+id+`"}`)
	events := f.post(t, "/events/list", members{"access_code_id": id, "since": "2025-06-01T00:00:00Z"})
	require.Contains(t, events.raw, "access_code.unmanaged.converted_to_managed")
	f.post(t, "/access_codes/update", members{"access_code_id": id, "code": "735184"})
	f.holds(t, "lock-101", "471186", "735184")
	f.post(t, "/access_codes/delete", members{"access_code_id": id})
	f.holds(t, "lock-101", "471186")
	require.NotContains(t, f.log.String(), "908172")
	for key, value := range storeRows(t, f.store) {
		require.NotContains(t, key+value, "908172")
	}
}

// TestUnmanagedCode_Deleted_DisappearsFromTheLock deletes a code that the library did not write.
func TestUnmanagedCode_Deleted_DisappearsFromTheLock(t *testing.T) {
	t.Parallel()
	f, ids, _ := codeHotel(t)
	id := f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172").at("access_code_id").(string)
	f.addUnmanaged(t, "lock-101", ids.lock, 4, "Cleaner", "908173")
	const path = "/access_codes/unmanaged/delete"
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, `{"access_code_id": "`+id+`"}`).status)
	out := f.post(t, path, members{"access_code_id": id})
	require.Equal(t, "DELETE_ACCESS_CODE", out.at("action_attempt", "action_type"))
	require.Equal(t, ids.lock, out.at("action_attempt", "device_id"))
	require.Len(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock}).at("access_codes")), 1)
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, path, `{"access_code_id": "`+id+`"}`)
	f.holds(t, "lock-101", "471186", "908173")
}
