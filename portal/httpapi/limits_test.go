package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// allocated is how many bytes fn allocates in all, which is no less than it ever holds.
func allocated(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestABodyOfAGiBStaysSmall sends every operation that takes a body one of 1 GiB, of
// arrays in one another or beside one another. It is refused before it is read, or where
// it passes a bound, and holds no more than the body may have. It runs alone, since it
// measures what the whole process allocates.
func TestABodyOfAGiBStaysSmall(t *testing.T) { //nolint:paralleltest // see above
	const gib = 1 << 30
	f := onMemory(t, func(o *httpapi.Options) { o.MaxBodyBytes = 8 << 20 })
	before := rows(t, f.store)
	asked, all, stride := 0, 0, race.Slowness(7)
	for _, op := range operations() {
		if f.own.body(op.path, op.method) == nil {
			continue
		}
		if all++; (all-1)%stride != 0 {
			continue
		}
		for _, row := range []struct {
			name, head, text string
			declared         bool
			mostRead         int64
			status           int
		}{
			{"nested", "", "[", false, 64 << 10, http.StatusBadRequest},
			{"nested in a member", `{"x": `, "[", false, 64 << 10, http.StatusBadRequest},
			{"nested in a collection", `{"customer_key": "c", "rooms": `, "[", false, 64 << 10, http.StatusBadRequest},
			{"nested objects", `{"x": `, `{"a":`, false, 64 << 10, http.StatusBadRequest},
			{"declared", "", "[", true, 0, http.StatusRequestEntityTooLarge},
			{"flat", `{"x": [[]`, ",[]", false, 9 << 20, http.StatusRequestEntityTooLarge},
			{"one text", `{"x": "`, "a", false, 9 << 20, http.StatusRequestEntityTooLarge},
			{"one number", `{"x": `, "1", false, 9 << 20, http.StatusRequestEntityTooLarge},
			{"white space", ``, " ", false, 9 << 20, http.StatusRequestEntityTooLarge},
		} {
			body := &repeat{text: row.text, left: gib}
			var out reply
			bytes := allocated(func() {
				r := httptest.NewRequestWithContext(t.Context(), op.method, op.path, io.MultiReader(strings.NewReader(row.head), body))
				r.Header.Set("Authorization", "Bearer "+keyA)
				r.Header.Set("Content-Type", "application/json")
				r.ContentLength = -1
				if row.declared {
					r.ContentLength = gib
				}
				out = f.answer(t, r)
			})
			require.Equal(t, row.status, out.status, "%s: %s %s: %s", row.name, op.method, op.path, out.raw)
			require.LessOrEqual(t, body.read, row.mostRead, "%s: %s %s", row.name, op.method, op.path)
			most := int64(4 << 20)
			if row.mostRead > 1<<20 {
				most = 96 << 20 // two buffers of 8 MiB that were doubled into: the body's and the decoder's
			}
			require.Less(t, bytes, most, "%s: %s %s", row.name, op.method, op.path)
			asked++
		}
	}
	require.Greater(t, asked, 200/stride)
	require.Equal(t, before, rows(t, f.store))

	// What is no data has to be small, since it is held as more than its bytes.
	large := onMemory(t)
	for _, head := range []string{`{"customer_key": "c", "x": [[]`, `{"customer_key": [[]`, `{"features": [[]`} {
		var out reply
		bytes := allocated(func() {
			body := io.MultiReader(strings.NewReader(head), &repeat{text: ",[]", left: 3 * (8 << 20)}, strings.NewReader(`]}`))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/customers/create_portal", body)
			r.Header.Set("Authorization", "Bearer "+keyA)
			r.Header.Set("Content-Type", "application/json")
			out = large.answer(t, r)
		})
		require.Equal(t, http.StatusRequestEntityTooLarge, out.status, out.raw)
		require.Less(t, bytes, int64(8*(24<<20)))
	}
}

// TestTooManyResources is of the bound on the length of the lists.
func TestTooManyResources(t *testing.T) {
	t.Parallel()
	f := onMemory(t, func(o *httpapi.Options) { o.MaxResources = 2 })
	three := `[{"room_key": "1", "name": "1"}, {"room_key": "2", "name": "2"}, {"room_key": "3", "name": "3"}]`
	for path, body := range map[string]string{
		"/customers/push_data":     `{"customer_key": "c", "rooms": ` + three + `}`,
		"/customers/sync_data":     `{"customer_key": "c", "rooms": ` + three + `}`,
		"/customers/create_portal": `{"customer_data": {"customer_key": "c", "rooms": ` + three + `}}`,
	} {
		out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
		require.Contains(t, out.at("error", "message"), "too many entries")
	}
	ids := make([]string, 1001)
	b, err := json.Marshal(map[string]any{"user_identity_ids": ids})
	require.NoError(t, err)
	out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/user_identities/list", string(b))
	require.Equal(t, "user_identity_ids: at most 1000", out.at("error", "message"))
}

// TestASmallBodyMayHoldAMiB is of the bound of the requests that bring no data.
func TestASmallBodyMayHoldAMiB(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	pad := strings.Repeat(" ", 1<<20-2)
	f.post(t, "/spaces/list", "{"+pad+"}")
	out := f.refused(t, http.StatusRequestEntityTooLarge, "payload_too_large", http.MethodPost, "/spaces/list", "{"+pad+" }")
	require.Equal(t, "The body is longer than 1048576 bytes", out.at("error", "message"))
}

// TestABodyThatDoesNotComeIsGivenUp is of a client that begins to send, and stops.
func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	f := onMemory(t, func(o *httpapi.Options) { o.Timeout = 20 * time.Millisecond })
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	for _, path := range []string{"/customers/push_data", "/customers/create_portal", "/spaces/list"} {
		body, never := io.Pipe()
		t.Cleanup(func() { _ = never.Close() })
		go func() { _, _ = never.Write([]byte(`{"customer_key": `)) }()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, body)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		b, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusRequestTimeout, answer.StatusCode, string(b))
		require.Contains(t, string(b), "request_timeout")
	}
}

// TestABodyThatBreaksOffIsTheClientsFault is of a connection that fails.
func TestABodyThatBreaksOffIsTheClientsFault(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	for _, path := range []string{"/customers/push_data", "/customers/create_portal", "/spaces/list"} {
		broken := io.MultiReader(strings.NewReader(`{"customer_key": "c"`), failing{})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, broken)
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		out := f.answer(t, r)
		require.Equal(t, http.StatusBadRequest, out.status)
		require.Equal(t, "The body could not be read", out.at("error", "message"))
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// leaving is a store whose next transaction finds that the client has gone.
type leaving struct {
	storage.Store
	leave context.CancelFunc
}

func (l *leaving) View(ctx context.Context, fn func(storage.Reader) error) error {
	l.leave()
	return l.Store.View(ctx, fn)
}

func (l *leaving) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	l.leave()
	return l.Store.Update(ctx, fn, reads...)
}

// TestWorkStopsWhenTheClientLeaves holds that nothing is written for who has gone.
func TestWorkStopsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFixture(t, &leaving{store, cancel})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/customers/push_data", strings.NewReader(everyKind(t)))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		out := f.answer(t, r)
		require.Equal(t, 499, out.status)
		require.Contains(t, f.log.String(), `"error_type":"request_canceled"`)
		require.Empty(t, rows(t, store))
	})
}

// TestTimeout_AfterTheBody_StopsTheWork lets the time of a request pass while it is served.
func TestTimeout_AfterTheBody_StopsTheWork(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/customers/push_data", "/customers/sync_data"} {
		store := memory.New()
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		ctx := newExpiring(t.Context())
		f := newFixture(t, &leaving{store, ctx.expire})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(everyKind(t)))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		out := f.answer(t, r)
		require.Equal(t, http.StatusServiceUnavailable, out.status, out.raw)
		require.Equal(t, "request_timeout", out.at("error", "type"))
		require.Empty(t, rows(t, store))
	}
}

// TestAClosedStoreIsAnAnswer is of a server that goes down.
func TestAClosedStoreIsAnAnswer(t *testing.T) {
	t.Parallel()
	store := memory.New()
	f := newFixture(t, store)
	require.NoError(t, store.Close())
	f.refused(t, http.StatusServiceUnavailable, "service_unavailable", http.MethodPost, "/customers/push_data", everyKind(t))
}

// TestUnknownOutcome_IsReported makes the store unable to determine the outcome of a commit.
func TestUnknownOutcome_IsReported(t *testing.T) {
	t.Parallel()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := newFixture(t, backends.NewFault(store, backends.Fault{
		Of: backends.Commits, Always: true, Err: func() error { return fmt.Errorf("%w: %w", storage.ErrUnknown, context.DeadlineExceeded) },
	}))
	f.refused(t, http.StatusServiceUnavailable, "outcome_unknown", http.MethodPost, "/customers/push_data", everyKind(t))
}

// broken is a store that fails.
type broken struct{ storage.Store }

func (broken) View(context.Context, func(storage.Reader) error) error {
	return errors.New("disk /dev/secret is on fire")
}

func (broken) Update(context.Context, func(storage.Tx) error, ...[]byte) error {
	return errors.New("disk /dev/secret is on fire")
}

// TestAFailureGivesNothingAway asks for every operation of a store that is broken.
func TestAFailureGivesNothingAway(t *testing.T) {
	t.Parallel()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := newFixture(t, broken{store})
	failed := 0
	for _, op := range operations() {
		out := f.probe(t, keyA, op, f.known(t, op, object{
			"customer_key": "c", "reservation_key": "r", "space_key": "s", "user_identity_key": "u", "access_grant_key": "a", "room_keys": []string{"r"},
			"customer_portal_id": "00000000-0000-4000-8000-000000000000", "customization_profile_id": "00000000-0000-4000-8000-000000000000", "portal_configuration": object{},
		}))
		require.NotContains(t, out.raw, "fire")
		require.NotContains(t, out.raw, "secret")
		if out.status == http.StatusInternalServerError {
			require.Equal(t, "Internal server error", out.at("error", "message"))
			failed++
		}
	}
	require.Greater(t, failed, 40)
	require.Contains(t, f.log.String(), "on fire")
}

// TestAPanicIsAnAnswer holds that one request that fails badly does not take the others
// along.
func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	f := onMemory(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) { panic("the secret of a panic") }
	})
	out := f.refused(t, http.StatusInternalServerError, "internal_server_error", http.MethodPost, "/spaces/list", "{}")
	require.NotContains(t, out.raw, "panic")
	require.Contains(t, f.log.String(), "panic in the API")
	require.NotContains(t, f.log.String(), "the secret of a panic")

	aborts := onMemory(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) { panic(http.ErrAbortHandler) }
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		aborts.send(t, keyA, http.MethodPost, "/spaces/list", "{}")
	})
}
