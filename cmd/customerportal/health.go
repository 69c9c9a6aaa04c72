package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/customerportal-go/customerportal/data"
)

const (
	healthPath    = "/healthz"
	healthTimeout = 10 * time.Second
)

// health answers health checks: 200 if the store answers a small read in time, and 503 otherwise. It requires no credentials. It
// logs only changes, because anyone can send requests.
type health struct {
	ws      *data.Workspace
	log     *slog.Logger
	timeout time.Duration
	reading chan struct{} // holds a token while a read runs
	failing atomic.Bool   // the last check failed
}

func newHealth(ws *data.Workspace, log *slog.Logger) *health {
	return &health{ws: ws, log: log, timeout: healthTimeout, reading: make(chan struct{}, 1)}
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A client that disconnects must not cause a failed check.
	err := h.check(context.WithoutCancel(r.Context()))
	switch {
	case err == nil && h.failing.CompareAndSwap(true, false):
		h.log.InfoContext(r.Context(), "the health check succeeds again")
	case err != nil && h.failing.CompareAndSwap(false, true):
		h.log.ErrorContext(r.Context(), "the health check failed", "error", err)
	}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "unavailable\n") // fails only if the client has disconnected
		return
	}
	_, _ = io.WriteString(w, "ok\n") // as above
}

// check reads the store. It returns an error if the read fails or takes too long. Only one read runs at a time, so that waiting
// reads do not accumulate if the store hangs.
func (h *health) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	select {
	case h.reading <- struct{}{}:
	case <-ctx.Done():
		return errors.New("an earlier read of the store has not ended")
	}
	result := make(chan error, 1)
	go func() { // a store that hangs may not return when ctx is done
		defer func() { <-h.reading }()
		result <- readStore(ctx, h.ws)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return errors.New("the store has not answered in time")
	}
}

// readStore reads the format of the store and a customer, which need not exist.
func readStore(ctx context.Context, ws *data.Workspace) error {
	_, err := ws.Customer(ctx, "healthz")
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}
