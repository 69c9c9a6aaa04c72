package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parameter is a parameter of an operation, in its query or a member of its body.
type parameter struct {
	name    string
	schema  map[string]any
	inQuery bool
}

func (p parameter) isList() bool { return p.schema["type"] == "array" }

// value returns a value that the parameter can have, for JSON and for a query.
func (p parameter) value() (any, string) {
	switch {
	case p.schema["format"] == "uuid":
		return "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000001"
	case p.schema["format"] == "date-time":
		return "2025-06-16T15:00:00Z", "2025-06-16T15:00:00Z"
	case p.schema["type"] == "boolean":
		return true, "true"
	case p.schema["type"] == "integer":
		return 2, "2"
	}
	return "x", "x"
}

// lenientPaths are the paths with a body in which an unknown member is a warning: data, configurations, settings and profiles.
var lenientPaths = []string{
	"/customers/create_portal", "/customers/push_data", "/customers/sync_data", "/seam/customer/v1/portals/update",
	"/seam/customer/v1/settings/update", "/workspaces/customization_profiles/create", "/workspaces/customization_profiles/update",
}

// parameters returns the parameters of an operation: those of its query and, unless its path is one of lenientPaths, the
// members of its body.
func (f *fixture) parameters(op operation) (out []parameter) {
	for _, p := range list(f.doc.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		p := p.(map[string]any)
		out = append(out, parameter{p["name"].(string), f.doc.resolve(p["schema"].(map[string]any)), true})
	}
	body := f.doc.body(op.path, op.method)
	if body == nil || slices.Contains(lenientPaths, op.path) {
		return out
	}
	properties, _ := f.doc.resolve(body)["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, parameter{name, f.doc.resolve(properties[name].(map[string]any)), false})
	}
	return out
}

// membersOfOperation returns the JSON object of those of the members that the operation has.
func (f *fixture) membersOfOperation(t testing.TB, op operation, members object) string {
	t.Helper()
	names := map[string]bool{}
	for _, p := range list(f.doc.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		names[p.(map[string]any)["name"].(string)] = true
	}
	if body := f.doc.body(op.path, op.method); body != nil {
		for name := range f.doc.resolve(body)["properties"].(map[string]any) {
			names[name] = true
		}
	}
	out := object{}
	for name, v := range members {
		if names[name] {
			out[name] = v
		}
	}
	b, err := json.Marshal(out)
	require.NoError(t, err)
	return string(b)
}

// sendParameter sends a query or members to an operation. If it sends a query with a POST or PATCH, the body names a customer.
func (f *fixture) sendParameter(t testing.TB, op operation, inQuery bool, query string, members object) reply {
	t.Helper()
	if inQuery {
		body := ""
		if op.method == http.MethodPost || op.method == http.MethodPatch {
			body = `{"customer_key": "c"}`
		}
		return f.send(t, keyA, op.method, op.path+"?"+query, body)
	}
	b, err := json.Marshal(members)
	require.NoError(t, err)
	return f.send(t, keyA, op.method, op.path, string(b))
}

// requireParameterFault checks that a response is a 400 with a fault of the parameter.
func requireParameterFault(t testing.TB, out reply, name, what string) {
	t.Helper()
	require.Equal(t, http.StatusBadRequest, out.status, "%s: %s", what, out.raw)
	require.Equal(t, "invalid_input", out.at("error", "type"), what)
	require.NotNil(t, out.at("error", "validation_errors", name), "%s: %s", what, out.raw)
}

// TestParameters_Empty_AreRefused sets each parameter of each operation to an empty text, because a filter that is empty by
// mistake must not select everything. Only search and page_cursor may be empty, and a list may have no elements.
func TestParameters_Empty_AreRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", everyKind(t))
	before := storeRows(t, f.store)
	requests := 0
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			what := fmt.Sprintf("%s %s: %s in the query: %v", op.method, op.path, p.name, p.inQuery)
			out := f.sendParameter(t, op, p.inQuery, p.name+"=", object{p.name: ""})
			switch {
			case p.name == "search" || p.name == "page_cursor":
				require.Nil(t, out.at("error", "validation_errors", p.name), "%s: %s", what, out.raw)
			case p.inQuery && p.isList():
				require.Contains(t, []int{200, 400}, out.status, "%s: %s", what, out.raw)
				for name, v := range out.body {
					if rows, isList := v.([]any); isList && name != "warnings" {
						require.Empty(t, rows, "%s: an empty list must select nothing", what)
					}
				}
			default:
				requireParameterFault(t, out, p.name, what)
			}
			requests++
		}
	}
	require.Greater(t, requests, 150)
	require.Equal(t, before, storeRows(t, f.store))
}

// TestParameters_Null_CountAsAbsent sets each parameter of each body to null.
func TestParameters_Null_CountAsAbsent(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", everyKind(t))
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			if p.inQuery {
				continue
			}
			with, without := f.sendParameter(t, op, false, "", object{p.name: nil}), f.sendParameter(t, op, false, "", object{})
			require.Equal(t, without.status, with.status, "%s %s: %s: %s", op.method, op.path, p.name, with.raw)
			require.Equal(t, without.at("error", "message"), with.at("error", "message"), "%s %s: %s", op.method, op.path, p.name)
		}
	}
}

// TestParameters_GivenTwice_AreRefused repeats each parameter of each query.
func TestParameters_GivenTwice_AreRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			if !p.inQuery || p.isList() {
				continue
			}
			_, value := p.value()
			what := fmt.Sprintf("%s %s: %s", op.method, op.path, p.name)
			for _, second := range []string{value, value + "x", ""} {
				out := f.sendParameter(t, op, true, url.Values{p.name: {value, second}}.Encode(), nil)
				requireParameterFault(t, out, p.name, what)
				require.Contains(t, out.raw, "is given 2 times", what)
			}
		}
	}
}

// TestParameters_Misspelled_AreRefused misspells each parameter of each operation. Without the parameter the request would mean
// something else. The response names the misspelled parameter.
func TestParameters_Misspelled_AreRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", everyKind(t))
	before := storeRows(t, f.store)
	requests := 0
	for _, op := range operations() {
		if op.path == "/openapi.json" {
			continue
		}
		for _, p := range append(f.parameters(op), parameter{name: "nothing", inQuery: f.doc.body(op.path, op.method) == nil || slices.Contains(lenientPaths, op.path)}) {
			v, text := p.value()
			for _, name := range []string{p.name + "x", "x" + p.name, strings.ToUpper(p.name), p.name + "[]", strings.ReplaceAll(p.name, "_", "-") + "-"} {
				what := fmt.Sprintf("%s %s: %s", op.method, op.path, name)
				out := f.sendParameter(t, op, p.inQuery, url.Values{name: {text}}.Encode(), object{name: v})
				requireParameterFault(t, out, strings.TrimSuffix(name, "[]"), what)
				requests++
			}
		}
	}
	require.Greater(t, requests, 1000)
	require.Equal(t, before, storeRows(t, f.store))

	// The official SDKs add _strict to every query.
	require.Equal(t, http.StatusOK, f.send(t, keyA, http.MethodGet, "/spaces/list?_strict=true", "").status)
	// The parameters of a POST are in its body.
	out := f.send(t, keyA, http.MethodPost, "/spaces/list?customer_key=c", "{}")
	requireParameterFault(t, out, "customer_key", "a filter in the query of a POST")
	out = f.send(t, keyA, http.MethodGet, "/spaces/list?costumer_key=c", "")
	require.Contains(t, out.at("error", "message"), "costumer_key: is not a parameter of this endpoint, which has in the query: customer_key, search, ")
}

// TestDelete_SelectsNothing_IsRefused sends selections that are empty or that have misspelled lists of keys.
func TestDelete_SelectsNothing_IsRefused(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := storeRows(t, f.store)
		for _, path := range []string{"/customers/delete_data", "/customers/plan_delete"} {
			for body, want := range map[string]string{
				`{}`:                              "selects nothing: give customer_keys, or a list of keys such as room_keys",
				``:                                "selects nothing",
				`{"customer_key": "Acme Hotels"}`: "selects nothing: give customer_keys",
				`{"room_keys": null}`:             "selects nothing",
				`{"rooms": ["room-101"]}`:         "rooms: is not a list of keys: use room_keys",
				`{"room_key": "room-101"}`:        "room_key: is not a list of keys: use room_keys",
				`{"room_keys[]": ["room-101"]}`:   "room_keys[]: is not a list of keys: use room_keys",
				`{"properties": ["p"]}`:           "properties: is not a list of keys: use property_keys",
				`{"customers": ["Acme Hotels"]}`:  "customers: is not a list of keys: use customer_keys",
				`{"spaceships": ["x"]}`:           "spaceships: is not a list of keys",
				`{"room_keys": ["room-101"], "guests": []}`:       "guests: is not a list of keys: use guest_keys",
				`{"room_keys": ["room-101"], "customer_key": ""}`: "customer_key: must not be empty",
			} {
				out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
				require.Contains(t, out.at("error", "message"), want, body)
			}
		}
		for query, want := range map[string]string{
			"":                                 "selects nothing",
			"customer_key=Acme+Hotels":         "selects nothing",
			"room_keys[]=room-101":             "room_keys[]: is not a list of keys: use room_keys",
			"rooms=room-101":                   "rooms: is not a list of keys: use room_keys",
			"room_keys=room-101&rooms=x":       "rooms: is not a list of keys: use room_keys",
			"room_keys=room-101&customer_key=": "customer_key: must not be empty",
		} {
			out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodDelete, "/customers/delete_data?"+query, "")
			require.Contains(t, out.at("error", "message"), want, query)
		}
		require.Equal(t, before, storeRows(t, f.store))

		// An empty list is allowed, because a program may have found nothing to delete.
		out := f.post(t, "/customers/delete_data", `{"room_keys": [], "customer_key": null}`)
		require.Len(t, out.body["warnings"], 1)
		require.Equal(t, before, storeRows(t, f.store))
	})
}

// TestOptions_InTheBody_AreRefused sends the options of a push and a sync in the body instead of the query. A sync that
// ignored its dry_run or max_deletes would delete resources that it must not delete.
func TestOptions_InTheBody_AreRefused(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := storeRows(t, f.store)
		requests := 0
		for _, path := range []string{"/customers/push_data", "/customers/sync_data"} {
			for _, p := range f.parameters(operation{method: http.MethodPost, path: path}) {
				v, _ := p.value()
				for _, v := range []any{v, false, 0, "x", []any{}} {
					body, err := json.Marshal(object{"customer_key": "Acme Hotels", p.name: v})
					require.NoError(t, err)
					out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, string(body))
					require.Contains(t, out.at("error", "message"), p.name+": must be in the query, as in ?"+p.name+"=..., not in the body", path)
					requests++
				}
			}
		}
		require.Greater(t, requests, 30)
		require.Equal(t, before, storeRows(t, f.store))

		out := f.post(t, "/customers/push_data", `{"customer_key": "Acme Hotels", "dry_run": null, "elsewhere": 1}`)
		require.Len(t, out.body["warnings"], 2, "an unknown member is a warning, and so is an option that is null")
	})
}

// TestParameters_Invalid_AreNotIgnored sends requests with parameters that the handler must not ignore, because it would
// return or change other data than the client meant.
func TestParameters_Invalid_AreNotIgnored(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := storeRows(t, f.store)
		const nilID = "00000000-0000-0000-0000-000000000000"
		for _, target := range []string{
			"/access_grants/list?user_identity_id=" + nilID, "/access_grants/list?space_id=" + nilID, "/access_grants/list?device_id=" + nilID,
			"/spaces/list?parent_space_id=" + nilID, "/spaces/list?connected_account_id=" + nilID,
			"/spaces/get?space_id=" + nilID + "&space_key=room-101", "/spaces/list?limit=1_0", "/spaces/list?limit=0x1p1",
		} {
			out := f.send(t, keyA, http.MethodGet, target, "")
			require.Equal(t, http.StatusBadRequest, out.status, "%s %s", target, out.raw)
		}
		for _, query := range []string{"?dry_run", "?dry_run=", "?dry_run=yes"} {
			out := f.send(t, keyA, http.MethodPost, "/customers/push_data"+query, `{"customer_key": "new"}`)
			require.Equal(t, http.StatusBadRequest, out.status, query)
		}
		out := f.send(t, keyA, http.MethodDelete, "/customers/delete_data?room_keys=nothing", `{"room_keys": ["room-101"]}`)
		require.Equal(t, http.StatusBadRequest, out.status, out.raw)
		out = f.send(t, keyA, http.MethodDelete, "/customers/delete_data?customer_key=Acme+Hotels", "")
		require.Equal(t, http.StatusBadRequest, out.status, out.raw)
		require.Equal(t, before, storeRows(t, f.store))
	})
}
