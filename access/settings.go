package access

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

const (
	maxNameBytes = 200 // of the names of accounts, devices and climate presets
	maxPresets   = 50  // climate presets of a thermostat
)

// AccountUpdate is a change of an account by the host.
type AccountUpdate struct {
	Name     string              // 1 to 200 bytes; empty does not change it
	Metadata data.CustomMetadata // is merged: a value that is nil or "" removes its key
}

// UpdateAccount changes the name and the metadata of an account of the scope, and returns the account. The new name stays when the
// customer connects the account again. UpdateAccount returns [ErrAccountNotFound], and a [validation.Error] with paths such as "name"
// or "custom_metadata.floor".
func (c *Scope) UpdateAccount(ctx context.Context, id uuid.UUID, u AccountUpdate) (out Account, err error) {
	if err := checkName(u.Name); err != nil {
		return out, err
	}
	row, err := c.accountRow(ctx, id)
	if err != nil {
		return out, err
	}
	err = c.within(ctx, row.Customer, func(ctx context.Context, tx data.CustomerTx) error {
		row, customer, err := c.findAccount(ctx, tx.Snapshot, id)
		if err != nil {
			return err
		}
		var details accountDetails
		if err := decode("the details of an account", row.Details, &details); err != nil {
			return err
		}
		if details.Settings.Metadata, err = devicedata.MergeMetadata(details.Settings.Metadata, u.Metadata); err != nil {
			return err
		}
		if u.Name != "" {
			row.Name, details.Settings.Name = u.Name, u.Name
		}
		row.Details = encode(details)
		if err := devicedata.UpdateAccount(ctx, tx, *row); err != nil {
			return err
		}
		out, err = newAccount(customer.Key, row)
		return err
	})
	return out, err
}

// checkName returns a [validation.Error] if a name that the host gives is too long or has a character that is not allowed.
func checkName(name string) error {
	fault := textrules.Check(name, maxNameBytes)
	if fault == "" && name != "" && device.Label(name) != name {
		fault = "has a control character, or spaces at its ends"
	}
	if fault != "" {
		return invalid("name", validation.RuleTextFormat, nil, "%s", fault)
	}
	return nil
}

// DeviceUpdate is a change of a device by the host.
type DeviceUpdate struct {
	Name     *string             // at most 200 bytes; empty selects the name that the driver reports; nil does not change it
	Metadata data.CustomMetadata // is merged: a value that is nil or "" removes its key
}

// UpdateDevice changes the name and the metadata of a device of the scope. It returns [ErrDeviceNotFound], and a [validation.Error]
// with paths such as "name" or "custom_metadata.floor".
func (c *Scope) UpdateDevice(ctx context.Context, id uuid.UUID, u DeviceUpdate) error {
	if u.Name != nil {
		if err := checkName(*u.Name); err != nil {
			return err
		}
	}
	return c.changeSettings(ctx, id, func(_ Device, s *deviceSettings) (err error) {
		if u.Name != nil {
			s.Name = *u.Name
		}
		s.Metadata, err = devicedata.MergeMetadata(s.Metadata, u.Metadata)
		return err
	})
}

// changeSettings changes the settings of a device in a transaction.
func (c *Scope) changeSettings(ctx context.Context, id uuid.UUID, change func(Device, *deviceSettings) error) error {
	customer, err := c.customerOfDevice(ctx, id)
	if err != nil {
		return err
	}
	return c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		row, _, err := c.findDevice(ctx, tx.Snapshot, id)
		if err != nil {
			return err
		}
		var details deviceDetails
		if err := decode("the details of a device", row.Details, &details); err != nil {
			return err
		}
		d, err := newDevice(Account{}, row, nil)
		if err != nil {
			return err
		}
		if err := change(d, &details.Settings); err != nil {
			return err
		}
		_, err = devicedata.PutDevices(ctx, tx, row.AccountID, []devicedata.Device{details.row(row.ExternalID)})
		return err
	})
}

// ClimatePreset is a named set of settings of a thermostat.
type ClimatePreset struct {
	Key  string `json:"climate_preset_key"`            // follows the rules of resource keys
	Name string `json:"name,omitempty"`                // at most 200 bytes
	Mode string `json:"climate_preset_mode,omitempty"` // what it is for, such as "away"; at most 200 bytes
	device.Climate
}

// SetClimatePreset creates or changes a climate preset of a thermostat of the scope, which can have 50. change gets the preset with
// the key and reports its new value; exists is false if there is none. It may run more than once. SetClimatePreset returns the error
// of change, [ErrDeviceNotFound], and a [validation.Error] for a preset that the thermostat does not accept, with a path as that of
// [Scope.Do], and for a key or a name that breaks a rule.
func (c *Scope) SetClimatePreset(ctx context.Context, id uuid.UUID, key string, change func(preset ClimatePreset, exists bool) (ClimatePreset, error)) error {
	if fault := textrules.CheckKey(key); fault != "" {
		return invalid("climate_preset_key", validation.RuleKeyFormat, nil, "%s", fault)
	}
	return c.changeSettings(ctx, id, func(d Device, s *deviceSettings) error {
		at, exists := findPreset(s.Presets, key)
		p := ClimatePreset{}
		if exists {
			p = s.Presets[at]
		}
		p, err := change(p, exists)
		if err != nil {
			return err
		}
		p.Key = key
		if err := errors.Join(checkName(p.Name), checkCommand(p.command(), d)); err != nil {
			return err
		}
		if exists {
			s.Presets[at] = p
			return nil
		}
		if len(s.Presets) == maxPresets {
			return invalid("climate_preset_key", validation.RuleTooMany, nil, "the thermostat has %d climate presets, and may have %d", maxPresets, maxPresets)
		}
		s.Presets = slices.Insert(s.Presets, at, p)
		return nil
	})
}

// findPreset returns the index of the preset with a key, or the one at which it would be inserted.
func findPreset(presets []ClimatePreset, key string) (int, bool) {
	return slices.BinarySearchFunc(presets, key, func(p ClimatePreset, key string) int { return strings.Compare(p.Key, key) })
}

func (p ClimatePreset) command() device.Command {
	return device.Command{Kind: device.SetClimate, Climate: p.Climate}
}

// DeleteClimatePreset deletes a climate preset of a thermostat of the scope. If it is the fallback preset, the thermostat has none
// then. DeleteClimatePreset returns [ErrDeviceNotFound] and [ErrClimatePresetNotFound].
func (c *Scope) DeleteClimatePreset(ctx context.Context, id uuid.UUID, key string) error {
	return c.changeSettings(ctx, id, func(_ Device, s *deviceSettings) error {
		at, exists := findPreset(s.Presets, key)
		if !exists {
			return ErrClimatePresetNotFound
		}
		s.Presets = slices.Delete(s.Presets, at, at+1)
		if s.FallbackPreset == key {
			s.FallbackPreset = ""
		}
		return nil
	})
}

// SetFallbackPreset stores which climate preset of a thermostat of the scope applies when nothing else does. It sends no command. It
// returns [ErrDeviceNotFound] and [ErrClimatePresetNotFound].
func (c *Scope) SetFallbackPreset(ctx context.Context, id uuid.UUID, key string) error {
	return c.changeSettings(ctx, id, func(_ Device, s *deviceSettings) error {
		if _, exists := findPreset(s.Presets, key); !exists {
			return ErrClimatePresetNotFound
		}
		s.FallbackPreset = key
		return nil
	})
}

// ActivatePreset sends the settings of a climate preset to a thermostat of the scope. It is like [Scope.Do], and also returns
// [ErrClimatePresetNotFound].
func (c *Scope) ActivatePreset(ctx context.Context, id uuid.UUID, key string, actor data.Actor, deadline time.Duration) (ActionAttempt, error) {
	return c.do(ctx, id, device.Command{Kind: device.SetClimate}, key, actor, deadline, uuid.Nil)
}
