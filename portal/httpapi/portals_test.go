package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage"
)

type object = map[string]any

// code returns the code of a portal link.
func code(t testing.TB, link any) string {
	t.Helper()
	require.IsType(t, "", link)
	return portal.Code(link.(string))
}

// TestCreatePortal_FullConfiguration_IsStored reads the configuration back with the API and in a session of the portal.
func TestCreatePortal_FullConfiguration_IsStored(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/customers/create_portal", withMembers(t, fullConfig, object{
			"customer_data": json.RawMessage(everyKind(t)), "ttl_seconds": 600, "max_uses": 3,
			"allowed_frame_origins": []string{"https://app.example"}, "return_url": "https://app.example/back",
		}))
		require.Equal(t, made.at("customer_portal"), made.at("magic_link"))
		require.Equal(t, "2025-06-16T17:04:17.946594Z", made.at("customer_portal", "expires_at"))
		require.Equal(t, object{"spaces": 11.0, "user_identities": 6.0, "access_grants": 5.0}, made.at("report", "created"))

		read := f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": made.at("customer_portal_id")}).at("customer_portal").(object)
		for name, want := range withMembers(t, fullConfig, nil) {
			require.Equal(t, want, read[name], name)
		}
		require.Equal(t, "live", read["state"])
		require.InDelta(t, 3, read["max_uses"], 0)
		require.InDelta(t, 0, read["uses"], 0)
		require.Equal(t, "neutral", read["business_vertical"])
		require.NotContains(t, read, "url", "only the response of create_portal contains the link")

		session, err := f.portals.Resolve(t.Context(), code(t, made.at("customer_portal", "url")))
		require.NoError(t, err)
		require.Equal(t, "Acme Hotels", session.Portal().CustomerKey)
		require.True(t, session.Portal().Config.ReadOnly)
		again := f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": made.at("customer_portal_id")})
		require.InDelta(t, 1, again.at("customer_portal", "uses"), 0)
	})
}

// TestCreatePortal_Refused_WritesNothing checks that a request with an invalid deep link pushes no customer data either.
func TestCreatePortal_Refused_WritesNothing(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal",
			`{"customer_data": {"customer_key": "c", "rooms": [{"room_key": "1", "name": "One"}]}, "deep_link": {"resource_type": "space", "resource_key": "2"}}`)
		require.Equal(t, []any{"does not exist for this customer"}, out.at("error", "validation_errors", "deep_link", "resource_key", "_errors"))
		require.Empty(t, storeRows(t, f.store))
	})
}

func TestUnknownMembers_OfDataAndConfiguration_AreWarnings(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	warnings := func(r reply) (paths []string) {
		for _, w := range list(r.body["warnings"]) {
			paths = append(paths, w.(object)["path"].(string))
		}
		return paths
	}
	made := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c", "pets": [], "rooms": [{"room_key": "1", "name": "One", "size": 3}],
		"guests": [{"guest_key": "g", "name": "G", "email_address": "none"}]},
		"colour": "red", "features": {"manage": {"pets": true}, "swim": {}}}`)
	require.Equal(t, []string{"features.manage.pets", "features.swim", "colour", "customer_data.pets", "customer_data.rooms[0].size", "customer_data.guests[0].email_address"}, warnings(made))
	require.Nil(t, made.at("report", "warnings"), "the warnings are not repeated in the report")
	require.Equal(t, []string{"pets"}, warnings(f.post(t, "/customers/push_data", `{"customer_key": "c", "pets": []}`)))
	require.Equal(t, []string{"acs_system_id"}, warnings(f.post(t, "/access_grants/list", `{"acs_system_id": "00000000-0000-4000-8000-000000000000"}`)))
	id := made.at("customer_portal_id")
	require.Equal(t, []string{"pets", "portal_configuration.colour"}, warnings(f.post(t, "/seam/customer/v1/portals/update", object{"customer_portal_id": id, "pets": 1, "portal_configuration": object{"colour": 1}})))
	require.Empty(t, warnings(f.send(t, keyA, http.MethodGet, "/spaces/list?_strict=true", "")))
}

// TestUpdatePortal_Patch_IsRecursive checks that absent members do not change, also inside of objects, that null clears a member,
// and that an invalid patch changes nothing.
func TestUpdatePortal_Patch_IsRecursive(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/customers/create_portal", withMembers(t, fullConfig, object{"customer_data": json.RawMessage(everyKind(t))}))
		id := made.at("customer_portal_id")
		get := func() object {
			return f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": id}).at("customer_portal").(object)
		}
		before := get()
		f.post(t, "/seam/customer/v1/portals/update", object{"customer_portal_id": id, "portal_configuration": object{
			"locale": nil, "read_only": false, "features": object{"organize": object{"exclude": true}},
		}})
		after := get()
		require.NotContains(t, after, "locale")
		require.Equal(t, false, after["read_only"])
		require.Equal(t, true, document(after).at("features", "organize", "exclude"))
		require.Equal(t, document(before).at("features", "manage"), document(after).at("features", "manage"))
		require.Equal(t, before["landing_page"], after["landing_page"])

		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPatch, "/seam/customer/v1/portals/update",
			`{"customer_portal_id": "`+id.(string)+`", "portal_configuration": {"locale": "xx", "landing_page": {"manage": {"room_key": "none"}}}}`)
		require.NotEmpty(t, out.at("error", "validation_errors", "portal_configuration", "locale", "_errors"))
		require.Equal(t, after, get())
	})
}

// TestPortals_OpenListAndRevoke_ReportTheirStates opens, lists and revokes the portals of a customer.
func TestPortals_OpenListAndRevoke_ReportTheirStates(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		first := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c", "reservations": [{"reservation_key": "r"}]}, "ttl_seconds": 60}`)
		open := func() reply { return f.post(t, "/customers/open_portal", `{"customer_key": "c"}`) }
		require.Equal(t, first.at("customer_portal"), open().at("magic_link"), "the portal is live")
		f.clock.Set(f.clock.Now().Add(time.Minute))
		second := open()
		require.NotEqual(t, first.at("customer_portal_id"), second.at("customer_portal_id"), "the first portal has expired")
		f.clock.Set(f.clock.Now().Add(time.Second))
		link := f.post(t, "/customers/reservations/create_deep_link", `{"customer_key": "c", "reservation_key": "r"}`)
		require.Regexp(t, `^https://se\.am/3[0-9a-z]{32}$`, link.at("deep_link", "url"))

		var states, ids []any
		cursor, pages := any(nil), 0
		for more := true; more; pages++ {
			page := f.post(t, "/customers/portals/list", object{"customer_key": "c", "limit": 1, "page_cursor": cursor})
			for _, p := range list(page.at("customer_portals")) {
				states, ids = append(states, p.(object)["state"]), append(ids, p.(object)["customer_portal_id"])
			}
			cursor, more = page.at("pagination", "next_page_cursor"), page.at("pagination", "has_next_page") == true
		}
		require.Equal(t, 3, pages)
		require.Equal(t, []any{"live", "live", "expired"}, states)
		require.Equal(t, []any{link.at("deep_link", "customer_portal_id"), second.at("customer_portal_id"), first.at("customer_portal_id")}, ids)

		f.post(t, "/customers/portals/revoke", object{"customer_portal_id": second.at("customer_portal_id")})
		f.post(t, "/customers/portals/revoke", object{"customer_portal_id": second.at("customer_portal_id")})
		_, err := f.portals.Resolve(t.Context(), code(t, second.at("magic_link", "url")))
		require.ErrorIs(t, err, portal.ErrRevoked)
		out := f.expectError(t, http.StatusConflict, "conflict", http.MethodPost, "/customers/open_portal", `{"customer_key": "c"}`)
		require.Contains(t, out.at("error", "message"), "was revoked")
		require.InDelta(t, 1, f.post(t, "/customers/portals/revoke_all", `{"customer_key": "c"}`).at("revoked"), 0)
		_, err = f.portals.Resolve(t.Context(), code(t, link.at("deep_link", "url")))
		require.ErrorIs(t, err, portal.ErrRevoked)
	})
}

// TestDelete_Customer_InvalidatesItsPortals deletes a customer with a live portal.
func TestDelete_Customer_InvalidatesItsPortals(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/customers/create_portal", object{"customer_data": json.RawMessage(everyKind(t))})
		plan := f.post(t, "/customers/plan_delete", `{"customer_keys": ["Acme Hotels"]}`).at("plan")
		require.Equal(t, plan, f.post(t, "/customers/delete_data", `{"customer_keys": ["Acme Hotels"]}`).at("report"))
		require.Len(t, plan.(object)["deleted"], 22)
		_, err := f.portals.Resolve(t.Context(), code(t, made.at("customer_portal", "url")))
		require.ErrorIs(t, err, portal.ErrGone)
		f.expectError(t, http.StatusNotFound, "customer_portal_not_found", http.MethodPost, "/seam/customer/v1/portals/get", `{"customer_portal_id": "`+made.at("customer_portal_id").(string)+`"}`)
	})
}

// TestLinks_HostileHostHeaders_AreIgnored sends headers with another host. Links and page URLs must start with the configured
// base URLs.
func TestLinks_HostileHostHeaders_AreIgnored(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", everyKind(t))
	for _, row := range []struct{ method, target, body string }{
		{http.MethodPost, "/customers/create_portal", `{"customer_key": "Acme Hotels"}`},
		{http.MethodGet, "/spaces/list?limit=1&customer_key=Acme+Hotels&search=o", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, row.target, strings.NewReader(row.body))
		r.Host = "evil.example"
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL"} {
			r.Header.Set(name, "evil.example")
		}
		out := f.serve(t, r)
		require.Equal(t, http.StatusOK, out.status, out.raw)
		require.NotContains(t, out.raw, "evil")
		if next := out.at("pagination", "next_page_url"); next != nil {
			require.True(t, strings.HasPrefix(next.(string), "https://api.example/spaces/list?"), next)
			followed := f.send(t, keyA, http.MethodGet, strings.TrimPrefix(next.(string), "https://api.example"), "")
			require.Equal(t, http.StatusOK, followed.status)
			require.Empty(t, followed.body["warnings"])
			require.NotEqual(t, out.at("spaces"), followed.at("spaces"))
		}
	}
}

// TestPagination_WithoutABaseURL_HasNoPageURL lists with an empty Options.BaseURL.
func TestPagination_WithoutABaseURL_HasNoPageURL(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.BaseURL = "" })
	f.post(t, "/customers/push_data", everyKind(t))
	page := f.post(t, "/spaces/list", `{"limit": 1}`)
	require.Equal(t, true, page.at("pagination", "has_next_page"))
	require.Nil(t, page.at("pagination", "next_page_url"))
}

// TestWorkspaces_SameKeys_AreIndependent pushes the same customer to two workspaces.
func TestWorkspaces_SameKeys_AreIndependent(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		f := newFixture(t, store)
		for _, key := range []string{keyA, keyB} {
			out := f.send(t, key, http.MethodPost, "/customers/push_data", everyKind(t))
			require.Equal(t, http.StatusOK, out.status)
			require.Equal(t, true, out.at("report", "customer_created"))
		}
		c, err := f.b.Customer(t.Context(), "Acme Hotels")
		require.NoError(t, err)
		require.Equal(t, 2, c.Counts[data.KindSpace])
	})
}

// TestUpdatePortal_TimeZone_AcceptsIANANames sets, changes and clears the time zone of a portal.
func TestUpdatePortal_TimeZone_AcceptsIANANames(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c"}, "time_zone": "Asia/Tokyo"}`)
		require.Empty(t, made.at("warnings"))
		id, ok := made.at("customer_portal_id").(string)
		require.True(t, ok)
		zone := func() any {
			return f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": id}).at("customer_portal").(object)["time_zone"]
		}
		update := func(zone string) string {
			return `{"customer_portal_id": "` + id + `", "portal_configuration": {"time_zone": ` + zone + `}}`
		}
		require.Equal(t, "Asia/Tokyo", zone())
		f.post(t, "/seam/customer/v1/portals/update", update(`"Europe/Lisbon"`))
		require.Equal(t, "Europe/Lisbon", zone())
		for _, bad := range []string{`"Lisbon"`, `"Local"`, `"/etc/localtime"`, `"europe/lisbon"`, `7`} {
			out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPatch, "/seam/customer/v1/portals/update", update(bad))
			require.NotEmpty(t, out.at("error", "validation_errors", "portal_configuration", "time_zone", "_errors"), bad)
			out = f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal", `{"customer_key": "c", "time_zone": `+bad+`}`)
			require.NotEmpty(t, out.at("error", "validation_errors", "time_zone", "_errors"), bad)
		}
		require.Equal(t, "Europe/Lisbon", zone(), "a refused request changes nothing")
		f.post(t, "/seam/customer/v1/portals/update", update(`null`))
		require.Nil(t, zone())
	})
}
