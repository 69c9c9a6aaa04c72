package httpapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// allocatedBytes returns the number of bytes that fn allocates in total. That is an upper limit for the memory in use.
func allocatedBytes(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestBody_OneGiB_IsRefusedWithBoundedMemory sends a body that is declared to be 1 GiB long, and bodies of unknown length that
// exceed every limit, to the operations that read one. The body must be refused before it is read, or where it exceeds a limit.
// The allocated bytes must not exceed a small multiple of the limit. The test does not run in parallel with others, because it
// measures the allocations of the whole process.
func TestBody_OneGiB_IsRefusedWithBoundedMemory(t *testing.T) { //nolint:paralleltest // see above
	testsize.SkipShort(t)
	const gib = 1 << 30
	limit := testsize.Pick[int64](2<<20, 2<<20, 8<<20)
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.MaxBodyBytes = limit })
	before := storeRows(t, f.store)
	requests, all, stride := 0, 0, testsize.Pick(13, 7, 1)
	if race.Enabled {
		stride = 13
	}
	for _, op := range operations() {
		if f.doc.body(op.path, op.method) == nil {
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
			{"flat", `{"x": [[]`, ",[]", false, limit + 1<<20, http.StatusRequestEntityTooLarge},
			{"one text", `{"x": "`, "a", false, limit + 1<<20, http.StatusRequestEntityTooLarge},
			{"one number", `{"x": `, "1", false, limit + 1<<20, http.StatusRequestEntityTooLarge},
			{"white space", ``, " ", false, limit + 1<<20, http.StatusRequestEntityTooLarge},
		} {
			// No limit lets the handler reach the end of this reader. Without a limit the test fails there, before the body takes
			// gigabytes of memory.
			body := &repeatReader{text: row.text, left: 4 * limit}
			var out reply
			bytes := allocatedBytes(func() {
				r := newRequest(t.Context(), op.method, op.path, io.MultiReader(strings.NewReader(row.head), body))
				r.ContentLength = -1
				if row.declared {
					r.ContentLength = gib
				}
				out = f.serve(t, r)
			})
			require.Equal(t, row.status, out.status, "%s: %s %s: %s", row.name, op.method, op.path, out.raw)
			require.LessOrEqual(t, body.read, row.mostRead, "%s: %s %s", row.name, op.method, op.path)
			most := int64(4 << 20)
			if row.mostRead > 1<<20 {
				// The buffers of the body and of the decoder grow to the limit by doubling. The values of a body of 1 MiB, which
				// is the limit of most operations, take more memory than its text.
				most = max(12*limit, 48<<20)
			}
			require.Less(t, bytes, most, "%s: %s %s", row.name, op.method, op.path)
			requests++
		}
	}
	require.Greater(t, requests, 200/stride)
	require.Equal(t, before, storeRows(t, f.store))

	// The part of a body that is not customer data has the limit of a small body, because its values take more memory than its text.
	large := newMemoryFixture(t)
	for _, head := range []string{`{"customer_key": "c", "x": [[]`, `{"customer_key": [[]`, `{"features": [[]`} {
		var out reply
		bytes := allocatedBytes(func() {
			body := io.MultiReader(strings.NewReader(head), &repeatReader{text: ",[]", left: 3 * (8 << 20)}, strings.NewReader(`]}`))
			r := newRequest(t.Context(), http.MethodPost, "/customers/create_portal", body)
			out = large.serve(t, r)
		})
		require.Equal(t, http.StatusRequestEntityTooLarge, out.status, out.raw)
		require.Less(t, bytes, int64(8*(24<<20)))
	}
}

// TestBody_TooManyResources_IsRefused sends more resources than MaxResources, and more ids than a list may have.
func TestBody_TooManyResources_IsRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.MaxResources = 2 })
	three := `[{"room_key": "1", "name": "1"}, {"room_key": "2", "name": "2"}, {"room_key": "3", "name": "3"}]`
	for path, body := range map[string]string{
		"/customers/push_data":     `{"customer_key": "c", "rooms": ` + three + `}`,
		"/customers/sync_data":     `{"customer_key": "c", "rooms": ` + three + `}`,
		"/customers/create_portal": `{"customer_data": {"customer_key": "c", "rooms": ` + three + `}}`,
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, path, body)
		require.Contains(t, out.at("error", "message"), "too many entries")
	}
	ids := make([]string, 1001)
	b, err := json.Marshal(map[string]any{"user_identity_ids": ids})
	require.NoError(t, err)
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/user_identities/list", string(b))
	require.Equal(t, "user_identity_ids: at most 1000", out.at("error", "message"))
}

// TestBody_WithoutCustomerData_IsLimitedTo1MiB sends a body of 1 MiB and one that is a byte longer.
func TestBody_WithoutCustomerData_IsLimitedTo1MiB(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	pad := strings.Repeat(" ", 1<<20-2)
	f.post(t, "/spaces/list", "{"+pad+"}")
	out := f.expectError(t, http.StatusRequestEntityTooLarge, "payload_too_large", http.MethodPost, "/spaces/list", "{"+pad+" }")
	require.Equal(t, "The body is longer than 1048576 bytes", out.at("error", "message"))
}

// TestBody_ClientStopsSending_TimesOut sends the beginning of a body and keeps the connection open.
func TestBody_ClientStopsSending_TimesOut(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Timeout = 20 * time.Millisecond })
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
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		b, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusRequestTimeout, response.StatusCode, string(b))
		require.Contains(t, string(b), "request_timeout")
	}
}

// TestBody_ConnectionFails_IsABadRequest makes the reading of a body fail.
func TestBody_ConnectionFails_IsABadRequest(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	for _, path := range []string{"/customers/push_data", "/customers/create_portal", "/spaces/list"} {
		broken := io.MultiReader(strings.NewReader(`{"customer_key": "c"`), failingReader{})
		r := newRequest(t.Context(), http.MethodPost, path, broken)
		out := f.serve(t, r)
		require.Equal(t, http.StatusBadRequest, out.status)
		require.Equal(t, "The body could not be read", out.at("error", "message"))
	}
}

// failingReader is a body whose connection fails.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }
