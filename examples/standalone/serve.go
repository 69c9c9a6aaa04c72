package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// mux is everything that the program serves, on one port. The API has every path that
// nothing else has.
func (a *app) mux() (http.Handler, error) {
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{a.apiKey: a.ws.ID()}}.Static()
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Options{
		Portals: a.portals, Workspace: httpapi.Only(a.ws), Authenticate: authenticate, BaseURL: a.baseURL, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	return mux, nil
}

// Bounds of a server that faces clients of all kinds. The API bounds bodies and the
// time of a request by itself.
const (
	headerTimeout   = 10 * time.Second
	writeTimeout    = 5 * time.Minute
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 1 << 20 // delete_data names what to delete in its query
)

// serve serves until ctx is done, and then lets the requests that it has come to an end.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	handler, err := a.mux()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.print("\nServing the API on http://%s; end with Ctrl-C.\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.print("Stopping.\n")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	return nil
}
