package data_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// validKeys contains keys of the minimum and maximum length, keys that are a prefix of another one, and keys with special
// bytes: separators of paths and queries, letters of the store's tables, and long encodings in UTF-8.
var validKeys = []string{
	"7", "0", "a", "ab", "a/", "/", ".", "..", "é", "ÿ", "a b", "%2F", "a?b=c&d#e", `"<&'`, "r", "t",
	"\U0003134A", "\uFFFD", strings.Repeat("k", 511), strings.Repeat("k", 512), strings.Repeat("ÿ", 256), strings.Repeat("\U0003134A", 128),
}

// TestKeys_AllValidForms_AreFoundByAllReads pushes resources of every kind with validKeys and reads them with every list, filter
// and lookup.
func TestKeys_AllValidForms_AreFoundByAllReads(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		spaceKinds, userKinds, grantKinds := data.Kinds(data.ClassSpace), data.Kinds(data.ClassUserIdentity), data.Kinds(data.ClassAccessGrant)
		for round := range len(spaceKinds) { // each kind has each key once
			if raceSlowness > 1 && round > 1 {
				break
			}
			ws := workspaceOf(store, uuid.New())
			customer := validKeys[round*7%len(validKeys)]
			d := data.CustomerData{CustomerKey: customer}
			const site = "*" // also a key of one byte
			d.Add(data.Site(site, "Site"))
			var spaces, users, grants, inSite, staff []string
			kindOf := map[string]data.Kind{}
			for i, key := range validKeys {
				space := data.Space{Kind: spaceKinds[(i+round)%len(spaceKinds)], Key: key, Name: "Space"}
				switch space.Kind {
				case data.KindSpace, data.KindRoom, data.KindCommonArea, data.KindUnit:
					space.ParentSiteKey = site
					inSite = append(inSite, key)
				}
				user := data.UserIdentity{Kind: userKinds[(i+round)%len(userKinds)], Key: key, Name: "User"}
				if user.Kind == data.KindStaffMember {
					user.Spaces = data.Refs(data.KindSpace, key)
					staff = append(staff, key)
				}
				grant := data.AccessGrant{Kind: grantKinds[(i+round)%len(grantKinds)], Key: key, Spaces: data.Refs(data.KindSpace, key)}
				if user.Kind != data.KindStaffMember {
					grant.User = data.Ref{Kind: user.Kind, Key: key}
				}
				switch i % 4 { // all combinations of a start and an end
				case 0:
					grant.StartsAt, grant.EndsAt = day(1), day(2)
				case 1:
					grant.StartsAt = day(1)
				case 2:
					grant.EndsAt = day(2)
				}
				d.Add(space, user, grant)
				kindOf["s"+key], kindOf["u"+key], kindOf["g"+key] = space.Kind, user.Kind, grant.Kind
				spaces, users, grants = append(spaces, key), append(users, key), append(grants, key)
			}
			pushed, err := ws.Push(t.Context(), d)
			require.NoError(t, err)

			everySpace := append([]string{site}, spaces...)
			slices.Sort(everySpace)
			slices.Sort(users)
			slices.Sort(inSite)
			listSpaces := func(q data.Query) []string {
				return all(t, q, func(q data.Query) (data.Page[data.Space], error) { return ws.Spaces(t.Context(), q) })
			}
			listUsers := func(q data.Query) []string {
				return all(t, q, func(q data.Query) (data.Page[data.UserIdentity], error) { return ws.UserIdentities(t.Context(), q) })
			}
			listGrants := func(q data.Query) []string {
				return all(t, q, func(q data.Query) (data.Page[data.AccessGrant], error) { return ws.AccessGrants(t.Context(), q) })
			}
			for _, limit := range []int{1, 5, 1000} {
				require.Equal(t, everySpace, listSpaces(data.Query{CustomerKey: customer, Limit: limit}))
				require.Equal(t, everySpace, listSpaces(data.Query{Limit: limit}))
				require.Equal(t, everySpace, listSpaces(data.Query{Limit: limit, Keys: everySpace}))
				require.Equal(t, inSite, listSpaces(data.Query{CustomerKey: customer, ParentSiteKey: site, Limit: limit}))
				require.Equal(t, users, listUsers(data.Query{CustomerKey: customer, Limit: limit}))
				require.Equal(t, users, listUsers(data.Query{Limit: limit}))
				require.ElementsMatch(t, grants, listGrants(data.Query{CustomerKey: customer, Limit: limit}))
				require.ElementsMatch(t, grants, listGrants(data.Query{Limit: limit}))
				require.ElementsMatch(t, grants, listGrants(data.Query{CustomerKey: customer, From: day(1), Until: day(2), Limit: limit}))
			}
			for _, key := range validKeys {
				q := data.Query{CustomerKey: customer, SpaceKey: key, Limit: 1}
				require.Equal(t, []string{key}, listGrants(q), "%q", key)
				q.From = day(1.5)
				require.Equal(t, []string{key}, listGrants(q), "%q", key)
				byUser := []string{key}
				if slices.Contains(staff, key) {
					byUser = nil
					require.Equal(t, []string{key}, listUsers(data.Query{CustomerKey: customer, SpaceKey: key, Limit: 1}), "%q", key)
				}
				require.Equal(t, byUser, listGrants(data.Query{CustomerKey: customer, UserKey: key, Limit: 1}), "%q", key)
				require.Equal(t, []string{key}, listSpaces(data.Query{CustomerKey: customer, Keys: []string{key}}))
				require.Contains(t, listSpaces(data.Query{CustomerKey: customer, Text: key}), key, "%q", key)

				refs, err := ws.Referrers(t.Context(), data.Ref{Kind: data.KindSpace, Key: key}, 0, "")
				require.NoError(t, err)
				want := []data.Ref{{Kind: kindOf["g"+key], Key: key}}
				if slices.Contains(staff, key) {
					want = append([]data.Ref{{Kind: data.KindStaffMember, Key: key}}, want...)
				}
				require.Equal(t, want, refs.Items, "%q", key)
				first, err := ws.Referrers(t.Context(), data.Ref{Kind: data.KindSpace, Key: key}, 1, "")
				require.NoError(t, err)
				require.Equal(t, want[:1], first.Items)

				space, err := ws.Space(t.Context(), key)
				require.NoError(t, err)
				space, err = ws.SpaceByID(t.Context(), space.Meta.ID)
				require.NoError(t, err)
				require.Equal(t, key, space.Key)
				require.Equal(t, customer, space.Meta.CustomerKey)
				grant, err := ws.AccessGrant(t.Context(), key)
				require.NoError(t, err)
				require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
					changes, err := s.History(t.Context(), customer, grant.Meta.ID, 0)
					require.Len(t, changes, 1)
					require.Equal(t, key, changes[0].Key)
					return err
				}))
			}
			feedChanges := 0
			for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
				require.NoError(t, err)
				require.Equal(t, customer, c.CustomerKey)
				feedChanges++
			}
			require.Len(t, pushed.Resources, feedChanges)
			customers, err := ws.Customers(t.Context(), data.CustomerQuery{Limit: 1})
			require.NoError(t, err)
			require.Equal(t, customer, customers.Items[0].Key)

			exported, err := ws.Export(t.Context(), customer)
			require.NoError(t, err)
			again, err := ws.Sync(t.Context(), exported)
			require.NoError(t, err)
			require.Empty(t, again.Deleted)
			require.True(t, lo.EveryBy(again.Resources, func(r data.PushedResource) bool { return r.Change == data.Unchanged }))

			// The delete of a room also deletes its access grant.
			deleted, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSpace, validKeys...)})
			require.NoError(t, err)
			require.Empty(t, deleted.NotFound)
			require.Len(t, deleted.Deleted, 2*len(validKeys))
			require.Empty(t, listGrants(data.Query{CustomerKey: customer, From: day(1)}))
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{customer}})
			require.NoError(t, err)
			_, err = ws.Customer(t.Context(), customer)
			require.ErrorIs(t, err, data.ErrCustomerNotFound)
		}
		requireUndamaged(t, store)
	})
}

// TestAccessGrants_KeysOfOneByte_AreListedByTime lists two reservations of a guest in a room. Their keys have one byte.
func TestAccessGrants_KeysOfOneByte_AreListedByTime(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		guest := data.Ref{Kind: data.KindGuest, Key: "g"}
		at := func(n int) (time.Time, time.Time) { return day(float64(n)), day(float64(n) + 1) }
		push(t, ws, "c", data.Room("r", "Room"), data.Guest("g", "Guest"),
			data.Reservation("7", guest, data.Refs(data.KindRoom, "r")...).During(at(7)),
			data.Reservation("8", guest, data.Refs(data.KindRoom, "r")...).During(at(8)))
		for name, q := range map[string]data.Query{
			"space": {SpaceKey: "r"}, "user": {UserKey: "g"}, "space and user": {SpaceKey: "r", UserKey: "g"}, "window": {From: day(0)},
		} {
			for limit := range 3 {
				q.CustomerKey, q.Limit = "c", limit
				got := all(t, q, func(q data.Query) (data.Page[data.AccessGrant], error) { return ws.AccessGrants(t.Context(), q) })
				require.Equal(t, []string{"7", "8"}, got, fmt.Sprint(name, limit))
			}
		}
	})
}

func TestKeys_InvisibleOrNotNormalized_ReturnFaults(t *testing.T) {
	bad := []string{"a\u200b", "\ufeffa", "a\u00adb", "a\u202eb", "a\u2067", "e\u0301", "\u212b", "a\u0085b", "\u3164", "\u2800"}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, key := range bad {
			k := quoted(t, key)
			for body, want := range map[string]string{
				`{"customer_key": ` + k + `}`:                                                                                "customer_key",
				`{"customer_key": "c", "rooms": [{"room_key": ` + k + `, "name": "R"}]}`:                                     "rooms[0].room_key",
				`{"customer_key": "c", "rooms": [{"room_key": "1", "name": "R", "parent_site_key": ` + k + `}]}`:             "rooms[0].parent_site_key",
				`{"customer_key": "c", "guests": [{"guest_key": ` + k + `, "name": "G"}]}`:                                   "guests[0].guest_key",
				`{"customer_key": "c", "bookings": [{"booking_key": ` + k + `}]}`:                                            "bookings[0].booking_key",
				`{"customer_key": "c", "bookings": [{"booking_key": "b", "guest_key": ` + k + `}]}`:                          "bookings[0].guest_key",
				`{"customer_key": "c", "bookings": [{"booking_key": "b", "room_keys": ["1", ` + k + `]}]}`:                   "bookings[0].room_keys[1]",
				`{"customer_key": "c", "staff_members": [{"staff_member_key": "b", "name": "S", "unit_keys": [` + k + `]}]}`: "staff_members[0].unit_keys[0]",
			} {
				_, err := pushJSON(t, ws, body)
				require.Equal(t, []string{want + " key_format"}, faults(t, err), body)
			}
			for body, want := range map[string]string{
				`{"customer_keys": ["c", ` + k + `]}`:             "customer_keys[1]",
				`{"room_keys": [` + k + `]}`:                      "room_keys[0]",
				`{"customer_key": ` + k + `, "room_keys": ["1"]}`: "customer_key",
			} {
				var sel data.Selection
				require.NoError(t, json.Unmarshal([]byte(body), &sel))
				_, err := ws.Delete(t.Context(), sel)
				require.Equal(t, []string{want + " key_format"}, faults(t, err), body)
			}
		}
		require.Empty(t, dumpAfterSweep(t, ws))
		_, err := pushJSON(t, ws, `{"customer_key": "c", "rooms": [{"room_key": "a\u200bb", "name": "R"}]}`)
		require.True(t, strings.Contains(err.Error(), "rooms[0].room_key: has an invisible character, U+200B"), err)
		_, err = pushJSON(t, ws, `{"customer_key": "é", "rooms": [{"room_key": "部屋 1", "name": "R"}]}`)
		require.NoError(t, err)
	})
}

// quoted returns a string as a JSON string.
func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}
