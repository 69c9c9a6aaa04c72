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

// standing is a portal as it is stored, and what else says whether it opens.
type standing struct {
	*record
	uses    uint64
	revoked bool
	told    bool // the change feed told that it had expired
}

// stand reads a portal; nil where there is none.
func stand(ctx context.Context, r storage.Reader, to pointer) (*standing, error) {
	rows, err := r.Get(ctx, layout.Portal(to.customer, to.portal), layout.Revoked(to.customer, to.portal),
		layout.Uses(to.customer, to.portal), layout.ExpiryTold(to.customer, to.portal))
	if err != nil || rows[0] == nil {
		return nil, err
	}
	p := &standing{revoked: rows[1] != nil, told: rows[3] != nil}
	if p.record, err = decodeRecord(to.customer, to.portal, rows[0]); err != nil {
		return nil, err
	}
	if rows[2] != nil {
		d := layout.NewDecoder(rows[2])
		if p.uses = d.Uvarint(); d.Done() != nil {
			return nil, fmt.Errorf("%w: the uses of portal %s", storage.ErrCorrupt, to.portal)
		}
	}
	return p, nil
}

// state is what a portal is at the moment.
func (s *Service) state(p *standing) State {
	switch {
	case p.revoked:
		return StateRevoked
	case !s.now().Before(p.expiresAt):
		return StateExpired
	case p.maxUses > 0 && p.uses >= p.maxUses:
		return StateUsedUp
	}
	return StateLive
}

// live reads a portal, and returns ErrExpired, ErrRevoked or ErrDeleted if it opens
// nothing anymore. It returns the portal along with ErrExpired and ErrRevoked.
func (s *Service) live(ctx context.Context, r storage.Reader, to pointer) (*standing, *data.Workspace, data.Customer, error) {
	p, err := stand(ctx, r, to)
	if err != nil {
		return nil, nil, data.Customer{}, err
	}
	if p == nil {
		return nil, nil, data.Customer{}, ErrDeleted
	}
	ws := s.workspace(p.workspace)
	c, err := ws.At(r).CustomerByID(ctx, to.customer)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil, nil, c, ErrDeleted
	}
	if err != nil {
		return nil, nil, c, err
	}
	switch s.state(p) {
	case StateRevoked:
		return p, ws, c, ErrRevoked
	case StateExpired:
		return p, ws, c, ErrExpired
	}
	return p, ws, c, nil
}

// tellExpiry adds to the change feed, once, that a portal was used after its time.
func (s *Service) tellExpiry(ctx context.Context, p *standing, ws *data.Workspace) error {
	if p.told {
		return nil
	}
	err := ws.BesideID(ctx, p.customer, func(ctx context.Context, tx data.CustomerTx) error {
		now, err := stand(ctx, tx.Tx, pointer{p.customer, p.id})
		if err != nil || now == nil || now.told {
			return err
		}
		at := layout.AppendTime(nil, s.time())
		return errors.Join(tx.Tx.Put(layout.ExpiryTold(p.customer, p.id), at), tx.Tell(ctx, data.PortalExpired, p.id))
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}

// find reads a portal of a workspace by its id.
func find(ctx context.Context, at *data.Snapshot, workspace, portalID uuid.UUID) (*standing, error) {
	notFound := fmt.Errorf("%w: %s", ErrNotFound, portalID)
	rows, err := at.Reader().Get(ctx, layout.ID(portalID))
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
	if _, err := at.CustomerByID(ctx, customer); errors.Is(err, data.ErrCustomerNotFound) {
		return nil, notFound // the customer is deleted, or of another workspace
	} else if err != nil {
		return nil, err
	}
	p, err := stand(ctx, at.Reader(), pointer{customer, portalID})
	if err == nil && (p == nil || p.workspace != workspace) {
		return nil, notFound
	}
	return p, err
}
