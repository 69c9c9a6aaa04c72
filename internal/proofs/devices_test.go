package proofs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// hub is the memory of the devices of the simulated hub when a process is killed. A command has taken effect if its call has begun.
type hub struct {
	Devices []hubDevice
	Next    int // the number of the next command
}

// hubDevice is a lock or a thermostat.
type hubDevice struct {
	ID     string
	Locked bool
	Heat   float64 // the set point of a thermostat, or 0
}

const (
	hubUser        = "anna"
	commandsInLife = 200
	setPointStep   = 1.0 / 1024 // all commands to thermostats differ
)

var hubWorkspace = uuid.UUID{7}

// hubCustomers have connected the same hub.
var hubCustomers = []string{"c0", "c1"}

func hubFile(dir string) string { return dir + "-hub.json" }

// world returns the simulated world of the hub.
func (h hub) world() *simulated.World {
	w := simulated.New(simulated.Options{Seed: 1})
	w.AddLogin(simulated.Login{User: hubUser, Password: "password"})
	for _, d := range h.Devices {
		addToWorld(w, d)
	}
	return w
}

func addToWorld(w *simulated.World, d hubDevice) {
	if d.Heat == 0 {
		lock := simulated.Lock(d.ID, d.ID)
		lock.State.Locked = device.Known(d.Locked)
		w.AddDevice(hubUser, lock)
		return
	}
	thermostat := simulated.Thermostat(d.ID, d.ID)
	thermostat.State.HeatingSetPoint = device.Known(d.Heat)
	w.AddDevice(hubUser, thermostat)
}

// reportingProvider calls report at the begin of each command.
type reportingProvider struct {
	device.Provider
	report func(id string, c device.Command)
}

func (p reportingProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return reportingConn{conn, p}, nil
}

type reportingConn struct {
	device.Conn
	p reportingProvider
}

func (c reportingConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	c.p.report(id, command)
	return c.Conn.Do(ctx, id, command)
}

// deviceService returns a service for the hub on a store.
func deviceService(store storage.Store, w *simulated.World, report func(string, device.Command)) (*access.Service, *data.Workspace, error) {
	ring, err := keys.New(0, map[int][]byte{0: bytes.Repeat([]byte{1, 7}, keys.MasterBytes/2)})
	if err != nil {
		return nil, nil, err
	}
	db := data.Open(store, data.Options{})
	svc, err := access.New(db, access.Options{
		Keys: ring, Providers: []device.Provider{reportingProvider{w.Provider("hub"), report}},
		Lease: 3 * time.Second, CallTimeout: time.Second, Poll: 50 * time.Millisecond,
	})
	return svc, db.Workspace(hubWorkspace), err
}

// connectHub connects the hub to a customer, or connects it again.
func connectHub(ctx context.Context, scope *access.Scope) (uuid.UUID, error) {
	pane, err := scope.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret(hubUser), "password": device.NewSecret("password"),
	}})
	if err != nil {
		return uuid.Nil, err
	}
	return pane.Account.ID, nil
}

// deviceWorker is the program that is killed. Its goroutines connect the hub, add devices to it, map devices, and give commands.
type deviceWorker struct {
	hub   hub
	world *simulated.World
	ws    *data.Workspace
	svc   *access.Service
}

// workOnDevices prints "call" when a command is sent, "attempt" when one is accepted, "ended" with the result that a caller of Wait
// gets, "add" before a device appears, "listed" when the service knows it, "mapping" before a mapping changes, and "mapped" after it.
func workOnDevices(dir string, seed uint64) {
	ctx := context.Background()
	printLine("opening")
	file, err := os.ReadFile(hubFile(dir))
	must(err)
	w := &deviceWorker{}
	must(json.Unmarshal(file, &w.hub))
	store, err := openSmall(dir)
	must(err)
	w.world = w.hub.world()
	w.svc, w.ws, err = deviceService(reportingStore{store}, w.world, func(id string, c device.Command) {
		text, err := json.Marshal(c)
		must(err)
		printLine("call %s %s", id, text)
	})
	must(err)
	for _, customer := range hubCustomers {
		d := data.CustomerData{CustomerKey: customer}
		for i := range 3 {
			key := fmt.Sprintf("%s-room%d", customer, i)
			d.Spaces = append(d.Spaces, data.Room(key, key))
		}
		_, err := w.ws.Push(ctx, d)
		must(err)
		must(w.connect(ctx, customer))
	}
	var all sync.WaitGroup
	all.Go(func() { must(w.svc.Run(ctx)) })
	for i, work := range []func(context.Context, *rand.Rand) error{w.command, w.command, w.mapDevices, w.discover} {
		all.Go(func() { must(work(ctx, rand.New(rand.NewPCG(seed, uint64(i))))) })
	}
	all.Wait()
}

func (w *deviceWorker) connect(ctx context.Context, customer string) error {
	id, err := connectHub(ctx, w.scope(customer))
	if err == nil {
		printLine("connected %s %s", customer, id)
	}
	return err
}

func (w *deviceWorker) scope(customer string) *access.Scope {
	return w.svc.Workspace(hubWorkspace).Customer(customer)
}

// device returns a random device of a random customer. It waits until there is one.
func (w *deviceWorker) device(ctx context.Context, random *rand.Rand) (d access.Device, err error) {
	for {
		page, err := w.scope(hubCustomers[random.IntN(len(hubCustomers))]).Devices(ctx, access.DeviceQuery{Limit: 1000})
		if err != nil {
			return d, err
		}
		if len(page.Items) > 0 {
			return page.Items[random.IntN(len(page.Items))], nil
		}
		time.Sleep(time.Millisecond)
	}
}

var nextCommand struct {
	sync.Mutex
	n int
}

// command gives commands and waits for the results of most of them.
func (w *deviceWorker) command(ctx context.Context, random *rand.Rand) error {
	for {
		d, err := w.device(ctx, random)
		if err != nil {
			return err
		}
		nextCommand.Lock()
		n := nextCommand.n
		nextCommand.n++
		nextCommand.Unlock()
		if n >= commandsInLife { // the parent kills the process before
			select {}
		}
		command := device.Command{Kind: []device.CommandKind{device.Lock, device.Unlock}[random.IntN(2)]}
		if d.Can(device.CanSetClimate) {
			heat := 7 + float64(w.hub.Next+n)*setPointStep
			command = device.Command{Kind: device.SetClimate, Climate: device.Climate{HeatingSetPoint: device.Known(heat)}}
		}
		a, err := w.scope(d.CustomerKey).Do(ctx, d.ID, command, data.Actor{}, time.Duration(5+random.IntN(25))*time.Second)
		if err != nil {
			return err
		}
		printLine("attempt %s %s", d.CustomerKey, a.ID)
		if random.IntN(4) == 0 {
			continue
		}
		if a, err = w.scope(d.CustomerKey).Wait(ctx, a.ID); err != nil {
			return err
		}
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		printLine("ended %s", text)
	}
}

// mapDevices maps devices to rooms and removes mappings.
func (w *deviceWorker) mapDevices(ctx context.Context, random *rand.Rand) error {
	for {
		d, err := w.device(ctx, random)
		if err != nil {
			return err
		}
		scope, mapped := w.scope(d.CustomerKey), random.IntN(3) > 0
		m := access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: fmt.Sprintf("%s-room%d", d.CustomerKey, random.IntN(3))}}
		printLine("mapping %s %s %s %v", d.CustomerKey, d.ID, m.SpaceKey, mapped)
		if mapped {
			_, err = scope.Map(ctx, m)
		} else {
			_, err = scope.Unmap(ctx, m)
		}
		if err != nil {
			return err
		}
		printLine("mapped")
	}
}

// discover adds devices to the hub and waits until the service lists them. It connects the hub again from time to time.
func (w *deviceWorker) discover(ctx context.Context, random *rand.Rand) error {
	for i := 0; ; i++ {
		added := hubDevice{ID: fmt.Sprintf("d%d-%d", w.hub.Next, i), Locked: true}
		if random.IntN(2) == 0 {
			added.Heat = 20
		}
		printLine("add %s %v", added.ID, added.Heat)
		addToWorld(w.world, added)
		for _, customer := range hubCustomers {
			id, err := w.listed(ctx, customer, added.ID)
			if err != nil {
				return err
			}
			printLine("listed %s %s", customer, id)
		}
		if random.IntN(3) == 0 {
			if err := w.connect(ctx, hubCustomers[random.IntN(len(hubCustomers))]); err != nil {
				return err
			}
		}
	}
}

// listed waits until the service lists a device.
func (w *deviceWorker) listed(ctx context.Context, customer, externalID string) (uuid.UUID, error) {
	for {
		page, err := w.scope(customer).Devices(ctx, access.DeviceQuery{Limit: 1000})
		if err != nil {
			return uuid.Nil, err
		}
		for _, d := range page.Items {
			if d.ExternalID == externalID {
				return d.ID, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
}
