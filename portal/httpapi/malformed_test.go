package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// malformed is a request that is refused, and its response. The table is testdata/malformed.json.
type malformed struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers,omitempty"` // added to the key and the content type, or replacing them; "" removes one
	Body    *string           `json:"body,omitempty"`    // each character stands for one byte
	Status  int               `json:"status"`
	Error   json.RawMessage   `json:"error"` // without request_id
}

// malformedRequests returns the table of malformed requests.
func malformedRequests(t testing.TB) (table []malformed) {
	t.Helper()
	b, err := os.ReadFile("testdata/malformed.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &table))
	return table
}

func (m malformed) request(t testing.TB) *http.Request {
	t.Helper()
	var body []byte
	if m.Body != nil {
		for _, r := range *m.Body {
			body = append(body, byte(r))
		}
	}
	r := newRequest(t.Context(), m.Method, m.Target, strings.NewReader(string(body)))
	for name, v := range m.Headers {
		if r.Header.Set(name, v); v == "" {
			r.Header.Del(name)
		}
	}
	return r
}

// TestMalformedRequests_Responses_AreThoseOfTheTable sends each request of the table and checks that it writes nothing.
func TestMalformedRequests_Responses_AreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	table := malformedRequests(t)
	require.GreaterOrEqual(t, len(table), 60)
	backends.Each(t, func(t *testing.T, store storage.Store) {
		f := newFixture(t, store)
		f.post(t, "/customers/push_data", everyKind(t))
		before := storeRows(t, store)
		for _, m := range table {
			out := f.serve(t, m.request(t))
			require.Equal(t, false, out.body["ok"], m.Name)
			got, _ := out.body["error"].(map[string]any)
			delete(got, "request_id")
			b, err := json.Marshal(got)
			require.NoError(t, err)
			require.Equal(t, m.Status, out.status, "%s: %s", m.Name, b)
			require.JSONEq(t, string(m.Error), string(b), m.Name)
			require.Equal(t, before, storeRows(t, store), m.Name)
		}
	})
}

// TestMediaType_AnyCase_IsAccepted sends the media type, the charset and the encoding in various forms.
func TestMediaType_AnyCase_IsAccepted(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	for _, row := range []struct{ mediaType, encoding string }{
		{"application/json", ""},
		{"Application/JSON; Charset=Utf-8", ""},
		{`application/json; charset="UTF8"`, "Identity"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/customers/push_data", strings.NewReader(`{"customer_key": "c"}`))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", row.mediaType)
		r.Header.Set("Content-Encoding", row.encoding)
		require.Equal(t, http.StatusOK, f.serve(t, r).status, row)
	}
}
