package web_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const (
	loginPassword = "correct horse battery staple"
	startPath     = "connect/start?provider=" + simulated.Key
)

// newWorld returns a world with the logins "anna", and "bob" with a second factor.
func newWorld() *simulated.World {
	w := simulated.New(simulated.Options{Seed: 1})
	w.AddLogin(simulated.Login{User: "anna", Password: loginPassword})
	w.AddLogin(simulated.Login{User: "bob", Password: loginPassword, SecondFactor: "123456"})
	return w
}

func (f *fixture) scope(customer string) *access.Scope {
	return f.portals.Access().Workspace(f.ws().ID()).Customer(customer)
}

func (f *fixture) accounts(t *testing.T, customer string) []access.Account {
	t.Helper()
	out, err := f.scope(customer).Accounts(t.Context())
	require.NoError(t, err)
	return out
}

// addDevices adds devices to the first account of a customer.
func (f *fixture) addDevices(t *testing.T, customer string, devices ...device.Device) {
	t.Helper()
	account := f.accounts(t, customer)[0].ID
	c, err := f.ws().Customer(t.Context(), customer)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), f.ws(), devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		var rows []devicedata.Device
		for _, d := range devices {
			details, err := json.Marshal(map[string]any{"can": d.Capabilities, "model": d.Model})
			require.NoError(t, err)
			rows = append(rows, devicedata.Device{ExternalID: d.ID, Name: d.Name, Details: details})
		}
		_, err := devicedata.PutDevices(ctx, tx, account, rows)
		return err
	}))
}

// openDevices opens a portal of the small hotel, whose service has the simulated provider.
func openDevices(t *testing.T, c portal.Config) (*fixture, *browser) {
	t.Helper()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{}, newWorld().Provider("test"))
	b := f.newBrowser(t)
	require.Equal(t, http.StatusOK, b.open(f.portal(t, portal.CreateRequest{Config: c}).URL.Reveal()).StatusCode)
	return f, b
}

func TestConnect_Form_ConnectsAccount(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	require.Contains(t, b.get(b.home+"connect").body, "<h1>Connections</h1>")
	require.Contains(t, b.get(b.home+"connect").body, "Simulated devices")
	form := b.post(b.home + startPath)
	require.Equal(t, http.StatusOK, form.StatusCode)
	require.Regexp(t, `<input id="f-answer.password" name="answer.password" type="password" value=""[^>]* required`, form.body)
	a := b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	a = b.follow(a)
	require.Contains(t, a.body, "anna is connected.")
	require.Contains(t, a.body, "<h1>Accounts</h1>")
	require.Contains(t, a.body, "Being connected…")
	require.Equal(t, "5", a.Header.Get("Refresh"))
	f.clock.Advance(6 * time.Minute)
	a = b.get(b.home + "connect")
	require.Contains(t, a.body, "Being connected…")
	require.Empty(t, a.Header.Get("Refresh"), "no process connects the account")
	require.Len(t, f.accounts(t, "acme"), 1)
	require.NotContains(t, f.logs.String(), loginPassword)
}

func TestConnect_WrongAnswers_ShowTheFaultAndNoSecret(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	a := b.post(b.home+startPath, "answer.username", "anna", "answer.password", "wrong-secret")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.body, "The user name or the password is wrong.")
	require.Contains(t, a.body, `value="anna"`)
	require.NotContains(t, a.body, "wrong-secret")
	require.Regexp(t, `id="f-answer.password"[^>]*aria-invalid="true"[^>]* autofocus`, a.body)
	a = b.post(b.home+startPath, "answer.username", "anna", "answer.password", "")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Regexp(t, `id="f-answer.password"[^>]*aria-invalid="true"[^>]* autofocus`, a.body)
	require.Contains(t, a.body, `<a href="#f-answer.password">Password: `)
	require.Empty(t, f.accounts(t, "acme"))
	b.header.Set("Accept-Language", "de")
	require.Contains(t, b.post(b.home+startPath, "answer.username", "anna", "answer.password", "x").body, "Der Benutzername oder das Passwort ist falsch.")
}

var stateField = regexp.MustCompile(`name="state" value="([^"]*)"`)

func TestConnect_SecondFactor_ContinuesWithTheSealedState(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	a := b.post(b.home+startPath, "answer.username", "bob", "answer.password", loginPassword)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Contains(t, a.body, `autocomplete="one-time-code"`)
	require.NotContains(t, a.body, loginPassword)
	state := stateField.FindStringSubmatch(a.body)[1]
	a = b.post(b.home+startPath, "state", state, "answer.code", "999999")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.NotContains(t, a.body, "999999")
	require.Contains(t, a.body, `id="e-answer.code">The code is wrong.`)
	state = stateField.FindStringSubmatch(a.body)[1]
	require.Contains(t, b.follow(b.post(b.home+startPath, "state", state, "answer.code", "123456")).body, "bob is connected.")
	for _, bad := range []string{"!", state + "AAAA", "AAAA"} {
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, b.post(b.home+startPath, "state", bad, "answer.code", "123456").StatusCode, bad)
	}
	require.Len(t, f.accounts(t, "acme"), 1)
}

func TestConnect_Outage_SaysSoAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{}, w.Provider("test"))
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	w.SetOutage("anna", true)
	a := b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	require.Equal(t, http.StatusBadGateway, a.StatusCode)
	require.Contains(t, a.body, "The provider cannot be reached at the moment.")
	require.Empty(t, f.accounts(t, "acme"))
}

func TestConnect_ReconnectAndDisconnect_ChangeTheAccount(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	account := f.accounts(t, "acme")[0]
	f.addDevices(t, "acme", device.Device{ID: "l1", Name: "Lock of room 101"})
	again := b.home + startPath + "&account=" + account.ID.String()
	accounts := b.get(b.home + "connect")
	require.Contains(t, accounts.body, html.EscapeString("account="+account.ID.String()))
	require.Contains(t, accounts.body, "Connect another account")
	require.Equal(t, http.StatusOK, b.get(again).StatusCode)
	require.Contains(t, b.post(again).body, `value="anna"`, "the driver fills in the form")
	other := b.post(again, "answer.username", "bob", "answer.password", loginPassword)
	other = b.post(again, "state", stateField.FindStringSubmatch(other.body)[1], "answer.code", "123456")
	require.Equal(t, http.StatusConflict, other.StatusCode)
	require.Contains(t, other.body, "belongs to another account")
	require.Equal(t, http.StatusSeeOther, b.post(again, "answer.username", "anna", "answer.password", loginPassword).StatusCode)
	require.Len(t, f.accounts(t, "acme"), 1)

	remove := b.home + "connect/remove?account=" + account.ID.String()
	page := b.get(remove)
	require.Contains(t, page.body, "Lock of room 101")
	require.Regexp(t, `<h1>Disconnect .*anna.*\?</h1>`, page.body)
	a := b.post(remove, "named", "anna")
	require.Contains(t, b.follow(a).body, "anna is disconnected.")
	require.Empty(t, f.accounts(t, "acme"))
	require.Equal(t, http.StatusSeeOther, b.post(remove, "named", "anna").StatusCode, "the page was posted twice")
	for _, id := range []string{"", "x", uuid.NewString()} {
		require.Equal(t, http.StatusNotFound, b.get(b.home+"connect/remove?account="+id).StatusCode, id)
		require.Equal(t, http.StatusNotFound, b.post(b.home+"connect/remove?account="+id).StatusCode, id)
	}
}

func TestConnect_ProvidersNotAccepted_AreHidden(t *testing.T) {
	t.Parallel()
	for _, feature := range []portal.ConnectFeature{{AcceptedProviders: []string{"other"}}, {AcceptedProviders: []string{}}, {ExcludedProviders: []string{simulated.Key}}} {
		f, b := openDevices(t, portal.Config{Features: portal.Features{Connect: feature}})
		page := b.get(b.home + "connect")
		require.Contains(t, page.body, "There is nothing to connect.")
		require.NotContains(t, page.body, "Simulated devices")
		require.Equal(t, http.StatusNotFound, b.get(b.home+startPath).StatusCode)
		require.Equal(t, http.StatusNotFound, b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword).StatusCode)
		require.Empty(t, f.accounts(t, "acme"))
	}
}

func TestConnect_ReadOnlyAndFilteredPortals_CannotConnectOrAssign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]portal.Config{
		"read-only": {ReadOnly: true}, "filters": {Filters: []portal.Filter{{Field: "region", Value: "north"}}},
		"restricted": {NavigationMode: portal.NavigationRestricted}, "excluded": {Features: portal.Features{
			Connect: portal.ConnectFeature{Exclude: true}, Organize: portal.OrganizeFeature{Exclude: true},
		}},
	} {
		f, b := openDevices(t, c)
		host, err := f.scope("acme").Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret("anna"), "password": device.NewSecret(loginPassword),
		}})
		require.NoError(t, err)
		f.addDevices(t, "acme", device.Device{ID: "l1", Name: "Room 101", Capabilities: []device.Capability{device.CanUnlock}})
		before, err := f.scope("acme").Export(t.Context())
		require.NoError(t, err)
		lock := before.Devices[0].ID.String()
		for _, path := range []string{
			startPath, "connect/back", "connect/remove?account=" + host.Account.ID.String(), "organize", "organize/device?device=" + lock,
		} {
			a := b.post(b.home+path, "answer.username", "bob", "answer.password", loginPassword, "map", lock+" 101", "space", "101")
			require.Equal(t, http.StatusForbidden, a.StatusCode, "%s: %s", name, path)
		}
		want := http.StatusForbidden
		if name == "read-only" {
			want = http.StatusOK
			require.NotRegexp(t, `connect/start|connect/remove|organize/device|name="map"`, b.get(b.home+"connect").body+b.get(b.home+"organize").body)
		}
		require.Equal(t, want, b.get(b.home+"connect").StatusCode, name)
		require.Equal(t, want, b.get(b.home+"organize").StatusCode, name)
		after, err := f.scope("acme").Export(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, after, name)
	}
}

func TestOrganize_Suggestions_AreAcceptedOneByOneAndAll(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	lock := []device.Capability{device.CanUnlock}
	f.addDevices(t, "acme", device.Device{ID: "l1", Name: "Room 101", Capabilities: lock}, device.Device{ID: "l2", Name: "Lock 102", Capabilities: lock},
		device.Device{ID: "front", Name: "Front door", Capabilities: lock}, device.Device{ID: "t", Name: "Thermostat 102"})
	page := b.get(b.home + "organize")
	require.Contains(t, page.body, "Suggestions by name")
	require.Regexp(t, `(?s)Devices that are not assigned.*Front door`, page.body)
	require.Regexp(t, `(?s)Without a lock.*Room 101`, page.body)
	values := regexp.MustCompile(`<form method="post"><input type="hidden" name="map" value="([^"]*)">`).FindAllStringSubmatch(page.body, -1)
	require.Len(t, values, 3)
	first := html.UnescapeString(values[0][1])
	require.Contains(t, b.follow(b.post(b.home+"organize", "map", first)).body, "The devices are assigned.")
	export := func() map[string][]access.Mapping {
		out := map[string][]access.Mapping{}
		all, err := f.scope("acme").Export(t.Context())
		require.NoError(t, err)
		for _, d := range all.Devices {
			out[d.ExternalID] = d.Mappings
		}
		return out
	}
	mapped := 0
	for _, m := range export() {
		mapped += len(m)
	}
	require.Equal(t, 1, mapped)
	b.post(b.home+"organize", "map", html.UnescapeString(values[1][1]), "map", html.UnescapeString(values[2][1]))
	require.Equal(t, map[string][]access.Mapping{"l1": {{SpaceKey: "101"}}, "l2": {{SpaceKey: "102"}}, "t": {{SpaceKey: "102"}}, "front": {}}, export())

	// The front door is assigned to the site, where no booking opens it until it is shared.
	all, err := f.scope("acme").Export(t.Context())
	require.NoError(t, err)
	var front string
	for _, d := range all.Devices {
		if d.ExternalID == "front" {
			front = d.ID.String()
		}
	}
	device := b.home + "organize/device?device=" + front
	require.Contains(t, b.get(device).body, "Where is Front door?")
	require.Contains(t, b.follow(b.post(device, "space", "lisbon")).body, "Front door: the assignment is saved.")
	page = b.get(b.home + "organize")
	require.Contains(t, page.body, "Entrances that nobody can open")
	b.post(b.home+"organize", "map", front+" lisbon", "shared", "1")
	require.Equal(t, []access.Mapping{{SpaceKey: "lisbon", Shared: true}}, export()["front"])
	require.NotContains(t, b.get(b.home+"organize").body, "Entrances that nobody can open")
	require.Regexp(t, `name="shared" value="1" checked`, b.get(device).body)
	b.post(device, "was", "lisbon", "space", "102")
	require.Equal(t, []access.Mapping{{SpaceKey: "102"}}, export()["front"])
	b.post(device, "was", "102")
	require.Empty(t, export()["front"])
}

func TestOrganize_ForeignOrDeletedThings_ChangeNothing(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	f.addDevices(t, "acme", device.Device{ID: "l1", Name: "Room 101"})
	d := data.CustomerData{CustomerKey: "other"}
	d.Add(data.Room("foreign", "Foreign"))
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	all, err := f.scope("acme").Export(t.Context())
	require.NoError(t, err)
	own := all.Devices[0].ID.String()
	for value, status := range map[string]int{
		"x": http.StatusBadRequest, own: http.StatusBadRequest, own + " foreign": http.StatusConflict, own + " absent": http.StatusConflict,
		uuid.NewString() + " 101": http.StatusConflict,
	} {
		require.Equal(t, status, b.post(b.home+"organize", "map", value).StatusCode, value)
	}
	require.Equal(t, http.StatusNotFound, b.get(b.home+"organize/device?device="+uuid.NewString()).StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, b.post(b.home+"organize/device?device="+own, "space", "foreign").StatusCode)
	after, err := f.scope("acme").Export(t.Context())
	require.NoError(t, err)
	require.Equal(t, all, after)
}

// webview opens a connect webview of the small hotel.
func (f *fixture) webview(t *testing.T, req portal.WebviewRequest) (portal.Webview, *browser, response) {
	t.Helper()
	f.portal(t, portal.CreateRequest{})
	req.CustomerKey = "acme"
	w, err := f.portals.CreateWebview(t.Context(), f.ws(), req)
	require.NoError(t, err)
	b := f.newBrowser(t)
	return w, b, b.open(w.URL.Reveal())
}

var refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]*)">`)

func TestWebview_Pages_ConnectAndRedirect(t *testing.T) {
	t.Parallel()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{}, newWorld().Provider("test"))
	w, b, first := f.webview(t, portal.WebviewRequest{RedirectURL: "https://host.example/done?a=1&b=%22"})
	require.Equal(t, http.StatusOK, first.StatusCode)
	require.Contains(t, first.body, "Simulated devices")
	require.NotContains(t, first.body, "<nav")
	for _, path := range []string{"reservations", "spaces", "staff", "guests", "organize", "configure"} {
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, b.get(b.home+path).StatusCode, path)
	}
	require.Equal(t, http.StatusOK, b.post(b.home+startPath).StatusCode)
	a := b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	a = b.follow(a)
	require.Contains(t, a.body, "Account connected")
	to, err := url.Parse(html.UnescapeString(refresh.FindStringSubmatch(a.body)[1]))
	require.NoError(t, err)
	require.Equal(t, "host.example", to.Host)
	require.Equal(t, url.Values{
		"a": {"1"}, "b": {`"`}, "connect_webview_id": {w.ID.String()}, "connected_account_id": {f.accounts(t, "acme")[0].ID.String()},
	}, to.Query())
	require.Equal(t, http.StatusConflict, b.post(b.home+startPath, "answer.username", "bob", "answer.password", loginPassword).StatusCode)
	require.Contains(t, b.follow(b.get(b.home)).body, "Account connected")
	f.clock.Advance(access.ConnectPeriod + time.Second)
	require.Equal(t, http.StatusGone, b.get(b.home+"connect").StatusCode)
	require.Equal(t, http.StatusGone, f.newBrowser(t).get(w.URL.Reveal()).StatusCode)
}

func TestWebview_GivenUpOrOutage_FailsAndRedirects(t *testing.T) {
	t.Parallel()
	world := newWorld()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{}, world.Provider("test"))
	w, b, _ := f.webview(t, portal.WebviewRequest{RedirectURL: "https://host.example/done", FailureURL: "https://host.example/failed"})
	a := b.follow(b.post(b.home + "connect/cancel"))
	require.Contains(t, a.body, "Nothing was connected")
	require.Equal(t, "https://host.example/failed?connect_webview_id="+w.ID.String(), html.UnescapeString(refresh.FindStringSubmatch(a.body)[1]))
	stored, err := f.portals.Webview(t.Context(), f.ws(), w.ID)
	require.NoError(t, err)
	require.Equal(t, portal.WebviewFailed, stored.Status)

	world.SetOutage("anna", true)
	w, b, _ = f.webview(t, portal.WebviewRequest{RedirectURL: "https://host.example/done"})
	a = b.follow(b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword))
	require.Equal(t, "https://host.example/done?connect_webview_id="+w.ID.String(), html.UnescapeString(refresh.FindStringSubmatch(a.body)[1]))
	require.Empty(t, f.accounts(t, "acme"))

	_, b = openDevices(t, portal.Config{})
	require.Equal(t, http.StatusNotFound, b.post(b.home+"connect/cancel").StatusCode, "a portal is not given up")
	require.Equal(t, http.StatusNotFound, b.get(b.home+"connect/done").StatusCode)
}

func TestConnect_SessionEnded_DoesNotEchoThePassword(t *testing.T) {
	t.Parallel()
	f, b := openDevices(t, portal.Config{})
	f.clock.Advance(time.Hour)
	a := b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword)
	require.Equal(t, http.StatusForbidden, a.StatusCode)
	require.NotContains(t, a.body, loginPassword)
}

// TestWebview_WaitsForDevices_RefreshesItself connects an account in a webview that waits until its devices are read.
func TestWebview_WaitsForDevices_RefreshesItself(t *testing.T) {
	t.Parallel()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{}, newWorld().Provider("test"))
	_, b, _ := f.webview(t, portal.WebviewRequest{RedirectURL: "https://host.example/done", WaitForDeviceCreation: true})
	require.Empty(t, b.get(b.home+"connect").Header.Get("Refresh"))
	a := b.follow(b.post(b.home+startPath, "answer.username", "anna", "answer.password", loginPassword))
	require.Contains(t, a.body, "The devices of the account are being read.")
	require.Equal(t, "5", a.Header.Get("Refresh"))
	require.Empty(t, refresh.FindStringSubmatch(a.body))
}
