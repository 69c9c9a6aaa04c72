package web

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/customerportal-go/customerportal/portal"
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
	// nothing more to do.
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

	// Save sets all values of the settings that were shown, by their names: "true" or
	// "false" for a switch, or one of the choices. It returns faults by name.
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

// providers are those that the portal leaves.
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

// provider is the one of those that a form names.
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
	return v.show("cancel", "connect.remove", cancelPage{Name: a.Label, Text: v.T("connect.remove.text"), Button: v.T("connect.remove"), Back: v.Link(pageAccounts)})
}

func saveDisconnect(v *visit) error {
	asked := v.r.URL.Query()
	p, a, err := v.account(asked.Get("provider"), asked.Get("account"))
	if err != nil {
		return err
	}
	if err := v.h.o.Accounts.Disconnect(v.ctx(), v.session, p.Name, a.ID); err != nil {
		return v.chosen(err)
	}
	return v.done("disconnected", pageAccounts)
}

func (v *visit) account(provider, id string) (Provider, Account, error) {
	p, err := v.provider(provider)
	if err != nil {
		return p, Account{}, err
	}
	i := slices.IndexFunc(p.Accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return p, Account{}, errUnknownPage
	}
	return p, p.Accounts[i], nil
}

// chosen is the error of a host about what was chosen.
func (v *visit) chosen(err error) error {
	if errors.Is(err, ErrInvalid) {
		return errors.Join(portal.ErrInvalid, err)
	}
	return err
}

// automationsPage is the settings, by group.
type automationsPage struct {
	Groups []settingGroup
	Faults map[string]string
}

type settingGroup struct {
	Group    SettingGroup
	Settings []Setting
}

// settings are those that the portal lets a visitor change.
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

func (v *visit) showSettings(all []Setting, faults map[string]string) error {
	out := automationsPage{Faults: faults}
	for _, group := range []SettingGroup{GroupAccess, GroupClimate, GroupInstantKey} {
		g := settingGroup{Group: group}
		for _, s := range all {
			if s.Group == group {
				g.Settings = append(g.Settings, s)
			}
		}
		if len(g.Settings) > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	status := 200
	if len(faults) > 0 {
		status = 422
	}
	v.render(status, "automations", "nav.configure", out)
	return nil
}

func showAutomations(v *visit) error {
	all, err := v.settings()
	if err != nil {
		return err
	}
	return v.showSettings(all, nil)
}

func saveAutomations(v *visit) error {
	all, err := v.settings()
	if err != nil {
		return err
	}
	values := map[string]string{}
	faults := map[string]string{}
	for i, s := range all {
		value := v.r.PostForm.Get("setting:" + s.Name)
		if len(s.Choices) == 0 {
			value = map[bool]string{true: "true", false: "false"}[value != ""]
		} else if !slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == value }) {
			faults[s.Name] = v.T("rule.unfit")
			continue
		}
		values[s.Name], all[i].Value = value, value
	}
	if len(faults) == 0 {
		if faults, err = v.h.o.Automations.Save(v.ctx(), v.session, values); err != nil {
			return v.chosen(err)
		}
	}
	if len(faults) == 0 {
		return v.done("saved", pageAutomations)
	}
	return v.showSettings(all, faults)
}
