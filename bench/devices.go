package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage"
)

// deviceRows counts the rows that package access writes while each device reports a new state every second for a minute, and while
// all of them report again after the connection was lost, and measures the greatest live heap in this time. The values have
// limits: the program fails if one is exceeded. The clock is simulated.
func deviceRows(ctx context.Context, b *bench) (rows []row, err error) {
	n := b.size(1000, 50)
	for _, accounts := range []int{1, b.size(10, 2)} {
		for _, on := range []string{"memory", "badger"} {
			name := fmt.Sprintf("%s, %d accounts", on, accounts)
			if accounts == 1 {
				name = on + ", one account"
			}
			b.progress("  %s", name)
			more, err := b.fleetRows(ctx, name, on, n, accounts)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			rows = append(rows, more...)
		}
	}
	return rows, nil
}

func (b *bench) fleetRows(ctx context.Context, name, on string, n, accounts int) (_ []row, err error) {
	store, err := b.openEmpty(on)
	if err != nil {
		return nil, err
	}
	defer closeInto(&err, store)
	f, err := newFleet(ctx, store, n, accounts)
	if err != nil {
		return nil, err
	}
	heap := sampleHeap(5 * time.Millisecond)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.svc.Run(running) }()
	err = f.measure(ctx)
	stop()
	if stopped := <-ended; err == nil && !errors.Is(stopped, context.Canceled) {
		err = stopped
	}
	used, samples := heap.stop()
	if err != nil {
		return nil, err
	}
	// A state is stored at most once a minute for each device. The inventory does not change.
	limit := func(work string, measured, reports int) row {
		return row{
			work: fmt.Sprintf("%s: rows of states and devices, %s", name, work), against: "a row for each device", limit: true,
			goal: atMost(1), measured: once(float64(measured) / float64(n)), detail: fmt.Sprintf("%d rows for %d reports", measured, reports),
		}
	}
	most := 4*1024 + 16*n // KiB; a collection also counts what is allocated while it runs
	return []row{
		limit(fmt.Sprintf("%d devices report every second for a minute", n), f.minute, 60*n),
		limit("all report after a lost connection", f.again, 2*n),
		{
			work: fmt.Sprintf("%s: greatest live heap of the running service", name), against: "4 MiB and 16 KiB for each device", limit: !b.short,
			goal: goal{atMost: float64(most), unit: "KiB"}, measured: once(float64(used) / 1024), detail: fmt.Sprintf("%d samples after a collection", samples),
		},
	}, nil
}

// heapSampler samples the live heap.
type heapSampler struct {
	done    chan struct{}
	ended   sync.WaitGroup
	before  uint64
	most    uint64
	samples int
}

// liveHeap returns the number of bytes of the objects that a collection has found to be live.
func liveHeap() uint64 {
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}

// sampleHeap starts to collect garbage all the time, with pauses. It remembers the greatest live heap.
func sampleHeap(pause time.Duration) *heapSampler {
	runtime.GC() // finalizers
	s := &heapSampler{done: make(chan struct{}), before: liveHeap()}
	s.ended.Go(func() {
		for {
			s.most = max(s.most, liveHeap())
			s.samples++
			select {
			case <-s.done:
				return
			case <-time.After(pause):
			}
		}
	})
	return s
}

// stop returns the greatest live heap in addition to that at the start, and the number of samples.
func (s *heapSampler) stop() (used uint64, samples int) {
	close(s.done)
	s.ended.Wait()
	return s.most - min(s.most, s.before), s.samples
}

// stopAbove returns by how much the greatest live heap exceeded that at the end.
func (s *heapSampler) stopAbove() uint64 {
	close(s.done)
	s.ended.Wait()
	return s.most - min(s.most, liveHeap())
}

// fleet is a store with the devices of simulated accounts. Each account also has locks, its markers, whose states are stored at once,
// which shows that the events before them are handled.
type fleet struct {
	world *simulated.World
	svc   *access.Service
	scope *access.Scope
	store *deviceRowCounter
	users []string
	ids   []string // without the markers; those of an account are not neighbours
	turn  int      // of the markers

	mu            sync.Mutex
	at            time.Time
	minute, again int
}

// markersEach is the number of markers of an account. They take turns, because a lock that changes often is stored more rarely.
const markersEach = 16

func markerOf(user string, turn int) string { return fmt.Sprintf("marker-%d-%s", turn, user) }

func (f *fleet) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fleet) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

func newFleet(ctx context.Context, store storage.Store, n, accounts int) (*fleet, error) {
	f := &fleet{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: &deviceRowCounter{Store: store}}
	f.world = simulated.New(simulated.Options{Seed: 1, Now: f.now, KeepCalls: 100})
	for i := range accounts {
		user := fmt.Sprint("user-", i)
		f.users = append(f.users, user)
		f.world.AddLogin(simulated.Login{User: user, Password: "bench"})
		for turn := range markersEach {
			f.world.AddDevice(user, simulated.Lock(markerOf(user, turn), "Marker"))
		}
	}
	for i := range n {
		f.ids = append(f.ids, fmt.Sprint("thermostat-", i))
		f.world.AddDevice(f.users[i%accounts], simulated.Thermostat(f.ids[i], fmt.Sprint("Room ", i)))
	}
	ring, err := newRing()
	if err != nil {
		return nil, err
	}
	db := data.Open(f.store, data.Options{Now: f.now, Logger: quietLogger})
	if _, err := db.Workspace(workspaceID).Push(ctx, data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Site("s", "S")}}); err != nil {
		return nil, err
	}
	if f.svc, err = access.New(db, access.Options{Keys: ring, Providers: []device.Provider{f.world.Provider("bench")}}); err != nil {
		return nil, err
	}
	f.scope = f.svc.Workspace(workspaceID).Customer("acme")
	for _, user := range f.users {
		if _, err = f.scope.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret(user), "password": device.NewSecret("bench"),
		}}); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// eventQueue is a number of events of an account that the simulated provider keeps. If there are more, it requests a read of the
// inventory instead.
const eventQueue = 200

// measure sets the numbers of rows.
func (f *fleet) measure(ctx context.Context) error {
	markers, err := f.markers(ctx)
	if err != nil {
		return err
	}
	for id := range markers {
		f.store.markers.Store(id, true)
	}
	for range 2 {
		if err := f.settle(ctx, markers); err != nil {
			return err
		}
	}
	if states, devices := f.store.take(); states < len(f.ids) || devices < len(f.ids) {
		return fmt.Errorf("the inventory of %d devices wrote %d states and %d devices", len(f.ids), states, devices)
	}
	report := func(temperature float64, settle int) error {
		for i, id := range f.ids {
			f.world.SetState(id, func(s *device.State) { s.Temperature = device.Known(temperature) })
			if settle > 0 && i%settle == settle-1 {
				if err := f.settle(ctx, markers); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for second := range 60 {
		f.advance(time.Second)
		if err := report(10+float64(second)/4, eventQueue*len(f.users)); err != nil {
			return err
		}
		if err := f.settle(ctx, markers); err != nil {
			return err
		}
	}
	if err := f.settle(ctx, markers); err != nil { // the first one may be stored in the first of several transactions
		return err
	}
	states, devices := f.store.take()
	f.minute = states + devices
	if err := f.lose(ctx, markers, report); err != nil {
		return err
	}
	states, devices = f.store.take()
	if f.again = states + devices; f.again < len(f.ids) {
		return fmt.Errorf("%d devices have new states after the lost connection, and %d rows were written", len(f.ids), f.again)
	}
	return nil
}

// lose ends the connections. All devices report while they are lost, and all again at once when they are back.
func (f *fleet) lose(ctx context.Context, markers map[uuid.UUID]string, report func(temperature float64, settle int) error) error {
	for _, user := range f.users {
		f.world.SetOutage(user, true)
	}
	if err := report(30, 0); err != nil {
		return err
	}
	for _, user := range f.users {
		f.world.SetOutage(user, false)
	}
	f.advance(time.Second)
	if err := f.settle(ctx, markers); err != nil {
		return err
	}
	if err := report(31, 0); err != nil {
		return err
	}
	for range 4 { // in the last 20 s, nothing is due
		f.advance(20 * time.Second)
		if err := f.settle(ctx, markers); err != nil {
			return err
		}
	}
	return nil
}

// markers waits until the inventory is stored, and returns the markers, with their ids in the world.
func (f *fleet) markers(ctx context.Context) (map[uuid.UUID]string, error) {
	for {
		page, err := f.scope.Devices(ctx, access.DeviceQuery{Capability: device.CanLock, Limit: 1000})
		if err != nil {
			return nil, err
		}
		accounts, err := f.scope.Accounts(ctx)
		if err != nil {
			return nil, err
		}
		connected := 0
		for _, a := range accounts {
			if a.Status == access.AccountConnected {
				connected++
			}
		}
		if connected == len(f.users) && len(page.Items) == markersEach*len(f.users) {
			markers := map[uuid.UUID]string{}
			for _, d := range page.Items {
				markers[d.ID] = d.ExternalID
			}
			return markers, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// settle operates the next marker of each account and waits until their new states are stored.
func (f *fleet) settle(ctx context.Context, markers map[uuid.UUID]string) error {
	f.turn = (f.turn + 1) % markersEach
	want := map[uuid.UUID]bool{}
	for id, external := range markers {
		if !strings.HasPrefix(external, markerOf("", f.turn)) {
			continue
		}
		locked, _ := f.world.Device(external).State.Locked.Get()
		f.world.Operate(external, device.Operation{Locked: !locked, Method: device.MethodManual})
		want[id] = !locked
	}
	for id, locked := range want {
		for {
			d, err := f.scope.Device(ctx, id)
			if err != nil {
				return err
			}
			if d.State.Locked.Is(locked) {
				break
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond):
		return nil
	}
}
