// Package customerportal combines a store, the HTTP API, the hosted pages and the drivers of devices:
//
//	app, err := customerportal.New(customerportal.Options{
//		Store: store, BaseURL: "https://portal.example", Master: master, WorkspaceID: workspaceID, APIKey: apiKey,
//	})
//	go app.Run(ctx)
//	http.ListenAndServe(addr, app.Handler())
//
// A program that needs more control uses the packages data, access, portal, portal/httpapi and portal/web directly.
package customerportal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage"
)

// Options configures an App. Store, BaseURL and one of Master and Keys are required.
type Options struct {
	Store storage.Store // the caller closes it after Run has returned and the server has stopped

	// BaseURL is the URL at which Handler is reached, such as "https://portal.example".
	BaseURL string

	// PortalPath is the path of the hosted pages below BaseURL; default "/portal". Every portal
	// link begins with BaseURL and PortalPath; see [portal.Options] for the rules of its path. The
	// API serves the paths of its operations and all paths that are not below PortalPath. If
	// PortalPath is "/", links are shortest.
	PortalPath string

	Master []byte     // the master key, 32 bytes; see keys.NewMaster
	Keys   *keys.Ring // replaces Master, for programs that rotate their keys

	// APIKey gives clients of the API access to the workspace WorkspaceID. Set both or neither.
	// Programs with several workspaces or changing keys set Authenticate instead. If neither
	// APIKey nor Authenticate is set, the App has no API.
	APIKey       string
	WorkspaceID  uuid.UUID
	Authenticate httpapi.Authenticator

	// Providers are the drivers of the devices that customers can connect. Without them the App has no Access.
	Providers []device.Provider

	// Options of the other packages. New overrides the fields that correspond to the fields above.
	Data   data.Options
	Access access.Options
	Portal portal.Options
	API    httpapi.Options
	Pages  web.Options
}

// App is a customer portal on one store: data, devices, portals, the API and the hosted pages.
//
// A program with devices calls [access.Service.CheckKeys] before it serves, so that it does not start without a master key that
// encrypts the secret of an account.
type App struct {
	DB      *data.DB
	Access  *access.Service // nil if there are no Providers
	Portals *portal.Service
	API     *httpapi.Handler // nil if there is no API
	Pages   *web.Handler

	handler http.Handler
}

// New returns an App. It returns an error that names the option if an option is missing or
// invalid. It does no I/O.
func New(o Options) (*App, error) {
	if o.Store == nil {
		return nil, errors.New("customerportal: Options.Store is required")
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Scheme == "" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("customerportal: Options.BaseURL, %q, must be an absolute URL without a query", o.BaseURL)
	}
	if o.PortalPath == "" {
		o.PortalPath = "/portal"
	}
	if !strings.HasPrefix(o.PortalPath, "/") {
		return nil, fmt.Errorf("customerportal: Options.PortalPath, %q, must begin with a slash", o.PortalPath)
	}
	ring, err := o.ring()
	if err != nil {
		return nil, err
	}
	a := &App{DB: data.Open(o.Store, o.Data)}
	o.Portal.BaseURL, o.Portal.Keys = strings.TrimRight(base.String(), "/")+o.PortalPath, ring
	if len(o.Providers) > 0 {
		o.Access.Keys, o.Access.Providers = ring, o.Providers
		if a.Access, err = access.New(a.DB, o.Access); err != nil {
			return nil, err
		}
	}
	o.Portal.Access = a.Access
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

// route returns a handler that serves the operations of the API below the path base, the hosted pages at the path pages, and the
// API's "not found" at all other paths.
func (a *App) route(base, pages string) http.Handler {
	if a.API == nil {
		return a.Pages
	}
	api := http.StripPrefix(base, a.API)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation, belowBase := strings.CutPrefix(r.URL.Path, base)
		isOperation := belowBase && a.API.Serves(operation)
		isPage := r.URL.Path == pages || strings.HasPrefix(r.URL.Path, pages+"/")
		if isPage && !isOperation {
			a.Pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// ring returns the keys from Keys or Master.
func (o *Options) ring() (*keys.Ring, error) {
	switch {
	case o.Keys != nil && o.Master != nil:
		return nil, errors.New("customerportal: Options.Master and Options.Keys are both set; set one of them")
	case o.Keys != nil:
		return o.Keys, nil
	case o.Master == nil:
		return nil, errors.New("customerportal: Options.Master or Options.Keys is required; create a master key once with keys.NewMaster and store it as a secret")
	}
	return keys.New(0, map[int][]byte{0: o.Master})
}

// authenticator returns the authenticator of the API, or nil if there is no API.
func (o *Options) authenticator() (httpapi.Authenticator, error) {
	switch {
	case o.Authenticate != nil && o.APIKey != "":
		return nil, errors.New("customerportal: Options.APIKey and Options.Authenticate are both set; set one of them")
	case o.Authenticate != nil:
		return o.Authenticate, nil
	case (o.APIKey == "") != (o.WorkspaceID == uuid.Nil):
		return nil, errors.New("customerportal: Options.APIKey and Options.WorkspaceID must be set together")
	case o.APIKey == "":
		return nil, nil
	}
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{o.APIKey: o.WorkspaceID}}.Static()
	if err != nil {
		return nil, fmt.Errorf("customerportal: Options.APIKey: %w", err)
	}
	return authenticate, nil
}

// Handler returns the handler that serves the hosted pages at PortalPath and the API at all
// other paths below BaseURL.
func (a *App) Handler() http.Handler { return a.handler }

// Run does the background work until ctx is done and returns the error of ctx; see [portal.Service.Run] and
// [access.Service.Run]. Several processes may call Run on one store.
func (a *App) Run(ctx context.Context) error {
	if a.Access == nil {
		return a.Portals.Run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	devices := make(chan error, 1)
	go func() {
		defer cancel()
		devices <- a.Access.Run(ctx)
	}()
	err := a.Portals.Run(ctx)
	cancel()
	if ended := <-devices; !errors.Is(ended, context.Canceled) { // access.ErrRunning, which also ended the other Run
		return ended
	}
	return err
}
