// Standalone is the library in one binary: a workspace on disk in a Badger
// directory, with the keys that sign its links beside it, and the API on one port.
//
//	go run ./examples/standalone -demo
//
// pushes a sample hotel group whose arrivals are those of today, serves its portal, and
// prints the link to open. With -once it shows what the library does with the data, and
// ends; with -previews it serves portals of every kind; with none of these it serves what
// the directory has.
//
// CUSTOMERPORTAL_API_KEY is the key of the API: "seam_" followed by at least 16 characters.
// If it is not set, one is made on the first run, printed, and kept in the directory.
// CUSTOMERPORTAL_WORKSPACE_ID is the id of the workspace, in place of the directory's own.
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

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/data"
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

// app is what the program works with.
type app struct {
	*customerportal.App
	ws      *data.Workspace
	pagesAt string // the path of the pages
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
	dir := flags.String("dir", "customerportal-data", "directory that keeps the data and the keys")
	baseURL := flags.String("base-url", "", "what comes before the code of a link; default http://, the address and /portal")
	privateHTTP := flags.Bool("allow-private-http", false, "accept a -base-url that is http on a private network, for development: everybody there can read the pages and take over sessions")
	demo := flags.Bool("demo", false, "push a sample hotel group, and serve its portal")
	once := flags.Bool("once", false, "push the sample hotel group, show what the library does with it, and exit")
	previews := flags.Bool("previews", false, "serve portals of every kind too, and print their links")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
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

	a := &app{out: out, log: slog.New(slog.NewTextHandler(log, nil))}
	o := customerportal.Options{
		Store: store, Keys: id.keys,
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
		defer listener.Close() // which serve has closed already, where it came to that
		*addr = listener.Addr().String()
	}
	if o.BaseURL, o.PortalPath, err = split(cmp.Or(*baseURL, urlOf(*addr)+"/portal")); err != nil {
		return err
	}
	if a.App, err = customerportal.New(o); err != nil {
		return err
	}
	a.ws, a.pagesAt = a.DB.Workspace(id.workspace), o.PortalPath
	var group data.CustomerData
	if *demo || *once {
		if group, err = a.pushHotel(ctx); err != nil {
			return err
		}
	}
	if *once {
		return a.demo(ctx, group)
	}
	return a.serve(ctx, listener, group.CustomerKey, *previews)
}

// split returns the origin and the path of a base URL. The API is at the origin.
func split(baseURL string) (origin, path string, err error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return "", "", fmt.Errorf("-base-url: %w", err)
	}
	path = cmp.Or(base.Path, "/")
	base.Path = ""
	return base.String(), path, nil
}

// urlOf is the URL of an address. One of every interface is reached by this machine's own.
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

// findKey returns the API key that the environment gives, or that of the directory.
func (a *app) findKey(dir, given string) (string, error) {
	if given != "" {
		if err := httpapi.CheckAPIKey(given); err != nil {
			return "", fmt.Errorf("%s %w", apiKeyVariable, err)
		}
		return given, nil
	}
	key, made, err := loadAPIKey(dir)
	if made && err == nil {
		a.print("Made an API key, which is kept in %s:\n  %s\n\n", filepath.Join(dir, apiKeyFile), key)
	}
	return key, err
}

// print writes to the terminal, whose loss ends the program by itself.
func (a *app) print(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }
