package data

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// CustomerTx is a transaction for one customer. All its writes are committed together, or none.
type CustomerTx struct {
	*Snapshot // reads the state with the writes of the transaction

	// Tx is for the caller's own rows. Their keys must begin with a lower-case letter. Keys of the library begin with an
	// upper-case letter.
	Tx storage.Tx

	Customer Customer
}

// addChange adds a change of a portal of the customer to the change feed. It returns a [validation.Error] if the actor breaks
// the rules of [Actor].
func (tx CustomerTx) addChange(ctx context.Context, actor Actor, change Change, portalID uuid.UUID) error {
	if err := actor.validate(); err != nil {
		return err
	}
	c := &customer{id: tx.Customer.id, workspace: tx.w.id, key: tx.Customer.Key}
	e := event{change: change, kind: KindCustomerPortal, id: portalID}
	return tx.w.appendFeed(ctx, tx.Tx, actor, feedEvents{customer: c, at: tx.time(), events: []event{e}})
}

// Within calls fn in a transaction for an existing customer. It returns [ErrCustomerNotFound] if there is no such customer.
// Within may call fn more than once. fn must write with CustomerTx.Tx only: any other write of the same store, such as a Push,
// returns [storage.ErrNested] if its context is the one that fn gets or is derived from it. Reads are permitted.
//
// reads are keys that fn will probably read. They are a hint for the store, as in [storage.Store].Update. The customer's own
// rows need not be included.
func (w *Workspace) Within(ctx context.Context, customerKey string, fn func(context.Context, CustomerTx) error, reads ...[]byte) error {
	reads = append(w.customerReads(customerKey), reads...)
	return w.within(ctx, fn, func(s *Snapshot) (*customer, error) { return s.customer(ctx, customerKey) }, reads)
}

func (w *Workspace) within(ctx context.Context, fn func(context.Context, CustomerTx) error, find func(*Snapshot) (*customer, error), reads [][]byte) error {
	return w.execute(ctx, Actor{}, func(ctx context.Context, s *Snapshot, _ int) (*operation, error) {
		c, err := find(s)
		if err != nil {
			return nil, err
		}
		ch := s.newChanges(c, false)
		ch.bumpVersion = true // large operations on the customer are then planned again
		return &operation{changes: []*changes{ch}, within: fn}, nil
	}, reads...)
}

// withinUnversioned is withinID for rows on which no operation on the customer depends.
func (w *Workspace) withinUnversioned(ctx context.Context, id layout.CustomerID, fn func(context.Context, CustomerTx) error, reads ...[]byte) error {
	reads = append([][]byte{layout.CustomerRow(id)}, reads...)
	inner, end := storage.Inside(ctx, w.db.store)
	defer end()
	err := w.db.update(ctx, func(tx storage.Tx) error {
		s := w.At(tx)
		c, err := s.customerByID(ctx, id)
		if err != nil {
			return err
		}
		return fn(inner, CustomerTx{Snapshot: s, Tx: tx, Customer: c.public()})
	}, reads...)
	if err == nil {
		w.db.commits.broadcast(w.id)
	}
	return err
}
