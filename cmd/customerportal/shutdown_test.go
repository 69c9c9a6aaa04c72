package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/memory"
)

// slowPush is a push that the server has begun to read. Its client sends the rest in end.
type slowPush struct {
	t       *testing.T
	body    *io.PipeWriter
	answers chan *http.Response // closed after the answer, or without one if the request failed
}

// beginPush begins a push and returns when the server reads its body.
func beginPush(t *testing.T, url string) *slowPush {
	t.Helper()
	body, rest := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/customers/push_data", body)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+testAPIKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Expect", "100-continue") // so that the body is sent when the handler reads it
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	p := &slowPush{t, rest, make(chan *http.Response, 1)}
	t.Cleanup(func() { _ = rest.CloseWithError(errAborted) }) // so that a failed test ends
	go func() {
		defer close(p.answers)
		if answer, err := client.Do(r); err == nil {
			p.answers <- answer
		}
		body.Close()
	}()
	_, err = rest.Write([]byte(`{"customer_key": "c", "rooms": `))
	require.NoError(t, err)
	return p
}

var errAborted = errors.New("the client has aborted the request")

// requireCutOff requires that there is no answer. It ends the body first, because the client waits for it.
func (p *slowPush) requireCutOff() {
	p.t.Helper()
	require.NoError(p.t, p.body.CloseWithError(errAborted))
	require.Nil(p.t, <-p.answers)
}

// end sends the rest of the body and requires that the push succeeds.
func (p *slowPush) end() {
	p.t.Helper()
	_, err := p.body.Write([]byte(`[{"room_key": "1", "name": "One"}]}`))
	require.NoError(p.t, err)
	require.NoError(p.t, p.body.Close())
	answer := <-p.answers
	require.NotNil(p.t, answer)
	require.NoError(p.t, answer.Body.Close())
	require.Equal(p.t, http.StatusOK, answer.StatusCode)
}

func TestShutdown_ActiveRequest_IsCompleted(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	s := start(t, complete(), store.kind(), "-store", "faulty:")
	push := beginPush(t, s.url)
	s.cancel()
	s.wait(stopping)
	for { // the listener is closed soon after the line in the log
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.url[len("http://"):])
		if err != nil {
			break
		}
		require.NoError(t, connection.Close())
	}
	require.Zero(t, store.closed.Load(), "the request still uses the store")
	push.end()
	s.stop()
	require.EqualValues(t, 1, store.closed.Load())
}

func TestShutdown_RequestExceedsTheLimit_IsCutOff(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	s := start(t, complete(), store.kind(), "-store", "faulty:", "-shutdown-timeout", "1ms")
	push := beginPush(t, s.url)
	s.cancel()
	<-s.ended
	require.Equal(t, exitFailed, s.status)
	require.Contains(t, s.stderr.line("the server failed")["error"], "requests were cut off because they did not end within -shutdown-timeout 1ms")
	push.requireCutOff()
	require.EqualValues(t, 1, store.closed.Load())
}

func TestRun_StoreCannotBeRead_ExitsWithStatus1(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	store.fails.Store(true)
	log := newOutput()
	p := program{args: []string{"-store", "faulty:", "-addr", "127.0.0.1:0"}, env: env(complete()), stdout: io.Discard, stderr: log, stores: store.kind()}
	require.Equal(t, exitFailed, p.run(t.Context()))
	require.Contains(t, log.String(), "reading the store: the disk is on fire")
	require.EqualValues(t, 1, store.closed.Load())
}

func TestRun_StoreCannotBeClosed_ExitsWithStatus1(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New(), closing: errFaulty}
	s := start(t, complete(), store.kind(), "-store", "faulty:")
	s.cancel()
	<-s.ended
	require.Equal(t, exitFailed, s.status)
	require.Equal(t, "closing the store: the disk is on fire", s.stderr.line("the server failed")["error"])
	require.Nil(t, s.stderr.line("stopped"))
}

// brokenListener is a listener that accepts no connection.
type brokenListener struct{ net.Listener }

var errBroken = errors.New("no connection can be accepted")

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

func TestServeHTTP_ListenerFails_ReturnsError(t *testing.T) {
	t.Parallel()
	p := program{args: []string{"-store", "memory:"}, env: env(complete()), stores: stores}
	c, err := p.configure()
	require.NoError(t, err)
	store := memory.New()
	defer store.Close()
	log := slog.New(slog.DiscardHandler)
	app, err := c.app(store, "127.0.0.1:0", nil, log)
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, serveHTTP(context.Background(), app, app.Handler(), brokenListener{listener}, time.Minute, log), errBroken)
}
