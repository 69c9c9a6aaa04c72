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

// status posts a body, discards the response and returns its status.
func (f *fixture) status(tb testing.TB, path, body string) int {
	r := newRequest(tb.Context(), http.MethodPost, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	w.Body = nil
	f.handler.ServeHTTP(w, r)
	return w.Code
}

// benchmarkBody sends the same body repeatedly. The resources exist after the first request, so the measured requests read and
// compare them and do not write them.
func benchmarkBody(b *testing.B, path, body string) {
	b.Helper()
	f := newMemoryFixture(b)
	send := func() {
		require.Equal(b, http.StatusOK, f.status(b, path, body))
	}
	send()
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
}

// BenchmarkPushBody measures a push of 1,000 unchanged resources.
func BenchmarkPushBody(b *testing.B) {
	benchmarkBody(b, "/customers/push_data", thousandBookings())
}

// BenchmarkCreatePortalBody measures the creation of a portal with 1,000 unchanged resources.
func BenchmarkCreatePortalBody(b *testing.B) {
	benchmarkBody(b, "/customers/create_portal", `{"locale": "fr-FR", "features": {"organize": {"exclude": true}}, "ttl_seconds": 60, "customer_data": `+thousandBookings()+`}`)
}

// BenchmarkReadBody measures the reading of a body with 1,000 resources. The requests are refused after that, because their
// query has an unknown parameter.
func BenchmarkReadBody(b *testing.B) {
	for name, row := range map[string]struct{ path, body string }{
		"push_data":     {"/customers/push_data?nothing=1", thousandBookings()},
		"create_portal": {"/customers/create_portal?nothing=1", `{"customer_data": ` + thousandBookings() + `}`},
	} {
		b.Run(name, func(b *testing.B) {
			f := newMemoryFixture(b)
			b.ReportAllocs()
			for b.Loop() {
				require.Equal(b, http.StatusBadRequest, f.status(b, row.path, row.body))
			}
		})
	}
}

// BenchmarkDecodeThousand measures the decoding of 1,000 resources without the handler.
func BenchmarkDecodeThousand(b *testing.B) {
	body := thousandBookings()
	b.ReportAllocs()
	for b.Loop() {
		_, err := data.Decode(strings.NewReader(body), data.DecodeOptions{})
		require.NoError(b, err)
	}
}
