package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// operation is a method of a path of the API.
type operation struct{ method, path string }

// operations are those of the document, and so of the table of routes.
var operations = sync.OnceValue(func() (out []operation) {
	for path, item := range ownDocument().paths() {
		for method := range item.(map[string]any) {
			out = append(out, operation{strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
})

// TestNobodyIsServedWithoutAKey asks for every operation with no key, with a wrong one
// and, if no key is configured, with any.
func TestNobodyIsServedWithoutAKey(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	none, err := httpapi.Credentials{}.Static()
	require.NoError(t, err)
	empty := onMemory(t, func(o *httpapi.Options) { o.Authenticate = none })
	before := rows(t, f.store)
	require.Greater(t, len(operations()), 45)
	for _, op := range operations() {
		for _, row := range []struct {
			f   *fixture
			key string
		}{{f, ""}, {f, keyA + "x"}, {f, "seam_nobodyknowsthiskey"}, {empty, keyA}, {empty, ""}} {
			out := row.f.send(t, row.key, op.method, op.path, `{"customer_key": "c"}`)
			require.Equal(t, http.StatusUnauthorized, out.status, "%s %s", op.method, op.path)
			require.Equal(t, "unauthorized", out.at("error", "type"))
			require.Equal(t, "Bearer", out.header.Get("WWW-Authenticate"))
		}
	}
	require.Equal(t, before, rows(t, f.store))
}

// TestAnotherMethodIsRefused asks for every path by every method that it does not have.
func TestAnotherMethodIsRefused(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	of := map[string][]string{}
	for _, op := range operations() {
		of[op.path] = append(of[op.path], op.method)
	}
	for path, methods := range of {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			out := f.refused(t, http.StatusMethodNotAllowed, "method_not_allowed", method, path, "")
			require.ElementsMatch(t, methods, strings.Split(out.header.Get("Allow"), ", "), path)
		}
	}
}

func TestAnUnknownRouteIsNotFoundInTheSameForm(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	for _, path := range []string{"/", "/customers", "/customers/push_data/", "/Customers/Push_Data", "/customers//push_data", "/spaces/create"} {
		out := f.refused(t, http.StatusNotFound, "not_found", http.MethodPost, path, "{}")
		require.Equal(t, "There is no such endpoint", out.at("error", "message"))
	}
}

// secrets are what a workspace has that another must not learn, change or delete: the
// words that its data is made of, and the ids of what it has.
type secrets struct {
	customer, profile, portal string
	ids                       []string
	words                     []string
}

// fill gives workspace A a customer with every kind of resource, a profile, a portal and
// settings of its own.
func fill(t testing.TB, f *fixture) secrets {
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

// TestAWorkspaceCannotReachAnother asks for every operation with the key of workspace B
// and everything that there is to know of workspace A, in every way that the operation
// can be asked: the answers tell nothing of A, and A is as it was.
func TestAWorkspaceCannotReachAnother(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := fill(t, f)
		cursors := map[string]any{}
		for _, path := range []string{"/spaces/list", "/user_identities/list", "/access_grants/list", "/customers/changes", "/seam/customer/v1/customers/list"} {
			cursors[path] = f.post(t, path, `{"limit": 1}`).at("pagination", "next_page_cursor")
		}
		before := export(t, f)
		served := 0
		for _, op := range operations() {
			if op.path == "/openapi.json" {
				continue // the same for everybody
			}
			for _, body := range probes(t, f.own, op, s, cursors) {
				out := f.probe(t, keyB, op, body)
				told := out.raw
				// What B itself has asked about it may read back.
				for _, own := range []string{s.customer, "secret@", "Secret"} {
					told = strings.ReplaceAll(told, own, "")
				}
				for _, word := range s.words {
					if word != "ecret" && strings.Contains(body, word) && out.status != http.StatusOK {
						continue
					}
					require.NotContains(t, told, word, "%s %s %s", op.method, op.path, body)
				}
				if out.status == http.StatusOK {
					served++
				}
				require.Less(t, out.status, 500, out.raw)
			}
			require.Equal(t, before, export(t, f), "%s %s", op.method, op.path)
		}
		require.Greater(t, served, 30, "many of these ask for what B may well have")
	})
}

// probe sends a body as the operation takes it.
func (f *fixture) probe(t testing.TB, key string, op operation, body string) reply {
	t.Helper()
	if op.method != http.MethodGet && op.method != http.MethodDelete {
		return f.send(t, key, op.method, op.path, body)
	}
	return f.send(t, key, op.method, op.path+"?"+queryOf(t, body), "")
}

// export is all that workspace A has, by its own key.
func export(t testing.TB, f *fixture) []any {
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

// probes are bodies that name what workspace A has, in every parameter of an operation
// at once and one by one.
func probes(t testing.TB, d document, op operation, s secrets, cursors map[string]any) []string {
	t.Helper()
	names := map[string]bool{}
	for _, p := range list(d.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		names[p.(map[string]any)["name"].(string)] = true
	}
	if body := d.body(op.path, op.method); body != nil {
		for name := range membersOf(d, body, "", map[string]bool{}) {
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
	write := func(m map[string]any) {
		b, err := json.Marshal(m)
		require.NoError(t, err)
		out = append(out, string(b))
	}
	write(all)
	for name := range names {
		for _, v := range values(name) {
			with := map[string]any{name: v}
			for needed, v := range map[string]any{"customer_key": s.customer, "customer_portal_id": s.portal, "customization_profile_id": s.profile, "portal_configuration": json.RawMessage(`{"read_only": true}`)} {
				if names[needed] && with[needed] == nil && !strings.HasSuffix(op.path, "delete_data") && op.path != "/customers/create_portal" {
					with[needed] = v
				}
			}
			write(with)
			write(map[string]any{name: v})
			if all[name] == nil {
				all[name] = v
			}
		}
	}
	write(all)
	return out
}

// TestAHostsOwnFailureIsNotTheClients tells a host's broken authenticator from a wrong key.
func TestAHostsOwnFailureIsNotTheClients(t *testing.T) {
	t.Parallel()
	f := onMemory(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) {
			return uuid.Nil, fmt.Errorf("the database of keys is down: %w", data.ErrCustomerNotFound)
		}
	})
	out := f.refused(t, http.StatusInternalServerError, "internal_server_error", http.MethodPost, "/spaces/list", "{}")
	require.NotContains(t, out.raw, "database")
	require.Contains(t, f.log.String(), "the database of keys is down")
}
