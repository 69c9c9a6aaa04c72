package data_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// quoted returns a string as JSON has it.
func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

// blanks are texts that show nothing.
var blanks = []string{" ", "\t\n", "\u00a0\u3000", "\u200b", "\ufeff", "\u2060\u200d", "\u202e", "\u0301", "\u3164", "\u2800"}

func TestPush_BlankRequiredName_IsRequired(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, kind := range data.Kinds() {
			if kind.Class() == data.ClassAccessGrant {
				continue
			}
			for _, name := range blanks {
				body := fmt.Sprintf(`{"customer_key": "c", %q: [{%q: "k", "name": %s}]}`, kind.Collection(), kind.KeyField(), quoted(t, name))
				_, err := pushJSON(t, ws, body)
				require.Equal(t, []string{kind.Collection() + "[0].name required"}, faults(t, err), "%q", name)
				_, err = ws.Sync(t.Context(), decode(t, body))
				require.Equal(t, []string{kind.Collection() + "[0].name required"}, faults(t, err), "%q", name)
			}
		}
		require.Empty(t, swept(t, ws))
		push(t, ws, "c", data.Room("1", "One"))
		before := dump(t, ws)
		_, err := pushJSON(t, ws, `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "\u200b"}]}`)
		require.Equal(t, []string{"rooms[0].name required"}, faults(t, err), "a name that is there is not made blank")
		require.Equal(t, before, dump(t, ws))
		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "c", Spaces: []data.Space{data.Room("1", "\u200b")}})
		require.Equal(t, []string{"rooms[0].name required"}, faults(t, err))
	})
}

func TestPush_BlankOptionalText_IsEmpty(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		const (
			guest = `"guests": [{"guest_key": "g", "name": "G"`
			stay  = `"bookings": [{"booking_key": "b", "guest_key": "g"`
			plain = `"spaces": [{"space_key": "s", "name": "S"`
		)
		full := `{"customer_key": "c", ` + plain + `, "customer_data": {"address": "A"}}], ` + guest + `, "phone_number": "1"}], ` + stay + `, "name": "B"}]}`
		for _, blank := range blanks {
			_, err := pushJSON(t, ws, full)
			require.NoError(t, err)
			b := quoted(t, blank)
			_, err = pushJSON(t, ws, `{"customer_key": "c", `+plain+`, "customer_data": {"address": `+b+`}}], `+guest+`, "phone_number": `+b+`}], `+stay+`, "name": `+b+`}]}`)
			require.NoError(t, err)
			require.JSONEq(t, `{"customer_key": "c", `+plain+`}], `+guest+`}], `+stay+`}]}`, export(t, ws, "c"), "%q", blank)
		}
	})
}

func TestKeys_InvisibleOrNotNormalized_AreRefused(t *testing.T) {
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
		require.Empty(t, swept(t, ws))
		_, err := pushJSON(t, ws, `{"customer_key": "c", "rooms": [{"room_key": "a\u200bb", "name": "R"}]}`)
		require.True(t, strings.Contains(err.Error(), "rooms[0].room_key: has an invisible character, U+200B"), err)
		_, err = pushJSON(t, ws, `{"customer_key": "é", "rooms": [{"room_key": "部屋 1", "name": "R"}]}`)
		require.NoError(t, err)
	})
}
