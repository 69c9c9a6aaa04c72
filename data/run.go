package data

import (
	"context"
	"time"

	"github.com/customerportal-go/customerportal/internal/lease"
)

// Run maintains the store until ctx is done. It starts at once and repeats every minute: it removes the rows of deleted
// customers, as [DB.Sweep] does, and drops changes that are older than Options.FeedRetention from the feeds. It keeps
// changes that have not been read by a [Consumer] that was active within the last 30 days. Every hour it removes the
// cancellations that were made in portals more than a year ago. Several processes may run it on one store; only one of them
// works at a time.
//
// Run logs errors and tries again. It returns the error of ctx.
func (db *DB) Run(ctx context.Context) error {
	var lastRemoval time.Time // of old cancellations
	return lease.Work(ctx, db.store, db.log, "customerportal/data", time.Minute, func(ctx context.Context) error {
		if _, err := db.Sweep(ctx); err != nil {
			return err
		}
		if now := db.now(); now.Sub(lastRemoval) >= time.Hour {
			if err := db.removeOldCancellations(ctx, now.Add(-cancellationRetention)); err != nil {
				return err
			}
			lastRemoval = now
		}
		if db.feedRetention < 0 {
			return nil
		}
		return db.trim(ctx, db.now().Add(-db.feedRetention), true)
	})
}
