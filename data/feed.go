package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/opaque"
	"github.com/customerportal-go/customerportal/storage"
)

// FeedChange is an entry of the change feed: what a push, a sync, an import or a
// delete did to one resource, a change of a customer's own name or time zone, or what
// became of a customer's portal.
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

	// Cursor is the place after this change: Changes(ctx, Cursor) goes on from there.
	Cursor Cursor `json:"cursor"`
}

// What the change feed tells of a portal beside its creation and deletion.
const (
	PortalOpened  Change = "opened"  // a link began a session
	PortalExpired Change = "expired" // a session was used after its time; told once
	PortalRevoked Change = "revoked"
)

// Cursor is a place in the change feed. The zero Cursor is its start. As text it is
// opaque, of at most 500 characters.
type Cursor struct {
	at [layout.FeedPartitions]feedPlace
}

// feedPlace is a place in a partition: the changes before it were read.
type feedPlace struct {
	batch  uint64 // position of a row
	offset int    // changes read of it
}

// event is a change as the feed holds it.
type event struct {
	change Change
	kind   Kind
	key    string
	id     uuid.UUID
}

// event returns the change of one resource. For an edit that replaces one resource by
// another, that is the creation; its deletion comes before.
func (e edit) event() event {
	switch {
	case e.old == nil, e.replaces():
		return event{Created, e.new.kind, e.new.key, e.new.meta.ID}
	case e.new == nil:
		return event{Deleted, e.old.kind, e.old.key, e.old.meta.ID}
	}
	return event{Updated, e.new.kind, e.new.key, e.new.meta.ID}
}

// feedChanges is the changes in the feed, by the letter that they are stored as.
var feedChanges = map[byte]Change{'c': Created, 'u': Updated, 'd': Deleted, 'o': PortalOpened, 'e': PortalExpired, 'r': PortalRevoked}

func (e event) append(b []byte) []byte {
	b = append(b, e.change[0], byte(e.kind))
	b = append(b, e.id[:]...)
	return layout.AppendBytes(b, e.key)
}

func decodeEvent(d *layout.Decoder) (event, bool) {
	change, known := feedChanges[d.Byte()]
	e := event{change: change, kind: Kind(d.Byte()), id: d.UUID(), key: d.String()}
	return e, known && (e.kind.valid() || e.kind == KindCustomer || e.kind == KindCustomerPortal)
}

// feedRowBytes bounds a row of the feed, unless one change is longer.
const feedRowBytes = 64 << 10

// feedHead is what a row of the feed begins with.
func feedHead(c *customer, at time.Time) []byte {
	b := layout.AppendTime([]byte{recordVersion}, at)
	return layout.AppendBytes(b, c.key)
}

// appendFeed adds events of one customer to the feed.
func appendFeed(ctx context.Context, tx storage.Tx, c *customer, at time.Time, events []event) error {
	if len(events) == 0 {
		return nil
	}
	partition := layout.FeedPartition(c.key)
	ends, err := readFeedEnds(ctx, tx, c.workspace, partition)
	if err != nil {
		return err
	}
	flush := func(row []byte) error {
		key := layout.FeedBatch(c.workspace, partition, ends.next)
		ends.next++
		return tx.Put(key, row)
	}
	row := feedHead(c, at)
	head := len(row)
	for _, e := range events {
		if len(row) > head && len(row) > feedRowBytes {
			if err := flush(row); err != nil {
				return err
			}
			row = row[:head]
		}
		row = e.append(row)
	}
	if err := flush(row); err != nil {
		return err
	}
	return tx.Put(layout.FeedEnds(c.workspace, partition), ends.encode())
}

// feedEnds is the first position of a partition that was not trimmed, and the
// next to be written.
type feedEnds struct{ first, next uint64 }

func (e feedEnds) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, e.first), e.next)
}

func readFeedEnds(ctx context.Context, r storage.Reader, workspace uuid.UUID, partition byte) (feedEnds, error) {
	rows, err := r.Get(ctx, layout.FeedEnds(workspace, partition))
	if err != nil || rows[0] == nil {
		return feedEnds{}, err
	}
	d := layout.NewDecoder(rows[0])
	ends := feedEnds{first: d.Uvarint(), next: d.Uvarint()}
	if d.Done() != nil {
		return feedEnds{}, fmt.Errorf("%w: the ends of the change feed", storage.ErrCorrupt)
	}
	return ends, nil
}

// feedBatch is a row of the feed.
type feedBatch struct {
	partition byte
	position  uint64
	at        time.Time
	customer  string
	events    []event
}

func decodeFeedBatch(partition byte, position uint64, b []byte) (*feedBatch, error) {
	d := layout.NewDecoder(b)
	version := d.Byte()
	batch := &feedBatch{partition: partition, position: position, at: d.Time(), customer: d.String()}
	for d.More() {
		e, ok := decodeEvent(d)
		if !ok {
			d.Fail()
		}
		batch.events = append(batch.events, e)
	}
	if version != recordVersion || d.Done() != nil {
		return nil, fmt.Errorf("%w: a row of the change feed", storage.ErrCorrupt)
	}
	return batch, nil
}

// feedPage is how many rows of the feed one snapshot reads.
const feedPage = 256

// Changes reads the change feed from a place on, until there is no more. Every push,
// sync, import and delete that was committed is in it, in the same step as what it
// did. The changes of one customer come in the order of their commits, and those of
// one operation together; those of different customers in about the order of time.
//
// It yields [ErrTrimmed] where after is not the start and some changes that come
// after it were trimmed. No snapshot is held while the caller works.
func (w *Workspace) Changes(ctx context.Context, after Cursor) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		if after == (Cursor{}) {
			var err error
			if after, err = w.feedStart(ctx); err != nil {
				yield(FeedChange{}, err)
				return
			}
		}
		for {
			batches, err := w.readFeed(ctx, after)
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			if len(batches) == 0 {
				return
			}
			for _, b := range batches {
				place := &after.at[b.partition]
				skip := 0
				if place.batch == b.position {
					skip = place.offset
				}
				for i, e := range b.events[min(skip, len(b.events)):] {
					*place = feedPlace{b.position, skip + i + 1}
					if skip+i+1 == len(b.events) {
						*place = feedPlace{b.position + 1, 0}
					}
					c := e.at(b)
					c.Cursor = after
					if !yield(c, nil) {
						return
					}
				}
				if place.batch <= b.position {
					*place = feedPlace{b.position + 1, 0}
				}
			}
		}
	}
}

// feedStart is the place of the first change that was not trimmed.
func (w *Workspace) feedStart(ctx context.Context) (Cursor, error) {
	return read(ctx, w, func(s *Snapshot) (start Cursor, err error) {
		for p := range byte(layout.FeedPartitions) {
			ends, err := readFeedEnds(ctx, s.r, w.id, p)
			if err != nil {
				return start, err
			}
			start.at[p].batch = ends.first
		}
		return start, nil
	})
}

// readFeed reads the next rows of every partition, in the order of time.
func (w *Workspace) readFeed(ctx context.Context, after Cursor) ([]*feedBatch, error) {
	return read(ctx, w, func(s *Snapshot) ([]*feedBatch, error) {
		var heads [layout.FeedPartitions]*feedBatch
		var nexts [layout.FeedPartitions]func() (*feedBatch, error, bool)
		for p := range byte(layout.FeedPartitions) {
			ends, err := readFeedEnds(ctx, s.r, w.id, p)
			if err != nil {
				return nil, err
			}
			from := after.at[p]
			if from.batch < ends.first {
				return nil, ErrTrimmed
			}
			if from.batch > ends.next {
				return nil, fmt.Errorf("%w: it is past the end of the change feed", ErrInvalidCursor)
			}
			if from.batch == ends.next {
				continue
			}
			next, stop := iter.Pull2(s.scanFeed(ctx, p, from.batch))
			defer stop()
			nexts[p] = next
			if heads[p], err, _ = next(); err != nil {
				return nil, err
			}
		}
		var out []*feedBatch
		for len(out) < feedPage {
			var first *feedBatch
			for _, head := range heads {
				if head != nil && (first == nil || head.at.Before(first.at)) {
					first = head
				}
			}
			if first == nil {
				break
			}
			out = append(out, first)
			var err error
			if heads[first.partition], err, _ = nexts[first.partition](); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// scanFeed reads the rows of a partition from a position on.
func (s *Snapshot) scanFeed(ctx context.Context, partition byte, from uint64) iter.Seq2[*feedBatch, error] {
	return func(yield func(*feedBatch, error) bool) {
		r := storage.Prefix(layout.Feed(s.w.id, partition))
		r.Start = layout.FeedBatch(s.w.id, partition, from)
		for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			k, err := layout.ParseAs(layout.ShapeFeedBatch, e.Key)
			var b *feedBatch
			if err == nil {
				b, err = decodeFeedBatch(partition, k.Position, e.Value)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// news tells those who follow the change feed that there may be more.
type news struct {
	mu sync.Mutex
	ch chan struct{}
}

func (n *news) listen() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// Follow reads the change feed as Changes does, and waits for more, until ctx is
// done: then it yields ctx's error. It learns at once of what this Workspace
// commits, and within FollowInterval of [Options] of what others do.
func (w *Workspace) Follow(ctx context.Context, after Cursor) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		timer := time.NewTicker(w.followInterval)
		defer timer.Stop()
		for {
			news := w.news.listen()
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
			case <-news:
			case <-timer.C:
			}
		}
	}
}

// TrimChanges drops the changes that are older than a time, and returns how many it has
// dropped. It works in Updates of at most 5,000 rows of the feed, each the changes of one
// customer in one commit. If it fails, the rows that it has dropped stay dropped.
//
// A change that the feed reports after one that stays, stays too, so that no reader that
// has come that far misses it.
func (w *Workspace) TrimChanges(ctx context.Context, before time.Time) (dropped int, err error) {
	for p := range byte(layout.FeedPartitions) {
		for more := true; more; {
			var count int
			err := storage.Run(ctx, w.store, func(tx storage.Tx) (err error) {
				count, more, err = w.trimSome(ctx, tx, p, before)
				return err
			})
			if err != nil {
				return dropped, err
			}
			dropped += count
		}
	}
	return dropped, nil
}

// trimSome drops changes of one partition in one Update. It returns how many, and whether
// there may be more.
func (w *Workspace) trimSome(ctx context.Context, tx storage.Tx, partition byte, before time.Time) (count int, more bool, err error) {
	ends, err := readFeedEnds(ctx, tx, w.id, partition)
	if err != nil {
		return 0, false, err
	}
	first := ends.first
	for b, err := range w.At(tx).scanFeed(ctx, partition, first) {
		if err != nil {
			return 0, false, err
		}
		if more = ends.first-first == maintenanceRows; more || !b.at.Before(before) {
			break
		}
		ends.first = b.position + 1
		count += len(b.events)
	}
	if ends.first == first {
		return 0, false, nil
	}
	err = tx.DeleteRange(ctx, storage.Range{
		Start: layout.FeedBatch(w.id, partition, first), End: layout.FeedBatch(w.id, partition, ends.first),
	})
	if err != nil {
		return 0, false, err
	}
	return count, more, tx.Put(layout.FeedEnds(w.id, partition), ends.encode())
}

// MarshalText writes the cursor.
func (c Cursor) MarshalText() ([]byte, error) {
	b := []byte(cursorVersion)
	for _, place := range c.at {
		b = binary.AppendUvarint(b, place.batch)
		b = binary.AppendUvarint(b, uint64(place.offset))
	}
	return []byte(opaque.Encode(b)), nil
}

// UnmarshalText reads what MarshalText wrote, or "" for the start. It returns
// [ErrInvalidCursor] for anything else.
func (c *Cursor) UnmarshalText(text []byte) error {
	*c = Cursor{}
	if len(text) == 0 {
		return nil
	}
	b, ok := opaque.Decode(string(text))
	if !ok || !bytes.HasPrefix(b, []byte(cursorVersion)) {
		return ErrInvalidCursor
	}
	d := layout.NewDecoder(b[len(cursorVersion):])
	for i := range c.at {
		c.at[i] = feedPlace{d.Uvarint(), int(d.Uvarint() & (1<<31 - 1))}
	}
	if d.Done() != nil {
		*c = Cursor{}
		return ErrInvalidCursor
	}
	return nil
}
