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

func TestUnmanagedCodes_AreListedAndFoundWithoutPIN(t *testing.T) {
	t.Parallel()
	f, ids, _ := codeHotel(t)
	last := f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172")
	first := f.addUnmanaged(t, "lock-101", ids.lock, 4, "Cleaner", "908173")
	require.Nil(t, last.at("code"))
	require.Equal(t, false, last.at("is_managed"))
	require.EqualValues(t, 9, last.at("slot"))
	out := f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "limit": 1})
	require.Equal(t, []any{map[string]any(first)}, list(out.at("access_codes")))
	out = f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "limit": 1, "page_cursor": out.at("pagination", "next_page_cursor")})
	require.Equal(t, []any{map[string]any(last)}, list(out.at("access_codes")))
	require.Nil(t, out.at("pagination", "next_page_cursor"))
	require.Len(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.lock, "search": "own"}).at("access_codes")), 1)
	require.Empty(t, list(f.post(t, "/access_codes/unmanaged/list", members{"device_id": ids.offline}).at("access_codes")))
	id := last.at("access_code_id").(string)
	require.Equal(t, map[string]any(last), f.post(t, "/access_codes/unmanaged/get", members{"access_code_id": id}).at("access_code"))
	const path = "/access_codes/unmanaged/get"
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, path, `{"access_code_id": "`+id+`", "device_id": "`+ids.offline+`"}`)
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, "/access_codes/get", `{"access_code_id": "`+id+`"}`)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, `{"access_code_id": "`+id+`"}`).status)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, "/access_codes/unmanaged/list", `{"device_id": "`+ids.lock+`"}`).status)
	for _, body := range []string{`{}`, `{"device_id": "` + ids.lock + `", "code": "908172"}`} {
		f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
	}
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/access_codes/unmanaged/list", `{"device_id": "`+ids.lock+`", "page_cursor": "x"}`)
}
