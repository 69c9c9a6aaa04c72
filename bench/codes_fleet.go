package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// codeFleet is a store with locks and a running service that programs them. Each lock has the codes of grantsEach access grants, of
// which the first is a current stay. The clock does not move.
type codeFleet struct {
	at       time.Time
	world    *simulated.World
	store    *rowCounter
	ws       *data.Workspace
	svc      *access.Service
	scope    *access.Scope
	accounts int
	locks    int
	door     bool         // there is an entrance, which all access grants open, and no current stay
	stop     func() error // stops the service
}

const grantsEach = 10

func lockName(i int) string { return fmt.Sprint("lock-", i) }
func roomName(i int) string { return fmt.Sprint("room-", i) }

// entrance is the number of the entrance. It is greater than those of the locks of rooms.
const entrance = 1_000_000

// stay returns an access grant of a lock. The stays of a lock do not overlap.
func (f *codeFleet) stay(lock, i int) data.AccessGrant {
	starts := f.at.Add(time.Duration(i) * 7 * 24 * time.Hour)
	if f.door {
		starts = starts.Add(7 * 24 * time.Hour)
	}
	return data.AccessGrant{
		Kind: data.KindReservation, Key: fmt.Sprintf("grant-%d-%d", lock, i), StartsAt: starts, EndsAt: starts.Add(3 * 24 * time.Hour),
		Spaces: data.Refs(data.KindRoom, roomName(lock)),
	}
}

// startCodeFleet returns a fleet when the locks hold the codes of the current stays.
func startCodeFleet(ctx context.Context, store storage.Store, locks, accounts int, door bool) (f *codeFleet, err error) {
	f = &codeFleet{
		at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: &rowCounter{Store: store, kinds: map[work]transactions{}},
		accounts: accounts, locks: locks, door: door,
	}
	now := func() time.Time { return f.at }
	f.world = simulated.New(simulated.Options{Seed: 1, Now: now, KeepCalls: 100})
	user := func(i int) string { return fmt.Sprint("user-", i%accounts) }
	for i := range accounts {
		f.world.AddLogin(simulated.Login{User: user(i), Password: "bench"})
	}
	rooms := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Site("s", "S")}}
	for _, i := range f.numbers() {
		f.world.AddDevice(user(i), simulated.Lock(lockName(i), lockName(i)))
		rooms.Spaces = append(rooms.Spaces, data.Room(roomName(i), roomName(i)).In("s"))
	}
	ring, err := newRing()
	if err != nil {
		return nil, err
	}
	db := data.Open(f.store, data.Options{Now: now, Logger: quietLogger})
	f.ws = db.Workspace(workspaceID)
	if _, err := f.ws.Push(ctx, rooms); err != nil {
		return nil, err
	}
	if f.svc, err = access.New(db, access.Options{Keys: ring, Providers: []device.Provider{f.world.Provider("bench")}}); err != nil {
		return nil, err
	}
	f.scope = f.svc.Workspace(workspaceID).Customer("acme")
	for i := range accounts {
		if _, err = f.scope.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret(user(i)), "password": device.NewSecret("bench"),
		}}); err != nil {
			return nil, err
		}
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.svc.Run(running) }()
	f.stop = func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	if err := f.fill(ctx); err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

// numbers returns the numbers of the locks.
func (f *codeFleet) numbers() (numbers []int) {
	for i := range f.locks {
		numbers = append(numbers, i)
	}
	if f.door {
		numbers = append(numbers, entrance)
	}
	return numbers
}

// fill maps the locks to the rooms, creates the access grants, and waits until their codes are stored and written.
func (f *codeFleet) fill(ctx context.Context) error {
	var mappings []access.DeviceMapping
	for len(mappings) < len(f.numbers()) {
		if err := pause(ctx); err != nil {
			return err
		}
		page, err := f.scope.Devices(ctx, access.DeviceQuery{Limit: 1000})
		if err != nil {
			return err
		}
		mappings = mappings[:0]
		for _, d := range page.Items {
			var i int
			if _, err := fmt.Sscanf(d.ExternalID, "lock-%d", &i); err != nil {
				return err
			}
			mappings = append(mappings, access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: roomName(i), Shared: i == entrance}})
		}
	}
	if _, err := f.scope.Map(ctx, mappings...); err != nil {
		return err
	}
	for i := range grantsEach {
		d := data.CustomerData{CustomerKey: "acme"}
		for lock := range f.locks {
			d.AccessGrants = append(d.AccessGrants, f.stay(lock, i))
		}
		if _, err := f.ws.Push(ctx, d); err != nil {
			return err
		}
	}
	for {
		codes, set, err := f.codes(ctx)
		if err != nil {
			return err
		}
		if f.door && codes == 2*grantsEach*f.locks || !f.door && codes == grantsEach*f.locks && set == f.locks {
			return f.quiet(ctx, moment)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// codes returns the number of codes, and that of codes on locks.
func (f *codeFleet) codes(ctx context.Context) (n, set int, err error) {
	q := access.CodeQuery{Limit: 1000}
	for {
		page, err := f.scope.Codes(ctx, q)
		if err != nil {
			return 0, 0, err
		}
		n += len(page.Items)
		for _, c := range page.Items {
			if c.Status == access.CodeSet {
				set++
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return n, set, nil
		}
	}
}

// moment is longer than the pauses between the transactions of a change.
const moment = 30 * time.Millisecond

// quiet waits until the service has done nothing for a time.
func (f *codeFleet) quiet(ctx context.Context, d time.Duration) error {
	_, last := f.store.counts()
	for still := time.Now(); time.Since(still) < d; {
		if err := pause(ctx); err != nil {
			return err
		}
		if _, total := f.store.counts(); total != last {
			last, still = total, time.Now()
		}
	}
	return nil
}

// occupied returns the number of codes on a lock.
func (f *codeFleet) occupied(lock int) (n int) {
	for _, s := range f.world.Slots(lockName(lock)) {
		if s.Occupied() {
			n++
		}
	}
	return n
}

// newRing returns a random master key.
func newRing() (*keys.Ring, error) {
	master, err := keys.NewMaster()
	if err != nil {
		return nil, err
	}
	return keys.New(0, map[int][]byte{0: master})
}
