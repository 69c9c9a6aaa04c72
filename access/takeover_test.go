package access_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
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
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// process is a service that can be paused: its store and its driver do not return until it continues.
type process struct {
	svc   *access.Service
	scope *access.Scope

	trap *trap

	mu     sync.Mutex
	paused chan struct{} // closed by resume; nil while the process runs
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
	return c.Conn.Do(ctx, id, command)
}

func (c pausedConn) Watch(ctx context.Context, fn func(device.Event)) error {
	return c.Conn.Watch(ctx, func(e device.Event) {
		c.p.wait("before an event")
		fn(e)
	})
}

func newProcess(h *hotel, caller string, t *trap) *process {
	p := &process{trap: t}
	paused := *h
	paused.store = pausedStore{h.store, p}
	p.svc, p.scope = paused.service(caller, access.Options{Providers: []device.Provider{pausedProvider{h.world.Provider(caller), p}}})
	return p
}

// TestTakeover_PausedForTwiceTheLease_NoConflictsAndNothingLost gives random commands to two services on one store, and pauses
// one of them again and again for twice the duration of a lease, while the devices are slow.
func TestTakeover_PausedForTwiceTheLease_NoConflictsAndNothingLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testsize.Pick(2, 6, 15)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { takeover(t, seed) })
		})
	}
}

func takeover(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	ids := []string{"l0", "l1", "l2"}
	h := newHotel(t, memory.New())
	for _, id := range ids {
		h.world.AddDevice("anna", simulated.Lock(id, "Room "+id))
	}
	connect(t, h.scope, "anna")
	set := &trap{}
	processes := []*process{newProcess(h, "a", set), newProcess(h, "b", set)}
	var stops []func()
	for _, p := range processes {
		stops = append(stops, start(t, p.svc))
	}
	defer func() {
		set.set("", 0)
		for i, p := range processes {
			p.resume()
			stops[i]()
		}
	}()
	synctest.Wait()
	devices := map[string]uuid.UUID{}
	for _, id := range ids {
		devices[id] = h.device(id).ID
	}
	var attempts []uuid.UUID
	count := map[string]int{} // of attempts by device
	command := func(id string, deadline time.Duration) {
		kind := []device.CommandKind{device.Lock, device.Unlock}[random.IntN(2)]
		a, err := h.scope.Do(t.Context(), devices[id], device.Command{Kind: kind}, data.Actor{}, deadline)
		require.NoError(t, err)
		attempts = append(attempts, a.ID)
		count[id]++
	}
	places := []string{"before a command", "before a command", "before an Update", "after an Update", "before a View", "after a command", "before an event"}
	for range testsize.Pick(6, 10, 30) {
		id := ids[random.IntN(len(ids))]
		release := func() {}
		if random.IntN(2) == 0 {
			release = h.world.Hold(id)
		}
		set.set(places[random.IntN(len(places))], 1+random.IntN(3))
		for range 1 + random.IntN(3) {
			command(id, time.Duration(1+random.IntN(299))*time.Second)
			time.Sleep(time.Duration(random.IntN(3)) * time.Second)
		}
		set.set("", 0)
		time.Sleep(time.Duration(50+random.IntN(20)) * time.Second) // most times, the other process has taken over
		release()
		release = h.world.Hold(id)
		command(id, time.Minute)
		time.Sleep(time.Duration(1000+random.IntN(3000)) * time.Millisecond) // it is being sent
		for _, p := range processes {
			p.resume()
		}
		time.Sleep(time.Duration(random.IntN(10_000)) * time.Millisecond)
		release()
	}
	for _, p := range processes { // the other one takes over and sends a command
		p.pause()
		command("l1", 5*time.Minute)
		time.Sleep(70 * time.Second)
		command("l0", time.Minute)
		time.Sleep(20 * time.Second)
		p.resume()
	}
	time.Sleep(10 * time.Minute) // longer than all deadlines
	synctest.Wait()
	require.Empty(t, h.world.Conflicts())
	calls := map[string]int{}
	callers := map[string]bool{}
	for _, call := range h.world.Calls() {
		if call.Method == "Do" {
			calls[call.Device]++
			callers[call.Caller] = true
		}
	}
	confirmed := 0
	for _, id := range attempts {
		a, err := h.scope.Attempt(t.Context(), id)
		require.NoError(t, err)
		require.NotEqual(t, access.AttemptPending, a.Status, "%+v", a)
		if a.Confirmed {
			confirmed++
		}
	}
	total := 0
	for _, id := range ids {
		require.LessOrEqual(t, calls[id], count[id], "a command is sent at most once")
		require.Equal(t, h.world.Device(id).State.Locked, h.device(id).State.Locked, "the stored state is the true state")
		total += calls[id]
	}
	require.GreaterOrEqual(t, total, confirmed)
	require.Positive(t, confirmed)
	require.Len(t, callers, 2, "both processes sent commands")
}
