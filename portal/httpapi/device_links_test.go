package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
)

// TestCreatePortal_DeepLinkToDevice_OpensTheDevice creates a deep link to a device, reads and changes it, and deletes the account.
func TestCreatePortal_DeepLinkToDevice_OpensTheDevice(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	deepLink := object{"resource_type": "device", "resource_id": ids.lock}
	made := f.post(t, "/customers/create_portal", object{"customer_key": "hotel", "deep_link": deepLink})
	require.Empty(t, list(made.body["warnings"]))
	id := made.at("customer_portal_id")
	get := func() document {
		return document(f.post(t, "/seam/customer/v1/portals/get", object{"customer_portal_id": id}).at("customer_portal").(object))
	}
	require.Equal(t, deepLink, get().at("deep_link"))
	session, err := f.portals.Resolve(t.Context(), code(t, made.at("customer_portal", "url")))
	require.NoError(t, err)
	require.NoError(t, session.View(t.Context(), func(v *portal.View) error {
		page, err := v.LandingPage(t.Context())
		require.Equal(t, data.Ref{Kind: data.KindDevice, Key: ids.lock}, page)
		return err
	}))

	f.post(t, "/seam/customer/v1/portals/update", object{"customer_portal_id": id, "portal_configuration": object{"read_only": true}})
	require.Equal(t, deepLink, get().at("deep_link"), "a change of another member")
	other := object{"resource_type": "device", "resource_id": ids.noise}
	f.post(t, "/seam/customer/v1/portals/update", object{"customer_portal_id": id, "portal_configuration": object{"deep_link": other}})
	require.Equal(t, other, get().at("deep_link"))
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPatch, "/seam/customer/v1/portals/update",
		`{"customer_portal_id": "`+id.(string)+`", "portal_configuration": {"deep_link": {"resource_type": "device", "resource_id": "`+uuid.NewString()+`"}}}`)
	require.NotEmpty(t, out.at("error", "validation_errors", "portal_configuration", "deep_link", "resource_id", "_errors"))
	require.Equal(t, other, get().at("deep_link"))

	f.post(t, "/connected_accounts/delete", object{"connected_account_id": ids.account})
	require.Equal(t, "revoked", get().at("state"))
	_, err = f.portals.Resolve(t.Context(), code(t, made.at("customer_portal", "url")))
	require.ErrorIs(t, err, portal.ErrRevoked)
}

// TestCreatePortal_DeepLinkToDeviceOfAnother_IsRefused names devices that the customer does not have.
func TestCreatePortal_DeepLinkToDeviceOfAnother_IsRefused(t *testing.T) {
	t.Parallel()
	f, ids := deviceHotel(t)
	for name, body := range map[string]string{
		"another customer": `{"customer_key": "other", "deep_link": {"resource_type": "device", "resource_id": "` + ids.lock + `"}}`,
		"a new customer":   `{"customer_data": {"customer_key": "new"}, "deep_link": {"resource_type": "device", "resource_id": "` + ids.lock + `"}}`,
		"an account":       `{"customer_key": "hotel", "deep_link": {"resource_type": "device", "resource_id": "` + ids.account + `"}}`,
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal", body)
		require.Equal(t, []any{"is not the id of a device of this customer"}, out.at("error", "validation_errors", "deep_link", "resource_id", "_errors"), name)
	}
	for _, customer := range []string{"hotel", "other"} {
		page, err := f.portals.List(t.Context(), f.a, customer, 0, "")
		require.NoError(t, err)
		require.Empty(t, page.Items, "no portal was created")
	}
	_, err := f.a.Customer(t.Context(), "new")
	require.ErrorIs(t, err, data.ErrCustomerNotFound)
}

// TestCreatePortal_DeepLinkToDeviceWithoutDevices_IsRefused serves the API of a service without [portal.Options.Access].
func TestCreatePortal_DeepLinkToDeviceWithoutDevices_IsRefused(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) { o.Portals = newService(t, data.Open(o.Portals.DB().Store(), data.Options{})) })
	f.post(t, "/customers/push_data", `{"customer_key": "c"}`)
	before := storeRows(t, f.store)
	out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/customers/create_portal",
		`{"customer_key": "c", "deep_link": {"resource_type": "device", "resource_id": "`+uuid.NewString()+`"}}`)
	require.Equal(t, []any{"cannot be device: this service has no devices"}, out.at("error", "validation_errors", "deep_link", "resource_type", "_errors"))
	require.Equal(t, before, storeRows(t, f.store))
}
