package portal

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Revoke closes a portal: its link opens no more, and its sessions end. Revoking
// twice is fine. It returns [ErrNotFound] where the workspace has no such portal.
func (s *Service) Revoke(ctx context.Context, ws *data.Workspace, portalID uuid.UUID) error {
	var p *record
	err := ws.View(ctx, func(snapshot *data.Snapshot) (err error) {
		p, err = find(ctx, snapshot.Reader(), ws.ID(), portalID)
		return err
	})
	if err != nil {
		return err
	}
	err = ws.WithinID(ctx, p.customer, func(_ context.Context, tx data.CustomerTx) error {
		return tx.Tx.Put(layout.Revoked(p.customer, p.id), layout.AppendTime(nil, s.time()))
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, portalID)
	}
	return err
}

// find reads a portal of a workspace by its id.
func find(ctx context.Context, r storage.Reader, workspace, portalID uuid.UUID) (*record, error) {
	notFound := fmt.Errorf("%w: %s", ErrNotFound, portalID)
	rows, err := r.Get(ctx, layout.ID(portalID))
	if err != nil {
		return nil, err
	}
	d := layout.NewDecoder(rows[0])
	customer, kind := d.CustomerID(), d.Byte()
	if rows[0] == nil || kind != layout.ReferrerPortal {
		return nil, notFound
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("%w: the row of a portal's id: %w", storage.ErrCorrupt, err)
	}
	if rows, err = r.Get(ctx, layout.Portal(customer, portalID)); err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, notFound
	}
	p, err := decodeRecord(customer, portalID, rows[0])
	if err == nil && p.workspace != workspace {
		return nil, notFound
	}
	return p, err
}
