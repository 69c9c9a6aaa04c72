package portal

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
)

// AutomationRules are the rules of a customer for access codes and climates.
type AutomationRules struct {
	Own       access.Rules // those that were set for the customer
	Workspace access.Rules // those of its workspace and the defaults, which apply where Own has none
	Effective access.Rules // those that are in force

	// Presets contains the climate presets of the thermostats of the customer, each key once and in their order, at most 50. Only the
	// key and the name are set.
	Presets []access.ClimatePreset
}

// maxPresets is the number of climate presets that a view of the rules contains.
const maxPresets = 50

// AutomationRules returns the automation rules of the customer. It reads at most 10,000 devices.
func (v *View) AutomationRules(ctx context.Context) (AutomationRules, error) {
	scope, err := v.devices(ActionReadRules)
	if err != nil {
		return AutomationRules{}, err
	}
	own, effective, err := scope.Rules(ctx)
	if err != nil {
		return AutomationRules{}, err
	}
	_, common, err := v.service.access.Workspace(v.ws.ID()).At(v.at).Rules(ctx)
	if err != nil {
		return AutomationRules{}, err
	}
	names := map[string]string{}
	if _, err := scope.Devices(ctx, access.DeviceQuery{Capability: device.CanSetClimate, Keep: func(d access.Device) bool {
		for _, p := range d.ClimatePresets {
			names[p.Key] = cmp.Or(names[p.Key], p.Name)
		}
		return false
	}}); err != nil {
		return AutomationRules{}, err
	}
	out := AutomationRules{Own: own, Workspace: common, Effective: effective, Presets: []access.ClimatePreset{}}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if len(out.Presets) < maxPresets {
			out.Presets = append(out.Presets, access.ClimatePreset{Key: key, Name: names[key]})
		}
	}
	return out, nil
}

// SetAutomationRules replaces the rules that were set for the customer, as [access.Scope.SetRules] does, if they are still those in
// before. It returns a [RefusedError] if the [ConfigureFeature] of the portal does not allow to change the rules for climates, or the
// other ones. If the rules are not those in before, it returns [ErrChanged]. It returns a [validation.Error] for a rule out
// of range.
func (s *Session) SetAutomationRules(ctx context.Context, before, rules access.Rules) error {
	return s.changeDevices(ctx, ActionSetRules, func(ctx context.Context, v *View, scope *access.Scope) error {
		c := v.config.Features.Configure
		if withClimates(before, rules) != before && !c.AllowClimateAutomationRuleCustomization ||
			withClimates(rules, before) != before && !c.AllowAccessAutomationRuleCustomization {
			return &RefusedError{ActionSetRules, refusedFeature}
		}
		own, _, err := scope.Rules(ctx)
		if err != nil {
			return err
		}
		if own != before {
			return ErrChanged
		}
		return nil
	}, func(scope *access.Scope) error { return scope.SetRules(ctx, rules) })
}

// withClimates returns the rules r with the rules for climates of others.
func withClimates(r, climates access.Rules) access.Rules {
	r.Occupied, r.Unoccupied, r.PreconditionMinutes = climates.Occupied, climates.Unoccupied, climates.PreconditionMinutes
	return r
}
