package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal"
)

func TestConnectWebviews_BadInput_NamesThePath(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	for path, body := range map[string]string{
		"customer_key":                `{}`,
		"custom_redirect_url":         `{"customer_key": "hotel", "custom_redirect_url": "http://host.example/"}`,
		"custom_redirect_failure_url": `{"customer_key": "hotel", "custom_redirect_failure_url": "javascript:alert(1)"}`,
		"excluded_providers[0]":       `{"customer_key": "hotel", "accepted_providers": ["a"], "excluded_providers": ["a"]}`,
	} {
		require.Contains(t, f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/connect_webviews/create", body).raw, path)
	}
	require.Empty(t, f.post(t, "/connect_webviews/list", `{}`).at("connect_webviews"))
}

func TestConnectWebviews_OtherWorkspace_AreNotFound(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	id := f.post(t, "/connect_webviews/create", `{"customer_key": "hotel"}`).at("connect_webview", "connect_webview_id")
	for _, path := range []string{"/connect_webviews/get", "/connect_webviews/delete"} {
		require.Equal(t, http.StatusNotFound, f.send(t, keyB, http.MethodPost, path, fmt.Sprintf(`{"connect_webview_id": %q}`, id)).status, path)
	}
	require.Len(t, f.post(t, "/connect_webviews/list", `{"customer_key": "hotel"}`).at("connect_webviews"), 1)
}

func TestConnectWebviews_AccountConnected_IsAuthorized(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	made := f.post(t, "/connect_webviews/create", `{"customer_key": "hotel", "custom_metadata": {"ref": "7"}}`)
	id := made.at("connect_webview", "connect_webview_id").(string)
	require.Equal(t, "pending", made.at("connect_webview", "status"))
	require.Equal(t, true, made.at("connect_webview", "any_provider_allowed"))
	s, err := f.portals.OpenSession(t.Context(), portal.Code(made.at("connect_webview", "url").(string)), "")
	require.NoError(t, err)
	f.world.AddLogin(simulated.Login{User: "new", Password: devicePassword})
	pane, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret("new"), "password": device.NewSecret(devicePassword),
	}})
	require.NoError(t, err)
	got := f.post(t, "/connect_webviews/get", map[string]any{"connect_webview_id": id})
	require.Equal(t, "authorized", got.at("connect_webview", "status"))
	require.Equal(t, pane.Account.ID.String(), got.at("connect_webview", "connected_account_id"))
	require.Len(t, f.post(t, "/connect_webviews/list", `{"custom_metadata_has": {"ref": "7"}}`).at("connect_webviews"), 1)
	require.Empty(t, f.post(t, "/connect_webviews/list", `{"custom_metadata_has": {"ref": "8"}}`).at("connect_webviews"))
	f.post(t, "/connect_webviews/delete", map[string]any{"connect_webview_id": id})
	require.Empty(t, f.post(t, "/connect_webviews/list", `{}`).at("connect_webviews"))
}
