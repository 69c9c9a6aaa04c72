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

// fuzzing is a workspace that has every kind of resource, for one target.
type fuzzing struct {
	f      *fixture
	before map[string]string
}

// ask asks it. Whatever was asked: nothing panics or fails within, the answer is as the
// document has it, and a request that is refused has written nothing. After one that is
// served the next begins anew.
func (z *fuzzing) ask(t *testing.T, method, path, query, body string) {
	t.Helper()
	if z.f == nil {
		z.f = newFixture(t, memory.New())
		z.f.post(t, "/customers/push_data", everyKind(t))
		z.before = rows(t, z.f.store)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.URL.RawQuery = query
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	out := z.f.answer(t, r)
	require.Less(t, out.status, 500, "%s\n%s", out.raw, z.f.log.String())
	if out.status != http.StatusOK {
		require.Equal(t, z.before, rows(t, z.f.store), out.raw)
		return
	}
	require.NoError(t, z.f.store.Close())
	z.f = nil
}

// bodiesOf are the bodies of the table of malformed requests of some paths.
func bodiesOf(t testing.TB, paths ...string) (out []string) {
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

func FuzzPushData(f *testing.F) {
	f.Add("", everyKind(f))
	f.Add("dry_run=true&strict=true", everyKind(f))
	for _, body := range bodiesOf(f, "/customers/push_data", "/customers/sync_data") {
		f.Add("", body)
	}
	var z fuzzing
	f.Fuzz(func(t *testing.T, query, body string) {
		z.ask(t, http.MethodPost, "/customers/push_data", query, body)
		z.ask(t, http.MethodPost, "/customers/sync_data", query, body)
	})
}

func FuzzCreatePortal(f *testing.F) {
	f.Add(`{"customer_data": ` + everyKind(f) + `, "ttl_seconds": 60, "max_uses": 1}`)
	f.Add(strings.Replace(fullConfig, "{", `{"customer_key": "Acme Hotels", "deep_link": {"resource_type": "space", "resource_key": "room-101"}, `, 1))
	for _, body := range bodiesOf(f, "/customers/create_portal") {
		f.Add(body)
	}
	var z fuzzing
	f.Fuzz(func(t *testing.T, body string) { z.ask(t, http.MethodPost, "/customers/create_portal", "", body) })
}

func FuzzSelection(f *testing.F) {
	f.Add(`{"customer_keys": ["Acme Hotels"], "room_keys": ["room-101"], "customer_key": "Acme Hotels"}`)
	for _, body := range bodiesOf(f, "/customers/delete_data") {
		f.Add(body)
	}
	var z fuzzing
	f.Fuzz(func(t *testing.T, body string) { z.ask(t, http.MethodPost, "/customers/delete_data", "", body) })
}

// FuzzSmallBody is of the operations whose bodies are read member by member.
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
	var z fuzzing
	f.Fuzz(func(t *testing.T, which int, body string) {
		op := small[uint(which)%uint(len(small))]
		z.ask(t, op.method, op.path, "", body)
	})
}

// FuzzQuery is of the operations that are asked by a query.
func FuzzQuery(f *testing.F) {
	for i, query := range []string{
		"", "_strict=true", "limit=1&page_cursor=", "customer_key=Acme+Hotels&search=o", "room_keys=room-101&room_keys=room-102&site_keys=",
		"space_key=room-101", "user_identity_ids=a&user_identity_ids=", "created_before=2025-01-01T00:00:00Z", "a=%ff", "a;b", "%zz",
	} {
		f.Add(i, query)
	}
	var asked []operation
	for _, op := range operations() {
		if op.method == http.MethodGet || op.method == http.MethodDelete {
			asked = append(asked, op)
		}
	}
	var z fuzzing
	f.Fuzz(func(t *testing.T, which int, query string) {
		op := asked[uint(which)%uint(len(asked))]
		z.ask(t, op.method, op.path, query, "")
	})
}

// FuzzAuthorization holds that only the key opens, whatever the headers are.
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

// FuzzCursor holds that a cursor of somebody's making is refused, or a place in the list.
func FuzzCursor(f *testing.F) {
	for _, cursor := range []string{"", "x", "\r", "AQ", "AWsAcm9vbS0xMDE", "////", strings.Repeat("A", 1000)} {
		f.Add(cursor)
	}
	var z fuzzing
	f.Fuzz(func(t *testing.T, cursor string) {
		query := url.Values{"page_cursor": {cursor}, "limit": {"2"}, "customer_key": {"Acme Hotels"}}.Encode()
		for _, path := range []string{"/spaces/list", "/access_grants/list", "/customers/changes", "/customers/portals/list", "/seam/customer/v1/customers/list"} {
			z.ask(t, http.MethodGet, path, query, "")
		}
	})
}
