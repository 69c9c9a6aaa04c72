package data

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// owned is a row of a customer's range, and what outside of it points to it.
type owned struct {
	key      []byte
	resource *node     // where it is one; but for its fields
	portal   uuid.UUID // where it is one
	pointers [][]byte  // by an id, which is nobody else's ever
	claimed  []byte    // the pointer by a key, which may be another's by now; nil for none
}

// readOwned reads a row of a customer's range. It says false for the record of the
// customer, which goes last.
func readOwned(c *customer, e storage.Entry) (owned, bool, error) {
	out := owned{key: e.Key}
	row, kind, rest := layout.ParseCustomerRow(c.id, e.Key)
	switch row {
	case layout.RowCustomer:
		return out, false, nil
	case layout.RowResource:
		n, err := decodeHead(c, Ref{Kind(kind), string(rest)}, e.Value)
		if err != nil {
			return out, false, err
		}
		out.resource = n
		out.pointers = [][]byte{layout.ID(n.meta.ID)}
		out.claimed = layout.Directory(c.workspace, byte(n.class()), n.key)
	case layout.RowPortal:
		id, err := uuid.FromBytes(rest)
		if err != nil {
			return out, false, fmt.Errorf("%w: the key of a portal: %w", storage.ErrCorrupt, err)
		}
		out.portal = id
		out.pointers = [][]byte{layout.ID(id)}
	case layout.RowLink:
		if len(rest) != len(layout.LinkID{}) {
			return out, false, fmt.Errorf("%w: the key of a link", storage.ErrCorrupt)
		}
		out.pointers = [][]byte{layout.Link(layout.LinkID(rest))}
	case layout.RowSession:
		if len(rest) != len(uuid.UUID{})+len(layout.SessionHash{}) {
			return out, false, fmt.Errorf("%w: the key of a session", storage.ErrCorrupt)
		}
		out.pointers = [][]byte{layout.Session(layout.SessionHash(rest[len(uuid.UUID{}):]))}
	}
	return out, true, nil
}

// event is what the change feed tells of the row's deletion, or nil.
func (o owned) event() *event {
	switch {
	case o.resource != nil:
		return edit{old: o.resource}.event()
	case o.portal != uuid.Nil:
		return &event{change: Deleted, kind: KindCustomerPortal, id: o.portal}
	}
	return nil
}

// spend takes from a budget what the deletion of the row costs.
func (o owned) spend(b *budget) bool {
	b.take(1, storage.EntryBytes(o.key, nil))
	for _, key := range o.pointers {
		b.take(1, storage.EntryBytes(key, nil))
	}
	if o.claimed != nil {
		b.take(1, storage.EntryBytes(o.claimed, nil))
	}
	if e := o.event(); e != nil {
		b.takes(mutation{event: e})
	}
	return b.left()
}

// sweep deletes what a budget allows of a customer and all that it owns, from a key on,
// or nil for the first; what lies before that is gone. It returns where to go on, or
// nil where that was the rest. So it never looks again at what it has deleted.
func (s *Snapshot) sweep(ctx context.Context, tx storage.Tx, c *customer, at time.Time, from []byte, b budget) (next []byte, err error) {
	var rows []owned
	r := storage.Prefix(layout.Customer(c.id))
	if from != nil {
		r.Start = from
	}
	for e, err := range tx.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return nil, err
		}
		row, deletable, err := readOwned(c, e)
		if err != nil {
			return nil, err
		}
		if !deletable {
			continue
		}
		if !row.spend(&b) && len(rows) > 0 {
			return e.Key, s.deleteOwned(ctx, tx, c, at, rows)
		}
		rows = append(rows, row)
	}
	if err := s.deleteOwned(ctx, tx, c, at, rows); err != nil {
		return nil, err
	}
	if err := s.dropCustomerKey(ctx, tx, c); err != nil {
		return nil, err
	}
	return nil, tx.Delete(layout.CustomerRecord(c.id))
}

func (s *Snapshot) deleteOwned(ctx context.Context, tx storage.Tx, c *customer, at time.Time, rows []owned) error {
	var events []event
	var keys, claimed [][]byte
	for _, row := range rows {
		keys = append(append(keys, row.key), row.pointers...)
		if row.claimed != nil {
			claimed = append(claimed, row.claimed)
		}
		if e := row.event(); e != nil {
			events = append(events, *e)
		}
	}
	// Once the customer is gone to readers, its keys may be another's.
	values, err := tx.Get(ctx, claimed...)
	if err != nil {
		return err
	}
	for i, value := range values {
		if len(value) >= len(c.id) && string(value[:len(c.id)]) == string(c.id[:]) {
			keys = append(keys, claimed[i])
		}
	}
	if err := tx.Delete(keys...); err != nil {
		return err
	}
	return appendFeed(ctx, tx, c, at, events)
}
