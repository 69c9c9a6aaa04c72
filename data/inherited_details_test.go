package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

func TestInheritedDetails_SeveralSources_PrefersSpaceThenSiteThenFallbacks(t *testing.T) {
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
