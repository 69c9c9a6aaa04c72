package web

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// Automations contains settings of automations. The host implements it and the configure section of the pages uses it.
type Automations interface {
	// Settings returns the settings with their current values.
	Settings(ctx context.Context, s *portal.Session) ([]Setting, error)

	// Save stores the values that the visitor changed, by the name of the setting. A value is "true" or "false" for a
	// switch, and otherwise one of the choices. Save returns a text for each setting with an invalid value, by name. If
	// a form is posted twice, Save is called twice.
	Save(ctx context.Context, s *portal.Session, values map[string]string) (faults map[string]string, err error)
}

// Setting is a setting of an automation.
type Setting struct {
	Name    string
	Group   SettingGroup
	Label   string
	Text    string   // a description
	Choices []Choice // empty for a switch
	Value   string   // "true", "false", or one of the choices
}

// Choice is a possible value of a setting.
type Choice struct{ Value, Label string }

// SettingGroup is a group of settings. The pages show only the groups that the portal.ConfigureFeature of the portal allows.
type SettingGroup string

// The groups of the configure feature.
const (
	GroupAccess     SettingGroup = "access"
	GroupClimate    SettingGroup = "climate"
	GroupInstantKey SettingGroup = "instant_key"
)

// hostError returns an error of the host. If the error matches ErrInvalid, the result also matches validation.ErrInvalid.
func (x *exchange) hostError(err error) error {
	if errors.Is(err, ErrInvalid) {
		return errors.Join(validation.ErrInvalid, err)
	}
	return err
}

// automationsPage is the content of the page with the settings.
type automationsPage struct {
	*form
	Groups  []settingGroup
	Preview []string // sentences about the effect of the rules; may be empty
}

type settingGroup struct {
	Group    SettingGroup
	Settings []Setting
}

// automations are the settings that the configuration of the portal allows: the rules of package access, and the settings of the host.
type automations struct {
	all   []Setting
	rules *portal.AutomationRules // nil if the portal cannot set rules
}

// hasAutomations reports whether the portal has settings of automations.
func (x *exchange) hasAutomations() bool {
	return x.h.options.Automations != nil && x.can(portal.ActionConfigure) || x.rulesAllowed() != nil
}

// readRules reads the rules of the customer for the page of automations, if the portal can set them. It must run in a View.
func (x *exchange) readRules() error {
	if x.rulesAllowed() == nil {
		return nil
	}
	rules, err := x.view.AutomationRules(x.ctx())
	x.rules = &rules
	return err
}

// automations returns the settings. The rules must have been read.
func (x *exchange) automations() (out automations, err error) {
	if x.h.options.Automations == nil && x.rulesAllowed() == nil {
		return out, firstError(x.session.Can(portal.ActionConfigure), errUnknownPage)
	}
	if out.rules = x.rules; out.rules != nil {
		out.all = x.settingsOfRules(*out.rules)
	}
	if x.h.options.Automations == nil {
		return out, nil
	}
	if err := x.session.Can(portal.ActionConfigure); err != nil {
		return out, err
	}
	all, err := x.h.options.Automations.Settings(x.ctx(), x.session)
	if err != nil {
		return out, err
	}
	c := x.config().Features.Configure
	allowed := map[SettingGroup]bool{
		GroupAccess: c.AllowAccessAutomationRuleCustomization, GroupClimate: c.AllowClimateAutomationRuleCustomization,
		GroupInstantKey: c.AllowInstantKeyCustomization,
	}
	for _, s := range all {
		if allowed[s.Group] && !strings.HasPrefix(s.Name, rulePrefix) {
			out.all = append(out.all, s)
		}
	}
	return out, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settingFields returns a form field for each setting.
func settingFields(all []Setting) (out []fieldSpec) {
	for _, s := range all {
		out = append(out, fieldSpec{settingPrefix + s.Name, hostLabelPrefix + s.Label})
	}
	return out
}

const settingPrefix = "setting:"

// settingValues returns the values of the form fields of settings.
func settingValues(all []Setting) map[string]string {
	out := map[string]string{}
	for _, s := range all {
		if out[settingPrefix+s.Name] = s.Value; len(s.Choices) == 0 && s.Value != "true" {
			out[settingPrefix+s.Name] = "false"
		}
	}
	return out
}

func (x *exchange) showSettings(of automations, f *form) error {
	out := automationsPage{form: f}
	for _, group := range []SettingGroup{GroupAccess, GroupClimate, GroupInstantKey} {
		g := settingGroup{Group: group}
		for _, s := range of.all {
			if s.Group == group {
				s.Value = f.Values[settingPrefix+s.Name]
				g.Settings = append(g.Settings, s)
			}
		}
		if len(g.Settings) > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	if of.rules != nil {
		out.Preview = x.previewRules(*of.rules, f)
	}
	x.render(f.status(), "automations", "nav.configure", out)
	return nil
}

func showAutomations(x *exchange) error {
	of, err := x.automations()
	if err != nil {
		return err
	}
	f := x.newForm(settingFields(of.all))
	f.fill(settingValues(of.all))
	return x.showSettings(of, f)
}

func saveAutomations(x *exchange) error {
	if err := x.inView(x.readRules); err != nil {
		return err
	}
	of, err := x.automations()
	if err != nil {
		return err
	}
	f := x.postedForm(settingFields(of.all))
	for _, s := range of.all {
		if len(s.Choices) == 0 { // a browser posts nothing for a switch that is off
			f.Values[settingPrefix+s.Name] = strconv.FormatBool(x.r.PostForm.Get(settingPrefix+s.Name) == "true")
		}
	}
	f.compare(x, settingValues(of.all))
	if x.isRedraw(f) || x.r.PostForm.Has("preview") {
		return x.showSettings(of, f)
	}
	if len(f.conflicts) > 0 {
		return x.showConflicts(f, x.text("nav.configure"), x.link(pageAutomations), func(name, value string) ([]string, error) {
			return x.settingText(of.all, name, value), nil
		})
	}
	values := map[string]string{}
	for _, s := range of.all {
		name := settingPrefix + s.Name
		if !f.changed[name] {
			continue
		}
		if values[s.Name] = f.Values[name]; len(s.Choices) > 0 && !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == f.Values[name] }) {
			f.Faults[name] = x.text("rule.unfit")
		}
	}
	if !f.HasFaults() {
		if err := x.saveSettings(of, f, values); err != nil {
			return err
		}
	}
	if f.HasFaults() {
		return x.showSettings(of, f)
	}
	return x.redirectWithNotice(newNotice("done.settings"), pageAutomations)
}

// saveSettings saves the settings that the visitor changed, those of the host first. It adds the faults that the host finds to the form;
// then no rule is saved.
func (x *exchange) saveSettings(of automations, f *form, values map[string]string) error {
	rules, host := splitRules(values)
	if len(host) > 0 {
		faults, err := x.h.options.Automations.Save(x.ctx(), x.session, host)
		if err != nil {
			return x.hostError(err)
		}
		for name, text := range faults {
			f.Faults[settingPrefix+name] = text
		}
	}
	if f.HasFaults() || len(rules) == 0 {
		return nil
	}
	return x.session.SetAutomationRules(x.ctx(), of.rules.Own, changeRules(of.rules.Own, rules))
}

// settingText returns a value of a setting as a conflict page shows it.
func (x *exchange) settingText(all []Setting, name, value string) []string {
	for _, s := range all {
		if settingPrefix+s.Name != name {
			continue
		}
		for _, c := range s.Choices {
			if c.Value == value {
				return []string{c.Label}
			}
		}
		if len(s.Choices) == 0 {
			return []string{x.text(map[bool]string{true: "switch.on", false: "switch.off"}[value == "true"])}
		}
	}
	return []string{value}
}
