package httpapi

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// newName is the name of a device in a request. It is not given if Text is nil.
type newName struct{ Text *string }

// newNameParam reads a name. A name that is null is empty.
var newNameParam = param[newName]{func() schema { return nullable(textSchema()) }, func(o *jsonobject.Object, name string) (n newName) {
	if text := readNonEmpty(o, name); o.Given(name) {
		n.Text = &text
	}
	return n
}, func(newName) any { return nil }}

// propertiesParam reads the properties of a device in a request, of which only the name can be changed.
var propertiesParam = param[newName]{func() schema {
	return object(map[string]schema{"name": newNameParam.schema()})
}, func(o *jsonobject.Object, name string) (n newName) {
	o.Object(name, func() {}, func(members *jsonobject.Object) {
		n = newNameParam.read(members, "name")
		for _, member := range members.Unread() {
			members.Fault(member, validation.RuleUnknownField, "cannot be changed: only name can")
		}
	})
	return n
}, func(newName) any { return nil }}

// optionalBoolParam reads a boolean, or nil if the parameter is absent.
var optionalBoolParam = param[*bool]{boolSchema, func(o *jsonobject.Object, name string) *bool {
	v := boolParam.read(o, name)
	if !o.Has(name) {
		return nil
	}
	return &v
}, nilIfZero[*bool]}

type updateDeviceRequest struct {
	ID             uuid.UUID
	Name, Property newName
	Metadata       data.CustomMetadata
	Managed, Pool  *bool
}

func (r *updateDeviceRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("device_id", &r.ID, idParam)), bind("name", &r.Name, newNameParam), bind("properties", &r.Property, propertiesParam),
		bind("custom_metadata", &r.Metadata, metadataParam), bind("is_managed", &r.Managed, optionalBoolParam),
		bind("backup_access_code_pool_enabled", &r.Pool, optionalBoolParam),
	}}
}

// refusals collects the faults of settings that this library does not support.
type refusals []validation.Finding

func (f *refusals) add(path string, given bool, message string) {
	if given {
		*f = append(*f, validation.Finding{Path: path, Rule: validation.RuleNotThereYet, Message: message})
	}
}

func (f refusals) err() error {
	if len(f) == 0 {
		return nil
	}
	return invalidInput(0, f...)
}

// updateDevice changes the name and the metadata of a device.
func updateDevice(ctx context.Context, c *call, r *updateDeviceRequest) (jsonObject, error) {
	var refused refusals
	refused.add("is_managed", r.Managed != nil && !*r.Managed, "must be true: every device of a connected account is managed")
	refused.add("backup_access_code_pool_enabled", r.Pool != nil && *r.Pool, "must be false: there are no backup access codes")
	refused.add("properties.name", r.Name.Text != nil && r.Property.Text != nil, "is given together with name: give one of them")
	if err := refused.err(); err != nil {
		return nil, err
	}
	name, path := r.Name.Text, "name"
	if name == nil {
		name, path = r.Property.Text, "properties.name"
	}
	err := c.scope("").UpdateDevice(ctx, r.ID, access.DeviceUpdate{Name: name, Metadata: r.Metadata})
	return nil, renameFaultPath(err, "name", path)
}

// deleteDevice deletes a device that its account no longer lists.
func deleteDevice(ctx context.Context, c *call, r *lockRequest) (jsonObject, error) {
	removed, err := c.scope("").DeleteDevice(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return jsonObject{"code_removals": append([]data.CodeRemoval{}, removed...)}, nil
}

type updateAccountRequest struct {
	ID           uuid.UUID
	Name         string
	Metadata     data.CustomMetadata
	CustomerKey  string
	ManageNew    *bool
	Capabilities []string
}

func (r *updateAccountRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("connected_account_id", &r.ID, idParam)), bind("display_name", &r.Name, nameParam), bind("custom_metadata", &r.Metadata, metadataParam),
		bind("customer_key", &r.CustomerKey, keyParam), bind("automatically_manage_new_devices", &r.ManageNew, optionalBoolParam),
		bind("accepted_capabilities", &r.Capabilities, textsParam),
	}}
}

// updateAccount changes the name and the metadata of an account. The other parameters must have the values that every account has.
func updateAccount(ctx context.Context, c *call, r *updateAccountRequest) (jsonObject, error) {
	a, err := c.scope("").Account(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var refused refusals
	refused.add("customer_key", r.CustomerKey != "" && r.CustomerKey != a.CustomerKey, "cannot be changed: an account stays with its customer")
	refused.add("automatically_manage_new_devices", r.ManageNew != nil && !*r.ManageNew, "must be true: every device of a connected account is managed")
	refused.add("accepted_capabilities", len(r.Capabilities) > 0, "must be empty: all devices of the account are accepted")
	if err := refused.err(); err != nil {
		return nil, err
	}
	if a, err = c.scope("").UpdateAccount(ctx, r.ID, access.AccountUpdate{Name: r.Name, Metadata: r.Metadata}); err != nil {
		return nil, renameFaultPath(err, "name", "display_name")
	}
	return jsonObject{"connected_account": c.accountJSON(a)}, nil
}

// presetRequest names a climate preset of a thermostat.
type presetRequest struct {
	ID  uuid.UUID
	Key string
}

func (r *presetRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("device_id", &r.ID, idParam)), required(bind("climate_preset_key", &r.Key, keyParam))}}
}

func deletePreset(ctx context.Context, c *call, r *presetRequest) (jsonObject, error) {
	return nil, c.scope("").DeleteClimatePreset(ctx, r.ID, r.Key)
}

func setFallbackPreset(ctx context.Context, c *call, r *presetRequest) (jsonObject, error) {
	return nil, c.scope("").SetFallbackPreset(ctx, r.ID, r.Key)
}

func activatePreset(ctx context.Context, c *call, r *presetRequest) (jsonObject, error) {
	attempt, err := c.scope("").ActivatePreset(ctx, r.ID, r.Key, data.Actor{}, 0)
	if err != nil {
		return nil, mapFaultPaths(err, func(string) string { return "climate_preset_key" }) // the limits of the device have changed
	}
	return jsonObject{"action_attempt": attemptJSON(attempt)}, nil
}

// writePresetRequest creates or changes a climate preset.
type writePresetRequest struct {
	presetRequest
	Name                  newName
	PresetMode, Mode, Fan string
	Heating, Cooling      setPoint
	Override              *bool
	Ecobee                foreignFilter
}

func (r *writePresetRequest) input() input {
	params := append(r.presetRequest.input().params,
		bind("name", &r.Name, newNameParam), bind("climate_preset_mode", &r.PresetMode, presetModeParam),
		bind("hvac_mode_setting", &r.Mode, hvacModeParam), bind("fan_mode_setting", &r.Fan, fanModeParam),
		bind("manual_override_allowed", &r.Override, optionalBoolParam), bind("ecobee_metadata", &r.Ecobee, ecobeeParam),
	)
	return input{params: append(append(params, r.Heating.params(heatingField)...), r.Cooling.params(coolingField)...)}
}

// ecobeeParam reads the metadata of a preset that the maker of the thermostat stores, which no thermostat of this library has.
var ecobeeParam = param[foreignFilter]{func() schema {
	return object(map[string]schema{"climate_ref": stringSchema(), "is_optimized": boolSchema(), "owner": enumOf("user", "system")})
}, func(o *jsonobject.Object, name string) (f foreignFilter) {
	o.Object(name, func() {}, func(members *jsonobject.Object) {
		for _, member := range members.Names() {
			members.Value(member)
			f = foreignFilter{name, member}
		}
	})
	return f
}, func(foreignFilter) any { return nil }}

type (
	createPresetRequest struct{ writePresetRequest }
	updatePresetRequest struct{ writePresetRequest }
)

func createPreset(ctx context.Context, c *call, r *createPresetRequest) (jsonObject, error) {
	return nil, r.write(ctx, c, false)
}

func updatePreset(ctx context.Context, c *call, r *updatePresetRequest) (jsonObject, error) {
	return nil, r.write(ctx, c, true)
}

// write creates a preset, or changes the parts of an existing one that are given.
func (r *writePresetRequest) write(ctx context.Context, c *call, update bool) error {
	var refused refusals
	refused.add("manual_override_allowed", r.Override != nil && !*r.Override, "must be true: people can change the settings at the thermostat")
	refused.add("ecobee_metadata", r.Ecobee.value != nil, "must be empty: the preset is not stored by the thermostat")
	if err := refused.err(); err != nil {
		return err
	}
	heating, heatingParam, err := r.Heating.in(heatingField)
	if err != nil {
		return err
	}
	cooling, coolingParam, err := r.Cooling.in(coolingField)
	if err != nil {
		return err
	}
	err = c.scope("").SetClimatePreset(ctx, r.ID, r.Key, func(p access.ClimatePreset, exists bool) (access.ClimatePreset, error) {
		switch {
		case update && !exists:
			return p, access.ErrClimatePresetNotFound
		case !update && exists:
			return p, invalidInput(0, validation.Finding{Path: "climate_preset_key", Rule: validation.RuleKeyConflict, Message: "is the key of another preset of the thermostat"})
		}
		if r.Name.Text != nil {
			p.Name = *r.Name.Text
		}
		p.Mode = cmp.Or(r.PresetMode, p.Mode)
		if r.Mode != "" {
			p.Climate.Mode = device.Known(device.HVACMode(r.Mode))
		}
		if r.Fan != "" {
			p.FanMode = device.Known(device.FanMode(r.Fan))
		}
		if heating.IsKnown() {
			p.HeatingSetPoint = heating
		}
		if cooling.IsKnown() {
			p.CoolingSetPoint = cooling
		}
		return p, nil
	})
	params := map[string]string{
		"command.climate.mode": "hvac_mode_setting", "command.climate.fan_mode": "fan_mode_setting", "command.climate." + heatingField: heatingParam,
		"command.climate." + coolingField: coolingParam, "name": "name", "climate_preset_key": "climate_preset_key",
	}
	if r.Cooling != (setPoint{}) || r.Heating != (setPoint{}) { // a fault of both set points
		params["command.climate"] = coolingParam
	}
	if err == nil {
		return nil
	}
	return mapFaultPaths(err, func(path string) string { return cmp.Or(params[path], "device_id") })
}
