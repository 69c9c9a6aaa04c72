package zigbee2mqtt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"

	"github.com/customerportal-go/customerportal/device"
)

// genericAccount begins the id of an account without Zigbee2MQTT. The address of the broker follows.
const genericAccount = "mqtt://"

func isGeneric(accountID string) bool { return strings.HasPrefix(accountID, genericAccount) }

// errNoBridge means that the broker works, and that there is no Zigbee2MQTT with the base topic.
var errNoBridge = fmt.Errorf("%w: there is no Zigbee2MQTT with the base topic of the account", device.ErrOffline)

// errForgotten means that there is a Zigbee2MQTT, but that the broker does not have its list of devices. Zigbee2MQTT publishes the list
// when it starts, and not when it connects again.
var errForgotten = fmt.Errorf("%w: the broker has lost the list of devices: restart Zigbee2MQTT", device.ErrOffline)

// thing is a device.
type thing struct {
	info   device.Device // State is the last reported state, without Online
	online device.Optional[bool]

	// Of a device of Zigbee2MQTT.
	topic  string // without the base topic; empty if the driver cannot use it
	traits traits
	seen   bool // a state was published on this connection

	// published is the last published state of the bolt. info.State.Locked also follows operations.
	published device.Optional[bool]

	users map[int]slotReport
	slots int // the number of slots if it turned out to be smaller than Options.Slots, else 0

	generic *generic // of a device that another program announced, else nil

	exchanges map[chan observation]struct{} // running commands and reads
	codes     chan struct{}                 // has one element while an exchange about codes is running
}

func newThing() *thing {
	return &thing{exchanges: map[chan observation]struct{}{}, codes: make(chan struct{}, 1)}
}

// conn is a connection to an account.
type conn struct {
	p        *Provider
	settings settings
	generic  bool // the account has no Zigbee2MQTT
	manager  *autopaho.ConnectionManager
	cancel   context.CancelFunc
	work     sync.WaitGroup
	done     chan struct{} // closed when the connection ends

	mu          sync.Mutex
	ended       error         // ErrClosed, ErrAccountLost or allowhosts.ErrNotAllowed; nil while the connection can be used
	cause       error         // of the last failure to connect
	wire        *wire         // the current connection to the broker
	generation  int           // counts connections to the broker
	listening   bool          // the devices that were known are subscribed, on the current connection
	complete    bool          // the inventory and the subscriptions are complete, on the current connection
	changed     chan struct{} // closed and replaced when something changed that others wait for
	watch       *watch        // the running Watch, or nil
	bridge      device.Optional[bool]
	info        bridgeInfo
	coordinator string
	hasInfo     bool
	hasDevices  bool // bridge/devices was decoded
	things      map[string]*thing
	topics      map[string]map[*thing]bool // the things that use a topic
	entities    map[string]*entity         // by the topic of their announcement
	announced   int                        // bytes of these announcements
	refresh     map[string]bool            // ids of things to read
	busy        map[*thing]bool            // things with exchanges
	wakeWorker  chan struct{}              // has one element if the worker has something to do
}

var _ device.Coder = (*conn)(nil)

// newConn returns a conn that does not connect.
func (p *Provider) newConn(s settings, generic bool) *conn {
	return &conn{
		p: p, settings: s, generic: generic, cancel: func() {}, done: make(chan struct{}), changed: make(chan struct{}),
		things: map[string]*thing{}, topics: map[string]map[*thing]bool{}, entities: map[string]*entity{},
		refresh: map[string]bool{}, busy: map[*thing]bool{}, wakeWorker: make(chan struct{}, 1),
	}
}

// start begins to connect.
func (p *Provider) start(s settings, generic bool) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := p.newConn(s, generic)
	c.cancel = cancel
	c.mu.Lock() // until manager is set
	defer c.mu.Unlock()
	manager, err := c.link(ctx)
	if err != nil {
		c.end(err)
		return c
	}
	c.manager = manager
	c.work.Go(func() { c.subscribe(ctx) })
	return c
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
	if errors.Is(c.ended, device.ErrClosed) {
		c.mu.Unlock()
		return nil
	}
	c.end(device.ErrClosed)
	manager, current := c.manager, c.wire
	c.mu.Unlock()
	if manager == nil {
		return nil
	}
	select {
	case <-manager.Done():
	case <-time.After(time.Second): // the broker does not take the last packet
		if current != nil {
			_ = current.Conn.Close()
		}
		<-manager.Done()
	}
	c.work.Wait()
	return nil
}

// connected is called when a connection to the broker is established.
func (c *conn) connected(w *wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire, c.cause = w, nil
	c.generation++
	c.listening, c.complete, c.hasDevices, c.hasInfo, c.bridge = false, false, false, false, device.Optional[bool]{}
	c.wake()
	c.wakeUp()
}

// disconnected is called when a connection to the broker is lost.
func (c *conn) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire.end()
	for _, t := range c.things {
		t.seen = false
	}
	c.wake()
}

// usable returns the error of a call that starts or continues now. The caller holds c.mu.
func (c *conn) usable(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.ended != nil:
		return c.ended
	case !c.wire.up():
		return orError(c.cause, fmt.Errorf("%w: the connection to the MQTT broker is lost", device.ErrOffline))
	}
	return nil
}

// synced reports whether the inventory is complete. The caller holds c.mu.
func (c *conn) synced() bool {
	return c.complete && c.wire.up()
}

// awaitSync waits until the inventory is complete. It returns an error at the first failure.
func (c *conn) awaitSync(ctx context.Context) error {
	timeout := time.NewTimer(c.p.times.sync)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		synced, changed, ended, cause, up, bridge := c.synced(), c.changed, c.ended, c.cause, c.wire.up(), c.bridge
		c.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case ended != nil:
			return ended
		case synced:
			return nil
		case cause != nil:
			return cause
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
		case <-timeout.C:
			switch {
			case up && bridge.Is(true):
				return errForgotten
			case up:
				return errNoBridge
			}
			return fmt.Errorf("%w: the MQTT broker %s does not answer", device.ErrOffline, c.settings.address())
		}
	}
}

// awaitListening waits until the driver would receive the answer to a command.
func (c *conn) awaitListening(ctx context.Context) error {
	timeout := time.NewTimer(c.p.times.answer)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		err, listening, changed := c.usable(ctx), c.listening, c.changed
		c.mu.Unlock()
		if err != nil || listening {
			return err
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
		case <-timeout.C:
			return fmt.Errorf("%w: the MQTT broker %s does not answer", device.ErrOffline, c.settings.address())
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
	err := c.usable(ctx)
	c.mu.Unlock()
	if err == nil {
		err = c.awaitSync(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
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
	if d.Codes != nil {
		limits := c.limits(t)
		d.Codes = &limits
	}
	d.State = c.state(t)
	return d
}

// state returns the state of a device. The caller holds c.mu.
func (c *conn) state(t *thing) device.State {
	s := t.info.State
	s.Online = t.online
	if t.generic == nil && c.bridge.Is(false) {
		s.Online = device.Known(false)
	}
	return s
}

// find returns a device that can be reached. The caller holds c.mu.
func (c *conn) find(ctx context.Context, id string) (*thing, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	t := c.things[id]
	if t == nil {
		return nil, fmt.Errorf("%w: %q", device.ErrUnknownDevice, id)
	}
	return t, nil
}

// reachable returns ErrOffline if the provider knows that it cannot reach the device. The caller holds c.mu.
func (c *conn) reachable(t *thing) error {
	if c.state(t).Online.Is(false) {
		return fmt.Errorf("%w: device %q", device.ErrOffline, t.info.ID)
	}
	return nil
}
