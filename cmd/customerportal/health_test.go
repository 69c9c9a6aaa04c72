package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// faultyStore is a store whose reads fail or hang on request.
type faultyStore struct {
	storage.Store
	fails atomic.Bool
	hangs atomic.Pointer[chan struct{}] // reads wait until it is closed, even if their context is done
	reads atomic.Int64                  // reads that have begun

	closed  atomic.Int64
	closing error
}

var errFaulty = errors.New("the disk is on fire")

func (s *faultyStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.reads.Add(1)
	if wait := s.hangs.Load(); wait != nil {
		<-*wait
	}
	if s.fails.Load() {
		return errFaulty
	}
	return s.Store.View(ctx, fn)
}

func (s *faultyStore) Close() error {
	s.closed.Add(1)
	return errors.Join(s.Store.Close(), s.closing)
}

// kind returns a kind of store that opens s as "faulty:".
func (s *faultyStore) kind() []storeKind {
	return []storeKind{{
		scheme: "faulty",
		check:  func(string) error { return nil },
		open:   func(string, *slog.Logger) (storage.Store, error) { return s, nil },
	}}
}

func TestHealth_StoreFails_Is503UntilItAnswers(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	s := start(t, complete(), store.kind(), "-store", "faulty:")
	for range 2 {
		status, body := s.get(s.url + healthPath)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ok\n", body)
	}
	store.fails.Store(true)
	for range 2 {
		status, body := s.get(s.url + healthPath)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "unavailable\n", body, "the answer has no details")
	}
	require.Equal(t, errFaulty.Error(), s.wait("the health check failed")["error"])
	store.fails.Store(false)
	status, _ := s.get(s.url + healthPath)
	require.Equal(t, http.StatusOK, status)
	s.wait("the health check succeeds again")
}

func TestHealth_Changes_AreLoggedOnce(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	log := newOutput()
	h := newHealth(data.Open(store, data.Options{}).Workspace(uuid.New()), slog.New(slog.NewTextHandler(log, nil)))
	for range 3 {
		serveHealth(t, h)
	}
	require.Empty(t, log.String())
	store.fails.Store(true)
	for range 3 {
		serveHealth(t, h)
	}
	require.Regexp(t, `^time=\S+ level=ERROR msg="the health check failed" error="the disk is on fire"\n$`, log.String())
	store.fails.Store(false)
	for range 3 {
		serveHealth(t, h)
	}
	require.Regexp(t, `^.*ERROR.*\n.*level=INFO msg="the health check succeeds again"\n$`, log.String())
}

func TestHealth_OtherMethodOrPath_IsNotTheHealthCheck(t *testing.T) {
	t.Parallel()
	s := start(t, complete(), stores, "-store", "memory:")
	for _, request := range []struct {
		method, path string
		want         int
	}{{http.MethodHead, healthPath, http.StatusOK}, {http.MethodPost, healthPath, http.StatusNotFound}, {http.MethodGet, healthPath + "/", http.StatusNotFound}} {
		r, err := http.NewRequestWithContext(t.Context(), request.method, s.url+request.path, nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, request.want, answer.StatusCode, request)
	}
}

// serveHealth serves one health check and returns the response.
func serveHealth(t *testing.T, h *health) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, healthPath, nil))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return w
}

// TestHealth_StoreHangs_IsUnavailableAndDoesNotAccumulateReads uses a fake clock, so it does not wait.
func TestHealth_StoreHangs_IsUnavailableAndDoesNotAccumulateReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &faultyStore{Store: memory.New()}
		h := newHealth(data.Open(store, data.Options{}).Workspace(uuid.New()), slog.New(slog.NewTextHandler(io.Discard, nil)))
		hangs := make(chan struct{})
		store.hangs.Store(&hangs)
		for range 3 {
			require.Equal(t, http.StatusServiceUnavailable, serveHealth(t, h).Code)
		}
		require.EqualValues(t, 1, store.reads.Load())
		store.hangs.Store(nil)
		close(hangs)
		synctest.Wait()
		require.Equal(t, http.StatusOK, serveHealth(t, h).Code)
	})
}

func TestHealth_ClientDisconnects_DoesNotFail(t *testing.T) {
	t.Parallel()
	h := newHealth(data.Open(memory.New(), data.Options{}).Workspace(uuid.New()), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, healthPath, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.False(t, h.failing.Load())
}
