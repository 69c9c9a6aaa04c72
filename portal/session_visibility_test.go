package portal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

func TestFilters_MetadataFields_SelectResources(t *testing.T) {
	for _, test := range []struct {
		name      string
		filters   []portal.Filter
		listings  []string
		remaining []string // reservations
	}{
		{"one field", []portal.Filter{{Field: "region", Value: "north"}}, []string{"n1", "n2"}, []string{"rn1", "rn2"}},
		{"two fields that both match", []portal.Filter{{Field: "region", Value: "north"}, {Field: "vip", Value: true}}, []string{"n1"}, []string{"rn1"}},
		{"a boolean", []portal.Filter{{Field: "vip", Value: false}}, []string{"n2"}, []string{"rn2"}},
		{"a boolean is not a string", []portal.Filter{{Field: "vip", Value: "true"}}, nil, nil},
		{"reservations", []portal.Filter{{Field: "region", Value: "south"}}, []string{"s1"}, []string{"rs1"}},
		{"a field that no resource has", []portal.Filter{{Field: "colour", Value: "red"}}, nil, nil},
		{"none", nil, []string{"n1", "n2", "s1"}, []string{"rn1", "rn2", "rs1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				s := f.session(t, portal.Config{Filters: test.filters})
				require.ElementsMatch(t, append(strings.Fields("town 101 102 201"), test.listings...), spaces(t, s))
				require.ElementsMatch(t, append(strings.Fields("b101 b201"), test.remaining...), grants(t, s, data.Query{}))
				counts, err := one(s).Counts(t.Context())
				require.NoError(t, err)
				require.Equal(t, 2, counts[data.KindBooking])
				_, counted := counts[data.KindReservation]
				require.Equal(t, test.filters == nil, counted, "kinds with filters are not counted")
				_, counted = counts[data.KindPropertyListing]
				require.Equal(t, test.filters == nil, counted)
			})
		})
	}
}

func TestFilters_HiddenSpaceOfVisibleReservation_IsRedacted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		g, related, err := one(s).AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindPropertyListing, "n2"), g.Spaces)
		_, shown := related.Space("s1")
		require.False(t, shown)
		n2, shown := related.Space("n2")
		require.True(t, shown)
		require.Equal(t, "Listing n2", n2.Name)
		guest, shown := related.UserIdentity("bob")
		require.True(t, shown)
		require.Equal(t, "Bob", guest.Name)
		require.NotContains(t, fmt.Sprintf("%+v %+v", g, related), "s1")
		sam, related, err := one(s).StaffMember(t.Context(), "sam")
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindPropertyListing, "n1"), sam.Spaces)
		require.NotContains(t, fmt.Sprintf("%+v %+v", sam, related), "s1")

		page, err := one(s).AccessGrants(t.Context(), data.Query{})
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%+v", page), "s1")

		// An edit keeps the references to hidden spaces.
		edited, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Spaces: data.Refs(data.KindSpace, "n1")}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindPropertyListing, "n1"), edited.Spaces)
		all, err := f.ws.AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "n1", "s1"), all.Spaces)
		assigned, err := s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "sam", Spaces: data.Refs(data.KindRoom, "101")}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindRoom, "101"), assigned.Spaces)
		staff, err := f.ws.UserIdentity(t.Context(), "sam")
		require.NoError(t, err)
		require.ElementsMatch(t, append(data.Refs(data.KindPropertyListing, "s1"), data.Refs(data.KindRoom, "101")...), staff.Spaces)

		// A staff member who serves only hidden spaces is hidden, so this edit is refused.
		_, err = s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "sam", Spaces: []data.Ref{}}, portal.WriteOptions{})
		var refused *portal.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "hidden", refused.Reason)
	})
}

// TestFilters_HiddenResource_IsNotFound checks for all methods that the errors for hidden resources and for resources that do
// not exist are the same.
func TestFilters_HiddenResource_IsNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.ws.Push(t.Context(), func() data.CustomerData {
			d := data.CustomerData{CustomerKey: "other"}
			d.Add(data.Room("otherRoom", "x"), data.Guest("otherGuest", "x"), data.StaffMember("otherStaff", "x"),
				data.Reservation("otherStay", ref(data.KindGuest, "otherGuest"), data.Refs(data.KindRoom, "otherRoom")...))
			return d
		}())
		require.NoError(t, err)
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		ctx := t.Context()
		ways := map[string]func(key string) error{
			"space":         func(key string) error { return dropBoth(one(s).Space(ctx, key)) },
			"user identity": func(key string) error { return dropBoth(one(s).UserIdentity(ctx, key)) },
			"staff member":  func(key string) error { return dropBoth(one(s).StaffMember(ctx, key)) },
			"access grant":  func(key string) error { return dropBoth(one(s).AccessGrant(ctx, key)) },
			"history":       func(key string) error { return drop(one(s).History(ctx, key, 0)) },
			"edit": func(key string) error {
				return drop(s.EditAccessGrant(ctx, data.AccessGrant{Key: key, Name: "x"}, portal.WriteOptions{}))
			},
			"plan cancel": func(key string) error { return drop(one(s).PlanDelete(ctx, ref(data.KindAccessGrant, key))) },
			"cancel":      func(key string) error { return drop(s.CancelAccessGrant(ctx, key, portal.WriteOptions{})) },
			"edit staff": func(key string) error {
				return drop(s.EditStaffMember(ctx, data.UserIdentity{Key: key, Name: "x"}, portal.WriteOptions{}))
			},
			"assign staff": func(key string) error {
				return drop(s.AssignStaffMember(ctx, data.UserIdentity{Key: key, Spaces: []data.Ref{}}, portal.WriteOptions{}))
			},
			"remove staff": func(key string) error { return drop(s.RemoveStaffMember(ctx, key, portal.WriteOptions{})) },
			"plan remove":  func(key string) error { return drop(one(s).PlanDelete(ctx, ref(data.KindStaffMember, key))) },
			"rename":       func(key string) error { return drop(s.RenameSpace(ctx, key, "x", portal.WriteOptions{})) },
			"move":         func(key string) error { return drop(s.MoveSpace(ctx, key, "", portal.WriteOptions{})) },
			"plan delete":  func(key string) error { return drop(one(s).PlanDelete(ctx, ref(data.KindSpace, key))) },
			"delete":       func(key string) error { return drop(s.DeleteSpace(ctx, key, portal.WriteOptions{})) },
			"move into":    func(key string) error { return drop(s.MoveSpace(ctx, "201", key, portal.WriteOptions{})) },
			"stay at": func(key string) error {
				return drop(s.EditAccessGrant(ctx, data.AccessGrant{Key: "b201", Spaces: data.Refs(data.KindSpace, key)}, portal.WriteOptions{}))
			},
			"stay of": func(key string) error {
				return drop(s.EditAccessGrant(ctx, data.AccessGrant{Key: "b201", User: ref(data.KindGuest, key)}, portal.WriteOptions{}))
			},
			"create at": func(key string) error {
				return drop(s.CreateAccessGrant(ctx, portal.AccessGrantRequest{Grant: data.AccessGrant{Spaces: data.Refs(data.KindRoom, key)}}, portal.WriteOptions{}))
			},
			"create of": func(key string) error {
				return drop(s.CreateAccessGrant(ctx, portal.AccessGrantRequest{Grant: data.AccessGrant{User: ref(data.KindGuest, key)}}, portal.WriteOptions{}))
			},
			"create in": func(key string) error {
				return drop(s.CreateSpace(ctx, data.Space{Kind: data.KindRoom, Name: "x", ParentSiteKey: key}, portal.WriteOptions{}))
			},
			"serve": func(key string) error {
				return drop(s.AssignStaffMember(ctx, data.UserIdentity{Key: "kim", Spaces: data.Refs(data.KindRoom, key)}, portal.WriteOptions{}))
			},
			"add serving": func(key string) error {
				return drop(s.AddStaffMember(ctx, data.UserIdentity{Name: "x", Spaces: data.Refs(data.KindRoom, key)}, portal.WriteOptions{}))
			},
		}
		exported, err := f.ws.Export(ctx, "My Company")
		require.NoError(t, err)
		hidden := strings.Fields("s1 rs1 otherRoom otherGuest otherStaff otherStay")
		for name, way := range ways {
			absent := way("absent")
			require.Error(t, absent, name)
			require.True(t, errors.Is(absent, data.ErrResourceNotFound) || errors.Is(absent, validation.ErrInvalid), "%s: %v", name, absent)
			for _, key := range hidden {
				require.Equal(t, strings.ReplaceAll(absent.Error(), "absent", key), fmt.Sprint(way(key)), name)
			}
		}
		for _, q := range []func(key string) data.Query{
			func(key string) data.Query { return data.Query{SpaceKey: key} },
			func(key string) data.Query { return data.Query{SpaceKeys: []string{"101", key}} },
			func(key string) data.Query { return data.Query{UserKey: key} },
			func(key string) data.Query { return data.Query{Text: key} },
			func(key string) data.Query { return data.Query{Keys: []string{key}} },
		} {
			for _, key := range append(hidden, "absent") {
				require.Empty(t, grants(t, s, q(key)), key)
			}
		}
		for _, key := range append(hidden, "absent") {
			page, err := one(s).Spaces(ctx, data.Query{Keys: []string{key}})
			require.NoError(t, err)
			require.Empty(t, page.Items)
			page, err = one(s).Spaces(ctx, data.Query{ParentSiteKey: key})
			require.NoError(t, err)
			require.Empty(t, page.Items)
			require.NotContains(t, strings.Join(spaces(t, s), " "), key)
		}
		after, err := f.ws.SyncWith(ctx, exported, data.SyncOptions{DryRun: true})
		require.NoError(t, err)
		require.Zero(t, after.Created.Total()+after.Updated.Total()+len(after.Deleted), "nothing was changed")
	})
}

func TestDeepLink_Reservation_ShowsOnlyReservation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.ws.Push(t.Context(), *estate())
		require.NoError(t, err)
		p, err := f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", "rn2")
		require.NoError(t, err)
		require.True(t, p.Config.IsEmbedded)
		require.Equal(t, portal.NavigationRestricted, p.Config.NavigationMode)
		s, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
		require.NoError(t, err)
		require.Equal(t, []string{"rn2"}, grants(t, s, data.Query{}))
		require.Equal(t, []string{"rn2"}, grants(t, s, data.Query{SpaceKey: "n2", From: start}))
		require.Equal(t, []string{"rn2"}, grants(t, s, data.Query{SpaceKeys: []string{"n2"}, From: start}))
		require.Empty(t, grants(t, s, data.Query{SpaceKey: "201"}))
		require.Empty(t, grants(t, s, data.Query{Keys: []string{"rn1"}}))
		require.Equal(t, []string{"n2", "s1"}, spaces(t, s))
		people, err := one(s).UserIdentities(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Equal(t, []string{"bob"}, keysOf(people.Items))
		_, _, err = one(s).UserIdentity(t.Context(), "ada")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, _, err = one(s).Space(t.Context(), "101")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", Name: "x"}, portal.WriteOptions{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		counts, err := one(s).Counts(t.Context())
		require.NoError(t, err)
		require.Empty(t, counts)
		landing, err := one(s).LandingPage(t.Context())
		require.NoError(t, err)
		require.Equal(t, ref(data.KindReservation, "rn2"), landing)
		_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Name: "edited"}, portal.WriteOptions{})
		require.NoError(t, err)
		_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Spaces: data.Refs(data.KindRoom, "201")}, portal.WriteOptions{})
		require.ErrorIs(t, err, validation.ErrInvalid, "a room that the portal does not show")
	})
}

func TestDeepLink_TargetDeleted_IsRevoked(t *testing.T) {
	for _, target := range []data.Ref{ref(data.KindReservation, "rn1"), ref(data.KindSpace, "n1")} {
		for _, by := range []string{"delete", "sync"} {
			t.Run(fmt.Sprint(target, " by ", by), func(t *testing.T) {
				each(t, func(t *testing.T, f *fixture) {
					p, s := f.open(t, portal.CreateRequest{CustomerData: estate(), Config: portal.Config{DeepLink: target}})
					var revoked []data.Revoked
					if by == "delete" {
						report, err := f.ws.Delete(t.Context(), data.Selection{Resources: []data.Ref{target}})
						require.NoError(t, err)
						revoked = report.Revoked
					} else {
						d := *estate()
						d.Spaces, d.AccessGrants = d.Spaces[1:], d.AccessGrants[1:]
						report, err := f.ws.Sync(t.Context(), d)
						require.NoError(t, err)
						revoked = report.Revoked
					}
					require.Len(t, revoked, 1)
					require.Equal(t, p.ID, revoked[0].PortalID)
					require.Equal(t, target.Key, revoked[0].Because.Key)
					_, err := f.ws.Push(t.Context(), *estate())
					require.NoError(t, err)
					_, err = one(s).Spaces(t.Context(), data.Query{})
					require.ErrorIs(t, err, portal.ErrRevoked, "although the reservation exists again")
				})
			})
		}
	}
}

func TestDeepLink_Space_ShowsOnlySpace(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{DeepLink: ref(data.KindSpace, "town")})
		require.Equal(t, []string{"town"}, spaces(t, s))
		require.Empty(t, grants(t, s, data.Query{}))
		people, err := one(s).UserIdentities(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Empty(t, people.Items)
	})
}

func TestLandingPage_Restricted_ShowsRelatedResources(t *testing.T) {
	for _, test := range []struct {
		page                          data.Ref
		spaces, grants, people, staff string
	}{
		{ref(data.KindSite, "town"), "town 101 102", "b101", "bob", "kim"},
		{ref(data.KindRoom, "101"), "101", "b101", "bob", "kim"},
		{ref(data.KindUnit, "201"), "201", "b201", "cleo", ""},
		{ref(data.KindBooking, "b201"), "201", "b201", "cleo", ""},
		{ref(data.KindPropertyListing, "n1"), "n1", "rn1 rs1", "ada cleo", "sam"},
		{data.Ref{}, "n1 n2 s1 town 101 102 201", "rn1 rn2 rs1 b101 b201", "ada bob cleo", "sam kim"},
	} {
		t.Run(test.page.Key, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				s := f.session(t, portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: test.page})
				require.ElementsMatch(t, strings.Fields(test.spaces), spaces(t, s))
				require.ElementsMatch(t, strings.Fields(test.grants), grants(t, s, data.Query{}))
				people, err := one(s).UserIdentities(t.Context(), data.Query{})
				require.NoError(t, err)
				require.ElementsMatch(t, strings.Fields(test.people), keysOf(people.Items))
				staff, err := one(s).StaffMembers(t.Context(), data.Query{})
				require.NoError(t, err)
				require.ElementsMatch(t, strings.Fields(test.staff), keysOf(staff.Items))
				for _, space := range estate().Spaces {
					_, _, err := one(s).Space(t.Context(), space.Key)
					require.Equal(t, strings.Contains(" "+test.spaces+" ", " "+space.Key+" "), err == nil, space.Key)
				}
				if test.page.Key == "101" {
					room, related, err := one(s).Space(t.Context(), "101")
					require.NoError(t, err)
					require.Empty(t, room.ParentSiteKey, "the site is hidden")
					_, shown := related.Space("lisbon")
					require.False(t, shown)
					_, err = s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{Name: "elsewhere"}}, portal.WriteOptions{})
					require.ErrorIs(t, err, portal.ErrRefused, "the portal would not show it")
				}
			})
		})
	}
}

func TestLandingPage_Deleted_ShowsNothingIfRestricted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		restricted := f.session(t, portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindRoom, "101")})
		full := f.session(t, portal.Config{LandingPage: ref(data.KindRoom, "101")})
		landing, err := one(full).LandingPage(t.Context())
		require.NoError(t, err)
		require.Equal(t, ref(data.KindRoom, "101"), landing)
		_, err = f.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
		require.NoError(t, err)
		landing, err = one(full).LandingPage(t.Context())
		require.NoError(t, err)
		require.Zero(t, landing, "the start page")
		require.NotEmpty(t, spaces(t, full))
		landing, err = one(restricted).LandingPage(t.Context())
		require.NoError(t, err)
		require.Zero(t, landing)
		require.Empty(t, spaces(t, restricted), "the portal does not show everything instead")
		require.Empty(t, grants(t, restricted, data.Query{}))
	})
}
