package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// BenchmarkPush measures a push of 100 new bookings from JSON, with the library and with the API.
func BenchmarkPush(b *testing.B) {
	body := func(n int) string { return bookings(fmt.Sprintf("b-%d-", n), 100) }
	b.Run("library", func(b *testing.B) {
		f := newMemoryFixture(b)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			d, err := data.Decode(strings.NewReader(body(n)), data.DecodeOptions{})
			require.NoError(b, err)
			_, err = f.a.Push(b.Context(), d)
			require.NoError(b, err)
		}
	})
	b.Run("API", func(b *testing.B) {
		f := newMemoryFixture(b)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			require.Equal(b, http.StatusOK, f.status(b, "/customers/push_data", body(n)))
		}
	})
	b.Run("API over a connection", func(b *testing.B) {
		f := newMemoryFixture(b)
		server := httptest.NewServer(f.handler)
		b.Cleanup(server.Close)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/customers/push_data", strings.NewReader(body(n)))
			require.NoError(b, err)
			r.Header.Set("Authorization", "Bearer "+keyA)
			r.Header.Set("Content-Type", "application/json")
			answer, err := server.Client().Do(r)
			require.NoError(b, err)
			_, err = io.Copy(io.Discard, answer.Body)
			require.NoError(b, err)
			require.NoError(b, answer.Body.Close())
			require.Equal(b, http.StatusOK, answer.StatusCode)
		}
	})
}
