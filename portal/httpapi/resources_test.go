package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// keysOf returns the keys of the items of a list.
func keysOf(r reply, many, field string) (out []string) {
	for _, item := range list(r.body[many]) {
		out = append(out, item.(object)[field].(string))
	}
	return out
}

// pushCrowd pushes a customer with one site and n rooms, guests and bookings.
func pushCrowd(t testing.TB, f *fixture, customer string, n int) {
	t.Helper()
	var rooms, guests, bookings []object
	for i := range n {
		room, guest := fmt.Sprintf("%s-room-%03d", customer, i), fmt.Sprintf("%s-guest-%03d", customer, i)
		rooms = append(rooms, object{"room_key": room, "name": fmt.Sprintf("Room %d", i), "parent_site_key": customer + "-site"})
		guests = append(guests, object{"guest_key": guest, "name": fmt.Sprintf("Guest %d", i)})
		bookings = append(bookings, object{"booking_key": fmt.Sprintf("%s-booking-%03d", customer, i), "guest_key": guest, "room_keys": []string{room, customer + "-room-000"},
			"starts_at": fmt.Sprintf("2025-06-%02dT12:00:00Z", 1+i%28), "ends_at": "2025-07-01T00:00:00Z"})
	}
	f.post(t, "/customers/push_data", object{"customer_key": customer, "sites": []object{{"site_key": customer + "-site", "name": "Site"}}, "rooms": rooms, "guests": guests, "bookings": bookings})
}

// TestLists_PagesOfSeveralSizes_ContainEachItemOnce reads each list with various filters in pages of various sizes. The pages
// of a list together must equal the list in one page.
func TestLists_PagesOfSeveralSizes_ContainEachItemOnce(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		pushCrowd(t, f, "a", 30)
		pushCrowd(t, f, "b", 7)
		room := f.post(t, "/spaces/get", `{"space_key": "a-room-000"}`).at("space", "space_id")
		site := f.post(t, "/spaces/get", `{"space_key": "a-site"}`).at("space", "space_id")
		guest := f.post(t, "/user_identities/get", `{"user_identity_key": "a-guest-000"}`).at("user_identity", "user_identity_id")
		for _, row := range []struct {
			path, many, field string
			filter            object
			count             int
		}{
			{"/spaces/list", "spaces", "space_key", object{}, 39},
			{"/spaces/list", "spaces", "space_key", object{"customer_key": "a"}, 31},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_id": site}, 30},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_key": "a-site", "search": "room-01"}, 10},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_key": "a-site", "parent_space_id": site, "customer_key": "a"}, 30},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_key": "b-site", "parent_space_id": site}, 0},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_key": "a-site", "customer_key": "b"}, 0},
			{"/spaces/list", "spaces", "space_key", object{"parent_space_key": "nowhere"}, 0},
			{"/spaces/list", "spaces", "space_key", object{"space_key": "b-site", "customer_key": "b"}, 1},
			{"/user_identities/list", "user_identities", "user_identity_key", object{}, 37},
			{"/user_identities/list", "user_identities", "user_identity_key", object{"customer_key": "b"}, 7},
			{"/user_identities/list", "user_identities", "user_identity_key", object{"search": "2 GUEST"}, 13},
			{"/user_identities/list", "user_identities", "user_identity_key", object{"user_identity_ids": []any{guest, guest, site}}, 1},
			{"/user_identities/list", "user_identities", "user_identity_key", object{"created_before": "2026-01-01T00:00:00Z"}, 37},
			{"/user_identities/list", "user_identities", "user_identity_key", object{"created_before": "2025-01-01T00:00:00+02:00"}, 0},
			{"/access_grants/list", "access_grants", "access_grant_key", object{}, 37},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"customer_key": "b"}, 7},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"space_id": room}, 30},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"space_id": room, "user_identity_id": guest}, 1},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"space_id": room, "customer_key": "b"}, 0},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"access_grant_key": "a-booking-003", "space_id": room}, 1},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"access_grant_key": "a-booking-003", "user_identity_id": guest}, 0},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"reservation_key": "a-booking-003"}, 0},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"access_grant_ids": []any{guest}}, 0},
			{"/access_grants/list", "access_grants", "access_grant_key", object{"access_grant_ids": []any{}, "access_grant_key": "a-booking-003"}, 0},
			{"/seam/customer/v1/customers/list", "customers", "customer_key", object{}, 2},
			{"/seam/customer/v1/customers/list", "customers", "customer_key", object{"search": "B"}, 1},
		} {
			onePage := f.post(t, row.path, row.filter)
			want := keysOf(onePage, row.many, row.field)
			require.Len(t, want, row.count, "%s %v", row.path, row.filter)
			require.Equal(t, false, onePage.at("pagination", "has_next_page"))
			require.Nil(t, onePage.at("pagination", "next_page_cursor"))
			for _, limit := range []int{1, 7, 1000, 1_000_000} {
				var got []string
				cursor := any(nil)
				for pages := 0; ; pages++ {
					require.LessOrEqual(t, pages, row.count, "the list must end")
					params := object{"limit": limit, "page_cursor": cursor}
					for name, v := range row.filter {
						params[name] = v
					}
					page := f.post(t, row.path, params)
					require.LessOrEqual(t, len(list(page.body[row.many])), limit)
					got = append(got, keysOf(page, row.many, row.field)...)
					if cursor = page.at("pagination", "next_page_cursor"); cursor == nil {
						break
					}
				}
				require.Equal(t, want, got, "%s %v by %d", row.path, row.filter, limit)
			}
		}
	})
}

// TestLists_LimitAboveTheMaximum_Returns1000Items also checks the default limit.
func TestLists_LimitAboveTheMaximum_Returns1000Items(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	pushCrowd(t, f, "c", 1200)
	require.Len(t, list(f.post(t, "/spaces/list", `{}`).body["spaces"]), 500, "the default of the API")
	page := f.post(t, "/spaces/list", `{"limit": 5000}`)
	require.Len(t, list(page.body["spaces"]), 1000)
	require.Equal(t, true, page.at("pagination", "has_next_page"))
}

// TestAccessGrant_DisplayStatus_DependsOnTheTime gets a grant before, during and after its time.
func TestAccessGrant_DisplayStatus_DependsOnTheTime(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", `{"customer_key": "c", "bookings": [{"booking_key": "b", "starts_at": "2025-06-20T00:00:00Z", "ends_at": "2025-06-21T00:00:00Z"}]}`)
	starts := time.Date(2025, 6, 20, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		at   time.Time
		want string
	}{
		{starts.Add(-time.Microsecond), "upcoming"}, {starts, "active"}, {starts.Add(24*time.Hour - time.Microsecond), "active"}, {starts.Add(24 * time.Hour), "ended"},
	} {
		f.clock.Set(row.at)
		require.Equal(t, row.want, f.post(t, "/access_grants/get", `{"access_grant_key": "b"}`).at("access_grant", "display_status"), row.at)
	}
}

// TestResources_PushedFields_AreReturned gets resources with optional fields.
func TestResources_PushedFields_AreReturned(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t)
	f.post(t, "/customers/push_data", everyKind(t))
	space := f.post(t, "/spaces/get", `{"space_key": "space-1"}`).at("space").(object)
	require.Equal(t, object{"time_zone": "Europe/Lisbon", "default_checkin_time": "15:00", "default_checkout_time": "11:00:30", "address": "Rua Augusta 1\n1100-048 Lisboa"}, space["customer_data"])
	require.InDelta(t, 90, space["duration_minutes"], 0)
	require.Equal(t, "space", space["kind"])
	listing := f.post(t, "/spaces/get", `{"space_key": "property-listing-1"}`).at("space").(object)
	require.Equal(t, object{"external_id": "x-1", "vip": true, "hidden": false}, listing["custom_metadata"])
	require.Equal(t, "property_listing", listing["kind"])
	require.NotContains(t, listing, "customer_data")
	resident := f.post(t, "/user_identities/get", `{"user_identity_key": "resident-1"}`).at("user_identity").(object)
	require.Nil(t, resident["email_address"])
	require.Equal(t, "resident", resident["kind"])
	stay := f.post(t, "/access_grants/get", `{"access_grant_key": "reservation-1"}`).at("access_grant").(object)
	require.Equal(t, object{"channel": "web", "paid": true}, stay["custom_metadata"])
	require.Equal(t, []any{"room-101", "pool"}, stay["space_keys"])
	require.Equal(t, "guest-1", stay["user_identity_key"])
	require.Equal(t, "123456", stay["requested_access_methods"].([]any)[0].(object)["code"])

	f.post(t, "/customers/push_data", `{"customer_key": "Acme Hotels", "reservations": [{"reservation_key": "reservation-1", "preferred_code": "no code"}]}`)
	require.Empty(t, f.post(t, "/access_grants/get", `{"access_grant_key": "reservation-1"}`).at("access_grant", "requested_access_methods"))
}

// TestPushAndSync_OptionsInTheQuery_TakeEffect sends each option of a push and a dry run of a sync.
func TestPushAndSync_OptionsInTheQuery_TakeEffect(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		body := `{"customer_key": "c", "guests": [{"guest_key": "g", "name": "G", "email_address": "g@example.com"}]}`
		dry := f.post(t, "/customers/push_data?dry_run=true&_strict=true", body)
		require.InDelta(t, 1, dry.at("report", "created", "user_identities"), 0)
		require.Empty(t, storeRows(t, f.store))
		f.post(t, "/customers/push_data", body)
		short := `{"customer_key": "c", "guests": [{"guest_key": "g", "name": "G"}]}`
		require.InDelta(t, 1, f.post(t, "/customers/push_data", short).at("report", "unchanged", "user_identities"), 0)
		require.InDelta(t, 1, f.post(t, "/customers/push_data?replace=true", short).at("report", "updated", "user_identities"), 0)
		skipped := f.post(t, "/customers/push_data?skip_invalid=true", `{"customer_key": "c", "rooms": [{"room_key": "1"}, {"room_key": "2", "name": "Two"}]}`)
		require.Equal(t, "rooms[0].name", list(skipped.at("report", "skipped"))[0].(object)["path"])
		require.InDelta(t, 1, skipped.at("report", "created", "spaces"), 0)

		before := storeRows(t, f.store)
		sync := f.post(t, "/customers/sync_data?dry_run=true", short)
		require.Equal(t, "2", list(sync.at("report", "deleted"))[0].(object)["key"])
		require.Equal(t, before, storeRows(t, f.store))
		require.Equal(t, sync.at("report"), f.post(t, "/customers/sync_data", short).at("report"))
		f.expectError(t, http.StatusNotFound, "space_not_found", http.MethodGet, "/spaces/get?space_key=2", "")
	})
}

// TestChanges_Cursor_ContinuesAfterTheLastChange reads the feed in pages, then new changes and a trimmed feed.
func TestChanges_Cursor_ContinuesAfterTheLastChange(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		var seen []string
		cursor := any(nil)
		read := func(limit int) bool {
			page := f.post(t, "/customers/changes", object{"limit": limit, "page_cursor": cursor})
			require.LessOrEqual(t, len(list(page.body["changes"])), limit)
			for _, c := range list(page.body["changes"]) {
				seen = append(seen, c.(object)["change"].(string)+" "+c.(object)["key"].(string))
			}
			cursor = page.at("pagination", "next_page_cursor")
			require.NotNil(t, cursor, "the feed always has a next cursor")
			return page.at("pagination", "has_next_page") == true
		}
		for read(5) {
		}
		require.Len(t, seen, 23) // 22 resources and the customer
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), 23)
		seen = nil
		require.False(t, read(5))
		require.Empty(t, seen)
		f.post(t, "/customers/delete_data", `{"room_keys": ["room-101"]}`)
		require.False(t, read(5))
		require.Equal(t, []string{"deleted room-101", "updated staff-1", "updated reservation-1"}, sortByPrefix(seen, "deleted", "updated staff", "updated res"))

		_, err := f.a.TrimChanges(t.Context(), f.clock.Now().Add(time.Hour))
		require.NoError(t, err)
		f.post(t, "/customers/push_data", `{"customer_key": "Acme Hotels", "rooms": [{"room_key": "9", "name": "Nine"}]}`)
		require.False(t, read(5), "the trimmed changes were read before")
		first := f.post(t, "/customers/changes", `{}`)
		require.Len(t, list(first.body["changes"]), 1, "the feed starts with the first change that was not trimmed")
	})
}

// sortByPrefix sorts texts by the position of their prefix in prefixes.
func sortByPrefix(texts []string, prefixes ...string) []string {
	slices.SortFunc(texts, func(a, b string) int {
		position := func(s string) int {
			return slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
		}
		return position(a) - position(b)
	})
	return texts
}

// TestChanges_ChangesAfterTheCursorTrimmed_IsAConflict trims changes that a slow reader has not read.
func TestChanges_ChangesAfterTheCursorTrimmed_IsAConflict(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		push := func(key string) {
			f.post(t, "/customers/push_data", `{"customer_key": "c", "rooms": [{"room_key": "`+key+`", "name": "R"}]}`)
		}
		push("1")
		behind := f.post(t, "/customers/changes", `{}`).at("pagination", "next_page_cursor").(string)
		push("2")
		_, err := f.a.TrimChanges(t.Context(), f.clock.Now().Add(time.Hour))
		require.NoError(t, err)
		out := f.expectError(t, http.StatusConflict, "conflict", http.MethodGet, "/customers/changes?page_cursor="+behind, "")
		require.Contains(t, out.at("error", "message"), "were trimmed")
	})
}

// TestChanges_CursorOfAnotherStore_IsAConflict reads the feed with a cursor from another store, as after a restored backup.
func TestChanges_CursorOfAnotherStore_IsAConflict(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "R"}]}`)
		other := data.Open(memory.New(), data.Options{}).Workspace(f.a.ID())
		_, err := other.Push(t.Context(), data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("1", "R")}})
		require.NoError(t, err)
		for c, err := range other.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			cursor, err := c.Cursor.MarshalText()
			require.NoError(t, err)
			out := f.expectError(t, http.StatusConflict, "conflict", http.MethodGet, "/customers/changes?page_cursor="+string(cursor), "")
			require.Contains(t, out.at("error", "message"), "restored")
		}
	})
}

// TestChanges_ActorAndChangedFields_AreReturned reads the changes of the host, a portal and a connector.
func TestChanges_ActorAndChangedFields_AreReturned(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "R"}]}`)
		id := uuid.New()
		_, err := f.a.PushWith(t.Context(), data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("1", "S")}},
			data.PushOptions{Actor: data.Actor{Type: data.ActorPortal, PortalID: id}})
		require.NoError(t, err)
		_, err = f.a.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "1")},
			data.DeleteOptions{Actor: data.Actor{Type: data.ActorConnector, Name: "ical"}})
		require.NoError(t, err)
		var actors, fields []any
		for _, c := range list(f.post(t, "/customers/changes", `{}`).body["changes"]) {
			actors = append(actors, c.(object)["actor"])
			fields = append(fields, c.(object)["changed_fields"])
		}
		require.Equal(t, []any{
			object{"type": "host"}, object{"type": "portal", "customer_portal_id": id.String()}, object{"type": "connector", "name": "ical"},
		}, actors)
		require.Equal(t, []any{nil, []any{"name"}, nil}, fields)
	})
}

// TestExport_Synced_ChangesNothing syncs a customer to its own export.
func TestExport_Synced_ChangesNothing(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		exported := f.post(t, "/customers/export_data", `{"customer_key": "Acme Hotels"}`).at("customer_data")
		before := storeRows(t, f.store)
		report := f.post(t, "/customers/sync_data", exported).at("report").(object)
		require.Equal(t, object{"spaces": 11.0, "user_identities": 6.0, "access_grants": 5.0}, report["unchanged"])
		require.Equal(t, before, storeRows(t, f.store))
	})
}

// TestPlanDelete_QueryAndBody_SelectTheSame sends the same selection in a query and in a body.
func TestPlanDelete_QueryAndBody_SelectTheSame(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		f.post(t, "/customers/push_data", everyKind(t))
		body := `{"customer_key": "Acme Hotels", "guest_keys": ["guest-1", "nobody"], "room_keys": ["room-101"], "site_keys": ["site-1"], "unit_keys": []}`
		byBody := f.post(t, "/customers/plan_delete", body).at("plan")
		byQuery := f.send(t, keyA, http.MethodGet, "/customers/plan_delete?"+queryFromJSON(t, body), "").at("plan")
		require.Equal(t, byBody, byQuery)
		require.NotEmpty(t, byBody.(object)["deleted"])
		require.NotEmpty(t, byBody.(object)["detached"])
		require.NotEmpty(t, byBody.(object)["not_found"])
	})
}
