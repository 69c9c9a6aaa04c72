// Package openapi tests the API against its OpenAPI document with an independent OpenAPI library. It is a separate module,
// so that the library is not a dependency of the root module.
package openapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const key = "seam_openapitestkey00001"

func handler(t *testing.T) http.Handler {
	t.Helper()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	portals, err := portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
	require.NoError(t, err)
	ws := portals.DB().Workspace(uuid.New())
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{key: ws.ID()}}.Static()
	require.NoError(t, err)
	h, err := httpapi.New(httpapi.Options{Portals: portals, Authenticate: authenticate})
	require.NoError(t, err)
	return h
}

// exchanges are consecutive requests with the expected status of the response. The refused requests are invalid by the
// document or name unknown resources.
var exchanges = []struct {
	method, target, body string
	status               int
	allowed              bool // whether the document allows the request
}{
	{"POST", "/customers/push_data", `{"customer_key": "c", "customer_name": "C", "customer_time_zone": "Asia/Tokyo", "sites": [{"site_key": "s", "name": "S", "customer_data": {"time_zone": "Europe/Lisbon", "default_checkin_time": "15:00"}}], "rooms": [{"room_key": "1", "name": "One", "parent_site_key": "s"}],
		"spaces": [{"space_key": "p", "name": "P", "duration_minutes": 30, "geolocation": {"latitude": 1.5, "longitude": 2}, "customer_data": {"time_zone": "Europe/Lisbon"}}],
		"guests": [{"guest_key": "g", "name": "G", "email_address": "g@example.com"}],
		"reservations": [{"reservation_key": "r", "guest_key": "g", "room_keys": ["1"], "starts_at": "2030-01-01T00:00:00Z", "ends_at": null, "custom_metadata": {"vip": true, "n": "x"}}]}`, 200, true},
	{"POST", "/customers/push_data?dry_run=true", `{"customer_key": "c"}`, 200, true},
	{"POST", "/customers/push_data", `{"customer_key": "c", "rooms": [{"name": "no key"}]}`, 400, false},
	{"POST", "/customers/push_data", `{"customer_key": 7}`, 400, false},
	{"POST", "/customers/push_data", `{"customer_key": "c", "customer_name": 7}`, 400, false},
	{"POST", "/customers/push_data", `{"customer_key": "other", "customer_name": null}`, 200, true},
	{"GET", "/seam/customer/v1/customers/list", ``, 200, true},
	{"POST", "/customers/create_portal", `{"customer_data": {"customer_key": "c"}, "read_only": true, "locale": "el-GR", "time_zone": "Europe/Athens", "features": {"manage": {"exclude": false}},
		"landing_page": {"manage": {"site_key": "s"}}, "customer_resources_filters": [{"field": "vip", "operation": "=", "value": true}], "ttl_seconds": 60}`, 200, true},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "locale": "xx"}`, 400, false},
	{"POST", "/customers/create_portal", `{"customer_key": "nobody"}`, 404, true},
	{"POST", "/customers/open_portal", `{"customer_key": "c"}`, 200, true},
	{"POST", "/customers/reservations/create_deep_link", `{"customer_key": "c", "reservation_key": "r"}`, 200, true},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": {"resource_type": "space", "resource_key": "1"}}`, 200, true},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": null}`, 200, true},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": {"resource_type": "device", "resource_id": "67c58f1f-f148-4415-a63c-dc6c145c6b91"}}`, 400, true},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": {"resource_type": "device"}}`, 400, false},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": {"resource_type": "device", "resource_key": "1"}}`, 400, false},
	{"POST", "/customers/create_portal", `{"customer_key": "c", "deep_link": {"resource_type": "space", "resource_id": "67c58f1f-f148-4415-a63c-dc6c145c6b91"}}`, 400, false},
	{"GET", "/customers/portals/list?customer_key=c", ``, 200, true},
	{"GET", "/spaces/list?limit=1&customer_key=c", ``, 200, true},
	{"GET", "/spaces/list?limit=0", ``, 400, false},
	{"GET", "/spaces/get?space_key=1", ``, 200, true},
	{"GET", "/spaces/get?space_key=none", ``, 404, true},
	{"POST", "/user_identities/list", `{"search": "g", "page_cursor": null}`, 200, true},
	{"POST", "/user_identities/list", `{"user_identity_ids": "x"}`, 400, false},
	{"GET", "/access_grants/list?reservation_key=r", ``, 200, true},
	{"GET", "/customers/changes?limit=2", ``, 200, true},
	{"GET", "/customers/export_data?customer_key=c", ``, 200, true},
	{"PATCH", "/seam/customer/v1/settings/update", `{"business_vertical": "hospitality", "slug": null}`, 200, true},
	{"PATCH", "/seam/customer/v1/settings/update", `{"business_vertical": "fishing"}`, 400, false},
	{"GET", "/seam/customer/v1/settings/vertical_resource_aliases/get", ``, 200, true},
	{"POST", "/workspaces/customization_profiles/create", `{"name": null, "primary_color": "#fff", "message_overrides": {"de-DE": {"a": "b"}}}`, 200, true},
	{"POST", "/workspaces/customization_profiles/create", `{"primary_color": "red"}`, 400, false},
	{"GET", "/customers/plan_delete?site_keys=s&room_keys=1&room_keys=2", ``, 200, true},
	{"DELETE", "/customers/delete_data?customer_keys=c", ``, 200, true},
}

// TestAPI_RequestsAndResponses_MatchTheDocument validates the document, and then each request and response against it.
func TestAPI_RequestsAndResponses_MatchTheDocument(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPI())
	require.NoError(t, err)
	require.NoError(t, document.Validate(t.Context()))
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)

	h := handler(t)
	for _, e := range exchanges {
		r := httptest.NewRequestWithContext(t.Context(), e.method, e.target, strings.NewReader(e.body))
		r.Header.Set("Authorization", "Bearer "+key)
		if e.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		route, parameters, err := router.FindRoute(r)
		require.NoError(t, err, e.target)
		input := &openapi3filter.RequestValidationInput{
			Request: r, Route: route, PathParams: parameters,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
		}
		err = openapi3filter.ValidateRequest(t.Context(), input)
		require.Equal(t, e.allowed, err == nil, "%s %s %s: %v", e.method, e.target, e.body, err)

		w := httptest.NewRecorder()
		r.Body = io.NopCloser(strings.NewReader(e.body))
		h.ServeHTTP(w, r)
		require.Equal(t, e.status, w.Code, "%s %s: %s", e.method, e.target, w.Body)
		require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
			Options: input.Options,
		}), "%s %s: %s", e.method, e.target, w.Body)
	}
}
