package data

import (
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// changes are the planned changes of an operation to one customer. They are not stored until write is called.
type changes struct {
	w           *Workspace
	customer    *customer      // before the operation
	at          time.Time      // time of the operation
	actor       Actor          // of the operation; set if resources change
	created     bool           // the customer is new
	fields      customerFields // fields of the customer after the operation
	bumpVersion bool           // write the record of the customer even if nothing else changes
	deleted     *deletedRows   // the customer is deleted with all its resources; nil if it is not
	edits       []edit
	revoked     []uuid.UUID // revoked portals
	reopened    []uuid.UUID // portals whose revocation is undone

	devices     []row           // rows of devices and access codes to write
	cancelled   []*cancellation // added cancellations
	uncancelled []*cancellation // removed cancellations

	// dependencies are the rows on which the plan depends, with the values that were read; nil means that the row was absent.
	// The plan is valid while they do not change.
	dependencies []row

	// emails are the rows of e-mail addresses that were read. The value is zero for an address that no stored user identity
	// has. These rows are in the range of the customer. They cannot change without a change of the customer's record, which
	// is one of the dependencies.
	emails map[layout.EmailHash]emailUsers

	rows   []row   // rows to write, computed by prepare; a nil value deletes the row
	events []event // for the change feed, computed by prepare
}

// deletedRows are the resources and portals of a deleted customer, for the change feed.
type deletedRows struct {
	resources []DeletedResource
	portals   []uuid.UUID
}

// edit is the change of one resource. old is nil if the resource is created. new is nil if it is deleted. If their kinds
// differ, old is deleted and new is created with the same key.
type edit struct {
	old, new *node
	noEvent  bool // only the origin or the host's values change, which the feed does not report
}

// replaces reports whether one resource is deleted and another is created with its key.
func (e edit) replaces() bool { return e.old != nil && e.new != nil && e.old.kind != e.new.kind }

// newChanges returns empty changes of a customer. created reports whether the operation creates the customer.
func (s *Snapshot) newChanges(c *customer, created bool) *changes {
	ch := &changes{w: s.w, customer: c, at: s.time(), created: created, fields: c.customerFields}
	if created {
		ch.dependencies = append(ch.dependencies, row{key: layout.CustomerIndex(c.workspace, c.key)})
	} else {
		ch.dependencies = append(ch.dependencies, row{layout.CustomerRow(c.id), c.stored})
	}
	return ch
}

// dependOnDevices makes the plan depend on the row that counts the customer's devices and access codes, so that a code that is
// written after the plan is not missed. It returns the counts in the row.
func (ch *changes) dependOnDevices(value []byte) (devicerow.Counts, error) {
	ch.dependencies = append(ch.dependencies, row{layout.DeviceCounts(ch.customer.id), value})
	return devicerow.DecodeCounts(value)
}

// put plans to replace the resource old with new, or to create new if old is nil. It returns the entry for the report.
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

// customerChanged reports whether the customer's own name or time zone changes.
func (ch *changes) customerChanged() bool { return ch.fields != ch.customer.customerFields }

// event returns the change of the customer's own fields for the change feed.
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

// public returns the customer as it is after the operation, without its counts.
func (ch *changes) public() Customer {
	after := *ch.customer
	after.customerFields = ch.fields
	return after.public()
}

// prepare computes the rows and the events of the plan. emails are the rows of e-mail addresses that the plan changes.
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

// prepareDelete plans to delete the record of the customer, which makes all its rows unreachable. It adds a row from which
// Sweep learns to delete these rows.
func (ch *changes) prepareDelete() {
	c := ch.customer
	ch.rows = []row{
		{key: layout.CustomerIndex(c.workspace, c.key)},
		{key: layout.CustomerRow(c.id)},
		{layout.DeletedCustomer(c.id), deletedCustomer{workspace: c.workspace, resources: c.total(), at: ch.at}.encode()},
	}
	ch.rows = append(ch.rows, ch.devices...)
	ch.events = make([]event, 0, len(ch.deleted.resources)+len(ch.deleted.portals))
	for _, id := range ch.deleted.portals {
		ch.events = append(ch.events, event{change: Deleted, kind: KindCustomerPortal, id: id})
	}
	for _, r := range ch.deleted.resources {
		ch.events = append(ch.events, event{change: Deleted, kind: r.Kind, key: r.Key, id: r.ID})
	}
}

// prepareEdits computes the rows of the resources, of the revoked portals, and of the customer itself.
func (ch *changes) prepareEdits() {
	after := *ch.customer
	after.seq++
	after.customerFields = ch.fields
	const usualRows = 6 // of a resource
	ch.rows, ch.events = make([]row, 0, usualRows*len(ch.edits)+usualRows), make([]event, 0, len(ch.edits)+1)
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
		ch.rows = appendDiff(ch.rows, ch.customer, e.old, e.new)
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
	ch.rows = append(ch.rows, ch.devices...)
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
		ch.rows = append(ch.rows, row{layout.CustomerIndex(after.workspace, after.key), after.id[:]})
	}
	ch.rows = append(ch.rows, row{layout.CustomerRow(after.id), encodeCustomer(&after)})
}

// write writes the rows that prepare has computed.
func (ch *changes) write(tx storage.Tx) error { return writeRows(tx, ch.rows) }

// writeRows writes rows. It deletes the rows whose value is nil.
func writeRows(tx storage.Tx, rows []row) error {
	for _, r := range rows {
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

// feedEvents returns the events that prepare has computed.
func (ch *changes) feedEvents() feedEvents {
	return feedEvents{customer: ch.customer, at: ch.at, events: ch.events, deleted: ch.deleted != nil}
}

// Planned yields each resource that the push creates or updates, with the values that it has after the push, in the order of
// the report. Only the Guard of a push can use it, on the Snapshot that it gets; on other Snapshots Planned yields nothing.
// In a dry run a resource that would be created has no ID.
func (s *Snapshot) Planned() iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		if s.planned == nil {
			return
		}
		for _, e := range s.planned.edits {
			if e.new == nil {
				continue // deleted by a sync
			}
			// Encode and decode the resource, so that it is equal to the result of a later read and shares no memory with the
			// plan.
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
