package data_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// TestList_ChangesBetweenPages_ListsTheOthersOnce reads a list to its end and back to its start, and adds and deletes resources
// between the pages. Each direction must list all resources that were there the whole time exactly once, in order.
func TestList_ChangesBetweenPages_ListsTheOthersOnce(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		for round := range testsize.Pick(10, 20, 100) / raceSlowness {
			ws := workspaceOf(store, [16]byte{byte(round), 1})
			kinds := []func(key, name string) data.Space{data.Room, data.Unit, data.Site}
			add := func(prefix string, n int) {
				d := data.CustomerData{CustomerKey: "acme"}
				for i := range n {
					s := kinds[r.IntN(3)](fmt.Sprintf("%s%d", prefix, i), fmt.Sprintf("Room %d", r.IntN(60)))
					d.Add(s)
					if s.Kind != data.KindSite {
						d.Add(data.Reservation("g-"+s.Key, data.Ref{}, s.Ref()).During(day(float64(r.IntN(10))), day(20)))
					}
				}
				_, err := ws.Push(t.Context(), d)
				require.NoError(t, err)
			}
			add("stays", 20+r.IntN(20))
			add("goes", 20)
			gone, added := 0, 0
			change := func() {
				add(fmt.Sprintf("new-%d-", added), r.IntN(3))
				added++
				if gone < 20 && r.IntN(2) == 0 {
					_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSpace, fmt.Sprintf("goes%d", gone))})
					require.NoError(t, err)
					gone++
				}
			}
			q := data.Query{CustomerKey: "acme", Limit: 1 + r.IntN(7), Descending: r.IntN(2) == 0}
			var read func(cursor string) (keys []string, next, previous string)
			if r.IntN(2) == 0 {
				q.ByName = r.IntN(3) > 0
				read = func(cursor string) ([]string, string, string) {
					q.Cursor = cursor
					page, err := ws.Spaces(t.Context(), q)
					require.NoError(t, err)
					return resultKeys(page.Items), page.Next, page.Previous
				}
			} else {
				if q.ByTime = true; r.IntN(2) == 0 {
					q.ByTime, q.Text, q.Now = false, "g-", day(float64(r.IntN(25)))
				}
				read = func(cursor string) ([]string, string, string) {
					q.Cursor = cursor
					page, err := ws.AccessGrants(t.Context(), q)
					require.NoError(t, err)
					return resultKeys(page.Items), page.Next, page.Previous
				}
			}
			// The resources that stay, in their order.
			limit := q.Limit
			q.Limit = 1000
			want, _, _ := read("")
			want = slices.DeleteFunc(want, func(key string) bool { return !strings.Contains(key, "stays") })
			q.Limit = limit
			stays := func(keys []string) []string {
				return slices.DeleteFunc(keys, func(key string) bool { return !strings.Contains(key, "stays") })
			}
			var forward, backward []string
			keys, next, previous := read("")
			forward = keys
			for pages := 0; next != ""; pages++ {
				require.Less(t, pages, 1000)
				change()
				keys, next, previous = read(next)
				require.NotEmpty(t, previous)
				forward = append(forward, keys...)
			}
			require.Equal(t, want, stays(forward), "seed %d, round %d: %+v", seed, round, q)
			backward = keys
			for pages := 0; previous != ""; pages++ {
				require.Less(t, pages, 1000)
				change()
				keys, _, previous = read(previous)
				backward = append(keys, backward...)
			}
			require.Equal(t, want, stays(backward), "seed %d, round %d, backward: %+v", seed, round, q)
		}
	})
}

// TestList_CustomerChanges_DoesNotReturnNumbers changes a customer between two pages. The numbers of the second page could be
// wrong, so it has none. Another query does not use the numbers in a cursor either.
func TestList_CustomerChanges_DoesNotReturnNumbers(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("a", "10"), data.Room("b", "9"), data.Room("c", "8"), data.Site("d", "7"))
		q := data.Query{CustomerKey: "acme", ByName: true, Limit: 2, CountLimit: 100}
		first, err := ws.Spaces(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []string{"d", "c"}, keysOf(first.Items))
		require.Equal(t, []int{0, 4}, []int{first.Offset, first.Total})
		q.Cursor = first.Next
		second, err := ws.Spaces(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []int{2, 4}, []int{second.Offset, second.Total})
		other := q
		other.Kinds = []data.Kind{data.KindRoom}
		filtered, err := ws.Spaces(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, []int{-1, -1}, []int{filtered.Offset, filtered.Total})
		push(t, ws, "acme", data.Room("e", "1"))
		for _, q.Cursor = range []string{first.Next, second.Previous} {
			changed, err := ws.Spaces(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, []int{-1, -1}, []int{changed.Offset, changed.Total})
		}
	})
}

// TestList_LastPageDeleted_LeadsBack deletes all resources after the place where a page begins.
func TestList_LastPageDeleted_LeadsBack(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("a", "1"), data.Room("b", "2"))
		q := data.Query{CustomerKey: "acme", ByName: true, Limit: 1}
		page, err := ws.Spaces(t.Context(), q)
		require.NoError(t, err)
		_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "b")})
		require.NoError(t, err)
		q.Cursor = page.Next
		page, err = ws.Spaces(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, page.Items)
		require.Empty(t, page.Next)
		q.Cursor = page.Previous
		page, err = ws.Spaces(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, keysOf(page.Items))
		require.Empty(t, page.Previous)
	})
}

// TestList_ByName_FollowsChanges renames, moves and changes resources, and lists them by name.
func TestList_ByName_FollowsChanges(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		list := func(q data.Query) []string {
			q.CustomerKey, q.ByName = "acme", true
			page, err := ws.Spaces(t.Context(), q)
			require.NoError(t, err)
			return keysOf(page.Items)
		}
		push(t, ws, "acme", data.Site("s", "Site"), data.Room("a", "Room 101").In("s"), data.Room("b", "Room 1001").In("s"), data.Room("c", "room 102").In("s"), data.Unit("d", "Room 9"))
		require.Equal(t, []string{"d", "a", "c", "b", "s"}, list(data.Query{}))
		require.Equal(t, []string{"a", "c", "b"}, list(data.Query{ParentSiteKey: "s"}))
		require.Equal(t, []string{"b", "c", "a"}, list(data.Query{ParentSiteKey: "s", Descending: true}))
		require.Equal(t, []string{"d", "b"}, list(data.Query{Keys: []string{"b", "d", "none"}}))
		push(t, ws, "acme", data.Room("a", "Room 2000"), data.Unit("d", "Room 9"))
		require.Equal(t, []string{"d", "c", "b", "a", "s"}, list(data.Query{}))
		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "b")})
		require.NoError(t, err)
		require.Equal(t, []string{"d", "c", "a", "s"}, list(data.Query{}))
		push(t, ws, "other", data.Room("x", "Room 1"))
		require.Equal(t, []string{"d", "c", "a", "s"}, list(data.Query{}))
	})
}

func TestList_InvalidOrder_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	push(t, ws, "acme", data.Room("a", "A"))
	for _, q := range []data.Query{{ByName: true}, {ByTime: true, CustomerKey: "acme"}, {CustomerKey: "acme", CountLimit: -1}} {
		_, err := ws.Spaces(t.Context(), q)
		require.ErrorIs(t, err, validation.ErrInvalid, "%+v", q)
	}
	for _, q := range []data.Query{{ByName: true, CustomerKey: "acme"}, {ByTime: true}, {ByTime: true, CustomerKey: "acme", Keys: []string{"a"}}} {
		_, err := ws.AccessGrants(t.Context(), q)
		require.ErrorIs(t, err, validation.ErrInvalid, "%+v", q)
	}
}

// TestList_ByName_ReadsBoundedRows counts the reads of pages of lists by name for a customer with many resources.
func TestList_ByName_ReadsBoundedRows(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	n := testsize.Pick(5_000, 5_000, 100_000)
	store := &backends.Counted{Store: memory.New()}
	ws := workspace(store)
	_, err := ws.Import(t.Context(), "acme", func(yield func(data.Resource, error) bool) {
		if !yield(data.Site("large", "Large"), nil) || !yield(data.Site("small", "Small"), nil) {
			return
		}
		for i := range n {
			room, site := data.Room(fmt.Sprintf("r%d", i), fmt.Sprintf("Room %d", n-i)), "large"
			if i%50 == 0 {
				site = "small"
			}
			if !yield(room.In(site), nil) || !yield(data.Guest(fmt.Sprintf("g%d", i), fmt.Sprintf("Guest %d", i)), nil) {
				return
			}
		}
		yield(data.StaffMember("staff", "Staff", data.Refs(data.KindSite, "small")...), nil)
	}, data.ImportOptions{BatchSize: 5000})
	require.NoError(t, err)
	small := int64(n / 50)
	for _, c := range []struct {
		name       string
		q          data.Query
		keys, rows int64 // maximum
	}{
		{"all", data.Query{}, 60, 60},
		{"large site", data.Query{ParentSiteKey: "large"}, 60 + 64, 1060 + 64},
		{"small site", data.Query{ParentSiteKey: "small"}, small + 60, small + 60},
	} {
		for _, q := range []data.Query{c.q, {ParentSiteKey: c.q.ParentSiteKey, Descending: true}} {
			q.CustomerKey, q.ByName, q.Limit = "acme", true, 50
			if small > 1000 && q.ParentSiteKey == "small" {
				continue // more than a list sorts; it reads the index
			}
			for _, direction := range []string{"first", "next", "previous"} {
				store.Reset()
				page, err := ws.Spaces(t.Context(), q)
				require.NoError(t, err)
				require.Len(t, page.Items, 50)
				require.LessOrEqual(t, store.Keys.Load(), c.keys, "%s, %s: keys", c.name, direction)
				require.LessOrEqual(t, store.Rows.Load(), c.rows, "%s, %s: rows", c.name, direction)
				if q.Cursor = page.Next; direction == "next" {
					q.Cursor = page.Previous
				}
			}
		}
	}
	store.Reset()
	staff, err := ws.UserIdentities(t.Context(), data.Query{CustomerKey: "acme", ByName: true, Kinds: []data.Kind{data.KindStaffMember}})
	require.NoError(t, err)
	require.Len(t, staff.Items, 1)
	require.LessOrEqual(t, store.Rows.Load(), int64(2), "a list of staff members does not read the guests")
	store.Reset()
	guests, err := ws.UserIdentities(t.Context(), data.Query{CustomerKey: "acme", ByName: true, Limit: 50, CountLimit: 1000})
	require.NoError(t, err)
	require.True(t, guests.AtLeast)
	require.Equal(t, 1001, guests.Total)
	require.LessOrEqual(t, store.Keys.Load(), int64(1010), "the count ends at its limit")
}
