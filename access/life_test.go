package access_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// modelDevice is a device that an account of the model has listed.
type modelDevice struct {
	spaces     map[string]bool       // shared, by space
	commanded  time.Time             // the last time
	operations bounds                // activities that no command of the customer caused
	online     device.Optional[bool] // as it was stored at the last quiet moment
}

// modelAccount is an account of the model.
type modelAccount struct {
	id      uuid.UUID
	user    string
	devices map[string]*modelDevice
	deleted map[string]bool   // devices that were deleted and that the account has not listed since
	history map[uuid.UUID]int // activities of a device before it was deleted
}

func (a *modelAccount) device(id string) *modelDevice {
	if a.devices[id] == nil {
		a.devices[id] = &modelDevice{spaces: map[string]bool{}}
	}
	return a.devices[id]
}

// life is a random sequence of operations on two customers, two logins and their devices, and a model of the expected state.
type life struct {
	*hotel
	random *rand.Rand
	stop   func()

	customers map[string]map[string]*modelAccount // by customer and user
	spaces    map[string]map[string]bool          // by customer
	revoked   map[string]bool                     // by user: nobody has connected it since
	outage    map[string]bool
	unsettled map[string]bool   // by user: an outage since the last quiet moment
	devices   map[string]string // user by device in the world
	attempts  map[uuid.UUID]*modelAttempt
	accounts  map[string]map[uuid.UUID]bool // that a customer has connected, by customer
	gone      map[string][]uuid.UUID        // attempts of the deleted customers with this key
	log       []string
}

// TestLife_RandomOperations_MatchModel connects accounts, adds, maps and removes devices, sends commands, loses accounts and
// connections, deletes spaces, devices, accounts and customers and creates some of them again, and restarts the service. The results
// of commands must be those of the model, and at every quiet moment also the stored state and the activities.
func TestLife_RandomOperations_MatchModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testsize.Pick(2, 6, 12)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { live(t, seed) })
		})
	}
}

func live(t *testing.T, seed uint64) {
	l := &life{
		hotel: newHotel(t, memory.New()), random: rand.New(rand.NewPCG(seed, 2)),
		customers: map[string]map[string]*modelAccount{}, spaces: map[string]map[string]bool{}, revoked: map[string]bool{},
		outage: map[string]bool{}, unsettled: map[string]bool{}, devices: map[string]string{}, attempts: map[uuid.UUID]*modelAttempt{},
		accounts: map[string]map[uuid.UUID]bool{}, gone: map[string][]uuid.UUID{},
	}
	l.world.AddLogin(simulated.Login{User: "bob", Password: password})
	for _, customer := range []string{"c0", "c1"} {
		l.create(customer)
	}
	l.stop = start(t, l.svc)
	defer func() { l.stop() }()
	defer func() {
		if t.Failed() {
			t.Log(l.log)
		}
	}()
	operations := []func(){
		l.connect, l.connect, l.connect, l.addDevice, l.addDevice, l.addDevice, l.addDevice, l.removeDevice, l.mapDevice, l.mapDevice, l.mapDevice,
		l.commands, l.commands, l.commands, l.commands, l.commands, l.slowCommands, l.operate, l.operate, l.fault, l.cut, l.revoke, l.report, l.report, l.deleteSpace, l.restoreSpace,
		l.deleteDevice, l.relist, l.deleteAccount, l.deleteCustomer, l.restart,
	}
	for range testsize.Pick(8, 30, 80) {
		for range 1 + l.random.IntN(12) {
			operations[l.random.IntN(len(operations))]()
			if l.random.IntN(3) == 0 {
				time.Sleep(time.Duration(l.random.IntN(30)) * time.Second)
			}
			synctest.Wait() // the model knows what the service has seen
		}
		l.quiet()
		l.compare()
	}
}

func (l *life) note(format string, args ...any) { l.log = append(l.log, fmt.Sprintf(format, args...)) }

func (l *life) of(customer string) *access.Scope {
	return l.svc.Workspace(workspaceID).Customer(customer)
}

func pick[T any](random *rand.Rand, of []T) (v T, ok bool) {
	if len(of) == 0 {
		return v, false
	}
	return of[random.IntN(len(of))], true
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (l *life) customer() string { c, _ := pick(l.random, sorted(l.customers)); return c }

func (l *life) user() string { u, _ := pick(l.random, l.world.Users()); return u }

// create creates a customer. A customer that was deleted gets the same keys again.
func (l *life) create(customer string) {
	d := data.CustomerData{CustomerKey: customer}
	l.spaces[customer] = map[string]bool{}
	for i := range 3 {
		key := fmt.Sprintf("%s-%d", customer, i)
		d.Spaces = append(d.Spaces, data.Room(key, "Room "+key))
		l.spaces[customer][key] = true
	}
	_, err := l.ws.Push(l.t.Context(), d)
	require.NoError(l.t, err)
	l.customers[customer] = map[string]*modelAccount{}
	l.accounts[customer] = map[uuid.UUID]bool{}
}

// restoreSpace creates a space that was deleted.
func (l *life) restoreSpace() {
	customer := l.customer()
	key := fmt.Sprintf("%s-%d", customer, l.random.IntN(3))
	if !l.spaces[customer][key] {
		l.note("restore space %s", key)
		_, err := l.ws.Push(l.t.Context(), data.CustomerData{CustomerKey: customer, Spaces: []data.Space{data.Room(key, "Room "+key)}})
		require.NoError(l.t, err)
		l.spaces[customer][key] = true
	}
}

func (l *life) connect() {
	customer, user := l.customer(), l.user()
	if l.outage[user] {
		return
	}
	l.note("connect %s to %s", user, customer)
	a := connect(l.t, l.of(customer), user)
	if old := l.customers[customer][user]; old != nil {
		require.Equal(l.t, old.id, a.ID)
	} else {
		l.customers[customer][user] = &modelAccount{
			id: a.ID, user: user, devices: map[string]*modelDevice{}, deleted: map[string]bool{}, history: map[uuid.UUID]int{},
		}
		require.False(l.t, l.accounts[customer][a.ID], "an account that was deleted has this id")
		l.accounts[customer][a.ID] = true
	}
	if l.revoked[user] { // connecting one account does not repair that of another customer
		for other, accounts := range l.customers {
			if accounts[user] != nil && other != customer {
				connect(l.t, l.of(other), user)
			}
		}
	}
	l.revoked[user] = false
}

func (l *life) addDevice() {
	id, user := fmt.Sprint("d", l.random.IntN(8)), l.user()
	if l.devices[id] != "" {
		return
	}
	l.add(id, user)
}

func (l *life) add(id, user string) {
	l.note("add %s to %s", id, user)
	l.world.AddDevice(user, simulated.Lock(id, "Lock "+id))
	l.devices[id] = user
	for _, accounts := range l.customers {
		if own := accounts[user]; own != nil {
			delete(own.deleted, id)
		}
	}
}

func (l *life) removeDevice() {
	if id, ok := pick(l.random, sorted(l.devices)); ok {
		l.remove(id)
	}
}

func (l *life) remove(id string) {
	l.note("remove %s", id)
	l.world.RemoveDevice(id)
	delete(l.devices, id)
}

// stored returns a random device that the service has stored.
func (l *life) stored() (customer string, own *modelAccount, d access.Device, ok bool) {
	customer = l.customer()
	page, err := l.of(customer).Devices(l.t.Context(), access.DeviceQuery{Limit: 1000})
	require.NoError(l.t, err)
	if d, ok = pick(l.random, page.Items); !ok {
		return
	}
	for _, a := range l.customers[customer] {
		if a.id == d.AccountID {
			own = a
		}
	}
	require.NotNil(l.t, own)
	own.device(d.ExternalID)
	return customer, own, d, true
}

func (l *life) mapDevice() {
	customer, own, d, ok := l.stored()
	space, hasSpace := pick(l.random, sorted(l.spaces[customer]))
	if !ok || !hasSpace {
		return
	}
	m := access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: space, Shared: l.random.IntN(2) == 0}}
	if l.random.IntN(4) == 0 {
		l.note("unmap %s of %s from %s", d.ExternalID, customer, space)
		_, err := l.of(customer).Unmap(l.t.Context(), m)
		require.NoError(l.t, err)
		delete(own.devices[d.ExternalID].spaces, space)
		return
	}
	l.note("map %s of %s to %s", d.ExternalID, customer, space)
	_, err := l.of(customer).Map(l.t.Context(), m)
	require.NoError(l.t, err)
	own.devices[d.ExternalID].spaces[space] = m.Shared
}

func (l *life) fault() {
	if id, ok := pick(l.random, sorted(l.devices)); ok {
		l.setFaults(id)
	}
}

func (l *life) setFaults(id string) {
	f := simulated.Faults{Offline: l.random.IntN(3) == 0, Mute: l.random.IntN(3) == 0, Deaf: l.random.IntN(3) == 0}
	l.note("faults of %s: %+v", id, f)
	l.world.SetFaults(id, f)
}

func (l *life) cut() {
	user := l.user()
	l.outage[user], l.unsettled[user] = !l.outage[user], true
	l.note("outage of %s: %v", user, l.outage[user])
	l.world.SetOutage(user, l.outage[user])
}

func (l *life) revoke() {
	user := l.user()
	l.note("revoke %s", user)
	l.world.Revoke(user)
	l.revoked[user] = true
}

func (l *life) report() {
	if id, ok := pick(l.random, sorted(l.devices)); ok {
		l.world.SetState(id, func(s *device.State) {
			s.Battery, s.DoorOpen = device.Known(float64(l.random.IntN(101))/100), device.Known(l.random.IntN(2) == 0)
		})
	}
}

func (l *life) deleteSpace() {
	customer := l.customer()
	if space, ok := pick(l.random, sorted(l.spaces[customer])); ok {
		l.note("delete space %s", space)
		_, err := l.ws.Delete(l.t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, space)})
		require.NoError(l.t, err)
		delete(l.spaces[customer], space)
		for _, a := range l.customers[customer] {
			for _, d := range a.devices {
				delete(d.spaces, space)
			}
		}
	}
}

func (l *life) deleteAccount() {
	customer := l.customer()
	if user, ok := pick(l.random, sorted(l.customers[customer])); ok && l.random.IntN(2) == 0 {
		l.note("delete account %s of %s", user, customer)
		_, err := l.of(customer).DeleteAccount(l.t.Context(), l.customers[customer][user].id)
		require.NoError(l.t, err)
		delete(l.customers[customer], user)
	}
}

func (l *life) deleteCustomer() {
	if l.random.IntN(3) > 0 {
		return
	}
	customer := l.customer()
	l.note("delete customer %s", customer)
	_, err := l.ws.Delete(l.t.Context(), data.Selection{CustomerKeys: []string{customer}})
	require.NoError(l.t, err)
	maps.DeleteFunc(l.attempts, func(id uuid.UUID, a *modelAttempt) bool {
		if a.customer == customer {
			l.gone[customer] = append(l.gone[customer], id)
		}
		return a.customer == customer
	})
	l.create(customer)
}

func (l *life) restart() {
	l.note("restart")
	l.stop()
	time.Sleep(time.Second) // the order of activities of two services is that of the clock
	l.svc, _ = l.service(fmt.Sprint("service", len(l.log)), access.Options{})
	l.stop = start(l.t, l.svc)
}

// quiet ends all faults of the provider and waits until the service has noticed.
func (l *life) quiet() {
	for user := range l.outage {
		l.outage[user] = false
		l.world.SetOutage(user, false)
	}
	time.Sleep(10 * time.Minute) // longer than the longest pause before a connection is opened again
	synctest.Wait()
	clear(l.unsettled)
}
