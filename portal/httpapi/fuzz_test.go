package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// fuzzTarget sends requests to a workspace that has resources of every kind.
type fuzzTarget struct {
	f      *fixture
	before map[string]string
}

// send sends a request. The request must not cause a panic or an internal error, and the response must match the OpenAPI
// document. A request that is refused must not write anything. After a request that succeeds, send creates a new workspace
// for the next one.
func (z *fuzzTarget) send(t *testing.T, method, path, query, body string) {
	t.Helper()
	if z.f == nil {
		z.f = newFixture(t, memory.New())
		z.f.post(t, "/customers/push_data", everyKind(t))
		z.before = storeRows(t, z.f.store)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.URL.RawQuery = query
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	out := z.f.serve(t, r)
	require.Less(t, out.status, 500, "%s\n%s", out.raw, z.f.log.String())
	if out.status != http.StatusOK {
		require.Equal(t, z.before, storeRows(t, z.f.store), out.raw)
		return
	}
	require.NoError(t, z.f.store.Close())
	z.f = nil
}

// malformedBodies returns the bodies of the requests in testdata/malformed.json whose path begins with one of paths.
func malformedBodies(t testing.TB, paths ...string) (out []string) {
	t.Helper()
	for _, m := range malformedRequests(t) {
		for _, path := range paths {
			if m.Body != nil && strings.HasPrefix(m.Target, path) {
				out = append(out, *m.Body)
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

// FuzzPushData sends queries and bodies to push_data and sync_data.
func FuzzPushData(f *testing.F) {
	f.Add("", everyKind(f))
	f.Add("dry_run=true&strict=true", everyKind(f))
	for _, body := range malformedBodies(f, "/customers/push_data", "/customers/sync_data") {
		f.Add("", body)
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, query, body string) {
		z.send(t, http.MethodPost, "/customers/push_data", query, body)
		z.send(t, http.MethodPost, "/customers/sync_data", query, body)
	})
}

// FuzzCreatePortal sends bodies to create_portal.
func FuzzCreatePortal(f *testing.F) {
	f.Add(`{"customer_data": ` + everyKind(f) + `, "ttl_seconds": 60, "max_uses": 1}`)
	f.Add(strings.Replace(fullConfig, "{", `{"customer_key": "Acme Hotels", "deep_link": {"resource_type": "space", "resource_key": "room-101"}, `, 1))
	for _, body := range malformedBodies(f, "/customers/create_portal") {
		f.Add(body)
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, body string) { z.send(t, http.MethodPost, "/customers/create_portal", "", body) })
}

// FuzzSelection sends bodies to delete_data.
func FuzzSelection(f *testing.F) {
	f.Add(`{"customer_keys": ["Acme Hotels"], "room_keys": ["room-101"], "customer_key": "Acme Hotels"}`)
	for _, body := range malformedBodies(f, "/customers/delete_data") {
		f.Add(body)
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, body string) { z.send(t, http.MethodPost, "/customers/delete_data", "", body) })
}

// FuzzSmallBody sends bodies to the operations whose bodies consist of parameters.
func FuzzSmallBody(f *testing.F) {
	for i, m := range malformedRequests(f) {
		if m.Body != nil {
			f.Add(i, *m.Body)
		}
	}
	var small []operation
	for _, op := range operations() {
		if (op.method == http.MethodPost || op.method == http.MethodPatch) && !strings.Contains(op.path, "_data") && op.path != "/customers/create_portal" {
			small = append(small, op)
		}
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, which int, body string) {
		op := small[uint(which)%uint(len(small))]
		z.send(t, op.method, op.path, "", body)
	})
}

// FuzzQuery sends queries to the operations with GET or DELETE.
func FuzzQuery(f *testing.F) {
	for i, query := range []string{
		"", "_strict=true", "limit=1&page_cursor=", "customer_key=Acme+Hotels&search=o", "room_keys=room-101&room_keys=room-102&site_keys=",
		"space_key=room-101", "user_identity_ids=a&user_identity_ids=", "created_before=2025-01-01T00:00:00Z", "a=%ff", "a;b", "%zz",
	} {
		f.Add(i, query)
	}
	var withQuery []operation
	for _, op := range operations() {
		if op.method == http.MethodGet || op.method == http.MethodDelete {
			withQuery = append(withQuery, op)
		}
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, which int, query string) {
		op := withQuery[uint(which)%uint(len(withQuery))]
		z.send(t, op.method, op.path, query, "")
	})
}

// FuzzAuthorization checks that only a valid key or token authenticates a request.
func FuzzAuthorization(f *testing.F) {
	authenticate, err := httpapi.Credentials{
		APIKeys: map[string]uuid.UUID{keyA: workspaceA}, AccessTokens: map[string][]uuid.UUID{tokenX: {workspaceB}},
	}.Static()
	require.NoError(f, err)
	f.Add("Bearer "+keyA, "")
	f.Add("Bearer "+tokenX, workspaceB.String())
	f.Add("bearer "+keyA+" ", workspaceA.String())
	f.Fuzz(func(t *testing.T, authorization, workspace string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{authorization}
		if workspace != "" {
			r.Header["Seam-Workspace"] = []string{workspace}
		}
		id, err := authenticate(r)
		if err != nil {
			require.ErrorIs(t, err, httpapi.ErrUnauthorized)
			return
		}
		scheme, secret, _ := strings.Cut(authorization, " ")
		require.True(t, strings.EqualFold(scheme, "Bearer"))
		require.Equal(t, map[string]uuid.UUID{keyA: workspaceA, tokenX: workspaceB}[secret], id)
	})
}

// FuzzCursor checks that a cursor that the API did not create is refused or is a position in the list.
func FuzzCursor(f *testing.F) {
	for _, cursor := range []string{"", "x", "\r", "AQ", "AWsAcm9vbS0xMDE", "////", strings.Repeat("A", 1000)} {
		f.Add(cursor)
	}
	var z fuzzTarget
	f.Fuzz(func(t *testing.T, cursor string) {
		query := url.Values{"page_cursor": {cursor}, "limit": {"2"}, "customer_key": {"Acme Hotels"}}.Encode()
		for _, path := range []string{"/spaces/list", "/access_grants/list", "/customers/changes", "/customers/portals/list", "/seam/customer/v1/customers/list"} {
			z.send(t, http.MethodGet, path, query, "")
		}
	})
}
