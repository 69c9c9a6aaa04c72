package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// Accounts connects accounts of devices, such as locks. The host implements it and the connect section of the pages uses
// it. The pages show only the providers that the configuration of the portal accepts.
//
// The customer is that of Session.Portal. An error that matches [ErrInvalid] means that the input is invalid, and other
// errors are internal errors.
type Accounts interface {
	// Providers returns the providers that can be connected, with their connected accounts.
	Providers(ctx context.Context, s *portal.Session) ([]Provider, error)

	// Connect starts to connect an account. It returns the absolute https URL of a page on which the visitor continues, or ""
	// if the account is connected. The browser opens this page outside of any frame. If a form is posted twice, for example by
	// a double click, Connect is called twice. Both calls should start to connect the same account.
	Connect(ctx context.Context, s *portal.Session, provider string) (string, error)

	// Disconnect removes an account.
	Disconnect(ctx context.Context, s *portal.Session, provider, account string) error
}

// Provider is a provider of devices. Its texts should be in the language of the visitor.
type Provider struct {
	Name     string // as in accepted_providers of the configuration
	Label    string
	Text     string // a description
	Accounts []Account
}

// Account is an account with a provider.
type Account struct {
	ID      string
	Label   string // for example the email address of the account
	Trouble string // a problem of the account, or "" if there is none
}

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

// providers returns the host's providers that the configuration of the portal accepts.
func (x *exchange) providers() ([]Provider, error) {
	if x.h.options.Accounts == nil {
		return nil, errUnknownPage
	}
	if err := x.session.Can(portal.ActionConnect); err != nil {
		return nil, err
	}
	all, err := x.h.options.Accounts.Providers(x.ctx(), x.session)
	if err != nil {
		return nil, err
	}
	c := x.config().Features.Connect
	return slices.DeleteFunc(slices.Clone(all), func(p Provider) bool {
		return c.AcceptedProviders != nil && !slices.Contains(c.AcceptedProviders, p.Name) || slices.Contains(c.ExcludedProviders, p.Name)
	}), nil
}

// provider returns a provider by its name.
func (x *exchange) provider(name string) (Provider, error) {
	all, err := x.providers()
	if err != nil {
		return Provider{}, err
	}
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, errUnknownPage
	}
	return all[i], nil
}

// accountsPage is the content of the list of providers, or of the page that leads to one of them.
type accountsPage struct {
	Providers   []Provider
	ProviderURL string // the URL at which the visitor continues; "" for the list
	Provider    Provider
	Confirm     portal.Confirmation // the host's notice about devices
}

func showAccounts(x *exchange) error {
	all, err := x.providers()
	if err != nil {
		return err
	}
	return x.renderOK("accounts", "nav.connect", accountsPage{Providers: all, Confirm: x.config().Features.Manage.DeviceManagementConfirmation})
}

func saveConnect(x *exchange) error {
	p, err := x.provider(x.r.PostForm.Get("provider"))
	if err != nil {
		return err
	}
	to, err := x.h.options.Accounts.Connect(x.ctx(), x.session, p.Name)
	if err != nil {
		return x.hostError(err)
	}
	if to == "" {
		return x.redirectWithNotice(newNotice("done.connected", "name", p.Label), pageAccounts)
	}
	if u, err := url.Parse(to); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("web: Accounts.Connect must return an absolute https URL or an empty string")
	}
	return x.renderOK("accounts", "connect.leave", accountsPage{ProviderURL: to, Provider: p})
}

func showDisconnect(x *exchange) error {
	asked := x.r.URL.Query()
	_, a, err := x.account(asked.Get("provider"), asked.Get("account"))
	if err != nil {
		return err
	}
	return x.renderOK("cancel", "connect.remove", deletePage{
		Name: a.Label, Text: x.text("connect.remove.text"), Button: x.text("connect.remove"), Back: x.link(pageAccounts), Planned: fingerprint(a.ID),
	})
}

func saveDisconnect(x *exchange) error {
	asked := x.r.URL.Query()
	p, a, err := x.account(asked.Get("provider"), asked.Get("account"))
	disconnected := func(name string) error {
		return x.redirectWithNotice(newNotice("done.disconnected", "name", name), pageAccounts)
	}
	if errors.Is(err, errUnknownAccount) && x.r.PostForm.Has(plannedField) {
		return disconnected(cmp.Or(x.r.PostForm.Get(namedField), asked.Get("account"))) // the page was posted twice
	}
	if err != nil {
		return err
	}
	if err := x.h.options.Accounts.Disconnect(x.ctx(), x.session, p.Name, a.ID); err != nil {
		return x.hostError(err)
	}
	return disconnected(a.Label)
}

// errUnknownAccount is returned for an account that its provider does not have.
var errUnknownAccount = fmt.Errorf("%w: unknown account", errUnknownPage)

func (x *exchange) account(provider, id string) (Provider, Account, error) {
	p, err := x.provider(provider)
	if err != nil {
		return p, Account{}, err
	}
	i := slices.IndexFunc(p.Accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return p, Account{}, errUnknownAccount
	}
	return p, p.Accounts[i], nil
}

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
	Groups []settingGroup
}

type settingGroup struct {
	Group    SettingGroup
	Settings []Setting
}

// settings returns the settings that the configuration of the portal allows.
func (x *exchange) settings() ([]Setting, error) {
	if x.h.options.Automations == nil {
		return nil, errUnknownPage
	}
	if err := x.session.Can(portal.ActionConfigure); err != nil {
		return nil, err
	}
	all, err := x.h.options.Automations.Settings(x.ctx(), x.session)
	if err != nil {
		return nil, err
	}
	c := x.config().Features.Configure
	allowed := map[SettingGroup]bool{
		GroupAccess: c.AllowAccessAutomationRuleCustomization, GroupClimate: c.AllowClimateAutomationRuleCustomization,
		GroupInstantKey: c.AllowInstantKeyCustomization,
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Setting) bool { return !allowed[s.Group] }), nil
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

func (x *exchange) showSettings(all []Setting, f *form) error {
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
	x.render(f.status(), "automations", "nav.configure", out)
	return nil
}

func showAutomations(x *exchange) error {
	all, err := x.settings()
	if err != nil {
		return err
	}
	f := x.newForm(settingFields(all))
	f.fill(settingValues(all))
	return x.showSettings(all, f)
}

func saveAutomations(x *exchange) error {
	all, err := x.settings()
	if err != nil {
		return err
	}
	f := x.postedForm(settingFields(all))
	for _, s := range all {
		if len(s.Choices) == 0 { // a browser posts nothing for a switch that is off
			f.Values[settingPrefix+s.Name] = strconv.FormatBool(x.r.PostForm.Get(settingPrefix+s.Name) == "true")
		}
	}
	f.compare(x, settingValues(all))
	if x.isRedraw(f) {
		return x.showSettings(all, f)
	}
	if len(f.conflicts) > 0 {
		return x.showConflicts(f, x.text("nav.configure"), x.link(pageAutomations), func(name, value string) ([]string, error) {
			return x.settingText(all, name, value), nil
		})
	}
	values := map[string]string{}
	for _, s := range all {
		name := settingPrefix + s.Name
		if !f.changed[name] {
			continue
		}
		if values[s.Name] = f.Values[name]; len(s.Choices) > 0 && !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == f.Values[name] }) {
			f.Faults[name] = x.text("rule.unfit")
		}
	}
	if !f.HasFaults() && len(values) > 0 {
		faults, err := x.h.options.Automations.Save(x.ctx(), x.session, values)
		if err != nil {
			return x.hostError(err)
		}
		for name, text := range faults {
			f.Faults[settingPrefix+name] = text
		}
	}
	if f.HasFaults() {
		return x.showSettings(all, f)
	}
	return x.redirectWithNotice(newNotice("done.settings"), pageAutomations)
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
