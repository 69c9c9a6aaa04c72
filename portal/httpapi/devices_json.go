package httpapi

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
)

// encodeDevices converts devices to JSON. It reads the spaces to which they are mapped, because the JSON contains their ids.
func (c *call) encodeDevices(ctx context.Context, devices []access.Device) ([]jsonObject, error) {
	refs := map[string][]data.Ref{} // by customer
	for _, d := range devices {
		for _, m := range d.Mappings {
			refs[d.CustomerKey] = append(refs[d.CustomerKey], data.Ref{Kind: data.KindSpace, Key: m.SpaceKey})
		}
	}
	type spaceAt struct{ customer, key string }
	ids := map[spaceAt]uuid.UUID{}
	err := c.ws.View(ctx, func(snap *data.Snapshot) error {
		clear(ids)
		for customer, refs := range refs {
			refs = lo.Uniq(refs)
			found, err := snap.Resources(ctx, customer, refs)
			if err != nil {
				return err
			}
			for i, r := range found {
				if s, ok := r.(data.Space); ok {
					ids[spaceAt{customer, refs[i].Key}] = s.Meta.ID
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := []jsonObject{}
	for _, d := range devices {
		spaceIDs := []uuid.UUID{}
		for _, m := range d.Mappings {
			if id, ok := ids[spaceAt{d.CustomerKey, m.SpaceKey}]; ok {
				spaceIDs = append(spaceIDs, id)
			}
		}
		out = append(out, c.deviceJSON(d, spaceIDs))
	}
	return out, nil
}

func (c *call) deviceJSON(d access.Device, spaceIDs []uuid.UUID) jsonObject {
	provider := c.providerOf(d.Provider)
	out := jsonObject{
		"device_id": d.ID, "device_type": typeOf(d), "display_name": d.Name, "connected_account_id": d.AccountID,
		"customer_key": d.CustomerKey, "workspace_id": c.ws.ID(), "created_at": data.FormatTime(d.CreatedAt), "is_managed": true,
		"custom_metadata": metadataJSON(d.Metadata), "space_ids": spaceIDs, "capabilities_supported": supported(d), "properties": deviceProperties(d),
		"errors": deviceErrors(d), "warnings": []jsonObject{},
		"device_provider": jsonObject{"device_provider_name": d.Provider, "display_name": provider.Name, "provider_category": "stable"},
	}
	if d.Manufacturer != "" {
		out["device_manufacturer"] = jsonObject{"manufacturer": d.Manufacturer, "display_name": d.Manufacturer}
	}
	for name, can := range flags(d.Can, d.Climate) {
		out[name] = can
	}
	return out
}

// typeOf returns the type of a device, such as "zigbee2mqtt_lock".
func typeOf(d access.Device) string { return d.Provider + "_" + deviceType(d) }

// deviceType returns the type of a device without its provider.
func deviceType(d access.Device) string {
	switch {
	case d.Can(device.CanLock), d.Can(device.CanUnlock), d.Can(device.CanProgram):
		return "lock"
	case d.Can(device.CanSetClimate):
		return "thermostat"
	case d.Can(device.ReportsNoise):
		return "noise_sensor"
	}
	return "sensor"
}

// supported returns the capabilities that the API has a name for.
func supported(d access.Device) []string {
	out := []string{}
	for _, c := range []struct {
		name string
		can  bool
	}{
		{"access_code", d.Can(device.CanProgram)},
		{"lock", d.Can(device.CanLock) || d.Can(device.CanUnlock)},
		{"noise_detection", d.Can(device.ReportsNoise)},
		{"thermostat", d.Can(device.CanSetClimate)},
		{"battery", d.Can(device.ReportsBattery)},
	} {
		if c.can {
			out = append(out, c.name)
		}
	}
	return out
}

// flags returns the flags of the API for what a device, or a device of a provider, can do. limits are those of a thermostat, or
// nil.
func flags(can func(device.Capability) bool, limits *device.ClimateLimits) map[string]bool {
	mode := func(m device.HVACMode) bool {
		return can(device.CanSetClimate) && (limits == nil || slices.Contains(limits.Modes, m))
	}
	return map[string]bool{
		"can_remotely_lock": can(device.CanLock), "can_remotely_unlock": can(device.CanUnlock),
		"can_program_online_access_codes": can(device.CanProgram), "can_program_offline_access_codes": false, "can_unlock_with_code": can(device.CanProgram),
		"can_hvac_heat": mode(device.HVACHeat), "can_hvac_cool": mode(device.HVACCool), "can_hvac_heat_cool": mode(device.HVACHeatCool), "can_turn_off_hvac": mode(device.HVACOff),
		"can_configure_auto_lock": false, "can_run_thermostat_programs": false,
	}
}

// deviceProperties returns the properties of a device. A value that the device has not reported is absent.
func deviceProperties(d access.Device) jsonObject {
	s := d.State
	online, known := s.Online.Get()
	out := jsonObject{"name": d.Name, "online": d.AccountStatus == access.AccountConnected && d.MissingSince.IsZero() && (online || !known)}
	for name, text := range map[string]string{"manufacturer": d.Manufacturer, "serial_number": d.Serial} {
		if text != "" {
			out[name] = text
		}
	}
	if d.Model != "" {
		out["model"] = jsonObject{"display_name": d.Model, "manufacturer_display_name": d.Manufacturer}
	}
	if level, ok := s.Battery.Get(); ok {
		out["battery_level"], out["battery"] = level, jsonObject{"level": level, "status": batteryStatus(level)}
	}
	put(out, "locked", s.Locked)
	put(out, "door_open", s.DoorOpen)
	put(out, "noise_level_decibels", s.Noise)
	put(out, "relative_humidity", s.Humidity)
	put(out, "leak_detected", s.Leak)
	put(out, "smoke_detected", s.Smoke)
	put(out, "occupied", s.Occupied)
	putTemperature(out, "temperature", s.Temperature)
	if l := d.Codes; l != nil {
		out["supported_code_lengths"], out["max_active_codes_supported"] = l.Lengths, l.Slots
	}
	if d.Can(device.CanSetClimate) {
		thermostatProperties(out, s, d.Climate)
		presets := []jsonObject{}
		for _, p := range d.ClimatePresets {
			presets = append(presets, presetJSON(p))
		}
		out["available_climate_presets"], out["fallback_climate_preset_key"] = presets, nullIfEmpty(d.FallbackPreset)
	}
	return out
}

func presetJSON(p access.ClimatePreset) jsonObject {
	out := jsonObject{
		"climate_preset_key": p.Key, "name": nullIfEmpty(p.Name), "display_name": cmp.Or(p.Name, p.Key), "can_edit": true, "can_delete": true,
		"can_use_with_thermostat_daily_programs": false, "manual_override_allowed": true,
	}
	if p.Mode != "" {
		out["climate_preset_mode"] = p.Mode
	}
	put(out, "hvac_mode_setting", p.Climate.Mode)
	put(out, "fan_mode_setting", p.FanMode)
	putTemperature(out, heatingField, p.HeatingSetPoint)
	putTemperature(out, coolingField, p.CoolingSetPoint)
	return out
}

// metadataJSON returns metadata as an object, also if it is empty.
func metadataJSON(m data.CustomMetadata) data.CustomMetadata {
	if m == nil {
		return data.CustomMetadata{}
	}
	return m
}

// batteryStatus returns the word of the API for the charge of a battery.
func batteryStatus(level float64) string {
	switch {
	case level < 0.05:
		return "critical"
	case level < 0.2:
		return "low"
	case level < 0.95:
		return "good"
	}
	return "full"
}

func thermostatProperties(out jsonObject, s device.State, limits *device.ClimateLimits) {
	put(out, "is_heating", s.Heating)
	put(out, "is_cooling", s.Cooling)
	put(out, "is_fan_running", s.FanRunning)
	put(out, "fan_mode_setting", s.FanMode)
	current := jsonObject{"manual_override_allowed": true}
	put(current, "hvac_mode_setting", s.Mode)
	put(current, "fan_mode_setting", s.FanMode)
	putTemperature(current, "heating_set_point", s.HeatingSetPoint)
	putTemperature(current, "cooling_set_point", s.CoolingSetPoint)
	out["current_climate_setting"] = current
	if limits == nil {
		return
	}
	out["available_hvac_mode_settings"] = limits.Modes
	out["available_fan_mode_settings"] = append([]device.FanMode{}, limits.FanModes...)
	for name, r := range map[string]*device.Range{"heating": limits.Heating, "cooling": limits.Cooling} {
		if r != nil && *r != (device.Range{}) {
			putTemperature(out, "min_"+name+"_set_point", device.Known(r.Min))
			putTemperature(out, "max_"+name+"_set_point", device.Known(r.Max))
		}
	}
	if limits.MinDelta > 0 {
		out["min_heating_cooling_delta_celsius"], out["min_heating_cooling_delta_fahrenheit"] = limits.MinDelta, limits.MinDelta*9/5
	}
}

func put[T comparable](out jsonObject, name string, value device.Optional[T]) {
	if v, ok := value.Get(); ok {
		out[name] = v
	}
}

// putTemperature sets a temperature in both units.
func putTemperature(out jsonObject, name string, value device.Optional[float64]) {
	if celsius, ok := value.Get(); ok {
		out[name+"_celsius"], out[name+"_fahrenheit"] = celsius, celsius*9/5+32
	}
}

// deviceErrors returns the reasons for which a device does not work.
func deviceErrors(d access.Device) []jsonObject {
	out := []jsonObject{}
	add := func(code, message string, isAccount bool) {
		out = append(out, jsonObject{
			"error_code": code, "message": message, "created_at": data.FormatTime(d.StateAt), "is_device_error": !isAccount, "is_connected_account_error": isAccount,
		})
	}
	switch {
	case d.AccountStatus == access.AccountLost:
		add("account_disconnected", "The account must be connected again", true)
	case d.AccountStatus == access.AccountUnreachable:
		add("hub_disconnected", "The provider or the hub of the device cannot be reached", true)
	case !d.MissingSince.IsZero():
		add("device_removed", "The account does not list the device any more", false)
	case d.State.Online.Is(false):
		add("device_offline", "The device is offline", false)
	}
	return out
}

// providerOf returns the description of a provider, or one with the key as its name if the service does not have it.
func (c *call) providerOf(key string) device.Info {
	for _, info := range c.h.access.Providers() {
		if info.Key == key {
			return info
		}
	}
	return device.Info{Key: key, Name: key}
}

func (c *call) accountJSON(a access.Account) jsonObject {
	out := jsonObject{
		"connected_account_id": a.ID, "account_type": a.Provider, "account_type_display_name": c.providerOf(a.Provider).Name, "display_name": a.Name,
		"customer_key": a.CustomerKey, "created_at": data.FormatTime(a.CreatedAt), "automatically_manage_new_devices": true,
		"accepted_capabilities": []string{}, "custom_metadata": metadataJSON(a.Metadata), "user_identifier": jsonObject{"username": a.ExternalID},
		"errors": []jsonObject{}, "warnings": []jsonObject{},
	}
	at := data.FormatTime(a.StatusSince)
	switch a.Status {
	case access.AccountLost:
		out["errors"] = []jsonObject{{
			"error_code": "account_disconnected", "message": a.Error, "created_at": at, "is_connected_account_error": true, "is_bridge_error": false,
		}}
	case access.AccountUnreachable:
		out["warnings"] = []jsonObject{{"warning_code": "provider_service_unavailable", "message": a.Error, "created_at": at}}
	}
	return out
}

// actionType returns the type of the API for a command. preset is the key of the climate preset that it activates, or empty.
func actionType(c device.Command, preset string) string {
	switch {
	case c.Kind == device.Lock:
		return "LOCK_DOOR"
	case c.Kind == device.Unlock:
		return "UNLOCK_DOOR"
	case preset != "":
		return "ACTIVATE_CLIMATE_PRESET"
	case c.Climate.FanMode.IsKnown():
		return "SET_FAN_MODE"
	}
	return "SET_HVAC_MODE"
}

func attemptJSON(a access.ActionAttempt) jsonObject {
	out := jsonObject{
		"action_attempt_id": a.ID, "action_type": actionType(a.Command, a.PresetKey), "status": a.Status, "result": nil, "error": nil,
		"device_id": a.DeviceID, "created_at": data.FormatTime(a.CreatedAt),
	}
	switch a.Status {
	case access.AttemptSuccess:
		out["result"] = jsonObject{"was_confirmed_by_device": a.Confirmed}
	case access.AttemptError:
		out["error"] = a.Error
	}
	return out
}
