package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// hotel is a store, and a hub with a lock for each room. The process of the test is the front desk: it pushes data, gives commands and
// reads, but does no background work. Hosts in other processes do it.
type hotel struct {
	t       *testing.T
	world   *simulated.World
	config  hostConfig
	store   storage.Store
	app     *customerportal.App
	ws      *data.Workspace
	started int

	mu      sync.Mutex
	delayed map[string]*delay // by lock
}

// delay keeps the writes to a lock under way.
type delay struct{ begun, ended chan struct{} }

// delayWrites keeps the writes to a lock under way until release is called. begun is closed when the first one has been sent.
func (h *hotel) delayWrites(lock string) (begun <-chan struct{}, release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &delay{make(chan struct{}), make(chan struct{})}
	h.delayed[lock] = d
	return d.begun, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.delayed, lock)
		close(d.ended)
	})
}

func (h *hotel) delay(lock string) {
	h.mu.Lock()
	d := h.delayed[lock]
	if d != nil {
		select {
		case <-d.begun:
		default:
			close(d.begun)
		}
	}
	h.mu.Unlock()
	if d != nil {
		<-d.ended
	}
}

const (
	hub, hubPassword = "hub", "secret"
	customer         = "customer"
)

// newHotel returns a hotel with the given number of rooms, whose customer has not connected the hub yet.
func newHotel(t *testing.T, rooms int) *hotel {
	t.Helper()
	h := &hotel{t: t, world: simulated.New(simulated.Options{Seed: 1}), delayed: map[string]*delay{}}
	h.world.AddLogin(simulated.Login{User: hub, Password: hubPassword})
	d := data.CustomerData{CustomerKey: customer}
	for room := range rooms {
		l := simulated.Lock(lockOf(room), "Room "+strconv.Itoa(room))
		l.Codes = &device.CodeLimits{Slots: 20, Lengths: []int{6}, ReadsPIN: true}
		h.world.AddDevice(hub, l)
		d.Spaces = append(d.Spaces, data.Room(roomKey(room), l.Name))
	}
	master, err := keys.NewMaster()
	require.NoError(t, err)
	o := postgres.Options{Schema: postgrestest.Options(t).Schema}
	h.config = hostConfig{URL: postgrestest.URL(t), Schema: o.Schema, Devices: serveDevices(t, h.world, h.delay), Master: master}
	h.store = openWith(t, h.config.URL, o)
	h.app, err = newApp(h.store, master, h.world.Provider("front desk"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	h.ws = h.app.DB.Workspace(uuid.New())
	h.push(d)
	return h
}

func lockOf(room int) string  { return "lock " + strconv.Itoa(room) }
func roomKey(room int) string { return "room " + strconv.Itoa(room) }

// start starts a host.
func (h *hotel) start() *host {
	h.t.Helper()
	h.started++
	c := h.config
	c.Name = "process " + strconv.Itoa(h.started)
	return startHost(h.t, c)
}

func (h *hotel) scope(customer string) *access.Scope {
	return h.app.Access.Workspace(h.ws.ID()).Customer(customer)
}

func (h *hotel) push(d data.CustomerData) {
	h.t.Helper()
	_, err := h.ws.Push(h.t.Context(), d)
	require.NoError(h.t, err)
}

func (h *hotel) delete(s data.Selection) {
	h.t.Helper()
	_, err := h.ws.Delete(h.t.Context(), s)
	require.NoError(h.t, err)
}

// connect connects the hub for a customer, and waits until a host has listed its locks.
func (h *hotel) connect(customer string) {
	h.t.Helper()
	_, err := h.scope(customer).Connect(h.t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret(hub), "password": device.NewSecret(hubPassword),
	}})
	require.NoError(h.t, err)
	h.eventually(func() string {
		if got, want := len(h.devices(customer)), len(h.world.Devices(hub)); got != want {
			return fmt.Sprintf("%s has %d of %d locks", customer, got, want)
		}
		return ""
	})
}

// devices returns the ids of the devices of a customer by their ids in the world.
func (h *hotel) devices(customer string) map[string]uuid.UUID {
	h.t.Helper()
	page, err := h.scope(customer).Devices(h.t.Context(), access.DeviceQuery{Limit: 1000})
	require.NoError(h.t, err)
	ids := map[string]uuid.UUID{}
	for _, d := range page.Items {
		ids[d.ExternalID] = d.ID
	}
	return ids
}

// mapLocks maps each lock to a room of a customer.
func (h *hotel) mapLocks(customer string, room func(int) string) {
	h.t.Helper()
	ids := h.devices(customer)
	var mappings []access.DeviceMapping
	for i := range len(ids) {
		mappings = append(mappings, access.DeviceMapping{DeviceID: ids[lockOf(i)], Mapping: access.Mapping{SpaceKey: room(i)}})
	}
	_, err := h.scope(customer).Map(h.t.Context(), mappings...)
	require.NoError(h.t, err)
}

// stayOf returns a stay in a room, which has begun.
func stayOf(key, space string, ends time.Time) data.AccessGrant {
	return data.AccessGrant{
		Kind: data.KindReservation, Key: key, StartsAt: time.Now().Add(-time.Hour), EndsAt: ends, Spaces: []data.Ref{{Kind: data.KindSpace, Key: space}},
	}
}

// lease returns the token of the process that serves the hub, or an empty text.
func (h *hotel) lease() (token string) {
	h.t.Helper()
	key := layout.Lease("customerportal/access/" + simulated.Key + "/" + strconv.Quote(hub))
	require.NoError(h.t, h.store.View(h.t.Context(), func(r storage.Reader) error {
		values, err := r.Get(h.t.Context(), key)
		if err == nil && values[0] != nil {
			token = string(values[0][:16])
		}
		return err
	}))
	return token
}

// calls returns the calls of a method so far, of all devices if no device is given.
func (h *hotel) calls(method string, devices ...string) []simulated.Call {
	return slices.DeleteFunc(h.world.Calls(), func(c simulated.Call) bool {
		return c.Method != method || len(devices) > 0 && !slices.Contains(devices, c.Device)
	})
}

// slots returns the PINs on a lock by slot.
func (h *hotel) slots(lock string) map[int]string {
	pins := map[int]string{}
	for _, s := range h.world.Slots(lock) {
		if s.Occupied() {
			pins[s.Index] = s.PIN.Reveal()
		}
	}
	return pins
}

// eventually waits until a difference, described by diff, is empty.
func (h *hotel) eventually(diff func() string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		d := diff()
		if d == "" {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			require.FailNow(h.t, "nothing changes any more", "%s", d)
		}
	}
}

// codesDiffer compares the locks with the stays, given by key with their rooms, of a customer. Each stay must have one code, which is in the
// slot of its lock that the library lists. The locks must hold nothing else than these codes and those of other people.
func (h *hotel) codesDiffer(customer string, stays map[string]int, others map[string]map[int]string) string {
	h.t.Helper()
	page, err := h.scope(customer).Codes(h.t.Context(), access.CodeQuery{Limit: 1000})
	require.NoError(h.t, err)
	if page.Next != "" || len(page.Items) != len(stays) {
		return fmt.Sprintf("%d codes for %d stays", len(page.Items), len(stays))
	}
	ids := h.devices(customer)
	want := map[string]map[int]string{}
	for _, c := range page.Items {
		room, ok := stays[c.Subject.Key]
		if !ok || c.DeviceID != ids[lockOf(room)] || c.Status != access.CodeSet {
			return fmt.Sprintf("the code of %s is %s: %v", c.Subject.Key, c.Status, c.Errors)
		}
		if want[lockOf(room)] == nil {
			want[lockOf(room)] = map[int]string{}
		}
		want[lockOf(room)][c.Slot] = c.PIN.Reveal()
	}
	for _, lock := range h.world.Devices(hub) {
		of := map[int]string{}
		for _, pins := range []map[int]string{want[lock], others[lock]} {
			for slot, pin := range pins {
				if of[slot] != "" {
					return fmt.Sprintf("two codes have slot %d of %s", slot, lock)
				}
				of[slot] = pin
			}
		}
		if got := h.slots(lock); fmt.Sprint(got) != fmt.Sprint(of) {
			return fmt.Sprintf("%s has %v and should have %v", lock, got, of)
		}
	}
	return ""
}

// requireSound checks that all rows of the store are consistent.
func (h *hotel) requireSound() {
	h.t.Helper()
	report, err := h.app.DB.VerifyStore(h.t.Context())
	require.NoError(h.t, err)
	require.Zero(h.t, report.Damages, "%+v", report)
}
