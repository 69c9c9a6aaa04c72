package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// secrets are the names, ids and texts of a workspace. Another workspace must not be able to read, change or delete them.
type secrets struct {
	customer, profile, portal string
	ids                       []string
	words                     []string
}

// createSecrets creates in workspace A a customer with resources of every kind, a profile and a portal, and changes its settings.
func createSecrets(t testing.TB, f *fixture) secrets {
	t.Helper()
	s := secrets{customer: "Secret Hotels"}
	body := strings.NewReplacer("Acme Hotels", s.customer, "example.com", "secret.example", "Lisbon\"}", "Secretville\"}").Replace(everyKind(t))
	pushed := f.post(t, "/customers/push_data", body)
	for _, r := range list(pushed.at("report", "resources")) {
		s.ids = append(s.ids, r.(map[string]any)["id"].(string))
	}
	s.profile = f.post(t, "/workspaces/customization_profiles/create", `{"name": "Secret look"}`).at("customization_profile", "customization_profile_id").(string)
	s.portal = f.post(t, "/customers/create_portal", `{"customer_key": "Secret Hotels"}`).at("customer_portal_id").(string)
	f.post(t, "/seam/customer/v1/settings/update", `{"business_vertical": "gym_management", "slug": "secret-slug"}`)
	s.words = append([]string{"ecret", "gym_management", s.profile, s.portal, workspaceA.String()}, s.ids...)
	return s
}

// TestWorkspaces_KeyOfAnotherWorkspace_ReadsAndChangesNothing calls every operation with the key of workspace B and the names and
// ids of workspace A in each of its parameters. The responses must not contain data of A, and A must not change.
func TestWorkspaces_KeyOfAnotherWorkspace_ReadsAndChangesNothing(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		s := createSecrets(t, f)
		cursors := map[string]any{}
		for _, path := range []string{"/spaces/list", "/user_identities/list", "/access_grants/list", "/customers/changes", "/seam/customer/v1/customers/list"} {
			cursors[path] = f.post(t, path, `{"limit": 1}`).at("pagination", "next_page_cursor")
		}
		before := exportWorkspace(t, f)
		served := 0
		for _, op := range operations() {
			if op.path == "/openapi.json" {
				continue // its response is the same for every workspace
			}
			for _, body := range probeBodies(t, f.doc, op, s, cursors) {
				out := f.sendProbe(t, keyB, op, body)
				raw := out.raw
				// The response may repeat names that the request of B contains.
				for _, sent := range []string{s.customer, "secret@", "Secret"} {
					raw = strings.ReplaceAll(raw, sent, "")
				}
				for _, word := range s.words {
					if word != "ecret" && strings.Contains(body, word) && out.status != http.StatusOK {
						continue
					}
					require.NotContains(t, raw, word, "%s %s %s", op.method, op.path, body)
				}
				if out.status == http.StatusOK {
					served++
				}
				require.Less(t, out.status, 500, out.raw)
			}
			require.Equal(t, before, exportWorkspace(t, f), "%s %s", op.method, op.path)
		}
		require.Greater(t, served, 30, "many of the requests are valid for B")
	})
}

// sendProbe sends the members of a JSON object to an operation, in the body or the query.
func (f *fixture) sendProbe(t testing.TB, key string, op operation, body string) reply {
	t.Helper()
	if op.method != http.MethodGet && op.method != http.MethodDelete {
		return f.send(t, key, op.method, op.path, body)
	}
	return f.send(t, key, op.method, op.path+"?"+queryFromJSON(t, body), "")
}

// exportWorkspace returns all data of workspace A, read with its key.
func exportWorkspace(t testing.TB, f *fixture) []any {
	t.Helper()
	var out []any
	for _, ask := range []struct{ path, body string }{
		{"/customers/export_data", `{"customer_key": "Secret Hotels"}`},
		{"/customers/changes", `{}`},
		{"/customers/portals/list", `{"customer_key": "Secret Hotels"}`},
		{"/seam/customer/v1/customers/list", `{}`},
		{"/workspaces/customization_profiles/list", `{}`},
		{"/seam/customer/v1/settings/get", `{}`},
		{"/spaces/list", `{}`}, {"/user_identities/list", `{}`}, {"/access_grants/list", `{}`},
	} {
		out = append(out, f.post(t, ask.path, ask.body).body)
	}
	return out
}

// probeBodies returns bodies that name the secrets of workspace A: one with every parameter of an operation, and some with one
// parameter and those that are required.
func probeBodies(t testing.TB, d document, op operation, s secrets, cursors map[string]any) []string {
	t.Helper()
	names := map[string]bool{}
	for _, p := range list(d.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		names[p.(map[string]any)["name"].(string)] = true
	}
	if body := d.body(op.path, op.method); body != nil {
		for name := range memberPaths(d, body, "", map[string]bool{}) {
			if !strings.Contains(name, ".") {
				names[name] = true
			}
		}
	}
	values := func(name string) []any {
		switch {
		case name == "customer_key", name == "search":
			return []any{s.customer}
		case name == "customer_keys":
			return []any{[]string{s.customer}}
		case name == "customer_portal_id":
			return []any{s.portal}
		case name == "customization_profile_id":
			return []any{s.profile}
		case name == "page_cursor" && cursors[op.path] != nil:
			return []any{cursors[op.path]}
		case name == "customer_data":
			return []any{json.RawMessage(`{"customer_key": "Secret Hotels", "rooms": [{"room_key": "b-room", "name": "B's"}]}`)}
		case name == "portal_configuration":
			return []any{json.RawMessage(`{"read_only": true}`)}
		case name == "deep_link":
			return []any{json.RawMessage(`{"resource_type": "space", "resource_key": "room-101"}`)}
		case name == "landing_page":
			return []any{json.RawMessage(`{"manage": {"room_key": "room-101"}}`)}
		case name == "slug":
			return []any{"b-slug"}
		case strings.HasSuffix(name, "_ids"):
			return []any{s.ids}
		case strings.HasSuffix(name, "_keys"):
			return []any{[]string{"space-1", "room-101", "guest-1", "staff-1", "grant-1", "reservation-1", "site-1"}}
		case strings.HasSuffix(name, "_id"):
			out := []any{}
			for _, id := range s.ids {
				out = append(out, id)
			}
			return out
		case strings.HasSuffix(name, "_key"):
			return []any{"space-1", "room-101", "guest-1", "staff-1", "grant-1", "reservation-1", "site-1"}
		}
		return nil
	}
	var out []string
	all := map[string]any{}
	add := func(m map[string]any) {
		b, err := json.Marshal(m)
		require.NoError(t, err)
		out = append(out, string(b))
	}
	add(all)
	for name := range names {
		for _, v := range values(name) {
			with := map[string]any{name: v}
			for needed, v := range map[string]any{"customer_key": s.customer, "customer_portal_id": s.portal, "customization_profile_id": s.profile, "portal_configuration": json.RawMessage(`{"read_only": true}`)} {
				if names[needed] && with[needed] == nil && !strings.HasSuffix(op.path, "delete_data") && op.path != "/customers/create_portal" {
					with[needed] = v
				}
			}
			add(with)
			add(map[string]any{name: v})
			if all[name] == nil {
				all[name] = v
			}
		}
	}
	add(all)
	return out
}
