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

// FeedChange is an entry of the change feed: a change that a push, a sync, an import or a
// delete made to one resource, a change of a customer's own name or time zone, or a change of
// a customer's portal.
//
// A customer's own record is reported with KindCustomer and the customer's key, and
// with no ID: Created if the customer was created with a name or a time zone, Updated
// when one of the two changes.
type FeedChange struct {
	Change      Change    `json:"change"` // Created, Updated or Deleted; of a portal PortalOpened and so on too
	CustomerKey string    `json:"customer_key"`
	Class       Class     `json:"class"` // of a portal ClassCustomerPortal
	Kind        Kind      `json:"kind"`  // of a portal KindCustomerPortal
	Key         string    `json:"key"`   // of a portal empty
	ID          uuid.UUID `json:"id"`    // the derived id, or the portal's own; zero for a customer
	At          time.Time `json:"at"`    // of the operation; the same for all that it changed
	Actor       Actor     `json:"actor"` // who made the change

	// ChangedFields are the names of the fields that have another value since, as in the API,
	// such as "name" or "customer_data.address". Only a resource or customer that was Updated
	// has any.
	ChangedFields []string `json:"changed_fields,omitempty"`

	// Cursor is the place after this change: Changes(ctx, Cursor) continues there.
	Cursor Cursor `json:"cursor"`
}

// Changes of a portal in the change feed, beside Created, Updated and Deleted.
const (
	PortalOpened  Change = "opened"  // a link began a session
	PortalExpired Change = "expired" // a session was used after its time; reported once
	PortalRevoked Change = "revoked"
)

// feedPage is the number of rows of the feed that one snapshot reads.
const feedPage = 256

// Changes reads the change feed from a place on, until there is no more. Every push,
// sync, import and delete that was committed is in it, in the same step as its effect, in the
// order of the commits; the changes of one operation are together.
//
// It yields [ErrTrimmed] if changes after the cursor were trimmed, and [ErrEpoch] if the store
// does not have the changes that the cursor has read. In both cases the caller reads what it
// needs anew in a [Snapshot], and continues after [Snapshot.Cursor]. No snapshot is held while
// the caller works.
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

// changesOf returns the changes of rows that readFeed has read after a cursor.
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

// readFeed reads the next rows after a cursor, at most feedPage of them, and reports whether
// there may be more. If the cursor is within a row, that is the first one.
func (s *Snapshot) readFeed(ctx context.Context, after Cursor) (page []*feedBatch, more bool, err error) {
	// The scan begins at the last row that was read, to see that it is still the same one.
	r := storage.Prefix(layout.Feed(s.w.id))
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
		return nil, false, fmt.Errorf("%w: it is past the end of a row of the change feed", ErrInvalidCursor)
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

// at returns an event of a row as a change, without a cursor.
func (e event) feedChange(b *feedBatch) FeedChange {
	return FeedChange{
		Change: e.change, CustomerKey: b.key, Class: e.kind.Class(), Kind: e.kind,
		Key: e.key, ID: e.id, At: b.at, Actor: b.actor, ChangedFields: e.fields.names(e.kind),
	}
}

// commitSignal wakes those that wait for changes in the feed of a workspace.
type commitSignal struct {
	mu      sync.Mutex
	waiting map[uuid.UUID]chan struct{} // by workspace, while somebody listens
}

// listen returns a channel that the next ring closes.
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

// Follow reads the change feed as Changes does, and waits for more, until ctx is
// done: then it yields ctx's error. It learns at once of the commits of this DB, and
// within FollowInterval of [Options] of those of others.
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
