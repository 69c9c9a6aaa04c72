package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

const createGuestLink = "/customers/reservations/create_guest_link"

// TestCreateGuestLink_Stay_UnlocksItsDoor creates a guest link, unlocks the door with it, and changes, revokes and deletes.
func TestCreateGuestLink_Stay_UnlocksItsDoor(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	f.post(t, "/spaces/add_devices", object{"space_id": f.spaceID(t, "101"), "device_ids": []string{ids.lock}})
	stay := func(ends time.Time) {
		f.post(t, "/customers/push_data", object{"customer_key": "hotel", "guests": []object{{"guest_key": "g", "name": "Ada"}}, "reservations": []object{{
			"reservation_key": "r", "guest_key": "g", "room_keys": []string{"101"}, "starts_at": f.clock.Now().Add(-time.Hour), "ends_at": ends,
		}}})
	}
	ends := f.clock.Now().Add(24 * time.Hour).Truncate(time.Second)
	stay(ends)
	made := f.post(t, createGuestLink, `{"customer_key": "hotel", "reservation_key": "r"}`)
	require.Equal(t, data.FormatTime(ends), made.at("guest_link", "expires_at"))
	s, err := f.portals.OpenSession(t.Context(), code(t, made.at("guest_link", "url")), "")
	require.NoError(t, err)
	a, err := s.UnlockDoor(t.Context(), uuid.MustParse(ids.lock), "0123456789abcdef")
	require.NoError(t, err)
	require.Equal(t, "success", f.ended(t, f.post(t, "/action_attempts/get", object{"action_attempt_id": a.ID})).at("status"))

	id := object{"customer_portal_id": made.at("guest_link", "customer_portal_id")}
	get := func() document {
		return document(f.post(t, "/seam/customer/v1/portals/get", id).at("customer_portal").(object))
	}
	require.Equal(t, "live", get().at("state"))
	stay(ends.Add(24 * time.Hour))
	require.Equal(t, data.FormatTime(ends.Add(24*time.Hour)), get().at("expires_at"), "an extended stay")
	f.post(t, "/customers/delete_data", `{"reservation_keys": ["r"]}`)
	require.Equal(t, "revoked", get().at("state"))
	_, err = s.UnlockDoor(t.Context(), uuid.MustParse(ids.lock), "0123456789abcdefg")
	require.ErrorIs(t, err, portal.ErrRevoked)
}

func TestCreateGuestLink_BadInput_NamesThePath(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	f.post(t, "/customers/push_data", object{"customer_key": "hotel", "reservations": []object{
		{"reservation_key": "open", "room_keys": []string{"101"}}, {"reservation_key": "cancelled", "room_keys": []string{"101"}, "ends_at": f.clock.Now().Add(time.Hour)},
		{"reservation_key": "over", "room_keys": []string{"101"}, "ends_at": f.clock.Now().Add(-time.Hour)},
	}})
	f.post(t, "/customers/push_data", object{"customer_key": "other", "reservations": []object{{"reservation_key": "foreign", "room_keys": []string{"o1"}, "ends_at": f.clock.Now().Add(time.Hour)}}})
	f.post(t, "/customers/delete_data", `{"reservation_keys": ["cancelled"]}`)
	before := f.post(t, "/customers/portals/list", `{"customer_key": "hotel"}`).body
	for key, want := range map[string]string{
		"unknown": "does not exist for this customer", "cancelled": "does not exist for this customer", "foreign": "does not exist for this customer",
		"open": "without an end", "over": "has ended",
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, createGuestLink, `{"customer_key": "hotel", "reservation_key": "`+key+`"}`)
		require.Contains(t, list(out.at("error", "validation_errors", "reservation_key", "_errors"))[0], want, key)
	}
	for path, body := range map[string]string{
		"reservation_key": `{"customer_key": "hotel"}`, "customer_key": `{"reservation_key": "open"}`,
		"nights": `{"customer_key": "hotel", "reservation_key": "open", "nights": 2}`,
	} {
		require.Contains(t, f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, createGuestLink, body).raw, path)
	}
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, createGuestLink, `{"customer_key": "nobody", "reservation_key": "open"}`)
	require.Equal(t, before, f.post(t, "/customers/portals/list", `{"customer_key": "hotel"}`).body)
}

// TestCreateGuestLink_OtherWorkspace_FindsNothing names the customer and the reservation of another workspace.
func TestCreateGuestLink_OtherWorkspace_FindsNothing(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	f.post(t, "/customers/push_data", object{"customer_key": "hotel", "reservations": []object{{"reservation_key": "r", "room_keys": []string{"101"}, "ends_at": f.clock.Now().Add(time.Hour)}}})
	const body = `{"customer_key": "hotel", "reservation_key": "r"}`
	require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, createGuestLink, body).status)
	require.Equal(t, http.StatusOK, f.send(t, keyB, http.MethodPost, "/customers/push_data", `{"customer_key": "hotel", "rooms": [{"room_key": "101", "name": "B"}]}`).status)
	out := f.send(t, keyB, http.MethodPost, createGuestLink, body)
	require.Equal(t, http.StatusBadRequest, out.status)
	require.Contains(t, out.raw, "reservation_key")
	f.post(t, createGuestLink, body)
}

func TestCreateGuestLink_ServiceWithoutDevices_IsNotFound(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Portals = newService(t, data.Open(o.Portals.DB().Store(), data.Options{})) })
	require.Equal(t, http.StatusNotFound, f.send(t, keyA, http.MethodPost, createGuestLink, `{"customer_key": "c", "reservation_key": "r"}`).status)
}
