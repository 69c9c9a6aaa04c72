package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// ErrConnected is returned for a connect webview that has connected an account. It can connect no other account.
var ErrConnected = errors.New("portal: the connect webview has connected an account: create another one")

// WebviewRequest describes a connect webview to create.
type WebviewRequest struct {
	CustomerKey string `json:"-"` // of an existing customer; required

	AcceptedProviders []string `json:"accepted,omitempty"` // at most 100 keys of providers; nil means all
	ExcludedProviders []string `json:"excluded,omitempty"` // at most 100 keys; must not contain one of AcceptedProviders

	// AcceptedCapabilities restricts the providers to those whose devices can have one of these: "lock", "thermostat" and
	// "noise_sensor". No provider has another one. Empty means all.
	AcceptedCapabilities []string `json:"capabilities,omitempty"`

	// RedirectURL and FailureURL are absolute https URLs of at most 2048 bytes, or empty. The page sends the browser to RedirectURL
	// when the account is connected, and to FailureURL, or else RedirectURL, when the visitor gives up or the provider fails. It
	// adds connect_webview_id and, for a connected account, connected_account_id to the query.
	RedirectURL string `json:"redirect,omitempty"`
	FailureURL  string `json:"failure,omitempty"`

	CustomMetadata data.CustomMetadata `json:"metadata,omitempty"` // at most 50 keys, as in [data.CustomMetadata]

	// AutomaticallyManageNewDevices is stored, and has no effect: all devices of an account are managed.
	AutomaticallyManageNewDevices bool `json:"manage,omitempty"`

	// WaitForDeviceCreation delays the status WebviewAuthorized until the devices of the account have been read.
	WaitForDeviceCreation bool `json:"wait,omitempty"`
}

// Webview is a connect webview: a page of its own on which a customer connects one account. It has a link of its own, which is
// valid for [access.ConnectPeriod] and opens nothing else. It is deleted with its customer, and purged like a portal.
type Webview struct {
	WebviewRequest
	ID, WorkspaceID      uuid.UUID
	CreatedAt, ExpiresAt time.Time
	URL                  Secret

	Status       WebviewStatus
	Provider     string    // the key of the provider that the visitor chose, or empty
	AccountID    uuid.UUID // of the connected account, or the zero id
	AuthorizedAt time.Time // or zero
}

// WebviewStatus is the status of a connect webview.
type WebviewStatus string

// The statuses. A webview that failed can still become authorized until it expires.
const (
	WebviewPending    WebviewStatus = "pending"
	WebviewAuthorized WebviewStatus = "authorized"
	WebviewFailed     WebviewStatus = "failed" // the visitor gave up, the provider failed, or the webview has expired
)

// webviewRecord is the part of a record that only a connect webview has.
type webviewRecord struct {
	WebviewRequest
	Provider  string    `json:"provider,omitempty"`
	AccountID uuid.UUID `json:"account,omitzero"`
	EndedAt   time.Time `json:"ended,omitzero"`
	Failed    bool      `json:"failed,omitempty"`
}

func (w *webviewRecord) encode() []byte {
	if w == nil {
		return nil
	}
	b, err := json.Marshal(w)
	if err != nil {
		panic(fmt.Sprintf("portal: encoding a connect webview: %v", err)) // check has accepted the metadata
	}
	return b
}

func decodeWebview(b []byte) (*webviewRecord, error) {
	if len(b) == 0 {
		return nil, nil
	}
	w := &webviewRecord{}
	return w, json.Unmarshal(b, w)
}

// check returns the faults of the fields that a Config does not have.
func (r WebviewRequest) check(notes *jsonobject.Notes) {
	for name, text := range map[string]string{"custom_redirect_url": r.RedirectURL, "custom_redirect_failure_url": r.FailureURL} {
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err != nil || !webURL(u) || u.Scheme != "https" || len(text) > maxURLBytes {
			notes.Fault(name, validation.RuleFormat, "must be an absolute https URL without a user, of at most %d bytes", maxURLBytes)
		}
	}
	if len(r.CustomMetadata) > maxMetadata {
		notes.Fault("custom_metadata", validation.RuleTooMany, "has at most %d keys", maxMetadata)
		return
	}
	for key, value := range r.CustomMetadata {
		path := "custom_metadata." + key
		if n := utf8.RuneCountInString(key); n == 0 || n > maxFilterField || strings.Contains(key, ".") {
			notes.Fault(path, validation.RuleKeyFormat, `must have 1 to %d characters, and no "."`, maxFilterField)
		}
		switch v := value.(type) {
		case bool:
		case string:
			if utf8.RuneCountInString(v) > maxFilterText {
				notes.Fault(path, validation.RuleRange, "has at most %d characters", maxFilterText)
			}
			checkText(notes, path, v, 4*maxFilterText)
		default:
			notes.Fault(path, validation.RuleType, "must be a string or a boolean")
		}
	}
}

const maxMetadata = 50

// CreateWebview creates a connect webview of a customer. It returns [data.ErrCustomerNotFound], and a [validation.Error] for an
// invalid request. It returns an error that matches [ErrRefused] if the service has no devices.
func (s *Service) CreateWebview(ctx context.Context, ws *data.Workspace, req WebviewRequest) (Webview, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return Webview{}, err
	}
	if s.access == nil {
		return Webview{}, &RefusedError{ActionConnect, refusedFeature}
	}
	config := Config{Features: Features{Connect: ConnectFeature{AcceptedProviders: req.AcceptedProviders, ExcludedProviders: req.ExcludedProviders}}}
	if len(req.AcceptedCapabilities) > 0 {
		config.Features.Connect.AcceptedProviders = s.capableProviders(req)
	}
	create := CreateRequest{CustomerKey: req.CustomerKey, TTL: access.ConnectPeriod, Config: config, webview: &webviewRecord{WebviewRequest: req}}
	given := config
	given.Features.Connect.AcceptedProviders = req.AcceptedProviders
	notes := given.check()
	for i := range notes.Faults {
		notes.Faults[i].Path = strings.TrimPrefix(notes.Faults[i].Path, "features.connect.")
	}
	if req.CustomerKey == "" {
		notes.Fault("customer_key", validation.RuleRequired, "is required")
	}
	req.check(&notes)
	stored, err := encodeConfig(config, &notes)
	if err != nil {
		return Webview{}, err
	}
	if err := invalid(notes); err != nil {
		return Webview{}, err
	}
	ids, err := s.newIDs()
	if err != nil {
		return Webview{}, err
	}
	var out Webview
	err = ws.Within(ctx, req.CustomerKey, func(ctx context.Context, tx data.CustomerTx) error {
		if _, err := s.insert(ctx, ws, tx, create, stored, ids); err != nil {
			return err
		}
		p, err := s.findRecord(ctx, ws.At(tx.Tx), ids.portal, true)
		if err != nil {
			return err
		}
		out, err = s.webview(ctx, p, ws.At(tx.Tx))
		return err
	}, ids.rowKeys()...)
	return out, err
}

// capabilityGroups contains the capabilities of devices by the names in AcceptedCapabilities. The other names have none.
var capabilityGroups = map[string][]device.Capability{
	"lock":         {device.CanLock, device.CanUnlock, device.CanProgram},
	"thermostat":   {device.CanSetClimate},
	"noise_sensor": {device.ReportsNoise},
}

// capableProviders returns the keys of the accepted providers whose devices can have one of the accepted capabilities.
func (s *Service) capableProviders(req WebviewRequest) []string {
	accepted := ConnectFeature{AcceptedProviders: req.AcceptedProviders}
	keys := []string{}
	for _, p := range s.access.Providers() {
		can := device.Device{Capabilities: p.Capabilities}.Can
		capable := slices.ContainsFunc(req.AcceptedCapabilities, func(name string) bool { return slices.ContainsFunc(capabilityGroups[name], can) })
		if capable && accepted.accepts(p.Key) && !slices.Contains(req.ExcludedProviders, p.Key) {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

// Webview returns a connect webview of a workspace. It returns [ErrNotFound] if the workspace has no such webview.
func (s *Service) Webview(ctx context.Context, ws *data.Workspace, id uuid.UUID) (out Webview, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		p, err := s.findWebview(ctx, at, id)
		if err != nil {
			return err
		}
		out, err = s.webview(ctx, p, at)
		return err
	})
	return out, err
}

// findWebview reads a connect webview that was not deleted.
func (s *Service) findWebview(ctx context.Context, at *data.Snapshot, id uuid.UUID) (*loadedPortal, error) {
	p, err := s.findRecord(ctx, at, id, true)
	if err == nil && p.revoked != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return p, err
}

// webview returns the connect webview of a record.
func (s *Service) webview(ctx context.Context, p *loadedPortal, at *data.Snapshot) (Webview, error) {
	w := p.webview
	out := Webview{
		WebviewRequest: w.WebviewRequest, ID: p.id, WorkspaceID: p.workspace, CreatedAt: p.createdAt, ExpiresAt: p.expiresAt,
		Provider: w.Provider, Status: WebviewPending,
	}
	out.CustomerKey = p.owner.Key
	expires, err := linkExpiry(p.expiresAt)
	if err != nil {
		return out, err
	}
	out.URL = s.url(p.record, expires)
	switch {
	case w.AccountID != uuid.Nil:
		out.AccountID = w.AccountID
		synced, err := s.hasDevices(ctx, p, at)
		if err != nil {
			return out, err
		}
		if synced {
			out.Status, out.AuthorizedAt = WebviewAuthorized, w.EndedAt
		}
	case w.Failed || s.state(p.portalState) == StateExpired:
		out.Status = WebviewFailed
	}
	return out, nil
}

// hasDevices reports whether the devices of the webview's account have been read, if it waits for them. It is true for an account
// that was deleted.
func (s *Service) hasDevices(ctx context.Context, p *loadedPortal, at *data.Snapshot) (bool, error) {
	if !p.webview.WaitForDeviceCreation || s.access == nil {
		return true, nil
	}
	a, err := s.access.Workspace(p.workspace).Customer(p.owner.Key).At(at).Account(ctx, p.webview.AccountID)
	if errors.Is(err, access.ErrAccountNotFound) {
		return true, nil
	}
	return !a.FirstSyncAt.IsZero(), err
}

// DeleteWebview deletes a connect webview. Its link does not open any more, and its sessions are over. An account that it has
// connected stays. DeleteWebview returns [ErrNotFound] if the workspace has no such webview.
func (s *Service) DeleteWebview(ctx context.Context, ws *data.Workspace, id uuid.UUID) error {
	if err := s.checkWorkspace(ws); err != nil {
		return err
	}
	var p *loadedPortal
	if err := ws.View(ctx, func(at *data.Snapshot) (err error) {
		p, err = s.findWebview(ctx, at, id)
		return err
	}); err != nil {
		return err
	}
	err := portaldata.WithinUnversioned(ctx, ws, p.customer, func(ctx context.Context, tx data.CustomerTx) error {
		if _, err := s.findWebview(ctx, tx.Snapshot, id); err != nil {
			return err
		}
		return tx.Tx.Put(layout.Revoked(p.customer, id), []byte{}) // Purge deletes the rows, after those of the sessions
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return err
}
