package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// sample returns a value that a schema allows and that is not the zero value of its type.
func sample(t *testing.T, s schema) any {
	t.Helper()
	if ref, ok := s["$ref"].(string); ok {
		return sample(t, components()[strings.TrimPrefix(ref, "#/components/schemas/")])
	}
	for _, several := range []string{"allOf", "oneOf"} {
		if of, ok := s[several].([]schema); ok {
			return sample(t, of[0])
		}
	}
	if enum := reflect.ValueOf(s["enum"]); enum.IsValid() {
		return enum.Index(enum.Len() - 1).Interface()
	}
	switch s["type"] {
	case "string":
		switch s["format"] {
		case "uuid":
			return "67c58f1f-f148-4415-a63c-dc6c145c6b91"
		case "date-time":
			return "2025-06-16T16:54:17Z"
		}
		return "a"
	case "integer", "number":
		return 7
	case "boolean":
		return true
	case "array":
		least, _ := s["minItems"].(int)
		return slices.Repeat([]any{sample(t, s["items"].(schema))}, max(1, least))
	case "object":
		out := map[string]any{}
		if of, ok := s["additionalProperties"].(schema); ok {
			out["en-US"] = sample(t, of)
		}
		properties, _ := s["properties"].(map[string]schema)
		for name, of := range properties {
			if s["maxProperties"] == nil || len(out) == 0 {
				out[name] = sample(t, of)
			}
		}
		return out
	}
	require.Fail(t, "no sample", "%v", s)
	return nil
}

// zeroFields returns the paths of the exported fields of a struct that are zero. It descends into structs of the packages httpapi
// and portal.
func zeroFields(v reflect.Value, path string) (out []string) {
	if v.Kind() == reflect.Struct && (strings.HasSuffix(v.Type().PkgPath(), "/portal/httpapi") || strings.HasSuffix(v.Type().PkgPath(), "/portal")) {
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				out = append(out, zeroFields(v.Field(i), path+"."+f.Name)...)
			}
		}
		return out
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

// TestRequests_WithEveryParameter_SetEveryField sends a value for every parameter of every endpoint. A field of a request that
// no parameter is read into would remain zero.
func TestRequests_WithEveryParameter_SetEveryField(t *testing.T) {
	t.Parallel()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(3, map[int][]byte{3: master})
	require.NoError(t, err)
	portals, err := portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://se.am", Keys: ring})
	require.NoError(t, err)
	h, err := New(Options{Portals: portals, Authenticate: func(*http.Request) (uuid.UUID, error) { return uuid.Nil, nil }})
	require.NoError(t, err)
	librarySets := map[string][]string{"/workspaces/customization_profiles/create": {".Profile.ID", ".Profile.WorkspaceID", ".Profile.CreatedAt"}}
	requests := 0
	for _, rt := range routes() {
		if rt.document {
			continue
		}
		in := rt.endpoint.newRequest().input()
		query := url.Values{}
		for _, f := range in.options {
			text, err := json.Marshal(sample(t, f.Value.Schema()))
			require.NoError(t, err)
			query.Set(f.Name, string(text))
		}
		names := map[string]bool{}
		for _, f := range append(in.options, in.params...) {
			require.False(t, names[f.Name], "%s: two parameters are named %s", rt.path, f.Name)
			names[f.Name] = true
		}
		body, err := json.Marshal(sample(t, in.schema()))
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, rt.path+"?"+query.Encode(), bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		c := &call{h: h, r: r, w: httptest.NewRecorder(), route: &rt}
		require.NoError(t, c.read(t.Context()), "%s %s", rt.path, body)
		if c.input.notes != nil {
			require.Empty(t, c.input.notes.Faults, rt.path)
		}
		require.Equal(t, librarySets[rt.path], zeroFields(reflect.ValueOf(c.request).Elem(), ""), "%s %s", rt.path, body)
		requests++
	}
	require.Greater(t, requests, 25)
}

// incomplete is a request with a field that no parameter is read into.
type incomplete struct{ First, Second bool }

func (r *incomplete) input() input {
	return input{params: []jsonobject.Field{bind("first", &r.First, boolParam), bind("second", &r.First, boolParam)}}
}

// TestZeroFields_FieldNotBound_IsReported checks that the test above can fail.
func TestZeroFields_FieldNotBound_IsReported(t *testing.T) {
	t.Parallel()
	e := newEndpoint(func(context.Context, *call, *incomplete) (jsonObject, error) { return nil, nil })
	r := e.newRequest()
	jsonobject.New(map[string]any{"first": true, "second": true}, new(jsonobject.Notes)).Read(r.input().params)
	require.Equal(t, []string{".Second"}, zeroFields(reflect.ValueOf(r).Elem(), ""))
}

// TestFieldSchemas_Names_AreFieldsOfResources finds misspelled names. The opposite, a field without a schema, makes OpenAPI
// panic.
func TestFieldSchemas_Names_AreFieldsOfResources(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, kind := range data.Kinds() {
		for _, name := range kind.Fields() {
			known[name] = true
		}
	}
	for name := range fieldSchemas {
		require.True(t, known[name], name)
	}
}
