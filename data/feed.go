package data

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// FeedChange is an entry of the change feed. It is a change that a push, a sync, an import or a delete made to one resource,
// a change of a customer's own name or time zone, a change of a customer's portal, or an event of one of its devices.
//
// A change of a customer's own fields has the Kind KindCustomer, the customer's key, and no ID. The Change is Created if the
// customer was created with a name or a time zone, and Updated if one of the two changed.
type FeedChange struct {
	// Change is Created, Updated or Deleted. For a portal it can also be PortalOpened, PortalExpired or PortalRevoked. For a device
	// it is the type of the event, such as "lock.unlocked", which package access defines.
	Change      Change    `json:"change"`
	CustomerKey string    `json:"customer_key"`
	Class       Class     `json:"class"` // ClassCustomerPortal for a portal
	Kind        Kind      `json:"kind"`  // KindCustomerPortal for a portal, KindDevice for a device
	Key         string    `json:"key"`   // empty for a portal or a device
	ID          uuid.UUID `json:"id"`    // the resource id of a resource, or the id of a portal or a device; zero for a customer
	At          time.Time `json:"at"`    // time of the operation; the same for all its changes
	Actor       Actor     `json:"actor"` // the actor that made the change

	// ChangedFields are the names of the fields whose values changed, as in the API, such as "name" or
	// "customer_data.address". It is empty unless a resource or customer was Updated.
	ChangedFields []string `json:"changed_fields,omitempty"`

	Device *DeviceEvent `json:"device,omitempty"` // the details of an event of a device; nil for other changes

	// Cursor is the position after this change. Changes(ctx, Cursor) continues with the next change.
	Cursor Cursor `json:"cursor"`
}

// Changes of portals in the change feed, in addition to Created, Updated and Deleted.
const (
	PortalOpened  Change = "opened"  // a link started a session
	PortalExpired Change = "expired" // a portal was used after its expiry; reported once
	PortalRevoked Change = "revoked"
)

// feedPage is the number of rows of the feed that one snapshot reads.
const feedPage = 256

// Changes yields the changes of the feed after a Cursor, up to the current end of the feed. The feed contains the changes of
// every committed push, sync, import and delete, the changes of portals, and the events of devices that package access reports. A change becomes visible together with the effect
// of its operation. Changes are in the order of the commits, and those of one operation are adjacent.
//
// Changes yields [ErrTrimmed] if changes after the cursor were trimmed, and [ErrEpoch] if the store does not have the changes
// before the cursor. In both cases the caller must read the data that it needs in a [Snapshot], and continue after
// [Snapshot.Cursor]. Changes does not hold a snapshot while the caller handles a change.
func (w *Workspace) Changes(ctx context.Context, after Cursor) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		for more := true; more; {
			var page []*feedBatch
			err := w.View(ctx, func(s *Snapshot) (err error) {
				page, more, err = s.readFeed(ctx, after)
				return err
			})
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			for c := range changesOf(page, after) {
				if !yield(c, nil) {
					return
				}
				after = c.Cursor
			}
		}
	}
}

// changesOf yields the changes of the rows that readFeed returned for a cursor.
func changesOf(page []*feedBatch, after Cursor) iter.Seq[FeedChange] {
	return func(yield func(FeedChange) bool) {
		for _, b := range page {
			for i, e := range b.events {
				c := e.feedChange(b)
				c.Cursor = Cursor{position: b.position, commit: b.commit, read: i + 1}
				if i+1 == len(b.events) {
					c.Cursor.read = 0
				}
				unread := b.position > after.position || i >= after.read
				if unread && !yield(c) {
					return
				}
			}
		}
	}
}

// readFeed returns the next rows after a cursor, at most feedPage of them, and reports whether there may be more. If the
// cursor is inside of a row, that row is the first one.
func (s *Snapshot) readFeed(ctx context.Context, after Cursor) (page []*feedBatch, more bool, err error) {
	// The scan begins at the last row that was read, to verify that the row has not changed.
	r := storage.Prefix(layout.FeedPrefix(s.w.id))
	r.Start = layout.FeedBatch(s.w.id, after.position)
	page = make([]*feedBatch, 0, feedPage+1)
	for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{Limit: feedPage + 1}) {
		if err != nil {
			return nil, false, err
		}
		b, err := decodeFeedRow(e)
		if err != nil {
			return nil, false, err
		}
		if n := len(page); n > 0 && b.position != page[n-1].position+1 {
			return nil, false, fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, page[n-1].position+1)
		}
		page = append(page, b)
	}
	more = len(page) > feedPage
	switch {
	case after == Cursor{}:
	case len(page) == 0 || page[0].position != after.position:
		if err := s.checkTrimmed(ctx, after, page); err != nil {
			return nil, false, err
		}
	case page[0].commit != after.commit:
		return nil, false, ErrEpoch
	case after.read == 0:
		page = page[1:]
	case after.read >= len(page[0].events):
		return nil, false, fmt.Errorf("%w: the position is past the end of a row of the change feed", ErrInvalidCursor)
	}
	return page, more, nil
}

// decodeFeedRow decodes a row of a scan of the feed.
func decodeFeedRow(e storage.Entry) (*feedBatch, error) {
	k, err := layout.ParseAs(layout.ShapeFeedBatch, e.Key)
	if err != nil {
		return nil, err
	}
	return decodeFeedBatch(k.Position, e.Value)
}

// feedChange returns an event of a row as a change without a cursor.
func (e event) feedChange(b *feedBatch) FeedChange {
	return FeedChange{
		Change: e.change, CustomerKey: b.key, Class: e.kind.Class(), Kind: e.kind,
		Key: e.key, ID: e.id, At: b.at, Actor: b.actor, ChangedFields: e.fields.names(e.kind), Device: e.device,
	}
}

// commitSignal notifies readers of the feed of commits in their workspace.
type commitSignal struct {
	mu      sync.Mutex
	waiting map[uuid.UUID]chan struct{} // by workspace, only while there are subscribers
}

// subscribe returns a channel that the next broadcast for this workspace closes.
func (b *commitSignal) subscribe(workspace uuid.UUID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = map[uuid.UUID]chan struct{}{}
	}
	if b.waiting[workspace] == nil {
		b.waiting[workspace] = make(chan struct{})
	}
	return b.waiting[workspace]
}

func (b *commitSignal) broadcast(workspace uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch := b.waiting[workspace]; ch != nil {
		close(ch)
		delete(b.waiting, workspace)
	}
}

// Follow yields the changes of the feed as Changes does, and then waits for further changes until ctx is done. It then yields
// ctx's error. Follow notices commits of this DB at once, and commits of other processes within [Options].FollowInterval.
func (w *Workspace) Follow(ctx context.Context, after Cursor) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		if after == (Cursor{}) {
			err := w.View(ctx, func(s *Snapshot) (err error) {
				after, err = s.feedStart(ctx)
				return err
			})
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
		}
		timer := time.NewTicker(w.db.followInterval)
		defer timer.Stop()
		for {
			committed := w.db.commits.subscribe(w.id)
			for c, err := range w.Changes(ctx, after) {
				if !yield(c, err) || err != nil {
					return
				}
				after = c.Cursor
			}
			select {
			case <-ctx.Done():
				yield(FeedChange{}, ctx.Err())
				return
			case <-committed:
			case <-timer.C:
			}
		}
	}
}
