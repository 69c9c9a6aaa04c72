package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// mux is everything that the program serves, on one port: the pages where the links
// point to, and the API at every path that nothing else has.
func (a *app) mux() (*http.ServeMux, error) {
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{a.apiKey: a.ws.ID()}}.Static()
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(a.portals.BaseURL())
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Options{
		Portals: a.portals, Workspace: httpapi.Only(a.ws), Authenticate: authenticate,
		BaseURL: (&url.URL{Scheme: base.Scheme, Host: base.Host}).String(), Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	pages, err := web.New(a.portals, web.Options{Logger: a.log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(base.Path, pages)
	if base.Path != "/" {
		mux.Handle("/", api)
		return mux, nil
	}
	for _, path := range []string{"/customers/", "/seam/", "/spaces/", "/user_identities/", "/access_grants/", "/workspaces/", "/openapi.json"} {
		mux.Handle(path, api)
	}
	return mux, nil
}

// preview serves portals of every kind, with data of their own that is kept in memory,
// and prints their links.
func (a *app) preview(ctx context.Context, mux *http.ServeMux, origin string) error {
	const path = "/preview/"
	master, err := keys.NewMaster()
	if err != nil {
		return err
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		return err
	}
	store := memory.New()
	portals, err := portal.New(store, portal.Options{BaseURL: origin + path, Keys: ring})
	if err != nil {
		return err
	}
	pages, err := web.New(portals, web.Options{Accounts: preview.Accounts{}, Automations: preview.NewAutomations(), Logger: a.log})
	if err != nil {
		return err
	}
	links, err := preview.Make(ctx, store, portals, preview.Options{})
	if err != nil {
		return err
	}
	mux.Handle(path, pages)
	a.print("\nTo look at every page, open one of these in a browser:\n")
	for _, link := range links {
		a.print("  %-14s %s\n                 %s\n", link.Name, link.Text, link.URL)
	}
	return nil
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
func (a *app) serve(ctx context.Context, listener net.Listener, demo bool) error {
	handler, err := a.mux()
	if err == nil && demo {
		err = a.preview(ctx, handler, urlOf(listener.Addr().String()))
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.print("\nServing the API on http://%s; portals open at %s; end with Ctrl-C.\n", listener.Addr(), a.portals.BaseURL())
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
