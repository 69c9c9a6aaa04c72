package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// Accounts is what a host offers in the connect section: providers of locks and other
// devices with which a customer has accounts. Of what it offers the pages show what the
// portal's accepted and excluded providers leave. Its errors are told as errors of the
// pages; [ErrInvalid] and what wraps it as a fault of what was chosen.
//
// The session says whose accounts they are, by Session.Portal.
type Accounts interface {
	// Providers lists what can be connected, with the accounts that are.
	Providers(ctx context.Context, s *portal.Session) ([]Provider, error)

	// Connect begins to connect an account. The visitor is led to the absolute https URL
	// that it returns, by a link that opens outside of a frame; empty where there is
	// nothing more to do. A form that is sent twice, as by a double click, may call it
	// twice; both calls should begin to connect the same account.
	Connect(ctx context.Context, s *portal.Session, provider string) (string, error)

	// Disconnect forgets an account.
	Disconnect(ctx context.Context, s *portal.Session, provider, account string) error
}

// Provider is a provider of devices. Texts are in the visitor's language, if the host
// has them.
type Provider struct {
	Name     string // as in accepted_providers
	Label    string
	Text     string // what it is for
	Accounts []Account
}

// Account is an account with a provider.
type Account struct {
	ID      string
	Label   string // such as its email address
	Trouble string // what is wrong with it; empty is nothing
}

// Automations are the settings that a host offers in the configure section.
type Automations interface {
	// Settings lists them, with their values.
	Settings(ctx context.Context, s *portal.Session) ([]Setting, error)

	// Save sets the values of the settings that the visitor changed, by their names:
	// "true" or "false" for a switch, or one of the choices. The other settings keep their
	// values. It returns faults by name. A form that is sent twice may call it twice.
	Save(ctx context.Context, s *portal.Session, values map[string]string) (faults map[string]string, err error)
}

// Setting is one setting of an automation.
type Setting struct {
	Name    string
	Group   SettingGroup
	Label   string
	Text    string   // what it does
	Choices []Choice // none is a switch
	Value   string   // "true", "false" or one of the choices
}

// Choice is a value that a setting can have.
type Choice struct{ Value, Label string }

// SettingGroup says which feature of the portal allows a setting to be changed. Where it
// does not the setting is not shown.
type SettingGroup string

// The groups, as in the configure feature.
const (
	GroupAccess     SettingGroup = "access"
	GroupClimate    SettingGroup = "climate"
	GroupInstantKey SettingGroup = "instant_key"
)

// providers returns the host's providers that the portal's configuration accepts.
func (v *visit) providers() ([]Provider, error) {
	if v.h.o.Accounts == nil {
		return nil, errUnknownPage
	}
	if err := v.session.Can(portal.ActionConnect); err != nil {
		return nil, err
	}
	all, err := v.h.o.Accounts.Providers(v.ctx(), v.session)
	if err != nil {
		return nil, err
	}
	c := v.config().Features.Connect
	return slices.DeleteFunc(slices.Clone(all), func(p Provider) bool {
		return c.AcceptedProviders != nil && !slices.Contains(c.AcceptedProviders, p.Name) || slices.Contains(c.ExcludedProviders, p.Name)
	}), nil
}

// provider returns the one of the providers that a form names.
func (v *visit) provider(name string) (Provider, error) {
	all, err := v.providers()
	if err != nil {
		return Provider{}, err
	}
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, errUnknownPage
	}
	return all[i], nil
}

// accountsPage is the providers, or the way to one.
type accountsPage struct {
	Providers []Provider
	Leave     string // URL of the provider, to go to
	Leaving   Provider
	Confirm   portal.Confirmation // what the host says about devices
}

func showAccounts(v *visit) error {
	all, err := v.providers()
	if err != nil {
		return err
	}
	return v.show("accounts", "nav.connect", accountsPage{Providers: all, Confirm: v.config().Features.Manage.DeviceManagementConfirmation})
}

func saveConnect(v *visit) error {
	p, err := v.provider(v.r.PostForm.Get("provider"))
	if err != nil {
		return err
	}
	to, err := v.h.o.Accounts.Connect(v.ctx(), v.session, p.Name)
	if err != nil {
		return v.chosen(err)
	}
	if to == "" {
		return v.done("connected", pageAccounts)
	}
	if u, err := url.Parse(to); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("web: Accounts.Connect returned no absolute https URL")
	}
	return v.show("accounts", "connect.leave", accountsPage{Leave: to, Leaving: p})
}

func showDisconnect(v *visit) error {
	asked := v.r.URL.Query()
	_, a, err := v.account(asked.Get("provider"), asked.Get("account"))
	if err != nil {
		return err
	}
	return v.show("cancel", "connect.remove", cancelPage{
		Name: a.Label, Text: v.T("connect.remove.text"), Button: v.T("connect.remove"), Back: v.Link(pageAccounts), Planned: fingerprint(a.ID),
	})
}

func saveDisconnect(v *visit) error {
	asked := v.r.URL.Query()
	p, a, err := v.account(asked.Get("provider"), asked.Get("account"))
	if errors.Is(err, errUnknownAccount) && v.r.PostForm.Has(plannedField) {
		return v.done("disconnected", pageAccounts) // the page was sent twice
	}
	if err != nil {
		return err
	}
	if err := v.h.o.Accounts.Disconnect(v.ctx(), v.session, p.Name, a.ID); err != nil {
		return v.chosen(err)
	}
	return v.done("disconnected", pageAccounts)
}

// errUnknownAccount is returned for an account that its provider does not have.
var errUnknownAccount = fmt.Errorf("%w: an account", errUnknownPage)

func (v *visit) account(provider, id string) (Provider, Account, error) {
	p, err := v.provider(provider)
	if err != nil {
		return p, Account{}, err
	}
	i := slices.IndexFunc(p.Accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return p, Account{}, errUnknownAccount
	}
	return p, p.Accounts[i], nil
}

// chosen makes a host's ErrInvalid an error that the page shows as a fault of the choice.
func (v *visit) chosen(err error) error {
	if errors.Is(err, ErrInvalid) {
		return errors.Join(validation.ErrInvalid, err)
	}
	return err
}

// automationsPage is the settings, by group.
type automationsPage struct {
	*form
	Groups []settingGroup
}

type settingGroup struct {
	Group    SettingGroup
	Settings []Setting
}

// settings returns the settings that the portal lets a visitor change.
func (v *visit) settings() ([]Setting, error) {
	if v.h.o.Automations == nil {
		return nil, errUnknownPage
	}
	if err := v.session.Can(portal.ActionConfigure); err != nil {
		return nil, err
	}
	all, err := v.h.o.Automations.Settings(v.ctx(), v.session)
	if err != nil {
		return nil, err
	}
	c := v.config().Features.Configure
	allowed := map[SettingGroup]bool{
		GroupAccess: c.AllowAccessAutomationRuleCustomization, GroupClimate: c.AllowClimateAutomationRuleCustomization,
		GroupInstantKey: c.AllowInstantKeyCustomization,
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Setting) bool { return !allowed[s.Group] }), nil
}

// settingFields returns the fields of the form, one for each setting.
func settingFields(all []Setting) (out []fieldSpec) {
	for _, s := range all {
		out = append(out, fieldSpec{settingPrefix + s.Name, hostLabel + s.Label})
	}
	return out
}

const settingPrefix = "setting:"

// settingValues returns the values of settings, as the form shows them.
func settingValues(all []Setting) map[string]string {
	out := map[string]string{}
	for _, s := range all {
		if out[settingPrefix+s.Name] = s.Value; len(s.Choices) == 0 && s.Value != "true" {
			out[settingPrefix+s.Name] = "false"
		}
	}
	return out
}

func (v *visit) showSettings(all []Setting, f *form) error {
	out := automationsPage{form: f}
	for _, group := range []SettingGroup{GroupAccess, GroupClimate, GroupInstantKey} {
		g := settingGroup{Group: group}
		for _, s := range all {
			if s.Group == group {
				s.Value = f.Values[settingPrefix+s.Name]
				g.Settings = append(g.Settings, s)
			}
		}
		if len(g.Settings) > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	v.render(f.status(), "automations", "nav.configure", out)
	return nil
}

func showAutomations(v *visit) error {
	all, err := v.settings()
	if err != nil {
		return err
	}
	f := v.form(settingFields(all))
	f.shows(settingValues(all))
	return v.showSettings(all, f)
}

func saveAutomations(v *visit) error {
	all, err := v.settings()
	if err != nil {
		return err
	}
	f := v.typed(settingFields(all))
	for _, s := range all {
		if len(s.Choices) == 0 { // a switch that is off sends nothing
			f.Values[settingPrefix+s.Name] = strconv.FormatBool(v.r.PostForm.Get(settingPrefix+s.Name) == "true")
		}
	}
	f.compare(v, settingValues(all))
	if v.redrawing(f) {
		return v.showSettings(all, f)
	}
	if len(f.conflicts) > 0 {
		return v.showConflicts(f, v.T("nav.configure"), v.Link(pageAutomations), func(name, value string) ([]string, error) {
			return v.settingText(all, name, value), nil
		})
	}
	values := map[string]string{}
	for _, s := range all {
		name := settingPrefix + s.Name
		if !f.changed[name] {
			continue
		}
		if values[s.Name] = f.Values[name]; len(s.Choices) > 0 && !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == f.Values[name] }) {
			f.Faults[name] = v.T("rule.unfit")
		}
	}
	if !f.Faulty() && len(values) > 0 {
		faults, err := v.h.o.Automations.Save(v.ctx(), v.session, values)
		if err != nil {
			return v.chosen(err)
		}
		for name, text := range faults {
			f.Faults[settingPrefix+name] = text
		}
	}
	if f.Faulty() {
		return v.showSettings(all, f)
	}
	return v.done("saved", pageAutomations)
}

// settingText returns a value of a setting as a page shows it.
func (v *visit) settingText(all []Setting, name, value string) []string {
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
			return []string{v.T(map[bool]string{true: "switch.on", false: "switch.off"}[value == "true"])}
		}
	}
	return []string{value}
}
