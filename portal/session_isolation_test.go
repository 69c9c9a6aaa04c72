package portal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// Regression tests of leaks and failures that attacks on a session caused in earlier versions.

// hook is a store that calls a function before the next Update.
type hook struct {
	storage.Store
	before atomic.Pointer[func()]
}

func (h *hook) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if f := h.before.Swap(nil); f != nil {
		(*f)()
	}
	return h.Store.Update(ctx, fn, reads...)
}

// hooked returns a fixture whose store is a hook around the store of f.
func hooked(t *testing.T, f *fixture) (*fixture, *hook) {
	t.Helper()
	h := &hook{Store: f.ws.DB().Store()}
	return setup(t, h), h
}

// TestDelete_WithoutPermission_DoesNotRevealKeys checks that a session without the permission gets the same error for keys of
// other customers and for keys that do not exist.
func TestDelete_WithoutPermission_DoesNotRevealKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"))
		_, err := f.ws.Push(t.Context(), other)
		require.NoError(t, err)
		s := f.session(t, portal.Config{ReadOnly: true})
		revokedPortal, revoked := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, revokedPortal.ID))
		for _, key := range []string{"secret", "absent", "101", " ", ""} {
			_, err := s.DeleteSpace(t.Context(), key, portal.WriteOptions{})
			require.ErrorIs(t, err, portal.ErrRefused, "%q", key)
			_, err = one(s).PlanDelete(t.Context(), ref(data.KindSpace, key))
			require.ErrorIs(t, err, portal.ErrRefused, "%q", key)
			_, err = revoked.DeleteSpace(t.Context(), key, portal.WriteOptions{})
			require.ErrorIs(t, err, portal.ErrRevoked, "%q", key)
		}
	})
}

// TestSessionWrite_ConfigChangesBeforeCommit_IsRefused changes the configuration after a write was planned and before it commits.
func TestSessionWrite_ConfigChangesBeforeCommit_IsRefused(t *testing.T) {
	for name, change := range map[string]func(*portal.Config){
		"a filter":  func(c *portal.Config) { c.Filters = []portal.Filter{{Field: "region", Value: "south"}} },
		"details":   func(c *portal.Config) { c.Features.Manage.ExcludeReservationTechnicalDetails = true },
		"read-only": func(c *portal.Config) { c.ReadOnly = true },
		"a feature": func(c *portal.Config) { c.Features.Manage.ExcludeReservationManagement = true },
		"a page": func(c *portal.Config) {
			c.NavigationMode, c.LandingPage = portal.NavigationRestricted, ref(data.KindRoom, "201")
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				f, h := hooked(t, f)
				p, s := f.open(t, portal.CreateRequest{CustomerData: estate()})
				before, err := f.ws.AccessGrant(t.Context(), "rn1")
				require.NoError(t, err)
				meanwhile := func() {
					_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { change(c); return nil })
					require.NoError(t, err)
				}
				h.before.Store(&meanwhile)
				_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: "changed", PreferredCode: "4711"}, portal.WriteOptions{})
				require.True(t, errors.Is(err, portal.ErrRefused) || errors.Is(err, data.ErrResourceNotFound), "%v", err)
				after, err := f.ws.AccessGrant(t.Context(), "rn1")
				require.NoError(t, err)
				require.Equal(t, before, after)
			})
		})
	}
}

// TestSessionWrite_ResourceHiddenBeforeCommit_IsNotFound changes a resource before a write commits. The clock does not advance,
// so the times of the resource do not reveal the change.
func TestSessionWrite_ResourceHiddenBeforeCommit_IsNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f, h := hooked(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}}})
		meanwhile := func() {
			d := data.CustomerData{CustomerKey: "My Company"}
			d.Add(data.AccessGrant{Kind: data.KindReservation, Key: "rn1", CustomMetadata: data.CustomMetadata{"region": "south"}})
			_, err := f.ws.Push(t.Context(), d)
			require.NoError(t, err)
		}
		h.before.Store(&meanwhile)
		_, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: "mine"}, portal.WriteOptions{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		g, err := f.ws.AccessGrant(t.Context(), "rn1")
		require.NoError(t, err)
		require.Empty(t, g.Name)
	})
}

// TestPush_DuringSessions_Commits checks that concurrent sessions do not conflict with a large push.
func TestPush_DuringSessions_Commits(t *testing.T) {
	eachAll(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: estate()})
		done := make(chan struct{})
		visits := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				var s *portal.Session
				if s, err = f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), ""); err == nil {
					err = s.End(t.Context())
				}
				select {
				case <-done:
					visits <- err
					return
				default:
				}
			}
			visits <- err
		}()
		d := data.CustomerData{CustomerKey: "My Company"}
		for n := range 1500 {
			d.Add(data.Room(fmt.Sprint("large", n), "Room"))
		}
		_, err := f.ws.Push(t.Context(), d)
		close(done)
		require.NoError(t, err)
		require.NoError(t, <-visits)
	})
}

// TestAssignStaffMember_MissingSpace_KeepsReference edits a staff member with a reference to a space that does not exist. The
// edit must neither fail nor reveal the reference.
func TestAssignStaffMember_MissingSpace_KeepsReference(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		d.Add(data.StaffMember("lou", "Lou", data.Refs(data.KindRoom, "101", "SECRET-GHOST")...))
		_, s := f.open(t, portal.CreateRequest{CustomerData: d})
		u, err := s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "lou", Spaces: data.Refs(data.KindRoom, "102")}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindRoom, "102"), u.Spaces)
		stored, err := f.ws.UserIdentity(t.Context(), "lou")
		require.NoError(t, err)
		require.ElementsMatch(t, data.Refs(data.KindRoom, "102", "SECRET-GHOST"), stored.Spaces)
	})
}

// TestAssignStaffMember_TooManyHiddenSpaces_DoesNotRevealNumber checks that the error about too many references does not contain
// their number.
func TestAssignStaffMember_TooManyHiddenSpaces_DoesNotRevealNumber(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		lou := data.StaffMember("lou", "Lou")
		for n := range 998 {
			lou.Spaces = append(lou.Spaces, ref(data.KindRoom, fmt.Sprint("ghost", n)))
		}
		d.Add(lou)
		_, s := f.open(t, portal.CreateRequest{CustomerData: d})
		_, err := s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "lou", Spaces: data.Refs(data.KindRoom, "101", "102", "201")}, portal.WriteOptions{})
		require.Equal(t, []string{"spaces too_many"}, faults(t, err))
		require.NotContains(t, err.Error(), "1001")
	})
}

// TestPlanDelete_DetailsExcluded_HasNoIDs checks that the report omits the ids of access grants if technical details are
// excluded.
func TestPlanDelete_DetailsExcluded_HasNoIDs(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}})
		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindAccessGrant, "rn1"))
		require.NoError(t, err)
		require.Len(t, plan.Deleted, 1)
		require.Zero(t, plan.Deleted[0].ID)
		plan, err = one(s).PlanDelete(t.Context(), ref(data.KindSpace, "101"))
		require.NoError(t, err)
		for _, d := range plan.Deleted {
			require.Equal(t, d.Kind.Class() == data.ClassAccessGrant, d.ID == [16]byte{})
		}
	})
}

// TestDeepLink_ReservationsExcluded_ShowsNothing checks that a deep link to a hidden reservation does not show its guest and
// rooms.
func TestDeepLink_ReservationsExcluded_ShowsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{
			DeepLink: ref(data.KindReservation, "rn1"),
			Features: portal.Features{Manage: portal.ManageFeature{ExcludeReservationManagement: true}},
		})
		_, _, err := one(s).UserIdentity(t.Context(), "ada")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		require.Empty(t, spaces(t, s))
	})
}

// TestCreate_LandingPageWithoutKey_IsAFault misspells the key of a landing page. Without the fault, the restricted portal would
// show everything.
func TestCreate_LandingPageWithoutKey_IsAFault(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, page := range []string{`{"manage": {"roomkey": "101"}}`, `{"manage": {}}`} {
			var c portal.Config
			require.NoError(t, json.Unmarshal([]byte(`{"navigation_mode": "restricted", "landing_page": `+page+`}`), &c))
			require.NoError(t, json.Unmarshal([]byte(`{"locale": "de-DE"}`), &c), "faults of earlier JSON are kept")
			_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: estate(), Config: c})
			require.Equal(t, []string{"landing_page.manage required"}, faults(t, err))
		}
	})
}

// TestCreate_ValuesWithoutJSON_AreFaults uses values that JSON cannot contain.
func TestCreate_ValuesWithoutJSON_AreFaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		list := []string{}
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: estate(), Config: portal.Config{
			Filters: []portal.Filter{{Field: "a", Value: list}, {Field: "a", Value: list}, {Field: "b", Value: ""}, {Field: strings.Repeat("c", 41), Value: true}},
		}})
		require.Equal(t, []string{
			"customer_resources_filters[0].value type", "customer_resources_filters[1].value type",
			"customer_resources_filters[2].value required", "customer_resources_filters[3].field range",
		}, faults(t, err))
		s := f.session(t, portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindRoom, "101")})
		for _, kind := range []data.Kind{200, 255, data.KindCustomerPortal, data.KindGuest} {
			_, err = s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{Kind: kind, Spaces: data.Refs(data.KindRoom, "101")}}, portal.WriteOptions{})
			require.Equal(t, []string{"kind not_a_field"}, faults(t, err))
		}
	})
}

// TestCreateAccessGrant_SeveralFaults_ListsAll checks that a missing space does not hide the other faults.
func TestCreateAccessGrant_SeveralFaults_ListsAll(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		_, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{
			Grant:   data.AccessGrant{Spaces: data.Refs(data.KindRoom, "nowhere"), PreferredCode: "1", StartsAt: start, EndsAt: start},
			NewUser: &data.UserIdentity{EmailAddress: "nobody"},
		}, portal.WriteOptions{})
		require.ElementsMatch(t, []string{
			"spaces[0] not_there_yet", "preferred_code preferred_code", "ends_at time_order", "new_user.name required", "new_user.email_address email_address",
		}, faults(t, err))
	})
}

// TestLandingPage_GuestWithManyOtherStays_IsVisible has a guest with one visible access grant after more hidden ones than a
// page has.
func TestLandingPage_GuestWithManyOtherStays_IsVisible(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	d := estate()
	for i := range d.AccessGrants { // the access grant in the town is the last
		d.AccessGrants[i] = d.AccessGrants[i].During(start, start.Add(time.Hour))
	}
	for n := range 10_050 {
		d.Add(data.Booking(fmt.Sprintf("aa%05d", n), ref(data.KindGuest, "bob"), data.Refs(data.KindRoom, "201")...).During(start.Add(-1000*time.Hour), start))
	}
	_, s := f.open(t, portal.CreateRequest{CustomerData: d, Config: portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "town")}})
	_, _, err := one(s).UserIdentity(t.Context(), "bob")
	require.NoError(t, err)
}

// TestPeekAndSession_PortalOver_ReturnPortal checks that the ReturnURL of a revoked or expired portal can be read.
func TestPeekAndSession_PortalOver_ReturnPortal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		config := portal.Config{ReturnURL: "https://app.example/home"}
		p, s := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: config})
		require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))
		seen, _, err := f.portals.Peek(t.Context(), portal.Code(p.URL.Reveal()), "")
		require.ErrorIs(t, err, portal.ErrRevoked)
		require.Equal(t, config.ReturnURL, seen.Config.ReturnURL)
		found, err := f.portals.Session(t.Context(), s.Token().Reveal())
		require.ErrorIs(t, err, portal.ErrRevoked)
		require.Equal(t, config.ReturnURL, found.Portal().Config.ReturnURL)

		p, s = f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: config, TTL: time.Minute})
		f.clock.Set(p.ExpiresAt)
		found, err = f.portals.Session(t.Context(), s.Token().Reveal())
		require.ErrorIs(t, err, portal.ErrExpired)
		require.Equal(t, config.ReturnURL, found.Portal().Config.ReturnURL)
		_, err = one(found).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrExpired, "the session does not work")
	})
}

// TestSearch_LongText_IsInvalid checks the bound on the length of a query's text.
func TestSearch_LongText_IsInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		_, err := one(s).Spaces(t.Context(), data.Query{Text: strings.Repeat("x", 513)})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = f.ws.Customers(t.Context(), data.CustomerQuery{Text: strings.Repeat("x", 513)})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

// TestEditAccessGrant_SpaceHiddenBeforeCommit_KeepsReference adds a reference to a hidden space before an edit commits. The
// edit must use the current references, and not those that it read first.
func TestEditAccessGrant_SpaceHiddenBeforeCommit_KeepsReference(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f, h := hooked(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}}})
		meanwhile := func() {
			d := data.CustomerData{CustomerKey: "My Company"}
			hidden := data.PropertyListing("s2", "Hidden")
			d.Add(hidden, data.AccessGrant{Kind: data.KindReservation, Key: "rn2", Spaces: data.Refs(data.KindPropertyListing, "n2", "s1", "s2")})
			_, err := f.ws.Push(t.Context(), d)
			require.NoError(t, err)
		}
		h.before.Store(&meanwhile)
		_, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Spaces: data.Refs(data.KindSpace, "n1")}, portal.WriteOptions{})
		require.NoError(t, err)
		g, err := f.ws.AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "n1", "s1", "s2"), g.Spaces)
	})
}
