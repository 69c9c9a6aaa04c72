package web_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testclock"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// fixture is a Handler with its service, store and clock.
type fixture struct {
	clock   *testclock.Clock
	store   *backends.Counted
	portals *portal.Service
	keys    *keys.Ring
	pages   *web.Handler
	logs    *bytes.Buffer
	links   map[string]preview.Link
}

const hotel = portal.VerticalHospitality

func setup(t *testing.T, store storage.Store, base string, o web.Options) *fixture {
	t.Helper()
	return setupProviders(t, store, base, o)
}

// setupProviders returns a fixture with a service for devices that has some providers and does not run.
func setupProviders(t *testing.T, store storage.Store, base string, o web.Options, providers ...device.Provider) *fixture {
	t.Helper()
	f := &fixture{clock: testclock.New(time.Date(2026, 3, 14, 16, 0, 0, 0, time.UTC)), store: &backends.Counted{Store: store}, logs: &bytes.Buffer{}}
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(3, map[int][]byte{3: master})
	require.NoError(t, err)
	db := data.Open(f.store, data.Options{Now: f.clock.Now, Logger: slog.New(slog.NewTextHandler(f.logs, nil))})
	devices, err := access.New(db, access.Options{Keys: ring, Providers: providers})
	require.NoError(t, err)
	f.keys = ring
	f.portals, err = portal.New(db, portal.Options{BaseURL: base, Keys: ring, Access: devices})
	require.NoError(t, err)
	f.pages, err = web.New(f.portals, o)
	require.NoError(t, err)
	return f
}

// newFixture returns a fixture with the default options on a store in memory.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	return setup(t, memory.New(), "https://portal.example", web.Options{})
}

// setupPreview returns a fixture with the portals of package preview.
func setupPreview(t *testing.T, o web.Options, change func(*portal.Config)) *fixture {
	t.Helper()
	f := setupProviders(t, memory.New(), "https://portal.example", o, newWorld().Provider("test"))
	links, err := preview.Make(t.Context(), f.portals, preview.Options{Change: change})
	require.NoError(t, err)
	f.links = map[string]preview.Link{}
	for _, l := range links {
		f.links[l.Name] = l
	}
	return f
}

func (f *fixture) ws() *data.Workspace {
	return f.portals.DB().Workspace(preview.WorkspaceID(hotel))
}

// portal creates a portal of a small hotel.
func (f *fixture) portal(t *testing.T, req portal.CreateRequest) portal.CustomerPortal {
	t.Helper()
	d := data.CustomerData{CustomerKey: "acme"}
	d.Add(
		data.Site("lisbon", "Lisbon"), data.Room("101", "Room 101").In("lisbon"), data.Room("102", "Room 102").In("lisbon"), data.Guest("ada", "Ada"),
		data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...),
		data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).During(f.clock.Now().Add(1500*time.Millisecond), f.clock.Now().Add(48*time.Hour)),
	)
	req.CustomerData = &d
	p, err := f.portals.Create(t.Context(), f.ws(), req)
	require.NoError(t, err)
	return p
}

// eachBackend runs a test with a fixture on each backend.
func eachBackend(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		test(t, setup(t, store, "https://portal.example", web.Options{}))
	})
}
