package portal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// everyField is the JSON of a configuration with all fields of the API, none of which has its default value.
const everyField = `{
	"features": {
		"connect": {"exclude": true, "accepted_providers": ["a", "b"], "excluded_providers": ["c"]},
		"organize": {"exclude": true},
		"manage": {
			"exclude": true, "exclude_reservation_management": true,
			"exclude_reservation_technical_details": true, "exclude_staff_management": true,
			"events": {"allowed_events": ["x", "y"], "default_events": ["x"]},
			"device_management_confirmation": {"title": "t", "body": "b", "confirm_button_label": "y", "cancel_button_label": "n"}
		},
		"manage_devices": {"exclude": true},
		"configure": {
			"exclude": true, "allow_access_automation_rule_customization": true,
			"allow_climate_automation_rule_customization": true, "allow_instant_key_customization": true
		}
	},
	"is_embedded": true, "navigation_mode": "restricted", "read_only": true,
	"landing_page": {"manage": {"room_key": "101"}},
	"deep_link": {"resource_type": "reservation", "resource_key": "r1"},
	"locale": "de-DE", "exclude_locale_picker": true, "color_scheme": "dark", "time_zone": "Asia/Tokyo",
	"customization_profile_id": "67c58f1f-f148-4415-a63c-dc6c145c6b91",
	"customer_resources_filters": [
		{"field": "region", "operation": "=", "value": "north"}, {"field": "vip", "operation": "=", "value": true}
	],
	"allowed_frame_origins": ["https://app.example"], "return_url": "https://app.example/home"
}`

func TestConfig_JSON_RoundTrips(t *testing.T) {
	t.Parallel()
	var c portal.Config
	require.NoError(t, json.Unmarshal([]byte(everyField), &c))
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.JSONEq(t, everyField, string(b))
	require.Equal(t, data.Ref{Kind: data.KindRoom, Key: "101"}, c.LandingPage)
	require.Equal(t, []portal.Filter{{Field: "region", Value: "north"}, {Field: "vip", Value: true}}, c.Filters)

	zero, err := json.Marshal(portal.Config{})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"features": {
			"connect": {"exclude": false}, "organize": {"exclude": false}, "manage_devices": {"exclude": false},
			"manage": {"exclude": false, "exclude_reservation_management": false,
				"exclude_reservation_technical_details": false, "exclude_staff_management": false},
			"configure": {"exclude": false, "allow_access_automation_rule_customization": false,
				"allow_climate_automation_rule_customization": false, "allow_instant_key_customization": false}
		},
		"is_embedded": false, "navigation_mode": "full", "read_only": false, "exclude_locale_picker": false
	}`, string(zero), "the API's defaults")
}

func TestConfig_UnmarshalPatch_ChangesGivenFields(t *testing.T) {
	t.Parallel()
	var c portal.Config
	require.NoError(t, json.Unmarshal([]byte(everyField), &c))
	require.NoError(t, json.Unmarshal([]byte(`{
		"features": {"manage": {"exclude_staff_management": false}, "connect": null},
		"locale": null, "time_zone": null, "customer_resources_filters": [], "landing_page": null, "deep_link": null,
		"customization_profile_id": null, "read_only": false
	}`), &c))
	require.False(t, c.Features.Manage.ExcludeStaffManagement)
	require.True(t, c.Features.Manage.ExcludeReservationManagement, "absent fields keep their values")
	require.True(t, c.Features.Manage.Exclude)
	require.Zero(t, c.Features.Connect)
	require.True(t, c.Features.Organize.Exclude)
	require.Empty(t, c.TimeZone)
	require.Empty(t, c.Filters)
	require.Zero(t, c.LandingPage)
	require.Zero(t, c.DeepLink)
	require.Equal(t, uuid.Nil, c.CustomizationProfileID)
	require.Empty(t, c.Locale)
	require.False(t, c.ReadOnly)
	require.True(t, c.IsEmbedded)
}

func TestConfig_ManageDevices_SetsManageExclude(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]bool{
		`{"manage_devices": {"exclude": true}}`:                               true,
		`{"manage_devices": {"exclude": false}}`:                              false,
		`{"manage": {"exclude": true}}`:                                       true,
		`{"manage": {"exclude": true}, "manage_devices": {"exclude": false}}`: true,
		`{"manage": {"exclude": false}, "manage_devices": {"exclude": true}}`: true,
		`{"manage": {"exclude_staff_management": true}}`:                      false,
		`{"manage": {}, "manage_devices": {}}`:                                false,
		`{"manage_devices": {"exclude": true}, "manage": {"exclude": false}}`: true,
	} {
		var c portal.Config
		require.NoError(t, json.Unmarshal([]byte(`{"features":`+given+`}`), &c))
		require.Equal(t, want, c.Features.Manage.Exclude, given)
	}
}

// faults returns the paths and rules of a validation.Error.
func faults(t *testing.T, err error) (out []string) {
	t.Helper()
	var invalid *validation.Error
	require.ErrorAs(t, err, &invalid)
	require.ErrorIs(t, err, validation.ErrInvalid)
	for _, f := range invalid.Faults {
		require.NotEmpty(t, f.Message)
		out = append(out, f.Path+" "+string(f.Rule))
	}
	return out
}

func TestCreate_InvalidConfig_ReturnsFaults(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, test := range []struct{ config, want string }{
		{`{"locale": "xx"}`, "locale format"},
		{`{"locale": 5}`, "locale type"},
		{`{"color_scheme": "blue"}`, "color_scheme format"},
		{`{"time_zone": "Lisbon"}`, "time_zone format"},
		{`{"time_zone": "Local"}`, "time_zone format"},
		{`{"time_zone": "../Europe/Lisbon"}`, "time_zone format"},
		{`{"time_zone": 1}`, "time_zone type"},
		{`{"is_embedded": "yes"}`, "is_embedded type"},
		{`{"features": []}`, "features type"},
		{`{"features": {"manage": {"exclude": 1}}}`, "features.manage.exclude type"},
		{`{"navigation_mode": "sideways"}`, "navigation_mode format"},
		{`{"customization_profile_id": "1234"}`, "customization_profile_id format"},
		{`{"customization_profile_id": "67c58f1f-f148-4415-a63c-dc6c145c6b91"}`, "customization_profile_id not_there_yet"},
		{`{"features": {"connect": {"accepted_providers": ["a", "b"], "excluded_providers": ["c", "b"]}}}`, "features.connect.excluded_providers[1] format"},
		{`{"features": {"connect": {"accepted_providers": ["a", ""]}}}`, "features.connect.accepted_providers[1] required"},
		{`{"features": {"connect": {"accepted_providers": ["a", "\u200b "]}}}`, "features.connect.accepted_providers[1] required"},
		{`{"features": {"connect": {"accepted_providers": ["a", 7]}}}`, "features.connect.accepted_providers[1] type"},
		{`{"features": {"connect": {"accepted_providers": "a"}}}`, "features.connect.accepted_providers type"},
		{`{"features": {"manage": {"events": {"allowed_events": ["a", "a"]}}}}`, "features.manage.events.allowed_events[1] format"},
		{`{"features": {"manage": {"events": {"allowed_events": ["a"], "default_events": ["b"]}}}}`, "features.manage.events.default_events[0] format"},
		{`{"features": {"manage": {"device_management_confirmation": {"title": "` + long + `"}}}}`, "features.manage.device_management_confirmation.title text_format"},
		{`{"landing_page": {"manage": {"room_key": "nowhere"}}}`, "landing_page.manage.room_key not_there_yet"},
		{`{"landing_page": {"manage": {"room_key": " x"}}}`, "landing_page.manage.room_key key_format"},
		{`{"landing_page": {"manage": {"room_key": "x\u200b"}}}`, "landing_page.manage.room_key key_format"},
		{`{"deep_link": {"resource_type": "reservation", "resource_key": "e\u0301"}}`, "deep_link.resource_key key_format"},
		{`{"landing_page": {"manage": {"room_key": "101", "site_key": "lisbon"}}}`, "landing_page.manage.room_key format"},
		{`{"landing_page": {"manage": {"booking_key": "nothing"}}}`, "landing_page.manage.booking_key not_there_yet"},
		{`{"deep_link": {"resource_type": "reservation", "resource_key": "nothing"}}`, "deep_link.resource_key not_there_yet"},
		{`{"deep_link": {"resource_type": "device", "resource_id": "5"}}`, "deep_link.resource_id format"},
		{`{"deep_link": {"resource_type": "device"}}`, "deep_link.resource_id required"},
		{`{"deep_link": {"resource_type": "device", "resource_id": "67c58f1f-f148-4415-a63c-dc6c145c6b91"}}`, "deep_link.resource_id not_there_yet"},
		{`{"deep_link": {"resource_type": "planet", "resource_key": "r1"}}`, "deep_link.resource_type format"},
		{`{"deep_link": {"resource_key": "r1"}}`, "deep_link.resource_type required"},
		{`{"deep_link": {"resource_type": "space"}}`, "deep_link.resource_key required"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "=", "value": "x"}, {"field": "1", "operation": "=", "value": "x"}]}`, "customer_resources_filters[1].field format"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "<", "value": "x"}]}`, "customer_resources_filters[0].operation format"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "=", "value": 3}]}`, "customer_resources_filters[0].value type"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "="}]}`, "customer_resources_filters[0].value required"},
		{`{"customer_resources_filters": [{}]}`, "customer_resources_filters[0].field required, customer_resources_filters[0].operation required, customer_resources_filters[0].value required"},
		{`{"customer_resources_filters": [7]}`, "customer_resources_filters[0] type"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "=", "value": "x"}, {"field": "a", "operation": "=", "value": "y"}]}`, "customer_resources_filters[1].value format"},
		{`{"customer_resources_filters": [{"field": "a", "operation": "=", "value": "` + long + `"}]}`, "customer_resources_filters[0].value range"},
		{`{"allowed_frame_origins": ["https://a.example/path", "https://ok.example", "javascript://x", "https://a.example; script-src *", "https://*.example"]}`,
			"allowed_frame_origins[0] format, allowed_frame_origins[2] format, allowed_frame_origins[3] format, allowed_frame_origins[4] format"},
		{`{"return_url": "javascript:alert(1)"}`, "return_url format"},
		{`{"return_url": "https://user:secret@a.example"}`, "return_url format"},
		{`{"locale": "xx", "return_url": "/home", "read_only": 1, "navigation_mode": "x"}`, "read_only type, navigation_mode format, locale format, return_url format"},
	} {
		t.Run(test.want, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				var c portal.Config
				require.NoError(t, json.Unmarshal([]byte(test.config), &c))
				_, err := f.ws.Push(t.Context(), *hotel())
				require.NoError(t, err)
				_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: c})
				require.Equal(t, test.want, strings.Join(faults(t, err), ", "))
				page, err := f.portals.List(t.Context(), f.ws, "My Company", 0, "")
				require.NoError(t, err)
				require.Empty(t, page.Items, "no portal was created")
			})
		})
	}
}

func TestConfig_UnmarshalInvalidJSON_ReturnsErrNotJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"locale": "de-DE", "locale": "fr-FR"}`, `{"locale": "\xff"}`, `{`, `{} {}`, ``} {
		var c portal.Config
		require.Error(t, c.UnmarshalJSON([]byte(text)), text)
		require.ErrorIs(t, c.UnmarshalJSON([]byte(text)), data.ErrNotJSON, text)
	}
}

// TestConfig_FilterValueWithoutJSON_IsAFault has a filter whose value cannot be written as JSON.
func TestConfig_FilterValueWithoutJSON_IsAFault(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := portal.Config{Filters: []portal.Filter{{Field: "region", Value: func() {}}}}
		want := []string{"customer_resources_filters[0].value type"}
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel(), Config: c})
		require.Equal(t, want, faults(t, err))
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(to *portal.Config) error { *to = c; return nil })
		require.Equal(t, want, faults(t, err))
	})
}

// TestUpdateConfig_EquivalentConfig_AddsNoChange sets fields to values that mean the same as their zero values.
func TestUpdateConfig_EquivalentConfig_AddsNoChange(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		for _, change := range []func(*portal.Config) error{
			func(c *portal.Config) error { c.NavigationMode = portal.NavigationFull; return nil },
			func(c *portal.Config) error { c.Filters = []portal.Filter{}; return nil },
			func(c *portal.Config) error { return json.Unmarshal([]byte(`{"is_embedded": false, "unknown": 1}`), c) },
		} {
			_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, change)
			require.NoError(t, err)
		}
		for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			require.Equal(t, data.Created, c.Change)
		}
	})
}

func TestCreate_UnknownConfigFields_AreWarnings(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var c portal.Config
		require.NoError(t, json.Unmarshal([]byte(`{"_dev": true, "colour": 1, "features": {"fly": {}, "organize": {"x": 1}}}`), &c))
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), Config: c})
		var paths []string
		for _, w := range p.Warnings {
			require.Equal(t, validation.RuleUnknownField, w.Rule)
			paths = append(paths, w.Path)
		}
		slices.Sort(paths)
		require.Equal(t, []string{"colour", "features.fly", "features.organize.x"}, paths)
	})
}

func TestCreate_InvalidConfigAndPush_ListsAllFaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := hotel()
		d.Add(data.Room("102", ""))
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d, Config: portal.Config{Locale: "xx"}, MaxUses: -1, TTL: -1})
		require.Equal(t, []string{"locale format", "ttl range", "max_uses range", "customer_data.rooms[1].name required"}, faults(t, err))
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d})
		require.Equal(t, []string{"customer_data.rooms[1].name required"}, faults(t, err))
		requireEmpty(t, f)
	})
}

// TestConfig_TooLong_IsAFault has a configuration that is too long, although each field is within its bounds.
func TestConfig_TooLong_IsAFault(t *testing.T) {
	var c portal.Config
	for i := range 20 {
		c.FrameOrigins = append(c.FrameOrigins, fmt.Sprintf("https://%02d.%s.example", i, strings.Repeat("a.", 900)))
	}
	label := strings.Repeat("x", 4000)
	confirmation := &c.Features.Manage.DeviceManagementConfirmation
	confirmation.Title, confirmation.Body = label, label
	confirmation.ConfirmButtonLabel, confirmation.CancelButtonLabel = label, label
	for i := range 100 {
		name := fmt.Sprintf("%0100d", i)
		c.Features.Connect.AcceptedProviders = append(c.Features.Connect.AcceptedProviders, name)
		c.Features.Manage.Events.AllowedEvents = append(c.Features.Manage.Events.AllowedEvents, name)
	}
	each(t, func(t *testing.T, f *fixture) {
		d := hotel()
		d.Add(data.Room("102", ""))
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d, Config: c})
		require.Equal(t, []string{"features too_many", "customer_data.rooms[1].name required"}, faults(t, err))
		requireEmpty(t, f)
		created := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, created.ID, func(to *portal.Config) error { *to = c; return nil })
		require.Equal(t, []string{"features too_many"}, faults(t, err))
	})
}

func TestCreate_ConfigNamesPushedResources_Works(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel(), Config: portal.Config{
			LandingPage: ref(data.KindUnit, "101"), DeepLink: ref(data.KindReservation, "r1"),
		}})
		got, err := f.portals.Get(t.Context(), f.ws, p.ID)
		require.NoError(t, err)
		require.Equal(t, ref(data.KindReservation, "r1"), got.Config.DeepLink)

		// Resources of other customers are not found.
		other := data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"))
		_, err = f.ws.Push(t.Context(), other)
		require.NoError(t, err)
		_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: portal.Config{LandingPage: ref(data.KindRoom, "secret")}})
		require.Equal(t, []string{"landing_page.manage.room_key not_there_yet"}, faults(t, err))
		require.True(t, errors.Is(err, data.ErrResourceNotFound))
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(everyField))
	f.Add([]byte(`{"features": {"manage": null}, "deep_link": {"resource_type": "device"}}`))
	f.Add([]byte(`{"deep_link": {"resource_type": "device", "resource_id": "67c58f1f-f148-4415-A63C-dc6c145c6b91"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c portal.Config
		if c.UnmarshalJSON(b) != nil {
			return
		}
		written, err := json.Marshal(c)
		require.NoError(t, err)
		var again portal.Config
		require.NoError(t, again.UnmarshalJSON(written))
		rewritten, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(written), string(rewritten))
	})
}
