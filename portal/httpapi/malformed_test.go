package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"

	"github.com/customerportal-go/customerportal/internal/backends"
)

// malformed is a request that is refused, and how. The table is testdata/malformed.json.
type malformed struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers,omitempty"` // beside the key and the content type, or in their place; "" is none
	Body    *string           `json:"body,omitempty"`    // its characters are its bytes
	Status  int               `json:"status"`
	Error   json.RawMessage   `json:"error"` // without request_id
}

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
	r := httptest.NewRequestWithContext(t.Context(), m.Method, m.Target, strings.NewReader(string(body)))
	r.Header.Set("Authorization", "Bearer "+keyA)
	r.Header.Set("Content-Type", "application/json")
	for name, v := range m.Headers {
		if r.Header.Set(name, v); v == "" {
			r.Header.Del(name)
		}
	}
	return r
}

// TestMalformedRequestsHaveTheseAnswers sends each request of the table: its answer is
// exactly that, and nothing is written.
func TestMalformedRequestsHaveTheseAnswers(t *testing.T) {
	t.Parallel()
	table := malformedRequests(t)
	require.GreaterOrEqual(t, len(table), 60)
	backends.Each(t, func(t *testing.T, store storage.Store) {
		f := newFixture(t, store)
		f.post(t, "/customers/push_data", everyKind(t))
		before := rows(t, store)
		for _, m := range table {
			out := f.answer(t, m.request(t))
			require.Equal(t, false, out.body["ok"], m.Name)
			got, _ := out.body["error"].(map[string]any)
			delete(got, "request_id")
			b, err := json.Marshal(got)
			require.NoError(t, err)
			require.Equal(t, m.Status, out.status, "%s: %s", m.Name, b)
			require.JSONEq(t, string(m.Error), string(b), m.Name)
			require.Equal(t, before, rows(t, store), m.Name)
		}
	})
}

// TestMediaTypesAreReadInAnyCase sends what says the same as "application/json".
func TestMediaTypesAreReadInAnyCase(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
	for _, row := range []struct{ kind, coding string }{
		{"application/json", ""},
		{"Application/JSON; Charset=Utf-8", ""},
		{`application/json; charset="UTF8"`, "Identity"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/customers/push_data", strings.NewReader(`{"customer_key": "c"}`))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", row.kind)
		r.Header.Set("Content-Encoding", row.coding)
		require.Equal(t, http.StatusOK, f.answer(t, r).status, row)
	}
}
