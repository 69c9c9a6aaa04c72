package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// Options configures a Handler. The zero value works.
type Options struct {
	// ReturnURL is where a visitor can go from a link that opens nothing and whose
	// portal has no ReturnURL, or is forgotten: an absolute http or https URL. Empty is
	// nowhere.
	ReturnURL string

	// TrustedProxies are the proxies in front whose X-Forwarded-For is believed when
	// wrong guesses are counted. With none the address is that of the connection.
	TrustedProxies []netip.Prefix

	// AllowPrivateHTTP lets the BaseURL of the service be http on a private network, for
	// development: to try the pages on a telephone, say. Without it New accepts https, and
	// http on this machine. It covers private and link-local addresses such as 192.168.1.5,
	// names without a dot, and names under .local, .lan, .internal, .home.arpa and .test,
	// but no public address or other name.
	//
	// Everybody on that network can read the pages and take over the sessions of their
	// visitors: the connection is not encrypted, and browsers accept neither the Secure
	// attribute nor the __Host- prefix of a cookie there, so the cookies have neither.
	// Embedded portals do not work, since their cookies need Secure.
	AllowPrivateHTTP bool

	// Location is the time zone of spaces and pages for which neither the spaces and
	// their sites nor the portal nor the customer has one. It must have an IANA name, as
	// those of [time.LoadLocation] have, and so cannot be [time.Local]. Default UTC.
	Location *time.Location

	Accounts    Accounts    // what the connect section offers; nil hides it
	Automations Automations // and the configure section

	// Rewrite, where it is not nil, has the last word on every text of the pages, by
	// locale and key of the catalog. It must be safe for concurrent use.
	Rewrite func(locale, key, text string) string
}

// Handler serves the pages. It keeps nothing between requests but the count of wrong
// guesses, and is safe for concurrent use.
type Handler struct {
	portals  *portal.Service
	db       *data.DB
	o        Options
	prefix   string // of every path: that of the base URL, with a slash at its end
	secure   bool   // the base URL is https
	guesses  *guesses
	views    *views
	catalogs map[string]*catalog
	pages    map[string]page
	cross    *http.CrossOriginProtection
}

// New returns a Handler for the links of a service. It is to be mounted at the path of
// the service's BaseURL, and takes that path off by itself.
//
// It returns an error that matches [ErrInvalid] for a BaseURL that is http and not on
// this machine, unless Options.AllowPrivateHTTP allows it, since others could read the
// cookie of a session, and for a ReturnURL or a Location that cannot be used.
func New(portals *portal.Service, o Options) (*Handler, error) {
	if portals == nil {
		return nil, fmt.Errorf("%w: a portal.Service is required", ErrInvalid)
	}
	base, err := url.Parse(portals.BaseURL())
	if err != nil {
		return nil, fmt.Errorf("%w: BaseURL: %w", ErrInvalid, err)
	}
	h := &Handler{portals: portals, db: portals.DB(), o: o, prefix: base.EscapedPath(), secure: base.Scheme == "https", cross: http.NewCrossOriginProtection()}
	if err := checkHTTP(base, o.AllowPrivateHTTP); err != nil {
		return nil, err
	}
	if o.ReturnURL != "" {
		u, err := url.Parse(o.ReturnURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("%w: ReturnURL must be an absolute http or https URL", ErrInvalid)
		}
	}
	if h.o.Location == nil {
		h.o.Location = time.UTC
	}
	if h.o.Location, err = wallclock.Load(h.o.Location.String()); err != nil {
		return nil, fmt.Errorf("%w: Location: %w", ErrInvalid, err)
	}
	if h.catalogs, err = loadCatalogs(); err != nil {
		return nil, err
	}
	if h.views, err = loadViews(); err != nil {
		return nil, err
	}
	h.pages = pages()
	h.guesses = newGuesses(h.db.Now)
	return h, nil
}

// checkHTTP returns an error for a base URL that is http on a network that others read.
func checkHTTP(base *url.URL, allowPrivate bool) error {
	host := strings.ToLower(strings.TrimSuffix(base.Hostname(), "."))
	switch {
	case base.Scheme == "https" || loopback(host):
		return nil
	case !privateHost(host):
		return fmt.Errorf("%w: BaseURL %q is http on a public host: use https", ErrInvalid, base)
	case !allowPrivate:
		return fmt.Errorf("%w: BaseURL %q is http: use https, an address of this machine such as http://127.0.0.1, or, for development, Options.AllowPrivateHTTP", ErrInvalid, base)
	}
	return nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// privateHost reports whether a host can only be on a private network.
func privateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".") || slices.ContainsFunc([]string{".local", ".lan", ".internal", ".home.arpa", ".test"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}

// ServeHTTP answers one request.
//
// Under the path of the base URL lie "assets/", the portals that are open, each as
// "p/" and a short name, and the codes of links.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	v := &visit{h: h, w: w, r: r}
	v.answer()
	v.send()
}

// answer makes the answer to the request.
func (v *visit) answer() {
	h, w, r := v.h, v.w, v.r
	rest, ours := strings.CutPrefix(r.URL.Path, strings.TrimSuffix(h.prefix, "/")+"/")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		v.fail(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	if err := h.cross.Check(r); err != nil {
		v.fail(http.StatusForbidden, problem{Key: "cross"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	name, isAsset := strings.CutPrefix(rest, "assets/")
	inPortal, isPortal := strings.CutPrefix(rest, "p/")
	switch {
	case !ours:
		v.notFound()
	case isAsset:
		v.asset(name)
	case isPortal:
		v.inPortal(inPortal)
	default:
		v.link(rest)
	}
}

// maxFormBytes bounds what a form may send.
const maxFormBytes = 256 << 10

// tooLarge reports whether a form exceeded maxFormBytes.
func tooLarge(err error) bool {
	var most *http.MaxBytesError
	return errors.As(err, &most)
}
