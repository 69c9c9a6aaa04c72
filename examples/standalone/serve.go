package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// start is the page at "/", for people who open the address of the server in a browser.
var start = template.Must(template.New("start").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Customer portals</title>
<h1>Customer portals</h1>
{{if .Link}}<p><a href="{{.Link}}">Open the portal of the sample hotel group</a></p>
{{else}}<p>Customers open their portal with a link. Create one with POST /customers/create_portal.</p>
{{end}}<p>The API is served at this address and requires its key. See its description at /openapi.json.</p>
</html>
`))

// mux returns the handler of the program: the hosted pages, the API, and a start page at "/". If demo is the key of a
// customer, the start page has a link to the portal of that customer.
func (a *app) mux(demo string) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/", a.Handler())
	if a.pagesAt == "/" { // the hosted pages use this path
		return mux
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var link string
		if demo != "" {
			var err error
			if link, err = a.openHotel(r.Context(), demo); err != nil {
				a.log.ErrorContext(r.Context(), "opening the demo portal failed", "error", err)
				http.Error(w, "The portal cannot be opened at the moment. Try again later.", http.StatusInternalServerError)
				return
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_ = start.Execute(w, struct{ Link string }{link}) // fails only if the client has disconnected
	})
	return mux
}

// preview adds sample portals of every kind to mux and prints their links. Their data is stored in memory only.
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
	portals, err := portal.New(data.Open(memory.New(), data.Options{Logger: a.log}), portal.Options{BaseURL: origin + path, Keys: ring})
	if err != nil {
		return err
	}
	pages, err := web.New(portals, web.Options{Automations: preview.NewAutomations()})
	if err != nil {
		return err
	}
	links, err := preview.Make(ctx, portals, preview.Options{})
	if err != nil {
		return err
	}
	mux.Handle(path, pages)
	a.print("\nOpen one of these sample portals in a browser:\n")
	for _, link := range links {
		a.print("  %-14s %s\n                 %s\n", link.Name, link.Text, link.URL)
	}
	return nil
}

// Limits for a server with untrusted clients. The API itself limits the size of bodies and the
// time of requests.
const (
	headerTimeout   = 10 * time.Second
	writeTimeout    = 5 * time.Minute
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 1 << 20 // delete_data has its parameters in the query
)

// serve serves until ctx is done and then completes the active requests. If demo is the key of a customer, serve first connects
// the devices of this customer, and the last line of the output is the link to its portal.
func (a *app) serve(ctx context.Context, listener net.Listener, demo string, previews bool) (err error) {
	working, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	var ran error
	work.Go(func() { ran = a.Run(working) })
	work.Go(func() { _ = a.world.Run(working, lifeInterval) }) // it returns only the error of its context
	defer func() {
		stop()
		work.Wait()
		if !errors.Is(ran, context.Canceled) {
			err = errors.Join(err, ran)
		}
	}()

	handler := a.mux(demo)
	var link string
	if demo != "" {
		if err = a.connectHotel(ctx, demo); err == nil {
			link, err = a.openHotel(ctx, demo)
		}
	}
	if err == nil && previews {
		err = a.preview(ctx, handler, urlOf(listener.Addr().String()))
	}
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.print("\nServing the API on http://%s; stop it with Ctrl-C.\n", listener.Addr())
	if link != "" {
		a.print("\nTo connect more simulated devices in the portal, log in as %q with the password %q.\n", visitorUser, password)
		a.print("\nOpen this in a browser:\n  %s\n", link)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.print("Stopping.\n")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("closing connections with active requests: %w", err), server.Close())
	}
	return nil
}
