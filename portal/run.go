package portal

import (
	"context"
	"time"

	"github.com/customerportal-go/customerportal/internal/lease"
)

// keepExpired is how long Run keeps portals and sessions after they are over.
const keepExpired = 30 * 24 * time.Hour

// Run does the maintenance of the service and of its DB until ctx is done: that of
// [data.DB.Run], and every hour it purges portals and sessions that were over 30 days ago, as
// Purge does. Several processes may run it on one store; one at a time works.
//
// Run reports errors to the DB's logger and tries again. It returns ctx's error.
func (s *Service) Run(ctx context.Context) error {
	maintained := make(chan error, 1)
	go func() { maintained <- s.db.Run(ctx) }()
	err := lease.Work(ctx, s.store, s.db.Logger(), "customerportal/portal", time.Hour, s.purgeAll)
	<-maintained // it ends with ctx, as Work does
	return err
}

// purgeAll purges every workspace.
func (s *Service) purgeAll(ctx context.Context) error {
	workspaces, err := s.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	before := s.now().Add(-keepExpired)
	for _, id := range workspaces {
		if _, err := s.Purge(ctx, s.db.Workspace(id), before); err != nil {
			return err
		}
	}
	return nil
}
