package data_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

var day0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func day(n float64) time.Time { return day0.Add(time.Duration(n * float64(24*time.Hour))) }

// all returns the keys of all pages of a list. It fails the test if a key occurs twice.
func all[T data.Resource](t *testing.T, q data.Query, read func(data.Query) (data.Page[T], error)) []string {
	t.Helper()
	var keys []string
	for pages := 0; ; pages++ {
		require.Less(t, pages, 2000)
		page, err := read(q)
		require.NoError(t, err)
		for _, r := range page.Items {
			keys = append(keys, r.Ref().Key)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			require.Len(t, lo.Uniq(keys), len(keys))
			return keys
		}
	}
}

// TestAccessGrants_RandomFilters_ListsMatchesInTimeOrder compares lists of random windows of time with a filter of all access
// grants. The access grants have lengths from microseconds to decades, and some have no start or no end.
func TestAccessGrants_RandomFilters_ListsMatchesInTimeOrder(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		d := data.CustomerData{CustomerKey: "acme"}
		kinds := data.Kinds(data.ClassAccessGrant)
		moment := func() time.Time { return day(r.Float64() * 100).Truncate(time.Microsecond) }
		for i := range 200 {
			g := data.AccessGrant{Kind: kinds[r.IntN(3)], Key: fmt.Sprintf("g%03d", i), StartsAt: moment()}
			g.EndsAt = g.StartsAt.Add(time.Duration(1+r.Int64N(1<<(10+r.IntN(43)))) * time.Microsecond)
			switch r.IntN(8) {
			case 0:
				g.StartsAt = time.Time{}
			case 1:
				g.EndsAt = time.Time{}
			case 2:
				g.StartsAt, g.EndsAt = time.Time{}, time.Time{}
			}
			g.Spaces = data.Refs(data.KindRoom, fmt.Sprint("room", r.IntN(3)))
			g.User = data.Ref{Kind: data.KindGuest, Key: fmt.Sprint("guest", r.IntN(3))}
			d.Add(g)
		}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)

		order := func(a, b data.AccessGrant) int {
			key := func(g data.AccessGrant) string {
				if g.StartsAt.IsZero() {
					end := g.EndsAt
					if end.IsZero() {
						end = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
					}
					return "0" + fmt.Sprintf("%019d", end.UnixMicro()) + string(rune(g.Kind)) + g.Key
				}
				return "1" + fmt.Sprintf("%019d", g.StartsAt.UnixMicro()) + string(rune(g.Kind)) + g.Key
			}
			return strings.Compare(key(a), key(b))
		}
		sorted := slices.SortedFunc(slices.Values(d.AccessGrants), order)
		for i := range testsize.Pick(50, 150, 150) / raceSlowness {
			q := data.Query{CustomerKey: "acme", Limit: 1 + r.IntN(40)}
			if r.IntN(4) > 0 {
				q.From = moment()
			}
			if r.IntN(4) > 0 {
				q.Until = q.From.Add(time.Duration(1+r.Int64N(1<<(10+r.IntN(35)))) * time.Microsecond)
				if q.From.IsZero() {
					q.Until = moment()
				}
			}
			if r.IntN(4) == 0 {
				q.StartsFrom = moment()
			}
			if r.IntN(4) == 0 {
				q.EndsUntil = moment()
			}
			switch r.IntN(3) {
			case 0:
				q.SpaceKey = fmt.Sprint("room", r.IntN(4))
			case 1:
				q.UserKey = fmt.Sprint("guest", r.IntN(4))
			}
			if r.IntN(3) == 0 {
				q.Kinds = []data.Kind{kinds[r.IntN(3)], kinds[r.IntN(3)]}
			}
			if q.From.IsZero() && q.Until.IsZero() && q.StartsFrom.IsZero() && q.EndsUntil.IsZero() && q.SpaceKey == "" && q.UserKey == "" {
				continue // such a list is in the order of keys
			}
			var want []string
			for _, g := range sorted {
				if (q.Until.IsZero() || g.StartsAt.IsZero() || g.StartsAt.Before(q.Until)) &&
					(q.From.IsZero() || g.EndsAt.IsZero() || g.EndsAt.After(q.From)) &&
					(q.StartsFrom.IsZero() || !g.StartsAt.IsZero() && !g.StartsAt.Before(q.StartsFrom)) &&
					(q.EndsUntil.IsZero() || !g.EndsAt.IsZero() && g.EndsAt.Before(q.EndsUntil)) &&
					(q.SpaceKey == "" || g.Spaces[0].Key == q.SpaceKey) && (q.UserKey == "" || g.User.Key == q.UserKey) &&
					(len(q.Kinds) == 0 || slices.Contains(q.Kinds, g.Kind)) {
					want = append(want, g.Key)
				}
			}
			got := all(t, q, func(q data.Query) (data.Page[data.AccessGrant], error) { return ws.AccessGrants(t.Context(), q) })
			require.Equal(t, want, got, "query %d: %+v", i, q)
		}
	})
}

func TestList_Filters_SelectMatchingResources(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme",
			data.Site("s1", "Lisboa"), data.Site("s2", "Porto"),
			data.Room("r1", "Blue room").In("s1"), data.Room("r2", "Red ROOM").In("s1"), data.Unit("u1", "Unit").In("s2"),
			data.Space{Kind: data.KindPropertyListing, Key: "p1", Name: "Loft", CustomMetadata: data.CustomMetadata{"vip": true, "floor": "3"}},
			data.Space{Kind: data.KindPropertyListing, Key: "p2", Name: "Attic", CustomMetadata: data.CustomMetadata{"vip": true, "floor": "4"}},
			data.Guest("ada", "Ada"), data.StaffMember("mia", "Mia", data.Refs(data.KindRoom, "r1", "r2")...), data.StaffMember("tom", "Tom", data.Refs(data.KindSite, "s1")...),
			data.Reservation("b", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "r1")...),
		)
		push(t, ws, "other", data.Room("x1", "Blue room of another"), data.Guest("zoe", "Zoe"))
		spaces := func(q data.Query) []string {
			return all(t, q, func(q data.Query) (data.Page[data.Space], error) { return ws.Spaces(t.Context(), q) })
		}
		people := func(q data.Query) []string {
			return all(t, q, func(q data.Query) (data.Page[data.UserIdentity], error) { return ws.UserIdentities(t.Context(), q) })
		}
		for _, limit := range []int{1, 2, 100} {
			require.Equal(t, []string{"r1", "r2"}, spaces(data.Query{CustomerKey: "acme", ParentSiteKey: "s1", Limit: limit}))
			require.Equal(t, []string{"u1"}, spaces(data.Query{CustomerKey: "acme", ParentSiteKey: "s2", Limit: limit}))
			require.Empty(t, spaces(data.Query{CustomerKey: "acme", ParentSiteKey: "s1", Kinds: []data.Kind{data.KindUnit}, Limit: limit}))
			require.Equal(t, []string{"r1", "r2"}, spaces(data.Query{CustomerKey: "acme", Text: "rOOm", Limit: limit}))
			require.Equal(t, []string{"r1", "r2", "x1"}, spaces(data.Query{Text: "room", Limit: limit}), "spaces of all customers")
			require.Equal(t, []string{"u1"}, spaces(data.Query{CustomerKey: "acme", Text: "U1", Limit: limit}), "the text matches the key")
			require.Equal(t, []string{"p1", "p2"}, spaces(data.Query{CustomerKey: "acme", CustomMetadata: data.CustomMetadata{"vip": true}, Limit: limit}))
			require.Equal(t, []string{"p2"}, spaces(data.Query{CustomMetadata: data.CustomMetadata{"vip": true, "floor": "4"}, Limit: limit}))
			require.Empty(t, spaces(data.Query{CustomerKey: "acme", CustomMetadata: data.CustomMetadata{"vip": "true"}, Limit: limit}))
			require.Equal(t, []string{"p1", "p2", "r1", "r2", "s1", "s2", "u1", "x1"}, spaces(data.Query{Limit: limit}))
			require.Equal(t, []string{"mia"}, people(data.Query{CustomerKey: "acme", SpaceKey: "r1", Limit: limit}))
			require.Equal(t, []string{"ada", "mia", "tom", "zoe"}, people(data.Query{Limit: limit}))
		}
		require.Equal(t, []string{"r1"}, spaces(data.Query{CustomerKey: "acme", Kinds: []data.Kind{data.KindRoom, data.KindRoom}, Text: "blue"}))
		everywhere, err := ws.AccessGrants(t.Context(), data.Query{From: day(0), SpaceKey: "r1"})
		require.NoError(t, err)
		require.Len(t, everywhere.Items, 1)

		for name, q := range map[string]data.Query{
			"spaces by a space":        {CustomerKey: "acme", SpaceKey: "r1"},
			"spaces by a user":         {CustomerKey: "acme", UserKey: "ada"},
			"spaces by time":           {CustomerKey: "acme", From: day(0)},
			"an empty window":          {CustomerKey: "acme", From: day(1), Until: day(1)},
			"a cursor of another list": {CustomerKey: "acme", Cursor: base64.RawURLEncoding.EncodeToString([]byte("1tkey"))},
		} {
			_, err := ws.Spaces(t.Context(), q)
			require.ErrorIs(t, err, validation.ErrInvalid, name)
		}
		_, err = ws.UserIdentities(t.Context(), data.Query{CustomMetadata: data.CustomMetadata{"a": "b"}})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = ws.UserIdentities(t.Context(), data.Query{ParentSiteKey: "s1"})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

// TestList_WritesBetweenPages_ListsRemainingResourcesOnce changes the resources of a list between its pages. The resources
// that exist all the time must be listed exactly once and in order.
func TestList_WritesBetweenPages_ListsRemainingResourcesOnce(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "acme"}
		for i := range 60 {
			d.Add(data.Room(fmt.Sprintf("keep%02d", i), "Room"), data.Room(fmt.Sprintf("lose%02d", i), "Room"))
		}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		var kept []string
		q := data.Query{CustomerKey: "acme", Limit: 7}
		for page := 0; ; page++ {
			got, err := ws.Spaces(t.Context(), q)
			require.NoError(t, err)
			for _, s := range got.Items {
				if strings.HasPrefix(s.Key, "keep") {
					kept = append(kept, s.Key)
				}
			}
			if q.Cursor = got.Next; q.Cursor == "" {
				break
			}
			// Delete the room at the cursor and another room, and add two units.
			last := got.Items[len(got.Items)-1].Key
			if strings.HasPrefix(last, "lose") {
				_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, last)})
				require.NoError(t, err)
			}
			_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, fmt.Sprintf("lose%02d", 59-page))})
			require.NoError(t, err)
			push(t, ws, "acme", data.Unit(fmt.Sprintf("a-new%02d", page), "New"), data.Unit(fmt.Sprintf("z-new%02d", page), "New"))
		}
		require.Len(t, kept, 60)
		require.True(t, slices.IsSorted(kept))
	})
}

func TestCustomers_Pages_AreInKeyOrder(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for i := range 12 {
			push(t, ws, fmt.Sprintf("Customer %02d", i), data.Room(fmt.Sprint(i), "Room"))
		}
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"Customer 03"}})
		require.NoError(t, err)
		list := func(q data.CustomerQuery) (keys []string) {
			for {
				page, err := ws.Customers(t.Context(), q)
				require.NoError(t, err)
				for _, c := range page.Items {
					require.Equal(t, map[data.Kind]int{data.KindRoom: 1}, c.Counts)
					keys = append(keys, c.Key)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return keys
				}
			}
		}
		for _, limit := range []int{1, 5, 11, 100} {
			keys := list(data.CustomerQuery{Limit: limit})
			require.Len(t, keys, 11)
			require.True(t, slices.IsSorted(keys))
			require.Equal(t, []string{"Customer 01", "Customer 10", "Customer 11"}, list(data.CustomerQuery{Text: "1 CUSTOMER", Limit: limit}))
		}
		_, err = ws.Customers(t.Context(), data.CustomerQuery{Limit: -1})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = ws.Customers(t.Context(), data.CustomerQuery{Cursor: "x"})
		require.ErrorIs(t, err, data.ErrInvalidCursor)
	})
}

func TestReferrers_Pages_ContainAllReferrers(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, estate)
		require.NoError(t, err)
		list := func(to data.Ref, limit int) (out []string) {
			for cursor := ""; ; {
				page, err := ws.Referrers(t.Context(), to, limit, cursor)
				require.NoError(t, err)
				for _, r := range page.Items {
					out = append(out, r.String())
				}
				if cursor = page.Next; cursor == "" {
					return out
				}
			}
		}
		for _, limit := range []int{0, 1, 2} {
			require.ElementsMatch(t, []string{"room 101", "room 102", "common_area pool", "staff_member mia"}, list(data.Ref{Kind: data.KindSite, Key: "lisbon"}, limit))
			require.ElementsMatch(t, []string{"reservation one", "reservation two", "reservation all", "staff_member mia"}, list(data.Ref{Kind: data.KindUnit, Key: "101"}, limit))
			require.ElementsMatch(t, []string{"access_grant nowhere", "reservation one"}, list(data.Ref{Kind: data.KindGuest, Key: "ada"}, limit))
			require.Empty(t, list(data.Ref{Kind: data.KindBooking, Key: "one"}, limit))
		}
		_, err = ws.Referrers(t.Context(), data.Ref{Kind: data.KindRoom, Key: "999"}, 0, "")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = ws.Referrers(t.Context(), data.Ref{Kind: data.KindRoom, Key: "101"}, 0, "x")
		require.ErrorIs(t, err, data.ErrInvalidCursor)
	})
}

// TestAccessGrants_WindowInSpaces_ReadsDoNotGrowWithRooms lists the stays of one space and of three spaces in a window of time,
// for customers with few and with many rooms.
func TestAccessGrants_WindowInSpaces_ReadsDoNotGrowWithRooms(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		counts, threeSpaces := map[int]int64{}, map[int]int64{}
		for _, rooms := range []int{5, 100} {
			counted := &backends.Counted{Store: store}
			ws := data.Open(counted, data.Options{}).Workspace(uuid.New())
			d := data.CustomerData{CustomerKey: "acme"}
			for room := range rooms {
				for n := range 20 {
					d.Add(data.Reservation(fmt.Sprintf("%d-%d", room, n), data.Ref{}, data.Refs(data.KindRoom, fmt.Sprint(room))...).
						During(day(float64(n)), day(float64(n)+0.9)))
				}
			}
			_, err := ws.Push(t.Context(), d)
			require.NoError(t, err)
			_, err = ws.Customer(t.Context(), "acme") // because the first read of a process also checks the format
			require.NoError(t, err)
			counted.Reset()
			page, err := ws.AccessGrants(t.Context(), data.Query{CustomerKey: "acme", SpaceKey: "3", From: day(5), Until: day(8)})
			require.NoError(t, err)
			require.Len(t, page.Items, 3)
			counts[rooms] = counted.Keys.Load() + counted.Rows.Load()
			counted.Reset()
			page, err = ws.AccessGrants(t.Context(), data.Query{CustomerKey: "acme", SpaceKeys: []string{"1", "3", "4"}, From: day(5), Until: day(8)})
			require.NoError(t, err)
			require.Len(t, page.Items, 9)
			threeSpaces[rooms] = counted.Keys.Load() + counted.Rows.Load()
		}
		require.Equal(t, counts[5], counts[100])
		require.Less(t, counts[5], int64(20))
		require.Equal(t, threeSpaces[5], threeSpaces[100])
		require.Less(t, threeSpaces[5], int64(40))
	})
}
