package portal_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

const token = "0123456789abcdefghij-_"

// creations contains the calls that create a resource. Each creates a resource with a name and returns its key.
var creations = map[string]func(ctx context.Context, s *portal.Session, name, token string) (string, error){
	"access grant": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		g, err := s.CreateAccessGrant(ctx, portal.AccessGrantRequest{
			Grant:   data.AccessGrant{Name: "Weekend", StartsAt: start, EndsAt: start.Add(time.Hour), Spaces: data.Refs(data.KindRoom, "101")},
			NewUser: &data.UserIdentity{Name: name},
		}, portal.WriteOptions{Token: token})
		return g.Key, err
	},
	"staff member": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		u, err := s.AddStaffMember(ctx, data.UserIdentity{Name: name, Spaces: data.Refs(data.KindRoom, "101")}, portal.WriteOptions{Token: token})
		return u.Key, err
	},
	"space": func(ctx context.Context, s *portal.Session, name, token string) (string, error) {
		space, err := s.CreateSpace(ctx, data.Space{Kind: data.KindRoom, Name: name, ParentSiteKey: "town"}, portal.WriteOptions{Token: token})
		return space.Key, err
	},
}

func TestToken_RepeatedCall_CreatesOneResource(t *testing.T) {
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

func TestToken_ConcurrentCalls_CreateOneResource(t *testing.T) {
	eachAll(t, func(t *testing.T, f *fixture) {
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

// TestToken_AnotherPortalOrCall_CreatesAnotherResource checks that the token of a call in one portal does not find the resource
// in another portal.
func TestToken_AnotherPortalOrCall_CreatesAnotherResource(t *testing.T) {
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

func TestToken_GrantCancelledSince_IsCreatedAgainAndItsGuestStays(t *testing.T) {
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
		_, err = s.CancelAccessGrant(t.Context(), key, portal.WriteOptions{})
		require.NoError(t, err)

		again, err := creations["access grant"](t.Context(), s, "Grace", token)
		require.NoError(t, err)
		require.Equal(t, key, again)
		g, related, err := one(s).AccessGrant(t.Context(), key)
		require.NoError(t, err)
		user, _ := related.UserIdentity(g.User.Key)
		require.Equal(t, "Grace", user.Name)
		kept, err := f.ws.UserIdentity(t.Context(), guest)
		require.NoError(t, err)
		require.Equal(t, "Grace H", kept.Name, "the guest that the host renamed")
	})
}

func TestToken_BadToken_IsAFault(t *testing.T) {
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

// TestIfUnchanged_ResourceChangedSince_IsRefused edits with the current revision and with an older one.
func TestIfUnchanged_ResourceChangedSince_IsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		for name, test := range map[string]struct {
			ref  data.Ref
			push data.Resource
		}{
			"EditAccessGrant":   {ref(data.KindBooking, "b101"), data.AccessGrant{Kind: data.KindBooking, Key: "b101", Name: "Pushed"}},
			"EditStaffMember":   {ref(data.KindStaffMember, "kim"), data.StaffMember("kim", "Pushed")},
			"AssignStaffMember": {ref(data.KindStaffMember, "kim"), data.StaffMember("kim", "Pushed for the assignment")},
			"EditUserIdentity":  {ref(data.KindGuest, "ada"), data.Guest("ada", "Pushed")},
			"RenameSpace":       {ref(data.KindRoom, "101"), data.Room("101", "Pushed")},
			"MoveSpace":         {ref(data.KindRoom, "102"), data.Room("102", "Pushed")},
		} {
			edit := func(o portal.WriteOptions) error { return sessionWrites["edit"][name](t.Context(), s, o) }
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
			d := data.CustomerData{CustomerKey: "My Company"}
			d.Add(test.push)
			_, err := f.ws.Push(t.Context(), d)
			require.NoError(t, err)
			pushed := read()
			require.ErrorIs(t, edit(portal.WriteOptions{IfUnchanged: &old}), portal.ErrChanged, name)
			require.Equal(t, pushed, read(), name)
			another := pushed
			another.ID[0]++
			require.ErrorIs(t, edit(portal.WriteOptions{IfUnchanged: &another}), portal.ErrChanged, "%s: the resource was deleted and created again", name)
			require.NoError(t, edit(portal.WriteOptions{IfUnchanged: &pushed}), name)
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
		_, err = s.DeleteSpace(t.Context(), "town", portal.WriteOptions{IfUnchanged: &site.Meta, IfPlanned: &plan})
		require.ErrorIs(t, err, portal.ErrChanged, "a room was added to the site")
		plan, err = one(s).PlanDelete(t.Context(), ref(data.KindSpace, "town"))
		require.NoError(t, err)
		_, err = s.RenameSpace(t.Context(), "town", "City", portal.WriteOptions{})
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "town", portal.WriteOptions{IfUnchanged: &site.Meta, IfPlanned: &plan})
		require.ErrorIs(t, err, portal.ErrChanged, "the site was renamed")
		site, _, err = one(s).Space(t.Context(), "town")
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "town", portal.WriteOptions{IfUnchanged: &site.Meta, IfPlanned: &plan})
		require.NoError(t, err)
	})
}

func TestDryRun_Creation_ReportsFaultsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		g, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{Name: "Weekend"}}, portal.WriteOptions{DryRun: true})
		require.NoError(t, err)
		require.Zero(t, g)
		err = drop(s.AddStaffMember(t.Context(), data.UserIdentity{Name: "Lou", EmailAddress: "lou"}, portal.WriteOptions{DryRun: true}))
		require.Equal(t, []string{"email_address email_address"}, faults(t, err))
		err = drop(s.CreateSpace(t.Context(), data.Space{}, portal.WriteOptions{DryRun: true}))
		require.Equal(t, []string{"name required"}, faults(t, err))
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

// sessionWrites contains the session's writes with WriteOptions, by the kind of the write. Each is valid without options.
var sessionWrites = map[string]map[string]func(context.Context, *portal.Session, portal.WriteOptions) error{
	"create": {
		"CreateAccessGrant": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.CreateAccessGrant(ctx, portal.AccessGrantRequest{Grant: data.AccessGrant{Name: "New"}}, o))
		},
		"AddStaffMember": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.AddStaffMember(ctx, data.UserIdentity{Name: "New"}, o))
		},
		"CreateSpace": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.CreateSpace(ctx, data.Space{Name: "New"}, o))
		},
	},
	"edit": {
		"EditAccessGrant": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.EditAccessGrant(ctx, data.AccessGrant{Key: "b101", Name: "Edited"}, o))
		},
		"EditStaffMember": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.EditStaffMember(ctx, data.UserIdentity{Key: "kim", Name: "Edited"}, o))
		},
		"AssignStaffMember": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.AssignStaffMember(ctx, data.UserIdentity{Key: "kim", Spaces: data.Refs(data.KindRoom, "102")}, o))
		},
		"EditUserIdentity": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.EditUserIdentity(ctx, data.UserIdentity{Key: "ada", Name: "Edited"}, o))
		},
		"RenameSpace": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.RenameSpace(ctx, "101", "Edited", o))
		},
		"MoveSpace": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.MoveSpace(ctx, "102", "", o))
		},
	},
	"delete": {
		"CancelAccessGrant": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.CancelAccessGrant(ctx, "b101", o))
		},
		"RemoveStaffMember": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.RemoveStaffMember(ctx, "kim", o))
		},
		"DeleteSpace": func(ctx context.Context, s *portal.Session, o portal.WriteOptions) error {
			return drop(s.DeleteSpace(ctx, "102", o))
		},
	},
}

// TestWriteOptions_TableOfWrites_NamesEveryMethod checks that sessionWrites contains all methods with WriteOptions.
func TestWriteOptions_TableOfWrites_NamesEveryMethod(t *testing.T) {
	t.Parallel()
	var takes, named []string
	for m := range reflect.TypeFor[*portal.Session]().Methods() {
		if last := m.Type.NumIn() - 1; m.Type.In(last) == reflect.TypeFor[portal.WriteOptions]() {
			takes = append(takes, m.Name)
		}
	}
	for _, writes := range sessionWrites {
		named = slices.AppendSeq(named, maps.Keys(writes))
	}
	require.ElementsMatch(t, takes, named)
}

func TestWriteOptions_OptionThatTheCallCannotUse_IsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		all := portal.WriteOptions{Token: token, IfUnchanged: &data.Meta{}, IfPlanned: &data.DeleteReport{}}
		for op, want := range map[string][]string{
			"create": {"if_unchanged not_a_field", "if_planned not_a_field"},
			"edit":   {"token not_a_field", "if_planned not_a_field"},
			"delete": {"token not_a_field"},
		} {
			for name, write := range sessionWrites[op] {
				err := write(t.Context(), s, all)
				require.ErrorIs(t, err, validation.ErrInvalid, name)
				require.Equal(t, want, faults(t, err), name)
			}
		}
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

func TestDryRun_AnyWrite_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		readOnly := f.session(t, portal.Config{ReadOnly: true})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		for _, writes := range sessionWrites {
			for name, write := range writes {
				require.NoError(t, write(t.Context(), s, portal.WriteOptions{DryRun: true}), name)
				require.ErrorIs(t, write(t.Context(), readOnly, portal.WriteOptions{DryRun: true}), portal.ErrRefused, name)
			}
		}
		edited, err := s.RenameSpace(t.Context(), "101", "Edited", portal.WriteOptions{DryRun: true})
		require.NoError(t, err)
		require.Zero(t, edited)
		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindSpace, "town"))
		require.NoError(t, err)
		report, err := s.DeleteSpace(t.Context(), "town", portal.WriteOptions{DryRun: true})
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.NotEmpty(t, report.Deleted)
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

func TestIfUnchanged_DeleteOfAResourceChangedSince_DeletesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		old, _, err := one(s).Space(t.Context(), "102")
		require.NoError(t, err)
		renamed, err := s.RenameSpace(t.Context(), "102", "Edited", portal.WriteOptions{})
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "102", portal.WriteOptions{IfUnchanged: &old.Meta})
		require.ErrorIs(t, err, portal.ErrChanged)
		_, _, err = one(s).Space(t.Context(), "102")
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "102", portal.WriteOptions{IfUnchanged: &renamed.Meta})
		require.NoError(t, err)
	})
}
