package data

import (
	"context"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// TrimChanges deletes the changes that are older than a time from the feed, and returns their number. It works in Updates of
// at most 5,000 rows. If it fails, the changes that it has deleted so far remain deleted. TrimChanges does not wait for a
// [Consumer]: a Consumer that has not read a deleted change gets [ErrTrimmed].
//
// TrimChanges deletes from the start of the feed, up to the first change that is not older.
func (w *Workspace) TrimChanges(ctx context.Context, before time.Time) (dropped int, err error) {
	return w.trim(ctx, before, false)
}

// trim implements TrimChanges. If keepUnread is set, it keeps the changes that a Consumer still needs.
func (w *Workspace) trim(ctx context.Context, before time.Time, keepUnread bool) (dropped int, err error) {
	if err := storage.CheckNested(ctx, w.db.store); err != nil {
		return 0, err
	}
	for {
		var plan feedTrim
		err := w.View(ctx, func(s *Snapshot) (err error) {
			plan, err = s.planTrim(ctx, before, keepUnread)
			return err
		})
		if err != nil || plan.first == plan.next {
			return dropped, err
		}
		valid := false
		err = storage.Run(ctx, w.db.store, func(tx storage.Tx) (err error) {
			valid, err = plan.execute(ctx, w.At(tx), tx)
			return err
		}, layout.FeedEnds(w.id))
		if err != nil {
			return dropped, err
		}
		if valid {
			dropped += plan.changes
		}
	}
}

// feedTrim is a plan to delete the rows of a feed from first up to, but not including, next.
type feedTrim struct {
	first, next uint64
	last        commitID // of the row before next
	indexes     [][]byte // keys of the rows in the customers' indexes
	changes     int      // number of changes in the deleted rows
	keepUnread  bool
}

// planTrim returns a plan to delete the rows that are older than a time, at most as many as one Update may delete.
func (s *Snapshot) planTrim(ctx context.Context, before time.Time, keepUnread bool) (feedTrim, error) {
	ends, err := s.feedEnds(ctx)
	if err != nil {
		return feedTrim{}, err
	}
	plan := feedTrim{first: ends.first, next: ends.first, keepUnread: keepUnread}
	limit, err := plan.limit(ctx, s, ends)
	if err != nil {
		return feedTrim{}, err
	}
	r := storage.Range{Start: layout.FeedBatch(s.w.id, ends.first), End: layout.FeedBatch(s.w.id, limit)}
	for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return feedTrim{}, err
		}
		b, err := decodeFeedRow(e)
		if err != nil {
			return feedTrim{}, err
		}
		if !b.at.Before(before) || 2*len(plan.indexes) >= maintenanceRows {
			break
		}
		plan.next, plan.last = b.position+1, b.commit
		plan.indexes = append(plan.indexes, layout.CustomerFeed(b.customer, b.position))
		plan.changes += len(b.events)
	}
	return plan, nil
}

// limit returns the position before which the plan may delete rows.
func (p *feedTrim) limit(ctx context.Context, s *Snapshot, ends feedEnds) (uint64, error) {
	if !p.keepUnread {
		return ends.next, nil
	}
	needed, err := s.neededByConsumers(ctx)
	return max(ends.first, min(ends.next, needed)), err
}

// execute deletes the rows. It returns false if the plan is no longer valid.
func (p *feedTrim) execute(ctx context.Context, s *Snapshot, tx storage.Tx) (valid bool, err error) {
	ends, err := s.feedEnds(ctx)
	if err != nil || ends.first != p.first {
		return false, err // another process has deleted them
	}
	if limit, err := p.limit(ctx, s, ends); err != nil || p.next > limit {
		return false, err
	}
	r := storage.Range{Start: layout.FeedBatch(s.w.id, p.first), End: layout.FeedBatch(s.w.id, p.next)}
	if err := tx.DeleteRange(ctx, r); err != nil {
		return false, err
	}
	if err := tx.Delete(p.indexes...); err != nil {
		return false, err
	}
	ends.first, ends.trimmed = p.next, p.last
	return true, tx.Put(layout.FeedEnds(s.w.id), ends.encode())
}
