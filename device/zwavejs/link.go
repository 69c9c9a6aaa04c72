package zwavejs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// Bounds of the messages of a server, in bytes.
const (
	maxMessage = 32 << 20
	maxEvent   = maxNodeBytes
)

const networkTimeout = 10 * time.Second

// link is a connection to a server.
type link struct {
	ws   *websocket.Conn
	out  chan []byte
	once sync.Once
	gone chan struct{} // closed when the connection ends

	version chan fields   // receives the first message of the server
	wake    chan struct{} // has one element if the worker has something to do
	schema  int           // the version of the protocol; set before the first request that depends on it

	mu      sync.Mutex
	next    int
	waiting map[string]chan answer
	state   string // the id of the request whose answer is the state of the network
}

// answer is the answer to a request.
type answer struct {
	result json.RawMessage
	err    error
}

// dial opens a connection to the server.
func (p *Provider) dial(ctx context.Context, s *settings) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, networkTimeout)
	defer cancel()
	hosts := p.hosts
	if s.Operator {
		hosts = allowhosts.All()
	}
	transport := &http.Transport{
		DialContext: hosts.Dial(s.host), DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{ServerName: s.host, RootCAs: p.roots, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	ws, _, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxMessage)
	l := &link{
		ws: ws, out: make(chan []byte, 16), gone: make(chan struct{}), version: make(chan fields, 1),
		wake: make(chan struct{}, 1), waiting: map[string]chan answer{},
	}
	if p.links != nil {
		p.links(l)
	}
	return l, nil
}

// end ends the connection.
func (l *link) end() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.ws.CloseNow()
	})
}

// write sends the requests until the connection ends.
func (l *link) write() {
	for {
		select {
		case message := <-l.out:
			ctx, cancel := context.WithTimeout(context.Background(), networkTimeout)
			err := l.ws.Write(ctx, websocket.MessageText, message)
			cancel()
			if err != nil {
				l.end()
				return
			}
		case <-l.gone:
			return
		}
	}
}

// read receives messages until the connection ends. It passes events, and the state of the network, to c in their order.
func (l *link) read(c *conn) {
	defer l.end()
	for {
		kind, text, err := l.ws.Read(context.Background())
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			l.receive(c, text)
		}
	}
}

func (l *link) receive(c *conn, text []byte) {
	m := object(text)
	switch m.text("type") {
	case "version":
		select {
		case l.version <- m:
		default:
		}
	case "event":
		if len(text) > maxEvent {
			c.p.log.Warn("a Z-Wave JS server sent an event that is too large", "address", c.settings.address(), "bytes", len(text))
			return
		}
		c.receive(l, m.object("event"))
	case "result":
		l.receiveResult(c, m)
	}
}

func (l *link) receiveResult(c *conn, m fields) {
	id := m.text("messageId")
	l.mu.Lock()
	ch, isState := l.waiting[id], id == l.state && id != ""
	delete(l.waiting, id)
	l.mu.Unlock()
	if ch == nil {
		return
	}
	a := answer{result: m["result"]}
	switch {
	case !m.isTrue("success"):
		a = answer{err: decodeFailure(m)}
	case isState:
		nodes, err := decodeState(m["result"])
		if err == nil {
			c.install(nodes) // before the events that follow
		}
		a = answer{err: err}
	}
	ch <- a
}

// send sends a request, and returns the channel with the answer. forget must be called when the answer is no longer needed. It
// returns an error if the request was certainly not sent.
func (l *link) send(ctx context.Context, command string, arguments map[string]any) (answers <-chan answer, forget func(), err error) {
	request := map[string]any{"command": command}
	for name, v := range arguments {
		request[name] = v
	}
	ch := make(chan answer, 1)
	l.mu.Lock()
	l.next++
	id := strconv.Itoa(l.next)
	l.waiting[id] = ch
	if command == commandListen {
		l.state = id
	}
	l.mu.Unlock()
	forget = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, id)
	}
	request["messageId"] = id
	text, err := json.Marshal(request)
	if err == nil {
		select {
		case l.out <- text:
			return ch, forget, nil
		case <-l.gone:
			err = errNotSent
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	forget()
	return nil, nil, err
}

// call sends a request about a device and waits for the answer. It returns its result, or ctx.Err(), the error with which the
// connection ended, a [serverError], errNotSent, errLostLink or errSilent.
func (c *conn) call(ctx context.Context, l *link, command string, arguments map[string]any) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(c.p.times.answer)
	defer timeout.Stop()
	answers, forget, err := l.send(ctx, command, arguments)
	if err != nil {
		if ended := c.endError(); ended != nil {
			return nil, ended
		}
		return nil, err
	}
	defer forget()
	select {
	case a := <-answers:
		return a.result, a.err
	default:
	}
	select {
	case a := <-answers:
		return a.result, a.err
	case <-timeout.C:
		return nil, errSilent
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		return nil, c.endError()
	case <-l.gone:
		if ended := c.endError(); ended != nil {
			return nil, ended
		}
		return nil, errLostLink
	}
}

// The versions of the protocol that the driver supports. From version 48 the server has requests for access control. Up to version 28,
// it reports whether a value was set in another form.
const (
	minSchema           = 29
	maxSchema           = 50
	schemaAccessControl = 48
)

const commandListen = "start_listening"

// negotiate chooses the version of the protocol, and returns the id of the Z-Wave network.
func negotiate(version fields) (schema int, home string, err error) {
	lowest, ok := version.integer("minSchemaVersion")
	highest, ok2 := version.integer("maxSchemaVersion")
	id, ok3 := version.integer("homeId")
	if !ok || !ok2 || !ok3 || id == 0 {
		return 0, "", errors.New("zwavejs: the server's first message has no versions or no network")
	}
	if schema = min(highest, maxSchema); schema < minSchema || schema < lowest {
		return 0, "", fmt.Errorf("%w: it supports the schema versions %d to %d, and the driver %d to %d",
			errSchema, lowest, highest, minSchema, maxSchema)
	}
	return schema, fmt.Sprintf("%08x", id), nil
}

// open performs the first requests on a new connection: after them, its inventory is complete.
func (c *conn) open(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, c.p.times.sync)
	defer cancel()
	var version fields
	select {
	case version = <-l.version:
	case <-l.gone:
		return errLostLink
	case <-ctx.Done():
		return ctx.Err()
	}
	schema, home, err := negotiate(version)
	if err != nil {
		return err
	}
	if err := c.checkHome(home); err != nil {
		return err
	}
	l.schema = schema
	if _, err := c.call(ctx, l, "set_api_schema", map[string]any{"schemaVersion": schema}); err != nil {
		return err
	}
	if _, err := c.call(ctx, l, commandListen, nil); err != nil {
		return err
	}
	if schema >= schemaAccessControl {
		c.probeLocks(ctx, l)
		return ctx.Err()
	}
	asking, stop := context.WithTimeout(ctx, c.p.times.sync/2) // such a server asks the locks, of which some may not answer
	defer stop()
	c.probeLocks(asking, l)
	return ctx.Err()
}

// checkHome stores the id of the Z-Wave network, and returns an error if it is not that of the account.
func (c *conn) checkHome(home string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.home != "" && c.home != home {
		return fmt.Errorf("%w: the server controls another Z-Wave network", device.ErrAccountLost)
	}
	c.home = home
	return nil
}
