package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// operation is a method of a path of the API.
type operation struct{ method, path string }

// operations returns the operations of the OpenAPI document.
var operations = sync.OnceValue(func() (out []operation) {
	for path, item := range handlerDocument().paths() {
		for method := range item.(map[string]any) {
			out = append(out, operation{strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
})

// TestOperations_WithoutAValidKey_AreUnauthorized calls every operation without a key, with a wrong key, and with any key if the
// host has configured none.
func TestOperations_WithoutAValidKey_AreUnauthorized(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	none, err := httpapi.Credentials{}.Static()
	require.NoError(t, err)
	empty := newMemoryFixture(t, func(o *httpapi.Options) { o.Authenticate = none })
	before := storeRows(t, f.store)
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
	require.Equal(t, before, storeRows(t, f.store))
}

// TestOperations_OtherMethod_IsNotAllowed calls every path with each method that it does not support.
func TestOperations_OtherMethod_IsNotAllowed(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	methodsOf := map[string][]string{}
	for _, op := range operations() {
		methodsOf[op.path] = append(methodsOf[op.path], op.method)
	}
	for path, methods := range methodsOf {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			out := f.expectError(t, http.StatusMethodNotAllowed, "method_not_allowed", method, path, "")
			require.ElementsMatch(t, methods, strings.Split(out.header.Get("Allow"), ", "), path)
		}
	}
}

func TestPath_Unknown_IsNotFound(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	for _, path := range []string{"/", "/customers", "/customers/push_data/", "/Customers/Push_Data", "/customers//push_data", "/spaces/make"} {
		out := f.expectError(t, http.StatusNotFound, "not_found", http.MethodPost, path, "{}")
		require.Equal(t, "There is no such endpoint", out.at("error", "message"))
	}
}

// TestOperations_NotSupported_Answer501 calls documented operations that the library does not have.
func TestOperations_NotSupported_Answer501(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	before := storeRows(t, f.store)
	for _, row := range []struct{ method, path, message string }{
		{http.MethodPost, "/webhooks/create", "The operation is not supported yet: "},
		{http.MethodPost, "/access_codes/pull_backup_access_code", "The operation is not supported yet: "},
		{http.MethodPost, "/instant_keys/list", "The operation is not supported: there are no mobile keys"},
	} {
		out := f.expectError(t, http.StatusNotImplemented, "not_supported", row.method, row.path, "")
		require.Contains(t, out.at("error", "message"), row.message)
		unauthorized := f.send(t, "", row.method, row.path, "")
		require.Equal(t, http.StatusUnauthorized, unauthorized.status)
	}
	f.expectError(t, http.StatusMethodNotAllowed, "method_not_allowed", http.MethodDelete, "/webhooks/create", "")
	require.Equal(t, before, storeRows(t, f.store))
	require.NotContains(t, f.log.String(), `"level":"ERROR"`, "an operation that is not supported is no failure of the server")
}
