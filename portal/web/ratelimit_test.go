package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func address(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

func TestRateLimiter_ManyClients_KeepsABoundedNumber(t *testing.T) {
	t.Parallel()
	g := newRateLimiter(time.Now)
	for i := range 300_000 {
		g.reserve(address(i))
		if n := len(g.recent) + len(g.older); n > 2*maxAddresses {
			require.LessOrEqual(t, n, 2*maxAddresses)
		}
	}
	require.NotEmpty(t, g.older)
}

func TestRateLimiter_Refund_ForgetsTheClient(t *testing.T) {
	t.Parallel()
	at := time.Now()
	g := newRateLimiter(func() time.Time { return at })
	for range 100 {
		require.Zero(t, g.reserve(address(1)))
		g.refund(address(1))
	}
	require.Empty(t, g.recent)
	for range rateBurst {
		require.Zero(t, g.reserve(address(1)))
	}
	g.refund(address(1))
	require.Zero(t, g.reserve(address(1)))
	require.Equal(t, rateInterval, g.reserve(address(1)), "and no guess comes back twice")
}

// barrier returns a channel that is closed after n calls of arrive.
func barrier(n int64) (arrive func(), all <-chan struct{}) {
	var there atomic.Int64
	complete := make(chan struct{})
	return func() {
		if there.Add(1) == n {
			close(complete)
		}
	}, complete
}

// newHandler returns a service and a Handler on a store.
func newHandler(t *testing.T, store storage.Store, now func() time.Time) (*portal.Service, *Handler) {
	t.Helper()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	portals, err := portal.New(data.Open(store, data.Options{Now: now}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
	require.NoError(t, err)
	pages, err := New(portals, Options{})
	require.NoError(t, err)
	return portals, pages
}

// A token must be taken before the code is verified. Otherwise concurrent requests would share a token.
func TestRateLimit_ConcurrentWrongCodes_AreLimited(t *testing.T) {
	t.Parallel()
	const attempts = 100
	count, all := barrier(attempts) // each attempt is verified or refused
	var looked atomic.Int64
	_, pages := newHandler(t, memory.New(), func() time.Time {
		looked.Add(1)
		count()
		<-all // wait for the other attempts
		return time.Now()
	})
	pages.limiter = newRateLimiter(time.Now) // its clock does not wait
	statuses := make([]int, attempts)
	var done sync.WaitGroup
	for i := range attempts {
		done.Go(func() {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+strings.Repeat("0", link.CodeLength), nil))
			if statuses[i] = w.Code; w.Code == http.StatusTooManyRequests {
				count()
			}
		})
	}
	done.Wait()
	found := map[int]int{}
	for _, status := range statuses {
		found[status]++
	}
	require.Equal(t, map[int]int{http.StatusNotFound: rateBurst, http.StatusTooManyRequests: attempts - rateBurst}, found)
	require.EqualValues(t, rateBurst, looked.Load())
}

// blockingStore is a store whose Views wait first.
type blockingStore struct {
	storage.Store
	wait func()
}

func (h *blockingStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	h.wait()
	return h.Store.View(ctx, fn)
}

// The token of a genuine code must be refunded before the store is read. Otherwise a slow store would make visitors
// behind one address wait.
func TestRateLimit_ConcurrentGenuineLinks_AreNotLimited(t *testing.T) {
	t.Parallel()
	const visitors = 5 * rateBurst
	count, all := barrier(visitors)
	store := &blockingStore{memory.New(), func() {
		count()
		<-all // wait for the other visitors
	}}
	portals, pages := newHandler(t, store, time.Now)
	ws := portals.DB().Workspace(uuid.New())
	p, err := portals.Create(t.Context(), ws, portal.CreateRequest{CustomerData: &data.CustomerData{CustomerKey: "acme"}})
	require.NoError(t, err)
	var refused atomic.Int64
	var done sync.WaitGroup
	for range visitors {
		done.Go(func() {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+portal.Code(p.URL.Reveal()), nil))
			if w.Code == http.StatusTooManyRequests {
				refused.Add(1)
				count()
			}
		})
	}
	done.Wait()
	require.Zero(t, refused.Load())
}

// The header has a million hops.
func TestClientPrefix_LargeHeader_AllocatesLittle(t *testing.T) { // not parallel, because it measures all allocations
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", strings.Repeat(",", 1<<20))
	for _, proxies := range [][]netip.Prefix{nil, {netip.MustParsePrefix("192.0.2.0/24")}} {
		require.Equal(t, netip.MustParsePrefix("192.0.2.1/32"), clientPrefix(r, proxies))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		clientPrefix(r, proxies)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}
