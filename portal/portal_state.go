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

// standing is the record of a portal with the other rows that decide whether it opens.
type standing struct {
	*record
	uses    uint64
	revoked []byte // the row that revokes it; nil if it is not revoked
	told    bool   // the change feed told that it had expired
}

// standingRows is the number of rows of a standing.
const standingRows = 4

// rows returns the keys of the rows of a standing.
func (to pointer) rows() [][]byte { return to.appendRows(make([][]byte, 0, standingRows)) }

// appendRows appends the keys of the rows of a standing, in the order that decodeStanding
// expects.
func (to pointer) appendRows(keys [][]byte) [][]byte {
	return append(keys, layout.Portal(to.customer, to.portal), layout.Revoked(to.customer, to.portal),
		layout.Uses(to.customer, to.portal), layout.ExpiryReported(to.customer, to.portal))
}

// decodeStanding decodes the rows of a standing. It returns nil if there is no such portal.
func decodeStanding(to pointer, rows [][]byte) (*standing, error) {
	if rows[0] == nil {
		return nil, nil
	}
	p := &standing{revoked: rows[1], told: rows[3] != nil}
	var err error
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

// stand reads portals of a customer in one call, nil for each that does not exist.
func stand(ctx context.Context, r storage.Reader, customer layout.CustomerID, ids ...uuid.UUID) ([]*standing, error) {
	keys := make([][]byte, 0, standingRows*len(ids))
	for _, id := range ids {
		keys = pointer{customer, id}.appendRows(keys)
	}
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]*standing, len(ids))
	for i, id := range ids {
		if out[i], err = decodeStanding(pointer{customer, id}, rows[standingRows*i:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// opened is a portal with its workspace, its customer, and the rows that were read along
// with it.
type opened struct {
	*standing
	ws    *data.Workspace
	owner data.Customer
	along [][]byte
}

// open reads a portal, its customer, and the rows of the keys along, in one call. It returns
// nil if the portal or its customer does not exist.
func (s *Service) open(ctx context.Context, r storage.Reader, to pointer, along ...[]byte) (*opened, error) {
	keys := make([][]byte, 0, standingRows+1+len(along))
	keys = append(append(to.appendRows(keys), layout.CustomerRow(to.customer)), along...)
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	p, err := decodeStanding(to, rows)
	if err != nil || p == nil {
		return nil, err
	}
	o := &opened{standing: p, ws: s.db.Workspace(p.workspace), along: rows[standingRows+1:]}
	o.owner, err = portaldata.StoredCustomer(o.ws.At(r), to.customer, rows[standingRows])
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil, nil
	}
	return o, err
}

// state returns the state of a portal at the moment.
func (s *Service) state(p *standing) State {
	switch {
	case p.revoked != nil:
		return StateRevoked
	case !s.now().Before(p.expiresAt):
		return StateExpired
	case p.maxUses > 0 && p.uses >= p.maxUses:
		return StateUsedUp
	}
	return StateLive
}

// revokedFinally reports whether a portal is revoked for good: not because the resource that it
// is a deep link to was cancelled a short time ago, which can still be undone.
func (s *Service) revokedFinally(p *standing) bool {
	return p.revoked != nil && !layout.RevokedReversibly(p.revoked, s.now())
}

// live is open for a caller that needs the portal to open something. It returns ErrDeleted
// if the portal does not exist; with ErrExpired and ErrRevoked it returns the portal too.
func (s *Service) live(ctx context.Context, r storage.Reader, to pointer, along ...[]byte) (*opened, error) {
	p, err := s.open(ctx, r, to, along...)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, ErrDeleted
	}
	switch s.state(p.standing) {
	case StateRevoked:
		return p, ErrRevoked
	case StateExpired:
		return p, ErrExpired
	}
	return p, nil
}

// tellExpiry adds to the change feed, once, that a portal was used after its time.
func (s *Service) tellExpiry(ctx context.Context, p *opened) error {
	if p.told {
		return nil
	}
	told := layout.ExpiryReported(p.customer, p.id)
	record := layout.Portal(p.customer, p.id)
	err := portaldata.WithinUnversioned(ctx, p.ws, p.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, record, told)
		if err != nil || rows[0] == nil || rows[1] != nil {
			return err
		}
		return errors.Join(tx.Tx.Put(told, layout.AppendTime(nil, s.time())), portaldata.AddChange(ctx, tx, portalActor(p.id), data.PortalExpired, p.id))
	}, record, told, p.feedEnds())
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}

// feedEnds returns the key of the row that is read when a change of the portal is added to
// the feed.
func (p *opened) feedEnds() []byte { return layout.FeedEnds(p.workspace) }

// find reads a portal of a workspace by its id. It returns [ErrNotFound] if the workspace
// has no such portal.
func (s *Service) find(ctx context.Context, at *data.Snapshot, portalID uuid.UUID) (*opened, error) {
	notFound := fmt.Errorf("%w: %s", ErrNotFound, portalID)
	rows, err := at.Reader().Get(ctx, layout.IDIndex(portalID))
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
	p, err := s.open(ctx, at.Reader(), pointer{customer, portalID})
	if err == nil && (p == nil || p.workspace != at.WorkspaceID()) {
		return nil, notFound
	}
	return p, err
}
