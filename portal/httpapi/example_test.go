package httpapi_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// newHost returns the parts that a host has before it mounts the API.
func newHost() (*http.ServeMux, uuid.UUID, *portal.Service, string) {
	store := memory.New()
	master, err := keys.NewMaster()
	if err != nil {
		log.Fatal(err)
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		log.Fatal(err)
	}
	portals, err := portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
	if err != nil {
		log.Fatal(err)
	}
	return http.NewServeMux(), workspaceA, portals, keyA
}

func Example() {
	mux, workspaceID, portals, apiKey := newHost()

	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{apiKey: workspaceID}}.Static()
	if err != nil {
		log.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Options{Portals: portals, Authenticate: authenticate})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/api/", http.StripPrefix("/api", api))

	r := httptest.NewRequest(http.MethodPost, "/api/customers/push_data", strings.NewReader(`{"customer_key": "acme-hotels", "rooms": [{"room_key": "101", "name": "Room 101"}]}`))
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"created":{"spaces":1`))
	// Output:
	// 200 true
}

// TestREADME_MountingOfTheAPI_MatchesTheExample looks for each line of the README that mounts the API in the example, in the same
// order. The README omits the handling of errors.
func TestREADME_MountingOfTheAPI_MatchesTheExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Mounting\n")
	require.True(t, found)
	shown := regexp.MustCompile("(?s)\nauthenticate, err := .*?\nmux\\.Handle\\(\"/api/\".*?\n").FindString(section)
	require.NotEmpty(t, shown)
	rest := string(source)
	for _, line := range strings.Split(strings.TrimSpace(shown), "\n") {
		if line == "..." {
			continue
		}
		_, rest, found = strings.Cut(rest, "\n\t"+line+"\n")
		require.True(t, found, "the example does not have the line %q after the lines before it", line)
	}
}
