package httpapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWire_Operations_AreSupported checks that the handler has every operation that the official SDKs know, with every parameter
// and member.
func TestWire_Operations_AreSupported(t *testing.T) {
	t.Parallel()
	wire, own := wireDocument(t), handlerDocument()
	checked := 0
	for path, item := range wire.paths() {
		for method := range item.(map[string]any) {
			require.NotNil(t, own.at("paths", path, method), "%s %s", method, path)
			var parameters []string
			for _, p := range list(own.at("paths", path, method, "parameters")) {
				parameters = append(parameters, p.(map[string]any)["name"].(string))
			}
			for _, p := range list(wire.at("paths", path, method, "parameters")) {
				require.Contains(t, parameters, p.(map[string]any)["name"], "%s %s", method, path)
				checked++
			}
			body := wire.body(path, method)
			if body == nil {
				continue
			}
			known := memberPaths(own, own.body(path, method), "", map[string]bool{})
			for name := range memberPaths(wire, body, "", map[string]bool{}) {
				require.True(t, known[name], "%s %s: %s", method, path, name)
				checked++
			}
		}
	}
	require.Greater(t, checked, 600)
}

// memberPaths adds the paths of all members of a schema to into.
func memberPaths(d document, s map[string]any, path string, into map[string]bool) map[string]bool {
	s = d.resolve(s)
	for _, keyword := range []string{"allOf", "oneOf"} {
		for _, part := range list(s[keyword]) {
			memberPaths(d, part.(map[string]any), path, into)
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		memberPaths(d, items, path, into)
	}
	properties, _ := s["properties"].(map[string]any)
	for name, of := range properties {
		at := strings.TrimPrefix(path+"."+name, ".")
		into[at] = true
		memberPaths(d, of.(map[string]any), at, into)
	}
	return into
}

// TestWire_Responses_MatchItsSchemas checks the responses of every operation that the official SDKs know against the schemas from
// which the SDKs were generated.
func TestWire_Responses_MatchItsSchemas(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		wire := wireDocument(t)
		checked := map[string]bool{}
		for _, e := range f.callEveryOperation(t) {
			schema := wire.response(e.path, e.method, "200")
			if schema == nil {
				continue // the SDKs do not know the operation
			}
			require.Empty(t, wire.check(schema, any(e.reply.body), "$"), "%s %s: %s", e.method, e.path, e.reply.raw)
			checked[e.path+" "+e.method] = true
		}
		operations := 0
		for _, item := range wire.paths() {
			operations += len(item.(map[string]any))
		}
		require.Len(t, checked, operations, "%v", slices.Sorted(maps.Keys(checked)))
	})
}

// TestAccessGrant_WithoutUserAndStart_HasTheRequiredMembers gets a grant without members that the API requires.
func TestAccessGrant_WithoutUserAndStart_HasTheRequiredMembers(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", `{"customer_key": "c", "bookings": [{"booking_key": "b", "room_keys": ["not there"]}]}`)
		grant := f.post(t, "/access_grants/get", `{"access_grant_key": "b"}`).at("access_grant").(map[string]any)
		require.Nil(t, grant["user_identity_id"])
		require.NotContains(t, grant, "user_identity_key")
		require.Equal(t, grant["created_at"], grant["starts_at"])
		require.Nil(t, grant["ends_at"])
		require.Equal(t, []any{}, grant["space_ids"])
		require.Equal(t, []any{"not there"}, grant["space_keys"])
		require.Equal(t, "b", grant["display_name"])
		require.Equal(t, "active", grant["display_status"])
	})
}
