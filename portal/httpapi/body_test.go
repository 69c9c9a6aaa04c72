package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// TestBody_TooManyResources_StopsTheReading sends a body of 768 MiB with more than MaxResources resources. The handler must
// refuse the first one that is too many, because it decodes a body while it reads it.
func TestBody_TooManyResources_StopsTheReading(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.MaxResources = 2 })
	for _, row := range []struct{ path, head, text string }{
		{"/customers/push_data", `{"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/sync_data", `{"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/create_portal", `{"locale": "fr-FR", "customer_data": {"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/delete_data", `{"room_keys": ["r"`, `,"r"`},
		{"/customers/plan_delete", `{"customer_keys": ["c"`, `,"c"`},
	} {
		body := &repeatReader{text: row.text, left: 3 << 28}
		r := newRequest(t.Context(), http.MethodPost, row.path, io.MultiReader(strings.NewReader(row.head), body))
		r.ContentLength = -1
		out := f.serve(t, r)
		require.Equal(t, http.StatusBadRequest, out.status, "%s: %s", row.path, out.raw)
		require.Contains(t, out.at("error", "message"), "too many entries", row.path)
		require.LessOrEqual(t, body.read, int64(64<<10), row.path)
	}
}

// TestCreatePortal_CustomerData_IsReadWithoutACopy compares the bytes that push_data and create_portal allocate to read the same
// 5,000 resources. The test does not run in parallel with others, because it measures the allocations of the whole process.
func TestCreatePortal_CustomerData_IsReadWithoutACopy(t *testing.T) { //nolint:paralleltest // see above
	f := newMemoryFixture(t)
	rooms := make([]string, 5000)
	for i := range rooms {
		rooms[i] = fmt.Sprintf(`{"room_key": "%d", "name": "%s"}`, i, strings.Repeat("x", 1000))
	}
	customer := `{"customer_key": "c", "rooms": [` + strings.Join(rooms, ",") + `]}`
	measureReading := func(path, body string) int64 {
		bytes, out := f.measure(t, http.MethodPost, path+"?nothing=1", body) // the unknown parameter is a fault after the body was read
		require.Equal(t, http.StatusBadRequest, out.Code, out.Body)
		require.Contains(t, out.Body.String(), "nothing: is not a parameter")
		return bytes
	}
	push := measureReading("/customers/push_data", customer)
	create := measureReading("/customers/create_portal", `{"customer_data": `+customer+`}`)
	require.LessOrEqual(t, create, push+push/5)
}

// paths returns the paths of the faults in a response.
func (r reply) paths() map[string]bool {
	out := map[string]bool{}
	var walk func(v map[string]any, path string)
	walk = func(v map[string]any, path string) {
		if len(list(v["_errors"])) > 0 {
			out[path] = true
		}
		for name, below := range v {
			if of, ok := below.(map[string]any); ok {
				walk(of, strings.TrimPrefix(path+"."+name, "."))
			}
		}
	}
	if faults, ok := r.at("error", "validation_errors").(map[string]any); ok {
		walk(faults, "")
	}
	return out
}

// TestCreatePortal_FaultsInEveryPart_AreListedTogether sends a request with faults in the configuration, in the limits of the
// link and in the customer data: values of wrong types and values that are not allowed.
func TestCreatePortal_FaultsInEveryPart_AreListedTogether(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal", `{
		"read_only": 1, "locale": "xx", "max_uses": "many", "ttl_seconds": 0.5, "customer_key": 7,
		"customer_data": {"customer_key": "c", "rooms": [{"room_key": "1"}, {"room_key": "2", "name": 3}], "guests": {}}
	}`)
	require.Equal(t, map[string]bool{
		"read_only": true, "locale": true, "max_uses": true, "ttl_seconds": true, "customer_key": true,
		"customer_data.rooms.0.name": true, "customer_data.rooms.1.name": true, "customer_data.guests": true,
	}, out.paths())
	require.Empty(t, storeRows(t, f.store))

	out = f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal?dry_run=true", `{"customer_key": "c", "read_only": 1}`)
	require.Equal(t, map[string]bool{"dry_run": true, "read_only": true}, out.paths())
}

// TestUpdatePortal_FaultsInEveryPart_AreListedTogether sends an invalid patch with an invalid portal id.
func TestUpdatePortal_FaultsInEveryPart_AreListedTogether(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/portals/update",
		`{"customer_portal_id": "x", "portal_configuration": {"read_only": 1, "locale": "xx", "features": {"manage": {"events": {"default_events": [""]}}}}}`)
	require.Equal(t, map[string]bool{
		"customer_portal_id": true, "portal_configuration.read_only": true, "portal_configuration.locale": true,
		"portal_configuration.features.manage.events.default_events.0": true,
	}, out.paths())
}

// TestUpdatePortal_Patch_ChangesOnlyItsMembers patches a portal: absent members do not change, and null clears a member.
func TestUpdatePortal_Patch_ChangesOnlyItsMembers(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		id := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c"}, "locale": "fr-FR", "read_only": true}`).at("customer_portal_id").(string)
		out := f.post(t, "/seam/customer/v1/portals/update", `{"customer_portal_id": "`+id+`", "portal_configuration": {"locale": null, "is_embedded": true, "nothing": 1}}`)
		require.Equal(t, []any{map[string]any{"path": "portal_configuration.nothing", "rule": "unknown_field", "message": "is not a field"}}, out.body["warnings"])
		got := f.post(t, "/seam/customer/v1/portals/get", `{"customer_portal_id": "`+id+`"}`)
		require.Nil(t, got.at("customer_portal", "locale"))
		require.Equal(t, true, got.at("customer_portal", "is_embedded"))
		require.Equal(t, true, got.at("customer_portal", "read_only"))
	})
}
