package portal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// portalState contains the rows that determine the state of a portal.
type portalState struct {
	*record
	uses           uint64
	revoked        []byte // the row that revokes the portal, or nil if it is not revoked
	expiryReported bool   // the expiry is in the change feed
	stay           *stay  // of a guest link; nil for others

	// closesAt is the time at which the portal closes: that of the link or, for a guest link, the end of the stay if that is earlier.
	closesAt time.Time
}

// portalStateRows is the number of rows of a portalState.
const portalStateRows = 4

// rowKeys returns the keys of the rows of a portalState.
func (to pointer) rowKeys() [][]byte { return to.appendRowKeys(make([][]byte, 0, portalStateRows)) }

// appendRowKeys appends the keys of the rows of a portalState, in the order that decodePortalState expects.
func (to pointer) appendRowKeys(keys [][]byte) [][]byte {
	return append(keys, layout.Portal(to.customer, to.portal), layout.Revoked(to.customer, to.portal),
		layout.Uses(to.customer, to.portal), layout.ExpiryReported(to.customer, to.portal))
}

// decodePortalState decodes the rows of a portalState. It returns nil if there is no such portal.
func decodePortalState(to pointer, rows [][]byte) (*portalState, error) {
	if rows[0] == nil {
		return nil, nil
	}
	p := &portalState{revoked: rows[1], expiryReported: rows[3] != nil}
	var err error
	if p.record, err = decodeRecord(to.customer, to.portal, rows[0]); err != nil {
		return nil, err
	}
	p.closesAt = p.expiresAt
	if rows[2] != nil {
		d := layout.NewDecoder(rows[2])
		if p.uses = d.Uvarint(); d.Done() != nil {
			return nil, fmt.Errorf("%w: the uses of portal %s", storage.ErrCorrupt, to.portal)
		}
	}
	return p, nil
}

// loadPortalStates reads the states of several portals of a customer in one call. The result has nil for each portal that does
// not exist. The caller calls followStays.
func loadPortalStates(ctx context.Context, r storage.Reader, customer layout.CustomerID, ids ...uuid.UUID) ([]*portalState, error) {
	keys := make([][]byte, 0, portalStateRows*len(ids))
	for _, id := range ids {
		keys = pointer{customer, id}.appendRowKeys(keys)
	}
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]*portalState, len(ids))
	for i, id := range ids {
		if out[i], err = decodePortalState(pointer{customer, id}, rows[portalStateRows*i:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// loadedPortal is a portal with its workspace, its customer, and additional rows that were read in the same call.
type loadedPortal struct {
	*portalState
	ws    *data.Workspace
	owner data.Customer
	extra [][]byte
}

// loadPortal reads a portal, its customer, and the rows of the keys extra in one call. It returns nil if the portal or its
// customer does not exist.
func (s *Service) loadPortal(ctx context.Context, r storage.Reader, to pointer, extra ...[]byte) (*loadedPortal, error) {
	keys := make([][]byte, 0, portalStateRows+1+len(extra))
	keys = append(append(to.appendRowKeys(keys), layout.CustomerRow(to.customer)), extra...)
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	p, err := decodePortalState(to, rows)
	if err != nil || p == nil {
		return nil, err
	}
	o := &loadedPortal{portalState: p, ws: s.db.Workspace(p.workspace), extra: rows[portalStateRows+1:]}
	o.owner, err = portaldata.StoredCustomer(o.ws.At(r), to.customer, rows[portalStateRows])
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil, nil
	}
	if err == nil {
		err = s.followStays(ctx, o.ws.At(r), o.owner, p)
	}
	return o, err
}

// state returns the current state of a portal.
func (s *Service) state(p *portalState) State {
	switch {
	case p.revoked != nil:
		return StateRevoked
	case !s.now().Before(p.closesAt):
		return StateExpired
	case p.maxUses > 0 && p.uses >= p.maxUses:
		return StateUsedUp
	}
	return StateLive
}

// revokedFinally reports whether a portal is revoked irreversibly. A portal is revoked reversibly while the cancellation of the
// resource of its deep link can be undone.
func (s *Service) revokedFinally(p *portalState) bool {
	return p.revoked != nil && !layout.RevokedReversibly(p.revoked, s.now())
}

// loadOpenPortal is like loadPortal, and returns an error if the portal is not open: ErrDeleted if it does not exist,
// ErrExpired or ErrRevoked. It returns the portal with the latter two. It does not count uses.
func (s *Service) loadOpenPortal(ctx context.Context, r storage.Reader, to pointer, extra ...[]byte) (*loadedPortal, error) {
	p, err := s.loadPortal(ctx, r, to, extra...)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, ErrDeleted
	}
	switch s.state(p.portalState) {
	case StateRevoked:
		return p, ErrRevoked
	case StateExpired:
		return p, ErrExpired
	}
	return p, nil
}

// reportExpiry adds the expiry of a portal to the change feed, unless it was added before.
func (s *Service) reportExpiry(ctx context.Context, p *loadedPortal) error {
	if p.expiryReported {
		return nil
	}
	expiryReported := layout.ExpiryReported(p.customer, p.id)
	record := layout.Portal(p.customer, p.id)
	err := portaldata.WithinUnversioned(ctx, p.ws, p.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, record, expiryReported)
		if err != nil || rows[0] == nil || rows[1] != nil {
			return err
		}
		return errors.Join(tx.Tx.Put(expiryReported, layout.AppendTime(nil, s.time())), p.addChange(ctx, tx, portalActor(p.id), data.PortalExpired))
	}, record, expiryReported, p.feedEnds())
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}

// feedEnds returns the key of the row that is read when a change of the portal is added to the change feed.
func (p *loadedPortal) feedEnds() []byte { return layout.FeedEnds(p.workspace) }

// findPortal reads a portal of a workspace by its id. It returns ErrNotFound if the workspace has no such portal.
func (s *Service) findPortal(ctx context.Context, at *data.Snapshot, portalID uuid.UUID) (*loadedPortal, error) {
	return s.findRecord(ctx, at, portalID, false)
}

// findRecord reads a portal or a connect webview of a workspace by its id. It returns ErrNotFound if the workspace has none.
func (s *Service) findRecord(ctx context.Context, at *data.Snapshot, portalID uuid.UUID, webview bool) (*loadedPortal, error) {
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
	p, err := s.loadPortal(ctx, at.Reader(), pointer{customer, portalID})
	if err == nil && (p == nil || p.workspace != at.WorkspaceID() || (p.webview != nil) != webview) {
		return nil, notFound
	}
	return p, err
}
