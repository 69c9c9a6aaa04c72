package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// accepts reports whether the portal shows the accounts of a provider.
func (f ConnectFeature) accepts(provider string) bool {
	return (f.AcceptedProviders == nil || slices.Contains(f.AcceptedProviders, provider)) && !slices.Contains(f.ExcludedProviders, provider)
}

func drop[T any](_ T, err error) error { return err }

// Providers describes the providers with which the portal can connect accounts, in the order of the service.
func (v *View) Providers() ([]device.Info, error) {
	action := ActionReadAccounts
	if v.config.webview {
		action = ActionConnect
	}
	if _, err := v.devices(action); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(v.service.access.Providers(), func(p device.Info) bool { return !v.config.Features.Connect.accepts(p.Key) }), nil
}

// ConnectedAccounts returns the connected accounts of the customer whose providers the configuration accepts, at most
// [access.MaxAccounts].
func (v *View) ConnectedAccounts(ctx context.Context) ([]access.Account, error) {
	scope, err := v.devices(ActionReadAccounts)
	if err != nil {
		return nil, err
	}
	all, err := scope.Accounts(ctx)
	return slices.DeleteFunc(all, func(a access.Account) bool { return !v.config.Features.Connect.accepts(a.Provider) }), err
}

// ConnectedAccount returns a connected account, and a page of at most 100 of its devices, which [Session.DeleteAccount] would
// delete. It returns [access.ErrAccountNotFound].
func (v *View) ConnectedAccount(ctx context.Context, id uuid.UUID) (access.Account, data.Page[access.Device], error) {
	scope, err := v.devices(ActionReadAccounts)
	if err != nil {
		return access.Account{}, data.Page[access.Device]{}, err
	}
	a, err := v.account(ctx, scope, id)
	if err != nil {
		return access.Account{}, data.Page[access.Device]{}, err
	}
	devices, err := scope.Devices(ctx, access.DeviceQuery{AccountID: id, Limit: 100})
	return a, devices, err
}

// account returns an account of a provider that the configuration accepts.
func (v *View) account(ctx context.Context, scope *access.Scope, id uuid.UUID) (access.Account, error) {
	a, err := scope.Account(ctx, id)
	if err == nil && !v.config.Features.Connect.accepts(a.Provider) {
		return access.Account{}, access.ErrAccountNotFound
	}
	return a, err
}

// Connect performs one step of connecting an account, as [access.Scope.Connect] does. The caller keeps the State of the pane for
// the next step; it may be given to the browser. A connect webview becomes authorized in the transaction that stores the account.
//
// If the pane is a redirect and the session is stored, the session also remembers the step, so that [Session.ResumeConnect] can
// perform the next one when the browser comes back.
//
// The step is never one of the operator: Connect ignores Operator.
//
// Connect returns a [validation.Error] for a provider that the configuration does not accept, and the errors of
// [access.Scope.Connect].
func (s *Session) Connect(ctx context.Context, step access.ConnectStep) (pane access.ConnectPane, err error) {
	check := func(ctx context.Context, v *View, scope *access.Scope) error {
		switch {
		case !v.config.Features.Connect.accepts(step.Provider):
			return &validation.Error{Faults: []validation.Finding{{
				Path: "provider", Rule: validation.RuleFormat, Message: "is not one of the providers of this portal",
			}}}
		case step.Reconnect != uuid.Nil:
			if err := v.permit(ActionReadAccounts); err != nil {
				return err
			}
			return drop(v.account(ctx, scope, step.Reconnect))
		case v.loadedPortal.webview != nil && v.loadedPortal.webview.AccountID != uuid.Nil:
			return ErrConnected
		}
		return nil
	}
	if err := s.View(ctx, func(v *View) error {
		scope, err := v.devices(ActionConnect)
		if err != nil {
			return err
		}
		return check(ctx, v, scope)
	}); err != nil {
		return pane, err
	}
	step.Operator = false
	step.Within = func(ctx context.Context, tx data.CustomerTx, a access.Account) error {
		return s.changeWebview(ctx, tx, func(w *webviewRecord) {
			w.AccountID, w.Provider, w.EndedAt, w.Failed = a.ID, a.Provider, s.service.time(), false
		})
	}
	err = s.changeDevices(ctx, ActionConnect, check, func(scope *access.Scope) (err error) {
		pane, err = scope.Connect(ctx, step)
		return err
	})
	if err != nil {
		return access.ConnectPane{}, err
	}
	if pane.Redirect != "" && s.hash != nil {
		pending, err := json.Marshal(pendingConnect{step.Provider, step.Reconnect, step.ReturnURL, pane.State})
		if err == nil {
			err = s.setPending(ctx, pending)
		}
		return pane, err
	}
	return pane, nil
}

// pendingConnect is the connection of an account that waits for the provider's own login. It contains the sealed State.
type pendingConnect struct {
	Provider  string    `json:"provider"`
	Reconnect uuid.UUID `json:"reconnect,omitzero"`
	ReturnURL string    `json:"return,omitempty"`
	State     []byte    `json:"state"`
}

// ResumeConnect performs the step of connecting an account that follows a redirect, for a browser that came back to the ReturnURL
// with answers in its query. It returns [access.ErrConnectExpired] if the session has no such step, and the errors of
// [Session.Connect].
func (s *Session) ResumeConnect(ctx context.Context, answers map[string]device.Secret) (access.ConnectPane, error) {
	var pending pendingConnect
	err := s.View(ctx, func(v *View) error {
		if _, err := v.devices(ActionConnect); err != nil {
			return err
		}
		if len(v.row.connect) == 0 {
			return access.ErrConnectExpired
		}
		if err := json.Unmarshal(v.row.connect, &pending); err != nil {
			return fmt.Errorf("%w: the row of a session: %w", storage.ErrCorrupt, err)
		}
		return nil
	})
	if err != nil {
		return access.ConnectPane{}, err
	}
	pane, err := s.Connect(ctx, access.ConnectStep{
		Provider: pending.Provider, Reconnect: pending.Reconnect, ReturnURL: pending.ReturnURL, State: pending.State, Answers: answers,
	})
	if err == nil && pane.Redirect == "" {
		err = s.setPending(ctx, nil)
	}
	return pane, err
}

// setPending stores the pendingConnect of the session.
func (s *Session) setPending(ctx context.Context, pending []byte) error {
	key := layout.SessionRow(s.customer, s.portal.ID, *s.hash)
	err := portaldata.WithinUnversioned(ctx, s.ws, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, key)
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrSessionUnknown
		}
		row, err := decodeSession(rows[0])
		if err != nil {
			return err
		}
		row.connect = pending
		return tx.Tx.Put(key, row.encode())
	}, key)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// DeleteAccount deletes a connected account with its devices and their mappings. It returns the access codes that are removed from
// the devices later. It returns [access.ErrAccountNotFound].
func (s *Session) DeleteAccount(ctx context.Context, id uuid.UUID) (removed []data.CodeRemoval, err error) {
	err = s.changeDevices(ctx, ActionDeleteAccount, func(ctx context.Context, v *View, scope *access.Scope) error {
		return drop(v.account(ctx, scope, id))
	}, func(scope *access.Scope) (err error) {
		removed, err = scope.DeleteAccount(ctx, id)
		return err
	})
	return removed, err
}

// DeviceSuggestions returns the devices and spaces that are to be mapped, with the mappings that their names suggest.
func (v *View) DeviceSuggestions(ctx context.Context) (access.Suggestions, error) {
	scope, err := v.devices(ActionReadMappings)
	if err != nil {
		return access.Suggestions{}, err
	}
	return scope.Suggestions(ctx)
}

// MappableDevice returns a device with its mappings, for a page that changes them. It returns [access.ErrDeviceNotFound].
func (v *View) MappableDevice(ctx context.Context, id uuid.UUID) (access.Device, error) {
	scope, err := v.devices(ActionReadMappings)
	if err != nil {
		return access.Device{}, err
	}
	return scope.Device(ctx, id)
}

// MapDevices maps devices to spaces, or changes whether they are shared there, as [access.Scope.Map] does.
func (s *Session) MapDevices(ctx context.Context, mappings ...access.DeviceMapping) (removed []data.CodeRemoval, err error) {
	err = s.changeDevices(ctx, ActionMapDevices, nil, func(scope *access.Scope) (err error) {
		removed, err = scope.Map(ctx, mappings...)
		return err
	})
	return removed, err
}

// UnmapDevices ends mappings of devices, as [access.Scope.Unmap] does.
func (s *Session) UnmapDevices(ctx context.Context, mappings ...access.DeviceMapping) (removed []data.CodeRemoval, err error) {
	err = s.changeDevices(ctx, ActionMapDevices, nil, func(scope *access.Scope) (err error) {
		removed, err = scope.Unmap(ctx, mappings...)
		return err
	})
	return removed, err
}
