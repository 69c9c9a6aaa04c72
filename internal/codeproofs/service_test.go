package codeproofs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

var workspaceID = uuid.UUID{1}

// service is the system with package access, on a store in memory. It runs in a bubble of package synctest.
type service struct {
	h        *hotel
	ctx      context.Context
	store    storage.Store
	ring     *keys.Ring
	started  int
	opened   int
	ws       *data.Workspace
	host     *access.Service // does not run
	stop     func() error    // of the first service
	doomed   bool            // the store of the first service fails after some writes
	stopNext func() error    // of the second one, or nil
}

func newService(ctx context.Context, h *hotel) (*service, error) {
	ring, err := keys.New(1, map[int][]byte{1: bytes.Repeat([]byte{1, 2}, keys.MasterBytes/2)})
	if err != nil {
		return nil, err
	}
	s := &service{h: h, ctx: ctx, store: memory.New(), ring: ring}
	if s.host, err = s.open(s.store, "host"); err != nil {
		return nil, err
	}
	s.ws = s.host.DB().Workspace(workspaceID)
	s.stop, err = s.start(s.store)
	return s, err
}

// lockedRand is a source of random bytes that is safe for concurrent use.
type lockedRand struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *lockedRand) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

func (s *service) open(store storage.Store, caller string) (*access.Service, error) {
	s.opened++
	var seed [32]byte
	seed[0], seed[1] = byte(s.opened), byte(s.opened>>8) // PINs are the same each time, which makes it possible to shrink schedules
	db := data.Open(store, data.Options{Now: s.h.clock, Rand: &lockedRand{source: rand.NewChaCha8(seed)}, Logger: slog.New(slog.DiscardHandler), FollowInterval: interval})
	return access.New(db, access.Options{Keys: s.ring, Providers: []device.Provider{s.h.world.Provider(caller)}, Poll: interval, Lease: 5 * interval, CallTimeout: interval})
}

// start starts another service, as another process would.
func (s *service) start(store storage.Store) (stop func() error, err error) {
	s.started++
	svc, err := s.open(store, fmt.Sprint("service", s.started))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	var running sync.WaitGroup
	var failed error
	running.Go(func() {
		if err := svc.Run(ctx); !errors.Is(err, context.Canceled) {
			failed = err
		}
	})
	return sync.OnceValue(func() error { cancel(); running.Wait(); return failed }), nil
}

// Times of the services. The intervals are long, because most of the simulated time nothing happens.
const (
	interval   = time.Minute
	settleTime = 35*time.Minute + interval/2 // longer than the longest pause and a few passes, and not when the services look for work
)

func (s *service) close() {
	_ = s.stop()
	if s.stopNext != nil {
		_ = s.stopNext()
	}
}

// restart replaces the first service.
func (s *service) restart(store storage.Store) (err error) {
	if err = s.stop(); err == nil {
		s.stop, err = s.start(store)
	}
	return err
}

// revive starts the first service again if it was or will be killed.
func (s *service) revive() error {
	if !s.doomed {
		return nil
	}
	s.doomed = false
	time.Sleep(time.Minute)
	return s.restart(s.store)
}

func (s *service) settle() error {
	if err := s.revive(); err != nil {
		return err
	}
	time.Sleep(settleTime)
	synctest.Wait()
	return s.records()
}

func (s *service) scope(customer int) *access.Scope {
	return s.host.Workspace(workspaceID).Customer(customerKey(customer))
}

func customerKey(customer int) string     { return fmt.Sprint("customer", customer) }
func spaceKey(customer, space int) string { return fmt.Sprint("space", customer, "-", space) }
func guestKey(customer, guest int) string { return fmt.Sprint("guest", customer, "-", guest) }

func spaceOf(customer, number int) data.Space {
	key := spaceKey(customer, number)
	switch number {
	case site:
		return data.Site(key, key)
	case lobby:
		return data.CommonArea(key, key).In(spaceKey(customer, site))
	case 3:
		return data.Room(key, key)
	}
	return data.Room(key, key).In(spaceKey(customer, site))
}

func guestOf(customer, number int) data.UserIdentity {
	g := data.Guest(guestKey(customer, number), "Guest")
	g.PhoneNumber = phones[number]
	return g
}

func refs(customer int, rooms []int) (refs []data.Ref) {
	for _, r := range rooms {
		refs = append(refs, data.Ref{Kind: data.KindSpace, Key: spaceKey(customer, r)})
	}
	return refs
}

// apply applies a step to the store. The model has it already.
func (s *service) apply(step Step) (err error) {
	i := step.Customer
	c := s.h.customers[i]
	push := func(d data.CustomerData) error {
		d.CustomerKey = customerKey(i)
		_, err := s.ws.Push(s.ctx, d)
		return err
	}
	remove := func(kind data.Kind, key string) error {
		_, err := s.ws.Delete(s.ctx, data.Selection{Resources: []data.Ref{{Kind: kind, Key: key}}})
		return err
	}
	grantKey := fmt.Sprint("grant", i, step.Key)
	switch step.Op {
	case pass:
		time.Sleep(time.Duration(step.Minutes) * time.Minute)
	case restart:
		s.doomed = false
		err = s.restart(s.store)
	case kill:
		s.doomed = true
		err = s.restart(backends.NewCrash(s.store, step.Slot))
	case second:
		if stop := s.stopNext; stop != nil {
			s.stopNext = nil
			return stop()
		}
		s.stopNext, err = s.start(s.store)
	case create:
		d := data.CustomerData{CustomerKey: customerKey(i)}
		for n := range spaces {
			d.Spaces = append(d.Spaces, spaceOf(i, n))
		}
		for n := range guests {
			d.UserIdentities = append(d.UserIdentities, guestOf(i, n))
		}
		if err = push(d); err == nil {
			err = s.rules(i)
		}
		if err == nil {
			err = s.connect(i, i)
		}
		for at, shared := range c.maps {
			if err == nil {
				err = s.mapLock(i, lockID(at[0]/locks, at[0]%locks), at[1], shared)
			}
		}
	case uncreate:
		_, err = s.ws.Delete(s.ctx, data.Selection{CustomerKeys: []string{customerKey(i)}})
	case book:
		g := data.Reservation(grantKey, data.Ref{Kind: data.KindGuest, Key: guestKey(i, step.Guest)}, refs(i, c.grants[step.Key].rooms)...)
		g.PreferredCode, g.StartsAt, g.EndsAt = step.PIN, c.grants[step.Key].start, c.grants[step.Key].end
		err = push(data.CustomerData{AccessGrants: []data.AccessGrant{g}})
	case move:
		g := data.AccessGrant{Kind: data.KindReservation, Key: grantKey, StartsAt: c.grants[step.Key].start, EndsAt: c.grants[step.Key].end}
		err = push(data.CustomerData{AccessGrants: []data.AccessGrant{g}})
	case rooms:
		g := data.AccessGrant{Kind: data.KindReservation, Key: grantKey, Spaces: refs(i, c.grants[step.Key].rooms)}
		err = push(data.CustomerData{AccessGrants: []data.AccessGrant{g}})
	case cancel:
		err = remove(data.KindReservation, grantKey)
	case guest:
		err = push(data.CustomerData{UserIdentities: []data.UserIdentity{guestOf(i, step.Key)}})
	case unguest:
		err = remove(data.KindGuest, guestKey(i, step.Key))
	case staff:
		m := c.staff[step.Key]
		err = push(data.CustomerData{UserIdentities: []data.UserIdentity{data.StaffMember(m.key, m.key, refs(i, m.rooms)...).During(m.start, m.end)}})
	case hours:
		m := c.staff[step.Key]
		times := data.UserIdentity{Kind: data.KindStaffMember, Key: m.key, StartsAt: m.start, EndsAt: m.end, Clear: []string{"starts_at", "ends_at"}}
		err = push(data.CustomerData{UserIdentities: []data.UserIdentity{times}})
	case unstaff:
		err = remove(data.KindStaffMember, fmt.Sprint("staff", i, step.Key))
	case space:
		err = push(data.CustomerData{Spaces: []data.Space{spaceOf(i, step.Key)}})
	case unspace:
		err = remove(spaceOf(i, step.Key).Kind, spaceKey(i, step.Key))
	case mapLock:
		err = s.mapLock(i, lockID(step.login(), step.Lock), step.Key, step.Shared)
	case unmap:
		var id uuid.UUID
		if id, err = s.device(i, lockID(step.login(), step.Lock)); err == nil {
			_, err = s.scope(i).Unmap(s.ctx, access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: spaceKey(i, step.Key)}})
		}
	case connect:
		err = s.connect(i, step.login())
	case disconnect:
		var accounts []access.Account
		accounts, err = s.scope(i).Accounts(s.ctx)
		for _, a := range accounts {
			if a.ExternalID == user(step.login()) {
				_, err = s.scope(i).DeleteAccount(s.ctx, a.ID)
			}
		}
	}
	return err
}

// rules sets the rules of a customer.
func (s *service) rules(i int) error {
	r := rulesOf[i]
	if r == (rules{}) {
		return nil
	}
	return s.scope(i).SetRules(s.ctx, access.Rules{
		StaffCodes: device.Known(r.staff), PhoneLast4: device.Known(r.phone), LeadMinutes: device.Known(int(r.lead.Minutes())),
		GraceMinutes: device.Known(int(r.grace.Minutes())),
	})
}

// connect connects a login to a customer and waits until all of its locks are listed.
func (s *service) connect(i, login int) error {
	if err := s.revive(); err != nil {
		return err
	}
	answers := map[string]device.Secret{"username": device.NewSecret(user(login)), "password": device.NewSecret("secret")}
	pane, err := s.scope(i).Connect(s.ctx, access.ConnectStep{Provider: simulated.Key, Answers: answers})
	if err != nil {
		return err
	}
	for range 1000 {
		synctest.Wait()
		page, err := s.scope(i).Devices(s.ctx, access.DeviceQuery{AccountID: pane.Account.ID})
		if err != nil {
			return err
		}
		if len(page.Items) == locks {
			return nil
		}
		time.Sleep(time.Second)
	}
	return errors.New("the account does not list its locks")
}

func (s *service) mapLock(i int, lock string, space int, shared bool) error {
	id, err := s.device(i, lock)
	if err == nil {
		_, err = s.scope(i).Map(s.ctx, access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: spaceKey(i, space), Shared: shared}})
	}
	return err
}

func (s *service) device(i int, lock string) (uuid.UUID, error) {
	page, err := s.scope(i).Devices(s.ctx, access.DeviceQuery{})
	for _, d := range page.Items {
		if d.ExternalID == lock {
			return d.ID, nil
		}
	}
	return uuid.UUID{}, errors.Join(err, fmt.Errorf("no such lock: %s", lock))
}
