package httpapi_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCustomers_NameAndTimeZone_ArePushedAndExported pushes, lists and exports the name and the time zone of a customer.
func TestCustomers_NameAndTimeZone_ArePushedAndExported(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		out := f.post(t, "/customers/push_data", `{"customer_key": "c", "customer_name": "Hotel Ada", "customer_time_zone": "Europe/Lisbon"}`)
		require.Empty(t, out.body["warnings"])
		require.Equal(t, []any{true, false}, []any{out.at("report", "customer_created"), out.at("report", "customer_updated")})

		out = f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c", "customer_name": "Hotel Lovelace", "customer_time_zone": null}}`)
		require.Empty(t, out.body["warnings"])
		require.Equal(t, []any{false, true}, []any{out.at("report", "customer_created"), out.at("report", "customer_updated")})

		customers := list(f.post(t, "/seam/customer/v1/customers/list", `{}`).body["customers"])
		require.Len(t, customers, 1)
		require.Equal(t, "Hotel Lovelace", customers[0].(object)["customer_name"])
		require.Nil(t, customers[0].(object)["customer_time_zone"])
		exported := f.post(t, "/customers/export_data", `{"customer_key": "c"}`).body["customer_data"].(object)
		require.Equal(t, object{"customer_key": "c", "customer_name": "Hotel Lovelace"}, exported)

		out = f.post(t, "/customers/sync_data", object(exported))
		require.Equal(t, false, out.at("report", "customer_updated"))
		out = f.post(t, "/customers/sync_data", `{"customer_key": "c"}`)
		require.Equal(t, true, out.at("report", "customer_updated"))

		for _, body := range []string{
			`{"customer_key": "c", "customer_name": 7}`, `{"customer_key": "c", "customer_time_zone": "Mars/Base"}`,
			`{"customer_key": "c", "customer_name": "\u0000"}`,
		} {
			require.Equal(t, 400, f.send(t, keyA, "POST", "/customers/push_data", body).status, body)
			require.Equal(t, 400, f.send(t, keyA, "POST", "/customers/create_portal", `{"customer_data": `+body+`}`).status, body)
		}
	})
}

// TestKeys_WithInvisibleCharacters_AreRefused sets each parameter that is a key to keys with invisible characters and to one that
// is not in NFC.
func TestKeys_WithInvisibleCharacters_AreRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	requests := 0
	for _, target := range []string{
		"/customers/export_data?customer_key=", "/customers/portals/list?customer_key=", "/customers/plan_delete?room_keys=",
		"/customers/plan_delete?customer_keys=", "/customers/plan_delete?room_keys=1&customer_key=",
		"/spaces/get?space_key=", "/spaces/list?customer_key=", "/access_grants/list?customer_key=", "/access_grants/list?reservation_key=",
		"/access_grants/list?access_grant_key=", "/user_identities/list?user_identity_key=", "/user_identities/get?user_identity_key=",
	} {
		for _, key := range []string{"a\u200b", "\ufeffa", "e\u0301", "a\u202eb"} {
			out := f.send(t, keyA, "GET", target+url.QueryEscape(key), "")
			if out.status == 200 && len(list(out.body["warnings"])) > 0 { // the operation does not have the parameter
				continue
			}
			require.Equal(t, 400, out.status, "%s%q", target, key)
			requests++
		}
	}
	require.Greater(t, requests, 30)
}

// TestSync_MaxDeletes_LimitsTheDeletions syncs a customer to nothing with limits below, at and without the number of resources.
func TestSync_MaxDeletes_LimitsTheDeletions(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "One"}, {"room_key": "2", "name": "Two"}]}`)
		before := storeRows(t, f.store)
		for _, limit := range []string{"0", "1"} {
			out := f.send(t, keyA, "POST", "/customers/sync_data?max_deletes="+limit, `{"customer_key": "c"}`)
			require.Equal(t, 400, out.status)
			require.Equal(t, []any{"the sync would delete 2 resources, and may delete " + limit}, out.at("error", "validation_errors", "max_deletes", "_errors"))
			require.Equal(t, before, storeRows(t, f.store))
		}
		for _, bad := range []string{"-1", "1.5", "x", "1&max_deletes=2"} {
			require.Equal(t, 400, f.send(t, keyA, "POST", "/customers/sync_data?max_deletes="+bad, `{"customer_key": "c"}`).status, bad)
			require.Equal(t, before, storeRows(t, f.store))
		}
		out := f.send(t, keyA, "POST", "/customers/sync_data?max_deletes=2", `{"customer_key": "c"}`)
		require.Equal(t, 200, out.status)
		require.Len(t, list(out.at("report", "deleted")), 2)
		require.Equal(t, "deletes_all", list(out.body["warnings"])[0].(object)["rule"])
		out = f.send(t, keyA, "POST", "/customers/sync_data", `{"customer_key": "typo"}`)
		require.Equal(t, true, out.at("report", "customer_created"))
	})
}

// TestPush_ReferencesToNothingUseful_AreWarnings pushes a reference to another customer's room and a booking without rooms.
func TestPush_ReferencesToNothingUseful_AreWarnings(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", `{"customer_key": "first", "rooms": [{"room_key": "101", "name": "R"}]}`)
		rulesOf := func(out reply) (rules []string) {
			for _, w := range list(out.body["warnings"]) {
				rules = append(rules, w.(object)["path"].(string)+" "+w.(object)["rule"].(string))
			}
			return rules
		}
		out := f.post(t, "/customers/push_data", `{"customer_key": "second", "bookings": [{"booking_key": "b", "space_keys": ["101"]}, {"booking_key": "empty", "room_keys": []}]}`)
		require.Equal(t, []string{"bookings[0].space_keys[0] other_customer", "bookings[1] no_spaces"}, rulesOf(out))
		out = f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "second", "bookings": [{"booking_key": "c", "space_keys": ["101"]}]}}`)
		require.Equal(t, []string{"customer_data.bookings[0].space_keys[0] other_customer"}, rulesOf(out))
	})
}

func TestPush_TimesOfStaffMembers_AreExportedAndInvalidOnesChangeNothing(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		const head = `{"customer_key": "c", "rooms": [{"room_key": "101", "name": "R"}], "staff_members": [{"staff_member_key": "rui", "name": "Rui", "room_keys": ["101"], `
		f.post(t, "/customers/push_data", head+`"starts_at": "2030-05-01T08:00:00+02:00", "ends_at": "2030-09-30T18:00:00Z"}]}`)
		exported := func() object {
			return list(f.post(t, "/customers/export_data", `{"customer_key": "c"}`).at("customer_data", "staff_members"))[0].(object)
		}
		require.Equal(t, "2030-05-01T06:00:00.000000Z", exported()["starts_at"])
		require.Equal(t, "2030-09-30T18:00:00.000000Z", exported()["ends_at"])
		before := storeRows(t, f.store)
		for times, field := range map[string]string{
			`"ends_at": "2030-05-01T06:00:00Z"`: "ends_at", `"starts_at": "soon"`: "starts_at", `"ends_at": 5`: "ends_at",
			`"starts_at": "2030-05-01"`: "starts_at",
		} {
			out := f.send(t, keyA, "POST", "/customers/push_data", head+times+`}]}`)
			require.Equal(t, 400, out.status, out.raw)
			require.NotEmpty(t, out.at("error", "validation_errors", "staff_members", "0", field, "_errors"), out.raw)
			require.Equal(t, before, storeRows(t, f.store), times)
		}
		f.post(t, "/customers/push_data", `{"customer_key": "c", "staff_members": [{"staff_member_key": "rui", "ends_at": null}]}`)
		require.NotContains(t, exported(), "ends_at")
		require.Contains(t, exported(), "starts_at")
	})
}
