package access_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var workspaceID = uuid.UUID{1}

// hotel is a store with one customer, and a simulated world with the login of that customer.
type hotel struct {
	t     *testing.T
	store storage.Store
	world *simulated.World
	ring  *keys.Ring
	ws    *data.Workspace
	svc   *access.Service
	scope *access.Scope // of the customer
}

const (
	hotelKey = "hotel"
	password = "correct horse battery staple"
)

func newRing(t testing.TB, active int, slots ...int) *keys.Ring {
	t.Helper()
	masters := map[int][]byte{}
	for _, slot := range append(slots, active) {
		masters[slot] = bytes.Repeat([]byte{byte(slot + 1), 7}, keys.MasterBytes/2)
	}
	ring, err := keys.New(active, masters)
	require.NoError(t, err)
	return ring
}

// newHotel returns a hotel with the login "anna" and the given devices. Its service does not run.
func newHotel(t *testing.T, store storage.Store, devices ...device.Device) *hotel {
	t.Helper()
	h := &hotel{t: t, store: store, world: simulated.New(simulated.Options{Seed: 1}), ring: newRing(t, 1)}
	h.world.AddLogin(simulated.Login{User: "anna", Password: password})
	for _, d := range devices {
		h.world.AddDevice("anna", d)
	}
	h.ws = data.Open(store, data.Options{Logger: slog.New(slog.DiscardHandler)}).Workspace(workspaceID)
	_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, Spaces: []data.Space{
		data.Site("site", "Hotel Anna"), data.Room("101", "Room 101").In("site"), data.Room("102", "Room 102").In("site"),
		data.CommonArea("lobby", "Lobby").In("site"),
	}})
	require.NoError(t, err)
	h.svc, h.scope = h.service("first", access.Options{})
	return h
}

// service returns another service on the store of the hotel, with a database and a driver of its own.
func (h *hotel) service(caller string, o access.Options) (*access.Service, *access.Scope) {
	h.t.Helper()
	o.Keys = h.ring
	if o.Providers == nil {
		o.Providers = []device.Provider{h.world.Provider(caller)}
	}
	svc, err := access.New(data.Open(h.store, data.Options{Logger: slog.New(slog.DiscardHandler)}), o)
	require.NoError(h.t, err)
	return svc, svc.Workspace(workspaceID).Customer(hotelKey)
}

// patient are options for tests with the clock of the machine, which must not fail on a slow one.
var patient = access.Options{Lease: 10 * time.Minute, CallTimeout: 4 * time.Minute}

// connect connects the login of a user to a customer, and returns the account.
func connect(t *testing.T, scope *access.Scope, user string) access.Account {
	t.Helper()
	pane, err := scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key})
	require.NoError(t, err)
	require.NotNil(t, pane.Form)
	pane, err = scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(user, password)})
	require.NoError(t, err)
	require.NotNil(t, pane.Account)
	return *pane.Account
}

func login(user, password string) map[string]device.Secret {
	return map[string]device.Secret{"username": device.NewSecret(user), "password": device.NewSecret(password)}
}

// start runs a service until stop is called.
func start(t *testing.T, svc *access.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := svc.Run(ctx); err != context.Canceled {
			t.Errorf("Run: %v", err)
		}
	})
	return sync.OnceFunc(func() { cancel(); running.Wait() })
}

// simulate runs a test in a bubble with a clock of its own, and a hotel whose account is connected and whose service runs.
func simulate(t *testing.T, devices []device.Device, test func(t *testing.T, h *hotel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), devices...)
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		defer stop()
		synctest.Wait()
		test(t, h)
	})
}

// device returns a device of the hotel by its id in the world.
func (h *hotel) device(id string) access.Device {
	h.t.Helper()
	q := access.DeviceQuery{Limit: 1000}
	for {
		page, err := h.scope.Devices(h.t.Context(), q)
		require.NoError(h.t, err)
		for _, d := range page.Items {
			if d.ExternalID == id {
				return d
			}
		}
		require.NotEmpty(h.t, page.Next, "no such device: %s", id)
		q.Cursor = page.Next
	}
}

func (h *hotel) activities() []access.Activity {
	h.t.Helper()
	page, err := h.scope.Activity(h.t.Context(), access.ActivityQuery{Limit: 1000})
	require.NoError(h.t, err)
	return page.Items
}

// do carries out a command and returns the attempt when it has ended.
func (h *hotel) do(id string, c device.Command) access.ActionAttempt {
	h.t.Helper()
	a, err := h.scope.Do(h.t.Context(), h.device(id).ID, c, data.Actor{}, access.MaxDeadline)
	require.NoError(h.t, err)
	require.Equal(h.t, access.AttemptPending, a.Status)
	a, err = h.scope.Wait(h.t.Context(), a.ID)
	require.NoError(h.t, err)
	return a
}

func kinds(activities []access.Activity) (kinds []access.ActivityKind) {
	for _, a := range activities {
		kinds = append(kinds, a.Kind)
	}
	return kinds
}
