package httpapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// changedInPortal pushes a customer with three bookings and changes it in a portal: b1 is
// renamed, b2 is cancelled, and a fourth booking is created, whose key is returned. b3 stays.
func changedInPortal(t *testing.T, f *fixture) (created string) {
	t.Helper()
	f.post(t, "/customers/push_data", hostsBookings("b1", "b2", "b3"))
	p, err := f.portals.Create(t.Context(), f.a, portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	s, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b1", Name: "From the portal"}, portal.WriteOptions{})
	require.NoError(t, err)
	_, err = s.CancelAccessGrant(t.Context(), "b2", portal.WriteOptions{})
	require.NoError(t, err)
	made, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{
		Kind: data.KindBooking, Name: "New", Spaces: data.Refs(data.KindRoom, "101"),
	}}, portal.WriteOptions{})
	require.NoError(t, err)
	return made.Key
}

// hostsBookings is the customer "acme" with a room and bookings, each with the name "From the host".
func hostsBookings(keys ...string) object {
	all := []object{}
	for _, key := range keys {
		all = append(all, object{"booking_key": key, "name": "From the host", "room_keys": []string{"101"}})
	}
	return object{"customer_key": "acme", "rooms": []object{{"room_key": "101", "name": "Room 101"}}, "bookings": all}
}

// namesOfBookings returns the names of the customer's bookings by key.
func namesOfBookings(t *testing.T, f *fixture) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, b := range list(f.post(t, "/customers/export_data", `{"customer_key": "acme"}`).at("customer_data", "bookings")) {
		out[b.(object)["booking_key"].(string)] = b.(object)["name"].(string)
	}
	return out
}

// outcomes returns what the report says about each booking and about changes made in a portal.
func outcomes(answer reply) map[string]object {
	out := map[string]object{}
	for _, r := range list(answer.at("report", "resources")) {
		if r := r.(object); r["kind"] == "booking" {
			out[r["key"].(string)] = object{"change": r["change"], "portal": r["portal"]}
		}
	}
	return out
}

const (
	ofHost   = "From the host"
	ofPortal = "From the portal"
)

func TestPushData_KeepPortalChanges_DecidesAboutPortalChanges(t *testing.T) {
	t.Parallel()
	unchanged := object{"change": "unchanged", "portal": nil}
	for name, c := range map[string]struct {
		query string
		names map[string]string // of b1 to b3, after the push
		b1    object
		b2    object
	}{
		"without": {
			"", map[string]string{"b1": ofHost, "b2": ofHost, "b3": ofHost},
			object{"change": "updated", "portal": object{"overwritten": []any{"name"}}}, object{"change": "created", "portal": object{"cancelled": true}},
		},
		"false": {
			"?keep_portal_changes=false", map[string]string{"b1": ofHost, "b2": ofHost, "b3": ofHost},
			object{"change": "updated", "portal": object{"overwritten": []any{"name"}}}, object{"change": "created", "portal": object{"cancelled": true}},
		},
		"with": {
			"?keep_portal_changes=true", map[string]string{"b1": ofPortal, "b3": ofHost},
			object{"change": "unchanged", "portal": object{"kept": []any{"name"}}}, object{"change": "cancelled", "portal": object{"cancelled": true}},
		},
		"with, dry run": {
			"?keep_portal_changes=true&dry_run=true", map[string]string{"b1": ofPortal, "b3": ofHost},
			object{"change": "unchanged", "portal": object{"kept": []any{"name"}}}, object{"change": "cancelled", "portal": object{"cancelled": true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				created := changedInPortal(t, f)
				answer := f.post(t, "/customers/push_data"+c.query, hostsBookings("b1", "b2", "b3"))
				require.Equal(t, map[string]object{"b1": c.b1, "b2": c.b2, "b3": unchanged}, outcomes(answer))
				want := map[string]string{created: "New"}
				for key, name := range c.names {
					want[key] = name
				}
				require.Equal(t, want, namesOfBookings(t, f), "a push leaves alone what it does not name")
			})
		})
	}
}

// TestPushData_NewValueWithKeepPortalChanges_Wins pushes a value that the host did not push before.
func TestPushData_NewValueWithKeepPortalChanges_Wins(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		changedInPortal(t, f)
		answer := f.post(t, "/customers/push_data?keep_portal_changes=true",
			`{"customer_key": "acme", "bookings": [{"booking_key": "b1", "name": "New from the host"}]}`)
		require.Equal(t, map[string]object{"b1": {"change": "updated", "portal": object{"overwritten": []any{"name"}}}}, outcomes(answer))
		require.Equal(t, "New from the host", namesOfBookings(t, f)["b1"])
	})
}

func TestSyncData_AllAndKeepPortalChanges_DecideAboutPortalChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query   string
		b1, b2  string // their names after the sync; empty: it does not exist
		created bool   // the booking that was created in the portal exists
	}{
		"without":   {"", ofHost, ofHost, true},
		"all":       {"?all=true", ofHost, ofHost, false},
		"keep":      {"?keep_portal_changes=true", ofPortal, "", true},
		"all, keep": {"?all=true&keep_portal_changes=true", ofPortal, "", false},
		"neither":   {"?all=false&keep_portal_changes=false", ofHost, ofHost, true},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				created := changedInPortal(t, f)
				answer := f.post(t, "/customers/sync_data"+c.query, hostsBookings("b1", "b2")) // b3 is the host's, and no longer listed
				want, deleted := map[string]string{"b1": c.b1}, []string{"b3"}
				if c.b2 != "" {
					want["b2"] = c.b2
				}
				if c.created {
					want[created] = "New"
				} else {
					deleted = append(deleted, created)
				}
				require.Equal(t, want, namesOfBookings(t, f))
				var reported []string
				for _, d := range list(answer.at("report", "deleted")) {
					reported = append(reported, d.(object)["key"].(string))
				}
				require.ElementsMatch(t, deleted, reported)
			})
		})
	}
}

// TestSyncData_CancelledKeyNoLongerListed_IsForgotten syncs without the cancelled booking, after
// which a push creates it as any other.
func TestSyncData_CancelledKeyNoLongerListed_IsForgotten(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		changedInPortal(t, f)
		f.post(t, "/customers/sync_data?keep_portal_changes=true", hostsBookings("b1", "b3"))
		answer := f.post(t, "/customers/push_data?keep_portal_changes=true", hostsBookings("b2"))
		require.Equal(t, map[string]object{"b2": {"change": "created", "portal": nil}}, outcomes(answer))
		require.Equal(t, ofHost, namesOfBookings(t, f)["b2"])
	})
}

// TestDeleteData_CancelledKey_IsForgotten deletes the key of a cancelled booking, which the
// answer reports as not found, after which a push creates it as any other.
func TestDeleteData_CancelledKey_IsForgotten(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		changedInPortal(t, f)
		answer := f.post(t, "/customers/delete_data", `{"customer_key": "acme", "booking_keys": ["b2"]}`)
		require.Len(t, list(answer.at("report", "not_found")), 1)
		answer = f.post(t, "/customers/push_data?keep_portal_changes=true", hostsBookings("b2"))
		require.Equal(t, map[string]object{"b2": {"change": "created", "portal": nil}}, outcomes(answer))
	})
}
