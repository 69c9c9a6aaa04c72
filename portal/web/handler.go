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
	// ReturnURL is the address that an error page offers if the link has no portal with a ReturnURL of its own, for
	// example because the portal no longer exists. It must be an absolute http or https URL. If it is empty, such a page
	// offers no address.
	ReturnURL string

	// Partner is the name of the host's company. The pages show it if no portal is open, for example on the page for a link that
	// has expired. It may be empty.
	Partner string

	// Support is where visitors get help: an email address, or an absolute http or https URL. Error pages show it. It may be
	// empty.
	Support string

	// NewLinkURL is an absolute http or https URL of a page on which visitors can request a new link. Error pages for links and
	// sessions that have ended offer it. It may be empty.
	NewLinkURL string

	// TrustedProxies are the reverse proxies whose X-Forwarded-For header the handler trusts. The handler uses the header to
	// find the address of a client, for which it counts wrong codes. If TrustedProxies is empty, it uses the address of the
	// connection.
	TrustedProxies []netip.Prefix

	// AllowPrivateHTTP allows a BaseURL with http on a private network. It is for development, for example to open the
	// pages on a phone. Without it, New accepts only https, and http on this machine. Private networks are private and
	// link-local addresses such as 192.168.1.5, names without a dot, and names under .local, .lan, .internal, .home.arpa
	// and .test. Public addresses and other names are always refused.
	//
	// With http, everybody on that network can read the pages and take over sessions: the connection is not encrypted,
	// and the cookies have neither the Secure attribute nor the __Host- prefix, because browsers accept them only with
	// https. Embedded portals do not work, because their cookies need Secure.
	AllowPrivateHTTP bool

	// Location is the default time zone. It applies to spaces and pages if neither the space, its site, the portal nor
	// the customer has a time zone. It must have an IANA name, as the values of [time.LoadLocation] have, so it cannot
	// be [time.Local]. The default is UTC.
	Location *time.Location

	Automations Automations // provides the configure section; nil hides the section

	// Rewrite, if not nil, can replace every text of the pages. It is called with the locale, the key of the catalog and
	// the text, and returns the text to show. It must be safe for concurrent use.
	Rewrite func(locale, key, text string) string
}

// Handler serves the hosted pages. Between requests it keeps only the counts of the rate limit. It is safe for
// concurrent use.
type Handler struct {
	portals     *portal.Service
	db          *data.DB
	options     Options
	prefix      string // the path of the base URL, with a slash at its end
	secure      bool   // the base URL is https
	limiter     *rateLimiter
	templates   *templateSet
	catalogs    map[string]*catalog
	pages       map[string]page
	crossOrigin *http.CrossOriginProtection
}

// New returns a Handler for the links of a service. Mount it at the path of the service's BaseURL, without
// [http.StripPrefix].
//
// It returns an error that matches [ErrInvalid] if the BaseURL is http and not on this machine, unless Options.AllowPrivateHTTP
// allows it, because others could read the session cookies. It also returns an error that matches ErrInvalid for an invalid
// ReturnURL, Support, NewLinkURL or Location.
func New(portals *portal.Service, o Options) (*Handler, error) {
	if portals == nil {
		return nil, fmt.Errorf("%w: a portal.Service is required", ErrInvalid)
	}
	base, err := url.Parse(portals.BaseURL())
	if err != nil {
		return nil, fmt.Errorf("%w: BaseURL: %w", ErrInvalid, err)
	}
	h := &Handler{portals: portals, db: portals.DB(), options: o, prefix: base.EscapedPath(), secure: base.Scheme == "https", crossOrigin: http.NewCrossOriginProtection()}
	if err := checkHTTP(base, o.AllowPrivateHTTP); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if h.options.Location == nil {
		h.options.Location = time.UTC
	}
	if h.options.Location, err = wallclock.Load(h.options.Location.String()); err != nil {
		return nil, fmt.Errorf("%w: Location: %w", ErrInvalid, err)
	}
	if h.catalogs, err = loadCatalogs(); err != nil {
		return nil, err
	}
	if h.templates, err = loadTemplates(); err != nil {
		return nil, err
	}
	h.pages = pages()
	h.limiter = newRateLimiter(h.db.Now)
	return h, nil
}

// check returns an error for options that are invalid by themselves.
func (o Options) check() error {
	for name, text := range map[string]string{"ReturnURL": o.ReturnURL, "NewLinkURL": o.NewLinkURL} {
		if text != "" && !isWebURL(text) {
			return fmt.Errorf("%w: %s must be an absolute http or https URL", ErrInvalid, name)
		}
	}
	if o.Support != "" && !isWebURL(o.Support) && mailLink(o.Support) == "" {
		return fmt.Errorf("%w: Support must be an email address or an absolute http or https URL", ErrInvalid)
	}
	return nil
}

// isWebURL reports whether a text is an absolute http or https URL without a user.
func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// checkHTTP returns an error for a base URL with http on a network where others can read the traffic.
func checkHTTP(base *url.URL, allowPrivate bool) error {
	host := strings.ToLower(strings.TrimSuffix(base.Hostname(), "."))
	switch {
	case base.Scheme == "https" || isLoopback(host):
		return nil
	case !isPrivateHost(host):
		return fmt.Errorf("%w: BaseURL %q is http on a public host: use https", ErrInvalid, base)
	case !allowPrivate:
		return fmt.Errorf("%w: BaseURL %q is http: use https, an address of this machine such as http://127.0.0.1, or, for development, Options.AllowPrivateHTTP", ErrInvalid, base)
	}
	return nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// isPrivateHost reports whether a host can only be on a private network.
func isPrivateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".") || slices.ContainsFunc([]string{".local", ".lan", ".internal", ".home.arpa", ".test"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}

// ServeHTTP serves one request.
//
// The paths below the base URL are "assets/VERSION/NAME", "p/SHORTNAME/PAGE" for the pages of open portals, and the codes of
// links.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	x := &exchange{h: h, w: w, r: r}
	x.serve()
	x.send()
}

// serve makes the response.
func (x *exchange) serve() {
	h, w, r := x.h, x.w, x.r
	rest, ours := strings.CutPrefix(r.URL.Path, strings.TrimSuffix(h.prefix, "/")+"/")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		x.showProblem(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	if err := h.crossOrigin.Check(r); err != nil {
		x.showProblem(http.StatusForbidden, problem{Key: "cross"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	name, isAsset := strings.CutPrefix(rest, "assets/")
	inPortal, isPortal := strings.CutPrefix(rest, "p/")
	switch {
	case !ours:
		x.notFound()
	case isAsset:
		x.serveAsset(name)
	case isPortal:
		x.servePortal(inPortal)
	default:
		x.serveLink(rest)
	}
}

// maxFormBytes is the maximum size of the body of a request.
const maxFormBytes = 256 << 10

// tooLarge reports whether an error means that a body exceeded maxFormBytes.
func tooLarge(err error) bool {
	var most *http.MaxBytesError
	return errors.As(err, &most)
}
