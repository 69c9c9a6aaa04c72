package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
)

// Limits for a server with untrusted clients. The API itself limits the size of bodies and the time of requests.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = time.Minute // of a whole request
	writeTimeout   = 5 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 1 << 20 // delete_data has its parameters in the query
)

// serve opens the store and serves until ctx is done. Then it completes the active requests, ends the background work and closes
// the store.
func serve(ctx context.Context, c *config, log *slog.Logger) (err error) {
	starting := context.WithoutCancel(ctx) // a signal during the start is not a failure
	store, err := c.store.open(c.store.value, log)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer func() {
		if closing := store.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("closing the store: %w", closing))
		}
		if err == nil {
			log.InfoContext(ctx, "stopped")
		}
	}()
	listener, err := (&net.ListenConfig{}).Listen(starting, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("-addr %s: %w", c.addr, err)
	}
	defer listener.Close() // if the server did not close it
	addr := listener.Addr().String()

	providers, stopDrivers, err := openDrivers(starting, c.drivers, driverOptions{c.allowHosts, log})
	if err != nil {
		return err
	}
	defer stopDrivers()
	app, err := c.app(store, addr, providers, log)
	if err != nil {
		return err
	}
	ws := app.DB.Workspace(c.workspace)
	if err := readStore(starting, ws); err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if err := checkKeys(starting, app.DB, c.keys); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", app.Handler())
	mux.Handle("GET "+healthPath, newHealth(ws, log))
	log.InfoContext(ctx, "serving", "url", urlOf(addr), "links", app.Portals.BaseURL(), "store", c.store.scheme, "drivers", driverNames(c.drivers),
		"workspace_id", c.workspace, "active_key", c.keys.Active(), "keys", c.keys.Slots(), "version", version())
	return serveHTTP(ctx, app, mux, listener, c.shutdownTimeout, log)
}

// checkKeys returns an error if a master key is missing that encrypts a value in the store, also if the server has no drivers.
func checkKeys(ctx context.Context, db *data.DB, ring *keys.Ring) error {
	devices, err := access.New(db, access.Options{Keys: ring})
	if err != nil {
		return err
	}
	if err := devices.CheckKeys(ctx, ring); err != nil {
		return fmt.Errorf("-keys or %s: %w", keysVariable, err)
	}
	return nil
}

// serveHTTP serves until ctx is done or the listener fails.
func serveHTTP(ctx context.Context, app *customerportal.App, handler http.Handler, listener net.Listener, limit time.Duration, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	worked := make(chan error, 1)
	go func() { worked <- app.Run(working) }()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	var err error
	select {
	case err = <-failed:
		err = errors.Join(fmt.Errorf("serving: %w", err), server.Close())
	case <-ctx.Done():
		log.InfoContext(ctx, "stopping: waiting for the active requests; a second signal ends the process at once", "at_most", limit)
		err = shutDown(context.WithoutCancel(ctx), server, limit)
	}
	stopWork()
	if ended := <-worked; !errors.Is(ended, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("background work: %w", ended))
	}
	return err
}

// shutDown stops accepting connections and waits for the active requests. After the limit it closes their connections and returns
// an error.
func shutDown(ctx context.Context, server *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off because they did not end within -shutdown-timeout %v: %w", limit, err), server.Close())
	}
	return err
}
