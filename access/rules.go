package access

import (
	"cmp"
	"context"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Rules decide who gets access codes, and when. A rule that is not set is that of the workspace, or the default.
type Rules struct {
	// GrantCodes reports whether access grants get access codes. The default is true.
	GrantCodes device.Optional[bool] `json:"access_grant_codes,omitzero"`

	// StaffCodes reports whether staff members get access codes for the locks of their spaces, from StartsAt until EndsAt of
	// [data.UserIdentity]. The default is false.
	StaffCodes device.Optional[bool] `json:"staff_member_codes,omitzero"`

	// PhoneLast4 reports whether the last four digits of the guest's phone number are the PIN, unless the access grant has a preferred
	// code. The default is false.
	PhoneLast4 device.Optional[bool] `json:"prefer_guest_phone_last4_as_code,omitzero"`

	// LeadMinutes and GraceMinutes are the minutes before the start and after the end of an access grant in which its codes are valid
	// too, from 0 to 1440. The default is 0. They do not apply to staff members.
	LeadMinutes  device.Optional[int] `json:"lead_minutes,omitzero"`
	GraceMinutes device.Optional[int] `json:"grace_minutes,omitzero"`

	// WriteMinutes is the number of minutes by which a code is written before it becomes valid, from 0 to 1440. The default is 60. A
	// lock with a native schedule gets its codes 72 hours before.
	WriteMinutes device.Optional[int] `json:"write_minutes,omitzero"`

	// Occupied applies to the thermostats of a space when a stay begins, and Unoccupied when one has ended and no other has begun. By
	// default nothing happens.
	Occupied   ClimateRule `json:"occupied,omitzero"`
	Unoccupied ClimateRule `json:"unoccupied,omitzero"`

	// PreconditionMinutes is the number of minutes before the start of a stay at which Occupied applies, from 0 to 1440. The default is 0.
	PreconditionMinutes device.Optional[int] `json:"precondition_minutes_before_reservation,omitzero"`
}

// ClimateRule gives a thermostat the climate preset with the PresetKey; or, if the thermostat has no such preset, the settings
// of Climate; or, for an unoccupied space, its fallback preset.
type ClimateRule struct {
	None bool `json:"none,omitempty"` // nothing happens, also if the workspace has a rule

	PresetKey device.Optional[string] `json:"climate_preset_key,omitzero"`
	Climate   device.Climate          `json:"climate,omitzero"`
}

// IsZero reports whether the rule does nothing.
func (r ClimateRule) IsZero() bool { return r == ClimateRule{} }

// Bounds and defaults of [Rules].
const (
	maxRuleMinutes      = 24 * 60
	defaultWriteMinutes = 60
	nativeLead          = 72 * time.Hour // the time by which a lock with a native schedule gets a code before it becomes valid
)

// effectiveRules are Rules in which all rules are set.
type effectiveRules struct {
	grantCodes, staffCodes, phoneLast4 bool
	lead, grace, write                 time.Duration

	occupied, unoccupied ClimateRule
	precondition         time.Duration
}

// over returns the rules of a customer, which take precedence over those of the workspace.
func (r Rules) over(common Rules) Rules {
	return Rules{
		GrantCodes: or(r.GrantCodes, common.GrantCodes), StaffCodes: or(r.StaffCodes, common.StaffCodes),
		PhoneLast4: or(r.PhoneLast4, common.PhoneLast4), LeadMinutes: or(r.LeadMinutes, common.LeadMinutes),
		GraceMinutes: or(r.GraceMinutes, common.GraceMinutes), WriteMinutes: or(r.WriteMinutes, common.WriteMinutes),
		Occupied: cmp.Or(r.Occupied, common.Occupied), Unoccupied: cmp.Or(r.Unoccupied, common.Unoccupied),
		PreconditionMinutes: or(r.PreconditionMinutes, common.PreconditionMinutes),
	}
}

var defaultRules = Rules{
	GrantCodes: device.Known(true), StaffCodes: device.Known(false), PhoneLast4: device.Known(false),
	LeadMinutes: device.Known(0), GraceMinutes: device.Known(0), WriteMinutes: device.Known(defaultWriteMinutes), PreconditionMinutes: device.Known(0),
}

func or[T comparable](first, second device.Optional[T]) device.Optional[T] {
	if first.IsKnown() {
		return first
	}
	return second
}

func (r Rules) effective() effectiveRules {
	all := r.over(defaultRules)
	minutes := func(v device.Optional[int]) time.Duration {
		n, _ := v.Get()
		return time.Duration(n) * time.Minute
	}
	return effectiveRules{
		grantCodes: all.GrantCodes.Is(true), staffCodes: all.StaffCodes.Is(true), phoneLast4: all.PhoneLast4.Is(true),
		lead: minutes(all.LeadMinutes), grace: minutes(all.GraceMinutes), write: minutes(all.WriteMinutes),
		occupied: all.Occupied.orNothing(), unoccupied: all.Unoccupied.orNothing(), precondition: minutes(all.PreconditionMinutes),
	}
}

// orNothing returns the zero rule if the rule says that nothing happens.
func (r ClimateRule) orNothing() ClimateRule {
	if r.None {
		return ClimateRule{}
	}
	return r
}

// check returns a [validation.Error] that lists the rules out of range.
func (r Rules) check() error {
	var found []validation.Finding
	for _, v := range []struct {
		path  string
		value device.Optional[int]
	}{{"lead_minutes", r.LeadMinutes}, {"grace_minutes", r.GraceMinutes}, {"write_minutes", r.WriteMinutes}, {"precondition_minutes_before_reservation", r.PreconditionMinutes}} {
		if n, ok := v.value.Get(); ok && (n < 0 || n > maxRuleMinutes) {
			found = append(found, validation.Finding{Path: v.path, Rule: validation.RuleRange, Message: "must be from 0 to 1440 minutes"})
		}
	}
	for _, v := range []struct {
		path string
		rule ClimateRule
	}{{"occupied", r.Occupied}, {"unoccupied", r.Unoccupied}} {
		if key, ok := v.rule.PresetKey.Get(); ok {
			if fault := textrules.CheckKey(key); fault != "" {
				found = append(found, validation.Finding{Path: v.path + ".climate_preset_key", Rule: validation.RuleKeyFormat, Message: fault})
			}
		}
	}
	if len(found) > 0 {
		return &validation.Error{Faults: found}
	}
	return nil
}

// Rules returns the rules that were set for the scope, and the rules that are in force for it, in which all rules are set. Those of a
// customer take precedence over those of its workspace. It returns [data.ErrCustomerNotFound].
func (c *Scope) Rules(ctx context.Context) (own, effective Rules, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		var customer devicedata.CustomerID
		if c.customer != "" {
			found, err := s.Customer(ctx, c.customer)
			if err != nil {
				return err
			}
			customer = devicedata.IDOf(found)
		}
		common, custom, err := readRules(ctx, s.Reader(), c.w, customer)
		if err != nil {
			return err
		}
		if own = common; c.customer != "" {
			own = custom
		}
		effective = custom.over(common).over(defaultRules)
		return nil
	})
	return own, effective, err
}

// SetRules replaces the rules of the scope. Codes that are no longer needed are removed from their locks, and missing ones are
// written, while the Service runs. SetRules returns a [validation.Error] for a rule out of range, and [data.ErrCustomerNotFound].
func (c *Scope) SetRules(ctx context.Context, r Rules) error {
	return c.ChangeRules(ctx, func(Rules) Rules { return r })
}

// ChangeRules is like SetRules with the rules that change returns. change gets those that were set for the scope, and may run more than
// once.
func (c *Scope) ChangeRules(ctx context.Context, change func(own Rules) Rules) error {
	defer c.s.plans.set()
	if c.customer == "" {
		return devicedata.Update(ctx, c.s.db, func(tx storage.Tx) error {
			if c.check != nil {
				if err := c.check(ctx, c.w.At(tx)); err != nil {
					return err
				}
			}
			own, _, err := readRules(ctx, tx, c.w, devicedata.CustomerID{})
			if err != nil {
				return err
			}
			r := change(own)
			if err := r.check(); err != nil {
				return err
			}
			return devicedata.SetWorkspaceRules(ctx, tx, c.w.ID(), encode(r))
		})
	}
	customer, err := c.customerID(ctx)
	if err != nil {
		return err
	}
	return c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		_, own, err := readRules(ctx, tx.Tx, c.w, customer)
		if err != nil {
			return err
		}
		r := change(own)
		if err := r.check(); err != nil {
			return err
		}
		return devicedata.SetCustomerRules(ctx, tx, encode(r))
	})
}

// readRules reads the rules of a workspace and of one of its customers.
func readRules(ctx context.Context, r storage.Reader, w *data.Workspace, customer devicedata.CustomerID) (common, custom Rules, err error) {
	storedCommon, storedCustom, err := devicedata.ReadRules(ctx, r, w.ID(), customer)
	if err != nil {
		return common, custom, err
	}
	for _, v := range []struct {
		stored []byte
		into   *Rules
	}{{storedCommon.Value, &common}, {storedCustom.Value, &custom}} {
		if len(v.stored) == 0 {
			continue
		}
		if err := decode("automation rules", v.stored, v.into); err != nil {
			return common, custom, err
		}
	}
	return common, custom, nil
}
