package portal

import (
	"context"

	"github.com/customerportal-go/customerportal/access"
)

// AutomationRules are the rules of a customer for access codes and climates.
type AutomationRules struct {
	Own       access.Rules // those that were set for the customer
	Workspace access.Rules // those of its workspace and the defaults, which apply where Own has none
	Effective access.Rules // those that are in force
}

// AutomationRules returns the automation rules of the customer.
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
	return AutomationRules{Own: own, Workspace: common, Effective: effective}, err
}

// SetAutomationRules replaces the rules that were set for the customer, as [access.Scope.SetRules] does, if they are still those in
// before. Otherwise it returns [ErrChanged]. It returns a [validation.Error] for a rule out
// of range.
func (s *Session) SetAutomationRules(ctx context.Context, before, rules access.Rules) error {
	return s.changeDevices(ctx, ActionSetRules, func(ctx context.Context, _ *View, scope *access.Scope) error {
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
