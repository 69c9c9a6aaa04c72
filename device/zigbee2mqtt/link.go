package zigbee2mqtt

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// maxPacket bounds the packets of a broker.
const maxPacket = 16 << 20

var errPacketTooLarge = fmt.Errorf("zigbee2mqtt: the broker sent a packet of more than %d bytes", maxPacket)

// Reason codes with which a broker refuses a login, from the MQTT 5 standard.
const (
	reasonBadLogin      = 0x86
	reasonNotAuthorized = 0x87
)

// wire is a connection to a broker. Its reader bounds the size of packets, because the MQTT library allocates as many bytes as the
// header of a packet promises.
type wire struct {
	net.Conn
	sync.Mutex // the MQTT library locks it while it writes a packet
	r          *bufio.Reader
	frame      frame
	once       sync.Once
	gone       chan struct{} // closed when the connection ends
}

func newWire(c net.Conn) *wire {
	return &wire{Conn: c, r: bufio.NewReaderSize(c, 32<<10), gone: make(chan struct{})}
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err == nil {
		err = w.frame.add(b[:n])
	}
	if err != nil {
		w.end()
		return 0, err
	}
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

func (w *wire) Close() error {
	w.end()
	return w.Conn.Close()
}

func (w *wire) end() { w.once.Do(func() { close(w.gone) }) }

// up reports whether the connection works as far as is known.
func (w *wire) up() bool {
	if w == nil {
		return false
	}
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// frame follows the packets in a stream of bytes.
type frame struct {
	length bool // the next byte belongs to the length of the packet
	shift  uint
	size   int // of the packet so far, and then the bytes that are missing
}

// add returns an error if a packet is too large, or its length is malformed.
func (f *frame) add(b []byte) error {
	for len(b) > 0 {
		switch {
		case f.length:
			f.size |= int(b[0]&0x7f) << f.shift
			f.shift += 7
			if f.size > maxPacket || f.shift > 28 {
				return errPacketTooLarge
			}
			f.length = b[0]&0x80 != 0
			b = b[1:]
		case f.size > 0:
			n := min(f.size, len(b))
			f.size -= n
			b = b[n:]
		default:
			*f = frame{length: true}
			b = b[1:]
		}
	}
	return nil
}

// dial connects to the broker.
func (p *Provider) dial(ctx context.Context, s *settings) (net.Conn, error) {
	hosts := p.hosts
	if s.Operator {
		hosts = allowhosts.All()
	}
	plain, err := hosts.Dial(s.host)(ctx, "tcp", s.address())
	if err != nil || !s.tls {
		return plain, err
	}
	secure := tls.Client(plain, p.tlsConfig(s))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	return secure, nil
}

// link keeps the connection to the broker.
func (c *conn) link(ctx context.Context) (*autopaho.ConnectionManager, error) {
	var next *wire // of the connection that is being established; autopaho establishes one at a time
	u, err := url.Parse(c.settings.URL)
	if err != nil {
		return nil, err
	}
	maxBytes := uint32(maxPacket)
	first := true
	return autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{u},
		KeepAlive:                     30,
		CleanStartOnInitialConnection: true,
		ConnectTimeout:                10 * time.Second,
		ReconnectBackoff: func(attempt int) time.Duration {
			if first {
				first = false
				return 0
			}
			return c.p.times.backoff(attempt)
		},
		ConnectUsername: c.settings.Username,
		ConnectPassword: []byte(c.settings.Password),
		AttemptConnection: func(ctx context.Context, _ autopaho.ClientConfig, _ *url.URL) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			raw, err := c.p.dial(ctx, &c.settings)
			if err != nil {
				return nil, err
			}
			next = newWire(raw)
			if c.p.wires != nil {
				c.p.wires(c, next)
			}
			return next, nil
		},
		ConnectPacketBuilder: func(packet *paho.Connect, _ *url.URL) (*paho.Connect, error) {
			// Always a new session: a command that was not acknowledged must not be sent again after a reconnect. The id differs too,
			// because a broker may still be removing the subscriptions of the last session.
			packet.ClientID, packet.CleanStart = "customerportal-"+rand.Text(), true
			packet.Properties = &paho.ConnectProperties{MaximumPacketSize: &maxBytes}
			return packet, nil
		},
		OnConnectionUp:   func(cm *autopaho.ConnectionManager, _ *paho.Connack) { c.connected(next) },
		OnConnectionDown: func() bool { c.disconnected(); return true },
		OnConnectError: func(err error) {
			if next != nil {
				_ = next.Close() // also if the broker refused the login; the library does not close it
			}
			c.connectFailed(err)
		},
		ClientConfig: paho.ClientConfig{
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(m paho.PublishReceived) (bool, error) {
				c.receive(m.Packet.Topic, m.Packet.Payload, m.Packet.Retain)
				return true, nil
			}},
		},
	})
}

// connectFailed records why the broker cannot be reached.
func (c *conn) connectFailed(err error) {
	refused, ok := errors.AsType[*autopaho.ConnackError](err)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case ok && (refused.ReasonCode == reasonBadLogin || refused.ReasonCode == reasonNotAuthorized):
		c.end(fmt.Errorf("%w: the broker refused the user name or the password", device.ErrAccountLost))
	case errors.Is(err, allowhosts.ErrNotAllowed):
		c.end(allowhosts.ErrNotAllowed)
	default:
		c.cause = fmt.Errorf("%w: no connection to the MQTT broker %s", device.ErrOffline, c.settings.address())
		c.p.log.Warn("no connection to an MQTT broker", "address", c.settings.address(), "error", err)
		c.wake()
	}
}

// publish sends a message and waits until the broker has it. It returns an error without a class.
func (c *conn) publish(ctx context.Context, topic string, payload []byte, qos byte) error {
	expiry := uint32(c.p.times.answer/time.Second) + 1
	_, err := c.manager.Publish(ctx, &paho.Publish{
		QoS: qos, Topic: topic, Payload: payload,
		Properties: &paho.PublishProperties{MessageExpiry: &expiry}, // a command must not be carried out much later
	})
	return err
}
