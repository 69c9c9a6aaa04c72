package data_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// estate has every kind of reference for which the cascade has a row.
const estate = `{"customer_key": "acme",
	"sites": [{"site_key": "lisbon", "name": "Lisbon"}, {"site_key": "porto", "name": "Porto"}],
	"rooms": [
		{"room_key": "101", "name": "101", "parent_site_key": "lisbon"},
		{"room_key": "102", "name": "102", "parent_site_key": "lisbon"},
		{"room_key": "201", "name": "201", "parent_site_key": "porto"}],
	"units": [{"unit_key": "u", "name": "Named as a site, and is none"}],
	"common_areas": [
		{"common_area_key": "pool", "name": "Pool", "parent_site_key": "lisbon"},
		{"common_area_key": "attic", "name": "Attic", "parent_site_key": "u"}],
	"guests": [{"guest_key": "ada", "name": "Ada"}, {"guest_key": "bob", "name": "Bob"}],
	"staff_members": [{"staff_member_key": "mia", "name": "Mia", "site_keys": ["lisbon", "porto"], "room_keys": ["101"], "unit_keys": ["101"]}],
	"access_grants": [{"access_grant_key": "nowhere", "guest_key": "ada"}],
	"reservations": [
		{"reservation_key": "one", "guest_key": "ada", "room_keys": ["101"]},
		{"reservation_key": "two", "guest_key": "bob", "room_keys": ["101", "201"]},
		{"reservation_key": "all", "guest_key": "bob", "room_keys": ["101", "102"], "common_area_keys": ["pool"]},
		{"reservation_key": "waits", "guest_key": "bob", "room_keys": ["102", "not-yet"]}]}`

func TestDelete_EachRelation_AppliesCascade(t *testing.T) {
	tests := []struct {
		name     string
		delete   string
		deleted  []string // the deleted resources, each with the resource that caused its deletion
		detached []string
		left     string // the export after the delete, or empty
	}{
		{
			name: "a site is deleted with its spaces, and with grants that have no other space", delete: `{"site_keys": ["lisbon"]}`,
			deleted: []string{
				"site lisbon", "room 101 (site lisbon)", "room 102 (site lisbon)", "common_area pool (site lisbon)",
				"reservation one (room 101)", "reservation all (common_area pool)",
			},
			detached: []string{
				"staff_member mia -> site lisbon", "staff_member mia -> room 101",
				"reservation two -> room 101", "reservation waits -> room 102",
			},
			left: `{"customer_key": "acme",
				"sites": [{"site_key": "porto", "name": "Porto"}],
				"rooms": [{"room_key": "201", "name": "201", "parent_site_key": "porto"}],
				"units": [{"unit_key": "u", "name": "Named as a site, and is none"}],
				"common_areas": [{"common_area_key": "attic", "name": "Attic", "parent_site_key": "u"}],
				"guests": [{"guest_key": "ada", "name": "Ada"}, {"guest_key": "bob", "name": "Bob"}],
				"staff_members": [{"staff_member_key": "mia", "name": "Mia", "site_keys": ["porto"]}],
				"access_grants": [{"access_grant_key": "nowhere", "guest_key": "ada"}],
				"reservations": [
					{"reservation_key": "two", "guest_key": "bob", "room_keys": ["201"]},
					{"reservation_key": "waits", "guest_key": "bob", "room_keys": ["not-yet"]}]}`,
		},
		{
			name: "a space is deleted with grants that have no other space; other grants and staff are detached", delete: `{"room_keys": ["101"]}`,
			deleted: []string{"room 101", "reservation one (room 101)"},
			detached: []string{
				"staff_member mia -> room 101", "reservation two -> room 101", "reservation all -> room 101",
			},
		},
		{
			name: "a grant is deleted with the last of its spaces", delete: `{"room_keys": ["101", "201"]}`,
			deleted:  []string{"room 101", "room 201", "reservation one (room 101)", "reservation two (room 201)"},
			detached: []string{"staff_member mia -> room 101", "reservation all -> room 101"},
		},
		{
			name: "a key finds its resource under any alias of the class", delete: `{"unit_keys": ["201"]}`,
			deleted:  []string{"room 201"},
			detached: []string{"reservation two -> room 201"},
		},
		{
			name: "a parent site that is not a site only detaches its spaces", delete: `{"unit_keys": ["u"]}`,
			deleted:  []string{"unit u"},
			detached: []string{"common_area attic -> unit u"},
		},
		{
			name: "a user identity is deleted with its grants", delete: `{"guest_keys": ["ada"]}`,
			deleted: []string{"guest ada", "access_grant nowhere (guest ada)", "reservation one (guest ada)"},
		},
		{
			name: "an access grant is deleted alone", delete: `{"reservation_keys": ["one"]}`,
			deleted: []string{"reservation one"},
		},
		{
			name: "a selected resource has no cause", delete: `{"reservation_keys": ["one"], "guest_keys": ["ada"]}`,
			deleted: []string{"reservation one", "guest ada", "access_grant nowhere (guest ada)"},
		},
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, test := range tests {
			_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
			require.Empty(t, dumpAfterSweep(t, ws), "a deleted customer leaves no rows")
			_, err = pushJSON(t, ws, estate)
			require.NoError(t, err)

			var sel data.Selection
			require.NoError(t, json.Unmarshal([]byte(test.delete), &sel))
			before := dump(t, ws)
			plan, err := ws.PlanDelete(t.Context(), sel)
			require.NoError(t, err)
			require.Equal(t, before, dump(t, ws), "a plan changes nothing")
			report, err := ws.Delete(t.Context(), sel)
			require.NoError(t, err)
			require.Equal(t, plan, report, test.name)

			var deleted, detached []string
			for _, d := range report.Deleted {
				line := data.Ref{Kind: d.Kind, Key: d.Key}.String()
				if d.Because != nil {
					line += " (" + d.Because.String() + ")"
				}
				deleted = append(deleted, line)
				_, err := ws.SpaceByID(t.Context(), d.ID)
				require.ErrorIs(t, err, data.ErrResourceNotFound)
			}
			for _, d := range report.Detached {
				detached = append(detached, d.From.String()+" -> "+d.To.String())
			}
			require.ElementsMatch(t, test.deleted, deleted, test.name)
			require.ElementsMatch(t, test.detached, detached, test.name)
			if test.left != "" {
				require.JSONEq(t, test.left, export(t, ws, "acme"), test.name)
			}

			again, err := ws.Delete(t.Context(), sel)
			require.NoError(t, err, "a delete can be repeated")
			require.Empty(t, again.Deleted)
			require.Equal(t, sel.Resources, again.NotFound)

			// The remaining resources have correct counts and indexes: pushed to another customer and deleted, they leave no rows.
			rest, err := ws.Export(t.Context(), "acme")
			require.NoError(t, err)
			other := "another"
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
			rest.CustomerKey = other
			_, err = ws.Push(t.Context(), rest)
			require.NoError(t, err)
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{other}})
			require.NoError(t, err)
			require.Empty(t, dumpAfterSweep(t, ws))
		}
	})
}

func TestDelete_Customer_DeletesEverythingAndFreesKeys(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		push(t, ws, "other", data.Room("999", "Stays"))
		room, err := ws.Space(t.Context(), "101")
		require.NoError(t, err)

		sel := data.Selection{CustomerKeys: []string{"acme", "nobody", "acme"}, Resources: data.Refs(data.KindRoom, "101")}
		plan, err := ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		report, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Equal(t, []string{"acme"}, report.Customers)
		require.Equal(t, []string{"nobody"}, report.CustomersNotFound)
		require.Equal(t, map[data.Kind]int{
			data.KindSite: 1, data.KindRoom: 2, data.KindGuest: 1, data.KindReservation: 1,
		}, report.DeletedByKind())
		_, err = ws.Customer(t.Context(), "acme")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = ws.SpaceByID(t.Context(), room.Meta.ID)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = ws.Space(t.Context(), "999")
		require.NoError(t, err)

		// The keys are free, and a new resource gets a new id.
		push(t, ws, "other", data.Room("101", "Taken over"))
		taken, err := ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.NotEqual(t, room.Meta.ID, taken.Meta.ID)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"other"}})
		require.NoError(t, err)
		require.Empty(t, dumpAfterSweep(t, ws), "the delete leaves no rows")
	})
}

func TestDelete_ResourcesOfSeveralCustomers_DeletesEach(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"), data.Reservation("ra", data.Ref{}, data.Refs(data.KindRoom, "1")...))
		push(t, ws, "b", data.Room("2", "Two"), data.Reservation("rb", data.Ref{}, data.Refs(data.KindRoom, "2", "1")...))
		report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "1", "2", "3")})
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindRoom: 2, data.KindReservation: 1}, report.DeletedByKind())
		require.Equal(t, data.Refs(data.KindRoom, "3"), report.NotFound)
		// The room of customer a is not the target of the reference from customer b, so b keeps the reference.
		require.JSONEq(t, `{"customer_key": "b", "reservations": [{"reservation_key": "rb", "room_keys": ["1"]}]}`, export(t, ws, "b"))
	})
}

func TestDelete_ResourceOfOtherCustomer_ReturnsConflict(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"))
		push(t, ws, "b", data.Unit("2", "Two"))
		before := dump(t, ws)
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKey: "a", Resources: data.Refs(data.KindRoom, "1", "2")})
		require.Equal(t, []string{"room_keys[1] key_conflict"}, faults(t, err))
		var conflict *data.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, data.Owner{CustomerKey: "b", Kind: data.KindUnit}, conflict.Holder)
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKey: "a", CustomerKeys: []string{"b"}})
		require.Equal(t, []string{"customer_keys[0] key_conflict"}, faults(t, err))
		require.Equal(t, before, dump(t, ws))

		_, err = ws.Delete(t.Context(), data.Selection{CustomerKey: "a", Resources: data.Refs(data.KindRoom, "1")})
		require.NoError(t, err)
	})
}

func TestSelection_JSON_RoundTrips(t *testing.T) {
	t.Parallel()
	const body = `{"customer_key": "c", "customer_keys": ["a"], "room_keys": ["1", "2"], "site_keys": ["s"], "staff_member_keys": ["m"]}`
	var sel data.Selection
	require.NoError(t, json.Unmarshal([]byte(body), &sel))
	require.Equal(t, "c", sel.CustomerKey)
	b, err := json.Marshal(sel)
	require.NoError(t, err)
	require.JSONEq(t, body, string(b))
	require.ErrorIs(t, sel.UnmarshalJSON([]byte(`{"room_keys": ["1"]`)), data.ErrNotJSON)
	require.ErrorIs(t, sel.UnmarshalJSON([]byte(`{} {}`)), data.ErrNotJSON)
}

func TestDelete_BadSelection_ReturnsFaultsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		before := dump(t, ws)
		var sel data.Selection
		require.NoError(t, json.Unmarshal([]byte(`{"room_keys": ["1", 2, " x"], "unit_keys": "1", "customer_keys": [""], "space_ships": null, "guest_keys": null}`), &sel))
		_, err := ws.Delete(t.Context(), sel)
		require.ElementsMatch(t, []string{
			"room_keys[1] type", "room_keys[2] key_format", "unit_keys type", "customer_keys[0] required",
		}, faults(t, err))
		_, err = ws.PlanDelete(t.Context(), sel)
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = ws.Delete(t.Context(), data.Selection{Resources: []data.Ref{{Kind: 7, Key: "x"}}})
		require.ErrorIs(t, err, validation.ErrInvalid)
		require.Equal(t, before, dump(t, ws))

		report, err := ws.Delete(t.Context(), selection(t, `{"space_ships": ["1"]}`))
		require.NoError(t, err)
		require.Equal(t, []string{"space_ships unknown_field"}, pathsAndRules(report.Warnings))
	})
}

func selection(t *testing.T, body string) (sel data.Selection) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &sel))
	return sel
}

func TestDelete_CanceledContext_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{"acme"}})
		require.ErrorIs(t, err, context.Canceled)
		_, err = ws.Customer(t.Context(), "acme")
		require.NoError(t, err)
	})
}
