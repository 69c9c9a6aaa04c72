package proofs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// wire is a persistent connection to a server.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dial connects from a local address.
func dial(t *testing.T, from, to string) *wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", to)
	require.NoError(t, err)
	return &wire{t, conn, bufio.NewReader(conn)}
}

// ask sends several requests at once and reads the responses. answered may read the body.
func (w *wire) ask(requests []string, answered func(i int, r *http.Response)) error {
	if _, err := io.WriteString(w.conn, strings.Join(requests, "")); err != nil {
		return err
	}
	for i := range requests {
		r, err := http.ReadResponse(w.in, nil)
		if err != nil {
			return err
		}
		answered(i, r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		if err := r.Body.Close(); err != nil {
			return err
		}
	}
	return nil
}

// get sends a GET request and returns the response and its body.
func (w *wire) get(path, headers string) (*http.Response, string) {
	w.t.Helper()
	var out *http.Response
	var body []byte
	require.NoError(w.t, w.ask([]string{request(path, headers)}, func(_ int, r *http.Response) {
		out = r
		var err error
		body, err = io.ReadAll(r.Body)
		require.NoError(w.t, err)
	}))
	return out, string(body)
}

func request(path, headers string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: portal.example\r\n" + headers + "\r\n"
}

// program is a server in another process.
type program struct {
	cmd  *exec.Cmd
	addr string
	read chan struct{} // closed when all its output has been read
}

// start runs a program until the test ends. It waits until the program prints its address.
func start(t *testing.T, cmd *exec.Cmd, says *regexp.Regexp) *program {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var log strings.Builder
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	p := &program{cmd: cmd, read: make(chan struct{})}
	in := bufio.NewReader(out)
	for p.addr == "" {
		line, err := in.ReadString('\n')
		if err != nil {
			_ = cmd.Wait()
			require.NoError(t, err, "it ended by itself: %s", log.String())
		}
		if found := says.FindStringSubmatch(line); found != nil {
			p.addr = found[1]
		}
	}
	go func() {
		defer close(p.read)
		_, _ = io.Copy(io.Discard, in)
	}()
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		<-p.read
		require.NoError(t, cmd.Wait(), log.String())
	})
	return p
}

// resident returns the resident memory of the process in bytes.
func (p *program) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(t, found)
	kb, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kb << 10
}

// sockets returns the number of sockets of the process.
func (p *program) sockets(t *testing.T) (n int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	open, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, fd := range open {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc, and connects from 127.0.0.2")
	}
}

// visitor is a browser with an open portal.
type visitor struct {
	*wire
	home, cookie string
}

// open opens a link from an address.
func open(t *testing.T, from, to, code string) visitor {
	t.Helper()
	w := dial(t, from, to)
	header := func(c *http.Cookie) string { return "Cookie: " + c.Name + "=" + c.Value + "\r\n" }
	a, _ := w.get("/portal/"+code, "")
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Len(t, a.Cookies(), 1)
	a, _ = w.get(a.Header.Get("Location"), header(a.Cookies()[0]))
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Len(t, a.Cookies(), 1)
	v := visitor{wire: w, home: a.Header.Get("Location"), cookie: header(a.Cookies()[0])}
	require.Regexp(t, `^/portal/p/[0-9a-f]{12}/$`, v.home)
	return v
}

// servePages is a program that serves the pages behind a trusted proxy on this machine. "/held" returns its memory and
// goroutines.
func servePages() {
	h := newHost(memory.New())
	pages, err := web.New(h.portals, web.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	must(err)
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("/held", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(held{int(m.HeapAlloc), runtime.NumGoroutine()})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	printLine("serving %s", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		<-interrupted
		_ = server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		must(err)
	}
}

// held is the size of the live heap and the number of goroutines.
type held struct{ Heap, Goroutines int }
