package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testclock"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var (
	workspaceA = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")
	workspaceB = uuid.MustParse("0b0b0b0b-f148-4415-a63c-dc6c145c6b91")
)

// The API keys of the workspaces, and an access token for both.
const (
	keyA   = "seam_testkeyaaaaaaaaaaaaa"
	keyB   = "seam_testkeybbbbbbbbbbbbb"
	tokenX = "seam_at_testtokenxxxxxxxx"
)

// fixture is the API with two workspaces in one store.
type fixture struct {
	clock   *testclock.Clock
	store   storage.Store
	a, b    *data.Workspace
	portals *portal.Service
	world   *simulated.World
	access  *access.Service
	handler http.Handler
	log     *lockedBuffer
	doc     document // the OpenAPI document of the handler

	requests atomic.Int32 // number of requests that serve has sent
}

// lockedBuffer is a log that tests can read while the handler writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newFixture returns the API on a store. Each change edits the options of the handler.
func newFixture(t testing.TB, store storage.Store, change ...func(*httpapi.Options)) *fixture {
	t.Helper()
	f := &fixture{clock: testclock.New(time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC)), store: store, log: &lockedBuffer{}, doc: handlerDocument()}
	db := data.Open(store, data.Options{Now: f.clock.Now, Logger: slog.New(slog.NewJSONHandler(f.log, nil))})
	ring := newRing(t)
	f.world = simulated.New(simulated.Options{Seed: 1})
	var err error
	f.access, err = access.New(db, access.Options{Keys: ring, Providers: []device.Provider{f.world.Provider("api")}, Poll: time.Millisecond, CallTimeout: 3 * time.Second})
	require.NoError(t, err)
	f.portals, err = portal.New(db, portal.Options{BaseURL: "https://se.am", Keys: ring, Access: f.access})
	require.NoError(t, err)
	f.a = f.portals.DB().Workspace(workspaceA)
	f.b = f.portals.DB().Workspace(workspaceB)
	authenticate, err := httpapi.Credentials{
		APIKeys:      map[string]uuid.UUID{keyA: workspaceA, keyB: workspaceB},
		AccessTokens: map[string][]uuid.UUID{tokenX: {workspaceA, workspaceB}},
	}.Static()
	require.NoError(t, err)
	o := httpapi.Options{
		Portals: f.portals, Authenticate: authenticate, BaseURL: "https://api.example/",
		Timeout: time.Hour, // a large body takes a long time on a slow machine
	}
	for _, c := range change {
		c(&o)
	}
	f.handler, err = httpapi.New(o)
	require.NoError(t, err)
	return f
}

func newRing(t testing.TB) *keys.Ring {
	t.Helper()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(3, map[int][]byte{3: master})
	require.NoError(t, err)
	return ring
}

// newService returns a portal service with a new key ring and no devices.
func newService(t testing.TB, db *data.DB) *portal.Service {
	t.Helper()
	service, err := portal.New(db, portal.Options{BaseURL: "https://se.am", Keys: newRing(t)})
	require.NoError(t, err)
	return service
}

// newMemoryFixture returns the API on a memory store, for tests that do not depend on the backend.
func newMemoryFixture(t testing.TB, change ...func(*httpapi.Options)) *fixture {
	t.Helper()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return newFixture(t, store, change...)
}

// forEachBackend runs a test on every backend, each time with a new fixture.
func forEachBackend(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) { test(t, newFixture(t, store)) })
}

// reply is a response of the API.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// newRequest returns a request with a JSON body and the key of workspace A.
func newRequest(ctx context.Context, method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, target, body)
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// send sends a request with a key, or without one if it is empty. It checks the response against the OpenAPI document.
func (f *fixture) send(t testing.TB, key, method, target, body string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return f.serve(t, r)
}

// serve sends a request. It checks the headers of the response, and its body against the OpenAPI document.
func (f *fixture) serve(t testing.TB, r *http.Request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	f.requests.Add(1)
	f.handler.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out.body), out.raw)
	_, err := uuid.Parse(w.Header().Get(httpapi.RequestIDHeader))
	require.NoError(t, err, "every response has the id of its request")
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	schema := f.doc.response(r.URL.Path, r.Method, strconv.Itoa(w.Code))
	if w.Code != http.StatusOK {
		schema = map[string]any{"$ref": "#/components/schemas/error"}
		require.Equal(t, w.Header().Get(httpapi.RequestIDHeader), out.at("error", "request_id"))
	}
	require.NotNil(t, schema, "the document has no response %d of %s %s", w.Code, r.Method, r.URL.Path)
	require.Empty(t, f.doc.check(schema, any(out.body), "$"), out.raw)
	return out
}

// at returns the value at a path of names in the body, or nil if there is none.
func (r reply) at(names ...string) any { return document(r.body).at(names...) }

// post sends JSON with the key of workspace A. The request must succeed.
func (f *fixture) post(t testing.TB, path string, body any) reply {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		b, err := json.Marshal(body)
		require.NoError(t, err)
		text = string(b)
	}
	out := f.send(t, keyA, http.MethodPost, path, text)
	require.Equal(t, http.StatusOK, out.status, "%s %s", path, out.raw)
	require.Equal(t, true, out.body["ok"])
	return out
}

// expectError sends a request with the key of workspace A. The response must be an error of the status and the type.
func (f *fixture) expectError(t testing.TB, status int, kind, method, target, body string) reply {
	t.Helper()
	out := f.send(t, keyA, method, target, body)
	require.Equal(t, status, out.status, out.raw)
	require.Equal(t, kind, out.at("error", "type"), out.raw)
	return out
}

// everyKind returns the data of a customer with resources of every kind, as JSON.
func everyKind(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/every_kind.json")
	require.NoError(t, err)
	return string(b)
}

// storeRows returns all rows of a store, to check that a request wrote nothing.
func storeRows(t testing.TB, store storage.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			out[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return out
}

// repeatReader is a body that repeats a text without holding it in memory.
type repeatReader struct {
	text string
	left int64
	read int64
}

func (r *repeatReader) Read(p []byte) (int, error) {
	n := int64(len(p))
	if r.left < n {
		n = r.left
	}
	if n == 0 {
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i] = r.text[(r.read+int64(i))%int64(len(r.text))]
	}
	r.left, r.read = r.left-n, r.read+n
	return int(n), nil
}

// queryFromJSON returns the members of a JSON object as a query in the format of the official SDKs.
func queryFromJSON(t testing.TB, body string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &members))
	query := url.Values{}
	for name, v := range members {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				query.Add(name, fmt.Sprint(item))
			}
			if len(v) == 0 {
				query.Set(name, "")
			}
		default:
			query.Set(name, fmt.Sprint(v))
		}
	}
	query.Set("_strict", "true")
	return query.Encode()
}
