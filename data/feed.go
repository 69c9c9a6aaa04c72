package data

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
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
	Actor       Actor     `json:"actor"` // who made the change

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

// feedHead returns the bytes that a row of the feed begins with.
func feedHead(c *customer, at time.Time, actor Actor) []byte {
	b := layout.AppendTime([]byte{recordVersion}, at)
	return actor.append(layout.AppendBytes(b, c.key))
}

// appendFeed adds events of one customer to the feed.
func appendFeed(ctx context.Context, tx storage.Tx, c *customer, at time.Time, actor Actor, events []event) error {
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
	row := feedHead(c, at, actor)
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
	if err != nil {
		return feedEnds{}, err
	}
	return decodeFeedEnds(rows[0])
}

// readAllFeedEnds reads the ends of all partitions in one call.
func readAllFeedEnds(ctx context.Context, r storage.Reader, workspace uuid.UUID) (all [layout.FeedPartitions]feedEnds, err error) {
	keys := make([][]byte, len(all))
	for p := range all {
		keys[p] = layout.FeedEnds(workspace, byte(p))
	}
	rows, err := r.Get(ctx, keys...)
	if err != nil {
		return all, err
	}
	for p := range all {
		if all[p], err = decodeFeedEnds(rows[p]); err != nil {
			return all, err
		}
	}
	return all, nil
}

// decodeFeedEnds decodes a row of ends. A partition that has no such row has no changes.
func decodeFeedEnds(row []byte) (feedEnds, error) {
	if row == nil {
		return feedEnds{}, nil
	}
	d := layout.NewDecoder(row)
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
	actor     Actor
	events    []event
}

func decodeFeedBatch(partition byte, position uint64, b []byte) (*feedBatch, error) {
	d := layout.NewDecoder(b)
	version := d.Byte()
	batch := &feedBatch{partition: partition, position: position, at: d.Time(), customer: d.String(), actor: decodeActor(d)}
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
		for {
			batches, from, err := w.readFeed(ctx, after)
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			after = from
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

// readFeed reads the next rows of all partitions, in the order of time, and returns with them
// the place that they are read from: after or, if after is the start, the place of the first
// change that was not trimmed.
func (w *Workspace) readFeed(ctx context.Context, after Cursor) (batches []*feedBatch, from Cursor, err error) {
	err = w.View(ctx, func(s *Snapshot) error {
		all, err := readAllFeedEnds(ctx, s.r, w.id)
		if err != nil {
			return err
		}
		from = after
		var queues []*feedQueue
		for p, ends := range all {
			if after == (Cursor{}) {
				from.at[p].batch = ends.first
			}
			switch at := from.at[p].batch; {
			case at < ends.first:
				return ErrTrimmed
			case at > ends.next:
				return fmt.Errorf("%w: it is past the end of the change feed", ErrInvalidCursor)
			case at < ends.next:
				queues = append(queues, &feedQueue{partition: byte(p), next: at, end: ends.next})
			}
		}
		batches, err = s.mergeFeed(ctx, queues)
		return err
	})
	return batches, from, err
}

// feedQueue is the rows of a partition that are to be merged into a page.
type feedQueue struct {
	partition byte
	head      *feedBatch // the next row; nil if it has not been read, or at the end
	rows      [][]byte   // those after it that are read
	next, end uint64     // positions: of the first of rows, and of the end of the partition
}

// unread returns the number of rows that are not read.
func (q *feedQueue) unread() uint64 { return q.end - q.next - uint64(len(q.rows)) }

// advance makes the next row that is read the head.
func (q *feedQueue) advance() (err error) {
	if q.head = nil; len(q.rows) == 0 {
		return nil
	}
	if q.rows[0] == nil {
		return fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, q.next)
	}
	q.head, err = decodeFeedBatch(q.partition, q.next, q.rows[0])
	q.rows, q.next = q.rows[1:], q.next+1
	return err
}

// mergeFeed returns rows of several partitions in the order of time: at most feedPage of
// them, and at least one if there is one.
func (s *Snapshot) mergeFeed(ctx context.Context, queues []*feedQueue) ([]*feedBatch, error) {
	out := make([]*feedBatch, 0, feedPage)
	for len(out) < feedPage {
		var first *feedQueue
		behind := false // the next row of a partition is not read
		for _, q := range queues {
			switch {
			case q.head == nil:
				behind = behind || q.unread() > 0
			case first == nil || q.head.at.Before(first.head.at):
				first = q
			}
		}
		switch {
		case behind && len(out) >= feedPage/2:
			return out, nil // a short page costs less than to read more for this one
		case behind:
			if err := s.fillQueues(ctx, queues, feedPage-len(out)); err != nil {
				return nil, err
			}
		case first == nil:
			return out, nil
		default:
			out = append(out, first.head)
			if err := first.advance(); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// fillQueues reads about so many rows in one call, for the queues of which no row is read:
// the same number for each, as far as it has them. The positions of a partition have no gaps,
// so the keys of its rows are known.
func (s *Snapshot) fillQueues(ctx context.Context, queues []*feedQueue, rows int) error {
	var empty []*feedQueue
	for _, q := range queues {
		if q.head == nil && q.unread() > 0 {
			empty = append(empty, q)
		}
	}
	slices.SortFunc(empty, func(a, b *feedQueue) int { return cmp.Compare(a.unread(), b.unread()) })
	keys := make([][]byte, 0, rows)
	counts := make([]int, len(empty))
	for i, q := range empty {
		share := max(1, (rows-len(keys))/(len(empty)-i))
		counts[i] = int(min(uint64(share), q.unread()))
		for n := range counts[i] {
			keys = append(keys, layout.FeedBatch(s.w.id, q.partition, q.next+uint64(n)))
		}
	}
	values, err := s.r.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, q := range empty {
		q.rows, values = values[:counts[i]], values[counts[i]:]
		if err := q.advance(); err != nil {
			return err
		}
	}
	return nil
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

// news tells those who follow the change feed of a workspace that there may be more.
type news struct {
	mu        sync.Mutex
	listeners map[uuid.UUID]chan struct{} // by workspace, while somebody listens
}

// listen returns a channel that the next tell closes.
func (n *news) listen(workspace uuid.UUID) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = map[uuid.UUID]chan struct{}{}
	}
	if n.listeners[workspace] == nil {
		n.listeners[workspace] = make(chan struct{})
	}
	return n.listeners[workspace]
}

func (n *news) tell(workspace uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ch := n.listeners[workspace]; ch != nil {
		close(ch)
		delete(n.listeners, workspace)
	}
}

// Follow reads the change feed as Changes does, and waits for more, until ctx is
// done: then it yields ctx's error. It learns at once of what this Workspace
// commits, and within FollowInterval of [Options] of what others do.
func (w *Workspace) Follow(ctx context.Context, after Cursor) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		timer := time.NewTicker(w.db.followInterval)
		defer timer.Stop()
		for {
			news := w.db.news.listen(w.id)
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
			err := storage.Run(ctx, w.db.store, func(tx storage.Tx) (err error) {
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
