package data

import (
	"context"
	"time"

	"github.com/customerportal-go/customerportal/internal/lease"
)

// Run maintains the store until ctx is done: at once and every minute it removes the rows of
// deleted customers, as [DB.Sweep] does, and drops changes of the feeds that are older than
// Options.FeedRetention, except those after the stored place of a [Consumer] that has read
// within 30 days. Every hour it forgets cancellations in portals that are older than a year.
// Several processes may run it on one store; one at a time works.
//
// Run reports errors to the logger and tries again. It returns ctx's error.
func (db *DB) Run(ctx context.Context) error {
	var forgotten time.Time // when cancellations were last looked at
	return lease.Work(ctx, db.store, db.log, "customerportal/data", time.Minute, func(ctx context.Context) error {
		if _, err := db.Sweep(ctx); err != nil {
			return err
		}
		if now := db.now(); now.Sub(forgotten) >= time.Hour {
			if err := db.removeOldCancellations(ctx, now.Add(-cancellationRetention)); err != nil {
				return err
			}
			forgotten = now
		}
		if db.feedRetention < 0 {
			return nil
		}
		return db.trim(ctx, db.now().Add(-db.feedRetention), true)
	})
}
