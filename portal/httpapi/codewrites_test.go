package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
)

// occupied returns the PINs on a lock.
func (f *fixture) occupied(lock string) (pins []string) {
	for _, s := range f.world.Slots(lock) {
		if s.Occupied() {
			pins = append(pins, s.PIN.Reveal())
		}
	}
	return pins
}

// holds waits until a lock holds exactly the PINs.
func (f *fixture) holds(t testing.TB, lock string, pins ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		return strings.Join(f.occupied(lock), " ") == strings.Join(pins, " ")
	}, 10*time.Minute, time.Millisecond, "%v", pins)
}

// TestAccessCode_CreatedByTheAPI_FollowsItsGrant creates, changes and deletes the code of a lock that is mapped to no space.
func TestAccessCode_CreatedByTheAPI_FollowsItsGrant(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	made := f.post(t, "/access_codes/create", members{"device_id": ids.lock, "code": "735173", "name": "Cleaner", "ends_at": "2025-07-01T10:00:00Z"})
	require.Equal(t, "CREATE_ACCESS_CODE", made.at("action_attempt", "action_type"))
	require.Equal(t, "success", made.at("action_attempt", "status"))
	code := document(made.at("access_code").(map[string]any))
	require.Equal(t, "735173", code.at("code"))
	require.Equal(t, "Cleaner", code.at("name"))
	require.Equal(t, "time_bound", code.at("type"))
	f.holds(t, "lock-101", "735173")
	id := code.at("access_code_id").(string)
	grant := f.post(t, "/access_grants/get", members{"access_grant_id": code.at("access_grant_id")})
	require.Equal(t, []any{ids.lock}, grant.at("access_grant", "device_ids"))
	require.Len(t, list(f.post(t, "/access_grants/list", members{"device_id": ids.lock}).at("access_grants")), 1)
	release := f.world.Hold("lock-101")
	f.post(t, "/access_codes/update", members{"access_code_id": id, "code": "735174", "name": "Cleaners", "type": "ongoing"})
	pending := list(f.post(t, "/access_codes/get", members{"access_code_id": id}).at("access_code", "pending_mutations"))
	require.Len(t, pending, 1)
	require.Equal(t, "updating_code", pending[0].(map[string]any)["mutation_code"])
	require.Equal(t, map[string]any{"code": "735173"}, pending[0].(map[string]any)["from"])
	require.Equal(t, map[string]any{"code": "735174"}, pending[0].(map[string]any)["to"])
	release()
	f.holds(t, "lock-101", "735174")
	after := f.post(t, "/access_codes/get", members{"access_code_id": id})
	require.Equal(t, "Cleaners", after.at("access_code", "name"))
	require.Equal(t, "ongoing", after.at("access_code", "type"))
	require.Nil(t, after.at("access_code", "ends_at"))
	f.post(t, "/access_codes/delete", members{"access_code_id": id})
	f.expectError(t, http.StatusNotFound, "access_code_not_found", http.MethodPost, "/access_codes/get", `{"access_code_id": "`+id+`"}`)
	f.expectError(t, http.StatusNotFound, "access_grant_not_found", http.MethodPost, "/access_grants/get", `{"access_grant_id": "`+code.at("access_grant_id").(string)+`"}`)
	f.holds(t, "lock-101")
	generated := f.post(t, "/access_codes/create", members{"device_id": ids.lock})
	require.Equal(t, "ongoing", generated.at("access_code", "type"))
	f.holds(t, "lock-101", generated.at("access_code", "code").(string))
	for _, pin := range []string{"735173", "735174"} {
		require.NotContains(t, f.log.String(), pin)
	}
}

// TestAccessCode_GivenPIN_IsStoredOnlyEncrypted gives a code PINs, also the one that a reissue has replaced. No row of the store, no log and
// no export contains them.
func TestAccessCode_GivenPIN_IsStoredOnlyEncrypted(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	made := f.post(t, "/access_codes/create", members{"device_id": ids.lock, "code": "735173"})
	id := made.at("access_code", "access_code_id")
	f.holds(t, "lock-101", "735173")
	f.post(t, "/access_codes/update", members{"access_code_id": id, "code": "735184"})
	f.holds(t, "lock-101", "735184")
	grant := f.post(t, "/access_grants/get", members{"access_grant_id": made.at("access_code", "access_grant_id")})
	require.NotContains(t, grant.raw, "735184")
	ref := data.Ref{Kind: data.KindAccessGrant, Key: grant.at("access_grant", "access_grant_key").(string)}
	reissued, err := f.access.Workspace(workspaceA).Customer("hotel").ReissuePIN(t.Context(), ref, "token", data.Actor{})
	require.NoError(t, err)
	f.holds(t, "lock-101", reissued.Reveal())
	f.post(t, "/access_codes/update", members{"access_code_id": id, "code": "735184"})
	f.holds(t, "lock-101", "735184")
	secret := []string{"735173", "735184", reissued.Reveal()}
	for key, value := range storeRows(t, f.store) {
		for _, pin := range secret {
			require.NotContains(t, key+value, pin)
		}
	}
	for _, pin := range secret {
		require.NotContains(t, f.log.String(), pin)
		require.NotContains(t, f.post(t, "/customers/export_data", `{"customer_key": "hotel"}`).raw, pin)
	}
}

// TestAccessCode_GrantWithPreferredCode_LosesItWithANewPIN changes the PIN of a grant for one device that has a preferred code.
func TestAccessCode_GrantWithPreferredCode_LosesItWithANewPIN(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/access_grants/create", members{
		"customer_key": "hotel", "access_grant_key": "g", "device_ids": []string{ids.lock}, "requested_access_methods": []members{{"mode": "code", "code": "482695"}},
	})
	code := f.code(t, "g", "set")
	f.post(t, "/access_codes/update", members{"access_code_id": code.at("access_code_id"), "code": "735184"})
	f.holds(t, "lock-101", "735184")
	require.NotContains(t, f.post(t, "/access_grants/get", members{"access_grant_key": "g"}).raw, "482695")
}

// TestAccessGrant_CreatedByTheAPI_IsIssuedChangedAndDeleted creates a grant for a space and for a device.
func TestAccessGrant_CreatedByTheAPI_IsIssuedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/spaces/add_devices", members{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	made := f.post(t, "/access_grants/create", members{
		"customer_key": "hotel", "space_keys": []string{"101"}, "user_identity": members{"full_name": "Nia"}, "name": "Nia's stay",
		"requested_access_methods": []members{{"mode": "code", "code": "482695"}}, "starts_at": "2025-06-16T15:00:00Z", "ends_at": "2025-06-18T10:00:00Z",
	})
	key, id := made.at("access_grant", "access_grant_key").(string), made.at("access_grant", "access_grant_id").(string)
	require.NotEmpty(t, key)
	require.NotNil(t, made.at("access_grant", "user_identity_id"))
	code := f.code(t, key, "set")
	require.Equal(t, "482695", code.at("code"))
	f.post(t, "/access_grants/update", members{"access_grant_id": id, "ends_at": "2025-06-20T10:00:00Z"})
	require.Eventually(t, func() bool { return f.code(t, key, "").at("ends_at") == "2025-06-20T10:00:00.000000Z" }, 10*time.Minute, time.Millisecond)
	f.post(t, "/access_grants/update", members{"access_grant_key": key, "ends_at": nil, "name": nil})
	require.Nil(t, f.post(t, "/access_grants/get", members{"access_grant_id": id}).at("access_grant", "ends_at"))
	require.Nil(t, f.post(t, "/access_grants/get", members{"access_grant_id": id}).at("access_grant", "name"))
	out := f.post(t, "/access_grants/delete", members{"access_grant_id": id})
	require.Len(t, list(out.at("report", "code_removals")), 1)
	require.Empty(t, list(f.post(t, "/access_codes/list", members{"access_grant_key": key}).at("access_codes")))
	f.holds(t, "lock-101")

	stay := f.post(t, "/access_grants/create", members{
		"customer_key": "hotel", "reservation_key": "stay", "device_ids": []string{ids.lock, ids.thermostat}, "user_identity_id": made.at("access_grant", "user_identity_id"),
		"requested_access_methods": []members{{"mode": "code"}},
	})
	require.Equal(t, "reservation", stay.at("access_grant", "kind"))
	require.Equal(t, "device_ids[1]", list(stay.body["warnings"])[0].(map[string]any)["path"])
	f.code(t, "stay", "set")
	f.post(t, "/connected_accounts/delete", members{"connected_account_id": ids.account})
	f.expectError(t, http.StatusNotFound, "access_grant_not_found", http.MethodPost, "/access_grants/get", `{"access_grant_key": "stay"}`)
	f.holds(t, "lock-101")
}

// TestCodeWrites_InvalidRequests_ChangeNothing checks that each fault names its parameter.
func TestCodeWrites_InvalidRequests_ChangeNothing(t *testing.T) {
	t.Parallel()
	f, ids, code := codeHotel(t)
	foreign := f.spaceID(t, "o1")
	f.post(t, "/customers/push_data", `{"customer_key": "other", "guests": [{"guest_key": "og", "name": "Og"}]}`)
	foreignUser := f.post(t, "/user_identities/get", `{"user_identity_key": "og"}`).at("user_identity", "user_identity_id").(string)
	before := f.post(t, "/customers/export_data", `{"customer_key": "hotel"}`).body
	const nobody = "00000000-0000-4000-8000-000000000000"
	replacer := strings.NewReplacer("LOCK", ids.lock, "THERMOSTAT", ids.thermostat, "CODE", code.at("access_code_id").(string), "SPACE", foreign, "USER", foreignUser, "NOBODY", nobody)
	for _, row := range []struct {
		path, body string
		fault      []string
	}{
		{"/access_codes/create", `{"code": "1234"}`, []string{"device_id"}},
		{"/access_codes/create", `{"device_id": "THERMOSTAT", "code": "735173"}`, []string{"device_id"}},
		{"/access_codes/create", `{"device_id": "LOCK", "code": "12a4"}`, []string{"code"}},
		{"/access_codes/create", `{"device_id": "LOCK", "code": "123"}`, []string{"code"}},
		{"/access_codes/create", `{"device_id": "LOCK", "code": "735135135"}`, []string{"code"}},
		{"/access_codes/create", `{"device_id": "LOCK", "name": ""}`, []string{"name"}},
		{"/access_codes/create", `{"device_id": "LOCK", "ends_at": "2020-01-01T00:00:00Z"}`, []string{"ends_at"}},
		{"/access_codes/create", `{"device_id": "LOCK", "ends_at": "tomorrow"}`, []string{"ends_at"}},
		{"/access_codes/create", `{"device_id": "LOCK", "starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}`, []string{"ends_at"}},
		{"/access_codes/create", `{"device_id": "LOCK", "is_one_time_use": true}`, []string{"is_one_time_use"}},
		{"/access_codes/create", `{"device_id": "LOCK", "common_code_key": "x"}`, []string{"common_code_key"}},
		{"/access_codes/create", `{"device_id": "LOCK", "attempt_for_offline_device": false}`, []string{"attempt_for_offline_device"}},
		{"/access_codes/create", `{"device_id": "LOCK", "pin": "1234"}`, []string{"pin"}},
		{"/access_codes/update", `{"access_code_id": "CODE", "code": "735173"}`, []string{"access_code_id"}},
		{"/access_codes/delete", `{"access_code_id": "CODE"}`, []string{"access_code_id"}},
		{"/access_grants/create", `{"customer_key": "hotel", "requested_access_methods": [{"mode": "code"}]}`, nil},
		{"/access_grants/create", `{"space_keys": ["101"], "requested_access_methods": [{"mode": "code"}]}`, []string{"customer_key"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"]}`, []string{"requested_access_methods"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": []}`, []string{"requested_access_methods"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "fax"}]}`, []string{"requested_access_methods", "0", "mode"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "code", "code": "12"}]}`, []string{"requested_access_methods", "0", "code"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "code", "code": "1234"}, {"mode": "code", "code": "4321"}]}`, []string{"requested_access_methods", "1", "code"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101", "o1"], "requested_access_methods": [{"mode": "code"}]}`, []string{"space_keys", "1"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_ids": ["SPACE"], "requested_access_methods": [{"mode": "code"}]}`, []string{"space_ids", "0"}},
		{"/access_grants/create", `{"customer_key": "other", "device_ids": ["LOCK"], "requested_access_methods": [{"mode": "code"}]}`, []string{"device_ids", "0"}},
		{"/access_grants/create", `{"customer_key": "hotel", "device_ids": ["NOBODY"], "requested_access_methods": [{"mode": "code"}]}`, []string{"device_ids", "0"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "user_identity_id": "USER", "requested_access_methods": [{"mode": "code"}]}`, []string{"user_identity_id"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "user_identity": {"phone": "1"}, "requested_access_methods": [{"mode": "code"}]}`, []string{"user_identity", "phone"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "access_grant_key": " x", "requested_access_methods": [{"mode": "code"}]}`, []string{"access_grant_key"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "access_grant_key": "a", "reservation_key": "b", "requested_access_methods": [{"mode": "code"}]}`, []string{"access_grant_key"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "location": {"name": "x"}, "requested_access_methods": [{"mode": "code"}]}`, []string{"location"}},
		{"/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z", "requested_access_methods": [{"mode": "code"}]}`, []string{"ends_at"}},
		{"/access_grants/update", `{"access_grant_key": "r1", "ends_at": "2020-01-01T00:00:00Z"}`, []string{"ends_at"}},
		{"/access_grants/update", `{"access_grant_key": "r1", "space_ids": []}`, []string{"space_ids"}},
		{"/access_grants/update", `{"name": "x"}`, nil},
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, row.path, replacer.Replace(row.body))
		require.NotEmpty(t, out.at(append([]string{"error", "validation_errors"}, append(row.fault, "_errors")...)...), "%s %s", row.body, out.raw)
	}
	for _, row := range []struct {
		status           int
		kind, path, body string
	}{
		{404, "device_not_found", "/access_codes/create", `{"device_id": "NOBODY"}`},
		{404, "access_code_not_found", "/access_codes/update", `{"access_code_id": "NOBODY"}`},
		{404, "access_code_not_found", "/access_codes/delete", `{"access_code_id": "CODE", "device_id": "THERMOSTAT"}`},
		{409, "duplicate_access_code", "/access_codes/create", `{"device_id": "LOCK", "code": "471186"}`},
		{501, "not_supported", "/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "code"}, {"mode": "mobile_key"}]}`},
		{501, "not_supported", "/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "card"}]}`},
		{409, "conflict", "/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "reservation_key": "r1", "requested_access_methods": [{"mode": "code"}]}`},
		{404, "customer_not_found", "/access_grants/create", `{"customer_key": "new", "space_keys": ["101"], "requested_access_methods": [{"mode": "code"}]}`},
		{404, "access_grant_not_found", "/access_grants/update", `{"access_grant_id": "NOBODY"}`},
		{404, "access_grant_not_found", "/access_grants/delete", `{"access_grant_id": "NOBODY"}`},
	} {
		f.expectError(t, row.status, row.kind, http.MethodPost, row.path, replacer.Replace(row.body))
	}
	for _, path := range []string{"/access_codes/update", "/access_codes/delete", "/access_codes/get"} {
		out := f.send(t, keyB, http.MethodPost, path, replacer.Replace(`{"access_code_id": "CODE"}`))
		require.Equal(t, http.StatusNotFound, out.status, "%s: %s", path, out.raw)
	}
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, "/access_codes/create", replacer.Replace(`{"device_id": "LOCK"}`)).status)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, "/access_grants/delete", `{"access_grant_id": "`+code.at("access_grant_id").(string)+`"}`).status)
	require.Equal(t, before, f.post(t, "/customers/export_data", `{"customer_key": "hotel"}`).body)
	f.post(t, "/seam/customer/v1/customers/automations/update", `{"customer_key": "hotel", "access_rules": {"reservation_created": null}}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/access_codes/create", replacer.Replace(`{"device_id": "LOCK"}`))
	out := f.post(t, "/access_grants/create", `{"customer_key": "hotel", "space_keys": ["101"], "requested_access_methods": [{"mode": "code"}]}`)
	require.Contains(t, out.raw, "the rule reservation_created of the customer is off")
}

// TestAccessMethod_Deleted_RemovesTheCodesAndKeepsTheGrant deletes the access methods of a reservation and of a code, and changes the grant.
func TestAccessMethod_Deleted_RemovesTheCodesAndKeepsTheGrant(t *testing.T) {
	t.Parallel()
	f, ids, code := codeHotel(t)
	const path = "/access_methods/delete"
	method := code.at("access_method_id").(string)
	f.post(t, path, members{"reservation_key": "r1"})
	f.holds(t, "lock-101")
	require.Empty(t, list(f.post(t, "/access_codes/list", members{"access_grant_key": "r1"}).at("access_codes")))
	f.expectError(t, http.StatusNotFound, "access_method_not_found", http.MethodPost, "/access_methods/get", `{"access_method_id": "`+method+`"}`)
	require.Empty(t, f.post(t, "/access_grants/get", members{"access_grant_key": "r1"}).at("access_grant", "access_method_ids"))
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r1", "name": "Ada L.", "ends_at": "2025-06-19T10:00:00Z", "preferred_code": "471199"}]}`)
	f.post(t, "/customers/push_data", `{"customer_key": "hotel", "reservations": [{"reservation_key": "r2", "room_keys": ["101"], "ends_at": "2025-06-19T10:00:00Z"}]}`)
	second := f.code(t, "r2", "set")
	f.holds(t, "lock-101", second.at("code").(string)) // r1 was planned before r2
	pin, err := f.access.Workspace(workspaceA).Customer("hotel").ReissuePIN(t.Context(), data.Ref{Kind: data.KindReservation, Key: "r1"}, "token", data.Actor{})
	require.NoError(t, err)
	require.Equal(t, pin.Reveal(), f.code(t, "r1", "set").at("code"), "a reissue gives the grant a PIN again")

	made := f.post(t, "/access_codes/create", members{"device_id": ids.offline, "code": "735173"})
	grant := made.at("access_code", "access_grant_id").(string)
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, `{"access_grant_id": "`+grant+`"}`).status)
	f.post(t, path, members{"access_grant_id": grant})
	for _, name := range []string{"access_grant_id", "access_method_id"} {
		f.expectError(t, http.StatusNotFound, "access_method_not_found", http.MethodPost, path, `{"`+name+`": "`+made.at("access_code", name).(string)+`"}`)
	}
	f.expectError(t, http.StatusNotFound, "access_method_not_found", http.MethodPost, path, `{"reservation_key": "nobody"}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, `{}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, `{"reservation_key": "r1", "access_grant_id": "`+grant+`"}`)
}

// TestAccessCode_OfLockThatCannotHoldIt_HasErrorWithMessage creates a code of a lock that is offline, and one of a lock that is full.
func TestAccessCode_OfLockThatCannotHoldIt_HasErrorWithMessage(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	fails := func(id, want string) {
		made := f.post(t, "/access_codes/create", members{"device_id": id})
		require.Eventually(t, func() bool {
			f.clock.Advance(time.Second)
			out := f.post(t, "/access_codes/get", members{"access_code_id": made.at("access_code", "access_code_id")})
			for _, e := range list(out.at("access_code", "errors")) {
				if e := e.(map[string]any); e["error_code"] == want && e["message"] != "" {
					return true
				}
			}
			return false
		}, 10*time.Minute, time.Millisecond, want)
	}
	fails(ids.offline, "device_offline")
	for i := range f.world.Device("lock-101").Codes.Slots {
		f.world.WriteCode("lock-101", device.Slot{Index: i + 1, State: device.SlotKnown, PIN: device.NewSecret(fmt.Sprint(80350 + i))})
	}
	fails(ids.lock, "no_space_for_access_code_on_device")
}
