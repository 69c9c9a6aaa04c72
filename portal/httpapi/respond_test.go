package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// recordedMetrics is a Metrics that keeps what it receives.
type recordedMetrics struct {
	mu     sync.Mutex
	served []httpapi.Served
}

func (c *recordedMetrics) ServedRequest(_ context.Context, r httpapi.Served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served = append(c.served, r)
}

// TestLog_EveryOperation_HasOneLineWithoutContents sends requests that succeed and requests that are refused. The log has one
// line for each. It contains no key, link, body or query.
func TestLog_EveryOperation_HasOneLineWithoutContents(t *testing.T) {
	t.Parallel()
	metrics := &recordedMetrics{}
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Metrics = metrics })
	exchanges := f.callEveryOperation(t)
	var codes []string
	for _, e := range exchanges {
		for _, code := range regexp.MustCompile(`https://se\.am/([0-9a-z]{33})`).FindAllStringSubmatch(e.reply.raw, -1) {
			codes = append(codes, code[1])
		}
	}
	require.NotEmpty(t, codes)
	for _, m := range malformedRequests(t) {
		f.serve(t, m.request(t))
	}
	// An unknown path may contain a secret, such as the code of a link.
	f.send(t, keyA, http.MethodGet, "/"+codes[0]+"?room_keys=secret", "")

	log := f.log.String()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	require.Len(t, lines, int(f.requests.Load()))
	require.Len(t, metrics.served, len(lines))
	known := []string{"time", "level", "msg", "request_id", "method", "route", "status", "bytes_in", "bytes_out", "duration", "error_type", "workspace_id"}
	routes := f.doc.paths()
	for i, line := range lines {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		for _, name := range slices.Sorted(maps.Keys(entry)) {
			require.Contains(t, known, name)
		}
		require.Equal(t, "request", entry["msg"])
		served := metrics.served[i]
		require.Equal(t, entry["request_id"], served.RequestID)
		require.Equal(t, entry["route"], served.Route)
		require.InDelta(t, entry["status"], served.Status, 0)
		if served.Route != "" {
			require.Contains(t, routes, served.Route)
		}
		require.Equal(t, served.Status >= 400, served.ErrorType != "")
		require.Positive(t, served.BytesOut)
	}
	for _, secret := range append(codes, keyA, tokenX, "Bearer", "Acme", "room-101", "guest-1", "example.com", "room_keys", "secret", "Authorization") {
		require.NotContains(t, log, secret)
	}
	first := metrics.served[0]
	require.Equal(t, "/customers/push_data", first.Route)
	require.Equal(t, workspaceA, first.WorkspaceID)
	require.Greater(t, first.BytesIn, int64(1000))
}
