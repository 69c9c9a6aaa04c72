package portal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// north is the configuration of a portal that shows only the north of the estate.
var north = portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}}

// northern pushes the estate with additional people and begins a session. In a portal with the configuration north, dora has
// only a hidden reservation, zoe has none, lars serves only a hidden listing, and ines serves none.
func northern(t *testing.T, f *fixture, c portal.Config) *portal.Session {
	t.Helper()
	d := estate()
	hidden := data.Reservation("hidden", ref(data.KindGuest, "dora"), data.Refs(data.KindPropertyListing, "s1")...)
	hidden.CustomMetadata = data.CustomMetadata{"region": "south", "vip": true}
	d.Add(
		data.UserIdentity{Kind: data.KindGuest, Key: "dora", Name: "Dora Hidden", EmailAddress: "dora@hidden.example", PhoneNumber: "+1 999 000"},
		data.UserIdentity{Kind: data.KindTenant, Key: "zoe", Name: "Zoe Hidden", EmailAddress: "zoe@hidden.example"},
		data.StaffMember("lars", "Lars Hidden", data.Refs(data.KindPropertyListing, "s1")...), data.StaffMember("ines", "Ines"), hidden,
	)
	_, s := f.open(t, portal.CreateRequest{CustomerData: d, Config: c})
	return s
}

func TestFilters_PeopleOfHiddenGrants_AreHidden(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range []struct {
			config        portal.Config
			people, staff string
		}{
			{portal.Config{}, "ada bob cleo dora zoe", "ines kim lars sam"},
			{north, "ada bob cleo", "ines kim sam"},
			{portal.Config{Filters: []portal.Filter{{Field: "region", Value: "south"}}}, "bob cleo dora", "ines kim lars sam"},
			{portal.Config{Filters: []portal.Filter{{Field: "region", Value: "west"}}}, "bob cleo", "ines kim"},
		} {
			s := northern(t, f, test.config)
			for _, limit := range []int{1, 2, 100} {
				require.Equal(t, strings.Fields(test.people), everyKey(t, data.Query{Limit: limit}, func(q data.Query) (portal.Page[data.UserIdentity], error) {
					return one(s).UserIdentities(t.Context(), q)
				}))
				require.Equal(t, strings.Fields(test.staff), everyKey(t, data.Query{Limit: limit}, func(q data.Query) (portal.Page[data.UserIdentity], error) {
					return one(s).StaffMembers(t.Context(), q)
				}))
			}
			for _, key := range strings.Fields("ada bob cleo dora zoe") {
				_, _, err := one(s).UserIdentity(t.Context(), key)
				if strings.Contains(test.people, key) {
					require.NoError(t, err, key)
				} else {
					require.ErrorIs(t, err, data.ErrResourceNotFound, key)
				}
			}
			counts, err := one(s).Counts(t.Context())
			require.NoError(t, err)
			for _, kind := range data.Kinds(data.ClassUserIdentity) {
				_, counted := counts[kind]
				require.Equal(t, test.config.Filters == nil && counted, counted, kind)
			}
		}
	})
}

// everyKey returns the keys of all pages of a list.
func everyKey[T data.Resource](t *testing.T, q data.Query, read func(data.Query) (portal.Page[T], error)) (out []string) {
	t.Helper()
	for range 100 {
		page, err := read(q)
		require.NoError(t, err)
		out = append(out, keysOf(page.Items)...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return out
		}
	}
	t.Fatal("the list does not end")
	return nil
}

func TestFilters_PeopleOfHiddenGrants_AreReachedByNoPath(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := northern(t, f, north)
		for _, text := range []string{"dora", "hidden", "dora@hidden.example", "999", "zoe", "Dora Hidden"} {
			page, err := one(s).UserIdentities(t.Context(), data.Query{Text: text})
			require.NoError(t, err)
			require.Empty(t, page.Items, text)
			require.Empty(t, grants(t, s, data.Query{Text: text}), text)
			staff, err := one(s).StaffMembers(t.Context(), data.Query{Text: text})
			require.NoError(t, err)
			require.Empty(t, staff.Items, text)
		}
		require.Empty(t, grants(t, s, data.Query{UserKey: "dora"}))
		_, err := s.EditUserIdentity(t.Context(), data.UserIdentity{Key: "dora", Name: "Taken"}, portal.WriteOptions{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = s.EditStaffMember(t.Context(), data.UserIdentity{Key: "lars", Name: "Taken"}, portal.WriteOptions{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = one(s).PlanDelete(t.Context(), ref(data.KindStaffMember, "lars"))
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{User: ref(data.KindGuest, "dora"), Spaces: data.Refs(data.KindPropertyListing, "n1")}}, portal.WriteOptions{})
		require.Equal(t, []string{"user not_there_yet"}, faults(t, err))
		_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn1", User: ref(data.KindGuest, "dora")}, portal.WriteOptions{})
		require.Equal(t, []string{"user not_there_yet"}, faults(t, err))
		_, _, err = one(s).AccessGrant(t.Context(), "hidden")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = one(s).History(t.Context(), "hidden", 0)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// TestFilters_AccessGrantsExcluded_ShowNoUsers checks that user identities are hidden with their access grants.
func TestFilters_AccessGrantsExcluded_ShowNoUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := north
		c.Features.Manage.ExcludeReservationManagement = true
		s := northern(t, f, c)
		page, err := one(s).UserIdentities(t.Context(), data.Query{})
		require.NoError(t, err)
		require.Empty(t, page.Items)
	})
}

func TestFilters_NewGuestOfANewReservation_IsShown(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := northern(t, f, north)
		g, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{
			Grant:   data.AccessGrant{Kind: data.KindReservation, Spaces: data.Refs(data.KindPropertyListing, "n1")},
			NewUser: &data.UserIdentity{Kind: data.KindGuest, Name: "Nora"},
		}, portal.WriteOptions{})
		require.NoError(t, err)
		u, _, err := one(s).UserIdentity(t.Context(), g.User.Key)
		require.NoError(t, err)
		require.Equal(t, "Nora", u.Name)
	})
}

// TestSearch_HiddenFields_FindNothing searches for data that a portal hides.
func TestSearch_HiddenFields_FindNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		noDetails, noStays, noStaff := portal.Config{}, portal.Config{}, portal.Config{}
		noDetails.Features.Manage.ExcludeReservationTechnicalDetails = true
		noStays.Features.Manage.ExcludeReservationManagement = true
		noStaff.Features.Manage.ExcludeStaffManagement = true
		town := portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "town")}
		for _, test := range []struct {
			name, text string
			config     portal.Config
			found      string // results in a portal that shows everything
			shown      string // results with config
		}{
			{"code", "1234", noDetails, "rn1 rn2 rs1", ""},
			{"hidden guest", "dora", north, "hidden", ""},
			{"hidden listing of a visible reservation", "s1", north, "hidden rn2 rs1", ""},
			{"name of it", "Listing s1", north, "hidden rn2 rs1", ""},
			{"visible listing", "Listing n1", north, "rn1 rs1", "rn1"},
			{"room outside the landing page", "201", town, "b201", ""},
			{"room inside it", "101", town, "b101", "b101"},
			{"guest of a reservation outside", "cleo", town, "b201 rs1", ""},
			{"customer", "Company", portal.Config{}, "", ""},
		} {
			all := northern(t, f, portal.Config{})
			require.ElementsMatch(t, strings.Fields(test.found), grants(t, all, data.Query{Text: test.text}), test.name)
			s := northern(t, f, test.config)
			require.ElementsMatch(t, strings.Fields(test.shown), grants(t, s, data.Query{Text: test.text}), test.name)
		}
		people := func(c portal.Config, text string) []string {
			page, err := one(northern(t, f, c)).UserIdentities(t.Context(), data.Query{Text: text})
			require.NoError(t, err)
			return keysOf(page.Items)
		}
		ada, err := f.ws.UserIdentity(t.Context(), "ada")
		require.NoError(t, err)
		require.Empty(t, people(portal.Config{}, ada.Meta.ID.String()), "resource ids are not shown")
		require.Empty(t, people(portal.Config{}, "company"))
		require.Equal(t, []string{"dora"}, people(portal.Config{}, "1999000"))
		require.Empty(t, people(north, "1999000"))
		members := func(c portal.Config, text string) []string {
			page, err := one(northern(t, f, c)).StaffMembers(t.Context(), data.Query{Text: text})
			require.NoError(t, err)
			return keysOf(page.Items)
		}
		require.Equal(t, []string{"lars", "sam"}, members(portal.Config{}, "Listing s1"))
		require.Empty(t, members(north, "Listing s1"), "sam serves it too, but it is hidden")
		require.Equal(t, []string{"sam"}, members(north, "n1"))
		rooms := func(c portal.Config, text string) []string {
			page, err := one(northern(t, f, c)).Spaces(t.Context(), data.Query{Text: text})
			require.NoError(t, err)
			return keysOf(page.Items)
		}
		require.Equal(t, []string{"101", "102", "town"}, rooms(portal.Config{}, "town"), "the site is shown with its rooms")
		require.Equal(t, []string{"s1"}, rooms(portal.Config{}, "s1"))
		require.Empty(t, rooms(north, "s1"))
		require.Empty(t, rooms(portal.Config{}, "company"))
		one := portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindRoom, "101")}
		require.Empty(t, rooms(one, "town"), "the site of the room is hidden")
	})
}

func TestSearch_AccessGrants_MatchesShownFields(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		for i := range d.UserIdentities {
			if u := &d.UserIdentities[i]; u.Key == "ada" {
				u.Name, u.EmailAddress, u.PhoneNumber = "Renée Dupont", "r.dupont@example.com", "(541)639-5376x7242"
			}
		}
		_, s := f.open(t, portal.CreateRequest{CustomerData: d})
		for _, text := range []string{"renee", "dupont renée", "r.dupont@", "541 639", "rn1", "dupont listing n1", "1234 dupont", "RENE\u0301E"} {
			require.Equal(t, []string{"rn1"}, grants(t, s, data.Query{Text: text}), text)
		}
		require.Empty(t, grants(t, s, data.Query{Text: "renee bob"}))
	})
}

// TestSearch_AccessGrants_CurrentFirst checks the order: first the access grants that have not ended, by their start, then the
// others, the latest first.
func TestSearch_AccessGrants_CurrentFirst(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		for n, key := range strings.Fields("p1 p2 p3 now next") {
			from := f.clock.Now().Add(time.Duration(n-3) * 24 * time.Hour).Add(-time.Hour)
			d.Add(data.Booking(key, ref(data.KindGuest, "ada"), data.Refs(data.KindRoom, "102")...).During(from, from.Add(23*time.Hour)))
		}
		_, s := f.open(t, portal.CreateRequest{CustomerData: d})
		for _, limit := range []int{1, 2, 3, 100} {
			require.Equal(t, strings.Fields("now next p3 p2 p1"), everyKey(t, data.Query{Text: "room 102", Limit: limit}, func(q data.Query) (portal.Page[data.AccessGrant], error) {
				return one(s).AccessGrants(t.Context(), q)
			}))
		}
	})
}

// TestSpaceKey_Site_IncludesTheRoomsInside uses portals with different configurations that show the site.
func TestSpaceKey_Site_IncludesTheRoomsInside(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, c := range []portal.Config{{}, north, {NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "town")}} {
			s := northern(t, f, c)
			require.Equal(t, []string{"b101"}, grants(t, s, data.Query{SpaceKey: "town", From: start}))
			page, err := one(s).StaffMembers(t.Context(), data.Query{SpaceKey: "town"})
			require.NoError(t, err)
			require.Equal(t, []string{"kim"}, keysOf(page.Items))
		}
		deep := northern(t, f, portal.Config{DeepLink: ref(data.KindReservation, "rn1")})
		require.Empty(t, grants(t, deep, data.Query{SpaceKey: "town"}))
	})
}

// TestFilters_ListsOfPeople_ReadManyAtOnce counts the reads of pages of guests. Each guest has one reservation, and half of
// these are hidden. The number of calls must not grow with the number of guests.
func TestFilters_ListsOfPeople_ReadManyAtOnce(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		counted := &backends.Counted{Store: store}
		f := setup(t, counted)
		d := estate()
		for n := range 400 {
			g := data.Reservation(fmt.Sprintf("many-%03d", n), ref(data.KindGuest, fmt.Sprintf("many-%03d", n)), data.Refs(data.KindPropertyListing, "n1")...)
			g.CustomMetadata = data.CustomMetadata{"region": []string{"north", "south"}[n%2]}
			d.Add(data.Guest(fmt.Sprintf("many-%03d", n), "Many"), g)
		}
		_, s := f.open(t, portal.CreateRequest{CustomerData: d, Config: north})
		for _, text := range []string{"", "many"} {
			counted.Reset()
			page, err := one(s).UserIdentities(t.Context(), data.Query{Limit: 200, Text: text})
			require.NoError(t, err)
			require.Len(t, page.Items, 200)
			require.LessOrEqual(t, counted.Gets.Load(), int64(30), "calls of Get")
			require.LessOrEqual(t, counted.Scans.Load(), int64(20), "scans")
			require.LessOrEqual(t, counted.Keys.Load()+counted.Rows.Load(), int64(4*450), "rows: the index and the record of a user, its edge and its reservation")
			counted.Reset()
			stays, err := one(s).AccessGrants(t.Context(), data.Query{Limit: 200, Text: text})
			require.NoError(t, err)
			require.Len(t, stays.Items, 200)
			require.LessOrEqual(t, counted.Gets.Load(), int64(30), "calls of Get")
			require.LessOrEqual(t, counted.Scans.Load(), int64(20), "scans")
		}
	})
}
