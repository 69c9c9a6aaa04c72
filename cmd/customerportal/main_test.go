package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	testAPIKey    = "seam_servertestkey0001"
	testWorkspace = "67c58f1f-f148-4415-a63c-dc6c145c6b91"
)

// testMaster returns a master key in base64. Every seed has another key.
func testMaster(seed byte) string {
	master := bytes.Repeat([]byte{seed}, 32)
	master[0]++
	return base64.StdEncoding.EncodeToString(master)
}

// complete returns the variables of a server with a durable store.
func complete() map[string]string {
	return map[string]string{keysVariable: "0:" + testMaster(1), apiKeyVariable: testAPIKey, workspaceVariable: testWorkspace}
}

// output collects the output of a program and signals each write.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	written chan struct{}
}

func newOutput() *output { return &output{written: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case o.written <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// line returns the attributes of the first log line with a message, or nil if no line has it.
func (o *output) line(message string) map[string]any {
	for text := range strings.Lines(o.String()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == message {
			return line
		}
	}
	return nil
}

const stopping = "stopping: waiting for the active requests; a second signal ends the process at once"

// server is a running program that serves.
type server struct {
	t      *testing.T
	url    string
	stdout *output
	stderr *output       // the log, as JSON
	cancel func()        // stops the program like a signal
	ended  chan struct{} // closed when the program has ended
	status int           // valid when ended is closed
}

// start runs the program on a free port.
func start(t *testing.T, variables map[string]string, stores []storeKind, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, stdout: newOutput(), stderr: newOutput(), cancel: cancel, ended: make(chan struct{})}
	p := program{
		args: append([]string{"-addr", "127.0.0.1:0", "-log-format", "json", "-shutdown-timeout", "10m"}, args...), env: env(variables),
		stdout: s.stdout, stderr: s.stderr, stores: stores, drivers: drivers,
	}
	go func() {
		defer close(s.ended)
		s.status = p.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-s.ended })
	s.url = s.wait("serving")["url"].(string)
	return s
}

// wait waits until the log has a line with the message, and returns its attributes.
func (s *server) wait(message string) map[string]any {
	s.t.Helper()
	for {
		if line := s.stderr.line(message); line != nil {
			return line
		}
		select {
		case <-s.stderr.written:
		case <-s.ended:
			line := s.stderr.line(message)
			require.NotNil(s.t, line, "the program ended with status %d: %s", s.status, s.stderr)
			return line
		}
	}
}

// stop stops the program like a signal and requires that it ends without an error.
func (s *server) stop() {
	s.t.Helper()
	s.cancel()
	<-s.ended
	require.Equal(s.t, exitOK, s.status, s.stderr)
	require.NotNil(s.t, s.stderr.line("stopped"), s.stderr)
	require.NotContains(s.t, s.stderr.String(), `"level":"ERROR"`)
}

func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// post sends a request to the API and returns the status and the response.
func (s *server) post(path, key, body string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	var out map[string]any
	require.NoError(s.t, json.NewDecoder(answer.Body).Decode(&out))
	return answer.StatusCode, out
}

// get returns the status and the body of a page that a new browser opens.
func (s *server) get(target string) (int, string) {
	s.t.Helper()
	return s.getWith(s.newBrowser(), target)
}

// newBrowser returns a client without cookies.
func (s *server) newBrowser() *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &http.Client{Jar: jar}
}

// getWith returns the status and the body of a page that a browser opens.
func (s *server) getWith(browser *http.Client, target string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, target, nil)
	require.NoError(s.t, err)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	answer, err := browser.Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(b)
}

const roomName = "The blue room"

// makePortal pushes a customer with a room, creates a portal and returns its link.
func (s *server) makePortal(key string) string {
	s.t.Helper()
	status, pushed := s.post("/customers/push_data", key, `{"customer_key": "acme", "rooms": [{"room_key": "101", "name": "`+roomName+`"}]}`)
	require.Equal(s.t, http.StatusOK, status, pushed)
	status, made := s.post("/customers/create_portal", key, `{"customer_data": {"customer_key": "acme"}}`)
	require.Equal(s.t, http.StatusOK, status, made)
	return made["customer_portal"].(map[string]any)["url"].(string)
}

// open opens a link at this server, like a proxy at the host of the link, and returns the status and the page.
func (s *server) open(link string) (int, string) {
	s.t.Helper()
	u, err := url.Parse(link)
	require.NoError(s.t, err)
	return s.get(s.url + u.Path)
}

// roomsPage matches the link to the page of rooms.
var roomsPage = regexp.MustCompile(`href="([^"]*/spaces)"`)

// requireOpens requires that a link leads to a page that shows the room of makePortal.
func (s *server) requireOpens(link string) {
	s.t.Helper()
	u, err := url.Parse(link)
	require.NoError(s.t, err)
	browser := s.newBrowser()
	status, page := s.getWith(browser, s.url+u.Path)
	require.Equal(s.t, http.StatusOK, status)
	found := roomsPage.FindStringSubmatch(page)
	require.NotNil(s.t, found, "the page has no link to the rooms")
	status, page = s.getWith(browser, s.url+found[1])
	require.Equal(s.t, http.StatusOK, status)
	require.True(s.t, strings.Contains(page, roomName), "the page does not show the room")
}

func TestServe_MemoryWithoutVariables_GeneratesCredentials(t *testing.T) {
	t.Parallel()
	s := start(t, nil, stores, "-store", "memory:")
	printed := map[string]string{}
	for line := range strings.Lines(s.stdout.String()) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		require.True(t, found, line)
		printed[name] = value
	}
	require.Len(t, printed, 2)
	require.Equal(t, printed[workspaceVariable], s.stderr.line("serving")["workspace_id"])
	require.Contains(t, s.stderr.String(), "a master key was generated")
	require.NotContains(t, s.stderr.String(), printed[apiKeyVariable])

	link := s.makePortal(printed[apiKeyVariable])
	s.requireOpens(link)
	require.True(t, strings.HasPrefix(link, s.url+"/portal/"), "the default of -base-url is the address of the server: %s", link)
	status, _ := s.post("/spaces/list", testAPIKey, "{}")
	require.Equal(t, http.StatusUnauthorized, status)
	s.stop()
}

func TestServe_MemoryWithVariables_UsesThem(t *testing.T) {
	t.Parallel()
	s := start(t, complete(), stores, "-store", "memory:")
	require.Empty(t, s.stdout.String())
	require.NotContains(t, s.stderr.String(), "generated")
	s.requireOpens(s.makePortal(testAPIKey))
	_, list := s.post("/seam/customer/v1/customers/list", testAPIKey, "{}")
	require.Len(t, list["customers"], 1)
	require.Equal(t, testWorkspace, s.stderr.line("serving")["workspace_id"])
	s.stop()
}

func TestServe_AfterRestart_LinkStillOpens(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"badger:", "pebble:"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			testRestart(t, scheme+t.TempDir())
		})
	}
}

func testRestart(t *testing.T, store string) {
	args := []string{"-store", store, "-base-url", "http://127.0.0.1:9999/access"}
	first := start(t, complete(), stores, args...)
	link := first.makePortal(testAPIKey)
	require.True(t, strings.HasPrefix(link, "http://127.0.0.1:9999/access/0"), "links begin with -base-url and the active slot: %s", link)
	first.requireOpens(link)
	first.stop()

	again := start(t, complete(), stores, args...)
	again.requireOpens(link)
	again.stop()

	// A new key is active. The link is signed with the old one.
	variables := complete()
	variables[keysVariable] = "1:" + testMaster(2) + ", " + variables[keysVariable]
	rotated := start(t, variables, stores, args...)
	rotated.requireOpens(link)
	newLink := rotated.makePortal(testAPIKey)
	require.True(t, strings.HasPrefix(newLink, "http://127.0.0.1:9999/access/1"), newLink)
	rotated.stop()

	// The old key is removed, so its link is not valid anymore.
	variables[keysVariable] = "1:" + testMaster(2)
	removed := start(t, variables, stores, args...)
	status, _ := removed.open(link)
	require.Equal(t, http.StatusNotFound, status)
	removed.requireOpens(newLink)
	removed.stop()
}

func TestServe_BaseURLWithoutPath_ServesThePagesAndTheAPI(t *testing.T) {
	t.Parallel()
	s := start(t, complete(), stores, "-store", "memory:", "-base-url", "http://localhost:1/")
	link := s.makePortal(testAPIKey)
	require.Regexp(t, `^http://localhost:1/0[0-9a-z]{32}$`, link)
	s.requireOpens(link)
	status, body := s.get(s.url + healthPath)
	require.Equal(t, http.StatusOK, status, "the health check has precedence over the pages")
	require.Equal(t, "ok\n", body)
	s.stop()
}

func TestServe_Requests_AreLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := start(t, complete(), stores, "-store", "badger:"+t.TempDir())
	link := s.makePortal(testAPIKey)
	s.requireOpens(link)
	s.stop()
	require.NotNil(t, s.stderr.line("request"), "the log has one line for each request")
	for _, secret := range []string{testMaster(1), testAPIKey, link[strings.LastIndexByte(link, '/')+1:]} {
		require.NotContains(t, s.stderr.String()+s.stdout.String(), secret)
	}
}

// TestServe_TrustedProxy_LimitsEachClient opens wrong links until a client is refused. Another client of the same proxy is not.
func TestServe_TrustedProxy_LimitsEachClient(t *testing.T) {
	t.Parallel()
	s := start(t, complete(), stores, "-store", "memory:", "-trusted-proxies", "10.0.0.1,127.0.0.0/8")
	openWrongLink := func(client string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/portal/"+strings.Repeat("0", 33), nil)
		require.NoError(t, err)
		r.Header.Set("X-Forwarded-For", client)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	status := http.StatusNotFound
	for range 1000 {
		if status = openWrongLink("203.0.113.1"); status != http.StatusNotFound {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, http.StatusNotFound, openWrongLink("203.0.113.2"))
}

func TestServe_LogFormatText_IsNotJSON(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a signal before the server serves
	status, stdout, stderr := run(ctx, complete(), "-store", "memory:", "-addr", "127.0.0.1:0")
	require.Equal(t, exitOK, status, stderr)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "level=INFO msg=serving url=http://127.0.0.1:")
	require.Contains(t, stderr, "msg=stopped")
}

// run runs the program until it ends by itself or ctx is done.
func run(ctx context.Context, variables map[string]string, args ...string) (status int, stdout, stderr string) {
	var out, log bytes.Buffer
	p := program{args: args, env: env(variables), stdout: &out, stderr: &log, stores: stores, drivers: drivers}
	status = p.run(ctx)
	return status, out.String(), log.String()
}
