package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

func TestSearch_FindsWhatTheAPISays(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
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

// TestList_SpaceIDOfASite_IncludesTheRoomsInside lists access grants by the id of a site.
func TestList_SpaceIDOfASite_IncludesTheRoomsInside(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		crowd(t, f, "a", 3)
		site := f.post(t, "/spaces/get", `{"space_key": "a-site"}`).at("space", "space_id")
		got := keysOf(f.post(t, "/access_grants/list", object{"space_id": site}), "access_grants", "access_grant_key")
		require.Equal(t, []string{"a-booking-000", "a-booking-001", "a-booking-002"}, got)
	})
}

// TestSearch_BoundReached_Warns searches among more guests than a page reads.
func TestSearch_BoundReached_Warns(t *testing.T) {
	t.Parallel()
	f := onMemory(t)
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
