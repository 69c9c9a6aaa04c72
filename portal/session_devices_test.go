package portal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

const password = "correct horse battery staple"

func login(password string) map[string]device.Secret {
	return map[string]device.Secret{"username": device.NewSecret("anna"), "password": device.NewSecret(password)}
}

// deviceIDs are the ids of an account and of a lock in it.
type deviceIDs struct{ account, device uuid.UUID }

// to101 maps the lock to room 101.
func (ids deviceIDs) to101() access.DeviceMapping {
	return access.DeviceMapping{DeviceID: ids.device, Mapping: access.Mapping{SpaceKey: "101"}}
}

type idsKey struct{}

func idsOf(ctx context.Context) deviceIDs { return ctx.Value(idsKey{}).(deviceIDs) }

func (f *fixture) scope(customer string) *access.Scope {
	return f.access.Workspace(workspaceID).Customer(customer)
}

// stockDevices connects the login "anna" to a customer, unless that is done, and adds a lock to its inventory.
func (f *fixture) stockDevices(t testing.TB, customer string) deviceIDs {
	t.Helper()
	pane, err := f.scope(customer).Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
	require.NoError(t, err)
	ids := deviceIDs{pane.Account.ID, devicedata.DeviceID(pane.Account.ID, "lock")}
	c, err := f.ws.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), f.ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		return drop(devicedata.PutDevices(ctx, tx, ids.account, []devicedata.Device{{ExternalID: "lock", Name: "Room 101", Details: []byte(`{"can":["unlock"]}`)}}))
	}))
	return ids
}

// withDevices returns a context with the ids of an account and a lock of the customer of the matrix.
func (f *fixture) withDevices(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	if f.devices.account != uuid.Nil {
		if _, err := f.scope("My Company").Account(t.Context(), f.devices.account); err == nil {
			return context.WithValue(ctx, idsKey{}, f.devices)
		}
	}
	f.devices = f.stockDevices(t, "My Company")
	return context.WithValue(ctx, idsKey{}, f.devices)
}

func (f *fixture) exportDevices(t *testing.T) access.Export {
	t.Helper()
	out, err := f.scope("My Company").Export(t.Context())
	require.NoError(t, err)
	return out
}

// deviceCells are the cells of the matrix that use accounts and devices.
func deviceCells() (out []cell) {
	for _, c := range cells {
		switch c.method {
		case "Providers", "ConnectedAccounts", "ConnectedAccount", "Connect", "Connect again", "ResumeConnect", "DeleteAccount", "DeviceSuggestions",
			"MappableDevice", "MapDevices", "UnmapDevices", "Can connect", "AutomationRules", "SetAutomationRules":
			out = append(out, c)
		}
	}
	return out
}

func requireRefused(t *testing.T, err error, reason string, name string) {
	t.Helper()
	var refused *portal.RefusedError
	require.ErrorAs(t, err, &refused, name)
	require.Equal(t, reason, refused.Reason, name)
}

func TestSessionDevices_PortalWithFilters_RefusesEverything(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		ctx := f.withDevices(t, t.Context())
		before := f.exportDevices(t)
		for _, c := range deviceCells() {
			requireRefused(t, c.call(ctx, s), "hidden", c.method)
		}
		require.Equal(t, before, f.exportDevices(t))
	})
}

func TestSessionDevices_ServiceWithoutAccess_RefusesEverything(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	ids := func() deviceIDs {
		f.create(t, portal.CreateRequest{CustomerData: hotel()})
		return f.stockDevices(t, "My Company")
	}()
	portals, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
	require.NoError(t, err)
	p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company"})
	require.NoError(t, err)
	s, err := portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
	require.NoError(t, err)
	for _, c := range deviceCells() {
		requireRefused(t, c.call(context.WithValue(t.Context(), idsKey{}, ids), s), "feature", c.method)
	}
	_, err = portals.CreateWebview(t.Context(), f.ws, portal.WebviewRequest{CustomerKey: "My Company"})
	requireRefused(t, err, "feature", "CreateWebview")
}

func TestSessionDevices_ProviderNotAccepted_IsHidden(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, connect := range []portal.ConnectFeature{{AcceptedProviders: []string{"other"}}, {AcceptedProviders: []string{}}, {ExcludedProviders: []string{simulated.Key}}} {
			s := f.session(t, portal.Config{Features: portal.Features{Connect: connect}})
			ids := idsOf(f.withDevices(t, t.Context()))
			before := f.exportDevices(t)
			require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
				providers, err := v.Providers()
				require.NoError(t, err)
				require.Empty(t, providers)
				accounts, err := v.ConnectedAccounts(t.Context())
				require.NoError(t, err)
				require.Empty(t, accounts)
				_, _, err = v.ConnectedAccount(t.Context(), ids.account)
				require.ErrorIs(t, err, access.ErrAccountNotFound)
				return nil
			}))
			_, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
			var invalid *validation.Error
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "provider", invalid.Faults[0].Path)
			_, err = s.DeleteAccount(t.Context(), ids.account)
			require.ErrorIs(t, err, access.ErrAccountNotFound)
			require.Equal(t, before, f.exportDevices(t))
		}
	})
}

func TestSessionDevices_OtherCustomer_IsNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		own := f.stockDevices(t, "My Company")
		_, err := f.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other", Spaces: []data.Space{data.Room("secret", "Secret")}})
		require.NoError(t, err)
		others := f.stockDevices(t, "other")
		export := func() access.Export {
			out, err := f.scope("other").Export(t.Context())
			require.NoError(t, err)
			return out
		}
		before := export()
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			accounts, err := v.ConnectedAccounts(t.Context())
			require.NoError(t, err)
			require.Len(t, accounts, 1)
			require.Equal(t, own.account, accounts[0].ID)
			_, _, err = v.ConnectedAccount(t.Context(), others.account)
			require.ErrorIs(t, err, access.ErrAccountNotFound)
			_, err = v.MappableDevice(t.Context(), others.device)
			require.ErrorIs(t, err, access.ErrDeviceNotFound)
			suggestions, err := v.DeviceSuggestions(t.Context())
			require.NoError(t, err)
			require.Len(t, suggestions.Unmapped, 1)
			require.Equal(t, own.device, suggestions.Unmapped[0].ID)
			return nil
		}))
		_, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Reconnect: others.account, Answers: login(password)})
		require.ErrorIs(t, err, access.ErrAccountNotFound)
		_, err = s.DeleteAccount(t.Context(), others.account)
		require.ErrorIs(t, err, access.ErrAccountNotFound)
		for path, m := range map[string]access.DeviceMapping{
			"mappings[0].device_id": {DeviceID: others.device, Mapping: access.Mapping{SpaceKey: "101"}},
			"mappings[0].space_key": {DeviceID: own.device, Mapping: access.Mapping{SpaceKey: "secret"}},
		} {
			_, err = s.MapDevices(t.Context(), m)
			var invalid *validation.Error
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, path, invalid.Faults[0].Path)
		}
		_, err = s.UnmapDevices(t.Context(), access.DeviceMapping{DeviceID: others.device, Mapping: access.Mapping{SpaceKey: "secret"}})
		require.ErrorIs(t, err, validation.ErrInvalid)
		require.Equal(t, before, export())
		require.Empty(t, f.exportDevices(t).Devices[0].Mappings)
	})
}

// TestSessionDevices_ConfigChangesBeforeCommit_IsRefused changes the configuration after the first check of a write.
func TestSessionDevices_ConfigChangesBeforeCommit_IsRefused(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(context.Context, *portal.Session) error{
		"Connect": func(ctx context.Context, s *portal.Session) error {
			return drop(s.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: login(password)}))
		},
		"DeleteAccount": func(ctx context.Context, s *portal.Session) error {
			return drop(s.DeleteAccount(ctx, idsOf(ctx).account))
		},
		"MapDevices": func(ctx context.Context, s *portal.Session) error {
			return drop(s.MapDevices(ctx, idsOf(ctx).to101()))
		},
		"UnmapDevices": func(ctx context.Context, s *portal.Session) error {
			return drop(s.UnmapDevices(ctx, idsOf(ctx).to101()))
		},
	} {
		f, h := hooked(t, setup(t, memory.New()))
		p, s := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		ctx := f.withDevices(t, t.Context())
		before := f.exportDevices(t)
		change := func() {
			_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
			require.NoError(t, err)
		}
		h.before.Store(&change)
		requireRefused(t, write(ctx, s), "read_only", name)
		require.Equal(t, before, f.exportDevices(t), name)
	}
}

func TestSessionDevices_CustomerRecreated_SessionCannotConnect(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	_, s := f.open(t, portal.CreateRequest{CustomerData: hotel()})
	_, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
	require.NoError(t, err)
	_, err = f.ws.Push(t.Context(), *hotel())
	require.NoError(t, err)
	_, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
	require.ErrorIs(t, err, portal.ErrDeleted)
	require.Empty(t, f.exportDevices(t).Accounts)
}

func TestSessionDevices_WrongPassword_ReturnsTheFormAndStoresNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	_, s := f.open(t, portal.CreateRequest{CustomerData: hotel()})
	pane, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("wrong")})
	require.NoError(t, err)
	require.Equal(t, device.ProblemCredentials, pane.Form.Problem)
	require.Empty(t, f.exportDevices(t).Accounts)
}

// redirecting is a provider with a login of its own: the code "good" in the query of the return URL connects the account.
type redirecting struct{ device.Provider }

func (redirecting) Info() device.Info { return device.Info{Key: "redirecting", Name: "Redirecting"} }

func (redirecting) Connect(_ context.Context, s device.Step) (device.Pane, error) {
	switch {
	case s.State.Reveal() == "":
		return device.Pane{Redirect: "https://login.example/?back=" + s.ReturnURL, State: device.NewSecret("nonce")}, nil
	case s.Answers["code"].Reveal() == "good" && s.State.Reveal() == "nonce" && s.ReturnURL == "https://se.am/back":
		return device.Pane{Done: &device.Account{ID: "one", Name: "One", Secret: device.NewSecret("token")}}, nil
	}
	return device.Pane{}, errors.New("the provider refused the code")
}

func TestSessionResumeConnect_AfterRedirect_ConnectsOnce(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	devices, err := access.New(f.ws.DB(), access.Options{Keys: f.keys, Providers: []device.Provider{redirecting{}}})
	require.NoError(t, err)
	portals, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys, Access: devices})
	require.NoError(t, err)
	p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
	require.NoError(t, err)
	s, err := portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	resume := func(code string) (access.ConnectPane, error) {
		found, err := portals.Session(t.Context(), s.Token().Reveal())
		require.NoError(t, err)
		return found.ResumeConnect(t.Context(), map[string]device.Secret{"code": device.NewSecret(code)})
	}
	_, err = resume("good")
	require.ErrorIs(t, err, access.ErrConnectExpired, "nothing was started")
	pane, err := s.Connect(t.Context(), access.ConnectStep{Provider: "redirecting", ReturnURL: "https://se.am/back"})
	require.NoError(t, err)
	require.Equal(t, "https://login.example/?back=https://se.am/back", pane.Redirect)
	_, err = resume("bad")
	require.ErrorContains(t, err, "refused the code")
	pane, err = resume("good")
	require.NoError(t, err)
	require.Equal(t, "One", pane.Account.Name)
	_, err = resume("good")
	require.ErrorIs(t, err, access.ErrConnectExpired)
}

// telling is a provider whose pane tells whether the step is one of the operator.
type telling struct{ redirecting }

func (telling) Connect(_ context.Context, s device.Step) (device.Pane, error) {
	return device.Pane{Redirect: fmt.Sprint("https://login.example/?operator=", s.Operator)}, nil
}

func TestSessionConnect_StepOfTheOperator_IsOneOfTheCustomer(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	devices, err := access.New(f.ws.DB(), access.Options{Keys: f.keys, Providers: []device.Provider{telling{}}})
	require.NoError(t, err)
	portals, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys, Access: devices})
	require.NoError(t, err)
	p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
	require.NoError(t, err)
	s, err := portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	step := access.ConnectStep{Provider: "redirecting", Operator: true}
	pane, err := devices.Workspace(f.ws.ID()).Customer(p.CustomerKey).Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, "https://login.example/?operator=true", pane.Redirect)
	pane, err = s.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, "https://login.example/?operator=false", pane.Redirect)
}
