package httpapi

import (
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
)

func accountRef() schema { return schemaRef("connected_account") }
func webviewRef() schema { return schemaRef("connect_webview") }
func attemptRef() schema { return schemaRef("action_attempt") }

func attemptResponse() map[string]schema { return map[string]schema{"action_attempt": attemptRef()} }

// deviceResponse returns a response with one device, under the name "device" and under the name of its class.
func deviceResponse(name string) func() map[string]schema {
	return func() map[string]schema {
		return map[string]schema{"device": schemaRef("device"), name: schemaRef("device")}
	}
}

// devicesResponse returns a response with a page of devices, under the name "devices" and under the name of their class.
func devicesResponse(name string) func() map[string]schema {
	return func() map[string]schema {
		members := page("devices", func() schema { return schemaRef("device") })()
		members[name] = members["devices"]
		return members
	}
}

func providersResponse() map[string]schema {
	return map[string]schema{"device_providers": arrayOf(schemaRef("device_provider"))}
}

func deleteAccountResponse() map[string]schema {
	return map[string]schema{"code_removals": codeRemovalsSchema()}
}

// flagSchemas describes the flags of devices and providers.
func flagSchemas() map[string]schema {
	out := map[string]schema{}
	for name := range flags(func(device.Capability) bool { return false }, nil) {
		out[name] = boolSchema()
	}
	return out
}

func deviceSchema() schema {
	problem := allRequired(map[string]schema{
		"error_code": stringSchema(), "message": stringSchema(), "created_at": timeSchema(), "is_device_error": boolSchema(), "is_connected_account_error": boolSchema(),
	})
	members := flagSchemas()
	maps.Copy(members, map[string]schema{
		"device_id": idSchema(), "device_type": described(stringSchema(), "The provider and the class of the device, such as zigbee2mqtt_lock."),
		"display_name": stringSchema(), "connected_account_id": idSchema(), "customer_key": stringSchema(), "workspace_id": idSchema(), "created_at": timeSchema(),
		"is_managed": boolSchema(), "custom_metadata": metadataSchema(), "space_ids": arrayOf(idSchema()),
		"capabilities_supported": arrayOf(enumOf("access_code", "lock", "noise_detection", "thermostat", "battery")),
		"properties":             devicePropertiesSchema(), "errors": arrayOf(problem), "warnings": arrayOf(typeSchema("object")),
		"device_provider":     allRequired(map[string]schema{"device_provider_name": stringSchema(), "display_name": stringSchema(), "provider_category": stringSchema()}),
		"device_manufacturer": allRequired(map[string]schema{"manufacturer": stringSchema(), "display_name": stringSchema()}),
	})
	return allRequired(members, "device_manufacturer")
}

func devicePropertiesSchema() schema {
	members := map[string]schema{
		"name": stringSchema(), "online": boolSchema(), "manufacturer": stringSchema(), "serial_number": stringSchema(),
		"model":         allRequired(map[string]schema{"display_name": stringSchema(), "manufacturer_display_name": stringSchema()}),
		"battery_level": numberSchema(), "battery": allRequired(map[string]schema{"level": numberSchema(), "status": enumOf("critical", "low", "good", "full")}),
		"locked": boolSchema(), "door_open": boolSchema(), "noise_level_decibels": numberSchema(), "relative_humidity": numberSchema(),
		"leak_detected": boolSchema(), "smoke_detected": boolSchema(), "occupied": boolSchema(),
		"supported_code_lengths": arrayOf(integerSchema()), "max_active_codes_supported": integerSchema(),
		"is_heating": boolSchema(), "is_cooling": boolSchema(), "is_fan_running": boolSchema(), "fan_mode_setting": fanModeParam.schema(),
		"available_hvac_mode_settings": arrayOf(hvacModeParam.schema()), "available_fan_mode_settings": arrayOf(fanModeParam.schema()),
		"current_climate_setting": climateSettingSchema(), "available_climate_presets": arrayOf(presetSchema()), "fallback_climate_preset_key": nullable(stringSchema()),
	}
	temperatures(members, "temperature", "min_heating_cooling_delta")
	for _, name := range []string{heatingField, coolingField} {
		temperatures(members, "min_"+name, "max_"+name)
	}
	return described(object(members, "name", "online"), "A value that the device has not reported is absent.")
}

func climateSettingSchema() schema {
	members := map[string]schema{"manual_override_allowed": boolSchema(), "hvac_mode_setting": hvacModeParam.schema(), "fan_mode_setting": fanModeParam.schema()}
	temperatures(members, heatingField, coolingField)
	return object(members, "manual_override_allowed")
}

func presetSchema() schema {
	members := map[string]schema{
		"climate_preset_key": stringSchema(), "name": nullable(stringSchema()), "display_name": stringSchema(), "can_edit": boolSchema(), "can_delete": boolSchema(),
		"can_use_with_thermostat_daily_programs": boolSchema(), "manual_override_allowed": boolSchema(),
	}
	required := slices.Collect(maps.Keys(members))
	members["climate_preset_mode"], members["hvac_mode_setting"], members["fan_mode_setting"] = presetModeParam.schema(), hvacModeParam.schema(), fanModeParam.schema()
	temperatures(members, heatingField, coolingField)
	return object(members, required...)
}

// temperatures adds members for temperatures in both units.
func temperatures(members map[string]schema, names ...string) {
	for _, name := range names {
		members[name+"_celsius"], members[name+"_fahrenheit"] = numberSchema(), numberSchema()
	}
}

func accountSchema() schema {
	problem := func(code string, others ...string) schema {
		members := map[string]schema{code: stringSchema(), "message": stringSchema(), "created_at": timeSchema()}
		for _, name := range others {
			members[name] = boolSchema()
		}
		return allRequired(members)
	}
	return allRequired(map[string]schema{
		"connected_account_id": idSchema(), "account_type": stringSchema(), "account_type_display_name": stringSchema(), "display_name": stringSchema(),
		"customer_key": stringSchema(), "created_at": timeSchema(), "automatically_manage_new_devices": boolSchema(), "accepted_capabilities": arrayOf(stringSchema()),
		"custom_metadata": metadataSchema(), "user_identifier": allRequired(map[string]schema{"username": stringSchema()}),
		"errors":   arrayOf(problem("error_code", "is_connected_account_error", "is_bridge_error")),
		"warnings": arrayOf(problem("warning_code")),
	})
}

func attemptSchema() schema {
	return allRequired(map[string]schema{
		"action_attempt_id": idSchema(), "action_type": enumOf("LOCK_DOOR", "UNLOCK_DOOR", "SET_HVAC_MODE", "SET_FAN_MODE", "ACTIVATE_CLIMATE_PRESET",
			"CREATE_ACCESS_CODE", "UPDATE_ACCESS_CODE", "DELETE_ACCESS_CODE"),
		"status": enumOf(access.AttemptPending, access.AttemptSuccess, access.AttemptError),
		"result": nullable(allRequired(map[string]schema{"was_confirmed_by_device": boolSchema()})),
		"error": nullable(allRequired(map[string]schema{
			"type": enumOf(
				access.ErrorDeviceOffline, access.ErrorNotConfirmed, access.ErrorTimedOut, access.ErrorRejected, access.ErrorUnsupported,
				access.ErrorAccountLost, access.ErrorDeviceNotFound, access.ErrorProvider,
			),
			"message": stringSchema(),
		})),
		"device_id": idSchema(), "created_at": timeSchema(),
	})
}

func providerSchema() schema {
	members := flagSchemas()
	maps.Copy(members, map[string]schema{
		"device_provider_name": stringSchema(), "display_name": stringSchema(), "image_url": stringSchema(), "provider_categories": arrayOf(stringSchema()),
	})
	return allRequired(members)
}

// eventSchema describes an event. The members after event_type depend on the type.
func eventSchema() schema {
	ids := arrayOf(idSchema())
	none := arrayOf(typeSchema("object"))
	members := map[string]schema{
		"event_id": idSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(), "event_type": stringSchema(), "event_description": stringSchema(),
		"created_at":  described(timeSchema(), "The time at which the event was stored."),
		"occurred_at": described(timeSchema(), "The time of the event according to the device or its provider, whose clock may be wrong."),
	}
	optional := map[string]schema{
		"device_id": idSchema(), "connected_account_id": idSchema(), "action_attempt_id": idSchema(), "access_code_id": idSchema(),
		"method": enumOf(slices.Sorted(maps.Values(eventMethods))...), "battery_level": numberSchema(), "error_code": stringSchema(),
		"device_errors": none, "device_warnings": none, "connected_account_errors": none, "connected_account_warnings": none,
		"code":               described(stringSchema(), "The present PIN of the access code. Empty if the code does not exist any more."),
		"access_code_errors": codeErrors(), "access_code_warnings": none, "description": stringSchema(),
		"from": described(typeSchema("object"), "Its members are null."), "to": described(typeSchema("object"), "Its members are null."),
		"access_grant_id": idSchema(), "access_grant_key": stringSchema(), "space_id": idSchema(), "space_key": stringSchema(), "device_ids": ids, "acs_entrance_ids": ids,
	}
	required := slices.Collect(maps.Keys(members))
	maps.Copy(members, optional)
	return object(members, required...)
}

func webviewSchema() schema {
	return allRequired(map[string]schema{
		"connect_webview_id": idSchema(), "workspace_id": idSchema(), "customer_key": stringSchema(), "created_at": timeSchema(),
		"url":    described(stringSchema(), "The page. It is valid for 30 minutes."),
		"status": described(enumOf("pending", "authorized", "failed"), "A webview that failed can still become authorized until it expires."), "login_successful": boolSchema(),
		"device_selection_mode": enumOf("none"), "accepted_providers": arrayOf(stringSchema()), "accepted_capabilities": arrayOf(stringSchema()),
		"any_provider_allowed": boolSchema(), "custom_redirect_url": nullable(stringSchema()), "custom_redirect_failure_url": nullable(stringSchema()),
		"custom_metadata": metadataSchema(), "automatically_manage_new_devices": boolSchema(), "wait_for_device_creation": boolSchema(),
		"connected_account_id": nullable(idSchema()), "authorized_at": nullable(timeSchema()), "selected_provider": nullable(stringSchema()),
	})
}
