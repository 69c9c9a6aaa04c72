package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortals_TimeZone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		made := f.post(t, "/customers/create_portal", `{"customer_data": {"customer_key": "c"}, "time_zone": "Asia/Tokyo"}`)
		require.Empty(t, made.at("warnings"))
		id, ok := made.at("customer_portal_id").(string)
		require.True(t, ok)
		zone := func() any {
			return f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": id}).at("customer_portal").(object)["time_zone"]
		}
		update := func(zone string) string {
			return `{"customer_portal_id": "` + id + `", "portal_configuration": {"time_zone": ` + zone + `}}`
		}
		require.Equal(t, "Asia/Tokyo", zone())
		f.post(t, "/seam/customer/v1/portals/update", update(`"Europe/Lisbon"`))
		require.Equal(t, "Europe/Lisbon", zone())
		for _, bad := range []string{`"Lisbon"`, `"Local"`, `"/etc/localtime"`, `"europe/lisbon"`, `7`} {
			out := f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPatch, "/seam/customer/v1/portals/update", update(bad))
			require.NotEmpty(t, out.at("error", "validation_errors", "portal_configuration", "time_zone", "_errors"), bad)
			out = f.refused(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal", `{"customer_key": "c", "time_zone": `+bad+`}`)
			require.NotEmpty(t, out.at("error", "validation_errors", "time_zone", "_errors"), bad)
		}
		require.Equal(t, "Europe/Lisbon", zone(), "what is refused changes nothing")
		f.post(t, "/seam/customer/v1/portals/update", update(`null`))
		require.Nil(t, zone())
	})
}
