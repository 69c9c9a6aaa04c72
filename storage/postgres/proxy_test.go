package postgres_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// cut is the place at which a proxy cuts a connection.
type cut int

const (
	cutNone   cut = iota
	cutBefore     // before the COMMIT and the writes reach the server
	cutAfter      // after the server has committed, before its answer reaches the client
	cutDuring     // after the writes were sent to the server, which may or may not read them
	cutLate       // the client loses the connection, and the server gets the message when proxy.late is closed
)

// proxy is a proxy in front of the shared server. It cuts the connection on which the next COMMIT is sent.
type proxy struct {
	dir    string
	server string

	mu      sync.Mutex
	next    cut
	refuses bool          // new connections
	stall   chan struct{} // not nil while nothing is forwarded; closed at the end

	late     chan struct{} // closed to send the message of cutLate
	answered chan struct{} // closed when the server has answered it
}

// proxied is a connection through a proxy.
type proxied struct {
	cut cut // of the message that the client has sent
}

// startProxy starts a proxy, which ends with the test.
func startProxy(t *testing.T) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgproxy-") // the path of a socket is limited to about 100 bytes
	require.NoError(t, err)
	p := &proxy{dir: dir, server: postgrestest.Shared(t).Socket()}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = listener.Close()
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.serve(client)
		}
	}()
	return p
}

func (p *proxy) url() string { return "postgres:///postgres?user=postgres&host=" + p.dir }

// serve forwards a connection.
func (p *proxy) serve(client net.Conn) {
	if p.refused() {
		_ = client.Close()
		return
	}
	server, err := (&net.Dialer{}).DialContext(context.Background(), "unix", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &proxied{}
	end := func() { _ = client.Close(); _ = server.Close() }
	answered := make(chan struct{})
	go func() { // from the client
		defer end()
		buffer, begun := make([]byte, 64<<10), false
		for {
			n, err := client.Read(buffer)
			if n > 0 {
				p.waitStall()
				at := cutNone
				if begun { // the first message begins a session, or cancels the statement of another one
					at = p.take(c)
				}
				begun = true
				switch at {
				case cutBefore:
					return
				case cutDuring:
					_ = client.Close() // before the server can answer
					_, _ = server.Write(buffer[:n])
					return
				case cutLate:
					_ = client.Close()
					<-p.late
					_, _ = server.Write(buffer[:n])
					<-answered
					close(p.answered)
					return
				}
				if _, err := server.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	go func() { // from the server
		defer end()
		defer close(answered)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if n > 0 {
				p.waitStall()
				if p.cutOf(c) == cutAfter { // the server answers the whole message after it has committed
					return
				}
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
}

// refuse makes the proxy refuse new connections, or accept them again.
func (p *proxy) refuse(refuses bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuses
}

func (p *proxy) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuses
}

// take returns the cut of the message that c has sent, and sets the cut of c if a COMMIT is being sent.
func (p *proxy) take(c *proxied) cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != cutNone {
		c.cut, p.next = p.next, cutNone
	}
	return c.cut
}

func (p *proxy) cutOf(c *proxied) cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.cut
}

// waitStall waits while nothing is forwarded.
func (p *proxy) waitStall() {
	p.mu.Lock()
	stall := p.stall
	p.mu.Unlock()
	if stall != nil {
		<-stall
	}
}

// stop forwards nothing until the function that it returns is called.
func (p *proxy) stop() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stall := make(chan struct{})
	p.stall = stall
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.stall = nil
		p.mu.Unlock()
		close(stall)
	})
}

// cutter is a tracer that makes a proxy cut the connection when a COMMIT is sent.
type cutter struct {
	proxy *proxy
	mu    sync.Mutex
	at    cut
}

// arm makes the next COMMIT be cut.
func (c *cutter) arm(at cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *cutter) configure(p *pgxpool.Config) { p.ConnConfig.Tracer = c }

func (c *cutter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := b.Batch.QueuedQueries; c.at != cutNone && q[len(q)-1].SQL == "commit" {
		c.proxy.mu.Lock()
		c.proxy.next = c.at
		c.proxy.mu.Unlock()
		c.at = cutNone
	}
	return ctx
}
func (c *cutter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *cutter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (c *cutter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (c *cutter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
