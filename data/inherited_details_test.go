package data_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

func TestCustomerName_InGo(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "c", CustomerName: "Hotel Ada", CustomerTimeZone: "Europe/Lisbon"}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		c, err := ws.Customer(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"Hotel Ada", "Europe/Lisbon"}, []string{c.Name, c.TimeZone})

		// Replace is of resources: the customer's own fields stay.
		_, err = ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "c"}, data.PushOptions{Replace: true})
		require.NoError(t, err)
		page, err := ws.Customers(t.Context(), data.CustomerQuery{})
		require.NoError(t, err)
		require.Equal(t, "Hotel Ada", page.Items[0].Name)

		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "c", Clear: []string{"customer_name"}})
		require.NoError(t, err)
		c, err = ws.Customer(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"", "Europe/Lisbon"}, []string{c.Name, c.TimeZone})

		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "c", Clear: []string{"name"}})
		require.Equal(t, []string{"clear not_a_field"}, faults(t, err))
	})
}

func TestCustomerName_FeedChangeAsJSON(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "c")
		_, err := pushJSON(t, ws, `{"customer_key": "c", "customer_name": "A"}`)
		require.NoError(t, err)
		for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			require.Equal(t, data.KindCustomer, c.Kind)
			require.Equal(t, data.ClassCustomer, c.Class)
			require.Equal(t, uuid.Nil, c.ID)
			b, err := json.Marshal(c)
			require.NoError(t, err)
			var again data.FeedChange
			require.NoError(t, json.Unmarshal(b, &again))
			require.Equal(t, c, again)
		}
	})
}

func TestInheritedDetails_OwnThenSiteThenFallbacks(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		site := data.Site("s", "S")
		site.Details = data.SpaceDetails{TimeZone: "Europe/Lisbon", DefaultCheckinTime: "16:00"}
		own := data.PlainSpace("own", "Own").In("s")
		own.Details = data.SpaceDetails{TimeZone: "Asia/Tokyo", Address: "here"}
		push(t, ws, "c", site, own, data.Room("room", "R").In("s"), data.Room("lost", "L").In("nowhere"), data.Room("odd", "O").In("other"), data.Property("alone", "A"))
		foreign := data.Site("other", "Of another customer")
		foreign.Details.TimeZone = "America/New_York"
		push(t, ws, "d", foreign)

		fallbacks := []data.SpaceDetails{{TimeZone: "Europe/Paris"}, {TimeZone: "UTC", DefaultCheckinTime: "15:00", DefaultCheckoutTime: "11:00", Address: "nowhere"}}
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			var spaces []data.Space
			for _, key := range []string{"own", "room", "lost", "odd", "alone", "s"} {
				space, err := s.Space(t.Context(), key)
				require.NoError(t, err)
				spaces = append(spaces, space)
			}
			got, err := s.InheritedDetails(t.Context(), "c", spaces, fallbacks...)
			require.NoError(t, err)
			none := data.SpaceDetails{TimeZone: "Europe/Paris", DefaultCheckinTime: "15:00", DefaultCheckoutTime: "11:00"}
			require.Equal(t, []data.SpaceDetails{
				{TimeZone: "Asia/Tokyo", DefaultCheckinTime: "16:00", DefaultCheckoutTime: "11:00", Address: "here"},
				{TimeZone: "Europe/Lisbon", DefaultCheckinTime: "16:00", DefaultCheckoutTime: "11:00"},
				none, none, none,
				{TimeZone: "Europe/Lisbon", DefaultCheckinTime: "16:00", DefaultCheckoutTime: "11:00"},
			}, got)
			return nil
		}))
	})
}
