package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// deviceRows counts the rows of states that package access writes while each device reports a new state every second, and after
// the connection was lost. The clock is simulated. A lock whose state is stored at once shows that the events before are handled.
func deviceRows(ctx context.Context, b *bench) ([]row, error) {
	n := b.size(1000, 50)
	f, err := newFleet(ctx, n)
	if err != nil {
		return nil, err
	}
	before := heap()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.svc.Run(running) }()
	err = f.measure(ctx)
	after := heap()
	stop()
	if stopped := <-ended; err == nil && !errors.Is(stopped, context.Canceled) {
		err = stopped
	}
	if err != nil {
		return nil, err
	}
	minute, again := f.minute, f.again
	return []row{{
		work: fmt.Sprintf("rows of states, %d devices report every second for a minute", n), against: "a row for each device",
		goal: atMost(1.01), measured: once(float64(minute) / float64(n)), detail: fmt.Sprintf("%d rows for %d reports", minute, 60*n),
	}, {
		work: "rows of states in the minute after a lost connection", against: "a row for each device",
		goal: atMost(1.01), measured: once(float64(again) / float64(n)), detail: fmt.Sprintf("%d rows for %d reports", again, n),
	}, {
		work: "heap of the running service for each device", against: "-",
		goal: goal{atMost: 16, unit: "KiB"}, measured: once(float64(after-before) / 1024 / float64(n)), detail: fmt.Sprintf("%d KiB in all", (after-before)/1024),
	}}, nil
}

// heap returns the number of bytes of live objects.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// fleet is a store with the devices of one simulated account.
type fleet struct {
	world *simulated.World
	svc   *access.Service
	scope *access.Scope
	store *stateCounter
	ids   []string

	mu            sync.Mutex
	at            time.Time
	minute, again int
}

const markerID = "marker"

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

func newFleet(ctx context.Context, n int) (*fleet, error) {
	f := &fleet{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: &stateCounter{Store: memory.New()}}
	f.world = simulated.New(simulated.Options{Seed: 1, Now: f.now, KeepCalls: 100})
	f.world.AddLogin(simulated.Login{User: "bench", Password: "bench"})
	f.world.AddDevice("bench", simulated.Lock(markerID, "Marker"))
	for i := range n {
		f.ids = append(f.ids, fmt.Sprint("thermostat-", i))
		f.world.AddDevice("bench", simulated.Thermostat(f.ids[i], fmt.Sprint("Room ", i)))
	}
	master, err := keys.NewMaster()
	if err != nil {
		return nil, err
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
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
	_, err = f.scope.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret("bench"), "password": device.NewSecret("bench"),
	}})
	return f, err
}

// measure sets the numbers of rows.
func (f *fleet) measure(ctx context.Context) error {
	marker, err := f.marker(ctx)
	if err != nil {
		return err
	}
	f.store.marker.Store(&marker)
	if err := f.settle(ctx, marker); err != nil {
		return err
	}
	f.store.states.Store(0)
	report := func(temperature float64) {
		for _, id := range f.ids {
			f.world.SetState(id, func(s *device.State) { s.Temperature = device.Known(temperature) })
		}
	}
	for second := range 60 {
		f.advance(time.Second)
		report(10 + float64(second)/4)
		if err := f.settle(ctx, marker); err != nil {
			return err
		}
	}
	f.minute = int(f.store.states.Swap(0))
	f.world.SetOutage("bench", true)
	report(30)
	f.world.SetOutage("bench", false)
	for range 4 {
		f.advance(20 * time.Second)
		if err := f.settle(ctx, marker); err != nil {
			return err
		}
	}
	f.again = int(f.store.states.Swap(0))
	return nil
}

// marker waits until the inventory is stored, and returns the id of the lock.
func (f *fleet) marker(ctx context.Context) (uuid.UUID, error) {
	for {
		page, err := f.scope.Devices(ctx, access.DeviceQuery{Capability: device.CanLock})
		if err != nil {
			return uuid.Nil, err
		}
		accounts, err := f.scope.Accounts(ctx)
		if err != nil {
			return uuid.Nil, err
		}
		if len(page.Items) == 1 && accounts[0].Status == access.AccountConnected {
			return page.Items[0].ID, nil
		}
		if err := pause(ctx); err != nil {
			return uuid.Nil, err
		}
	}
}

// settle operates the lock and waits until its new state is stored.
func (f *fleet) settle(ctx context.Context, marker uuid.UUID) error {
	locked, _ := f.world.Device(markerID).State.Locked.Get()
	f.world.Operate(markerID, device.Operation{Locked: !locked, Method: device.MethodManual})
	for {
		d, err := f.scope.Device(ctx, marker)
		if err != nil || d.State.Locked.Is(!locked) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond):
		return nil
	}
}

// stateCounter counts the writes of rows of states, except those of the marker.
type stateCounter struct {
	storage.Store
	states atomic.Int64
	marker atomic.Pointer[uuid.UUID]
}

func (s *stateCounter) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return s.Store.Update(ctx, func(tx storage.Tx) error { return fn(stateCountingTx{tx, s}) }, reads...)
}

type stateCountingTx struct {
	storage.Tx
	s *stateCounter
}

// Put counts the rows of the table of customers with the letter of the states of devices.
func (tx stateCountingTx) Put(key, value []byte) error {
	if len(key) == 26 && key[0] == 'C' && key[9] == 'b' {
		if marker := tx.s.marker.Load(); marker == nil || string(key[10:]) != string(marker[:]) {
			tx.s.states.Add(1)
		}
	}
	return tx.Tx.Put(key, value)
}
