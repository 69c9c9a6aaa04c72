package data

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
)

// PlanOnSnapshots makes the DB of the workspace plan each push, sync and delete on a snapshot, as it does for large
// operations.
func (w *Workspace) PlanOnSnapshots() *Workspace {
	w.db.shortPlan = 0
	return w
}

// SweepPart calls sweep with a limited number of Updates, each of which removes a few rows.
func SweepPart(ctx context.Context, store storage.Store, updates int) error {
	_, err := Open(store, Options{}).sweep(ctx, 8, updates)
	return err
}
