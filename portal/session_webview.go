package portal

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// Webview returns the connect webview of the session. It reports false for the session of a portal.
func (v *View) Webview(ctx context.Context) (out Webview, is bool, err error) {
	if err := v.checkOpen(); err != nil || v.loadedPortal.webview == nil {
		return out, false, err
	}
	out, err = v.service.webview(ctx, v.loadedPortal, v.at)
	return out, true, err
}

// IsWebview reports whether the session is that of a connect webview.
func (s *Session) IsWebview() bool { return s.portal.Config.webview }

// FailWebview records that the visitor of a connect webview gave up, or that the provider failed. It has no effect on a webview
// that has connected an account, and on the session of a portal.
func (s *Session) FailWebview(ctx context.Context) error {
	if !s.IsWebview() {
		return nil
	}
	err := portaldata.WithinUnversioned(ctx, s.ws, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		if _, err := s.permittedView(ctx, tx.Snapshot, ActionConnect); err != nil {
			return err
		}
		return s.changeWebview(ctx, tx, func(w *webviewRecord) {
			if w.AccountID == uuid.Nil {
				w.Failed, w.EndedAt = true, s.service.time()
			}
		})
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrDeleted
	}
	return s.writeError(ctx, err)
}

// changeWebview changes the record of the session's connect webview. It does nothing for a portal.
func (s *Session) changeWebview(ctx context.Context, tx data.CustomerTx, change func(*webviewRecord)) error {
	if !s.IsWebview() {
		return nil
	}
	p, err := s.service.loadPortal(ctx, tx.Tx, pointer{s.customer, s.portal.ID})
	if err != nil {
		return err
	}
	if p == nil || p.webview == nil {
		return ErrDeleted
	}
	change(p.webview)
	return tx.Tx.Put(layout.Portal(p.customer, p.id), p.encode())
}
