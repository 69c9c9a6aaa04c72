package httpapi_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomerName_OverTheAPI(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
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

// TestKeys_Invisible_AreRefusedByEveryParameter gives every parameter that is a key one
// that holds an invisible character, and one that is not in NFC.
func TestKeys_Invisible_AreRefusedByEveryParameter(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	asked := 0
	for _, target := range []string{
		"/customers/export_data?customer_key=", "/customers/portals/list?customer_key=", "/customers/plan_delete?room_keys=",
		"/customers/plan_delete?customer_keys=", "/customers/plan_delete?room_keys=1&customer_key=",
		"/spaces/get?space_key=", "/spaces/list?customer_key=", "/access_grants/list?customer_key=", "/access_grants/list?reservation_key=",
		"/access_grants/list?access_grant_key=", "/user_identities/list?user_identity_key=", "/user_identities/get?user_identity_key=",
	} {
		for _, key := range []string{"a\u200b", "\ufeffa", "e\u0301", "a\u202eb"} {
			out := f.send(t, keyA, "GET", target+url.QueryEscape(key), "")
			if out.status == 200 && len(list(out.body["warnings"])) > 0 { // no such parameter on this route
				continue
			}
			require.Equal(t, 400, out.status, "%s%q", target, key)
			asked++
		}
	}
	require.Greater(t, asked, 30)
}
