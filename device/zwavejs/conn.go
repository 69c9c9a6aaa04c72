package zwavejs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// thing is a device.
type thing struct {
	id     int // of the node; it does not change
	node   node
	info   device.Device // without access codes; State is without Online
	traits traits

	codes  *codes             // nil without access codes
	probed bool               // codes is up to date
	known  map[int]slotReport // the last reports of slots

	// expected is the value of a running command to a lock. Reports of it are ignored, because Z-Wave JS assumes it before the lock
	// reports it.
	expected any

	refresh bool // the state must be read from the device

	duplicates int // counts reports that the lock refused a code as a duplicate
}

// conn is a connection to an account.
type conn struct {
	p        *Provider
	settings settings
	cancel   context.CancelFunc
	work     sync.WaitGroup
	done     chan struct{} // closed when the connection ends

	mu      sync.Mutex
	ended   error         // ErrClosed, ErrAccountLost or allowhosts.ErrNotAllowed; nil while the connection can be used
	cause   error         // of the last failure to connect
	home    string        // the id of the Z-Wave network; empty until the account is connected
	link    *link         // the current connection to the server, nil until the inventory is complete
	changed chan struct{} // closed and replaced when something changed that others wait for
	watch   *watch        // the running Watch, or nil
	things  map[int]*thing
}

var _ device.Coder = (*conn)(nil)

// start begins to connect. home is the id of the account, or empty for a new one.
func (p *Provider) start(s settings, home string) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{
		p: p, settings: s, home: home, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}), things: map[int]*thing{},
	}
	c.work.Go(func() { c.connect(ctx) })
	return c
}

// connect keeps a connection to the server.
func (c *conn) connect(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := time.Now()
		err := c.session(ctx)
		if time.Since(began) > time.Minute { // it was a stable connection
			attempt = 0
		}
		c.failed(err)
		select {
		case <-time.After(c.p.times.backoff(attempt)):
		case <-ctx.Done():
		}
	}
}

// session connects to the server once, and returns when the connection has ended.
func (c *conn) session(ctx context.Context) error {
	l, err := c.p.dial(ctx, &c.settings)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer l.end()
	stop := context.AfterFunc(ctx, l.end)
	defer stop()
	work.Go(l.write)
	work.Go(func() { l.read(c) })
	if err := c.open(ctx, l); err != nil {
		return err
	}
	c.connected(l)
	l.tendSoon()
	defer c.disconnected()
	c.tend(ctx, l)
	return errLostLink
}

// failed records why there is no connection to the server.
func (c *conn) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended != nil:
	case errors.Is(err, allowhosts.ErrNotAllowed):
		c.end(allowhosts.ErrNotAllowed)
	case errors.Is(err, device.ErrAccountLost):
		c.end(err)
	case errors.Is(err, errSchema):
		c.cause = err
		c.wake()
	default:
		c.cause = fmt.Errorf("%w: no connection to the Z-Wave JS server %s", device.ErrOffline, c.settings.address())
		c.p.log.Warn("no connection to a Z-Wave JS server", "address", c.settings.address(), "error", err)
		c.wake()
	}
}

// end makes the connection unusable. The caller holds c.mu.
func (c *conn) end(err error) {
	if c.ended == nil {
		close(c.done)
	}
	if !errors.Is(c.ended, device.ErrClosed) {
		c.ended = err
	}
	c.cancel()
	c.wake()
}

func (c *conn) endError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// wake wakes everything that waits for c.changed. The caller holds c.mu.
func (c *conn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Close implements [device.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	if !errors.Is(c.ended, device.ErrClosed) {
		c.end(device.ErrClosed)
	}
	c.mu.Unlock()
	c.work.Wait()
	return nil
}

// connected is called when the inventory of a new connection is complete.
func (c *conn) connected(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.cause = l, nil
	c.watch.add(device.Event{Kind: device.Resync})
	c.wake()
}

func (c *conn) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = nil
	c.wake()
}

// up reports whether the server can be used. The caller holds c.mu.
func (c *conn) up() bool {
	if c.link == nil {
		return false
	}
	select {
	case <-c.link.gone:
		return false
	default:
		return true
	}
}

// usable returns the error of a call that starts now. The caller holds c.mu.
func (c *conn) usable(ctx context.Context) error {
	switch {
	case c.ended != nil:
		return c.ended
	case ctx.Err() != nil:
		return ctx.Err()
	case c.up():
		return nil
	case c.cause != nil:
		return c.cause
	}
	return fmt.Errorf("%w: the connection to the Z-Wave JS server is lost", device.ErrOffline)
}

// awaitSync waits until the inventory is complete. It returns an error at the first failure.
func (c *conn) awaitSync(ctx context.Context) error {
	timeout := time.NewTimer(c.p.times.sync)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		up, changed, ended, cause := c.up(), c.changed, c.ended, c.cause
		c.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case ended != nil:
			return ended
		case up:
			return nil
		case cause != nil:
			return cause
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
		case <-timeout.C:
			return fmt.Errorf("%w: the Z-Wave JS server %s does not answer", device.ErrOffline, c.settings.address())
		}
	}
}

// Devices implements [device.Conn].
func (c *conn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		devices, err := c.inventory(ctx)
		if err != nil {
			yield(device.Device{}, err)
			return
		}
		for _, d := range devices {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (c *conn) inventory(ctx context.Context) ([]device.Device, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	devices := make([]device.Device, 0, len(c.things))
	for _, id := range slices.Sorted(maps.Keys(c.things)) {
		devices = append(devices, c.describe(c.things[id]))
	}
	return devices, nil
}

// describe returns a device with its state. The caller holds c.mu.
func (c *conn) describe(t *thing) device.Device {
	d := t.info
	d.Capabilities = slices.Clone(d.Capabilities)
	if t.codes != nil {
		limits := t.codes.limits
		d.Codes = &limits
		d.Capabilities = append(d.Capabilities, device.CanProgram)
	}
	d.State = t.state()
	return d
}

// state returns the state of a device. The caller holds the lock of the connection.
func (t *thing) state() device.State {
	s := t.info.State
	s.Online = t.node.online()
	return s
}

// find returns a device and the connection to the server. The caller holds c.mu.
func (c *conn) find(ctx context.Context, id string) (*thing, *link, error) {
	if err := c.usable(ctx); err != nil {
		return nil, nil, err
	}
	if n, err := strconv.Atoi(id); err == nil && c.things[n] != nil && deviceID(n) == id {
		return c.things[n], c.link, nil
	}
	return nil, nil, fmt.Errorf("%w: %q", device.ErrUnknownDevice, id)
}

// reach tries to reach a node that the server takes for dead: otherwise it would stay dead, because only an answer of the node
// changes that. It returns ErrOffline if the node does not answer.
func (c *conn) reach(ctx context.Context, l *link, t *thing) error {
	c.mu.Lock()
	dead := t.node.status == statusDead
	c.mu.Unlock()
	if !dead {
		return nil
	}
	result, err := c.call(ctx, l, "node.ping", map[string]any{"nodeId": t.id})
	if err == nil && !object(result).isTrue("responded") {
		err = errNoReport
	}
	return classify(deviceID(t.id), err, false)
}

// refresh reads the states of devices that can be reached again.
func (c *conn) refresh(ctx context.Context, l *link) {
	type read struct {
		t  *thing
		id valueID
	}
	var reads []read
	c.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(c.things)) {
		t := c.things[id]
		if !t.refresh {
			continue
		}
		t.refresh = false
		for _, id := range t.traits.states() {
			reads = append(reads, read{t, id})
		}
	}
	c.mu.Unlock()
	for _, r := range reads {
		v, err := c.poll(ctx, l, r.t, r.id)
		if err != nil {
			continue // the server reports if the device cannot be reached
		}
		c.mu.Lock()
		c.report(r.t, r.id, v)
		c.mu.Unlock()
	}
}

// tend checks the connection, probes new locks, and tries to reach dead nodes, until the connection ends.
func (c *conn) tend(ctx context.Context, l *link) {
	alive, wake := time.NewTicker(c.p.times.keepAlive), time.NewTicker(c.p.times.wake)
	defer alive.Stop()
	defer wake.Stop()
	for {
		select {
		case <-alive.C:
			waiting, cancel := context.WithTimeout(ctx, networkTimeout)
			err := l.ws.Ping(waiting)
			cancel()
			if err != nil {
				return
			}
		case <-wake.C:
			c.mu.Lock()
			things := slices.Collect(maps.Values(c.things))
			c.mu.Unlock()
			for _, t := range things {
				select {
				case <-l.gone:
					return
				default:
					_ = c.reach(ctx, l, t) // the server reports the node as alive
				}
			}
		case <-l.wake:
			c.probeLocks(ctx, l)
			c.refresh(ctx, l)
		case <-l.gone:
			return
		case <-ctx.Done():
			return
		}
	}
}
