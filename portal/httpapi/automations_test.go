package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAutomations_OfWorkspaceAndCustomer_AreMerged(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	get := func(customer string) document {
		body := members{}
		if customer != "" {
			body["customer_key"] = customer
		}
		return document(f.post(t, "/seam/customer/v1/automations/get", body).body)
	}
	require.NotNil(t, get("").at("access_rules", "reservation_created"), "on by default")
	require.Nil(t, get("").at("access_rules", "staff_member_created"))
	require.EqualValues(t, 60, get("").at("access_rules", "write_minutes"))
	f.post(t, "/seam/customer/v1/automations/update", `{"access_rules": {"staff_member_created": {"rule": "staff_member_created", "config": {}}, "lead_minutes": 30},
		"climate_rules": {"rules": {"reservation_created": {"occupied_preset_key": "warm", "precondition_minutes_before_reservation": 45,
			"automated_unoccupied_preset": {"mode": "auto", "fan_mode": "on", "is_override_allowed": true, "max_override_period_minutes": 0, "cooling_set_point_celsius": 27}}}}}`)
	f.post(t, "/seam/customer/v1/customers/automations/update", `{"customer_key": "hotel", "access_rules": {"reservation_created": null, "lead_minutes": 15}, "climate_rules": {"rules": {"reservation_created": null}}}`)
	common, hotel := get(""), get("hotel")
	require.EqualValues(t, 30, get("other").at("access_rules", "lead_minutes"))
	require.EqualValues(t, 15, hotel.at("access_rules", "lead_minutes"))
	require.NotNil(t, hotel.at("access_rules", "staff_member_created"))
	require.Nil(t, hotel.at("access_rules", "reservation_created"))
	require.Nil(t, hotel.at("climate_rules", "rules", "reservation_created"))
	require.Equal(t, "warm", common.at("climate_rules", "rules", "reservation_created", "occupied_preset_key"))
	require.EqualValues(t, 45, common.at("climate_rules", "rules", "reservation_created", "precondition_minutes_before_reservation"))
	require.EqualValues(t, 27, common.at("climate_rules", "rules", "reservation_created", "automated_unoccupied_preset", "cooling_set_point_celsius"))
	require.Equal(t, "auto", common.at("climate_rules", "rules", "reservation_created", "automated_unoccupied_preset", "mode"))
	require.Equal(t, hotel.at("access_rules"), f.post(t, "/seam/customer/v1/customers/automations/get", `{"customer_key": "hotel"}`).at("automation", "access_rules"))
	f.post(t, "/seam/customer/v1/automations/update", `{"customer_key": "hotel", "access_rules": {"lead_minutes": null}}`)
	require.EqualValues(t, 30, get("hotel").at("access_rules", "lead_minutes"), "that of the workspace")
	require.Nil(t, get("hotel").at("access_rules", "reservation_created"), "it was not given")
	f.post(t, "/seam/customer/v1/automations/delete", `{"customer_key": "hotel"}`)
	require.Equal(t, get("").at("access_rules"), get("hotel").at("access_rules"))
	f.post(t, "/seam/customer/v1/automations/delete", `{}`)
	require.EqualValues(t, 0, get("hotel").at("access_rules", "lead_minutes"))
}

// TestAutomations_InvalidRules_ChangeNothing checks that each fault names the path of its rule.
func TestAutomations_InvalidRules_ChangeNothing(t *testing.T) {
	t.Parallel()
	f, _ := deviceHotel(t)
	before := f.post(t, "/seam/customer/v1/automations/get", `{}`).body
	for _, row := range []struct {
		body string
		path []string
	}{
		{`{"access_rules": {"reservation_created": {"rule": "reservation_created", "config": {"access_methods": ["card"]}}}}`, []string{"access_rules", "reservation_created", "config", "access_methods"}},
		{`{"access_rules": {"reservation_created": {"rule": "reservation_created", "config": {"access_methods": ["code", "fax"]}}}}`, []string{"access_rules", "reservation_created", "config", "access_methods"}},
		{`{"access_rules": {"reservation_created": {"rule": "reservation_created"}}}`, []string{"access_rules", "reservation_created", "config"}},
		{`{"access_rules": {"reservation_created": {"rule": "x", "config": {"access_methods": ["code"]}}}}`, []string{"access_rules", "reservation_created", "rule"}},
		{`{"access_rules": {"reservation_deleted": null}}`, []string{"access_rules", "reservation_deleted"}},
		{`{"access_rules": {"staff_member_created": {"rule": "staff_member_created", "config": {"x": 1}}}}`, []string{"access_rules", "staff_member_created", "config", "x"}},
		{`{"access_rules": {"lead_minutes": 1441}}`, []string{"access_rules", "lead_minutes"}},
		{`{"access_rules": {"write_minutes": -1}}`, []string{"access_rules", "write_minutes"}},
		{`{"access_rules": {"lead": 1}}`, []string{"access_rules", "lead"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"occupied_preset_key": ""}}}}`, []string{"climate_rules", "rules", "reservation_created", "occupied_preset_key"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"unoccupied_preset_key": " x"}}}}`, []string{"climate_rules", "rules", "reservation_created", "unoccupied_preset_key"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"precondition_minutes_before_reservation": 9999}}}}`, []string{"climate_rules", "rules", "reservation_created", "precondition_minutes_before_reservation"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"automated_occupied_preset": {"mode": "dry"}}}}}`, []string{"climate_rules", "rules", "reservation_created", "automated_occupied_preset", "mode"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"automated_occupied_preset": {"mode": "heat", "is_override_allowed": false}}}}}`, []string{"climate_rules", "rules", "reservation_created", "automated_occupied_preset", "is_override_allowed"}},
		{`{"climate_rules": {"rules": {"reservation_created": {"automated_occupied_preset": {"mode": "heat", "heating_set_point_celsius": 20, "heating_set_point_fahrenheit": 70}}}}}`,
			[]string{"climate_rules", "rules", "reservation_created", "automated_occupied_preset", "heating_set_point_fahrenheit"}},
	} {
		out := f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/automations/update", row.body)
		require.NotEmpty(t, out.at(append([]string{"error", "validation_errors"}, append(row.path, "_errors")...)...), "%s %s", row.body, out.raw)
		require.Equal(t, before, f.post(t, "/seam/customer/v1/automations/get", `{}`).body, row.body)
	}
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, "/seam/customer/v1/automations/update", `{"customer_key": "nobody", "access_rules": {"lead_minutes": 1}}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/customers/automations/update", `{"access_rules": {"lead_minutes": 1}}`)
}

func TestAutomationRuns_OfReservation_AreFiltered(t *testing.T) {
	t.Parallel()
	f, _, code := codeHotel(t)
	runs := func(filter members) []any {
		filter["customer_key"] = "hotel"
		return list(f.post(t, "/seam/customer/v1/automation_runs/list", filter).at("automation_runs"))
	}
	all := runs(members{})
	require.Len(t, all, 1)
	run := document(all[0].(map[string]any))
	require.Equal(t, "r1", run.at("partner_key"))
	require.Equal(t, "reservation", run.at("resource_type_alias"))
	require.Equal(t, code.at("access_grant_id"), run.at("partner_resource_id"))
	require.Equal(t, "reservation_created", run.at("automation_result", "rule"))
	action := list(run.at("automation_result", "actions"))[0].(map[string]any)
	require.Equal(t, map[string]any{"action_type": "create", "resource_type": "access_code", "access_grant_id": code.at("access_grant_id"), "count": 1.0}, action)
	require.Len(t, runs(members{"success": true, "rule": "reservation_created", "partner_resource_id": code.at("access_grant_id")}), 1)
	require.Empty(t, runs(members{"success": false}))
	require.Empty(t, runs(members{"rule": "reservation_deleted"}))
	require.Empty(t, runs(members{"partner_resource_id": code.at("access_code_id")}))
	require.Empty(t, runs(members{"created_before": "2020-01-01T00:00:00Z"}))
	require.Empty(t, runs(members{"automation_id": code.at("access_code_id")}))
	out := f.post(t, "/access_grants/list", `{"reservation_key": "r1"}`)
	require.Equal(t, run.at("automation_result", "actions"), document(list(out.at("access_grants"))[0].(map[string]any)).at("last_automation_result", "actions"))
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/automation_runs/list", `{"customer_key": "hotel", "rule": "x"}`)
	f.expectError(t, http.StatusBadRequest, "invalid_input", http.MethodPost, "/seam/customer/v1/automation_runs/list", `{"customer_key": "hotel", "page_cursor": "x"}`)
	f.expectError(t, http.StatusNotFound, "customer_not_found", http.MethodPost, "/seam/customer/v1/automation_runs/list", `{"customer_key": "nobody"}`)
}
