package data

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// changes is what an operation does to one customer. It is a plan: it only reads.
type changes struct {
	w        *Workspace
	customer *customer      // as it was
	at       time.Time      // when it happens
	created  bool           // it is new
	fields   customerFields // of the customer, as they will be
	touched  bool           // its record is written, whatever else is
	dies     bool           // it goes, with all that it owns
	sweep    budget         // what it takes to sweep it, below zero
	edits    []edit
	revoked  []uuid.UUID // portals

	claims []claim              // rows of the directory that its new keys take
	wounds []layout.OperationID // that have not been committed, and now cannot be
}

// edit is what becomes of one resource: old is nil where it is created, new where
// it is deleted. Where their kinds differ one is deleted and another is created under
// its key.
type edit struct{ old, new *node }

// replaces is whether one resource is deleted and another created.
func (e edit) replaces() bool { return e.old != nil && e.new != nil && e.old.kind != e.new.kind }

// plan begins the changes to a customer that exists, or one that is created.
func (s *Snapshot) plan(ctx context.Context, c *customer, created bool) (*changes, error) {
	ch := &changes{w: s.w, customer: c, at: s.time(), created: created, fields: c.customerFields}
	var err error
	if created {
		ch.wounds, err = s.unborn(ctx, c.key)
	} else if c.fate != stays {
		ch.wounds, err = s.toWound(ctx, c.op)
	}
	return ch, err
}

// claim is a row of the directory that was nobody's when the plan was made.
type claim struct {
	ref  Ref
	seen []byte // what the row held then
}

// put plans that a resource becomes new, and says what that changes.
func (ch *changes) put(old, new *node, dryRun bool) (PushedResource, error) {
	out := PushedResource{Kind: new.kind, Key: new.key}
	switch {
	case old == nil:
		out.Change = Created
		if !dryRun {
			id, err := ch.w.newID()
			if err != nil {
				return out, err
			}
			out.ID = id
		}
		new.meta = Meta{ID: out.ID, CustomerKey: ch.customer.key, CreatedAt: ch.at, UpdatedAt: ch.at, Revision: 1}
	case old == new, string(old.stored) == string(encodeFields(make([]byte, 0, 128), new)):
		out.ID, out.Change = old.meta.ID, Unchanged
		return out, nil
	default:
		out.ID, out.Change = old.meta.ID, Updated
		new.meta.UpdatedAt, new.meta.Revision = ch.at, old.meta.Revision+1
	}
	ch.edits = append(ch.edits, edit{old, new})
	return out, nil
}

// empty is whether there is nothing to write.
func (ch *changes) empty() bool {
	return !ch.created && !ch.touched && !ch.dies && !ch.renamed() && len(ch.edits) == 0 && len(ch.revoked) == 0
}

// renamed reports whether the customer's own name or time zone changes.
func (ch *changes) renamed() bool { return ch.fields != ch.customer.customerFields }

// event is the change of the customer's own fields, for the change feed.
func (ch *changes) event() *event {
	e := &event{change: Updated, kind: KindCustomer, key: ch.customer.key}
	if ch.created {
		e.change = Created
	}
	return e
}

// public returns the customer as it will be, without its counts.
func (ch *changes) public() Customer {
	after := *ch.customer
	after.customerFields = ch.fields
	return after.public()
}

// mutation is one write of a plan. event goes to the change feed in the same step;
// a mutation may be an event alone, with no key.
type mutation struct {
	key, value []byte // no value: the key is deleted
	event      *event
}

// mutations is every write of the plan but the deletion of a customer, which is
// found as it goes. The record of the customer comes last.
func (ch *changes) mutations() iter.Seq[mutation] {
	return func(yield func(mutation) bool) {
		after := *ch.customer
		after.seq++
		after.fate, after.op = stays, layout.OperationID{}
		after.customerFields = ch.fields
		if ch.renamed() && !yield(mutation{event: ch.event()}) {
			return
		}
		for _, e := range ch.edits {
			if e.new != nil {
				after.counts[placeOf[e.new.kind]-1]++
			}
			if e.old != nil {
				after.counts[placeOf[e.old.kind]-1]--
			}
			if e.replaces() && !yield(mutation{event: edit{old: e.old}.event()}) {
				return
			}
			if !yield(mutation{event: e.event()}) {
				return
			}
			puts, deletes := diff(ch.customer, e.old, e.new)
			for _, key := range deletes {
				if !yield(mutation{key: key}) {
					return
				}
			}
			for _, r := range puts {
				if !yield(mutation{key: r.key, value: r.value}) {
					return
				}
			}
		}
		revokedAt := layout.AppendTime(nil, ch.at)
		for _, id := range ch.revoked {
			told := &event{change: PortalRevoked, kind: KindCustomerPortal, id: id}
			if !yield(mutation{key: layout.Revoked(after.id, id), value: revokedAt, event: told}) {
				return
			}
		}
		if ch.created && !yield(mutation{key: layout.CustomerKey(after.workspace, after.key), value: after.id[:]}) {
			return
		}
		yield(mutation{key: layout.CustomerRecord(after.id), value: encodeCustomer(&after)})
	}
}

// write makes the changes, in one transaction.
func (ch *changes) write(ctx context.Context, s *Snapshot, tx storage.Tx) error {
	if ch.empty() {
		return nil
	}
	if err := s.wound(ctx, tx, ch.wounds); err != nil {
		return err
	}
	if ch.dies {
		_, err := s.sweep(ctx, tx, ch.customer, ch.at, nil, budget{writes: unbounded, bytes: unbounded})
		return err
	}
	return apply(ctx, tx, ch.customer, ch.at, ch.mutations())
}

// apply writes mutations of one customer, and their events.
func apply(ctx context.Context, tx storage.Tx, c *customer, at time.Time, mutations iter.Seq[mutation]) error {
	var events []event
	for m := range mutations {
		var err error
		switch {
		case m.key == nil:
		case m.value == nil:
			err = tx.Delete(m.key)
		default:
			err = tx.Put(m.key, m.value)
		}
		if err != nil {
			return err
		}
		if m.event != nil {
			events = append(events, *m.event)
		}
	}
	return appendFeed(ctx, tx, c, at, events)
}
