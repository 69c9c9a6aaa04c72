// Package customerportal wires a store, the API and the hosted pages together:
//
//	app, err := customerportal.New(customerportal.Options{
//		Store: store, BaseURL: "https://portal.example", Master: master, WorkspaceID: workspaceID, APIKey: apiKey,
//	})
//	go app.Run(ctx)
//	http.ListenAndServe(addr, app.Handler())
//
// A program that needs more of them opens the packages below by itself: data, portal,
// portal/httpapi and portal/web.
package customerportal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage"
)

// Options configures an App. Store, BaseURL and one of Master and Keys are required.
type Options struct {
	Store storage.Store // which the caller closes, after Run and the server have ended

	// BaseURL is the URL at which Handler is reached, such as "https://portal.example".
	BaseURL string

	// PortalPath is the path of the hosted pages below BaseURL; default "/portal". Every link
	// begins with it. The API has all other paths. With "/", which makes the links shortest,
	// the API has the paths of its operations and the pages have all others.
	PortalPath string

	Master []byte     // the master key, of 32 bytes: see keys.NewMaster
	Keys   *keys.Ring // in place of Master, for keys that are rotated

	// APIKey gives a client of the API access to the workspace WorkspaceID. Both or neither
	// are given. Authenticate is for several workspaces, or keys that change; it replaces
	// APIKey. With neither, there is no API.
	APIKey       string
	WorkspaceID  uuid.UUID
	Authenticate httpapi.Authenticator

	// Options of the packages below. What New sets by the fields above is ignored in them.
	Data   data.Options
	Portal portal.Options
	API    httpapi.Options
	Pages  web.Options
}

// App is a customer portal: data, portals, the API and the hosted pages on one store.
type App struct {
	DB      *data.DB
	Portals *portal.Service
	API     *httpapi.Handler // nil if there is no API
	Pages   *web.Handler

	handler http.Handler
}

// New returns an App, or an error that names the option that is missing or wrong. It does no
// I/O.
func New(o Options) (*App, error) {
	if o.Store == nil {
		return nil, errors.New("customerportal: Options.Store is required")
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Scheme == "" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("customerportal: Options.BaseURL, %q, is not an absolute URL without a query", o.BaseURL)
	}
	if o.PortalPath == "" {
		o.PortalPath = "/portal"
	}
	if !strings.HasPrefix(o.PortalPath, "/") {
		return nil, fmt.Errorf("customerportal: Options.PortalPath, %q, does not begin with a slash", o.PortalPath)
	}
	ring, err := o.ring()
	if err != nil {
		return nil, err
	}
	a := &App{DB: data.Open(o.Store, o.Data)}
	o.Portal.BaseURL, o.Portal.Keys = strings.TrimRight(base.String(), "/")+o.PortalPath, ring
	if a.Portals, err = portal.New(a.DB, o.Portal); err != nil {
		return nil, err
	}
	if a.Pages, err = web.New(a.Portals, o.Pages); err != nil {
		return nil, err
	}
	if o.API.Authenticate, err = o.authenticator(); err != nil {
		return nil, err
	}
	if o.API.Authenticate != nil {
		o.API.Portals, o.API.BaseURL = a.Portals, base.String()
		if a.API, err = httpapi.New(o.API); err != nil {
			return nil, err
		}
	}
	a.handler = a.route(strings.TrimRight(base.Path, "/"), strings.TrimRight(base.Path+o.PortalPath, "/"))
	return a, nil
}

// route returns the handler of the pages at a path, and of the API at the paths below base.
func (a *App) route(base, pages string) http.Handler {
	if a.API == nil {
		return a.Pages
	}
	mux := http.NewServeMux()
	api := http.StripPrefix(base, a.API)
	if pages != base {
		mux.Handle(pages+"/", a.Pages)
		mux.Handle("/", api)
		return mux
	}
	mux.HandleFunc(base+"/", func(w http.ResponseWriter, r *http.Request) {
		if a.API.Serves(strings.TrimPrefix(r.URL.Path, base)) {
			api.ServeHTTP(w, r)
			return
		}
		a.Pages.ServeHTTP(w, r)
	})
	return mux
}

// ring returns the keys.
func (o *Options) ring() (*keys.Ring, error) {
	switch {
	case o.Keys != nil && o.Master != nil:
		return nil, errors.New("customerportal: Options.Master and Options.Keys are both given")
	case o.Keys != nil:
		return o.Keys, nil
	case o.Master == nil:
		return nil, errors.New("customerportal: Options.Master or Options.Keys is required: make a master key with keys.NewMaster, once, and keep it")
	}
	return keys.New(0, map[int][]byte{0: o.Master})
}

// authenticator returns that of the API, or nil if there is no API.
func (o *Options) authenticator() (httpapi.Authenticator, error) {
	switch {
	case o.Authenticate != nil && o.APIKey != "":
		return nil, errors.New("customerportal: Options.APIKey and Options.Authenticate are both given")
	case o.Authenticate != nil:
		return o.Authenticate, nil
	case (o.APIKey == "") != (o.WorkspaceID == uuid.Nil):
		return nil, errors.New("customerportal: Options.APIKey and Options.WorkspaceID belong together, and one is missing")
	case o.APIKey == "":
		return nil, nil
	}
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{o.APIKey: o.WorkspaceID}}.Static()
	if err != nil {
		return nil, fmt.Errorf("customerportal: Options.APIKey: %w", err)
	}
	return authenticate, nil
}

// Handler returns the handler of the pages, at PortalPath, and of the API, at all other paths
// below BaseURL.
func (a *App) Handler() http.Handler { return a.handler }

// Run does all background work until ctx is done, as [portal.Service.Run] says. Several
// processes may run it on one store. It returns ctx's error.
func (a *App) Run(ctx context.Context) error { return a.Portals.Run(ctx) }
