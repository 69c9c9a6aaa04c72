package portal

import (
	"context"
	"time"

	"github.com/customerportal-go/customerportal/internal/lease"
)

// keepExpired is the time for which Run keeps portals and sessions after they are over.
const keepExpired = 30 * 24 * time.Hour

// Run maintains the service and its DB until ctx is done. It calls [data.DB.Run], and once an hour it purges, in all
// workspaces, the portals and sessions that ended more than 30 days ago, as [Service.Purge] does. Several processes may call Run
// for one store; only one of them works at a time.
//
// Run logs errors to the DB's logger and tries again later. It returns the error of ctx.
func (s *Service) Run(ctx context.Context) error {
	maintained := make(chan error, 1)
	go func() { maintained <- s.db.Run(ctx) }()
	err := lease.Work(ctx, s.store, s.db.Logger(), "customerportal/portal", time.Hour, s.purgeAll)
	<-maintained // DB.Run also returns when ctx is done
	return err
}

// purgeAll purges all workspaces of the DB.
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
