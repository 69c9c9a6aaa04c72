package proofs

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// doors are the locks when a process is killed. Two customers have connected the hub to which all of them belong.
type doors struct {
	Shift time.Duration               // of the clock
	Slots map[string]map[int]doorSlot // the occupied slots by lock
	Late  []doorCall                  // of the killed process, which the hub carries out while the next one starts
	Life  int                         // the number of the process
}

// doorSlot is a code on a lock, or what is written to a slot. An empty PIN clears the slot.
type doorSlot struct {
	Index            int
	PIN, Name        string
	StartsAt, EndsAt time.Time
}

// doorCall is a call that changes a slot.
type doorCall struct {
	Lock  string
	Slot  doorSlot
	After time.Duration // since the start of the process that carries it out; 0 for before the service starts
}

const (
	doorSlots  = 12 // more than there are access grants
	codesLease = 3 * time.Second
	codesCall  = time.Second // the longest call of a driver
)

var doorCustomers = []string{"c0", "c1"}

// doorSpaces are the spaces of a customer in which locks are. The last one is an entrance.
var doorSpaces = []string{"room0", "room1", "native", "hidden", "lobby"}

func doorOf(customer, space string) string  { return "lock-" + customer + "-" + space }
func spaceOf(customer, space string) string { return customer + "-" + space }

// world returns the simulated world of the doors.
func (d *doors) world() *simulated.World {
	w := simulated.New(simulated.Options{Seed: 1, KeepCalls: 10})
	w.AddLogin(simulated.Login{User: hubUser, Password: "password"})
	for _, customer := range doorCustomers {
		for _, space := range doorSpaces {
			lock := simulated.Lock(doorOf(customer, space), space)
			lock.Codes.Slots = doorSlots
			lock.Codes.NativeSchedule = space == "native"
			if space == "hidden" {
				lock.Codes.ReadsPIN, lock.Codes.NameLength = false, 0
			}
			w.AddDevice(hubUser, lock)
			for _, s := range d.Slots[lock.ID] {
				w.WriteCode(lock.ID, s.deviceSlot())
			}
		}
	}
	return w
}

func (s doorSlot) deviceSlot() device.Slot {
	return device.Slot{Index: s.Index, State: device.SlotKnown, PIN: device.NewSecret(s.PIN), Name: s.Name, StartsAt: s.StartsAt, EndsAt: s.EndsAt}
}

// doorProvider reports the calls that change slots: "call" at the begin, and then "set" with a change or "end" without one.
type doorProvider struct {
	device.Provider
	report func(word string, c doorCall)
	fault  func() callFault
	mu     *sync.RWMutex // nobody reads a slot whose change is not reported
}

// callFault is a fault of the radio.
type callFault int

const (
	noFault callFault = iota
	lost              // the driver believes that the lock has the code
	unheard           // the answer is lost
)

func (p doorProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return doorConn{conn, conn.(device.Coder), p}, nil
}

type doorConn struct {
	device.Conn
	coder device.Coder
	p     doorProvider
}

func (c doorConn) Codes(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
	c.p.mu.RLock()
	defer c.p.mu.RUnlock()
	return c.coder.Codes(ctx, id, indexes...)
}

func (c doorConn) SetCode(ctx context.Context, id string, s device.Slot) error {
	own := doorSlot{s.Index, s.PIN.Reveal(), s.Name, s.StartsAt, s.EndsAt}
	return c.change(doorCall{Lock: id, Slot: own}, func() error { return c.coder.SetCode(ctx, id, s) })
}

func (c doorConn) ClearCode(ctx context.Context, id string, index int) error {
	return c.change(doorCall{Lock: id, Slot: doorSlot{Index: index}}, func() error { return c.coder.ClearCode(ctx, id, index) })
}

func (c doorConn) change(call doorCall, do func() error) error {
	c.p.report("call", call)
	fault := c.p.fault()
	if fault == lost {
		c.p.report("end", call)
		return nil
	}
	if err := c.p.carryOut("set", call, do); err != nil {
		c.p.report("end", call)
		return err
	}
	if fault == unheard {
		return device.ErrUnconfirmed
	}
	return nil
}

// carryOut changes a slot and reports it.
func (p doorProvider) carryOut(word string, call doorCall, do func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := do()
	if err == nil {
		p.report(word, call)
	}
	return err
}

// finishLate carries out the calls of the process that was killed before. wait returns when all of them are carried out.
func (d *doors) finishLate(w *simulated.World, p doorProvider) (wait func(), err error) {
	coder, err := p.Provider.Open(context.Background(), w.Account(hubUser))
	if err != nil {
		return nil, err
	}
	var waiting sync.WaitGroup
	for _, call := range d.Late {
		do := func() {
			_ = p.carryOut("late", call, func() error { // the lock can refuse it
				if call.Slot.PIN == "" {
					return coder.(device.Coder).ClearCode(context.Background(), call.Lock, call.Slot.Index)
				}
				return coder.(device.Coder).SetCode(context.Background(), call.Lock, call.Slot.deviceSlot())
			})
		}
		if call.After == 0 {
			do()
			continue
		}
		waiting.Go(func() {
			time.Sleep(call.After)
			do()
		})
	}
	return waiting.Wait, nil
}

// shiftedClock is a clock that can be set forward.
type shiftedClock struct{ shift atomic.Int64 }

func (c *shiftedClock) now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())).UTC() }

// codeService returns a service for the doors on a store.
func codeService(store storage.Store, clock *shiftedClock, p doorProvider) (*access.Service, *data.Workspace, error) {
	ring, err := keys.New(0, map[int][]byte{0: bytes.Repeat([]byte{1, 7}, keys.MasterBytes/2)})
	if err != nil {
		return nil, nil, err
	}
	db := data.Open(store, data.Options{Now: clock.now})
	svc, err := access.New(db, access.Options{
		Keys: ring, Providers: []device.Provider{p}, Lease: codesLease, CallTimeout: codesCall, Poll: 50 * time.Millisecond,
	})
	return svc, db.Workspace(hubWorkspace), err
}

// prepare creates a customer that does not exist, connects the hub and maps its locks.
func prepare(ctx context.Context, svc *access.Service, ws *data.Workspace, customer string) error {
	site := customer + "-site"
	d := data.CustomerData{CustomerKey: customer, Spaces: []data.Space{data.Site(site, site)}}
	for _, space := range doorSpaces {
		key := spaceOf(customer, space)
		d.Spaces = append(d.Spaces, data.Room(key, key).In(site))
	}
	if _, err := ws.Push(ctx, d); err != nil {
		return err
	}
	scope := svc.Workspace(hubWorkspace).Customer(customer)
	accounts, err := scope.Accounts(ctx)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		if _, err := connectHub(ctx, scope); err != nil {
			return err
		}
	}
	var found []access.Device
	for len(found) < len(doorCustomers)*len(doorSpaces) {
		time.Sleep(time.Millisecond)
		page, err := scope.Devices(ctx, access.DeviceQuery{Limit: 1000})
		if err != nil {
			return err
		}
		found = page.Items
	}
	for _, space := range doorSpaces {
		i := slices.IndexFunc(found, func(d access.Device) bool { return d.ExternalID == doorOf(customer, space) })
		if len(found[i].Mappings) == 0 {
			m := access.Mapping{SpaceKey: spaceOf(customer, space), Shared: space == "lobby"}
			if _, err := scope.Map(ctx, access.DeviceMapping{DeviceID: found[i].ID, Mapping: m}); err != nil {
				return err
			}
		}
	}
	return nil
}

// readDoors reads the file of the parent process.
func readDoors(dir string) (d doors, err error) {
	file, err := os.ReadFile(hubFile(dir))
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(file, &d)
}

func printCall(word string, c doorCall) {
	text, err := json.Marshal(c)
	must(err)
	printLine("%s %s", word, text)
}
