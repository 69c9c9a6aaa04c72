package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Options configures a Handler. Portals, Workspace and Authenticate are required; the rest
// may be zero.
type Options struct {
	Portals *portal.Service

	// Authenticate says which workspace a request is for. [Credentials.Static] is one for
	// keys that do not change.
	Authenticate Authenticator

	// BaseURL is where the API is reached, such as "https://example.com/api", for the
	// next_page_url of a list. Without it that is null.
	BaseURL string

	MaxBodyBytes int64         // of a request that brings data; default 64 MiB, others have 1 MiB
	MaxResources int           // in such a request; default 1,000,000
	Timeout      time.Duration // of a request, to the end of its work; to write the answer is the server's to bound; default 1 minute

	Metrics Metrics // receives the figures of each request; nil means nowhere
}

const (
	defaultBodyBytes = 64 << 20
	smallBodyBytes   = 1 << 20
	defaultResources = 1_000_000
	defaultTimeout   = time.Minute
)

// Handler serves the API. It takes the paths as they are: mount it at the root of a
// host name, or below a prefix with http.StripPrefix. It is safe for concurrent use.
type Handler struct {
	o        Options
	db       *data.DB
	routes   map[string]*route
	document func() []byte // made when it is first asked for
}

var _ http.Handler = (*Handler)(nil)

// New returns a Handler, or an error that names the option that is missing or wrong.
func New(o Options) (*Handler, error) {
	switch {
	case o.Portals == nil:
		return nil, errors.New("httpapi: Options.Portals is required")
	case o.Authenticate == nil:
		return nil, errors.New("httpapi: Options.Authenticate is required: for fixed keys, give that of httpapi.Credentials.Static")
	}
	if base, err := url.Parse(o.BaseURL); o.BaseURL != "" && (err != nil || base.Scheme == "" || base.Host == "" || base.RawQuery != "" || base.Fragment != "") {
		return nil, errors.New("httpapi: Options.BaseURL is not an absolute URL without a query")
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = defaultBodyBytes
	}
	if o.MaxResources <= 0 {
		o.MaxResources = defaultResources
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	h := &Handler{o: o, db: o.Portals.DB(), routes: map[string]*route{}, document: sync.OnceValue(OpenAPI)}
	for _, rt := range routes() {
		h.routes[rt.path] = &rt
	}
	return h, nil
}

// RequestIDHeader is the header of every answer that names its request, as the log does.
const RequestIDHeader = "seam-request-id"

// Serves reports whether the path is that of an operation of the API.
func (h *Handler) Serves(path string) bool { return h.routes[path] != nil }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := h.db.Now()
	c := &call{h: h, r: r, out: w}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
				panic(p)
			}
			h.db.Logger().ErrorContext(r.Context(), "panic in the API", "request_id", c.id, "panic", panicText(p), "stack", string(debug.Stack()))
			c.fail(errInternal)
		}
		h.told(c, begun)
	}()
	if id, err := uuid.NewRandomFromReader(h.db.Rand()); err != nil {
		c.fail(fmt.Errorf("httpapi: making a request id: %w", err))
	} else {
		c.id = id.String()
		c.serve()
	}
}

// serve finds the route, asks who it is, and hands over.
func (c *call) serve() {
	ctx, cancel := context.WithTimeout(c.r.Context(), c.h.o.Timeout)
	defer cancel()
	// Where the connection cannot be told, the server's own timeouts are what there is.
	_ = http.NewResponseController(c.out).SetReadDeadline(time.Now().Add(c.h.o.Timeout))

	c.route = c.h.routes[c.r.URL.Path]
	if c.route == nil {
		c.fail(errNoRoute)
		return
	}
	if !slices.Contains(c.route.methods, c.r.Method) {
		c.out.Header().Set("Allow", strings.Join(c.route.methods, ", "))
		c.fail(errMethod)
		return
	}
	id, err := c.h.o.Authenticate(c.r)
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		err = fmt.Errorf("httpapi: authenticating: %v", err) //nolint:errorlint // whatever it is, it is no answer of the API's
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.ws = c.h.db.Workspace(id)
	answer, err := c.run(ctx)
	if err != nil {
		c.fail(err)
		return
	}
	c.write(http.StatusOK, answer)
}

// run reads the request and does what it asks.
func (c *call) run(ctx context.Context) (any, error) {
	if c.route.document {
		return c.h.document(), nil
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	answer, err := c.route.endpoint.serve(ctx, c, c.request)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		answer = fields{}
	}
	answer["ok"] = true
	answer["warnings"] = append(c.warnings(), c.found...)
	return answer, nil
}

// panicText is what can be logged of a panic: a value of somebody else's may hold anything.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}
