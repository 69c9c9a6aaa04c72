package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// showConnectBack asks for a click, because the next step changes something and the page is opened from another site.
func showConnectBack(x *exchange) error {
	if err := x.session.Can(portal.ActionConnect); err != nil {
		return err
	}
	page := connectBackPage{Back: x.link(pageAccounts)}
	for name, values := range x.r.URL.Query() {
		page.Inputs = append(page.Inputs, hiddenInput{answerPrefix + name, values[0]})
	}
	slices.SortFunc(page.Inputs, func(a, b hiddenInput) int { return cmp.Compare(a.Name, b.Name) })
	return x.renderOK("connectback", "connect.back", page)
}

func saveConnectBack(x *exchange) error {
	answers := map[string]device.Secret{}
	for name, values := range x.r.PostForm {
		if name, is := strings.CutPrefix(name, answerPrefix); is {
			answers[name] = device.NewSecret(values[0])
		}
	}
	pane, err := x.session.ResumeConnect(x.ctx(), answers)
	name := ""
	if pane.Account != nil {
		name = pane.Account.Name
	}
	return x.showPane(device.Info{Name: name}, pane, err)
}

// connectDonePage is the content of the last page of a connect webview.
type connectDonePage struct {
	Connected, Waits bool
	NextURL          string // the host's page to which the browser goes on, or ""
	Back             string // the list of providers, or "" if the account is connected
}

func showConnectDone(x *exchange) error {
	w, is, err := x.view.Webview(x.ctx())
	switch {
	case err != nil:
		return err
	case !is:
		return errUnknownPage
	case w.Status == portal.WebviewPending && w.AccountID == uuid.Nil:
		return x.redirectTo(pageAccounts)
	}
	page := connectDonePage{Connected: w.AccountID != uuid.Nil, Waits: w.Status == portal.WebviewPending}
	switch {
	case page.Waits:
		x.refreshSoon() // the session of a connect webview lasts half an hour at most
	case page.Connected:
		page.NextURL = webviewURL(w.RedirectURL, w)
	default:
		page.NextURL, page.Back = webviewURL(cmp.Or(w.FailureURL, w.RedirectURL), w), x.link(pageAccounts)
	}
	if page.Connected {
		return x.renderOK("connectdone", "connect.done", page)
	}
	return x.renderOK("connectdone", "connect.gaveup", page)
}

// webviewURL returns a redirect URL of a connect webview with its result in the query, or "" if the host has none.
func webviewURL(to string, w portal.Webview) string {
	u, err := url.Parse(to)
	if to == "" || err != nil || u.Scheme != "https" {
		return ""
	}
	q := u.Query()
	q.Set("connect_webview_id", w.ID.String())
	if w.AccountID != uuid.Nil {
		q.Set("connected_account_id", w.AccountID.String())
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// giveUp ends a connect webview without an account.
func giveUp(x *exchange) error {
	if !x.session.IsWebview() {
		return errUnknownPage
	}
	if err := x.session.FailWebview(x.ctx()); err != nil {
		return err
	}
	return x.redirectTo(pageConnectDone)
}

// disconnectPage is the content of the page that asks before it deletes an account.
type disconnectPage struct {
	Account access.Account
	Devices []access.Device
	More    bool
	Back    string
}

// accountID returns the id in the query.
func (x *exchange) accountID() (uuid.UUID, error) {
	id, err := uuid.Parse(x.r.URL.Query().Get(accountParam))
	if err != nil {
		return uuid.Nil, access.ErrAccountNotFound
	}
	return id, nil
}

func showDisconnect(x *exchange) error {
	if err := x.session.Can(portal.ActionDeleteAccount); err != nil {
		return err
	}
	id, err := x.accountID()
	if err != nil {
		return err
	}
	a, devices, err := x.view.ConnectedAccount(x.ctx(), id)
	if err != nil {
		return err
	}
	slices.SortFunc(devices.Items, func(a, b access.Device) int { return strings.Compare(a.Name, b.Name) })
	page := disconnectPage{Account: a, Devices: devices.Items, More: devices.Next != "", Back: x.link(pageAccounts)}
	x.render(http.StatusOK, "disconnect", "connect.remove.title", page, "name", cmp.Or(a.Name, a.Provider))
	return nil
}

func saveDisconnect(x *exchange) error {
	id, err := x.accountID()
	if err != nil {
		return err
	}
	name := x.r.PostForm.Get(namedField)
	removed, err := x.session.DeleteAccount(x.ctx(), id)
	if err != nil && !(errors.Is(err, access.ErrAccountNotFound) && name != "") { // the page was posted twice
		return err
	}
	key := "done.disconnected"
	if len(removed) > 0 {
		key = "done.disconnected_codes"
	}
	return x.redirectWithNotice(newNotice(key, "name", name), pageAccounts)
}
