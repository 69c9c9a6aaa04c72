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
	resource *node     // where it is one
	portal   uuid.UUID // where it is one
	pointers [][]byte
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
		n, err := decodeRecord(c, Ref{Kind(kind), string(rest)}, e.Value)
		if err != nil {
			return out, false, err
		}
		out.resource = n
		out.pointers = [][]byte{layout.Directory(c.workspace, byte(n.class()), n.key), layout.ID(n.meta.ID)}
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
	if e := o.event(); e != nil {
		b.takes(mutation{event: e})
	}
	return b.left()
}

// sweeper deletes a customer with all that it owns, in one transaction or in many.
// It never looks again at what it has deleted.
type sweeper struct {
	c        *customer
	at       time.Time
	from, to []byte // where the next step begins, before and after the one under way
}

func newSweeper(c *customer, at time.Time) *sweeper {
	start := layout.Customer(c.id)
	return &sweeper{c: c, at: at, from: start, to: start}
}

// advance says that the transaction of the last step has committed.
func (sw *sweeper) advance() { sw.from = sw.to }

// step deletes what a budget allows, and says whether that was the rest.
func (sw *sweeper) step(ctx context.Context, s *Snapshot, tx storage.Tx, b budget) (done bool, err error) {
	var rows []owned
	r := storage.Prefix(layout.Customer(sw.c.id))
	r.Start = sw.from
	done = true
	for e, err := range tx.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return false, err
		}
		row, deletable, err := readOwned(sw.c, e)
		if err != nil {
			return false, err
		}
		if !deletable {
			continue
		}
		if !row.spend(&b) && len(rows) > 0 {
			sw.to, done = e.Key, false
			break
		}
		rows = append(rows, row)
	}
	if err := sw.delete(ctx, s, tx, rows); err != nil || !done {
		return false, err
	}
	if err := s.dropCustomerKey(ctx, tx, sw.c); err != nil {
		return false, err
	}
	return true, tx.Delete(layout.CustomerRecord(sw.c.id))
}

func (sw *sweeper) delete(ctx context.Context, s *Snapshot, tx storage.Tx, rows []owned) error {
	var events []event
	var keys, pointers [][]byte
	for _, row := range rows {
		keys = append(keys, row.key)
		pointers = append(pointers, row.pointers...)
		if e := row.event(); e != nil {
			events = append(events, *e)
		}
	}
	// Once the customer is gone to readers, its keys may be another's.
	values, err := tx.Get(ctx, pointers...)
	if err != nil {
		return err
	}
	for i, value := range values {
		if len(value) >= len(sw.c.id) && string(value[:len(sw.c.id)]) == string(sw.c.id[:]) {
			keys = append(keys, pointers[i])
		}
	}
	if err := tx.Delete(keys...); err != nil {
		return err
	}
	return appendFeed(ctx, tx, sw.c, sw.at, events)
}
