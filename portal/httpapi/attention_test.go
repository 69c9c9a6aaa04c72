package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestAttention_ListsConditions(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/spaces/add_devices", members{"space_id": f.spaceID(t, "102"), "device_ids": []string{ids.offline}})
	level := 0.1
	var items []document
	require.Eventually(t, func() bool {
		f.clock.Advance(time.Minute) // a state is stored at most once a minute
		level = 0.3 - level          // 0.1, 0.2, 0.1: each differs from the one before
		f.world.SetState("lock-101", func(s *device.State) { s.Battery = device.Known(min(level, 0.15)) })
		items = nil
		for _, item := range list(f.post(t, "/attention", members{"customer_key": "hotel"}).at("attention_items")) {
			items = append(items, document(item.(members)))
		}
		return len(items) == 2
	}, 10*time.Minute, time.Millisecond)
	byType := map[any]document{}
	for _, item := range items {
		byType[item.at("type")] = item
	}
	require.Equal(t, ids.lock, byType["low_battery"].at("device_id"))
	offline := byType["device_offline"]
	require.Equal(t, []any{ids.offline, "hotel", "Room 102", []any{members{"space_key": "102", "kind": "room", "name": "Room 102"}}}, []any{
		offline.at("device_id"), offline.at("customer_key"), offline.at("name"), offline.at("spaces"),
	})
	for body, n := range map[string]int{
		`{}`: 2, `{"types": ["low_battery"]}`: 1, `{"types": []}`: 0, `{"customer_key": "other"}`: 0, `{"limit": 1}`: 1, `{"types": ["device_missing", "device_offline"]}`: 1,
	} {
		require.Len(t, f.post(t, "/attention", body).at("attention_items"), n, body)
	}
	require.Empty(t, f.send(t, keyB, http.MethodGet, "/attention", "").at("attention_items"), "another workspace")
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/attention", `{"types": ["hunger"]}`)
	require.NotNil(t, out.at("error", "validation_errors", "types"))
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodGet, "/attention?customer_key=nobody", "")
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodGet, "/attention?page_cursor=x", "")
}
