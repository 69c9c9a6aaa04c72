package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// The page of automations also has the rules of package access, as settings whose names begin with rulePrefix. Their empty value selects
// the rule of the workspace.
const rulePrefix = "rule."

// ruleSetting is a rule as a setting. Its label and its description are the texts "rules.NAME" and "rules.NAME.text".
type ruleSetting struct {
	name    string
	group   SettingGroup
	read    func(access.Rules) string // its value, or "" if it is not set
	write   func(r *access.Rules, value string)
	choices func(x *exchange, r portal.AutomationRules) []Choice // without the empty value
}

// ruleSettings are the rules in the order of the page.
var ruleSettings = []ruleSetting{
	switchRule("grants", func(r *access.Rules) *device.Optional[bool] { return &r.GrantCodes }),
	switchRule("staff", func(r *access.Rules) *device.Optional[bool] { return &r.StaffCodes }),
	switchRule("phone", func(r *access.Rules) *device.Optional[bool] { return &r.PhoneLast4 }),
	minutesRule("lead", GroupAccess, func(r *access.Rules) *device.Optional[int] { return &r.LeadMinutes }),
	minutesRule("grace", GroupAccess, func(r *access.Rules) *device.Optional[int] { return &r.GraceMinutes }),
	minutesRule("write", GroupAccess, func(r *access.Rules) *device.Optional[int] { return &r.WriteMinutes }),
	climateRule("occupied", func(r *access.Rules) *access.ClimateRule { return &r.Occupied }),
	climateRule("unoccupied", func(r *access.Rules) *access.ClimateRule { return &r.Unoccupied }),
	minutesRule("precondition", GroupClimate, func(r *access.Rules) *device.Optional[int] { return &r.PreconditionMinutes }),
}

func switchRule(name string, field func(*access.Rules) *device.Optional[bool]) ruleSetting {
	return ruleSetting{name, GroupAccess, func(r access.Rules) string {
		if on, known := field(&r).Get(); known {
			return strconv.FormatBool(on)
		}
		return ""
	}, func(r *access.Rules, value string) {
		if *field(r) = (device.Optional[bool]{}); value != "" {
			*field(r) = device.Known(value == "true")
		}
	}, func(x *exchange, _ portal.AutomationRules) []Choice {
		return []Choice{{"true", x.text("switch.on")}, {"false", x.text("switch.off")}}
	}}
}

// ruleMinutes are the numbers of minutes that a visitor can choose.
var ruleMinutes = []int{0, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440}

func minutesRule(name string, group SettingGroup, field func(*access.Rules) *device.Optional[int]) ruleSetting {
	return ruleSetting{name, group, func(r access.Rules) string {
		if n, known := field(&r).Get(); known {
			return strconv.Itoa(n)
		}
		return ""
	}, func(r *access.Rules, value string) {
		*field(r) = device.Optional[int]{}
		if n, err := strconv.Atoi(value); err == nil {
			*field(r) = device.Known(n)
		}
	}, func(x *exchange, r portal.AutomationRules) (out []Choice) {
		minutes := slices.Clone(ruleMinutes)
		for _, of := range []access.Rules{r.Own, r.Workspace} { // the host can set any number
			if n, known := field(&of).Get(); known {
				minutes = append(minutes, n)
			}
		}
		slices.Sort(minutes)
		for _, n := range slices.Compact(minutes) {
			out = append(out, Choice{strconv.Itoa(n), x.minutes(n)})
		}
		return out
	}}
}

// minutes returns a number of minutes in words.
func (x *exchange) minutes(n int) string {
	if n == 0 {
		return x.text("rules.none")
	}
	if n%60 == 0 {
		return x.localizer.count("rules.hours", n/60)
	}
	return x.localizer.count("rules.minutes", n)
}

// Values of the setting of a climate rule.
const (
	climateNothing = "nothing"
	climateOther   = "other"   // settings that the host has chosen
	climatePreset  = "preset:" // the prefix of the key of a climate preset
)

func climateRule(name string, field func(*access.Rules) *access.ClimateRule) ruleSetting {
	return ruleSetting{name, GroupClimate, func(r access.Rules) string {
		rule := *field(&r)
		key, known := rule.PresetKey.Get()
		switch {
		case rule.None:
			return climateNothing
		case known:
			return climatePreset + key
		case !rule.IsZero():
			return climateOther
		}
		return ""
	}, func(r *access.Rules, value string) {
		switch value {
		case "":
			*field(r) = access.ClimateRule{}
		case climateNothing:
			*field(r) = access.ClimateRule{None: true}
		case climateOther: // it stays as it is
		default:
			*field(r) = access.ClimateRule{PresetKey: device.Known(strings.TrimPrefix(value, climatePreset))}
		}
	}, func(x *exchange, r portal.AutomationRules) []Choice {
		out := []Choice{{climateNothing, x.text("rules.nothing")}}
		for _, p := range r.Presets {
			out = append(out, Choice{climatePreset + p.Key, firstText(p.Name, p.Key)})
		}
		for _, of := range []access.Rules{r.Own, r.Workspace} {
			value := field(&of).PresetKey
			if key, known := value.Get(); known && !slices.ContainsFunc(out, func(c Choice) bool { return c.Value == climatePreset+key }) {
				out = append(out, Choice{climatePreset + key, key}) // no thermostat has it now
			}
		}
		if rule := *field(&r.Own); !rule.None && !rule.PresetKey.IsKnown() && !rule.IsZero() {
			out = append(out, Choice{climateOther, x.text("rules.elsewhere")})
		}
		return out
	}}
}

func firstText(texts ...string) string {
	return texts[max(0, slices.IndexFunc(texts, func(s string) bool { return s != "" }))]
}

// rulesAllowed returns the groups of rules that the portal can set. It is nil if the portal can set no rules.
func (x *exchange) rulesAllowed() map[SettingGroup]bool {
	if !x.can(portal.ActionSetRules) {
		return nil
	}
	c := x.config().Features.Configure
	if !c.AllowAccessAutomationRuleCustomization && !c.AllowClimateAutomationRuleCustomization {
		return nil
	}
	return map[SettingGroup]bool{GroupAccess: c.AllowAccessAutomationRuleCustomization, GroupClimate: c.AllowClimateAutomationRuleCustomization}
}

// settingsOfRules returns the rules as settings.
func (x *exchange) settingsOfRules(rules portal.AutomationRules) (out []Setting) {
	allowed := x.rulesAllowed()
	for _, s := range ruleSettings {
		if !allowed[s.group] {
			continue
		}
		setting := Setting{
			Name: rulePrefix + s.name, Group: s.group, Label: x.text("rules." + s.name), Text: x.text("rules." + s.name + ".text"),
			Value: s.read(rules.Own), Choices: s.choices(x, rules),
		}
		setting.Choices = slices.Insert(setting.Choices, 0, Choice{"", x.text("rules.default", "value", s.label(x, rules, s.read(rules.Workspace)))})
		out = append(out, setting)
	}
	return out
}

// label returns a value of the rule in words.
func (s ruleSetting) label(x *exchange, rules portal.AutomationRules, value string) string {
	for _, c := range s.choices(x, rules) {
		if c.Value == value {
			return c.Label
		}
	}
	if value == climateOther {
		return x.text("rules.elsewhere")
	}
	return x.text("rules.nothing")
}

// changeRules returns rules with the values of settings, by name. Other settings do not change them.
func changeRules(rules access.Rules, values map[string]string) access.Rules {
	for _, s := range ruleSettings {
		if value, changed := values[rulePrefix+s.name]; changed {
			s.write(&rules, value)
		}
	}
	return rules
}

// previewRules describes the effect of the rules that the form contains, in sentences about a stay of two nights.
func (x *exchange) previewRules(rules portal.AutomationRules, f *form) (out []string) {
	values := map[string]string{}
	for _, s := range ruleSettings {
		if value, posted := f.Values[settingPrefix+rulePrefix+s.name]; posted {
			values[rulePrefix+s.name] = value
		}
	}
	own := changeRules(rules.Own, values)
	chosen := func(name string) string {
		i := slices.IndexFunc(ruleSettings, func(s ruleSetting) bool { return s.name == name })
		return firstText(ruleSettings[i].read(own), ruleSettings[i].read(rules.Workspace))
	}
	before := func(name string) time.Duration {
		n, _ := strconv.Atoi(chosen(name))
		return time.Duration(n) * time.Minute
	}
	when := func(t time.Time) string { return x.localizer.dateTime(t) }
	now := x.h.db.Now().In(x.pageZone())
	starts := time.Date(now.Year(), now.Month(), now.Day()+1, 15, 0, 0, 0, now.Location())
	ends := time.Date(now.Year(), now.Month(), now.Day()+3, 11, 0, 0, 0, now.Location())
	allowed := x.rulesAllowed()
	if allowed[GroupAccess] {
		if chosen("grants") == "true" {
			from := starts.Add(-before("lead"))
			out = append(out, x.text("rules.example", "starts", when(starts), "ends", when(ends), "from", when(from),
				"until", when(ends.Add(before("grace"))), "write", when(from.Add(-before("write")))))
			if chosen("phone") == "true" {
				out = append(out, x.text("rules.example.phone"))
			}
		} else {
			out = append(out, x.text("codes.none.rule"))
		}
		if chosen("staff") == "true" {
			out = append(out, x.text("rules.example.staff"))
		}
	}
	if allowed[GroupClimate] {
		label := func(name string) string {
			i := slices.IndexFunc(ruleSettings, func(s ruleSetting) bool { return s.name == name })
			return ruleSettings[i].label(x, rules, chosen(name))
		}
		out = append(out, x.text("rules.example.climate", "occupied", label("occupied"), "from", when(starts.Add(-before("precondition"))),
			"unoccupied", label("unoccupied"), "until", when(ends)))
	}
	return out
}

// splitRules separates the values of rules from those of the host's settings, by name.
func splitRules(values map[string]string) (rules, host map[string]string) {
	rules, host = map[string]string{}, map[string]string{}
	for name, value := range values {
		if strings.HasPrefix(name, rulePrefix) {
			rules[name] = value
		} else {
			host[name] = value
		}
	}
	return rules, host
}
