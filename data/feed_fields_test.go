package data_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// TestFeed_Update_ListsChangedFields changes each kind of field.
func TestFeed_Update_ListsChangedFields(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "acme", "customer_name": "Acme",
			"sites": [{"site_key": "s", "name": "S"}, {"site_key": "s2", "name": "S"}],
			"spaces": [{"space_key": "a", "name": "A", "parent_site_key": "s", "customer_data": {"address": "Road", "time_zone": "Europe/Lisbon"}, "duration_minutes": 5}],
			"rooms": [{"room_key": "r", "name": "R"}, {"room_key": "q", "name": "Q"}],
			"staff_members": [{"staff_member_key": "m", "name": "M"}], "guests": [{"guest_key": "g", "name": "G"}], "tenants": [{"tenant_key": "t", "name": "T"}],
			"reservations": [{"reservation_key": "b", "room_keys": ["r", "q"], "guest_key": "g", "custom_metadata": {"a": "secret"}}]}`)
		require.NoError(t, err)
		for _, c := range changes(t, ws, data.Cursor{}) {
			require.Empty(t, c.ChangedFields, "a creation lists no fields")
		}
		last := func() data.FeedChange {
			all := changes(t, ws, data.Cursor{})
			return all[len(all)-1]
		}
		for _, test := range []struct{ body, want string }{
			{`"customer_name": "Other"`, "customer_name"},
			{`"customer_name": null, "customer_time_zone": "Asia/Tokyo"`, "customer_name,customer_time_zone"},
			{`"rooms": [{"room_key": "r", "name": "New"}]`, "name"},
			{`"spaces": [{"space_key": "a", "parent_site_key": "s2", "duration_minutes": 6}]`, "parent_site_key,duration_minutes"},
			{`"spaces": [{"space_key": "a", "customer_data": {"address": null, "default_checkin_time": "15:00"}}]`, "customer_data.default_checkin_time,customer_data.address"},
			{`"spaces": [{"space_key": "a", "geolocation": {"latitude": 1, "longitude": 2}}]`, "geolocation"},
			{`"guests": [{"guest_key": "g", "email_address": "a@x.example", "phone_number": "1"}]`, "email_address,phone_number"},
			{`"staff_members": [{"staff_member_key": "m", "room_keys": ["r"], "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}]`, "starts_at,ends_at,room_keys"},
			{`"staff_members": [{"staff_member_key": "m", "ends_at": null}]`, "ends_at"},
			{`"reservations": [{"reservation_key": "b", "tenant_key": "t", "guest_key": null}]`, "guest_key,tenant_key"},
			{`"reservations": [{"reservation_key": "b", "space_keys": ["r"]}]`, "space_keys,room_keys"},
			{`"reservations": [{"reservation_key": "b", "custom_metadata": {"a": "hidden"}, "preferred_code": "4711"}]`, "custom_metadata,preferred_code"},
			{`"reservations": [{"reservation_key": "b", "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}]`, "starts_at,ends_at"},
		} {
			_, err := pushJSON(t, ws, `{"customer_key": "acme", `+test.body+`}`)
			require.NoError(t, err)
			c := last()
			require.Equal(t, data.Updated, c.Change, test.body)
			require.Equal(t, test.want, strings.Join(c.ChangedFields, ","), test.body)
			b, err := json.Marshal(c)
			require.NoError(t, err)
			require.NotContains(t, string(b), "hidden", "the feed contains no values")
		}
		_, err = pushJSON(t, ws, `{"customer_key": "acme", "reservations": [{"reservation_key": "b", "room_keys": ["r", "q"]}]}`)
		require.NoError(t, err)
		_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "q")})
		require.NoError(t, err)
		all := changes(t, ws, data.Cursor{})
		for _, c := range all[len(all)-2:] {
			if c.Change == data.Updated {
				require.Equal(t, []string{"room_keys"}, c.ChangedFields, "a removed reference")
			}
		}
	})
}
