package data_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// blankTexts contains texts without visible characters.
var blankTexts = []string{" ", "\t\n", "\u00a0\u3000", "\u200b", "\ufeff", "\u2060\u200d", "\u202e", "\u0301", "\u3164", "\u2800"}

func TestPush_BlankRequiredName_ReturnsFault(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, kind := range data.Kinds() {
			if kind.Class() == data.ClassAccessGrant {
				continue
			}
			for _, name := range blankTexts {
				body := fmt.Sprintf(`{"customer_key": "c", %q: [{%q: "k", "name": %s}]}`, kind.Collection(), kind.KeyField(), quoted(t, name))
				_, err := pushJSON(t, ws, body)
				require.Equal(t, []string{kind.Collection() + "[0].name required"}, faults(t, err), "%q", name)
				_, err = ws.Sync(t.Context(), decode(t, body))
				require.Equal(t, []string{kind.Collection() + "[0].name required"}, faults(t, err), "%q", name)
			}
		}
		require.Empty(t, dumpAfterSweep(t, ws))
		push(t, ws, "c", data.Room("1", "One"))
		before := dump(t, ws)
		_, err := pushJSON(t, ws, `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "\u200b"}]}`)
		require.Equal(t, []string{"rooms[0].name required"}, faults(t, err), "a push cannot clear a required name")
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
		for _, blank := range blankTexts {
			_, err := pushJSON(t, ws, full)
			require.NoError(t, err)
			b := quoted(t, blank)
			_, err = pushJSON(t, ws, `{"customer_key": "c", `+plain+`, "customer_data": {"address": `+b+`}}], `+guest+`, "phone_number": `+b+`}], `+stay+`, "name": `+b+`}]}`)
			require.NoError(t, err)
			require.JSONEq(t, `{"customer_key": "c", `+plain+`}], `+guest+`}], `+stay+`}]}`, export(t, ws, "c"), "%q", blank)
		}
	})
}
