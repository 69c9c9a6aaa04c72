package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// Options configures a Handler. Portals and Authenticate are required.
type Options struct {
	Portals *portal.Service

	// Authenticate returns the workspace of a request. [Credentials.Static] returns an Authenticator for keys that do not
	// change.
	Authenticate Authenticator

	// BaseURL is the absolute URL at which clients reach the API, such as "https://example.com/api". It begins the
	// next_page_url of lists. If it is empty, next_page_url is null.
	BaseURL string

	MaxBodyBytes int64 // of a request that can contain customer data; default 64 MiB. The limit of other requests is 1 MiB.
	MaxResources int   // resources, or keys to delete, in one request; default 1,000,000

	// Timeout limits the reading and the work of a request; default 1 minute. The http.Server limits the writing of the
	// response.
	Timeout time.Duration

	Metrics Metrics // receives the figures of each request; may be nil
}

const (
	defaultBodyBytes = 64 << 20
	smallBodyBytes   = 1 << 20
	defaultResources = 1_000_000
	defaultTimeout   = time.Minute
)

// Handler serves the API. It expects the paths of the API without a prefix: mount it at the root of a host name, or below a
// prefix with http.StripPrefix. It is safe for concurrent use.
type Handler struct {
	options  Options
	db       *data.DB
	access   *access.Service   // nil if there are no devices
	routes   map[string]*route // by path
	document func() []byte     // the OpenAPI document, created on the first call
}

var _ http.Handler = (*Handler)(nil)

// New returns a Handler. The error names the option that is missing or invalid.
func New(o Options) (*Handler, error) {
	switch {
	case o.Portals == nil:
		return nil, errors.New("httpapi: Options.Portals is required")
	case o.Authenticate == nil:
		return nil, errors.New("httpapi: Options.Authenticate is required: for fixed keys, use httpapi.Credentials.Static")
	}
	if base, err := url.Parse(o.BaseURL); o.BaseURL != "" && (err != nil || base.Scheme == "" || base.Host == "" || base.RawQuery != "" || base.Fragment != "") {
		return nil, errors.New("httpapi: Options.BaseURL must be an absolute URL without a query and a fragment")
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
	h := &Handler{options: o, db: o.Portals.DB(), access: o.Portals.Access(), routes: map[string]*route{}}
	served := routes()
	if h.access != nil {
		served = append(served, deviceRoutes()...)
	}
	for _, op := range unsupportedOperations() {
		rt := op.route()
		h.routes[rt.path] = &rt
	}
	for _, rt := range served {
		h.routes[rt.path] = &rt
	}
	h.document = sync.OnceValue(func() []byte { return document(served) })
	return h, nil
}

// RequestIDHeader is the name of the response header with the id of the request, a UUID. Every response has it. The log
// contains the same id.
const RequestIDHeader = "seam-request-id"

// Serves reports whether a path is the path of an operation of the API, or of a documented operation that is not supported.
func (h *Handler) Serves(path string) bool { return h.routes[path] != nil }

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.db.Now()
	c := &call{h: h, r: r, w: w}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares by identity too
				panic(p)
			}
			h.db.Logger().ErrorContext(r.Context(), "panic in the API", "request_id", c.id, "panic", panicText(p), "stack", string(debug.Stack()))
			c.writeError(errInternal)
		}
		h.report(c, start)
	}()
	if id, err := uuid.NewRandomFromReader(h.db.Rand()); err != nil {
		c.writeError(fmt.Errorf("httpapi: creating a request id: %w", err))
	} else {
		c.id = id.String()
		c.serve()
	}
}

// call is one request while it is served.
type call struct {
	h      *Handler
	r      *http.Request
	w      http.ResponseWriter
	id     string
	ws     *data.Workspace
	route  *route
	served Served

	request  request
	input    input                // of request
	notes    jsonobject.Notes     // faults and warnings of the parameters
	warnings []validation.Finding // warnings of the operation
}

// serve finds the route, authenticates the request, carries it out and writes the response.
func (c *call) serve() {
	ctx, cancel := context.WithTimeout(c.r.Context(), c.h.options.Timeout)
	defer cancel()
	// If the connection does not support deadlines, the timeouts of the server apply.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(c.h.options.Timeout))

	c.route = c.h.routes[c.r.URL.Path]
	if c.route == nil {
		c.writeError(errUnknownEndpoint)
		return
	}
	if !slices.Contains(c.route.methods, c.r.Method) {
		c.w.Header().Set("Allow", strings.Join(c.route.methods, ", "))
		c.writeError(errMethod)
		return
	}
	id, err := c.h.options.Authenticate(c.r)
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		err = fmt.Errorf("httpapi: authenticating: %v", err) //nolint:errorlint // an error of the host must not match an error of the library
	}
	if err != nil {
		c.writeError(err)
		return
	}
	c.ws = c.h.db.Workspace(id)
	body, err := c.run(ctx)
	if err != nil {
		c.writeError(err)
		return
	}
	c.writeJSON(http.StatusOK, body)
}

// run reads the request, carries it out and returns the body of the response.
func (c *call) run(ctx context.Context) (any, error) {
	switch {
	case c.route.unsupported != nil:
		return nil, c.route.unsupported.response()
	case c.route.document:
		return c.h.document(), nil
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	body, err := c.route.endpoint.handle(ctx, c, c.request)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = jsonObject{}
	}
	body["ok"] = true
	body["warnings"] = append(append([]validation.Finding{}, c.notes.Listed()...), c.warnings...)
	return body, nil
}
