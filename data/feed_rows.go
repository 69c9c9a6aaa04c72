package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// The change feed of a workspace is one sequence of rows. The row at a position contains the changes of one customer in one
// commit, and the random id of that commit. If two states of a store, such as a store and its restored backup, have the same
// id at a position, then they have the same changes there, and vice versa.

// commitID is the random id of a commit that added rows to the feed.
type commitID [8]byte

// feedOrigin is the id at position 0, before the first row of every feed.
var feedOrigin = commitID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// event is a change in its stored form.
type event struct {
	change Change
	kind   Kind
	key    string
	id     uuid.UUID
	fields fieldSet // fields that changed; for Updated only

	device *DeviceEvent // for a device only
}

// event returns the change of one resource. If the edit replaces one resource with another, event returns the creation; the
// caller reports the deletion before it.
func (e edit) event() event {
	switch {
	case e.old == nil, e.replaces():
		return event{change: Created, kind: e.new.kind, key: e.new.key, id: e.new.meta.ID}
	case e.new == nil:
		return event{change: Deleted, kind: e.old.kind, key: e.old.key, id: e.old.meta.ID}
	}
	return event{change: Updated, kind: e.new.kind, key: e.new.key, id: e.new.meta.ID, fields: changedFields(e.old, e.new)}
}

// feedChanges maps the stored byte of a change to the change.
var feedChanges = map[byte]Change{'c': Created, 'u': Updated, 'd': Deleted, 'o': PortalOpened, 'e': PortalExpired, 'r': PortalRevoked}

func (e event) append(b []byte) []byte {
	if e.device != nil {
		return e.appendDevice(b)
	}
	b = append(b, e.change[0], byte(e.kind))
	b = append(b, e.id[:]...)
	b = layout.AppendBytes(b, e.key)
	if e.change == Updated {
		b = binary.AppendUvarint(b, uint64(e.fields))
	}
	return b
}

func decodeEvent(d *layout.Decoder) (event, bool) {
	first := d.Byte()
	if first == deviceEvent {
		return decodeDeviceEvent(d)
	}
	change, known := feedChanges[first]
	e := event{change: change, kind: Kind(d.Byte()), id: d.UUID(), key: d.String()}
	if change == Updated {
		e.fields = fieldSet(d.Uvarint())
	}
	return e, known && (e.kind.valid() || e.kind == KindCustomer || e.kind == KindCustomerPortal) && e.fields.knownFor(e.kind)
}

// feedBatch is one row of the feed.
type feedBatch struct {
	position uint64
	commit   commitID
	at       time.Time
	customer layout.CustomerID
	key      string // of the customer
	actor    Actor
	events   []event
}

// encodeHead returns the stored form of the batch without its events.
func (b *feedBatch) encodeHead() []byte {
	out := append([]byte{recordVersion}, b.commit[:]...)
	out = append(layout.AppendTime(out, b.at), b.customer[:]...)
	return b.actor.append(layout.AppendBytes(out, b.key))
}

// decodeFeedHead decodes a row of the feed up to its events. The caller decodes these from d.
func decodeFeedHead(position uint64, d *layout.Decoder) (*feedBatch, error) {
	version := d.Byte()
	b := &feedBatch{position: position, commit: decodeCommitID(d), at: d.Time(), customer: d.CustomerID(), key: d.String(), actor: decodeActor(d)}
	if version != recordVersion || d.Err() != nil {
		return nil, fmt.Errorf("%w: row %d of the change feed", storage.ErrCorrupt, position)
	}
	return b, nil
}

func decodeFeedBatch(position uint64, row []byte) (*feedBatch, error) {
	d := layout.NewDecoder(row)
	b, err := decodeFeedHead(position, d)
	if err != nil {
		return nil, err
	}
	for d.More() {
		e, ok := decodeEvent(d)
		if !ok {
			d.Fail()
		}
		b.events = append(b.events, e)
	}
	if d.Done() != nil {
		return nil, fmt.Errorf("%w: row %d of the change feed", storage.ErrCorrupt, position)
	}
	return b, nil
}

func decodeCommitID(d *layout.Decoder) (id commitID) {
	binary.BigEndian.PutUint64(id[:], d.Uint64())
	return id
}

// feedEnds is the row with the first and last positions of the feed of a workspace.
type feedEnds struct {
	first, next   uint64   // the first position that is not trimmed, and the next to be written; both are 1 in an empty feed
	trimmed, last commitID // ids of the rows before first and before next
}

func (e feedEnds) encode() []byte {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, e.first), e.next)
	return append(append(b, e.trimmed[:]...), e.last[:]...)
}

// decodeFeedEnds decodes a row of ends. If row is nil, it returns the ends of an empty feed.
func decodeFeedEnds(row []byte) (feedEnds, error) {
	if row == nil {
		return feedEnds{first: 1, next: 1, trimmed: feedOrigin, last: feedOrigin}, nil
	}
	d := layout.NewDecoder(row)
	ends := feedEnds{first: d.Uvarint(), next: d.Uvarint(), trimmed: decodeCommitID(d), last: decodeCommitID(d)}
	if d.Done() != nil || ends.first < 1 || ends.first > ends.next {
		return feedEnds{}, fmt.Errorf("%w: the ends of the change feed", storage.ErrCorrupt)
	}
	return ends, nil
}

func (s *Snapshot) feedEnds(ctx context.Context) (feedEnds, error) {
	row, err := s.get(ctx, layout.FeedEnds(s.w.id))
	if err != nil {
		return feedEnds{}, err
	}
	return decodeFeedEnds(row)
}

// feedEvents contains the events of one customer that an operation adds to the feed.
type feedEvents struct {
	customer *customer
	at       time.Time
	events   []event
	deleted  bool // the customer is deleted and no longer has an index
}

// indexed reports whether the index of the customer has the positions of the events. The events of devices are not in it, because
// they would displace the older changes of resources from History.
func (n feedEvents) indexed() bool { return !n.deleted && n.events[0].device == nil }

// feedRowBytes is the size that a row of the feed may exceed only with its last event.
const feedRowBytes = 64 << 10

// appendFeed adds the events of an operation to the feed, and their positions to the indexes of their customers.
//
// It reads and writes the next position in the transaction of the operation itself. Updates become visible in the order in
// which they are serialized. Therefore the positions that a reader sees have no gap, and a reader cannot advance past a
// position that another transaction has yet to commit.
func (w *Workspace) appendFeed(ctx context.Context, tx storage.Tx, actor Actor, all ...feedEvents) error {
	var ends feedEnds
	var id commitID
	flush := func(n feedEvents, row []byte) error {
		if n.indexed() {
			if err := tx.Put(layout.CustomerFeed(n.customer.id, ends.next), present); err != nil {
				return err
			}
		}
		err := tx.Put(layout.FeedBatch(w.id, ends.next), row)
		ends.next++
		return err
	}
	for _, n := range all {
		if len(n.events) == 0 {
			continue
		}
		if ends.next == 0 {
			var err error
			if ends, err = w.At(tx).feedEnds(ctx); err != nil {
				return err
			}
			if _, err = io.ReadFull(w.db.rand, id[:]); err != nil {
				return fmt.Errorf("data: generating the id of a commit: %w", err)
			}
			ends.last = id
		}
		batch := feedBatch{commit: id, at: n.at, customer: n.customer.id, key: n.customer.key, actor: actor}
		row := batch.encodeHead()
		head := len(row)
		for _, e := range n.events {
			if len(row) > head && len(row) > feedRowBytes {
				if err := flush(n, row); err != nil {
					return err
				}
				row = row[:head]
			}
			row = e.append(row)
		}
		if err := flush(n, row); err != nil {
			return err
		}
	}
	if ends.next == 0 {
		return nil
	}
	return tx.Put(layout.FeedEnds(w.id), ends.encode())
}
