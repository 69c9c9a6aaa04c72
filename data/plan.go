package data

import (
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// changes are the planned changes of an operation to one customer. Nothing is written until
// write is called.
type changes struct {
	w           *Workspace
	customer    *customer      // as it was
	at          time.Time      // of the operation
	actor       Actor          // of the operation; set where resources change
	created     bool           // the customer is new
	fields      customerFields // of the customer, as they will be
	bumpVersion bool           // the record of the customer is written, even if nothing else is
	deleted     *deletedRows   // the customer is deleted with everything that it owns; or nil
	edits       []edit
	revoked     []uuid.UUID // portals
	reopened    []uuid.UUID // portals whose revocation is undone

	cancelled   []*cancellation // in a portal, by this operation
	uncancelled []*cancellation // that are removed

	// seen are rows that the plan depends on, as they were read; a nil value means absent.
	// While they are the same, the plan holds.
	dependencies []row

	// emails are the rows of e-mail addresses as they were read, with a zero value for an
	// address that no stored user identity has. They are in the customer's range, so that
	// they cannot change while the record of the customer, which is in seen, does not.
	emails map[layout.EmailHash]emailUsers

	rows   []row   // to be written, by prepare; a nil value deletes the row
	events []event // for the change feed, by prepare
}

// deletedRows are the resources and portals of a deleted customer, for the change feed.
type deletedRows struct {
	resources []DeletedResource
	portals   []uuid.UUID
}

// edit is what becomes of one resource: old is nil where it is created, new where
// it is deleted. Where their kinds differ one is deleted and another is created under
// its key.
type edit struct {
	old, new *node
	noEvent  bool // only the origin or the host's values change: not a change for the feed
}

// replaces is whether one resource is deleted and another created.
func (e edit) replaces() bool { return e.old != nil && e.new != nil && e.old.kind != e.new.kind }

// plan begins the changes to a customer that exists, or to one that is created.
func (s *Snapshot) newChanges(c *customer, created bool) *changes {
	ch := &changes{w: s.w, customer: c, at: s.time(), created: created, fields: c.customerFields}
	if created {
		ch.dependencies = append(ch.dependencies, row{key: layout.CustomerKey(c.workspace, c.key)})
	} else {
		ch.dependencies = append(ch.dependencies, row{layout.CustomerRecord(c.id), c.stored})
	}
	return ch
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
		new.meta = Meta{ID: out.ID, CustomerKey: ch.customer.key, CreatedAt: ch.at, UpdatedAt: ch.at, Revision: 1, Origin: ch.actor.typed()}
	case old == new, string(old.stored) == string(encodeFields(make([]byte, 0, 128), new)):
		out.ID, out.Change = old.meta.ID, Unchanged
		if old != new && !old.sameBookkeeping(new) {
			ch.edits = append(ch.edits, edit{old, new, true})
		}
		return out, nil
	default:
		out.ID, out.Change = old.meta.ID, Updated
		new.meta.UpdatedAt, new.meta.Revision = ch.at, old.meta.Revision+1
	}
	ch.edits = append(ch.edits, edit{old: old, new: new})
	return out, nil
}

// empty reports whether there is nothing to write.
func (ch *changes) empty() bool {
	return !ch.created && !ch.bumpVersion && ch.deleted == nil && !ch.customerChanged() && len(ch.edits) == 0 && len(ch.revoked) == 0 && len(ch.uncancelled) == 0
}

// renamed reports whether the customer's own name or time zone changes.
func (ch *changes) customerChanged() bool { return ch.fields != ch.customer.customerFields }

// event returns the change of the customer's own fields, for the change feed.
func (ch *changes) event() event {
	if ch.created {
		return event{change: Created, kind: KindCustomer, key: ch.customer.key}
	}
	e := event{change: Updated, kind: KindCustomer, key: ch.customer.key}
	for _, f := range customerFieldTable {
		if *f.kept(&ch.fields) != *f.kept(&ch.customer.customerFields) {
			e.fields |= 1 << f.tag
		}
	}
	return e
}

// public returns the customer as it will be, without its counts.
func (ch *changes) public() Customer {
	after := *ch.customer
	after.customerFields = ch.fields
	return after.public()
}

// prepare computes the rows and the events of the plan. emails are the rows of e-mail
// addresses that it changes.
func (ch *changes) prepare(emails []row) {
	ch.rows, ch.events = nil, nil
	switch {
	case ch.empty():
	case ch.deleted != nil:
		ch.prepareDelete()
	default:
		ch.prepareEdits()
		ch.rows = append(ch.rows, emails...)
	}
}

// prepareDelete makes the customer unreachable: its record goes, so that nothing that it
// owns counts any more, and a row says that Sweep is to remove its rows.
func (ch *changes) prepareDelete() {
	c := ch.customer
	ch.rows = []row{
		{key: layout.CustomerKey(c.workspace, c.key)},
		{key: layout.CustomerRecord(c.id)},
		{layout.DeletedCustomer(c.id), deletedCustomer{workspace: c.workspace, resources: c.total(), at: ch.at}.encode()},
	}
	ch.events = make([]event, 0, len(ch.deleted.resources)+len(ch.deleted.portals))
	for _, id := range ch.deleted.portals {
		ch.events = append(ch.events, event{change: Deleted, kind: KindCustomerPortal, id: id})
	}
	for _, r := range ch.deleted.resources {
		ch.events = append(ch.events, event{change: Deleted, kind: r.Kind, key: r.Key, id: r.ID})
	}
}

// prepareEdits computes the rows of the resources, of the revoked portals, and of the
// customer itself.
func (ch *changes) prepareEdits() {
	after := *ch.customer
	after.seq++
	after.customerFields = ch.fields
	if ch.customerChanged() {
		ch.events = append(ch.events, ch.event())
	}
	for _, e := range ch.edits {
		if e.new != nil {
			after.counts[kindIndex[e.new.kind]-1]++
		}
		if e.old != nil {
			after.counts[kindIndex[e.old.kind]-1]--
		}
		if e.replaces() {
			ch.events = append(ch.events, edit{old: e.old}.event())
		}
		if !e.noEvent {
			ch.events = append(ch.events, e.event())
		}
		puts, deletes := diff(ch.customer, e.old, e.new)
		for _, key := range deletes {
			ch.rows = append(ch.rows, row{key: key})
		}
		ch.rows = append(ch.rows, puts...)
	}
	revokedAt := layout.RevokedAt(ch.at, len(ch.cancelled) > 0)
	for _, id := range ch.revoked {
		ch.rows = append(ch.rows, row{layout.Revoked(after.id, id), revokedAt})
		ch.events = append(ch.events, event{change: PortalRevoked, kind: KindCustomerPortal, id: id})
	}
	for _, id := range ch.reopened {
		ch.rows = append(ch.rows, row{key: layout.Revoked(after.id, id)})
		ch.events = append(ch.events, event{change: Updated, kind: KindCustomerPortal, id: id})
	}
	for _, c := range ch.cancelled {
		ch.rows = append(ch.rows, c.rows(ch.customer)...)
	}
	for _, c := range ch.uncancelled {
		for _, r := range c.rows(ch.customer) {
			ch.rows = append(ch.rows, row{key: r.key})
		}
	}
	after.cancelled += uint64(len(ch.cancelled)) - uint64(len(ch.uncancelled))
	if ch.created {
		ch.rows = append(ch.rows, row{layout.CustomerKey(after.workspace, after.key), after.id[:]})
	}
	ch.rows = append(ch.rows, row{layout.CustomerRecord(after.id), encodeCustomer(&after)})
}

// write writes the rows that prepare has computed.
func (ch *changes) write(tx storage.Tx) error {
	for _, r := range ch.rows {
		var err error
		if r.value == nil {
			err = tx.Delete(r.key)
		} else {
			err = tx.Put(r.key, r.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// news returns the events that prepare has computed.
func (ch *changes) feedEvents() feedEvents {
	return feedEvents{customer: ch.customer, at: ch.at, events: ch.events, deleted: ch.deleted != nil}
}

// Planned yields each resource that the push creates or updates, as the push leaves it, in
// the order of the report. It is for the Guard of a push, with the Snapshot that the Guard
// was given, and yields nothing elsewhere. In a dry run a resource that would be created has
// no ID.
func (s *Snapshot) Planned() iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		if s.planned == nil {
			return
		}
		for _, e := range s.planned.edits {
			if e.new == nil {
				continue // deleted by a sync
			}
			// Encoding and decoding gives the resource that a later read returns, which shares no
			// memory with the plan.
			n, err := decodeRecord(s.planned.customer, e.new.ref(), encodeRecord(e.new))
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(n.public(), nil) {
				return
			}
		}
	}
}
