package web

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// Names of parameters and inputs of the pages that connect accounts.
const (
	providerParam = "provider"
	accountParam  = "account"

	stateInput   = "state"   // the sealed state of a connection
	answerPrefix = "answer." // of the answers to a form of a provider
)

const (
	// connectSeconds is the number of seconds after which a page loads itself again while an account is being connected.
	connectSeconds = 5

	// connectingFor is the time after which the list of accounts no longer loads itself again. A page that always did would keep its
	// session alive.
	connectingFor = 5 * time.Minute
)

// refreshSoon makes the page load itself again, also in a browser without scripts.
func (x *exchange) refreshSoon() { x.w.Header().Set("Refresh", strconv.Itoa(connectSeconds)) }

// accountsPage is the content of the list of providers and connected accounts.
type accountsPage struct {
	Providers []providerCard
	Webview   bool
	Setup     []setupStep // the steps of the first setup; none if it is done
}

// providerCard is a provider with its connected accounts.
type providerCard struct {
	Key, Name string
	Known     bool // the service has the provider, so that its accounts can be connected
	Accounts  []access.Account
}

func showAccounts(x *exchange) error {
	providers, err := x.view.Providers()
	if err != nil {
		return err
	}
	out := accountsPage{Webview: x.session.IsWebview()}
	for _, p := range providers {
		out.Providers = append(out.Providers, providerCard{Key: p.Key, Name: p.Name, Known: true})
	}
	if out.Webview {
		w, _, err := x.view.Webview(x.ctx())
		if err != nil {
			return err
		}
		if w.AccountID != uuid.Nil {
			return x.redirectTo(pageConnectDone)
		}
		return x.renderOK("accounts", "nav.connect", out)
	}
	accounts, err := x.view.ConnectedAccounts(x.ctx())
	if err != nil {
		return err
	}
	for _, a := range accounts {
		at := slices.IndexFunc(out.Providers, func(p providerCard) bool { return p.Key == a.Provider })
		if at < 0 {
			at = len(out.Providers)
			out.Providers = append(out.Providers, providerCard{Key: a.Provider, Name: a.Provider})
		}
		out.Providers[at].Accounts = append(out.Providers[at].Accounts, a)
		if a.Status == access.AccountConnecting && x.h.db.Now().Before(a.StatusSince.Add(connectingFor)) {
			x.refreshSoon()
		}
	}
	if out.Setup, err = x.setupSteps(accounts); err != nil {
		return err
	}
	if len(accounts) > 0 {
		return x.renderOK("accounts", "connect.accounts", out)
	}
	return x.renderOK("accounts", "nav.connect", out)
}

// connectPage is the content of a step of connecting an account.
type connectPage struct {
	Provider string
	Message  string // of the provider, in English
	Trouble  string // why the account cannot be connected now
	Form     *form
	Fields   []connectField
	Hidden   []hiddenInput
	Redirect string // the URL of the provider's own login
	Back     string
	Webview  bool
}

// connectField is an input of a form of a provider.
type connectField struct {
	field
	Options []device.Option
	English bool // the label and the hint come from the provider, in English
}

// provider returns the provider with the key in the query, among those of the portal.
func (x *exchange) provider() (device.Info, error) {
	providers, err := x.view.Providers()
	if err != nil {
		return device.Info{}, err
	}
	at := slices.IndexFunc(providers, func(p device.Info) bool { return p.Key == x.r.URL.Query().Get(providerParam) })
	if at < 0 {
		return device.Info{}, errUnknownPage
	}
	return providers[at], nil
}

// showConnect shows the provider with a button. Only a POST calls the provider, because link previews and scanners send a GET.
func showConnect(x *exchange) error {
	if err := x.session.Can(portal.ActionConnect); err != nil {
		return err
	}
	p, err := x.provider()
	if err != nil {
		return err
	}
	x.render(http.StatusOK, "connect", "connect.title", x.connectPage(p), "name", p.Name)
	return nil
}

func (x *exchange) connectPage(p device.Info) connectPage {
	return connectPage{Provider: p.Name, Back: x.link(pageAccounts), Webview: x.session.IsWebview()}
}

func saveConnect(x *exchange) error {
	if err := x.session.Can(portal.ActionConnect); err != nil {
		return err
	}
	var p device.Info
	err := x.inView(func() (err error) {
		p, err = x.provider()
		return err
	})
	if err != nil {
		return err
	}
	step := access.ConnectStep{Provider: p.Key, ReturnURL: x.connectReturnURL(), Answers: map[string]device.Secret{}}
	if text := x.r.URL.Query().Get(accountParam); text != "" {
		if step.Reconnect, err = uuid.Parse(text); err != nil {
			return errUnknownPage
		}
	}
	if step.State, err = base64.RawURLEncoding.DecodeString(x.r.PostForm.Get(stateInput)); err != nil {
		return validation.ErrInvalid
	}
	for name, values := range x.r.PostForm {
		if name, is := strings.CutPrefix(name, answerPrefix); is {
			step.Answers[name] = device.NewSecret(values[0])
		}
	}
	pane, err := x.session.Connect(x.ctx(), step)
	return x.showPane(p, pane, err)
}

// connectReturnURL returns the URL to which a provider with a login of its own sends the browser back.
func (x *exchange) connectReturnURL() string {
	return strings.TrimSuffix(x.h.portals.BaseURL(), x.h.prefix) + x.link(pageConnectBack)
}

// showPane shows the result of a step.
func (x *exchange) showPane(p device.Info, pane access.ConnectPane, err error) error {
	page := x.connectPage(p)
	if err != nil {
		return x.connectTrouble(page, err)
	}
	switch {
	case pane.Account != nil && page.Webview:
		return x.redirectTo(pageConnectDone)
	case pane.Account != nil:
		return x.redirectWithNotice(newNotice("done.connected", "name", cmp.Or(pane.Account.Name, p.Name)), pageAccounts)
	case pane.Redirect != "":
		if u, err := url.Parse(pane.Redirect); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return errors.New("web: the provider " + p.Key + " must redirect to an absolute https URL")
		}
		page.Redirect = pane.Redirect
		x.render(http.StatusOK, "connect", "connect.leave", page)
		return nil
	}
	x.fillConnect(&page, *pane.Form)
	page.Hidden = []hiddenInput{{stateInput, base64.RawURLEncoding.EncodeToString(pane.State)}}
	x.render(page.Form.status(), "connect", "connect.title", page, "name", p.Name)
	return nil
}

// connectTroubles maps errors that end a connection to the texts of their page. The first match counts.
var connectTroubles = []struct {
	err    error
	status int
	key    string
}{
	{access.ErrConnectExpired, http.StatusGone, "connect.trouble.expired"},
	{access.ErrOtherAccount, http.StatusConflict, "connect.trouble.mismatch"},
	{portal.ErrConnected, http.StatusConflict, "connect.trouble.done"},
	{validation.ErrInvalid, http.StatusUnprocessableEntity, "connect.trouble.invalid"},
	{device.ErrOffline, http.StatusBadGateway, "connect.trouble.offline"},
}

// connectTrouble shows why an account cannot be connected. A connect webview fails if the provider does.
func (x *exchange) connectTrouble(page connectPage, err error) error {
	for _, known := range []error{portal.ErrRefused, portal.ErrGone, portal.ErrSessionOver, access.ErrNotFound} {
		if errors.Is(err, known) {
			return err
		}
	}
	status, key := http.StatusBadGateway, "connect.trouble.failed"
	for _, row := range connectTroubles {
		if errors.Is(err, row.err) {
			status, key = row.status, row.key
			break
		}
	}
	if status == http.StatusBadGateway {
		x.h.db.Logger().WarnContext(x.ctx(), "connecting an account failed", "provider", page.Provider, "error", err)
		if page.Webview {
			if err := x.session.FailWebview(x.ctx()); err != nil {
				return err
			}
			return x.redirectTo(pageConnectDone)
		}
	}
	page.Trouble = x.text(key)
	x.render(status, "connect", "connect.title", page, "name", page.Provider)
	return nil
}

// connectBackPage is the content of the page to which a provider sends the browser back.
type connectBackPage struct {
	Inputs []hiddenInput
	Back   string
}
