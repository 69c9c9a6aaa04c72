package httpapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// changeInPortal pushes a customer with the bookings b1, b2 and b3. In a portal it renames b1, cancels b2 and creates a fourth
// booking, whose key it returns.
func changeInPortal(t *testing.T, f *fixture) (created string) {
	t.Helper()
	f.post(t, "/customers/push_data", hostBookings("b1", "b2", "b3"))
	p, err := f.portals.Create(t.Context(), f.a, portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	s, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	_, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b1", Name: "From the portal"}, portal.WriteOptions{})
	require.NoError(t, err)
	_, err = s.CancelAccessGrant(t.Context(), "b2", portal.WriteOptions{})
	require.NoError(t, err)
	booking, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: data.AccessGrant{
		Kind: data.KindBooking, Name: "New", Spaces: data.Refs(data.KindRoom, "101"),
	}}, portal.WriteOptions{})
	require.NoError(t, err)
	return booking.Key
}

// hostBookings returns the data of the customer "acme": a room and bookings, each with the name "From the host".
func hostBookings(keys ...string) object {
	all := []object{}
	for _, key := range keys {
		all = append(all, object{"booking_key": key, "name": "From the host", "room_keys": []string{"101"}})
	}
	return object{"customer_key": "acme", "rooms": []object{{"room_key": "101", "name": "Room 101"}}, "bookings": all}
}

// bookingNames returns the names of the customer's bookings by key.
func bookingNames(t *testing.T, f *fixture) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, b := range list(f.post(t, "/customers/export_data", `{"customer_key": "acme"}`).at("customer_data", "bookings")) {
		out[b.(object)["booking_key"].(string)] = b.(object)["name"].(string)
	}
	return out
}

// outcomes returns the change of each booking in a report, and the changes made in a portal that the report names.
func outcomes(r reply) map[string]object {
	out := map[string]object{}
	for _, resource := range list(r.at("report", "resources")) {
		if r := resource.(object); r["kind"] == "booking" {
			out[r["key"].(string)] = object{"change": r["change"], "portal": r["portal"]}
		}
	}
	return out
}

const (
	hostName   = "From the host"
	portalName = "From the portal"
)

// TestPush_KeepPortalChanges_KeepsOrOverwritesThem pushes the customer again after the changes in the portal.
func TestPush_KeepPortalChanges_KeepsOrOverwritesThem(t *testing.T) {
	t.Parallel()
	unchanged := object{"change": "unchanged", "portal": nil}
	for name, c := range map[string]struct {
		query string
		names map[string]string // of b1 to b3, after the push
		b1    object
		b2    object
	}{
		"without": {
			"", map[string]string{"b1": hostName, "b2": hostName, "b3": hostName},
			object{"change": "updated", "portal": object{"overwritten": []any{"name"}}}, object{"change": "created", "portal": object{"cancelled": true}},
		},
		"false": {
			"?keep_portal_changes=false", map[string]string{"b1": hostName, "b2": hostName, "b3": hostName},
			object{"change": "updated", "portal": object{"overwritten": []any{"name"}}}, object{"change": "created", "portal": object{"cancelled": true}},
		},
		"with": {
			"?keep_portal_changes=true", map[string]string{"b1": portalName, "b3": hostName},
			object{"change": "unchanged", "portal": object{"kept": []any{"name"}}}, object{"change": "cancelled", "portal": object{"cancelled": true}},
		},
		"with, dry run": {
			"?keep_portal_changes=true&dry_run=true", map[string]string{"b1": portalName, "b3": hostName},
			object{"change": "unchanged", "portal": object{"kept": []any{"name"}}}, object{"change": "cancelled", "portal": object{"cancelled": true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEachBackend(t, func(t *testing.T, f *fixture) {
				created := changeInPortal(t, f)
				out := f.post(t, "/customers/push_data"+c.query, hostBookings("b1", "b2", "b3"))
				require.Equal(t, map[string]object{"b1": c.b1, "b2": c.b2, "b3": unchanged}, outcomes(out))
				want := map[string]string{created: "New"}
				for key, name := range c.names {
					want[key] = name
				}
				require.Equal(t, want, bookingNames(t, f), "a push does not change the booking that it does not contain")
			})
		})
	}
}

// TestPush_NewValueWithKeepPortalChanges_OverwritesTheChange pushes a value that the host did not push before.
func TestPush_NewValueWithKeepPortalChanges_OverwritesTheChange(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		changeInPortal(t, f)
		out := f.post(t, "/customers/push_data?keep_portal_changes=true",
			`{"customer_key": "acme", "bookings": [{"booking_key": "b1", "name": "New from the host"}]}`)
		require.Equal(t, map[string]object{"b1": {"change": "updated", "portal": object{"overwritten": []any{"name"}}}}, outcomes(out))
		require.Equal(t, "New from the host", bookingNames(t, f)["b1"])
	})
}

// TestSync_AllAndKeepPortalChanges_KeepOrOverwritePortalChanges syncs the customer after the changes in the portal.
func TestSync_AllAndKeepPortalChanges_KeepOrOverwritePortalChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query   string
		b1, b2  string // the names after the sync; empty if the booking does not exist
		created bool   // reports whether the booking created in the portal exists after the sync
	}{
		"without":   {"", hostName, hostName, true},
		"all":       {"?all=true", hostName, hostName, false},
		"keep":      {"?keep_portal_changes=true", portalName, "", true},
		"all, keep": {"?all=true&keep_portal_changes=true", portalName, "", false},
		"neither":   {"?all=false&keep_portal_changes=false", hostName, hostName, true},
	} {
		t.Run(name, func(t *testing.T) {
			forEachBackend(t, func(t *testing.T, f *fixture) {
				created := changeInPortal(t, f)
				out := f.post(t, "/customers/sync_data"+c.query, hostBookings("b1", "b2")) // without b3, which the host created
				want, deleted := map[string]string{"b1": c.b1}, []string{"b3"}
				if c.b2 != "" {
					want["b2"] = c.b2
				}
				if c.created {
					want[created] = "New"
				} else {
					deleted = append(deleted, created)
				}
				require.Equal(t, want, bookingNames(t, f))
				var reported []string
				for _, d := range list(out.at("report", "deleted")) {
					reported = append(reported, d.(object)["key"].(string))
				}
				require.ElementsMatch(t, deleted, reported)
			})
		})
	}
}

// TestSync_WithoutACancelledKey_ForgetsTheCancellation syncs without the cancelled booking. After that, a push creates the
// booking.
func TestSync_WithoutACancelledKey_ForgetsTheCancellation(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		changeInPortal(t, f)
		f.post(t, "/customers/sync_data?keep_portal_changes=true", hostBookings("b1", "b3"))
		out := f.post(t, "/customers/push_data?keep_portal_changes=true", hostBookings("b2"))
		require.Equal(t, map[string]object{"b2": {"change": "created", "portal": nil}}, outcomes(out))
		require.Equal(t, hostName, bookingNames(t, f)["b2"])
	})
}

// TestDelete_CancelledKey_ForgetsTheCancellation deletes the key of a cancelled booking. The report contains the key as not
// found. After that, a push creates the booking.
func TestDelete_CancelledKey_ForgetsTheCancellation(t *testing.T) {
	forEachBackend(t, func(t *testing.T, f *fixture) {
		changeInPortal(t, f)
		out := f.post(t, "/customers/delete_data", `{"customer_key": "acme", "booking_keys": ["b2"]}`)
		require.Len(t, list(out.at("report", "not_found")), 1)
		out = f.post(t, "/customers/push_data?keep_portal_changes=true", hostBookings("b2"))
		require.Equal(t, map[string]object{"b2": {"change": "created", "portal": nil}}, outcomes(out))
	})
}
