package portal

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// Revoke revokes a portal: its link does not open any more, and its sessions are over. Revoking a portal again has no effect.
// Revoke returns [ErrNotFound] if the workspace has no such portal.
func (s *Service) Revoke(ctx context.Context, ws *data.Workspace, portalID uuid.UUID) error {
	if err := s.checkWorkspace(ws); err != nil {
		return err
	}
	var p *loadedPortal
	err := ws.View(ctx, func(at *data.Snapshot) (err error) {
		p, err = s.findPortal(ctx, at, portalID)
		return err
	})
	if err != nil {
		return err
	}
	_, err = portaldata.Revoke(ctx, ws, p.customer, data.Actor{}, func(ctx context.Context, at *data.Snapshot) ([]uuid.UUID, error) {
		p, err := s.findPortal(ctx, at, portalID)
		if err != nil || s.revokedFinally(p.portalState) {
			return nil, err
		}
		return []uuid.UUID{portalID}, nil
	}, append(pointer{p.customer, portalID}.rowKeys(), layout.IDIndex(portalID), p.feedEnds())...)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, portalID)
	}
	return err
}

// readAtOnce is the number of portals that RevokeAll reads in one call.
const readAtOnce = 1024

// RevokeAll revokes all portals of a customer that are neither expired nor revoked, in one transaction. It returns the number of
// portals that it revoked, or [data.ErrCustomerNotFound] if there is no such customer.
func (s *Service) RevokeAll(ctx context.Context, ws *data.Workspace, customerKey string) (int, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return 0, err
	}
	c, err := ws.Customer(ctx, customerKey)
	if err != nil {
		return 0, err
	}
	revoked, err := portaldata.Revoke(ctx, ws, portaldata.CustomerID(c), data.Actor{}, func(ctx context.Context, at *data.Snapshot) ([]uuid.UUID, error) {
		var ids, found []uuid.UUID
		choose := func() error {
			portals, err := loadPortalStates(ctx, at.Reader(), portaldata.CustomerID(c), found...)
			if err == nil {
				err = s.followStays(ctx, at, c, portals...)
			}
			if err != nil {
				return err
			}
			for _, p := range portals {
				if state := s.state(p); state == StateLive || state == StateUsedUp || state == StateRevoked && !s.revokedFinally(p) {
					ids = append(ids, p.id)
				}
			}
			found = found[:0]
			return nil
		}
		prefix := layout.PortalsPrefix(portaldata.CustomerID(c))
		for e, err := range at.Reader().Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return nil, err
			}
			k, err := layout.ParseAs(layout.ShapePortal, e.Key)
			if err != nil {
				return nil, err
			}
			if found = append(found, k.ID); len(found) == readAtOnce {
				if err := choose(); err != nil {
					return nil, err
				}
			}
		}
		err := choose()
		return ids, err
	}, layout.FeedEnds(ws.ID()))
	return len(revoked), err
}
