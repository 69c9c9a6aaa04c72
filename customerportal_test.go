package customerportal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	customerportal "github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func options() customerportal.Options {
	return customerportal.Options{
		Store: memory.New(), BaseURL: "https://portal.example", Master: master, WorkspaceID: workspaceID, APIKey: apiKey,
	}
}

func TestNew_OptionMissingOrInvalid_ErrorNamesIt(t *testing.T) {
	t.Parallel()
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	for want, change := range map[string]func(*customerportal.Options){
		"Options.Store is required":                  func(o *customerportal.Options) { o.Store = nil },
		`Options.BaseURL, "/portal"`:                 func(o *customerportal.Options) { o.BaseURL = "/portal" },
		`Options.BaseURL, ""`:                        func(o *customerportal.Options) { o.BaseURL = "" },
		`Options.PortalPath, "x"`:                    func(o *customerportal.Options) { o.PortalPath = "x" },
		`"/a%20b", must have no escaped characters`:  func(o *customerportal.Options) { o.PortalPath = "/a b" },
		`"/%7Bx", must have no escaped characters`:   func(o *customerportal.Options) { o.PortalPath = "/{x" },
		`"/a;b/portal", must have`:                   func(o *customerportal.Options) { o.BaseURL = "https://portal.example/a;b" },
		"Options.Master or Options.Keys is required": func(o *customerportal.Options) { o.Master = nil },
		"Options.Master and Options.Keys are both":   func(o *customerportal.Options) { o.Keys = ring },
		"keys:":                func(o *customerportal.Options) { o.Master = []byte("short") },
		"must be set together": func(o *customerportal.Options) { o.WorkspaceID = uuid.Nil },
		"Options.APIKey and Options.Authenticate are both": func(o *customerportal.Options) {
			o.Authenticate = func(*http.Request) (uuid.UUID, error) { return workspaceID, nil }
		},
		"Options.APIKey:": func(o *customerportal.Options) { o.APIKey = "short" },
		"TTL":             func(o *customerportal.Options) { o.Portal.TTL = -1 },
		"ReturnURL":       func(o *customerportal.Options) { o.Pages.ReturnURL = "not a URL" },
	} {
		o := options()
		change(&o)
		_, err := customerportal.New(o)
		require.ErrorContains(t, err, want)
	}
}

// TestHandler_ServesTheAPIAndThePages creates a portal with the API and opens its link, with each kind of BaseURL and PortalPath.
func TestHandler_ServesTheAPIAndThePages(t *testing.T) {
	t.Parallel()
	for _, at := range []struct{ origin, path, portalPath, links string }{
		{"https://portal.example", "", "", "/portal/"},
		{"https://host.example", "/access", "", "/portal/"},
		{"https://portal.example", "", "/", "/"},
		{"https://host.example", "/access", "/", "/"},
		{"https://portal.example", "", "/customers", "/customers/"}, // the API has operations at this path
	} {
		o := options()
		o.BaseURL, o.PortalPath = at.origin+at.path, at.portalPath
		app, err := customerportal.New(o)
		require.NoError(t, err)
		serve := func(method, path, body string, header http.Header) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), method, at.path+path, strings.NewReader(body))
			r.Header = header
			w := httptest.NewRecorder()
			app.Handler().ServeHTTP(w, r)
			return w
		}
		client := http.Header{"Authorization": {"Bearer " + apiKey}, "Content-Type": {"application/json"}}
		made := serve(http.MethodPost, "/customers/create_portal", `{"customer_data": {"customer_key": "acme"}}`, client)
		require.Equal(t, http.StatusOK, made.Code, made.Body.String())
		refused := serve(http.MethodPost, "/customers/create_portal", `{}`, http.Header{"Content-Type": {"application/json"}})
		require.Equal(t, http.StatusUnauthorized, refused.Code)
		document := serve(http.MethodGet, "/openapi.json", "", client)
		require.Equal(t, http.StatusOK, document.Code, document.Body.String())

		p, err := app.Portals.Create(t.Context(), app.DB.Workspace(workspaceID), portal.CreateRequest{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Equal(t, o.BaseURL+at.links+portal.Code(p.URL.Reveal()), p.URL.Reveal())
		page := serve(http.MethodGet, at.links+portal.Code(p.URL.Reveal()), "", http.Header{"User-Agent": {"Mozilla/5.0"}})
		require.Contains(t, []int{http.StatusOK, http.StatusSeeOther}, page.Code, page.Body.String())
		forged := serve(http.MethodGet, at.links+strings.Repeat("0", 33), "", http.Header{})
		require.Equal(t, http.StatusNotFound, forged.Code)
	}
}

func TestNew_WithoutAPIKey_ServesThePagesOnly(t *testing.T) {
	t.Parallel()
	o := options()
	o.APIKey, o.WorkspaceID = "", uuid.Nil
	app, err := customerportal.New(o)
	require.NoError(t, err)
	require.Nil(t, app.API)
	w := httptest.NewRecorder()
	app.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/spaces/list", nil))
	require.Equal(t, http.StatusNotFound, w.Code)
}

// TestRun_DoesAllMaintenance runs two Apps on one store, like two processes.
func TestRun_DoesAllMaintenance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options()
		app, err := customerportal.New(o)
		require.NoError(t, err)
		run := func() {
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 2)
			for range 2 {
				running, err := customerportal.New(o)
				require.NoError(t, err)
				go func() { ended <- running.Run(ctx) }()
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			stop()
			for range 2 {
				require.ErrorIs(t, <-ended, context.Canceled)
			}
		}
		ws := app.DB.Workspace(workspaceID)
		for _, key := range []string{"kept", "deleted"} {
			d := data.CustomerData{CustomerKey: key}
			d.Add(data.Room(key, "Room"))
			for range 2 { // the newest portal of a customer is never purged, because it can be renewed
				_, err := app.Portals.Create(t.Context(), ws, portal.CreateRequest{CustomerData: &d, TTL: time.Hour})
				require.NoError(t, err)
			}
		}
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"deleted"}})
		require.NoError(t, err)
		changes := func() (n int) {
			for _, err := range ws.Changes(t.Context(), data.Cursor{}) {
				require.NoError(t, err)
				n++
			}
			return n
		}
		check := func() data.VerifyReport {
			report, err := app.DB.VerifyStore(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Damages)
			return report
		}
		require.Equal(t, 1, check().Deleted)
		run()
		require.Zero(t, check().Deleted, "the rows of the deleted customer are removed")
		require.Equal(t, 2, check().Rows["portal"])
		require.Equal(t, 9, changes())
		time.Sleep(31 * 24 * time.Hour)
		run()
		require.Equal(t, 1, check().Rows["portal"], "a portal that expired more than 30 days ago is purged")
		require.Equal(t, 9, changes())
		time.Sleep(60 * 24 * time.Hour)
		run()
		require.Zero(t, changes(), "changes older than 90 days are removed")
	})
}

// TestRun_WithProviders_CarriesOutCommands connects an account of simulated devices and unlocks a lock.
func TestRun_WithProviders_CarriesOutCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := simulated.New(simulated.Options{})
		world.AddLogin(simulated.Login{User: "demo", Password: "demo"})
		world.AddDevice("demo", simulated.Lock("lock", "Front door"))
		o := options()
		o.Providers = []device.Provider{world.Provider("app")}
		app, err := customerportal.New(o)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()
		require.ErrorIs(t, app.Run(ctx), access.ErrRunning)

		_, err = app.DB.Workspace(workspaceID).Push(ctx, data.CustomerData{CustomerKey: "hotel"})
		require.NoError(t, err)
		hotel := app.Access.Workspace(workspaceID).Customer("hotel")
		_, err = hotel.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret("demo"), "password": device.NewSecret("demo"),
		}})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		page, err := hotel.Devices(ctx, access.DeviceQuery{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		attempt, err := hotel.Do(ctx, page.Items[0].ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		attempt, err = hotel.Wait(ctx, attempt.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, attempt.Status)
		require.True(t, attempt.Confirmed)
		require.True(t, world.Device("lock").State.Locked.Is(false))

		stop()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestNew_WithoutProviders_HasNoAccess(t *testing.T) {
	t.Parallel()
	app, err := customerportal.New(options())
	require.NoError(t, err)
	require.Nil(t, app.Access)
	o := options()
	o.Providers = []device.Provider{nil}
	_, err = customerportal.New(o)
	require.ErrorContains(t, err, "Options.Providers[0] is nil")
}
