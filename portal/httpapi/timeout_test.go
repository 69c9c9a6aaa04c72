package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestTimeout_AfterTheBody_StopsTheWork makes the deadline of a request pass before its first transaction.
func TestTimeout_AfterTheBody_StopsTheWork(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/customers/push_data", "/customers/sync_data"} {
		store := memory.New()
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		ctx := newExpiring(t.Context())
		f := newFixture(t, &cancelingStore{store, ctx.expire})
		r := newRequest(ctx, http.MethodPost, path, strings.NewReader(everyKind(t)))
		out := f.serve(t, r)
		require.Equal(t, http.StatusServiceUnavailable, out.status, out.raw)
		require.Equal(t, "request_timeout", out.at("error", "type"))
		require.Empty(t, storeRows(t, store))
	}
}

// TestTimeout_InTheBody_StopsTheReading makes the deadline of a request pass, or its client disconnect, while the body is read.
func TestTimeout_InTheBody_StopsTheReading(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	after := testsize.Pick(4<<10, 4<<10, 64<<10)
	for _, op := range operations() {
		if f.doc.body(op.path, op.method) == nil {
			continue
		}
		for _, head := range []string{`{"customer_key": "c", "rooms": [{}`, `{"customer_data": {"rooms": [{}`, `{"user_identity_ids": [{}`} {
			late := newExpiring(t.Context())
			gone, leave := context.WithCancel(t.Context())
			defer leave()
			for ctx, done := range map[context.Context]func(){late: late.expire, gone: leave} {
				body := &repeatReader{text: ",{}", left: 3 * (8 << 20)}
				stop := &stopAfter{Reader: io.MultiReader(strings.NewReader(head), body), left: after, chunk: after, stop: done}
				r := newRequest(ctx, op.method, op.path, stop)
				r.ContentLength = -1
				out := f.serve(t, r)
				want := map[context.Context]int{late: http.StatusRequestTimeout, gone: 499}[ctx]
				require.Equal(t, want, out.status, "%s %s: %s", op.method, op.path, out.raw)
				require.Less(t, body.read, int64(2<<20), "%s %s", op.method, op.path)
			}
		}
	}
	require.Empty(t, storeRows(t, f.store))
}

// stopAfter is a body that calls stop when more than left bytes have been read.
type stopAfter struct {
	io.Reader
	left  int
	chunk int // the maximum length of a read
	stop  func()
}

func (s *stopAfter) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p[:min(len(p), s.chunk)])
	if s.left -= n; s.left < 0 {
		s.stop()
	}
	return n, err
}

// TestTimeout_BeforeTheRequest_ReadsNothing calls every operation with a canceled context.
func TestTimeout_BeforeTheRequest_ReadsNothing(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, op := range operations() {
		if op.path == "/openapi.json" {
			continue
		}
		body := &repeatReader{text: " ", left: 1 << 20}
		target := op.path
		var r *http.Request
		if f.doc.body(op.path, op.method) != nil {
			r = httptest.NewRequestWithContext(ctx, op.method, target, body)
			r.Header.Set("Content-Type", "application/json")
		} else {
			r = httptest.NewRequestWithContext(ctx, op.method, target+"?customer_key=c&room_keys=r&space_key=s&user_identity_key=u&access_grant_key=a&customer_portal_id=00000000-0000-4000-8000-000000000001&customization_profile_id=00000000-0000-4000-8000-000000000001", nil)
		}
		r.Header.Set("Authorization", "Bearer "+keyA)
		out := f.serve(t, r)
		if f.doc.body(op.path, op.method) != nil {
			require.Equal(t, 499, out.status, "%s %s: %s", op.method, op.path, out.raw)
			require.Zero(t, body.read, "%s %s", op.method, op.path)
		} else {
			require.GreaterOrEqual(t, out.status, 400, "%s %s: %s", op.method, op.path, out.raw)
		}
	}
}

// expiring is a context whose deadline passes when expire is called. When expire returns, the contexts derived from it are done
// too.
type expiring struct {
	context.Context
	mu    sync.Mutex
	done  chan struct{}
	after []func()
}

func newExpiring(ctx context.Context) *expiring {
	return &expiring{Context: ctx, done: make(chan struct{})}
}

func (e *expiring) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Err() == nil {
		close(e.done)
		for _, f := range e.after {
			f()
		}
	}
}

// AfterFunc registers a function. Package context calls it for each derived context.
func (e *expiring) AfterFunc(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.after = append(e.after, f)
	return func() bool { return false }
}

func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
