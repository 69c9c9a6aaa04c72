// Standalone is a complete server with the API and the hosted pages on one port. It stores one workspace in a directory
// with Badger, and its master keys beside it. Its devices are simulated: their states are lost when the program ends.
//
//	go run ./examples/standalone           # serve the data in the directory
//	go run ./examples/standalone -demo     # push a sample hotel group with arrivals today, serve its portal, print the link
//	go run ./examples/standalone -once     # push the sample hotel group, print the results of some calls, and exit
//	go run ./examples/standalone -previews # also serve sample portals of every kind
//
// The environment variable CUSTOMERPORTAL_API_KEY sets the API key: "seam_" followed by at least 16 characters. If it is
// not set, the first run creates a key, prints it and stores it in the directory. CUSTOMERPORTAL_WORKSPACE_ID sets the id of
// the workspace, instead of the id that the first run creates.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/badger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "standalone:", err)
		os.Exit(1)
	}
}

// app is the running program.
type app struct {
	*customerportal.App
	ws      *data.Workspace
	world   *simulated.World
	pagesAt string // the path of the hosted pages
	out     io.Writer
	log     *slog.Logger
}

const (
	apiKeyVariable    = "CUSTOMERPORTAL_API_KEY"
	workspaceVariable = "CUSTOMERPORTAL_WORKSPACE_ID"
)

func run(ctx context.Context, args []string, env func(string) string, out, log io.Writer) (err error) {
	flags := flag.NewFlagSet("standalone", flag.ContinueOnError)
	flags.SetOutput(out)
	addr := flags.String("addr", "127.0.0.1:8080", "address to serve on")
	dir := flags.String("dir", "customerportal-data", "directory of the data and the keys")
	baseURL := flags.String("base-url", "", "base URL of portal links; default http://ADDRESS/portal")
	privateHTTP := flags.Bool("allow-private-http", false, "for development: accept a -base-url with http on a private network; everyone on that network can read the pages and take over sessions")
	demo := flags.Bool("demo", false, "push a sample hotel group and serve its portal")
	once := flags.Bool("once", false, "push the sample hotel group, print the results of some calls, and exit")
	previews := flags.Bool("previews", false, "also serve sample portals of every kind, and print their links")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; run with -h for the flags", flags.Arg(0))
	}

	id, err := loadIdentity(*dir)
	if err != nil {
		return err
	}
	if given := env(workspaceVariable); given != "" {
		if id.workspace, err = uuid.Parse(given); err != nil {
			return fmt.Errorf("%s: %w", workspaceVariable, err)
		}
	}
	store, err := badger.Open(filepath.Join(*dir, "store"), badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	group, err := loadHotel(time.Now())
	if err != nil {
		return err
	}
	a := &app{world: newWorld(group), out: out, log: slog.New(slog.NewTextHandler(log, nil))}
	o := customerportal.Options{
		Store: store, Keys: id.keys, Providers: []device.Provider{a.world.Provider("standalone")},
		Data: data.Options{Logger: a.log}, Pages: web.Options{AllowPrivateHTTP: *privateHTTP},
	}
	var listener net.Listener
	if !*once {
		o.WorkspaceID = id.workspace
		if o.APIKey, err = a.findKey(*dir, env(apiKeyVariable)); err != nil {
			return err
		}
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", *addr); err != nil {
			return err
		}
		defer listener.Close() // if serve did not close it
		*addr = listener.Addr().String()
	}
	if o.BaseURL, o.PortalPath, err = split(cmp.Or(*baseURL, urlOf(*addr)+"/portal")); err != nil {
		return err
	}
	if a.App, err = customerportal.New(o); err != nil {
		return err
	}
	a.ws, a.pagesAt = a.DB.Workspace(id.workspace), o.PortalPath
	var customer string
	if *demo || *once {
		if err := a.pushHotel(ctx, group); err != nil {
			return err
		}
		customer = group.CustomerKey
	}
	if *once {
		return a.demo(ctx, group)
	}
	return a.serve(ctx, listener, customer, *previews)
}

// split returns the origin of a base URL, where the API is served, and its path.
func split(baseURL string) (origin, path string, err error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return "", "", fmt.Errorf("-base-url: %w", err)
	}
	path = cmp.Or(base.Path, "/")
	base.Path = ""
	return base.String(), path, nil
}

// urlOf returns the URL of a listen address. For an address of all interfaces it is the loopback address.
func urlOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// findKey returns the API key from the environment, or else the key in the directory.
func (a *app) findKey(dir, given string) (string, error) {
	if given != "" {
		if err := httpapi.CheckAPIKey(given); err != nil {
			return "", fmt.Errorf("%s %w", apiKeyVariable, err)
		}
		return given, nil
	}
	key, made, err := loadAPIKey(dir)
	if made && err == nil {
		a.print("Created an API key and stored it in %s:\n  %s\n\n", filepath.Join(dir, apiKeyFile), key)
	}
	return key, err
}

// print writes to the terminal. Errors are ignored: a program that loses its terminal is terminated anyway.
func (a *app) print(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }
