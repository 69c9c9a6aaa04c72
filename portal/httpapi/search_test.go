package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// TestSearch_NamesKeysAndContacts_AreFound searches lists by parts of names, keys, ids, e-mail addresses and phone numbers.
func TestSearch_NamesKeysAndContacts_AreFound(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", object{
			"customer_key": "grand-hotels", "rooms": []object{{"room_key": "r-1", "name": "Suite Océane"}},
			"guests": []object{{"guest_key": "g-1", "name": "Renée Dupont", "email_address": "r.dupont@example.com", "phone_number": "(541)639-5376"}},
		})
		f.post(t, "/customers/push_data", object{"customer_key": "other", "rooms": []object{{"room_key": "x-1", "name": "Suite"}}})
		id := f.post(t, "/user_identities/get", `{"user_identity_key": "g-1"}`).at("user_identity", "user_identity_id").(string)
		for _, row := range []struct {
			path, many, field, search string
			want                      []string
		}{
			{"/user_identities/list", "user_identities", "user_identity_key", "dupont RENEE", []string{"g-1"}},
			{"/user_identities/list", "user_identities", "user_identity_key", "Dupont@EXAMPLE", []string{"g-1"}},
			{"/user_identities/list", "user_identities", "user_identity_key", "541 639", []string{"g-1"}},
			{"/user_identities/list", "user_identities", "user_identity_key", "541639", []string{"g-1"}},
			{"/user_identities/list", "user_identities", "user_identity_key", id[:8], []string{"g-1"}},
			{"/user_identities/list", "user_identities", "user_identity_key", "grand-hotels", nil},
			{"/spaces/list", "spaces", "space_key", "oceane", []string{"r-1"}},
			{"/spaces/list", "spaces", "space_key", "grand-hot", []string{"r-1"}},
			{"/spaces/list", "spaces", "space_key", "suite OTHER", []string{"x-1"}},
			{"/seam/customer/v1/customers/list", "customers", "customer_key", "hotels GRAND", []string{"grand-hotels"}},
		} {
			require.Equal(t, row.want, keysOf(f.post(t, row.path, object{"search": row.search}), row.many, row.field), "%s %q", row.path, row.search)
		}
	})
}

// TestAccessGrants_SpaceIDOfASite_IncludesTheRoomsOfTheSite lists access grants by the id of a site.
func TestAccessGrants_SpaceIDOfASite_IncludesTheRoomsOfTheSite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		pushCrowd(t, f, "a", 3)
		site := f.post(t, "/spaces/get", `{"space_key": "a-site"}`).at("space", "space_id")
		got := keysOf(f.post(t, "/access_grants/list", object{"space_id": site}), "access_grants", "access_grant_key")
		require.Equal(t, []string{"a-booking-000", "a-booking-001", "a-booking-002"}, got)
	})
}

// TestSearch_MoreRowsThanOnePageReads_Warns searches among more guests than the search for one page reads.
func TestSearch_MoreRowsThanOnePageReads_Warns(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	_, err := f.a.Import(t.Context(), "acme", func(yield func(data.Resource, error) bool) {
		for i := range 10_050 {
			if !yield(data.Guest(fmt.Sprintf("guest-%05d", i), "Guest"), nil) {
				return
			}
		}
	}, data.ImportOptions{BatchSize: 5000})
	require.NoError(t, err)
	first := f.post(t, "/user_identities/list", object{"search": "guest-10049"})
	require.Empty(t, list(first.body["user_identities"]))
	require.Equal(t, true, first.at("pagination", "has_next_page"))
	require.Contains(t, first.raw, `"search_stopped"`)
	next := f.post(t, "/user_identities/list", object{"search": "guest-10049", "page_cursor": first.at("pagination", "next_page_cursor")})
	require.Equal(t, []string{"guest-10049"}, keysOf(next, "user_identities", "user_identity_key"))
	require.Equal(t, false, next.at("pagination", "has_next_page"))
	require.NotContains(t, next.raw, "search_stopped")
}

// TestLists_UnusualKeys_AreFound gets and lists resources by their keys and ids. The keys include the shortest and the
// longest ones and characters that need escaping.
func TestLists_UnusualKeys_AreFound(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		all := []string{"7", "0", "ab", "/", "..", "ÿ", "a b", "%2F", `"<&'`, "\U0003134A", strings.Repeat("k", 511), strings.Repeat("k", 512), strings.Repeat("ÿ", 256)}
		for _, customer := range []string{"c", "/?", strings.Repeat("c", 512)} {
			var rooms, guests, reservations []object
			for _, key := range all {
				rooms = append(rooms, object{"room_key": key, "name": "Room", "parent_site_key": "*"})
				guests = append(guests, object{"guest_key": key, "name": "Guest"})
				reservations = append(reservations, object{"reservation_key": key, "guest_key": key, "room_keys": []string{key}, "starts_at": "2025-06-17T12:00:00Z", "ends_at": "2025-07-01T00:00:00Z"})
			}
			f.post(t, "/customers/push_data", object{"customer_key": customer, "sites": []object{{"site_key": "*", "name": "Site"}}, "rooms": rooms, "guests": guests, "reservations": reservations})
			sorted := slices.Sorted(slices.Values(all))
			require.Equal(t, sorted, keysOf(f.post(t, "/spaces/list", object{"customer_key": customer, "parent_space_key": "*"}), "spaces", "space_key"))
			require.Equal(t, sorted, keysOf(f.post(t, "/user_identities/list", object{"customer_key": customer}), "user_identities", "user_identity_key"))
			require.ElementsMatch(t, all, keysOf(f.post(t, "/access_grants/list", object{"customer_key": customer}), "access_grants", "access_grant_key"))
			for _, key := range all {
				room := f.post(t, "/spaces/get", object{"space_key": key}).at("space", "space_id")
				guest := f.post(t, "/user_identities/get", object{"user_identity_key": key}).at("user_identity", "user_identity_id")
				grant := f.post(t, "/access_grants/get", object{"access_grant_key": key}).at("access_grant", "access_grant_id")
				for _, filter := range []object{
					{"space_id": room}, {"user_identity_id": guest}, {"access_grant_key": key}, {"reservation_key": key}, {"space_id": room, "user_identity_id": guest}, {"access_grant_ids": []any{grant}},
				} {
					for _, customerFilter := range []string{"", customer} {
						if customerFilter != "" {
							filter["customer_key"] = customerFilter
						}
						got := f.post(t, "/access_grants/list", filter)
						require.Equal(t, []string{key}, keysOf(got, "access_grants", "access_grant_key"), "%.80q", filter)
					}
				}
			}
			deleted := f.post(t, "/customers/delete_data", object{"customer_keys": []string{customer}})
			require.NotEmpty(t, deleted.body)
		}
	})
}
