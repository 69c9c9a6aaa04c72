package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLists_KeysOfEveryLegalForm_AreFound gets and lists resources by keys of the shortest and
// the greatest length, and by their ids.
func TestLists_KeysOfEveryLegalForm_AreFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
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
					for _, of := range []string{"", customer} {
						if of != "" {
							filter["customer_key"] = of
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
