package access_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// hubLeases is the beginning of the names of the leases of the accounts "hub...".
const hubLeases = "customerportal/access/" + simulated.Key + `/"hub`

// gatedStore counts the Updates that read leases of hubs, and keeps the first one waiting until the gate is open.
type gatedStore struct {
	storage.Store
	updates atomic.Int64
	waiting chan struct{} // closed when the first Update waits
	gate    chan struct{}
}

func (s *gatedStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if slices.ContainsFunc(reads, func(key []byte) bool { return strings.HasPrefix(string(key), string(layout.Lease(hubLeases))) }) {
		if s.updates.Add(1) == 1 {
			close(s.waiting)
			<-s.gate
		}
	}
	return s.Store.Update(ctx, fn, reads...)
}

// connectHubs stores n accounts "hub..." of customers that have 100 of them each. No driver can open them.
func (h *hotel) connectHubs(n int) {
	h.t.Helper()
	const each = 100
	for first := 0; first < n; first += each {
		key := fmt.Sprintf("customer%d", first)
		_, err := h.ws.Push(h.t.Context(), data.CustomerData{CustomerKey: key, Spaces: []data.Space{data.Site(key, key)}})
		require.NoError(h.t, err)
		customer, err := h.ws.Customer(h.t.Context(), key)
		require.NoError(h.t, err)
		require.NoError(h.t, devicedata.Within(h.t.Context(), h.ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
			for i := first; i < min(first+each, n); i++ {
				a := devicedata.Account{ID: uuid.NewSHA1(workspaceID, fmt.Append(nil, i)), Provider: simulated.Key, ExternalID: fmt.Sprint("hub", i), Details: []byte("{}")}
				if err := devicedata.CreateAccount(ctx, tx, a); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// TestRun_ManyNewAccounts_CommandsDoNotWait sends a command to an account while the leases of many others are being acquired, and
// counts the transactions that acquire them.
func TestRun_ManyNewAccounts_CommandsDoNotWait(t *testing.T) {
	t.Parallel()
	n := testsize.Pick(300, 2000, 2000)
	synctest.Test(t, func(t *testing.T) {
		store := &gatedStore{Store: memory.New(), waiting: make(chan struct{}), gate: make(chan struct{})}
		h := newHotel(t, store, simulated.Lock("lock", "Room 101"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		h.connectHubs(n)
		<-store.waiting // until the service looks for accounts again
		require.Equal(t, access.AttemptSuccess, h.do("lock", device.Command{Kind: device.Lock}).Status)
		require.EqualValues(t, 1, store.updates.Load(), "the others are still being acquired")
		require.Zero(t, h.leases())
		close(store.gate)
		synctest.Wait()
		require.Equal(t, n, h.leases())
		require.LessOrEqual(t, store.updates.Load(), int64(1+n/200), "the leases are acquired together")
	})
}

// leases returns the number of leases of hubs that are held.
func (h *hotel) leases() (n int) {
	h.t.Helper()
	require.NoError(h.t, h.store.View(h.t.Context(), func(r storage.Reader) error {
		n = 0
		for _, err := range r.Scan(h.t.Context(), storage.Prefix(layout.Lease(hubLeases)), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}
