package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const (
	apiKeyVariable    = "CUSTOMERPORTAL_API_KEY"
	workspaceVariable = "CUSTOMERPORTAL_WORKSPACE_ID"
)

// config is the checked configuration of the server.
type config struct {
	addr            string
	baseURL         string // empty for the default
	privateHTTP     bool
	proxies         []netip.Prefix
	store           storeChoice
	drivers         []driver
	allowHosts      []string
	keys            *keys.Ring
	apiKey          string
	workspace       uuid.UUID
	logFormat       string
	shutdownTimeout time.Duration

	warnings  []string // for the log
	generated []string // lines with the credentials that were generated, for the terminal
}

// errVersion is returned by configure if the version was requested and printed.
var errVersion = errors.New("the version was requested")

const usageBegin = `Usage: customerportal -store STORE [FLAG...]

Serves the API and the hosted pages of customer portals, for one workspace.

Flags:
`

const usageEnd = `
Environment:
  CUSTOMERPORTAL_KEYS
    	the master keys instead of -keys: SLOT:BASE64[,...]. The first is active, the others still
    	verify older links. A slot is a number from 0 to 31, a key is 32 bytes. To make one:
    	echo 0:$(openssl rand -base64 32)
  CUSTOMERPORTAL_API_KEY
    	the key of API clients: seam_ followed by at least 16 characters
  CUSTOMERPORTAL_WORKSPACE_ID
    	the id of the workspace, a UUID; keep it, because all data belongs to it

The keys, the API key and the workspace are required. With -store memory: the missing ones are
generated.

The server answers GET /healthz with 200 if its store can be read, and 503 otherwise.
SIGINT and SIGTERM stop it after the active requests; a second signal ends it at once.
Exit status: 0 after a signal, 1 after a failure, 2 if a flag or a variable is wrong.
`

// configure reads and checks the flags and the environment. It opens and creates nothing; it only reads the file of -keys. Its
// error lists every fault. It returns flag.ErrHelp or errVersion after it has printed the requested text.
func (p *program) configure() (*config, error) {
	c := &config{}
	flags := flag.NewFlagSet("customerportal", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "serve on this `HOST:PORT`; an empty HOST means all interfaces")
	flags.StringVar(&c.baseURL, "base-url", "", "base `URL` of portal links, for example https://portal.example. The pages are served at its path,\n"+
		"the API at all other paths (default http://HOST:PORT/portal)")
	flags.BoolVar(&c.privateHTTP, "allow-private-http", false, "for development: accept a -base-url with http on a private network; everyone on that\n"+
		"network can read the pages and take over sessions")
	proxies := flags.String("trusted-proxies", "", "comma-separated `LIST` of the addresses or networks of your reverse proxies. Wrong links are limited by\n"+
		"client, and the client is taken from their X-Forwarded-For")
	store := flags.String("store", "", "`STORE` of the data: memory:, badger:DIR, for example badger:/var/lib/customerportal/store,\n"+
		"pebble:DIR, which is faster for large customers and needs less memory, or\n"+
		"postgres://USER@HOST/DATABASE, which several servers can share. Its parameter schema names the schema (default\n"+
		"customerportal), pgbouncer=true is for pgbouncer in transaction mode, and portable=true for other databases\n"+
		"that speak the protocol of PostgreSQL; the others are those of libpq. The password is best given in PGPASSWORD or PGPASSFILE")
	chosenDrivers := flags.String("drivers", "", "comma-separated `LIST` of device drivers: "+strings.Join(driverNames(p.drivers), ", ")+". The login of the simulated\n"+
		"devices is "+simulatedUser+" with the password "+simulatedPassword)
	allowHosts := flags.String("allow-hosts", "", "comma-separated `LIST` of the IP addresses, networks and host names of MQTT brokers and Z-Wave JS servers\n"+
		"to which customers may connect; by default none")
	keysFile := flags.String("keys", "", "`FILE` with the master keys: one SLOT:BASE64 in a line, the active one first; # begins a comment")
	flags.StringVar(&c.logFormat, "log-format", "text", "`FORMAT` of the log on standard error: text or json")
	flags.DurationVar(&c.shutdownTimeout, "shutdown-timeout", 20*time.Second, "longest `TIME` to wait for active requests when the server stops")
	showVersion := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(p.args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(p.stdout)
		fmt.Fprint(p.stdout, usageBegin)
		flags.PrintDefaults()
		fmt.Fprint(p.stdout, usageEnd)
		return nil, err
	case err != nil:
		return nil, err
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *showVersion:
		fmt.Fprintln(p.stdout, version())
		return nil, errVersion
	}

	var faults []error
	check := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	check(checkAddr(c.addr))
	check(checkBaseURL(c.baseURL))
	c.proxies, err = parseProxies(*proxies)
	check(err)
	c.store, err = parseStore(*store, p.stores)
	check(err)
	c.drivers, err = parseDrivers(*chosenDrivers, p.drivers)
	check(err)
	c.allowHosts, err = parseAllowHosts(*allowHosts)
	check(err)
	if c.logFormat != "text" && c.logFormat != "json" {
		check(fmt.Errorf("-log-format must be text or json, not %q", c.logFormat))
	}
	if c.shutdownTimeout <= 0 {
		check(fmt.Errorf("-shutdown-timeout must be more than 0, not %v", c.shutdownTimeout))
	}
	check(c.readKeys(*keysFile, p.env(keysVariable)))
	check(c.readAPIKey(p.env(apiKeyVariable)))
	check(c.readWorkspace(p.env(workspaceVariable)))
	if len(faults) == 0 {
		// Making the App does no I/O. With a store in memory, it checks the remaining options before the store is opened.
		_, err = c.app(memory.New(), c.addr, nil, slog.New(slog.DiscardHandler))
		check(err)
	}
	if c.baseURL == "" && !isLoopback(c.addr) {
		c.warnings = append(c.warnings, "-base-url is not set, so portal links open only on this machine")
	}
	return c, errors.Join(faults...)
}

// readKeys sets the keys. It generates them for a temporary store.
func (c *config) readKeys(file, variable string) error {
	ring, warning, err := loadKeys(file, variable)
	if err != nil {
		return err
	}
	if warning != "" {
		c.warnings = append(c.warnings, warning)
	}
	if ring == nil {
		if !c.generates() {
			return fmt.Errorf("-keys or %s is required: the master keys sign the portal links", keysVariable)
		}
		if ring, err = generateKeys(); err != nil {
			return err
		}
		c.warnings = append(c.warnings, "no keys are set, so a master key was generated for the store in memory; portal links end with this process")
	}
	c.keys = ring
	return nil
}

// readAPIKey sets the API key. It generates one for a temporary store.
func (c *config) readAPIKey(value string) error {
	var err error
	switch {
	case value != "":
		if err = httpapi.CheckAPIKey(value); err != nil {
			err = fmt.Errorf("%s %w", apiKeyVariable, err)
		}
	case !c.generates():
		err = fmt.Errorf("%s is required: clients of the API send it", apiKeyVariable)
	default:
		value, err = httpapi.NewAPIKey()
		c.generated = append(c.generated, apiKeyVariable+"="+value)
	}
	c.apiKey = value
	return err
}

// readWorkspace sets the workspace. It generates one for a temporary store.
func (c *config) readWorkspace(value string) error {
	var err error
	switch {
	case value != "":
		if c.workspace, err = uuid.Parse(value); err != nil || c.workspace == uuid.Nil {
			err = fmt.Errorf("%s must be a UUID that is not zero, such as %s", workspaceVariable, uuid.New())
		}
	case !c.generates():
		err = fmt.Errorf("%s is required: all data belongs to this workspace; to make a new one, use %s", workspaceVariable, uuid.New())
	default:
		c.workspace, err = uuid.NewRandom()
		c.generated = append(c.generated, workspaceVariable+"="+c.workspace.String())
	}
	return err
}

// generates reports whether missing keys and ids are generated. If -store is wrong, its own error is enough.
func (c *config) generates() bool { return c.store.open == nil || c.store.temporary }

// logHandler returns the handler of the log.
func (c *config) logHandler(w io.Writer) slog.Handler {
	if c.logFormat == "json" {
		return slog.NewJSONHandler(w, nil)
	}
	return slog.NewTextHandler(w, nil)
}

// optionNames replaces the options in the errors of the library by the flags that set them.
var optionNames = strings.NewReplacer("Options.AllowPrivateHTTP", "-allow-private-http", "Options.BaseURL", "-base-url", "BaseURL", "-base-url")

// app returns the App of the configuration for a server that listens on addr. It does no I/O.
func (c *config) app(store storage.Store, addr string, providers []device.Provider, log *slog.Logger) (*customerportal.App, error) {
	base, err := url.Parse(cmp.Or(c.baseURL, urlOf(addr)+"/portal"))
	if err != nil {
		return nil, fmt.Errorf("-base-url: %w", err)
	}
	o := customerportal.Options{
		Store: store, Keys: c.keys, APIKey: c.apiKey, WorkspaceID: c.workspace, PortalPath: cmp.Or(base.Path, "/"), Providers: providers,
		Data: data.Options{Logger: log}, Pages: web.Options{AllowPrivateHTTP: c.privateHTTP, TrustedProxies: c.proxies},
	}
	base.Path, base.RawPath = "", ""
	o.BaseURL = base.String()
	app, err := customerportal.New(o)
	if err != nil {
		err = errors.New(optionNames.Replace(err.Error()))
		if c.baseURL == "" {
			err = fmt.Errorf("set -base-url: the default cannot be used: %w", err)
		}
	}
	return app, err
}

// checkAddr checks a value of -addr.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("-addr must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, not %q", addr)
	}
	return nil
}

// checkBaseURL checks the form of a value of -base-url. The library checks its path and whether http is allowed.
func checkBaseURL(value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("-base-url must be an absolute http or https URL without user, query and fragment, such as https://portal.example")
	}
	return nil
}

// urlOf returns the URL of a listen address. For an address of all interfaces it is the loopback address.
func urlOf(addr string) string {
	host, port, _ := net.SplitHostPort(addr) // checkAddr reports the error
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// isLoopback reports whether only programs on this machine can connect to a listen address.
func isLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr) // checkAddr reports the error
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseProxies returns the networks in a value of -trusted-proxies. An address is a network of one.
func parseProxies(value string) (networks []netip.Prefix, err error) {
	if value == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(value, ",") {
		text = strings.TrimSpace(text)
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var addr netip.Addr
			if addr, err = netip.ParseAddr(text); err == nil {
				addr = addr.Unmap()
				network, err = addr.Prefix(addr.BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("-trusted-proxies must list addresses and networks such as 10.0.0.0/8, not %q", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
