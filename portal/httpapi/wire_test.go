package httpapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// notOurs are members of the API that this library has no use for. A request may have
// them: it is told so.
var notOurs = map[string]string{
	"portal_configuration.deep_link.resource_id": "a portal has no devices of its own",
	"deep_link.resource_id":                      "a portal has no devices of its own",
}

// TestEveryOperationOfTheWireIsThere holds that what the official SDKs can ask can be
// asked here, with every parameter and member.
func TestEveryOperationOfTheWireIsThere(t *testing.T) {
	t.Parallel()
	wire, own := wireDocument(t), ownDocument()
	checked := 0
	for path, item := range wire.paths() {
		for method := range item.(map[string]any) {
			require.NotNil(t, own.at("paths", path, method), "%s %s", method, path)
			var ours []string
			for _, p := range list(own.at("paths", path, method, "parameters")) {
				ours = append(ours, p.(map[string]any)["name"].(string))
			}
			for _, p := range list(wire.at("paths", path, method, "parameters")) {
				require.Contains(t, ours, p.(map[string]any)["name"], "%s %s", method, path)
				checked++
			}
			body := wire.body(path, method)
			if body == nil {
				continue
			}
			known := membersOf(own, own.body(path, method), "", map[string]bool{})
			for name := range membersOf(wire, body, "", map[string]bool{}) {
				if notOurs[name] == "" {
					require.True(t, known[name], "%s %s: %s", method, path, name)
					checked++
				}
			}
		}
	}
	require.Greater(t, checked, 600)
}

// membersOf is every member that a schema names, by its path.
func membersOf(d document, s map[string]any, path string, into map[string]bool) map[string]bool {
	s = d.resolve(s)
	for _, of := range []string{"allOf", "oneOf"} {
		for _, part := range list(s[of]) {
			membersOf(d, part.(map[string]any), path, into)
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		membersOf(d, items, path, into)
	}
	properties, _ := s["properties"].(map[string]any)
	for name, of := range properties {
		at := strings.TrimPrefix(path+"."+name, ".")
		into[at] = true
		membersOf(d, of.(map[string]any), at, into)
	}
	return into
}

// TestAnswersAreAsTheWireHasThem holds every answer of every operation that the official
// SDKs know against the schemas that they were made from.
func TestAnswersAreAsTheWireHasThem(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		wire := wireDocument(t)
		asked := map[string]bool{}
		for _, e := range f.tour(t) {
			schema := wire.answer(e.path, e.method, "200")
			if schema == nil {
				continue // ours alone
			}
			require.Empty(t, wire.check(schema, any(e.reply.body), "$"), "%s %s: %s", e.method, e.path, e.reply.raw)
			asked[e.path+" "+e.method] = true
		}
		operations := 0
		for _, item := range wire.paths() {
			operations += len(item.(map[string]any))
		}
		require.Len(t, asked, operations, "%v", slices.Sorted(maps.Keys(asked)))
	})
}

// TestAGrantWithoutAUserOrAStart holds what the API has no word for: a grant of
// nobody, and one that was always good.
func TestAGrantWithoutAUserOrAStart(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
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
