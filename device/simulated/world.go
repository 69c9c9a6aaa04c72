package simulated

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Options configures a [World].
type Options struct {
	// Seed determines everything that is random.
	Seed uint64

	// Now is the clock. The default is time.Now.
	Now func() time.Time

	// Life lets batteries drain, doors open and temperatures change in every Step.
	Life bool

	// KeepCalls is the number of calls that Calls returns, the newest ones. The default is 10,000.
	KeepCalls int
}

// World holds simulated accounts and devices.
type World struct {
	options Options

	mu      sync.Mutex
	logins  map[string]*login
	devices map[string]*simulatedDevice // by id, which is unique in the world
	order   []string                    // ids in the order in which the devices were added
	chances Chances
	stepped time.Time // time of the last Step
	random  *rand.Rand
	record  record
}

// Login is a customer's login at the simulated provider.
type Login struct {
	User     string
	Password string

	// SecondFactor is a code that Connect asks for after the password. If it is empty, Connect asks for the password only.
	SecondFactor string

	// AccountID is the external id of the account. The default is User.
	AccountID string
}

type login struct {
	Login
	revoked   int // how often the sessions of the login were revoked
	outage    bool
	failAfter int // the next inventory fails after so many devices; -1 for no failure
	conns     map[*conn]struct{}
}

// simulatedDevice is a device of a world. The provider knows only what the device reported: seen and seenSlots.
type simulatedDevice struct {
	user      string
	info      device.Device // State is the true state
	slots     []device.Slot // the true slots
	seen      device.State
	seenSlots []device.Slot
	seenAt    time.Time
	faults    Faults
	held      chan struct{} // closed by the release function of Hold; nil if the device is not held
	late      []func()      // commands whose callers went away while the device was held
	random    *rand.Rand
}

// New returns an empty world.
func New(o Options) *World {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KeepCalls <= 0 {
		o.KeepCalls = 10_000
	}
	return &World{
		options: o, logins: map[string]*login{}, devices: map[string]*simulatedDevice{},
		random: rand.New(rand.NewPCG(o.Seed, 0)), stepped: o.Now(), record: record{keep: o.KeepCalls, running: map[string][]int{}},
	}
}

// AddLogin adds a login, or replaces the login of the same user, which keeps its devices. A new password ends its
// sessions, see [World.Revoke].
func (w *World) AddLogin(l Login) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.AccountID == "" {
		l.AccountID = l.User
	}
	if old := w.logins[l.User]; old != nil {
		changed := old.Password != l.Password
		old.Login = l
		if changed {
			w.revoke(old)
		}
		return
	}
	w.logins[l.User] = &login{Login: l, failAfter: -1, conns: map[*conn]struct{}{}}
}

// Account returns an account as Connect would return it to the customer who logs in as user.
func (w *World) Account(user string) device.Account {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.account(w.login(user))
}

// AddDevice adds a device to a login. Open connections of the login receive Resync. The state of d is its true state,
// and is reported to the provider; Online is ignored. It panics if d is invalid or its id exists in the world.
func (w *World) AddDevice(user string, d device.Device) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.login(user)
	d = clone(d)
	d.State.Online = device.Known(true)
	if err := d.Check(); err != nil {
		panic(fmt.Sprintf("simulated: AddDevice: %v", err))
	}
	if w.devices[d.ID] != nil {
		panic(fmt.Sprintf("simulated: AddDevice: the world already has a device %q", d.ID))
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(d.ID))
	added := &simulatedDevice{user: user, info: d, random: rand.New(rand.NewPCG(w.options.Seed, hash.Sum64()))}
	if d.Codes != nil {
		for i := range d.Codes.Slots {
			added.slots = append(added.slots, device.Slot{Index: i + 1, State: device.SlotEmpty})
		}
	}
	w.devices[d.ID] = added
	w.order = append(w.order, d.ID)
	added.see(w.options.Now())
	l.emit(device.Event{Kind: device.Resync})
}

// RemoveDevice removes a device, as if the customer had unpaired it. Open connections receive Resync.
func (w *World) RemoveDevice(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.device(id)
	d.late = nil
	delete(w.record.running, id)
	d.release()
	delete(w.devices, id)
	w.order = slices.DeleteFunc(w.order, func(other string) bool { return other == id })
	w.logins[d.user].emit(device.Event{Kind: device.Resync})
}

// ChangeDevice calls change with a description of the device, and applies what it changed, except the id, the number of
// slots and the state. Open connections receive Resync. It panics if the result is invalid.
func (w *World) ChangeDevice(id string, change func(*device.Device)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.device(id)
	changed := clone(d.info)
	change(&changed)
	changed.ID, changed.State = id, d.info.State
	if changed.Codes != nil {
		changed.Codes.Slots = len(d.slots)
	}
	if err := changed.Check(); err != nil {
		panic(fmt.Sprintf("simulated: ChangeDevice: %v", err))
	}
	d.info = changed
	w.logins[d.user].emit(device.Event{Kind: device.Resync})
}

// Devices returns the ids of the devices of a login in the order in which they were added.
func (w *World) Devices(user string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.devicesOf(user)
}

// Device returns a device with its true state.
func (w *World) Device(id string) device.Device {
	w.mu.Lock()
	defer w.mu.Unlock()
	return clone(w.device(id).info)
}

// Slots returns the true slots of a lock, with the PINs of all codes.
func (w *World) Slots(id string) []device.Slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.device(id).slots)
}

// Users returns the users of all logins, sorted.
func (w *World) Users() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.logins))
}

func (w *World) login(user string) *login {
	l := w.logins[user]
	if l == nil {
		panic(fmt.Sprintf("simulated: the world has no login of user %q", user))
	}
	return l
}

func (w *World) device(id string) *simulatedDevice {
	d := w.devices[id]
	if d == nil {
		panic(fmt.Sprintf("simulated: the world has no device %q", id))
	}
	return d
}

func (w *World) devicesOf(user string) []string {
	return slices.DeleteFunc(slices.Clone(w.order), func(id string) bool { return w.devices[id].user != user })
}

// clone returns a copy of d that shares nothing with it.
func clone(d device.Device) device.Device {
	d.Capabilities = slices.Clone(d.Capabilities)
	if d.Climate != nil {
		c := *d.Climate
		c.Modes, c.FanModes = slices.Clone(c.Modes), slices.Clone(c.FanModes)
		c.Heating, c.Cooling = cloneRange(c.Heating), cloneRange(c.Cooling)
		d.Climate = &c
	}
	if d.Codes != nil {
		c := *d.Codes
		c.Lengths, c.Constraints = slices.Clone(c.Lengths), slices.Clone(c.Constraints)
		d.Codes = &c
	}
	return d
}

func cloneRange(r *device.Range) *device.Range {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}
