package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/google/uuid"
)

// RevokePortals revokes those portals of a customer that choose names, on the state
// that it is given; all of them or none, however many. A customer that is not there
// is [ErrCustomerNotFound]. choose may run more than once. reads are keys that it will
// probably read, as in [Workspace.WithinID].
func (w *Workspace) RevokePortals(ctx context.Context, id CustomerID, choose func(context.Context, *Snapshot) ([]uuid.UUID, error), reads ...[]byte) ([]Revoked, error) {
	reads = append([][]byte{layout.CustomerRecord(id)}, reads...)
	var report []Revoked
	err := w.execute(ctx, func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		c, err := s.customerByID(ctx, id)
		if err != nil {
			return nil, err
		}
		ch := s.plan(c, false)
		if ch.revoked, err = choose(ctx, s); err != nil {
			return nil, err
		}
		if len(ch.revoked) > scale {
			return nil, errTooLong
		}
		report = nil
		for _, portal := range ch.revoked {
			report = append(report, Revoked{CustomerKey: c.key, PortalID: portal})
		}
		return &operation{changes: []*changes{ch}}, nil
	}, reads...)
	if err != nil {
		return nil, err
	}
	return report, nil
}
