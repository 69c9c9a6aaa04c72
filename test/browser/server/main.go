// Server serves the hosted pages with the sample data of package preview, on Badger. The browser
// tests run it, and it can be run by hand. It prints its links as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage/badger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	dir := flag.String("dir", "", "directory for the data; a temporary one if empty")
	host := flag.String("host", "", "host of the links; that of addr if empty")
	prefix := flag.String("prefix", "/", "path of the links")
	pseudo := flag.Bool("pseudo", false, "put all texts of the catalogs in brackets")
	withDevices := flag.Bool("devices", false, "serve simulated devices in the hotel")
	flag.Parse()

	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "portal-pages-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*dir)) }()
	}
	store, err := badger.Open(filepath.Join(*dir, "store"), badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	master, err := keys.NewMaster()
	if err != nil {
		return err
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	origin := listener.Addr().String()
	if *host != "" {
		_, port, err := net.SplitHostPort(origin)
		if err != nil {
			return err
		}
		origin = net.JoinHostPort(*host, port)
	}
	at := &clock{}
	db := data.Open(store, data.Options{Now: at.Now})
	options := portal.Options{BaseURL: "http://" + origin + *prefix, Keys: ring}
	var hub *devices
	if *withDevices {
		if hub, err = newDevices(db, ring, at.Now); err != nil {
			return err
		}
		options.Access = hub.svc
		background, stop := context.WithCancel(ctx)
		stopped := make(chan error, 1)
		go func() { stopped <- hub.svc.Run(background) }()
		defer func() {
			stop()
			if ended := <-stopped; !errors.Is(ended, context.Canceled) {
				err = errors.Join(err, ended)
			}
		}()
	}
	portals, err := portal.New(db, options)
	if err != nil {
		return err
	}
	o := web.Options{ReturnURL: "https://host.example/", Automations: preview.NewAutomations()}
	if *pseudo {
		o.Rewrite = func(_, _, text string) string { return "⟦" + text + "⟧" }
	}
	pages, err := web.New(portals, o)
	if err != nil {
		return err
	}
	links, err := preview.Make(ctx, portals, preview.Options{})
	if err != nil {
		return err
	}
	if hub != nil {
		if err := hub.connect(ctx); err != nil {
			return err
		}
	}
	printed := struct {
		Base  string
		Links map[string]preview.Link
	}{portals.BaseURL(), byName(links)}

	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("/-/", &control{portals, hub, at})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode(printed); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(wait)
}

// byName returns the links, keyed by name.
func byName(links []preview.Link) map[string]preview.Link {
	out := map[string]preview.Link{}
	for _, l := range links {
		out[l.Name] = l
	}
	return out
}

// control serves requests of tests that do not go through the pages: it pushes data, counts resources and creates portals.
type control struct {
	portals *portal.Service
	devices *devices // nil without -devices
	clock   *clock
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	ws := preview.Workspace(c.portals.DB(), portal.Vertical(asked.Get("vertical")))
	var out any
	var err error
	switch strings.TrimPrefix(r.URL.Path, "/-/") {
	case "grant":
		out, err = ws.AccessGrant(r.Context(), asked.Get("key"))
		if errors.Is(err, data.ErrResourceNotFound) {
			out, err = nil, nil
		}
	case "again": // recreates the portals of the preview
		var links []preview.Link
		links, err = preview.Make(r.Context(), c.portals, preview.Options{})
		out = byName(links)
	case "push": // a push of the host
		var d data.CustomerData
		if d, err = data.Decode(r.Body, data.DecodeOptions{}); err == nil {
			out, err = ws.Push(r.Context(), d)
		}
	case "counts": // counts the resources of the vertical's customer by kind
		var customer data.Customer
		customer, err = ws.Customer(r.Context(), preview.Customer(portal.Vertical(asked.Get("vertical"))))
		counts := map[string]int{}
		for kind, n := range customer.Counts {
			counts[kind.String()] = n
		}
		out = counts
	case "device": // looks at a simulated device, or disturbs it
		out, err = c.devices.serve(r)
	case "large": // creates a customer with many bookings, and a portal
		out, err = c.makeLarge(r.Context(), asked)
	case "portal": // creates a portal with a configuration and a time to live
		var config portal.Config
		if err = json.Unmarshal([]byte(asked.Get("config")), &config); err != nil {
			break
		}
		var ttl time.Duration
		if ttl, err = time.ParseDuration(asked.Get("ttl")); err != nil {
			break
		}
		var p portal.CustomerPortal
		p, err = c.portals.Create(r.Context(), ws, portal.CreateRequest{CustomerKey: preview.Customer(portal.Vertical(asked.Get("vertical"))), Config: config, TTL: ttl})
		out = map[string]string{"url": p.URL.Reveal(), "id": p.ID.String()}
	case "clock": // moves the clock of the server forward, and returns its time
		out, err = c.clock.move(asked.Get("by"))
	case "guest": // creates a guest link of a reservation
		var p portal.CustomerPortal
		p, err = c.portals.CreateGuestLink(r.Context(), ws, asked.Get("customer"), asked.Get("key"))
		out = map[string]string{"url": p.URL.Reveal()}
	case "codes": // returns the access codes of a customer, without their PINs
		out, err = c.portals.Access().Workspace(ws.ID()).Customer(asked.Get("customer")).Codes(r.Context(), access.CodeQuery{})
	case "webview": // creates a connect webview with a redirect URL
		var v portal.Webview
		v, err = c.portals.CreateWebview(r.Context(), ws, portal.WebviewRequest{
			CustomerKey: preview.Customer(portal.Vertical(asked.Get("vertical"))), RedirectURL: asked.Get("redirect"),
		})
		out = map[string]string{"url": v.URL.Reveal(), "id": v.ID.String()}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
	}
}

// largePortal is a portal of a customer with many bookings.
type largePortal struct {
	preview.Large
	URL string
}

func (c *control) makeLarge(ctx context.Context, asked url.Values) (out largePortal, err error) {
	n, err := strconv.Atoi(asked.Get("bookings"))
	if err != nil {
		return out, err
	}
	rooms := 200
	if asked.Has("rooms") {
		if rooms, err = strconv.Atoi(asked.Get("rooms")); err != nil {
			return out, err
		}
	}
	ws := preview.Workspace(c.portals.DB(), portal.VerticalHospitality)
	if out.Large, err = preview.MakeLarge(ctx, ws, c.portals.DB().Now(), n, rooms); err != nil {
		return out, err
	}
	p, err := c.portals.Create(ctx, ws, portal.CreateRequest{CustomerKey: out.CustomerKey})
	out.URL = p.URL.Reveal()
	return out, err
}
