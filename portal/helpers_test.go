package portal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testclock"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// single reads with a session. Each call uses its own View.
type single struct{ s *portal.Session }

func one(s *portal.Session) single { return single{s} }

// viewed returns the result of fn in a View.
func viewed[T any](ctx context.Context, r single, fn func(*portal.View) (T, error)) (out T, err error) {
	err = r.s.View(ctx, func(v *portal.View) error {
		out, err = fn(v)
		return err
	})
	return out, err
}

// viewedRelated returns the resource and the related resources that fn returns in a View.
func viewedRelated[T any](ctx context.Context, r single, fn func(*portal.View) (T, portal.Related, error)) (out T, related portal.Related, err error) {
	err = r.s.View(ctx, func(v *portal.View) error {
		out, related, err = fn(v)
		return err
	})
	return out, related, err
}

func (r single) Counts(ctx context.Context) (map[data.Kind]int, error) {
	return viewed(ctx, r, (*portal.View).Counts)
}

func (r single) LandingPage(ctx context.Context) (data.Ref, error) {
	return viewed(ctx, r, func(v *portal.View) (data.Ref, error) { return v.LandingPage(ctx) })
}

func (r single) Appearance(ctx context.Context, wanted string) (portal.Appearance, error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Appearance, error) { return v.Appearance(ctx, wanted) })
}

func (r single) History(ctx context.Context, key string, limit int) ([]data.FeedChange, error) {
	return viewed(ctx, r, func(v *portal.View) ([]data.FeedChange, error) { return v.History(ctx, key, limit) })
}

func (r single) PlanDelete(ctx context.Context, ref data.Ref) (data.DeleteReport, error) {
	return viewed(ctx, r, func(v *portal.View) (data.DeleteReport, error) { return v.PlanDelete(ctx, ref) })
}

func (r single) Space(ctx context.Context, key string) (data.Space, portal.Related, error) {
	return viewedRelated(ctx, r, func(v *portal.View) (data.Space, portal.Related, error) { return v.Space(ctx, key) })
}

func (r single) UserIdentity(ctx context.Context, key string) (data.UserIdentity, portal.Related, error) {
	return viewedRelated(ctx, r, func(v *portal.View) (data.UserIdentity, portal.Related, error) { return v.UserIdentity(ctx, key) })
}

func (r single) StaffMember(ctx context.Context, key string) (data.UserIdentity, portal.Related, error) {
	return viewedRelated(ctx, r, func(v *portal.View) (data.UserIdentity, portal.Related, error) { return v.StaffMember(ctx, key) })
}

func (r single) AccessGrant(ctx context.Context, key string) (data.AccessGrant, portal.Related, error) {
	return viewedRelated(ctx, r, func(v *portal.View) (data.AccessGrant, portal.Related, error) { return v.AccessGrant(ctx, key) })
}

func (r single) Spaces(ctx context.Context, q data.Query) (portal.Page[data.Space], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.Space], error) { return v.Spaces(ctx, q) })
}

func (r single) UserIdentities(ctx context.Context, q data.Query) (portal.Page[data.UserIdentity], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.UserIdentity], error) { return v.UserIdentities(ctx, q) })
}

func (r single) StaffMembers(ctx context.Context, q data.Query) (portal.Page[data.UserIdentity], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.UserIdentity], error) { return v.StaffMembers(ctx, q) })
}

func (r single) AccessGrants(ctx context.Context, q data.Query) (portal.Page[data.AccessGrant], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.AccessGrant], error) { return v.AccessGrants(ctx, q) })
}

func (r single) AccessGrantOutlines(ctx context.Context, q data.Query) (portal.Page[data.AccessGrant], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.AccessGrant], error) { return v.AccessGrantOutlines(ctx, q) })
}

func (r single) AccessGrantsByPlace(ctx context.Context, q data.Query, keep func(data.AccessGrant, portal.Place) bool) (portal.Page[data.AccessGrant], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.AccessGrant], error) {
		return v.AccessGrantsByPlace(ctx, q, keep)
	})
}

func codesOf(ctx context.Context, s *portal.Session, subject data.Ref) (portal.AccessCodes, error) {
	return viewed(ctx, one(s), func(v *portal.View) (portal.AccessCodes, error) { return v.AccessCodes(ctx, subject) })
}

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

// fixture is a workspace and a Service on one store.
type fixture struct {
	clock   *testclock.Clock
	ws      *data.Workspace
	portals *portal.Service
	keys    *keys.Ring
	master  []byte // the master key in slot 3
	world   *simulated.World
	access  *access.Service // does not run
	devices deviceIDs       // of withDevices
}

func setup(t testing.TB, store storage.Store) *fixture {
	t.Helper()
	c := testclock.New(time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC))
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(3, map[int][]byte{3: master})
	require.NoError(t, err)
	db := data.Open(store, data.Options{Now: c.Now})
	world := simulated.New(simulated.Options{Seed: 1, Now: c.Now})
	world.AddLogin(simulated.Login{User: "anna", Password: password})
	devices, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{world.Provider("test")}})
	require.NoError(t, err)
	portals, err := portal.New(db, portal.Options{BaseURL: "https://se.am", Keys: ring, Access: devices})
	require.NoError(t, err)
	return &fixture{clock: c, ws: db.Workspace(workspaceID), portals: portals, keys: ring, master: master, world: world, access: devices}
}

// each runs test on the backends of [backends.Each].
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) { test(t, setup(t, store)) })
}

// eachAll runs test on the backends of [backends.EachAll].
func eachAll(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	backends.EachAll(t, func(t *testing.T, store storage.Store) { test(t, setup(t, store)) })
}

func (f *fixture) create(t testing.TB, req portal.CreateRequest) portal.CustomerPortal {
	t.Helper()
	p, err := f.portals.Create(t.Context(), f.ws, req)
	require.NoError(t, err)
	return p
}

// hotel returns a customer with a site, a room, a guest and a reservation.
func hotel() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "My Company"}
	d.Add(
		data.Site("lisbon", "Lisbon"), data.Room("101", "Room 101").In("lisbon"), data.Guest("ada", "Ada"),
		data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...),
	)
	return d
}

// requireEmpty checks that the store has no rows of customers.
func requireEmpty(t *testing.T, f *fixture) {
	t.Helper()
	_, err := f.ws.DB().Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if !strings.Contains("FNV", string(e.Key[:1])) { // rows of the change feed and the format remain
				return fmt.Errorf("the store has %q", e.Key)
			}
		}
		return nil
	}))
}

// estate returns a customer whose property listings and reservations have different metadata, for filters.
func estate() *data.CustomerData {
	d := &data.CustomerData{CustomerKey: "My Company"}
	listing := func(key, region string, vip bool) data.Space {
		s := data.PropertyListing(key, "Listing "+key)
		s.CustomMetadata = data.CustomMetadata{"region": region, "vip": vip}
		return s
	}
	stay := func(key, region string, vip bool, guest string, listings ...string) data.AccessGrant {
		g := data.Reservation(key, ref(data.KindGuest, guest), data.Refs(data.KindPropertyListing, listings...)...)
		g.CustomMetadata = data.CustomMetadata{"region": region, "vip": vip}
		g.PreferredCode = "1234"
		return g.During(start, start.Add(24*time.Hour))
	}
	d.Add(
		listing("n1", "north", true), listing("n2", "north", false), listing("s1", "south", true),
		data.Site("town", "Town"), data.Room("101", "Room 101").In("town"), data.Room("102", "Room 102").In("town"), data.Room("201", "Room 201"),
		data.Guest("ada", "Ada"), data.Guest("bob", "Bob"), data.Guest("cleo", "Cleo"),
		data.StaffMember("sam", "Sam", data.Refs(data.KindPropertyListing, "n1", "s1")...),
		data.StaffMember("kim", "Kim", data.Refs(data.KindRoom, "101")...),
		stay("rn1", "north", true, "ada", "n1"), stay("rn2", "north", false, "bob", "n2", "s1"), stay("rs1", "south", true, "cleo", "s1", "n1"),
		data.Booking("b101", ref(data.KindGuest, "bob"), data.Refs(data.KindRoom, "101")...),
		data.Booking("b201", ref(data.KindGuest, "cleo"), data.Refs(data.KindRoom, "201")...),
	)
	return d
}

var start = time.Date(2025, 6, 16, 15, 0, 0, 0, time.UTC)

// session pushes the estate, creates a portal with a configuration, and begins a session.
func (f *fixture) session(t *testing.T, c portal.Config) *portal.Session {
	t.Helper()
	_, session := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: c})
	return session
}

func keysOf[T data.Resource](items []T) (out []string) {
	for _, r := range items {
		out = append(out, r.Ref().Key)
	}
	return out
}

func spaces(t *testing.T, s *portal.Session) []string {
	t.Helper()
	page, err := one(s).Spaces(t.Context(), data.Query{})
	require.NoError(t, err)
	return keysOf(page.Items)
}

func grants(t *testing.T, s *portal.Session, q data.Query) []string {
	t.Helper()
	page, err := one(s).AccessGrants(t.Context(), q)
	require.NoError(t, err)
	return keysOf(page.Items)
}
