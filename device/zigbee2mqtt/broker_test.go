package zigbee2mqtt

import (
	"bytes"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/stretchr/testify/require"
)

const (
	testUser     = "portal"
	testPassword = "correct horse battery"

	// The login of Zigbee2MQTT.
	bridgeUser     = "bridge"
	bridgePassword = "a stapled battery"
)

// broker is an MQTT broker in this process. Its address stays the same while it is down or restarted.
type broker struct {
	tb       testing.TB
	listener net.Listener

	mu       sync.Mutex
	server   *mqtt.Server // nil while the broker is down
	conns    map[net.Conn]bool
	password string  // of testUser
	wires    []*wire // connections of the driver
	opened   map[*conn]bool
	started  func(*mqtt.Server)
	retained map[string]packets.Packet // the messages that a restarted server has, if keep is set
	keep     bool

	// If they are set, the next subscription of the driver sends to subscribing, and waits for proceed.
	subscribing chan<- struct{}
	proceed     <-chan struct{}
}

// newBroker starts a broker. started is called for each server that the broker starts.
func newBroker(tb testing.TB, started func(*mqtt.Server)) *broker {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	b := &broker{tb: tb, listener: listener, conns: map[net.Conn]bool{}, opened: map[*conn]bool{}, password: testPassword, started: started}
	b.start()
	var accepting sync.WaitGroup
	accepting.Go(func() { b.accept(&accepting) })
	tb.Cleanup(func() {
		_ = listener.Close()
		b.stop()
		accepting.Wait()
	})
	return b
}

func (b *broker) accept(serving *sync.WaitGroup) {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		server := b.server
		if server == nil {
			_ = c.Close()
		} else {
			b.conns[c] = true
			serving.Go(func() {
				_ = server.EstablishConnection("test", c)
				_ = c.Close()
				b.mu.Lock()
				defer b.mu.Unlock()
				delete(b.conns, c)
			})
		}
		b.mu.Unlock()
	}
}

// start starts a server. It has no retained messages, unless keep is set.
func (b *broker) start() {
	server := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b.tb, server.AddHook(&authHook{broker: b}, nil))
	require.NoError(b.tb, server.Serve())
	for topic, m := range b.retained {
		require.NoError(b.tb, server.Publish(topic, m.Payload, true, 1))
	}
	b.mu.Lock()
	b.server = server
	b.mu.Unlock()
	if b.started != nil {
		b.started(server)
	}
}

// stop stops the server, and waits until the driver has noticed.
func (b *broker) stop() {
	b.mu.Lock()
	server, wires := b.server, b.wires
	b.server, b.wires = nil, nil
	for c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	if server != nil {
		if b.keep {
			b.retained = server.Topics.Retained.GetAll()
		}
		_ = server.Close()
	}
	for _, w := range wires {
		<-w.gone
	}
}

// drop closes the connections of the driver. The server continues.
func (b *broker) drop() {
	for _, c := range b.current().Clients.GetAll() {
		if string(c.Properties.Username) == testUser {
			_ = c.Net.Conn.Close()
		}
	}
}

func (b *broker) current() *mqtt.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}

func (b *broker) url() string { return "mqtt://" + b.listener.Addr().String() }

// publish publishes a message, unless the broker is down.
func (b *broker) publish(topic, payload string, retain bool) {
	if s := b.current(); s != nil {
		require.NoError(b.tb, s.Publish(topic, []byte(payload), retain, 1))
	}
}

// watchWires lets the broker know the connections of a driver.
func (b *broker) watchWires(p *Provider) {
	p.wires = func(c *conn, w *wire) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.opened[c] = true
		b.wires = append(b.wires, w)
	}
}

type authHook struct {
	mqtt.HookBase
	broker *broker
}

func (*authHook) ID() string { return "auth" }

func (*authHook) Provides(b byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSubscribe}, []byte{b})
}

func (h *authHook) OnConnectAuthenticate(_ *mqtt.Client, pk packets.Packet) bool {
	h.broker.mu.Lock()
	defer h.broker.mu.Unlock()
	password, known := map[string]string{testUser: h.broker.password, bridgeUser: bridgePassword}[string(pk.Connect.Username)]
	return known && string(pk.Connect.Password) == password
}

func (*authHook) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

func (h *authHook) OnSubscribe(c *mqtt.Client, pk packets.Packet) packets.Packet {
	h.broker.mu.Lock()
	subscribing, proceed := h.broker.subscribing, h.broker.proceed
	if string(c.Properties.Username) != testUser || subscribing == nil {
		h.broker.mu.Unlock()
		return pk
	}
	h.broker.subscribing = nil
	h.broker.mu.Unlock()
	subscribing <- struct{}{}
	<-proceed
	return pk
}

// awaitMark waits until all connections of the driver have received a state of the lock that was reported at this time.
func (b *broker) awaitMark(mark time.Time) {
	b.await(func(_ *conn, lock *thing) bool { return !lock.info.StateAt.Before(mark) })
}

// await waits until a condition holds for all connections of the driver that know the lock.
func (b *broker) await(condition func(*conn, *thing) bool) {
	b.mu.Lock()
	opened := slices.Collect(maps.Keys(b.opened))
	b.mu.Unlock()
	for _, c := range opened {
		require.Eventually(b.tb, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			lock := c.things[testLock]
			return c.ended != nil || !c.wire.up() || !c.synced() || lock == nil || condition(c, lock)
		}, eventually, time.Millisecond)
	}
}
