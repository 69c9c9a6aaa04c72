package data

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// revokePortals implements portaldata.Revoke.
func (w *Workspace) revokePortals(ctx context.Context, id layout.CustomerID, actor Actor, choose func(context.Context, *Snapshot) ([]uuid.UUID, error), reads ...[]byte) ([]Revoked, error) {
	reads = append([][]byte{layout.CustomerRow(id)}, reads...)
	var report []Revoked
	err := w.execute(ctx, actor, func(ctx context.Context, s *Snapshot, scale int) (*operation, error) {
		c, err := s.customerByID(ctx, id)
		if err != nil {
			return nil, err
		}
		ch := s.newChanges(c, false)
		if ch.revoked, err = choose(ctx, s); err != nil {
			return nil, err
		}
		if len(ch.revoked) > scale {
			return nil, errPlanTooLarge
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
