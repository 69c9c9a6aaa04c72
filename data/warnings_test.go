package data_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

const threeRooms = `"rooms": [{"room_key": "a-1", "name": "A1"}, {"room_key": "a-2", "name": "A2"}, {"room_key": "a-3", "name": "A3"}]`

// keyLists returns the lists of keys of the only resource in a collection of customer c.
func keyLists(t *testing.T, ws *data.Workspace, collection string) map[string]any {
	t.Helper()
	var out map[string][]map[string]any
	var rest map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(export(t, ws, "c")), &rest))
	require.NoError(t, json.Unmarshal([]byte(`{"x": `+string(rest[collection])+`}`), &out))
	require.Len(t, out["x"], 1)
	got := map[string]any{}
	for name, v := range out["x"][0] {
		if _, isList := v.([]any); isList {
			got[name] = v
		}
	}
	return got
}

func TestPush_SpaceKeysOfAnyAlias_ReplaceTheList(t *testing.T) {
	type object = map[string]any
	keys := func(keys ...any) []any { return keys }
	for _, resource := range []struct{ collection, fields string }{
		{"bookings", `"booking_key": "b"`}, {"reservations", `"reservation_key": "b"`}, {"access_grants", `"access_grant_key": "b"`},
		{"staff_members", `"staff_member_key": "b", "name": "S"`},
	} {
		t.Run(resource.collection, func(t *testing.T) {
			each(t, func(t *testing.T, ws *data.Workspace) {
				_, err := pushJSON(t, ws, `{"customer_key": "c", `+threeRooms+`}`)
				require.NoError(t, err)
				for _, step := range []struct {
					fields string
					want   object
				}{
					{`"room_keys": ["a-1"]`, object{"room_keys": keys("a-1")}},
					{`"space_keys": ["a-2"]`, object{"space_keys": keys("a-2")}},
					{`"unit_keys": ["a-3"], "room_keys": ["a-1", "a-2"]`, object{"room_keys": keys("a-1", "a-2"), "unit_keys": keys("a-3")}},
					{`"room_keys": ["a-3"], "unit_keys": null`, object{"room_keys": keys("a-3")}},
					{`"x": 1`, object{"room_keys": keys("a-3")}},
					{`"unit_keys": []`, object{}},
					{`"listing_keys": ["a-1"]`, object{"listing_keys": keys("a-1")}},
					{`"space_keys": null`, object{}},
				} {
					before := len(feed(t, ws))
					_, err := pushJSON(t, ws, fmt.Sprintf(`{"customer_key": "c", %q: [{%s, %s}]}`, resource.collection, resource.fields, step.fields))
					require.NoError(t, err)
					require.Equal(t, step.want, keyLists(t, ws, resource.collection), step.fields)
					again, err := pushJSON(t, ws, fmt.Sprintf(`{"customer_key": "c", %q: [{%s, %s}]}`, resource.collection, resource.fields, step.fields))
					require.NoError(t, err)
					require.Equal(t, 1, again.Unchanged.Total(), "%s, pushed again", step.fields)
					require.LessOrEqual(t, len(feed(t, ws)), before+1)
				}
			})
		})
	}
}

func TestPush_SpaceKeyUnderTwoAliases_IsStoredOnce(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		body := `{"customer_key": "c", ` + threeRooms + `, "bookings": [{"booking_key": "b", "room_keys": ["a-2", "a-1"], "space_keys": ["a-1"]}]}`
		for _, unchanged := range []int{0, 4} {
			report, err := pushJSON(t, ws, body)
			require.NoError(t, err)
			require.Equal(t, []string{"bookings[0].room_keys[1] reference_twice"}, pathsAndRules(report.Warnings))
			require.Equal(t, unchanged, report.Unchanged.Total())
		}
		require.Equal(t, map[string]any{"space_keys": []any{"a-1"}, "room_keys": []any{"a-2"}}, keyLists(t, ws, "bookings"))
		before := dump(t, ws)
		_, err := ws.Sync(t.Context(), decode(t, export(t, ws, "c")))
		require.NoError(t, err)
		require.Equal(t, before, dump(t, ws))
	})
}

func TestPush_SpacesInGo_AreReplacedAndCleared(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "c", data.Room("1", "One"), data.Room("2", "Two"), data.Booking("b", data.Ref{}, data.Ref{Kind: data.KindRoom, Key: "1"}))
		push(t, ws, "c", data.Booking("b", data.Ref{}, data.Ref{Kind: data.KindSpace, Key: "2"}))
		g, err := ws.AccessGrant(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, data.Refs(data.KindSpace, "2"), g.Spaces)
		edit := data.Booking("b", data.Ref{})
		edit.Clear = []string{"room_keys"}
		push(t, ws, "c", edit)
		g, err = ws.AccessGrant(t.Context(), "b")
		require.NoError(t, err)
		require.Empty(t, g.Spaces, "clearing any alias clears the list")
	})
}

func TestPush_GrantWithoutSpaces_ReturnsWarning(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		const none = "bookings[0] no_spaces"
		for _, step := range []struct {
			fields string
			want   []string
		}{
			{``, []string{none}},
			{``, []string{none}}, // unchanged, with the same warning
			{`, "room_keys": ["a-1"]`, []string{}},
			{`, "name": "N"`, []string{}},
			{`, "room_keys": []`, []string{none}},
			{`, "room_keys": null`, []string{none}},
		} {
			report, err := pushJSON(t, ws, `{"customer_key": "c", `+threeRooms+`, "bookings": [{"booking_key": "b"`+step.fields+`}]}`)
			require.NoError(t, err)
			require.Equal(t, step.want, pathsAndRules(report.Warnings), step.fields)
		}
		report, err := ws.Sync(t.Context(), decode(t, `{"customer_key": "c", `+threeRooms+`, "reservations": [{"reservation_key": "r"}], "staff_members": [{"staff_member_key": "s", "name": "S"}]}`))
		require.NoError(t, err)
		require.Equal(t, []string{"reservations[0] no_spaces"}, pathsAndRules(report.Warnings), "a staff member without spaces causes no warning")

		before := dump(t, ws)
		_, err = ws.PushWith(t.Context(), decode(t, `{"customer_key": "c", "access_grants": [{"access_grant_key": "g"}]}`), data.PushOptions{Strict: true})
		require.Equal(t, []string{"access_grants[0] no_spaces"}, faults(t, err))
		require.Equal(t, before, dump(t, ws))
	})
}

func TestPush_ReferenceToAnotherCustomer_ReturnsWarning(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "first", data.Room("101", "Room"), data.Guest("ada", "Ada"), data.Site("s", "S"))
		body := `{"customer_key": "second", "rooms": [{"room_key": "201", "name": "R", "parent_site_key": "s"}],
			"staff_members": [{"staff_member_key": "m", "name": "M", "unit_keys": ["101", "none"]}],
			"bookings": [{"booking_key": "b", "guest_key": "ada", "room_keys": ["201", "101"]}]}`
		for range 2 {
			report, err := pushJSON(t, ws, body)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{
				"rooms[0].parent_site_key other_customer", "staff_members[0].unit_keys[0] other_customer", "staff_members[0].unit_keys[1] not_there_yet",
				"bookings[0].guest_key other_customer", "bookings[0].room_keys[1] other_customer",
			}, pathsAndRules(report.Warnings))
		}
		report, err := ws.Sync(t.Context(), decode(t, body))
		require.NoError(t, err)
		require.Len(t, report.Warnings, 5)
		for _, w := range report.Warnings {
			if w.Path == "bookings[0].room_keys[1]" {
				require.Equal(t, `"101" is a room of customer "first": the reference never resolves`, w.Message)
			}
		}
		// After the delete the key is free, so that the reference may resolve later.
		_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"first"}})
		require.NoError(t, err)
		again, err := pushJSON(t, ws, body)
		require.NoError(t, err)
		require.Len(t, again.Warnings, 5)
		for _, w := range again.Warnings {
			require.Equal(t, validation.RuleNotThereYet, w.Rule)
		}
	})
}

func TestSync_DeletesAll_ReturnsWarning(t *testing.T) {
	const both = `"rooms": [{"room_key": "1", "name": "One"}], "guests": [{"guest_key": "g", "name": "G"}]`
	each(t, func(t *testing.T, ws *data.Workspace) {
		sync := func(body string, o data.SyncOptions) (data.SyncReport, error) {
			return ws.SyncWith(t.Context(), decode(t, body), o)
		}
		report, err := sync(`{"customer_key": "c", `+both+`}`, data.SyncOptions{})
		require.NoError(t, err)
		require.True(t, report.CustomerCreated)
		require.Empty(t, report.Warnings, "the customer had no resources")
		for body, want := range map[string][]string{
			`{"customer_key": "c"}`: {"customer_key deletes_all"},
			`{"customer_key": "c", "reservations": [{"reservation_key": "r", "room_keys": ["1"]}]}`: {"reservations[0].room_keys[0] not_there_yet", "customer_key deletes_all"},
			`{"customer_key": "c", "guests": [{"guest_key": "g", "name": "G"}]}`:                    {},
			`{"customer_key": "c", ` + both + `}`:                                                   {},
		} {
			report, err := sync(body, data.SyncOptions{DryRun: true})
			require.NoError(t, err)
			require.Equal(t, want, pathsAndRules(report.Warnings), body)
		}
		before := dump(t, ws)
		_, err = sync(`{"customer_key": "c"}`, data.SyncOptions{Strict: true})
		require.Equal(t, []string{"customer_key deletes_all"}, faults(t, err))
		require.Equal(t, before, dump(t, ws))
	})
}
