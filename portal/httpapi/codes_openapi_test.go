package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// code waits until an access grant has an access code with a status, and returns the code. An empty status is any status.
func (f *fixture) code(t testing.TB, grantKey, status string) (found document) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, code := range list(f.post(t, "/access_codes/list", map[string]any{"access_grant_key": grantKey}).at("access_codes")) {
			if found = document(code.(map[string]any)); status == "" || found.at("status") == status {
				return true
			}
		}
		return false
	}, 10*time.Minute, time.Millisecond, "%s %s", grantKey, status)
	return found
}

// callCodeOperations calls each operation for access codes, access methods and automations at least once with requests that succeed.
// The lock is mapped to the room of the reservation.
func (f *fixture) callCodeOperations(t testing.TB, do func(method, path string, body any, query ...string) reply, customer string, ids devices) {
	t.Helper()
	type m = map[string]any
	code := f.code(t, "reservation-1", "set")
	unmanaged := f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172")
	id := code.at("access_code_id").(string)
	for _, method := range []string{"GET", "POST"} {
		call := func(path string, params ...string) reply {
			t.Helper()
			if method == "GET" {
				query := []string{}
				for i := 0; i < len(params); i += 2 {
					query = append(query, params[i]+"="+url.QueryEscape(params[i+1]))
				}
				return do(method, path, nil, query...)
			}
			body := m{}
			for i := 0; i < len(params); i += 2 {
				body[params[i]] = params[i+1]
			}
			return do(method, path, body)
		}
		call("/access_codes/get", "access_code_id", id)
		call("/access_codes/get", "device_id", ids.lock, "code", code.at("code").(string))
		call("/access_codes/list", "access_grant_key", "reservation-1")
		call("/access_codes/generate_code", "device_id", ids.lock)
		call("/access_codes/unmanaged/get", "access_code_id", unmanaged.at("access_code_id").(string))
		call("/access_codes/unmanaged/list", "device_id", ids.lock)
		call("/access_methods/get", "access_method_id", code.at("access_method_id").(string))
		call("/access_methods/list", "access_code_id", id)
		call("/access_grants/get", "access_grant_key", "reservation-1")
		call("/seam/customer/v1/automations/get", "customer_key", customer)
		call("/seam/customer/v1/customers/automations/get", "customer_key", customer)
		call("/seam/customer/v1/automation_runs/list", "customer_key", customer)
	}
	methods := []m{{"mode": "code", "code": "8264"}}
	made := do("POST", "/access_grants/create", m{
		"customer_key": customer, "access_grant_key": "made", "user_identity": m{"full_name": "Nia", "email_address": "nia@example.com", "phone_number": nil},
		"space_ids": []string{f.spaceID(t, "room-101")}, "space_keys": []string{"pool"}, "device_ids": []string{ids.lock}, "acs_entrance_ids": []string{},
		"name": "Nia", "starts_at": "2025-06-16T15:00:00Z", "ends_at": "2025-06-18T10:00:00Z", "requested_access_methods": methods,
	})
	grant := made.at("access_grant", "access_grant_id").(string)
	do("PATCH", "/access_grants/update", m{"access_grant_id": grant, "ends_at": "2025-06-19T10:00:00Z", "name": nil})
	do("POST", "/access_grants/update", m{"access_grant_key": "made", "ends_at": nil, "starts_at": "2025-06-16T16:00:00Z"})
	do("DELETE", "/access_grants/delete", nil, "access_grant_id="+grant)
	again := do("POST", "/access_grants/create", m{
		"customer_key": customer, "reservation_key": "made-reservation", "user_identity_id": made.at("access_grant", "user_identity_id"),
		"location_ids": []string{f.spaceID(t, "room-101")}, "requested_access_methods": []m{{"mode": "code"}}, "ends_at": nil,
	})
	do("POST", "/access_grants/delete", m{"access_grant_id": again.at("access_grant", "access_grant_id")})
	for _, method := range []string{"PATCH", "POST", "PUT"} {
		own := do("POST", "/access_codes/create", m{"device_id": ids.lock, "code": "7351", "name": "Cleaner", "starts_at": "2025-06-16T15:00:00Z", "ends_at": "2025-06-18T10:00:00Z"})
		of := own.at("access_code", "access_code_id").(string)
		do(method, "/access_codes/update", m{"access_code_id": of, "code": "7352", "name": "Cleaners", "type": "ongoing", "is_managed": true})
		if method == "PUT" {
			do("DELETE", "/access_codes/delete", nil, "access_code_id="+of, "device_id="+ids.lock)
		} else {
			do("POST", "/access_codes/delete", m{"access_code_id": of})
		}
	}
	do("PATCH", "/access_codes/unmanaged/convert_to_managed", m{"access_code_id": unmanaged.at("access_code_id"), "force": true})
	for i, method := range []string{"POST", "DELETE", "POST"} {
		foreign := f.addUnmanaged(t, "lock-101", ids.lock, 10+i, "Neighbour", fmt.Sprint(908173+i)).at("access_code_id").(string)
		switch {
		case i == 0:
			do(method, "/access_codes/unmanaged/convert_to_managed", m{"access_code_id": foreign, "is_external_modification_allowed": false})
		case method == "DELETE":
			do(method, "/access_codes/unmanaged/delete", nil, "access_code_id="+foreign)
		default:
			do(method, "/access_codes/unmanaged/delete", m{"access_code_id": foreign})
		}
	}
	for _, by := range []string{"access_method_id", "access_grant_id", "reservation_key"} {
		key := "method-" + by
		f.post(t, "/customers/push_data", m{"customer_key": customer, "reservations": []m{{"reservation_key": key, "room_keys": []string{"room-101"}, "ends_at": "2025-06-18T10:00:00Z"}}})
		of := f.code(t, key, "")
		if by == "reservation_key" {
			do("POST", "/access_methods/delete", m{by: key})
			continue
		}
		do("DELETE", "/access_methods/delete", nil, by+"="+of.at(by).(string))
	}
	rules := m{
		"access_rules": m{
			"reservation_created": m{"rule": "reservation_created", "config": m{
				"access_methods": []string{"code"}, "method_issuance_strategy": "first_available", "prefer_guest_phone_last4_as_code": true,
			}},
			"staff_member_created": m{"rule": "staff_member_created", "config": m{}}, "lead_minutes": 0, "grace_minutes": nil,
			"reservation_deleted": m{"rule": "reservation_deleted"},
		},
		"climate_rules": m{"rules": m{"reservation_created": m{"occupied_preset_key": "warm", "automated_unoccupied_preset": m{
			"mode": "heat", "fan_mode": "auto", "is_override_allowed": true, "max_override_period_minutes": 60, "heating_set_point_celsius": 16,
		}}}},
	}
	with := func(members m) m {
		out := m{"customer_key": customer}
		for name, v := range members {
			out[name] = v
		}
		return out
	}
	for _, method := range []string{"PATCH", "POST"} {
		do(method, "/seam/customer/v1/automations/update", rules)
		do(method, "/seam/customer/v1/customers/automations/update", with(rules))
		do("POST", "/seam/customer/v1/automations/get", m{})
	}
	do("DELETE", "/seam/customer/v1/automations/delete", nil)
	do("POST", "/seam/customer/v1/automations/delete", m{"customer_key": customer})
}

// codeValues returns values of the members of a request to an operation for access codes, with which it succeeds, or nil for other paths.
func (f *fixture) codeValues(t testing.TB, customer, path string) map[string]any {
	t.Helper()
	type m = map[string]any
	if strings.Contains(path, "/automations/") {
		return m{"access_methods": []string{"code"}, "is_override_allowed": true, "heating_set_point_fahrenheit": nil, "cooling_set_point_fahrenheit": nil}
	}
	if path == "/seam/customer/v1/automation_runs/list" {
		return m{"partner_resource_id": nil, "created_before": nil}
	}
	switch path {
	case "/access_grants/create":
		return m{
			"access_grant_key": "made", "reservation_key": nil, "user_identity_id": nil, "device_ids": nil, "space_keys": []string{"pool"}, "location": nil, "location_ids": nil,
			"starts_at": nil, "ends_at": nil, "mode": "code", "code": "8264", "customization_profile_id": nil, "full_name": "Nia",
		}
	case "/access_grants/update":
		return m{"starts_at": nil, "ends_at": nil, "access_grant_id": nil}
	case "/access_grants/delete":
		return m{"access_grant_id": f.post(t, "/access_grants/get", `{"access_grant_key": "reservation-1"}`).at("access_grant", "access_grant_id")}
	}
	if !strings.HasPrefix(path, "/access_codes/") && !strings.HasPrefix(path, "/access_methods/") {
		return nil
	}
	ids := f.connectDevices(t, customer)
	f.post(t, "/spaces/add_devices", m{"space_id": f.spaceID(t, "room-101"), "device_ids": []string{ids.lock}})
	code := f.code(t, "reservation-1", "set")
	values := m{
		"access_code_id": code.at("access_code_id"), "device_id": ids.lock, "access_method_id": code.at("access_method_id"), "code": nil,
	}
	switch path {
	case "/access_codes/get":
		values["device_id"] = nil
	case "/access_codes/unmanaged/get", "/access_codes/unmanaged/convert_to_managed", "/access_codes/unmanaged/delete":
		values["device_id"], values["force"] = nil, true
		values["access_code_id"] = f.addUnmanaged(t, "lock-101", ids.lock, 9, "Owner", "908172").at("access_code_id")
	case "/access_codes/create":
		for _, name := range []string{"starts_at", "ends_at", "common_code_key", "max_time_rounding", "preferred_code_length"} {
			values[name] = nil
		}
		values["attempt_for_offline_device"], values["code"] = true, "7351"
	case "/access_codes/update", "/access_codes/delete":
		made := f.post(t, "/access_codes/create", m{"device_id": ids.lock})
		values["access_code_id"], values["attempt_for_offline_device"], values["is_managed"] = made.at("access_code", "access_code_id"), true, true
		values["starts_at"], values["ends_at"] = nil, nil
	case "/access_methods/delete":
		values["access_grant_id"], values["reservation_key"] = nil, nil
	case "/access_codes/list":
		values["access_code_ids"], values["access_grant_key"] = nil, nil
	}
	return values
}
