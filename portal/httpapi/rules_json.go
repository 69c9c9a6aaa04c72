package httpapi

import (
	"maps"
	"math"
	"slices"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// The automations of the API are the rules of package access. The access rules reservation_created and staff_member_created are off if
// they are null, and the climate rules too. The other rules of the API have no settings and are always in force. lead_minutes,
// grace_minutes and write_minutes are rules that the API does not have.

const (
	ruleCreated = "reservation_created"
	ruleStaff   = "staff_member_created"

	fieldMethods = "access_methods"
	fieldPhone   = "prefer_guest_phone_last4_as_code"
	fieldBefore  = "precondition_minutes_before_reservation"
	methodCode   = "code"
)

// fixedRules are the access rules without settings.
var fixedRules = []string{
	"reservation_time_updated", "reservation_spaces_updated", "reservation_deleted", "space_name_updated", "staff_member_name_updated", "user_identity_name_updated",
}

// rulesPatch is a list of changes of rules.
type rulesPatch []func(*access.Rules)

func (p *rulesPatch) add(change func(*access.Rules)) { *p = append(*p, change) }

// minutesRules are the rules that are a number of minutes.
var minutesRules = map[string]func(*access.Rules) *device.Optional[int]{
	"lead_minutes":  func(r *access.Rules) *device.Optional[int] { return &r.LeadMinutes },
	"grace_minutes": func(r *access.Rules) *device.Optional[int] { return &r.GraceMinutes },
	"write_minutes": func(r *access.Rules) *device.Optional[int] { return &r.WriteMinutes },
}

// rulePaths maps the paths of the faults of rules to those of the parameters.
var rulePaths = map[string]string{
	"lead_minutes": "access_rules.lead_minutes", "grace_minutes": "access_rules.grace_minutes", "write_minutes": "access_rules.write_minutes",
	fieldBefore:                     "climate_rules.rules.reservation_created." + fieldBefore,
	"occupied.climate_preset_key":   "climate_rules.rules.reservation_created.occupied_preset_key",
	"unoccupied.climate_preset_key": "climate_rules.rules.reservation_created.unoccupied_preset_key",
}

// refuseUnread notes a fault for each member of an object that was not read.
func refuseUnread(o *jsonobject.Object, of string) {
	for _, name := range o.Unread() {
		o.Fault(name, validation.RuleUnknownField, "is not a member of %s", of)
	}
}

// accessRulesParam reads access_rules.
var accessRulesParam = param[rulesPatch]{accessRulesSchema, func(o *jsonobject.Object, name string) (p rulesPatch) {
	o.Object(name, func() {}, func(rules *jsonobject.Object) {
		rules.Object(ruleCreated, func() {
			p.add(func(r *access.Rules) { r.GrantCodes = device.Known(false) })
		}, func(rule *jsonobject.Object) {
			readRuleName(rule, ruleCreated)
			p.add(func(r *access.Rules) { r.GrantCodes = device.Known(true) })
			rule.Require("config")
			rule.Object("config", func() {}, func(config *jsonobject.Object) { readCreatedConfig(config, &p) })
			refuseUnread(rule, ruleCreated)
		})
		rules.Object(ruleStaff, func() {
			p.add(func(r *access.Rules) { r.StaffCodes = device.Known(false) })
		}, func(rule *jsonobject.Object) {
			readRuleName(rule, ruleStaff)
			readEmptyConfig(rule)
			p.add(func(r *access.Rules) { r.StaffCodes = device.Known(true) })
			refuseUnread(rule, ruleStaff)
		})
		for _, name := range fixedRules {
			rules.Object(name, func() {
				rules.Fault(name, validation.RuleNotThereYet, "cannot be off: leave it out")
			}, func(rule *jsonobject.Object) {
				readRuleName(rule, name)
				readEmptyConfig(rule)
				refuseUnread(rule, name)
			})
		}
		for _, name := range slices.Sorted(maps.Keys(minutesRules)) {
			rule := minutesRules[name]
			readMinutes(rules, name, func(v device.Optional[int]) { p.add(func(r *access.Rules) { *rule(r) = v }) })
		}
		refuseUnread(rules, "access_rules")
	})
	return p
}, func(rulesPatch) any { return nil }}

// readRuleName reads the member rule, which must be the name of the rule.
func readRuleName(o *jsonobject.Object, name string) {
	var given string
	if o.Text("rule", &given); o.Given("rule") && given != name {
		o.Fault("rule", validation.RuleFormat, "must be %q", name)
	}
	o.Require("rule")
}

// readEmptyConfig reads a config without members.
func readEmptyConfig(o *jsonobject.Object) {
	o.Object("config", func() {}, func(config *jsonobject.Object) { refuseUnread(config, "config") })
}

// readMinutes reads a number of minutes. Null is not known. The bounds of the rule are checked with the other rules.
func readMinutes(o *jsonobject.Object, name string, set func(device.Optional[int])) {
	if !o.Given(name) {
		return
	}
	n := 0
	if o.Int(name, &n, 0, math.MaxInt32); !o.Has(name) {
		set(device.Optional[int]{})
		return
	}
	set(device.Known(n))
}

// readCreatedConfig reads the config of the access rule reservation_created. The only access method is a PIN. The settings of cards
// and mobile keys have no effect.
func readCreatedConfig(config *jsonobject.Object, p *rulesPatch) {
	var methods []string
	config.Strings(fieldMethods, maxIDs, &methods)
	config.Require(fieldMethods)
	if config.Has(fieldMethods) && !slices.Contains(methods, methodCode) {
		config.Fault(fieldMethods, validation.RuleNotThereYet, "must contain %q: there are no cards and no mobile keys", methodCode)
	}
	for _, m := range methods {
		switch m {
		case methodCode:
		case "card", "mobile_key":
			config.Notes().Warn(config.At(fieldMethods), validation.RuleNotThereYet, "there are no access methods of the mode %s", m)
		default:
			config.Fault(fieldMethods, validation.RuleFormat, "must contain only code, card and mobile_key")
		}
	}
	var strategy string
	config.Text("method_issuance_strategy", &strategy)
	if strategies := methodStrategies; config.Has("method_issuance_strategy") && !slices.Contains(strategies, strategy) {
		config.Fault("method_issuance_strategy", validation.RuleFormat, "must be one of %v", strategies)
	}
	var cards, uses int
	var shared, phone bool
	config.Int("card_count_on_reservation_create", &cards, 0, math.MaxInt32)
	config.Int("instant_key_max_use_count", &uses, 1, math.MaxInt32)
	config.Bool("allow_shared_email_and_phone_across_user_identities", &shared)
	if config.Bool(fieldPhone, &phone); config.Has(fieldPhone) {
		p.add(func(r *access.Rules) { r.PhoneLast4 = device.Known(phone) })
	}
	refuseUnread(config, "config")
}

var methodStrategies = []string{"first_available", "first_two_available", "all_available"}

// climateRulesParam reads climate_rules.
var climateRulesParam = param[rulesPatch]{climateRulesSchema, func(o *jsonobject.Object, name string) (p rulesPatch) {
	o.Object(name, func() {}, func(climate *jsonobject.Object) {
		climate.Object("rules", func() {}, func(rules *jsonobject.Object) {
			rules.Object(ruleCreated, func() {
				p.add(func(r *access.Rules) {
					r.Occupied, r.Unoccupied = access.ClimateRule{None: true}, access.ClimateRule{None: true}
				})
			}, func(rule *jsonobject.Object) {
				readClimateRule(rule, "occupied", func(r *access.Rules) *access.ClimateRule { return &r.Occupied }, &p)
				readClimateRule(rule, "unoccupied", func(r *access.Rules) *access.ClimateRule { return &r.Unoccupied }, &p)
				readMinutes(rule, fieldBefore, func(v device.Optional[int]) { p.add(func(r *access.Rules) { r.PreconditionMinutes = v }) })
				refuseUnread(rule, ruleCreated)
			})
			for _, name := range []string{"reservation_deleted", "reservation_time_updated"} {
				rules.Object(name, func() {
					rules.Fault(name, validation.RuleNotThereYet, "cannot be off: leave it out")
				}, func(rule *jsonobject.Object) { refuseUnread(rule, name) })
			}
			refuseUnread(rules, "rules")
		})
		refuseUnread(climate, "climate_rules")
	})
	return p
}, func(rulesPatch) any { return nil }}

// readClimateRule reads the preset of occupied or unoccupied spaces. If one of its two members is given, the other one is empty.
func readClimateRule(o *jsonobject.Object, name string, of func(*access.Rules) *access.ClimateRule, p *rulesPatch) {
	keyName, settingsName := name+"_preset_key", "automated_"+name+"_preset"
	var rule access.ClimateRule
	var key string
	if o.Text(keyName, &key); key != "" {
		rule.PresetKey = device.Known(key)
	} else if o.Has(keyName) {
		o.Fault(keyName, validation.RuleRequired, "is empty: give a key, or null")
	}
	o.Object(settingsName, func() {}, func(settings *jsonobject.Object) { rule.Climate = readAutomatedPreset(settings) })
	if o.Given(keyName) || o.Given(settingsName) {
		p.add(func(r *access.Rules) { *of(r) = rule })
	}
}

// automatedModes maps the modes of the API for automated presets to those of thermostats.
var automatedModes = map[string]device.HVACMode{"heat": device.HVACHeat, "cool": device.HVACCool, "auto": device.HVACHeatCool}

func readAutomatedPreset(o *jsonobject.Object) (out device.Climate) {
	var mode, fan string
	o.Require("mode")
	o.Text("mode", &mode)
	if m, known := automatedModes[mode]; known {
		out.Mode = device.Known(m)
	} else if o.Has("mode") {
		o.Fault("mode", validation.RuleFormat, "must be one of %v", slices.Sorted(maps.Keys(automatedModes)))
	}
	if fan = fanModeParam.read(o, "fan_mode"); fan != "" {
		out.FanMode = device.Known(device.FanMode(fan))
	}
	for name, into := range map[string]*device.Optional[float64]{heatingField: &out.HeatingSetPoint, coolingField: &out.CoolingSetPoint} {
		p := setPoint{numberParam.read(o, name+"_celsius"), numberParam.read(o, name+"_fahrenheit")}
		if value, path, err := p.in(name); err == nil {
			*into = value
		} else {
			o.Fault(name+"_fahrenheit", validation.RuleFormat, "is given together with %s_celsius: give one of them%s", name, path)
		}
	}
	var override bool
	if o.Bool("is_override_allowed", &override); o.Has("is_override_allowed") && !override {
		o.Fault("is_override_allowed", validation.RuleNotThereYet, "must be true: people can change the settings at the thermostat")
	}
	var minutes float64
	o.Number("max_override_period_minutes", &minutes) // no override ends by itself
	refuseUnread(o, "the preset")
	return out
}

// rulesJSON returns rules in which all rules are set.
func rulesJSON(r access.Rules) jsonObject {
	rules := jsonObject{}
	for _, name := range fixedRules {
		rules[name] = jsonObject{"rule": name}
	}
	for name, of := range minutesRules {
		rules[name], _ = of(&r).Get()
	}
	if r.GrantCodes.Is(true) {
		rules[ruleCreated] = jsonObject{"rule": ruleCreated, "config": jsonObject{
			fieldMethods: []string{methodCode}, "method_issuance_strategy": methodStrategies[0], fieldPhone: r.PhoneLast4.Is(true),
		}}
	}
	if r.StaffCodes.Is(true) {
		rules[ruleStaff] = jsonObject{"rule": ruleStaff, "config": jsonObject{}}
	}
	climate := jsonObject{}
	for name, rule := range map[string]access.ClimateRule{"occupied": r.Occupied, "unoccupied": r.Unoccupied} {
		if key, ok := rule.PresetKey.Get(); ok {
			climate[name+"_preset_key"] = key
		}
		if rule.Climate != (device.Climate{}) {
			climate["automated_"+name+"_preset"] = automatedPresetJSON(rule.Climate)
		}
	}
	all := jsonObject{}
	if len(climate) > 0 {
		climate[fieldBefore], _ = r.PreconditionMinutes.Get()
		all[ruleCreated] = climate
	}
	return jsonObject{"access_rules": rules, "climate_rules": jsonObject{"rules": all}}
}

func automatedPresetJSON(c device.Climate) jsonObject {
	out := jsonObject{"mode": "auto", "fan_mode": device.FanAuto, "is_override_allowed": true, "max_override_period_minutes": 0}
	for name, mode := range automatedModes {
		if c.Mode.Is(mode) {
			out["mode"] = name
		}
	}
	put(out, "fan_mode", c.FanMode)
	putTemperature(out, heatingField, c.HeatingSetPoint)
	putTemperature(out, coolingField, c.CoolingSetPoint)
	return out
}
