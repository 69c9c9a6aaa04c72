package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// TestBody_TooManyResources_StopsTheReading sends a body of 1 GiB with more resources than a
// request may bring. It is refused at the first that is too many: the body is decoded while it
// comes, and not read to its end before.
func TestBody_TooManyResources_StopsTheReading(t *testing.T) {
	t.Parallel()
	f := onMemory(t, func(o *httpapi.Options) { o.MaxResources = 2 })
	for _, row := range []struct{ path, head, text string }{
		{"/customers/push_data", `{"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/sync_data", `{"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/create_portal", `{"locale": "fr-FR", "customer_data": {"customer_key": "c", "rooms": [{}`, ",{}"},
		{"/customers/delete_data", `{"room_keys": ["r"`, `,"r"`},
		{"/customers/plan_delete", `{"customer_keys": ["c"`, `,"c"`},
	} {
		body := &repeat{text: row.text, left: 3 << 28}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, row.path, io.MultiReader(strings.NewReader(row.head), body))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = -1
		out := f.answer(t, r)
		require.Equal(t, http.StatusBadRequest, out.status, "%s: %s", row.path, out.raw)
		require.Contains(t, out.at("error", "message"), "too many entries", row.path)
		require.LessOrEqual(t, body.read, int64(64<<10), row.path)
	}
}

// TestCreatePortal_ReadsItsDataAsPushDoes compares what the reading of 5,000 resources
// allocates: customer_data inside a larger body costs no copy of it. It runs alone, since it
// measures what the whole process allocates.
func TestCreatePortal_ReadsItsDataAsPushDoes(t *testing.T) { //nolint:paralleltest // see above
	f := onMemory(t)
	rooms := make([]string, 5000)
	for i := range rooms {
		rooms[i] = fmt.Sprintf(`{"room_key": "%d", "name": "%s"}`, i, strings.Repeat("x", 1000))
	}
	customer := `{"customer_key": "c", "rooms": [` + strings.Join(rooms, ",") + `]}`
	reading := func(path, body string) int64 {
		bytes, out := f.work(t, http.MethodPost, path+"?nothing=1", body) // which is refused once the body was read
		require.Equal(t, http.StatusBadRequest, out.Code, out.Body)
		require.Contains(t, out.Body.String(), "nothing: is not a parameter")
		return bytes
	}
	push := reading("/customers/push_data", customer)
	create := reading("/customers/create_portal", `{"customer_data": `+customer+`}`)
	require.LessOrEqual(t, create, push+push/5)
}

// paths returns the paths of the faults of an answer.
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

// TestCreatePortal_FaultsOfEveryPart_AreInOneList sends a request that is wrong in its
// configuration, in the bounds of its link and in its data, by type and by value.
func TestCreatePortal_FaultsOfEveryPart_AreInOneList(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal", `{
		"read_only": 1, "locale": "xx", "max_uses": "many", "ttl_seconds": 0.5, "customer_key": 7,
		"customer_data": {"customer_key": "c", "rooms": [{"room_key": "1"}, {"room_key": "2", "name": 3}], "guests": {}}
	}`)
	require.Equal(t, map[string]bool{
		"read_only": true, "locale": true, "max_uses": true, "ttl_seconds": true, "customer_key": true,
		"customer_data.rooms.0.name": true, "customer_data.rooms.1.name": true, "customer_data.guests": true,
	}, out.paths())
	require.Empty(t, rows(t, f.store))

	out = f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal?dry_run=true", `{"customer_key": "c", "read_only": 1}`)
	require.Equal(t, map[string]bool{"dry_run": true, "read_only": true}, out.paths())
}

// TestUpdatePortal_FaultsOfEveryPart_AreInOneList sends a patch that is wrong, of a portal
// whose id is wrong.
func TestUpdatePortal_FaultsOfEveryPart_AreInOneList(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/portals/update",
		`{"customer_portal_id": "x", "portal_configuration": {"read_only": 1, "locale": "xx", "features": {"manage": {"events": {"default_events": [""]}}}}}`)
	require.Equal(t, map[string]bool{
		"customer_portal_id": true, "portal_configuration.read_only": true, "portal_configuration.locale": true,
		"portal_configuration.features.manage.events.default_events.0": true,
	}, out.paths())
}

// TestUpdatePortal_IsAppliedToWhatIsThere patches a portal twice: what is absent stays, and
// null clears.
func TestUpdatePortal_IsAppliedToWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c"}, "locale": "fr-FR", "read_only": true}`).at("customer_portal_id").(string)
		out := f.post(t, "/seam/customer/v1/portals/update", `{"customer_portal_id": "`+id+`", "portal_configuration": {"locale": null, "is_embedded": true, "nothing": 1}}`)
		require.Equal(t, []any{map[string]any{"path": "portal_configuration.nothing", "rule": "unknown_field", "message": "is not a field"}}, out.body["warnings"])
		got := f.post(t, "/seam/customer/v1/portals/get", `{"customer_portal_id": "`+id+`"}`)
		require.Nil(t, got.at("customer_portal", "locale"))
		require.Equal(t, true, got.at("customer_portal", "is_embedded"))
		require.Equal(t, true, got.at("customer_portal", "read_only"))
	})
}
