package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// bookings returns the customer data of a push of n bookings, as JSON. Their keys have the prefix.
func bookings(prefix string, n int) string {
	var s strings.Builder
	s.WriteString(`{"customer_key": "c", "bookings": [`)
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"booking_key": "%s%d", "name": "A stay", "starts_at": "2025-06-16T14:00:00Z", "ends_at": "2025-06-18T10:00:00Z"}`, prefix, i)
	}
	s.WriteString(`]}`)
	return s.String()
}

func thousandBookings() string { return bookings("b-", 1000) }

// status posts a body to the handler, drops the answer, and returns its status.
func (f *fixture) status(tb testing.TB, path, body string) int {
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	w.Body = nil
	f.handler.ServeHTTP(w, r)
	return w.Code
}

// benchmarkBody sends the same body again and again. The resources exist after the first
// request, so that each request reads and compares them, and writes nothing of them.
func benchmarkBody(b *testing.B, path, body string) {
	b.Helper()
	f := onMemory(b)
	send := func() {
		require.Equal(b, http.StatusOK, f.status(b, path, body))
	}
	send()
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
}

// BenchmarkPushBody is a push of 1,000 resources over the handler.
func BenchmarkPushBody(b *testing.B) {
	benchmarkBody(b, "/customers/push_data", thousandBookings())
}

// BenchmarkCreatePortalBody is the creation of a portal with 1,000 resources over the handler.
func BenchmarkCreatePortalBody(b *testing.B) {
	benchmarkBody(b, "/customers/create_portal", `{"locale": "fr-FR", "features": {"organize": {"exclude": true}}, "ttl_seconds": 60, "customer_data": `+thousandBookings()+`}`)
}

// BenchmarkReadBody is the reading of 1,000 resources by each of the two, for a request that
// is refused for its query once the body was read.
func BenchmarkReadBody(b *testing.B) {
	for name, row := range map[string]struct{ path, body string }{
		"push_data":     {"/customers/push_data?nothing=1", thousandBookings()},
		"create_portal": {"/customers/create_portal?nothing=1", `{"customer_data": ` + thousandBookings() + `}`},
	} {
		b.Run(name, func(b *testing.B) {
			f := onMemory(b)
			b.ReportAllocs()
			for b.Loop() {
				require.Equal(b, http.StatusBadRequest, f.status(b, row.path, row.body))
			}
		})
	}
}

// BenchmarkDecodeThousand is the decoding of 1,000 resources alone.
func BenchmarkDecodeThousand(b *testing.B) {
	body := thousandBookings()
	b.ReportAllocs()
	for b.Loop() {
		_, err := data.Decode(strings.NewReader(body), data.DecodeOptions{})
		require.NoError(b, err)
	}
}
