package data

import (
	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// changes is what an operation does to one customer. It is a plan: nothing is
// written until write.
type changes struct {
	w        *Workspace
	customer *customer
	created  bool // the customer is new
	edits    []edit
	revoked  []uuid.UUID // portals
}

// edit is what becomes of one resource: old is nil where it is created, new where
// it is deleted.
type edit struct{ old, new *node }

func (w *Workspace) newChanges(c *customer, created bool) *changes {
	return &changes{w: w, customer: c, created: created}
}

// put plans that a resource becomes new, and says what that changes.
func (ch *changes) put(old, new *node, dryRun bool) (PushedResource, error) {
	out := PushedResource{Kind: new.kind, Key: new.key}
	now := ch.w.time()
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
		new.meta = Meta{ID: out.ID, CustomerKey: ch.customer.key, CreatedAt: now, UpdatedAt: now}
	case string(encodeFields(old)) == string(encodeFields(new)):
		out.ID, out.Change = old.meta.ID, Unchanged
		return out, nil
	default:
		out.ID, out.Change = old.meta.ID, Updated
		new.meta.UpdatedAt = now
	}
	ch.edits = append(ch.edits, edit{old, new})
	return out, nil
}

// empty is whether there is nothing to write.
func (ch *changes) empty() bool {
	return !ch.created && len(ch.edits) == 0 && len(ch.revoked) == 0
}

// write makes the changes.
func (ch *changes) write(tx storage.Tx) error {
	if ch.empty() {
		return nil
	}
	c := ch.customer
	for _, e := range ch.edits {
		puts, deletes := diff(c, e.old, e.new)
		for _, r := range puts {
			if err := tx.Put(r.key, r.value); err != nil {
				return err
			}
		}
		if err := tx.Delete(deletes...); err != nil {
			return err
		}
		if e.old == nil {
			c.counts[placeOf[e.new.kind]-1]++
		}
		if e.new == nil {
			c.counts[placeOf[e.old.kind]-1]--
		}
	}
	revokedAt := layout.AppendTime(nil, ch.w.time())
	for _, id := range ch.revoked {
		if err := tx.Put(layout.Revoked(c.id, id), revokedAt); err != nil {
			return err
		}
	}
	if ch.created {
		if err := tx.Put(layout.CustomerKey(c.workspace, c.key), c.id[:]); err != nil {
			return err
		}
	}
	c.seq++
	return tx.Put(layout.CustomerRecord(c.id), encodeCustomer(c))
}
