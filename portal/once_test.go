package portal_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

const token = "0123456789abcdefghij-_"

// creations are the calls that create a resource. Each creates one with a name, and returns
// its key.
var creations = map[string]func(ctx context.Context, s *portal.Session, name, token string) (string, error){
	"access grant": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		g, err := s.CreateAccessGrant(ctx, portal.AccessGrantRequest{
			Grant:   data.AccessGrant{Name: "Weekend", StartsAt: start, EndsAt: start.Add(time.Hour), Spaces: data.Refs(data.KindRoom, "101")},
			NewUser: &data.UserIdentity{Name: name},
		}, portal.Once(token))
		return g.Key, err
	},
	"staff member": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		u, err := s.AddStaffMember(ctx, data.UserIdentity{Name: name, Spaces: data.Refs(data.KindRoom, "101")}, portal.Once(token))
		return u.Key, err
	},
	"space": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		space, err := s.CreateSpace(ctx, data.Space{Kind: data.KindRoom, Name: name, ParentSiteKey: "town"}, portal.Once(token))
		return space.Key, err
	},
}

func TestOnce_RepeatedCall_CreatesOneResource(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		for name, create := range creations {
			key, err := create(t.Context(), s, "Grace", token)
			require.NoError(t, err, name)
			before, err := f.ws.Export(t.Context(), "My Company")
			require.NoError(t, err)
			again, err := create(t.Context(), s, "Grace", token)
			require.NoError(t, err, name)
			require.Equal(t, key, again, name)
			_, err = create(t.Context(), s, "Hopper", token)
			var exists *portal.ExistsError
			require.ErrorAs(t, err, &exists, name)
			require.ErrorIs(t, err, portal.ErrExists, name)
			require.Equal(t, key, exists.Key, name)
			after, err := f.ws.Export(t.Context(), "My Company")
			require.NoError(t, err)
			require.Equal(t, before, after, name)

			other, err := create(t.Context(), s, "Grace", token+"2")
			require.NoError(t, err, name)
			require.NotEqual(t, key, other, name)
		}
	})
}

func TestOnce_ConcurrentCalls_CreateOneResource(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		for name, create := range creations {
			before, err := f.ws.Customer(t.Context(), "My Company")
			require.NoError(t, err)
			const calls = 6
			var wg sync.WaitGroup
			keys, errs := make([]string, calls), make([]error, calls)
			for i := range calls {
				wg.Go(func() { keys[i], errs[i] = create(t.Context(), s, "Grace", token) })
			}
			wg.Wait()
			for i := range calls {
				require.NoError(t, errs[i], name)
				require.Equal(t, keys[0], keys[i], name)
			}
			after, err := f.ws.Customer(t.Context(), "My Company")
			require.NoError(t, err)
			created := map[string]int{"access grant": 2, "staff member": 1, "space": 1}[name] // the grant and its guest
			total := func(c data.Customer) (n int) {
				for _, count := range c.Counts {
					n += count
				}
				return n
			}
			require.Equal(t, total(before)+created, total(after), name)
		}
	})
}

// TestOnce_AnotherPortalOrCall_CreatesAnotherResource: a token means nothing elsewhere, so that
// no visitor can reach with a token what another portal created.
func TestOnce_AnotherPortalOrCall_CreatesAnotherResource(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := map[string]string{}
		for i := range 2 {
			s := f.session(t, portal.Config{})
			for name, create := range creations {
				key, err := create(t.Context(), s, "Grace", token)
				require.NoError(t, err)
				who := fmt.Sprint(name, i)
				require.Empty(t, seen[key], "%s has the key of %s", who, seen[key])
				seen[key] = who
			}
		}
	})
}

func TestOnce_GrantCancelledSince_IsCreatedAgainAndItsGuestStays(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		key, err := creations["access grant"](t.Context(), s, "Grace", token)
		require.NoError(t, err)
		g, _, err := one(s).AccessGrant(t.Context(), key)
		require.NoError(t, err)
		guest := g.User.Key
		push := data.CustomerData{CustomerKey: "My Company"}
		push.Add(data.UserIdentity{Kind: g.User.Kind, Key: guest, Name: "Grace H"})
		_, err = f.ws.Push(t.Context(), push)
		require.NoError(t, err)
		_, err = s.CancelAccessGrant(t.Context(), key)
		require.NoError(t, err)

		again, err := creations["access grant"](t.Context(), s, "Grace", token)
		require.NoError(t, err)
		require.Equal(t, key, again)
		g, related, err := one(s).AccessGrant(t.Context(), key)
		require.NoError(t, err)
		made, _ := related.UserIdentity(g.User.Key)
		require.Equal(t, "Grace", made.Name)
		kept, err := f.ws.UserIdentity(t.Context(), guest)
		require.NoError(t, err)
		require.Equal(t, "Grace H", kept.Name, "the guest that the host renamed")
	})
}

func TestOnce_BadToken_IsAFault(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		for _, bad := range []string{"short", strings.Repeat("x", 65), "0123456789abcdef ", "0123456789abcdef/", "0123456789abcdéf"} {
			for name, create := range creations {
				_, err := create(t.Context(), s, "Grace", bad)
				require.Equal(t, []string{"token format"}, faults(t, err), "%s %q", name, bad)
			}
		}
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

// TestIfUnchanged_ResourceChangedSince_IsRefused edits with the revision that was read, and
// with one that is older.
func TestIfUnchanged_ResourceChangedSince_IsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		for name, test := range map[string]struct {
			ref  data.Ref
			edit func(portal.EditOption) error
			push data.Resource
		}{
			"EditAccessGrant": {ref(data.KindBooking, "b101"), func(o portal.EditOption) error {
				return drop(s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b101", Name: "Edited"}, o))
			}, data.AccessGrant{Kind: data.KindBooking, Key: "b101", Name: "Pushed"}},
			"EditStaffMember": {ref(data.KindStaffMember, "kim"), func(o portal.EditOption) error {
				return drop(s.EditStaffMember(t.Context(), data.UserIdentity{Key: "kim", Name: "Edited"}, o))
			}, data.StaffMember("kim", "Pushed")},
			"AssignStaffMember": {ref(data.KindStaffMember, "lou"), func(o portal.EditOption) error {
				return drop(s.AssignStaffMember(t.Context(), "lou", data.Refs(data.KindRoom, "101"), o))
			}, data.StaffMember("lou", "Pushed")},
			"EditUserIdentity": {ref(data.KindGuest, "ada"), func(o portal.EditOption) error {
				return drop(s.EditUserIdentity(t.Context(), data.UserIdentity{Key: "ada", Name: "Edited"}, o))
			}, data.Guest("ada", "Pushed")},
			"RenameSpace": {ref(data.KindRoom, "101"), func(o portal.EditOption) error {
				return drop(s.RenameSpace(t.Context(), "101", "Edited", o))
			}, data.Room("101", "Pushed")},
			"MoveSpace": {ref(data.KindRoom, "102"), func(o portal.EditOption) error {
				return drop(s.MoveSpace(t.Context(), "102", "", o))
			}, data.Room("102", "Pushed")},
		} {
			seed := data.CustomerData{CustomerKey: "My Company"}
			if test.ref.Key == "lou" {
				seed.Add(data.StaffMember("lou", "Lou", data.Refs(data.KindRoom, "101", "102")...))
			}
			_, err := f.ws.Push(t.Context(), seed)
			require.NoError(t, err)
			read := func() data.Meta {
				t.Helper()
				switch test.ref.Kind.Class() {
				case data.ClassSpace:
					r, err := f.ws.Space(t.Context(), test.ref.Key)
					require.NoError(t, err)
					return r.Meta
				case data.ClassUserIdentity:
					r, err := f.ws.UserIdentity(t.Context(), test.ref.Key)
					require.NoError(t, err)
					return r.Meta
				}
				r, err := f.ws.AccessGrant(t.Context(), test.ref.Key)
				require.NoError(t, err)
				return r.Meta
			}
			old := read()
			seed = data.CustomerData{CustomerKey: "My Company"}
			seed.Add(test.push)
			_, err = f.ws.Push(t.Context(), seed)
			require.NoError(t, err)
			pushed := read()
			require.ErrorIs(t, test.edit(portal.IfUnchanged(old)), portal.ErrChanged, name)
			require.Equal(t, pushed, read(), name)
			another := pushed
			another.ID[0]++
			require.ErrorIs(t, test.edit(portal.IfUnchanged(another)), portal.ErrChanged, "%s: the resource was deleted and created again", name)
			require.NoError(t, test.edit(portal.IfUnchanged(pushed)), name)
			require.Equal(t, pushed.Revision+1, read().Revision, name)
		}
	})
}

func TestIfPlanned_PlanOrResourceChanged_DeletesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		site, _, err := one(s).Space(t.Context(), "town")
		require.NoError(t, err)
		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindSpace, "town"))
		require.NoError(t, err)
		push := data.CustomerData{CustomerKey: "My Company"}
		push.Add(data.Room("900", "Room 900").In("town"))
		_, err = f.ws.Push(t.Context(), push)
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "town", portal.IfPlanned(site.Meta, plan))
		require.ErrorIs(t, err, portal.ErrChanged, "a room was added to the site")
		plan, err = one(s).PlanDelete(t.Context(), ref(data.KindSpace, "town"))
		require.NoError(t, err)
		_, err = s.RenameSpace(t.Context(), "town", "City")
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "town", portal.IfPlanned(site.Meta, plan))
		require.ErrorIs(t, err, portal.ErrChanged, "the site was renamed")
		site, _, err = one(s).Space(t.Context(), "town")
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "town", portal.IfPlanned(site.Meta, plan))
		require.NoError(t, err)
	})
}

func TestDryRun_Creation_ReportsFaultsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		g, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{Name: "Weekend"}}, portal.DryRun())
		require.NoError(t, err)
		require.Zero(t, g)
		err = drop(s.AddStaffMember(t.Context(), data.UserIdentity{Name: "Lou", EmailAddress: "lou"}, portal.DryRun()))
		require.Equal(t, []string{"email_address email_address"}, faults(t, err))
		err = drop(s.CreateSpace(t.Context(), data.Space{}, portal.DryRun()))
		require.Equal(t, []string{"name required"}, faults(t, err))
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}
