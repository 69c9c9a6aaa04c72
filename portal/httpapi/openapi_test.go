package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is a request and its response.
type exchange struct {
	method, path string
	body         any // of a POST or PATCH
	reply        reply
}

// fullConfig is a portal_configuration with every field of the API.
const fullConfig = `{
	"features": {
		"connect": {"exclude": false, "accepted_providers": ["yale"], "excluded_providers": ["august"]},
		"organize": {"exclude": false},
		"manage": {"exclude": false, "exclude_reservation_management": false, "exclude_reservation_technical_details": true, "exclude_staff_management": true,
			"events": {"allowed_events": ["reservation.created", "reservation.deleted"], "default_events": ["reservation.created"]},
			"device_management_confirmation": {"title": "Sure?", "body": "It opens.", "confirm_button_label": "Yes", "cancel_button_label": "No"}},
		"manage_devices": {"exclude": false},
		"configure": {"exclude": true, "allow_access_automation_rule_customization": true, "allow_climate_automation_rule_customization": true, "allow_instant_key_customization": true}
	},
	"is_embedded": true, "read_only": true, "navigation_mode": "full", "locale": "de-DE", "exclude_locale_picker": true,
	"landing_page": {"manage": {"room_key": "room-101"}},
	"customer_resources_filters": [{"field": "channel", "operation": "=", "value": "web"}, {"field": "paid", "operation": "=", "value": true}]
}`

// withMembers returns a JSON object with further members.
func withMembers(t testing.TB, object string, members map[string]any) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &out))
	for name, v := range members {
		out[name] = v
	}
	return out
}

// callEveryOperation calls each operation at least once with requests that succeed.
func (f *fixture) callEveryOperation(t testing.TB) (all []exchange) {
	t.Helper()
	do := func(method, path string, body any, query ...string) reply {
		t.Helper()
		target, text := path, ""
		if len(query) > 0 {
			target += "?" + strings.Join(query, "&") + "&_strict=true"
		}
		if body != nil {
			b, err := json.Marshal(body)
			require.NoError(t, err)
			text = string(b)
		}
		out := f.send(t, keyA, method, target, text)
		require.Equal(t, http.StatusOK, out.status, "%s %s: %s", method, target, out.raw)
		if body != nil { // convert it to the types of decoded JSON
			require.NoError(t, json.Unmarshal([]byte(text), &body))
		}
		all = append(all, exchange{method, path, body, out})
		return out
	}
	arg := func(name, value string) string { return name + "=" + url.QueryEscape(value) }
	type m = map[string]any
	const customer = "Acme Hotels"

	everything := withMembers(t, everyKind(t), nil)
	do("POST", "/customers/push_data", everything)
	do("POST", "/customers/sync_data", everything)
	created := do("POST", "/workspaces/customization_profiles/create", m{
		"name": "Acme", "logo_url": "https://acme.example/logo.png", "primary_color": "#fff", "secondary_color": "#123abc",
		"customer_portal_theme": m{"primary_color": "#fff", "primary_foreground_color": "#000", "secondary_color": "#abc", "secondary_foreground_color": "#aabbcc",
			"font_family": "Inter, sans-serif", "mono_font_family": "Fira Mono"},
		"message_overrides": m{"de-DE": m{"start.title": "Willkommen"}},
	})
	profile := created.at("customization_profile", "customization_profile_id").(string)
	do("GET", "/workspaces/customization_profiles/get", nil, arg("customization_profile_id", profile))
	do("POST", "/workspaces/customization_profiles/get", m{"customization_profile_id": profile})
	do("GET", "/workspaces/customization_profiles/list", nil)
	do("POST", "/workspaces/customization_profiles/list", m{"customer_key": customer})
	for _, method := range []string{"PATCH", "POST"} {
		do(method, "/workspaces/customization_profiles/update", m{"customization_profile_id": profile, "name": nil, "message_overrides": nil})
		do(method, "/seam/customer/v1/settings/update", m{"business_vertical": "hospitality", "slug": "acme"})
	}
	for _, path := range []string{"/seam/customer/v1/settings/get", "/seam/customer/v1/settings/vertical_resource_aliases/get"} {
		do("GET", path, nil)
		do("POST", path, nil)
	}
	made := do("POST", "/customers/create_portal", withMembers(t, fullConfig, m{
		"customer_data": everything, "customization_profile_id": profile, "_dev": false,
		"ttl_seconds": 3600, "max_uses": 5, "allowed_frame_origins": []string{"https://app.example"}, "return_url": "https://app.example/back",
	}))
	portalID := made.at("customer_portal_id").(string)
	do("POST", "/customers/create_portal", m{"customer_key": customer, "deep_link": m{"resource_type": "space", "resource_key": "room-101"}})
	do("GET", "/seam/customer/v1/portals/get", nil, arg("customer_portal_id", portalID))
	do("POST", "/seam/customer/v1/portals/get", m{"customer_portal_id": portalID})
	for _, method := range []string{"PATCH", "POST"} {
		do(method, "/seam/customer/v1/portals/update", m{"customer_portal_id": portalID, "portal_configuration": withMembers(t, fullConfig, nil)})
	}
	do("POST", "/customers/open_portal", m{"customer_key": customer})
	do("POST", "/seam/customer/v1/customers/open_portal", m{"customer_key": customer})
	do("POST", "/customers/reservations/create_deep_link", m{"customer_key": customer, "reservation_key": "reservation-1"})
	do("GET", "/seam/customer/v1/customers/list", nil, arg("search", "acme"), arg("limit", "1"))
	do("POST", "/seam/customer/v1/customers/list", m{"search": "acme", "limit": 10, "page_cursor": nil})

	for _, class := range []struct{ path, name, many, key string }{
		{"/spaces", "space", "spaces", "room-101"},
		{"/user_identities", "user_identity", "user_identities", "guest-1"},
		{"/access_grants", "access_grant", "access_grants", "reservation-1"},
	} {
		one := do("GET", class.path+"/get", nil, arg(class.name+"_key", class.key))
		do("POST", class.path+"/get", m{class.name + "_id": one.at(class.name, class.name+"_id")})
		first := do("GET", class.path+"/list", nil, arg("customer_key", customer), "limit=1", "page_cursor=")
		cursor := first.at("pagination", "next_page_cursor")
		require.NotNil(t, cursor)
		do("POST", class.path+"/list", m{"customer_key": customer, "limit": 1, "page_cursor": cursor})
	}

	for _, method := range []string{"GET", "POST"} {
		call := func(path string, params m) {
			if method == "POST" {
				do(method, path, params)
				return
			}
			query := []string{}
			for name, v := range params {
				query = append(query, arg(name, fmt.Sprint(v)))
			}
			do(method, path, nil, query...)
		}
		call("/customers/export_data", m{"customer_key": customer})
		call("/customers/changes", m{"limit": 3})
		events := do("POST", "/events/list", m{"customer_key": customer, "limit": 3, "event_type": "space.created"})
		call("/events/list", m{"since": "2025-01-01T00:00:00Z"})
		call("/events/get", m{"event_id": list(events.at("events"))[0].(map[string]any)["event_id"]})
		call("/customers/portals/list", m{"customer_key": customer, "limit": 1})
	}
	f.callDeviceOperations(t, do, customer)

	do("GET", "/customers/plan_delete", nil, "site_keys=site-1", "room_keys=")
	do("POST", "/customers/plan_delete", m{"customer_keys": []string{customer}, "guest_keys": []string{"nobody"}})
	do("POST", "/customers/portals/revoke", m{"customer_portal_id": portalID})
	do("POST", "/customers/portals/revoke_all", m{"customer_key": customer})
	do("DELETE", "/customers/delete_data", nil, "site_keys=site-1", "guest_keys=guest-1", "guest_keys=nobody")
	do("POST", "/customers/delete_data", m{"customer_keys": []string{customer, "nobody"}})
	do("POST", "/workspaces/customization_profiles/delete", m{"customization_profile_id": profile})
	again := do("POST", "/workspaces/customization_profiles/create", m{})
	do("DELETE", "/workspaces/customization_profiles/delete", nil, arg("customization_profile_id", again.at("customization_profile", "customization_profile_id").(string)))
	do("GET", "/openapi.json", nil)
	return all
}

// TestOpenAPI_RequestsOfEveryOperation_MatchTheDocument checks that the document allows requests that succeed. The fixture checks
// the responses in every test.
func TestOpenAPI_RequestsOfEveryOperation_MatchTheDocument(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		called := map[string]bool{}
		for _, e := range f.callEveryOperation(t) {
			called[e.method+" "+e.path] = true
			if e.body != nil {
				require.Empty(t, f.doc.check(f.doc.body(e.path, e.method), e.body, "$"), "%s %s", e.method, e.path)
			}
		}
		for path, item := range f.doc.paths() {
			for method := range item.(map[string]any) {
				require.True(t, called[strings.ToUpper(method)+" "+path], "callEveryOperation omits %s %s", method, path)
			}
		}
	})
}

// TestOpenAPI_MembersOfEveryBody_AreKnown sends each body with every member that the document has for it. The handler must not
// report an unknown member.
func TestOpenAPI_MembersOfEveryBody_AreKnown(t *testing.T) {
	t.Parallel()
	doc := handlerDocument()
	requests := 0
	for path, item := range doc.paths() {
		for method := range item.(map[string]any) {
			body := doc.body(path, method)
			if body == nil {
				continue
			}
			requests++
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				f := newMemoryFixture(t)
				f.post(t, "/customers/push_data", everyKind(t))
				s := sampler{d: doc, values: map[string]any{
					"customization_profile_id": f.post(t, "/workspaces/customization_profiles/create", `{}`).at("customization_profile", "customization_profile_id"),
					"customer_portal_id":       f.post(t, "/customers/create_portal", `{"customer_key": "Acme Hotels"}`).at("customer_portal_id"),
					"customer_key":             "Acme Hotels", "reservation_key": "reservation-1", "operation": "=", "field": "vip", "value": true,
					"custom_redirect_url": "https://host.example/", "custom_redirect_failure_url": "https://host.example/",
					"deep_link": nil, "name": "N", "page_cursor": nil, "created_before": nil, "since": nil, "between": nil, "event_type": "lock.unlocked", "event_id": nil,
					"space_id": nil, "user_identity_id": nil, "access_grant_id": nil,
				}}
				maps.Copy(s.values, f.deviceValues(t, "Acme Hotels", path))
				if strings.HasPrefix(path, "/connect_webviews/") {
					s.values["connect_webview_id"] = f.post(t, "/connect_webviews/create", `{"customer_key": "Acme Hotels"}`).at("connect_webview", "connect_webview_id")
				}
				if path == "/events/get" {
					s.values["event_type"], s.values["device_id"] = "space.created", nil
				}
				members := s.sample(body, "").(map[string]any)
				for class, key := range map[string]string{"space": "room-101", "user_identity": "guest-1", "access_grant": "reservation-1"} {
					if _, top := members[class+"_key"]; top && path != "/spaces/create" && path != "/access_grants/create" {
						members[class+"_key"] = key
					}
				}
				b, err := json.Marshal(members)
				require.NoError(t, err)
				out := f.send(t, keyA, strings.ToUpper(method), path, string(b))
				require.Equal(t, http.StatusOK, out.status, "%s\n%s", b, out.raw)
				for _, w := range list(out.body["warnings"]) {
					require.NotEqual(t, "unknown_field", w.(map[string]any)["rule"], "%v", w)
				}
			})
		}
	}
	require.Greater(t, requests, 25)
}

// sampler creates values that a schema allows, with every member of the schema.
type sampler struct {
	d      document
	values map[string]any // the values of some members, by name
	next   int
}

// sample returns a value for the member of a name.
func (s *sampler) sample(schema map[string]any, name string) any {
	if v, ok := s.values[name]; ok {
		return v
	}
	schema = s.d.resolve(schema)
	if all := list(schema["allOf"]); all != nil {
		return s.sample(all[0].(map[string]any), "")
	}
	switch schema["type"] {
	case "object":
		out := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for member, of := range properties {
			out[member] = s.sample(of.(map[string]any), member)
		}
		return out
	case "array":
		items := schema["items"].(map[string]any)
		if s.d.resolve(items)["type"] != "object" {
			return []any{}
		}
		return []any{s.sample(items, "")}
	}
	if schema["nullable"] == true {
		return nil
	}
	if enum := list(schema["enum"]); enum != nil {
		return enum[0]
	}
	switch schema["type"] {
	case "boolean":
		return false
	case "integer", "number":
		return 1
	}
	if schema["format"] == "uuid" {
		return "00000000-0000-4000-8000-000000000000"
	}
	s.next++
	return fmt.Sprintf("k%d", s.next)
}
