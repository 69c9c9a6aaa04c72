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

// parameter is a parameter of an operation, in its query or at the top of its body.
type parameter struct {
	name    string
	schema  map[string]any
	inQuery bool
}

func (p parameter) isList() bool { return p.schema["type"] == "array" }

// value is a value that the parameter can have, as JSON and as in a query.
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

// ownFormats are the paths whose body is data or a configuration, in which an unknown member
// is a warning.
var ownFormats = []string{
	"/customers/create_portal", "/customers/push_data", "/customers/sync_data", "/seam/customer/v1/portals/update",
	"/seam/customer/v1/settings/update", "/workspaces/customization_profiles/create", "/workspaces/customization_profiles/update",
}

// parameters lists the parameters of an operation: those of its query, and those of its body
// unless that is of its own format.
func (f *fixture) parameters(op operation) (out []parameter) {
	for _, p := range list(f.own.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		p := p.(map[string]any)
		out = append(out, parameter{p["name"].(string), f.own.resolve(p["schema"].(map[string]any)), true})
	}
	body := f.own.body(op.path, op.method)
	if body == nil || slices.Contains(ownFormats, op.path) {
		return out
	}
	properties, _ := f.own.resolve(body)["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, parameter{name, f.own.resolve(properties[name].(map[string]any)), false})
	}
	return out
}

// known is the members that are parameters of an operation, as JSON.
func (f *fixture) known(t testing.TB, op operation, members object) string {
	t.Helper()
	names := map[string]bool{}
	for _, p := range list(f.own.at("paths", op.path, strings.ToLower(op.method), "parameters")) {
		names[p.(map[string]any)["name"].(string)] = true
	}
	if body := f.own.body(op.path, op.method); body != nil {
		for name := range f.own.resolve(body)["properties"].(map[string]any) {
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

// ask sends one parameter of an operation, beside those that it requires.
func (f *fixture) ask(t testing.TB, op operation, inQuery bool, query string, members object) reply {
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

// refusesParameter holds that an answer is a 400 with a fault at a name.
func refusesParameter(t testing.TB, out reply, name, what string) {
	t.Helper()
	require.Equal(t, http.StatusBadRequest, out.status, "%s: %s", what, out.raw)
	require.Equal(t, "invalid_input", out.at("error", "type"), what)
	require.NotNil(t, out.at("error", "validation_errors", name), "%s: %s", what, out.raw)
}

// TestParameters_Empty_AreRefused gives each parameter of each operation as an empty text:
// a filter that is empty by mistake must not select everything. Only the text of a search and
// the cursor of the first page may be empty, and a list may have no elements.
func TestParameters_Empty_AreRefused(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	f.post(t, "/customers/push_data", everyKind(t))
	before := rows(t, f.store)
	asked := 0
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			what := fmt.Sprintf("%s %s: %s in the query: %v", op.method, op.path, p.name, p.inQuery)
			out := f.ask(t, op, p.inQuery, p.name+"=", object{p.name: ""})
			switch {
			case p.name == "search" || p.name == "page_cursor":
				require.Nil(t, out.at("error", "validation_errors", p.name), "%s: %s", what, out.raw)
			case p.inQuery && p.isList():
				require.Contains(t, []int{200, 400}, out.status, "%s: %s", what, out.raw)
				for name, v := range out.body {
					if rows, isList := v.([]any); isList && name != "warnings" {
						require.Empty(t, rows, "%s: an empty list selects nothing", what)
					}
				}
			default:
				refusesParameter(t, out, p.name, what)
			}
			asked++
		}
	}
	require.Greater(t, asked, 150)
	require.Equal(t, before, rows(t, f.store))
}

// TestParameters_Null_AreAbsent gives each parameter of each body as null.
func TestParameters_Null_AreAbsent(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	f.post(t, "/customers/push_data", everyKind(t))
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			if p.inQuery {
				continue
			}
			with, without := f.ask(t, op, false, "", object{p.name: nil}), f.ask(t, op, false, "", object{})
			require.Equal(t, without.status, with.status, "%s %s: %s: %s", op.method, op.path, p.name, with.raw)
			require.Equal(t, without.at("error", "message"), with.at("error", "message"), "%s %s: %s", op.method, op.path, p.name)
		}
	}
}

// TestParameters_GivenTwice_AreRefused gives each parameter of a query twice.
func TestParameters_GivenTwice_AreRefused(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	for _, op := range operations() {
		for _, p := range f.parameters(op) {
			if !p.inQuery || p.isList() {
				continue
			}
			_, value := p.value()
			what := fmt.Sprintf("%s %s: %s", op.method, op.path, p.name)
			for _, second := range []string{value, value + "x", ""} {
				out := f.ask(t, op, true, url.Values{p.name: {value, second}}.Encode(), nil)
				refusesParameter(t, out, p.name, what)
				require.Contains(t, out.raw, "is given 2 times", what)
			}
		}
	}
}

// TestParameters_Misspelled_AreRefused gives a parameter of each operation under other names:
// without it the request would mean something else. The answer names it.
func TestParameters_Misspelled_AreRefused(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	f.post(t, "/customers/push_data", everyKind(t))
	before := rows(t, f.store)
	asked := 0
	for _, op := range operations() {
		if op.path == "/openapi.json" {
			continue
		}
		for _, p := range append(f.parameters(op), parameter{name: "nothing", inQuery: f.own.body(op.path, op.method) == nil || slices.Contains(ownFormats, op.path)}) {
			v, text := p.value()
			for _, name := range []string{p.name + "x", "x" + p.name, strings.ToUpper(p.name), p.name + "[]", strings.ReplaceAll(p.name, "_", "-") + "-"} {
				what := fmt.Sprintf("%s %s: %s", op.method, op.path, name)
				out := f.ask(t, op, p.inQuery, url.Values{name: {text}}.Encode(), object{name: v})
				refusesParameter(t, out, strings.TrimSuffix(name, "[]"), what)
				asked++
			}
		}
	}
	require.Greater(t, asked, 1000)
	require.Equal(t, before, rows(t, f.store))

	// What the official SDKs add to every query is not a parameter.
	require.Equal(t, http.StatusOK, f.send(t, keyA, http.MethodGet, "/spaces/list?_strict=true", "").status)
	// The parameters of a POST are in its body.
	out := f.send(t, keyA, http.MethodPost, "/spaces/list?customer_key=c", "{}")
	refusesParameter(t, out, "customer_key", "a filter in the query of a POST")
	out = f.send(t, keyA, http.MethodGet, "/spaces/list?costumer_key=c", "")
	require.Contains(t, out.at("error", "message"), "costumer_key: is not a parameter of this endpoint, which has in the query: customer_key, search, ")
}

// TestDelete_SelectsNothing_IsRefused sends selections that name nothing, most of which were
// meant to.
func TestDelete_SelectsNothing_IsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := rows(t, f.store)
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
				`{"room_keys": ["room-101"], "customer_key": ""}`: "customer_key: is empty",
			} {
				out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
				require.Contains(t, out.at("error", "message"), want, body)
			}
		}
		for query, want := range map[string]string{
			"":                                 "selects nothing",
			"customer_key=Acme+Hotels":         "selects nothing",
			"room_keys[]=room-101":             "room_keys[]: is not a list of keys: use room_keys",
			"rooms=room-101":                   "rooms: is not a list of keys: use room_keys",
			"room_keys=room-101&rooms=x":       "rooms: is not a list of keys: use room_keys",
			"room_keys=room-101&customer_key=": "customer_key: is empty",
		} {
			out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodDelete, "/customers/delete_data?"+query, "")
			require.Contains(t, out.at("error", "message"), want, query)
		}
		require.Equal(t, before, rows(t, f.store))

		// A program that found nothing to delete sends an empty list.
		out := f.post(t, "/customers/delete_data", `{"room_keys": [], "customer_key": null}`)
		require.Len(t, out.body["warnings"], 1)
		require.Equal(t, before, rows(t, f.store))
	})
}

// TestOptions_InTheBody_AreRefused sends the options of a push and a sync in the body. A sync
// that leaves out the dry_run or the max_deletes that was meant would delete what it must not.
func TestOptions_InTheBody_AreRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		before := rows(t, f.store)
		asked := 0
		for _, path := range []string{"/customers/push_data", "/customers/sync_data"} {
			for _, p := range f.parameters(operation{method: http.MethodPost, path: path}) {
				v, _ := p.value()
				for _, v := range []any{v, false, 0, "x", []any{}} {
					body, err := json.Marshal(object{"customer_key": "Acme Hotels", p.name: v})
					require.NoError(t, err)
					out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, string(body))
					require.Contains(t, out.at("error", "message"), p.name+": must be in the query, as in ?"+p.name+"=..., not in the body", path)
					asked++
				}
			}
		}
		require.Greater(t, asked, 30)
		require.Equal(t, before, rows(t, f.store))

		out := f.post(t, "/customers/push_data", `{"customer_key": "Acme Hotels", "dry_run": null, "elsewhere": 1}`)
		require.Len(t, out.body["warnings"], 2, "a null is as if absent, and another unknown member is a warning")
	})
}
