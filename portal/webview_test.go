package portal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// webview pushes the customer of the matrix, creates a connect webview, and opens its link.
func (f *fixture) webview(t *testing.T, req portal.WebviewRequest) (portal.Webview, *portal.Session) {
	t.Helper()
	_, err := f.ws.Push(t.Context(), manor())
	require.NoError(t, err)
	req.CustomerKey = "My Company"
	w, err := f.portals.CreateWebview(t.Context(), f.ws, req)
	require.NoError(t, err)
	s, err := f.portals.OpenSession(t.Context(), portal.Code(w.URL.Reveal()), "")
	require.NoError(t, err)
	return w, s
}

func TestWebview_Connect_BecomesAuthorized(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		req := portal.WebviewRequest{
			AcceptedProviders: []string{simulated.Key}, RedirectURL: "https://host.example/done?a=1", FailureURL: "https://host.example/failed",
			CustomMetadata: data.CustomMetadata{"ref": "7", "vip": true}, AutomaticallyManageNewDevices: true,
		}
		w, s := f.webview(t, req)
		req.CustomerKey = "My Company"
		require.Equal(t, req, w.WebviewRequest)
		require.Equal(t, portal.WebviewPending, w.Status)
		require.Equal(t, access.ConnectPeriod, w.ExpiresAt.Sub(w.CreatedAt))
		require.True(t, strings.HasPrefix(w.URL.Reveal(), "https://se.am/"))
		require.True(t, s.IsWebview())

		pane, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("wrong")})
		require.NoError(t, err)
		require.NotNil(t, pane.Form)
		stored, err := f.portals.Webview(t.Context(), f.ws, w.ID)
		require.NoError(t, err)
		require.Equal(t, w, stored)

		require.NoError(t, s.FailWebview(t.Context()))
		stored, err = f.portals.Webview(t.Context(), f.ws, w.ID)
		require.NoError(t, err)
		require.Equal(t, portal.WebviewFailed, stored.Status)

		pane, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
		require.NoError(t, err)
		stored, err = f.portals.Webview(t.Context(), f.ws, w.ID)
		require.NoError(t, err)
		require.Equal(t, portal.WebviewAuthorized, stored.Status)
		require.Equal(t, pane.Account.ID, stored.AccountID)
		require.Equal(t, simulated.Key, stored.Provider)
		require.Equal(t, f.clock.Now().Truncate(time.Microsecond), stored.AuthorizedAt)
		require.NoError(t, s.FailWebview(t.Context()), "has no effect")
		_, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
		require.ErrorIs(t, err, portal.ErrConnected)
		again, err := f.portals.Webview(t.Context(), f.ws, w.ID)
		require.NoError(t, err)
		require.Equal(t, stored, again)
	})
}

func TestWebview_OtherActions_AreRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, s := f.webview(t, portal.WebviewRequest{})
		ctx := f.withDevices(t, context.WithValue(t.Context(), attemptKey{}, uuid.New()))
		before := f.exportDevices(t)
		allowed := map[string]bool{"Providers": true, "Connect": true, "ResumeConnect": true, "Can connect": true, "Counts": true, "LandingPage": true, "Appearance": true}
		for _, c := range cells {
			if !allowed[c.method] {
				requireRefused(t, c.call(ctx, s), "connect_webview", c.method)
			}
		}
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			counts, err := v.Counts()
			require.NoError(t, err)
			require.Empty(t, counts)
			return nil
		}))
		require.Equal(t, before, f.exportDevices(t))
		report, err := f.ws.SyncWith(t.Context(), manor(), data.SyncOptions{DryRun: true})
		require.NoError(t, err)
		require.Zero(t, report.Created.Total()+report.Updated.Total()+len(report.Deleted))
	})
}

func TestWebview_WaitForDeviceCreation_IsPendingUntilTheInventoryIsRead(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	w, s := f.webview(t, portal.WebviewRequest{WaitForDeviceCreation: true})
	pane, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
	require.NoError(t, err)
	stored, err := f.portals.Webview(t.Context(), f.ws, w.ID)
	require.NoError(t, err)
	require.Equal(t, portal.WebviewPending, stored.Status)
	require.Equal(t, pane.Account.ID, stored.AccountID)
	_, err = f.scope("My Company").DeleteAccount(t.Context(), pane.Account.ID)
	require.NoError(t, err)
	stored, err = f.portals.Webview(t.Context(), f.ws, w.ID)
	require.NoError(t, err)
	require.Equal(t, portal.WebviewAuthorized, stored.Status, "nothing more will be read")
}

func TestCreateWebview_BadInput_CreatesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	_, err := f.ws.Push(t.Context(), *hotel())
	require.NoError(t, err)
	many := data.CustomMetadata{}
	for i := range 51 {
		many[fmt.Sprint("k", i)] = "v"
	}
	for path, req := range map[string]portal.WebviewRequest{
		"customer_key":                 {},
		"accepted_providers[1]":        {CustomerKey: "My Company", AcceptedProviders: []string{"a", "a"}},
		"excluded_providers[0]":        {CustomerKey: "My Company", AcceptedProviders: []string{"a"}, ExcludedProviders: []string{"a"}},
		"custom_redirect_url":          {CustomerKey: "My Company", RedirectURL: "http://host.example/"},
		"custom_redirect_failure_url":  {CustomerKey: "My Company", FailureURL: "javascript:alert(1)"},
		"custom_metadata":              {CustomerKey: "My Company", CustomMetadata: many},
		"custom_metadata.a.b":          {CustomerKey: "My Company", CustomMetadata: data.CustomMetadata{"a.b": "c"}},
		"custom_metadata.number":       {CustomerKey: "My Company", CustomMetadata: data.CustomMetadata{"number": 1.5}},
		"custom_metadata.long":         {CustomerKey: "My Company", CustomMetadata: data.CustomMetadata{"long": strings.Repeat("x", 501)}},
		"custom_metadata.control":      {CustomerKey: "My Company", CustomMetadata: data.CustomMetadata{"control": "a\x00"}},
		"custom_redirect_url ":         {CustomerKey: "My Company", RedirectURL: "//host.example/"},
		"custom_redirect_url  ":        {CustomerKey: "My Company", RedirectURL: "https://user@host.example/"},
		"custom_redirect_failure_url ": {CustomerKey: "My Company", FailureURL: "https://host.example/" + strings.Repeat("x", 2048)},
	} {
		_, err := f.portals.CreateWebview(t.Context(), f.ws, req)
		var invalid *validation.Error
		require.ErrorAs(t, err, &invalid, path)
		require.Equal(t, strings.TrimSpace(path), invalid.Faults[0].Path)
	}
	_, err = f.portals.CreateWebview(t.Context(), f.ws, portal.WebviewRequest{CustomerKey: "nobody"})
	require.ErrorIs(t, err, data.ErrCustomerNotFound)
	page, err := f.portals.Webviews(t.Context(), f.ws, portal.WebviewQuery{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

func TestCreateWebview_AcceptedCapabilities_RestrictTheProviders(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New())
	for name, want := range map[string]int{"lock": 1, "thermostat": 1, "noise_sensor": 1, "camera": 0, "access_control": 0} {
		_, s := f.webview(t, portal.WebviewRequest{AcceptedCapabilities: []string{name}})
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			providers, err := v.Providers()
			require.Len(t, providers, want, name)
			return err
		}))
	}
	w, s := f.webview(t, portal.WebviewRequest{AcceptedProviders: []string{"other"}, AcceptedCapabilities: []string{"lock"}})
	require.Equal(t, []string{"other"}, w.AcceptedProviders)
	_, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
	require.ErrorIs(t, err, validation.ErrInvalid)
}

func TestWebview_Link_HasAKeyOfItsOwnAndExpiresWithoutReads(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	f := setup(t, store)
	w, s := f.webview(t, portal.WebviewRequest{})
	signer, err := link.NewSigner(f.keys)
	require.NoError(t, err)
	code := portal.Code(w.URL.Reveal())
	l, err := signer.Verify(code, f.clock.Now())
	require.NoError(t, err)
	require.True(t, l.Connect)
	l.Connect = false // a code of a portal with the id of the webview's link
	_, err = f.portals.Resolve(t.Context(), signer.Sign(l))
	require.ErrorIs(t, err, portal.ErrRevoked)
	p := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
	ordinary, err := signer.Verify(portal.Code(p.URL.Reveal()), f.clock.Now())
	require.NoError(t, err)
	require.False(t, ordinary.Connect)
	ordinary.Connect = true
	_, err = f.portals.Resolve(t.Context(), signer.Sign(ordinary))
	require.ErrorIs(t, err, portal.ErrRevoked)

	f.clock.Advance(access.ConnectPeriod + time.Second)
	store.Reset()
	_, err = f.portals.Resolve(t.Context(), code)
	require.ErrorIs(t, err, portal.ErrExpired)
	require.Zero(t, store.Trips.Load())
	_, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
	require.ErrorIs(t, err, portal.ErrExpired)
	require.ErrorIs(t, s.FailWebview(t.Context()), portal.ErrExpired)
	stored, err := f.portals.Webview(t.Context(), f.ws, w.ID)
	require.NoError(t, err)
	require.Equal(t, portal.WebviewFailed, stored.Status)
}

func TestWebview_IsNoPortal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w, _ := f.webview(t, portal.WebviewRequest{})
		_, err := f.portals.Get(t.Context(), f.ws, w.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, w.ID, func(*portal.Config) error { return nil })
		require.ErrorIs(t, err, portal.ErrNotFound)
		require.ErrorIs(t, f.portals.Revoke(t.Context(), f.ws, w.ID), portal.ErrNotFound)
		_, err = f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound)
		var want []uuid.UUID
		for range 5 {
			p := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
			want = append([]uuid.UUID{p.ID}, want...)
			for range 3 {
				_, err := f.portals.CreateWebview(t.Context(), f.ws, portal.WebviewRequest{CustomerKey: "My Company"})
				require.NoError(t, err)
			}
			f.clock.Advance(time.Second)
		}
		var got []uuid.UUID
		for cursor := ""; ; {
			page, err := f.portals.List(t.Context(), f.ws, "My Company", 2, cursor)
			require.NoError(t, err)
			for _, p := range page.Items {
				got = append(got, p.ID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Equal(t, want, got)
		_, err = f.portals.Webview(t.Context(), f.ws, want[0])
		require.ErrorIs(t, err, portal.ErrNotFound)
		require.ErrorIs(t, f.portals.DeleteWebview(t.Context(), f.ws, want[0]), portal.ErrNotFound)
		for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			require.NotEqual(t, w.ID, c.Actor.PortalID)
			require.NotEqual(t, w.ID, c.ID)
		}
	})
}

func TestWebviews_Pages_ListAllCustomersOfTheWorkspace(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var want []uuid.UUID
		for _, key := range []string{"a", "b", "c"} {
			_, err := f.ws.Push(t.Context(), data.CustomerData{CustomerKey: key})
			require.NoError(t, err)
			var of []uuid.UUID
			for range 3 {
				f.create(t, portal.CreateRequest{CustomerKey: key})
				f.clock.Advance(time.Second)
				w, err := f.portals.CreateWebview(t.Context(), f.ws, portal.WebviewRequest{CustomerKey: key})
				require.NoError(t, err)
				of = append([]uuid.UUID{w.ID}, of...)
				f.clock.Advance(time.Second)
			}
			want = append(want, of...)
		}
		list := func(q portal.WebviewQuery) (got []uuid.UUID) {
			for {
				page, err := f.portals.Webviews(t.Context(), f.ws, q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), q.Limit)
				for _, w := range page.Items {
					got = append(got, w.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return got
				}
			}
		}
		require.Equal(t, want, list(portal.WebviewQuery{Limit: 2}))
		require.Equal(t, want[3:6], list(portal.WebviewQuery{Limit: 1, CustomerKey: "b"}))
		require.Equal(t, want[6:7], list(portal.WebviewQuery{Limit: 10, Keep: func(w portal.Webview) bool { return w.ID == want[6] }}))
		other, err := f.portals.Webviews(t.Context(), f.ws.DB().Workspace(uuid.UUID{9}), portal.WebviewQuery{})
		require.NoError(t, err)
		require.Empty(t, other.Items)
		_, err = f.portals.Webview(t.Context(), f.ws.DB().Workspace(uuid.UUID{9}), want[0])
		require.ErrorIs(t, err, portal.ErrNotFound)
		_, err = f.portals.Webviews(t.Context(), f.ws, portal.WebviewQuery{Cursor: "x"})
		require.ErrorIs(t, err, data.ErrInvalidCursor)
		_, err = f.portals.Webviews(t.Context(), f.ws, portal.WebviewQuery{Limit: 1001})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestDeleteWebview_OpenSession_IsOverAndAccountStays(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w, s := f.webview(t, portal.WebviewRequest{})
		_, err := s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
		require.NoError(t, err)
		require.NoError(t, f.portals.DeleteWebview(t.Context(), f.ws, w.ID))
		require.ErrorIs(t, f.portals.DeleteWebview(t.Context(), f.ws, w.ID), portal.ErrNotFound)
		_, err = f.portals.Webview(t.Context(), f.ws, w.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
		_, err = s.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})
		require.ErrorIs(t, err, portal.ErrRevoked)
		_, err = f.portals.Resolve(t.Context(), portal.Code(w.URL.Reveal()))
		require.ErrorIs(t, err, portal.ErrRevoked)
		page, err := f.portals.Webviews(t.Context(), f.ws, portal.WebviewQuery{})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		require.Len(t, f.exportDevices(t).Accounts, 1)
	})
}

func TestPurge_ExpiredWebview_IsDeleted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w, _ := f.webview(t, portal.WebviewRequest{})
		f.clock.Advance(access.ConnectPeriod + time.Second)
		report, err := f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.Equal(t, portal.PurgeReport{Portals: 1, Sessions: 1}, report)
		_, err = f.portals.Webview(t.Context(), f.ws, w.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
	})
}

func TestDeleteCustomer_WithWebview_LeavesNoRows(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w, s := f.webview(t, portal.WebviewRequest{})
		_, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
		require.NoError(t, err)
		_, err = f.portals.Webview(t.Context(), f.ws, w.ID)
		require.ErrorIs(t, err, portal.ErrNotFound)
		require.ErrorIs(t, s.FailWebview(context.Background()), portal.ErrDeleted)
		requireEmpty(t, f)
	})
}
