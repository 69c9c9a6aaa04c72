package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func noEnv(string) string { return "" }

func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// once runs the program with -once and returns its output.
func once(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), append(args, "-once"), noEnv, &out, io.Discard))
	return out.String()
}

// output collects the output of a program and signals each write.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	written chan struct{}
}

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

// server is a running program that serves.
type server struct {
	t    *testing.T
	url  string
	out  *output
	log  *output
	stop func() // stops it like a signal
}

var servingOn = regexp.MustCompile(`Serving the API on (http://\S+);`)

// serving runs the program on a free port until the test ends or stop is called.
func serving(t *testing.T, variables map[string]string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, out: &output{written: make(chan struct{}, 1)}, log: &output{written: make(chan struct{}, 1)}}
	done := make(chan error, 1)
	go func() { done <- run(ctx, append(args, "-addr", "127.0.0.1:0"), env(variables), s.out, s.log) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(s.stop)
	for s.url == "" {
		select {
		case err := <-done:
			done <- err
			require.NoError(t, err)
			t.Fatalf("the program ended by itself: %s", s.out)
		case <-s.out.written:
			if found := servingOn.FindStringSubmatch(s.out.String()); found != nil {
				s.url = found[1]
			}
		}
	}
	return s
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

// onOneDay calls run until it begins and ends on the same day of the hotel group, whose
// stays are of the day on which they are pushed.
func onOneDay(t *testing.T, run func()) {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Lisbon")
	require.NoError(t, err)
	today := func() string { return time.Now().In(zone).Format(time.DateOnly) }
	for day := ""; day != today(); {
		day = today()
		run()
	}
}

func TestOnce_SecondRun_ChangesNothing(t *testing.T) {
	t.Parallel()
	var dir, first, second string
	onOneDay(t, func() {
		dir = filepath.Join(t.TempDir(), "new")
		first = once(t, "-dir", dir, "-base-url", "https://portal.example")
		second = once(t, "-dir", dir)
	})
	require.Contains(t, first, "Pushed 374 resources")
	require.Contains(t, first, "created     98 spaces  142 user identities  134 access grants")
	require.NotContains(t, first, "Found customer")
	require.NotContains(t, first, "warning")
	require.Regexp(t, `"url": "https://portal\.example/0[0-9a-z]{32}"`, first)
	require.Contains(t, first, "would delete 1 space, 1 site, 40 rooms")

	require.Contains(t, second, `Found customer "atlantic-hotels" with 3 spaces, 3 sites, 80 rooms`)
	require.Contains(t, second, "unchanged   98 spaces  142 user identities  134 access grants")

	info, err := os.Stat(filepath.Join(dir, identityFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

const testKey = "seam_standalonetestkey01"

func TestServe_SecondRun_ServesTheDataInTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	variables := map[string]string{apiKeyVariable: testKey, workspaceVariable: "67c58f1f-f148-4415-a63c-dc6c145c6b91"}
	s := serving(t, variables, "-dir", dir)
	require.NotContains(t, s.out.String(), testKey)
	status, list := s.post("/seam/customer/v1/customers/list", testKey, "{}")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, list["customers"], "the workspace starts empty")
	status, made := s.post("/customers/create_portal", testKey, `{"customer_data": {"customer_key": "c", "rooms": [{"room_key": "1", "name": "One"}]}}`)
	require.Equal(t, http.StatusOK, status, made)
	portal := made["customer_portal"].(map[string]any)
	require.Equal(t, variables[workspaceVariable], portal["workspace_id"])
	require.True(t, strings.HasPrefix(portal["url"].(string), s.url+"/"), "the link opens at this server")
	s.stop()
	require.Contains(t, s.out.String(), "Stopping.")
	require.NotContains(t, s.log.String(), testKey)
	require.NotContains(t, s.log.String(), portal["url"])
	require.Contains(t, s.log.String(), "route=/customers/create_portal")

	later := serving(t, variables, "-dir", dir)
	status, list = later.post("/spaces/list", testKey, `{"customer_key": "c"}`)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, list["spaces"], 1)
	status, _ = later.post("/spaces/list", "seam_somebodyelseskey001", "{}")
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestAPIKey_NotSet_IsCreatedAndPrintedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serving(t, nil, "-dir", dir)
	key := regexp.MustCompile(`seam_k[a-z2-7]{26}`).FindString(first.out.String())
	require.NotEmpty(t, key)
	status, _ := first.post("/spaces/list", key, "{}")
	require.Equal(t, http.StatusOK, status)
	first.stop()
	info, err := os.Stat(filepath.Join(dir, apiKeyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	second := serving(t, nil, "-dir", dir)
	require.NotContains(t, second.out.String(), key)
	status, _ = second.post("/spaces/list", key, "{}")
	require.Equal(t, http.StatusOK, status)
}

func TestPreviews_FlagIsSet_PrintsTheirLinks(t *testing.T) {
	t.Parallel()
	s := serving(t, map[string]string{apiKeyVariable: testKey}, "-previews", "-dir", t.TempDir())
	require.Greater(t, strings.Count(s.out.String(), s.url+"/preview/"), 20)
}

// TestLoadHotel_AnyDay_HasArrivals moves the hotel group to days in other years and with other offsets from UTC.
func TestLoadHotel_AnyDay_HasArrivals(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Lisbon")
	require.NoError(t, err)
	for _, day := range []string{"2026-01-01", "2026-03-29", "2026-10-25", "2028-02-29", "2030-06-04", "2031-12-31"} {
		now, err := time.ParseInLocation(time.DateOnly, day, zone)
		require.NoError(t, err)
		group, err := loadHotel(now.Add(30 * time.Minute))
		require.NoError(t, err)
		arrivals := 0
		for _, g := range group.AccessGrants {
			require.Equal(t, 15, g.StartsAt.In(zone).Hour(), g.Key)
			if g.StartsAt.In(zone).Format(time.DateOnly) == day {
				arrivals++
			}
		}
		require.Equal(t, 28, arrivals, day)
	}
}

func TestServe_StoppedDuringARequest_CompletesTheRequest(t *testing.T) {
	t.Parallel()
	s := serving(t, map[string]string{apiKeyVariable: testKey}, "-dir", t.TempDir())
	body, rest := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/customers/push_data", body)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+testKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Expect", "100-continue") // so that the body is sent when the handler reads it
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	answers := make(chan *http.Response, 1)
	go func() {
		answer, err := client.Do(r)
		if err == nil {
			answers <- answer
		}
		close(answers)
	}()
	_, err = rest.Write([]byte(`{"customer_key": "c", "rooms": `))
	require.NoError(t, err)
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.stop() }()
	for !strings.Contains(s.out.String(), "Stopping.") {
		<-s.out.written
	}
	_, err = rest.Write([]byte(`[{"room_key": "1", "name": "One"}]}`))
	require.NoError(t, err)
	require.NoError(t, rest.Close())
	answer := <-answers
	require.NotNil(t, answer)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, answer.Body.Close())
	<-stopped
}

func TestURLOf_AllInterfaces_IsTheLoopbackAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":80": "http://127.0.0.1:80", "[::]:8080": "http://127.0.0.1:8080",
		"0.0.0.0:1": "http://127.0.0.1:1", "[::1]:8080": "http://[::1]:8080", "portal.example:8080": "http://portal.example:8080", "x": "http://x",
	} {
		require.Equal(t, want, urlOf(addr), addr)
	}
}

func TestRun_WrongUse_ReturnsError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	try := func(args []string, variables map[string]string) error {
		return run(t.Context(), args, env(variables), &out, io.Discard)
	}
	for name, args := range map[string][]string{
		"unknown flag":      {"-nope"},
		"argument":          {"demo"},
		"invalid base URL":  {"-once", "-base-url", "nonsense", "-dir", t.TempDir()},
		"file as directory": {"-dir", "main.go"},
		"invalid address":   {"-addr", "nowhere", "-dir", t.TempDir()},
	} {
		require.Error(t, try(args, nil), name)
	}
	require.NoError(t, try([]string{"-h"}, nil))
	require.ErrorContains(t, try([]string{"-dir", t.TempDir()}, map[string]string{workspaceVariable: "x"}), workspaceVariable)
	require.ErrorContains(t, try([]string{"-dir", t.TempDir(), "-addr", "127.0.0.1:0"}, map[string]string{apiKeyVariable: "x"}),
		`CUSTOMERPORTAL_API_KEY must start with "seam_" followed by at least 16 characters`)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, identityFile), []byte(`{"active_slot": 1, "masters": {}}`), 0o600))
	require.ErrorContains(t, try([]string{"-dir", dir}, nil), "the active slot 1 has no master")
	require.NoError(t, os.WriteFile(filepath.Join(dir, identityFile), []byte(`{`), 0o600))
	require.ErrorContains(t, try([]string{"-dir", dir}, nil), identityFile)
}
