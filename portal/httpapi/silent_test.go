package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingIsLeftOutSilently is of requests that once did something else than they
// said, and answered as if they had done it.
func TestNothingIsLeftOutSilently(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := rows(t, f.store)
		const none = "00000000-0000-0000-0000-000000000000"
		for _, target := range []string{
			"/access_grants/list?user_identity_id=" + none, "/access_grants/list?space_id=" + none, "/access_grants/list?device_id=" + none,
			"/spaces/list?parent_space_id=" + none, "/spaces/list?connected_account_id=" + none,
			"/spaces/get?space_id=" + none + "&space_key=room-101", "/spaces/list?limit=1_0", "/spaces/list?limit=0x1p1",
		} {
			out := f.send(t, keyA, http.MethodGet, target, "")
			require.Equal(t, http.StatusBadRequest, out.status, "%s %s", target, out.raw)
		}
		for _, query := range []string{"?dry_run", "?dry_run=", "?dry_run=yes"} {
			out := f.send(t, keyA, http.MethodPost, "/customers/push_data"+query, `{"customer_key": "new"}`)
			require.Equal(t, http.StatusBadRequest, out.status, query)
		}
		out := f.send(t, keyA, http.MethodDelete, "/customers/delete_data?room_keys=nothing", `{"room_keys": ["room-101"]}`)
		require.Equal(t, http.StatusBadRequest, out.status, out.raw)
		out = f.send(t, keyA, http.MethodDelete, "/customers/delete_data?customer_key=Acme+Hotels", "")
		require.Equal(t, http.StatusBadRequest, out.status, out.raw)
		require.Equal(t, before, rows(t, f.store))
	})
}
