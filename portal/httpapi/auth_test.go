package httpapi_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestStatic_Headers_SelectTheWorkspace authenticates requests with various headers.
func TestStatic_Headers_SelectTheWorkspace(t *testing.T) {
	t.Parallel()
	authenticate, err := httpapi.Credentials{
		APIKeys:      map[string]uuid.UUID{keyA: workspaceA, keyB: workspaceB},
		AccessTokens: map[string][]uuid.UUID{tokenX: {workspaceA, workspaceB}},
	}.Static()
	require.NoError(t, err)
	for name, row := range map[string]struct {
		header [][2]string
		want   uuid.UUID // zero if the request is refused
	}{
		"a key":                                    {[][2]string{{"Authorization", "Bearer " + keyA}}, workspaceA},
		"another key":                              {[][2]string{{"Authorization", "Bearer " + keyB}}, workspaceB},
		"the scheme in another case":               {[][2]string{{"Authorization", "bearer " + keyA}}, workspaceA},
		"a key with its workspace":                 {[][2]string{{"Authorization", "Bearer " + keyA}, {"seam-workspace", workspaceA.String()}}, workspaceA},
		"a key with another workspace":             {[][2]string{{"Authorization", "Bearer " + keyA}, {"seam-workspace", workspaceB.String()}}, uuid.Nil},
		"a token with a workspace":                 {[][2]string{{"Authorization", "Bearer " + tokenX}, {"seam-workspace", workspaceB.String()}}, workspaceB},
		"a token without a workspace":              {[][2]string{{"Authorization", "Bearer " + tokenX}}, uuid.Nil},
		"a token with an unknown workspace":        {[][2]string{{"Authorization", "Bearer " + tokenX}, {"seam-workspace", uuid.NewString()}}, uuid.Nil},
		"a token with an invalid workspace":        {[][2]string{{"Authorization", "Bearer " + tokenX}, {"seam-workspace", "a"}}, uuid.Nil},
		"a token with two workspaces":              {[][2]string{{"Authorization", "Bearer " + tokenX}, {"seam-workspace", workspaceA.String()}, {"seam-workspace", workspaceB.String()}}, uuid.Nil},
		"no header":                                {nil, uuid.Nil},
		"an empty header":                          {[][2]string{{"Authorization", ""}}, uuid.Nil},
		"no scheme":                                {[][2]string{{"Authorization", keyA}}, uuid.Nil},
		"another scheme":                           {[][2]string{{"Authorization", "Basic " + keyA}}, uuid.Nil},
		"an empty key":                             {[][2]string{{"Authorization", "Bearer "}}, uuid.Nil},
		"two headers":                              {[][2]string{{"Authorization", "Bearer " + keyA}, {"Authorization", "Bearer " + keyA}}, uuid.Nil},
		"two spaces after the scheme":              {[][2]string{{"Authorization", "Bearer  " + keyA}}, uuid.Nil},
		"the beginning of a key":                   {[][2]string{{"Authorization", "Bearer " + keyA[:len(keyA)-1]}}, uuid.Nil},
		"a key with a suffix":                      {[][2]string{{"Authorization", "Bearer " + keyA + "a"}}, uuid.Nil},
		"a key in another case":                    {[][2]string{{"Authorization", "Bearer " + strings.ToUpper(keyA)}}, uuid.Nil},
		"a key in another header and in the query": {[][2]string{{"X-Api-Key", keyA}}, uuid.Nil},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/spaces/list?api_key="+keyA, nil)
		for _, h := range row.header {
			r.Header.Add(h[0], h[1])
		}
		got, err := authenticate(r)
		if row.want == uuid.Nil {
			require.ErrorIs(t, err, httpapi.ErrUnauthorized, name)
			require.Equal(t, uuid.Nil, got, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, row.want, got, name)
	}
}

// TestStatic_InvalidKey_ErrorDoesNotContainIt checks that the error names the workspace instead.
func TestStatic_InvalidKey_ErrorDoesNotContainIt(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "seam_", "seam_short", "otherkeyotherkeyotherkey", "seam_at_tokentokentoken", "seam_cst_tokentokentoken", "seam_pk_tokentokentoken"} {
		_, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{key: workspaceA}}.Static()
		require.ErrorContains(t, err, workspaceA.String(), key)
		if len(key) > len("seam_") {
			require.NotContains(t, err.Error(), key)
		}
	}
	for _, token := range []string{"", "seam_at", "seam_at_short", keyA} {
		_, err := httpapi.Credentials{AccessTokens: map[string][]uuid.UUID{token: {workspaceA}}}.Static()
		require.ErrorContains(t, err, workspaceA.String(), token)
	}
}

// TestCredentials_Printed_AreRedacted prints credentials with fmt, JSON and slog, on their own and in a struct.
func TestCredentials_Printed_AreRedacted(t *testing.T) {
	t.Parallel()
	c := httpapi.Credentials{APIKeys: map[string]uuid.UUID{keyA: workspaceA}, AccessTokens: map[string][]uuid.UUID{tokenX: {workspaceB}}}
	nested := struct{ C httpapi.Credentials }{c}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "within", nested)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "within", nested)
	b, err := json.Marshal(nested)
	require.NoError(t, err)
	printed := log.String() + string(b)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed += fmt.Sprintf(verb+verb+verb, c, &c, nested)
	}
	require.Contains(t, printed, "[redacted]")
	require.NotContains(t, printed, keyA)
	require.NotContains(t, printed, tokenX)
	require.NotContains(t, printed, hex.EncodeToString([]byte(keyA)))
}

func TestNewAPIKey_Keys_AreUniqueAndValid(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		key, err := httpapi.NewAPIKey()
		require.NoError(t, err)
		require.Regexp(t, `^seam_k[a-z2-7]{26}$`, key)
		require.False(t, seen[key])
		seen[key] = true
		_, err = httpapi.Credentials{APIKeys: map[string]uuid.UUID{key: workspaceA}}.Static()
		require.NoError(t, err)
	}
}

// TestNew_OptionMissingOrInvalid_ErrorNamesIt omits each required option, and sets BaseURL to invalid values.
func TestNew_OptionMissingOrInvalid_ErrorNamesIt(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	authenticate, err := httpapi.Credentials{}.Static()
	require.NoError(t, err)
	valid := httpapi.Options{Portals: f.portals, Authenticate: authenticate}
	_, err = httpapi.New(valid)
	require.NoError(t, err)
	for name, remove := range map[string]func(*httpapi.Options){
		"Options.Portals":      func(o *httpapi.Options) { o.Portals = nil },
		"Options.Authenticate": func(o *httpapi.Options) { o.Authenticate = nil },
	} {
		o := valid
		remove(&o)
		_, err = httpapi.New(o)
		require.ErrorContains(t, err, name+" is required")
	}
	for _, base := range []string{"/api", "nonsense", "https://a.example?x=y", "https://", "https://a.example/#x", ":"} {
		_, err = httpapi.New(httpapi.Options{Portals: f.portals, Authenticate: authenticate, BaseURL: base})
		require.ErrorContains(t, err, "BaseURL", base)
	}
}

// TestStatic_InvalidKey_ErrorNamesTheRule configures keys that the official SDKs do not accept as API keys.
func TestStatic_InvalidKey_ErrorNamesTheRule(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"":                         `must start with "seam_" followed by at least 16 characters`,
		"secret-key-of-my-service": `must start with "seam_" followed by at least 16 characters`,
		"seam_short":               `must start with "seam_" followed by at least 16 characters`,
		"seam_at_0123456789abcdef": `starts with "seam_at", which the SDKs treat as another kind of token`,
		"seam_cst0123456789abcdef": `starts with "seam_cst", which the SDKs treat as another kind of token`,
		"seam_pk_0123456789abcdef": `starts with "seam_pk", which the SDKs treat as another kind of token`,
	} {
		_, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{key: workspaceA}}.Static()
		require.ErrorContains(t, err, want)
		if key != "" {
			require.NotContains(t, err.Error(), key)
		}
	}
	_, err := httpapi.Credentials{AccessTokens: map[string][]uuid.UUID{"seam_0123456789abcdef": {workspaceA}}}.Static()
	require.ErrorContains(t, err, `must start with "seam_at" followed by at least 16 characters`)
}

// failingRand is a source of random bytes that fails.
type failingRand struct{}

func (failingRand) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

// TestRequestID_CannotBeCreated_RequestFails makes the creation of the id fail.
func TestRequestID_CannotBeCreated_RequestFails(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) {
		o.Portals = newService(t, data.Open(memory.New(), data.Options{Rand: failingRand{}, Logger: o.Portals.DB().Logger()}))
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/spaces/list", nil)
	r.Header.Set("Authorization", "Bearer "+keyA)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "entropy")
	require.Contains(t, f.log.String(), "no entropy")
}
