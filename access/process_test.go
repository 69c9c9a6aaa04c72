package access_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/storage"
)

// process is a service that can be paused: its store and its driver do not return until it continues.
type process struct {
	svc   *access.Service
	scope *access.Scope

	trap *trap

	mu     sync.Mutex
	paused chan struct{} // closed by resume; nil while the process runs
	late   *rand.Rand    // draws the answers to commands that arrive 100 ms after the device acted; nil if none does

	answers <-chan struct{} // the answers to commands arrive when it is closed; nil: at once
}

// trap pauses the process that reaches a place for the n-th time.
type trap struct {
	mu    sync.Mutex
	place string
	n     int
}

func (t *trap) set(place string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.place, t.n = place, n
}

func (t *trap) reached(place string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.place != place {
		return false
	}
	if t.n--; t.n > 0 {
		return false
	}
	t.place = ""
	return true
}

// startPair starts two processes, of which the first serves the accounts, and stops them at the end of the test, which runs in a
// bubble of package synctest.
func startPair(t *testing.T, first, second *process) {
	t.Helper()
	stop := start(t, first.svc)
	synctest.Wait()
	stopSecond := start(t, second.svc)
	t.Cleanup(func() {
		first.resume()
		second.resume()
		stop()
		stopSecond()
	})
	synctest.Wait()
}

func (p *process) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused == nil {
		p.paused = make(chan struct{})
	}
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

func (p *process) wait(place string) {
	if p.trap.reached(place) {
		p.pause()
	}
	p.mu.Lock()
	paused := p.paused
	p.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

type pausedStore struct {
	storage.Store
	p *process
}

func (s pausedStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.p.wait("before a View")
	defer s.p.wait("after a View")
	return s.Store.View(ctx, fn)
}

func (s pausedStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	s.p.wait("before an Update")
	defer s.p.wait("after an Update")
	return s.Store.Update(ctx, fn, reads...)
}

type pausedProvider struct {
	device.Provider
	p *process
}

func (d pausedProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	d.p.wait("before a connection")
	conn, err := d.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return pausedConn{conn, d.p}, nil
}

type pausedConn struct {
	device.Conn
	p *process
}

func (c pausedConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	c.p.wait("before a command")
	defer c.p.wait("after a command")
	outcome, err := c.Conn.Do(ctx, id, command)
	c.p.mu.Lock()
	late := c.p.late != nil && c.p.late.IntN(2) == 0
	c.p.mu.Unlock()
	if c.p.answers != nil {
		<-c.p.answers
	}
	if late {
		time.Sleep(100 * time.Millisecond)
	}
	return outcome, err
}

func (c pausedConn) Watch(ctx context.Context, fn func(device.Event)) error {
	return c.Conn.Watch(ctx, func(e device.Event) {
		c.p.wait("before an event")
		fn(e)
	})
}

func newProcess(h *hotel, caller string, t *trap) *process {
	return newProcessWith(h, caller, t, access.Options{})
}

func newProcessWith(h *hotel, caller string, t *trap, o access.Options) *process {
	p := &process{trap: t}
	paused := *h
	paused.store = pausedStore{h.store, p}
	o.Providers = []device.Provider{pausedProvider{h.world.Provider(caller), p}}
	p.svc, p.scope = paused.service(caller, o)
	return p
}
