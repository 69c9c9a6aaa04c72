package httpapi

import (
	"fmt"
	"net/http"
)

// support is the plan for an operation that the library does not have.
type support string

const (
	later support = "later" // planned
	never support = "never" // not planned
)

// unsupportedOperation is an operation of the documented API that this library does not have. Its path answers 501.
type unsupportedOperation struct {
	path    string
	methods []string
	support support // later or never
	reason  string  // why it is not supported, or what to use instead; the end of a sentence
}

// The reasons that several operations have in common.
const (
	reasonCards        = "there are no cards and no encoders"
	reasonKeys         = "there are no mobile keys"
	reasonSystems      = "there are no access control systems"
	reasonWebhooks     = "read events/list or customers/changes"
	reasonConnectors   = "reservations are pushed with customers/push_data"
	reasonManaged      = "every device of a connected account is managed"
	reasonSimulated    = "use the package device/simulated for tests"
	reasonSchedules    = "activate climate presets at the times that you need"
	reasonNoise        = "noise sensors report only their level"
	reasonUserDevices  = "a user gets access with an access grant"
	reasonPages        = "it is internal to the pages of another service"
	reasonOtherListing = "it is internal to the pages of another service: use the documented operation for the same resources"
)

// unsupportedOperations returns the table of the documented operations that the library does not have. To add an operation to the
// library, move it from here to the table of routes.
func unsupportedOperations() []unsupportedOperation {
	var out []unsupportedOperation
	add := func(s support, reason string, methods []string, paths ...string) {
		for _, path := range paths {
			out = append(out, unsupportedOperation{path, methods, s, reason})
		}
	}

	add(never, reasonPages, getPost, "/seam/connect_webview/v1/get_current_pane")
	add(never, reasonPages, post, "/seam/connect_webview/v1/submit")
	add(later, "the inventory is read when the provider reports a change", post, "/connected_accounts/sync")

	add(never, reasonSimulated, post, "/connected_accounts/simulate/disconnect", "/devices/simulate/connect", "/devices/simulate/disconnect", "/locks/simulate/keypad_code_entry")
	add(never, reasonManaged, getPost, "/devices/unmanaged/get", "/devices/unmanaged/list")
	add(never, reasonManaged, patchPost, "/devices/unmanaged/update")
	add(never, "drivers cannot configure the lock", post, "/locks/configure_auto_lock")
	add(later, reasonSchedules, post, "/thermostats/schedules/create")
	add(later, reasonSchedules, getPost, "/thermostats/schedules/get", "/thermostats/schedules/list")
	add(later, reasonSchedules, patchPost, "/thermostats/schedules/update")
	add(later, reasonSchedules, deletePost, "/thermostats/schedules/delete")
	add(later, "read the temperature of the thermostat", patchPost, "/thermostats/set_temperature_threshold")
	add(later, reasonNoise, post, "/noise_sensors/noise_thresholds/create")
	add(later, reasonNoise, getPost, "/noise_sensors/noise_thresholds/get", "/noise_sensors/noise_thresholds/list")
	add(later, reasonNoise, patchPostPut, "/noise_sensors/noise_thresholds/update")
	add(later, reasonNoise, deletePost, "/noise_sensors/noise_thresholds/delete")

	add(later, "there are no backup access codes", post, "/access_codes/pull_backup_access_code")
	add(later, "create an access grant with device_ids", putPost, "/access_codes/create_multiple")
	add(later, "update the access grant", patchPost, "/access_codes/update_multiple")
	add(later, "convert the code to a managed one", patchPost, "/access_codes/unmanaged/update")
	add(never, reasonPages, getPost, "/access_codes/get_timeline")
	add(never, "drivers report the constraints of devices", post, "/access_codes/report_device_constraints")

	add(later, "an access grant has a PIN from the start", post, "/access_grants/request_access_methods")
	add(later, "use the get and list operations", getPost, "/access_grants/get_related", "/access_methods/get_related", "/spaces/get_related")
	add(later, "unlock the device with locks/unlock_door", post, "/access_methods/unlock_door")
	add(never, reasonCards, post, "/access_methods/encode", "/access_methods/assign_card", "/seam/customer/v1/access_methods/encode")
	add(never, reasonCards, getPost, "/seam/customer/v1/encoders/list")
	add(never, reasonKeys, post, "/user_identities/generate_instant_key")
	add(never, reasonKeys, getPost, "/instant_keys/get", "/instant_keys/list")
	add(never, reasonKeys, deletePost, "/instant_keys/delete")
	add(later, reasonUserDevices, putPost, "/user_identities/grant_access_to_device")
	add(later, reasonUserDevices, deletePost, "/user_identities/revoke_access_to_device")
	add(later, reasonUserDevices, getPost, "/user_identities/list_accessible_devices")

	add(never, reasonSystems, putPost, "/spaces/add_acs_entrances")
	add(never, reasonSystems, deletePost, "/spaces/remove_acs_entrances")
	add(later, "map the devices of the account with spaces/add_devices", putPost, "/spaces/add_connected_account")
	add(later, "unmap the devices of the account with spaces/remove_devices", deletePost, "/spaces/remove_connected_account")

	add(later, reasonWebhooks, post, "/webhooks/create")
	add(later, reasonWebhooks, getPost, "/webhooks/get", "/webhooks/list")
	add(later, reasonWebhooks, putPost, "/webhooks/update")
	add(later, reasonWebhooks, deletePost, "/webhooks/delete")

	add(later, reasonConnectors, getPost, "/seam/customer/v1/connectors/connector_types", "/seam/customer/v1/connectors/list")
	add(later, reasonConnectors, post, "/seam/customer/v1/connectors/create", "/seam/customer/v1/connectors/delete", "/seam/customer/v1/connectors/sync", "/seam/customer/v1/connectors/update", "/seam/customer/v1/connectors/ical/validate-config")
	add(never, reasonConnectors, getPost, "/seam/customer/v1/connectors/authorize", "/seam/customer/v1/connectors/external_sites/list", "/seam/customer/v1/connector_customers/list")

	add(never, reasonOtherListing, getPost, "/seam/customer/v1/access_grants/list", "/seam/customer/v1/customers/me", "/seam/customer/v1/events/list",
		"/seam/customer/v1/reservations/get", "/seam/customer/v1/reservations/list", "/seam/customer/v1/reservations/list_access_grants",
		"/seam/customer/v1/settings/business_verticals/list", "/seam/customer/v1/spaces/list", "/seam/customer/v1/spaces/list_reservations",
		"/seam/customer/v1/staff_members/get", "/seam/customer/v1/staff_members/list")
	add(never, reasonOtherListing, patchPost, "/seam/customer/v1/access_grants/update")
	add(never, reasonOtherListing, post, "/seam/customer/v1/spaces/create", "/seam/customer/v1/spaces/push_common_areas")
	return out
}

// route returns the route that answers the operation with 501.
func (op unsupportedOperation) route() route {
	return route{path: op.path, methods: op.methods, unsupported: &op}
}

// response returns the response to a request for the operation.
func (op *unsupportedOperation) response() *apiError {
	message := "The operation is not supported: "
	if op.support == later {
		message = "The operation is not supported yet: "
	}
	return &apiError{status: http.StatusNotImplemented, kind: typeNotSupported, message: fmt.Sprint(message, op.reason)}
}
