package portal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// stocked returns a fixture with a customer that has n+1 reservations and n portals, and n other customers.
func stocked(t *testing.T, n int) (*fixture, *backends.Counted) {
	t.Helper()
	store := &backends.Counted{Store: memory.New()}
	f := setup(t, store)
	d := hotel()
	for i := range n {
		d.Add(data.Reservation(fmt.Sprint("more-", i), ref(data.KindGuest, "ada"), data.Refs(data.KindRoom, "101")...))
	}
	_, err := f.ws.Push(t.Context(), *d)
	require.NoError(t, err)
	for i := range n {
		f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err := f.ws.Push(t.Context(), data.CustomerData{CustomerKey: fmt.Sprint("customer-", i)})
		require.NoError(t, err)
	}
	return f, store
}

// restarted returns a fixture with a new Service for the store of f, which has read nothing from the store.
func (f *fixture) restarted(t *testing.T) *fixture {
	t.Helper()
	store := f.ws.DB().Store()
	portals, err := portal.New(data.Open(store, data.Options{Now: f.clock.Now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
	require.NoError(t, err)
	return &fixture{clock: f.clock, ws: portals.DB().Workspace(workspaceID), portals: portals, keys: f.keys, master: f.master}
}

// TestRoundTrips_OperationsOnPortals_DoNotGrowWithData counts the round trips of operations with few and with many resources,
// portals and customers. It also counts rollbacks, for which no caller waits.
func TestRoundTrips_OperationsOnPortals_DoNotGrowWithData(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f, store := stocked(t, n)
			trips := func(want int, name string, do func() error) {
				t.Helper()
				store.Reset()
				require.NoError(t, do(), name)
				require.EqualValues(t, want, store.Trips.Load(), name)
			}
			ctx := t.Context()
			create := func(f *fixture, req portal.CreateRequest) func() error {
				req.CustomerKey = "My Company"
				return func() error {
					_, err := f.portals.Create(ctx, f.ws, req)
					return err
				}
			}
			plain := portal.CreateRequest{CustomerKey: "My Company"}
			trips(3, "Create, in a process that does not know the customer", create(f.restarted(t), plain))
			trips(2, "Create", create(f, plain))
			profile, err := f.portals.CreateProfile(ctx, f.ws, portal.Profile{Name: "Blue"})
			require.NoError(t, err)
			landing := portal.CreateRequest{Config: portal.Config{LandingPage: ref(data.KindSite, "lisbon"), CustomizationProfileID: profile.ID}}
			trips(4, "Create with a landing page, in a process that does not know the customer", create(f.restarted(t), landing))
			trips(3, "Create with a landing page", create(f, landing))
			trips(3, "CreateDeepLink", func() error {
				_, err := f.portals.CreateDeepLink(ctx, f.ws, "My Company", "r1")
				return err
			})

			p := f.create(t, plain)
			code := portal.Code(p.URL.Reveal())
			resolve := func(f *fixture) func() error {
				return func() error { return drop(f.portals.Resolve(ctx, code)) }
			}
			trips(3, "Resolve", resolve(f))
			trips(4, "Resolve, in a process that does not know the format of the store", resolve(f.restarted(t)))
			trips(3, "Peek", func() error {
				_, _, err := f.portals.Peek(ctx, code, "")
				return err
			})
			bounded := f.create(t, portal.CreateRequest{CustomerKey: "My Company", MaxUses: 5})
			code = portal.Code(bounded.URL.Reveal())
			trips(5, "Resolve of a link with a MaxUses", func() error {
				_, err := f.portals.Resolve(ctx, code)
				return err
			})
			trips(3, "Peek for a holder", func() error {
				_, held, err := f.portals.Peek(ctx, code, "a holder's secret")
				require.False(t, held)
				return err
			})
			var session *portal.Session
			trips(5, "OpenSession for a holder", func() (err error) {
				session, err = f.portals.OpenSession(ctx, code, "a holder's secret")
				return err
			})
			find := func() error {
				_, err := f.portals.Session(ctx, session.Token().Reveal())
				return err
			}
			trips(3, "Session", find)
			f.clock.Set(f.clock.Now().Add(10 * time.Minute))
			trips(5, "Session, which notes the use", find)
			trips(5, "Space of a session", func() error {
				_, _, err := one(session).Space(ctx, "101")
				return err
			})
			trips(6, "RenameSpace", func() error {
				_, err := session.RenameSpace(ctx, "101", "New name", portal.WriteOptions{})
				return err
			})
			trips(11, "CreateAccessGrant with a new user", func() error {
				_, err := session.CreateAccessGrant(ctx, portal.AccessGrantRequest{
					Grant: data.AccessGrant{Spaces: data.Refs(data.KindRoom, "101")}, NewUser: &data.UserIdentity{Name: "Grace"},
				}, portal.WriteOptions{Token: token})
				return err
			})
			trips(7, "EditAccessGrant", func() error {
				_, err := session.EditAccessGrant(ctx, data.AccessGrant{Key: "r1", Name: "Weekend"}, portal.WriteOptions{})
				return err
			})
			before, _, err := one(session).AccessGrant(ctx, "r1")
			require.NoError(t, err)
			after := before
			before.Name = "Before"
			trips(8, "UndoEditAccessGrant", func() error {
				_, err := session.UndoEditAccessGrant(ctx, before, after)
				return err
			})
			trips(8, "CancelAccessGrant", func() error {
				_, err := session.CancelAccessGrant(ctx, "r1", portal.WriteOptions{})
				return err
			})
			trips(2, "End", func() error { return session.End(ctx) })

			trips(3, "Get", func() error {
				_, err := f.portals.Get(ctx, f.ws, p.ID)
				return err
			})
			trips(4, "List", func() error {
				page, err := f.portals.List(ctx, f.ws, "My Company", 1000, "")
				require.Len(t, page.Items, min(n+7, 1000))
				return err
			})
			trips(5, "UpdateConfig", func() error {
				_, err := f.portals.UpdateConfig(ctx, f.ws, p.ID, func(c *portal.Config) error {
					c.ReadOnly = true
					return nil
				})
				return err
			})
			open := func() error {
				_, err := f.portals.Open(ctx, f.ws, "My Company")
				return err
			}
			trips(4, "Open of a portal that is live", open)
			f.clock.Set(f.clock.Now().Add(30 * time.Hour))
			trips(6, "Open that makes a portal anew", open)
		})
	}
}

// TestRoundTrips_Purge_DoNotGrowWithPortals counts the round trips of a purge that deletes few and many portals of one customer.
func TestRoundTrips_Purge_DoNotGrowWithPortals(t *testing.T) {
	t.Parallel()
	counts := map[int]int64{}
	for _, n := range []int{1, 100} {
		store := &backends.Counted{Store: memory.New()}
		f := setup(t, store)
		f.create(t, portal.CreateRequest{CustomerData: hotel()})
		for range n {
			f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		}
		f.clock.Set(f.clock.Now().Add(30 * time.Hour))
		store.Reset()
		report, err := f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Equal(t, n, report.Portals)
		counts[n] = store.Trips.Load()
	}
	require.Equal(t, counts[1], counts[100])
}
