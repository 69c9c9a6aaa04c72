package data

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// CustomerTx is a transaction that holds one customer. What it writes commits
// with the rest of the transaction, or not at all.
type CustomerTx struct {
	*Snapshot // sees what the transaction has written

	// Tx is for rows of the caller's own. Their keys begin with a lower-case letter:
	// the library's begin with an upper-case one.
	Tx storage.Tx

	Customer Customer
}

// addChange adds a change of a portal of the customer to the change feed. It returns a [validation.Error] for an actor that
// breaks the rules of [Actor].
func (tx CustomerTx) addChange(ctx context.Context, actor Actor, change Change, portalID uuid.UUID) error {
	if err := actor.check(); err != nil {
		return err
	}
	c := &customer{id: tx.Customer.id, workspace: tx.w.id, key: tx.Customer.Key}
	e := event{change: change, kind: KindCustomerPortal, id: portalID}
	return tx.w.appendFeed(ctx, tx.Tx, actor, feedEvents{customer: c, at: tx.time(), events: []event{e}})
}

// Within runs fn in a transaction that holds a customer that exists, or returns
// [ErrCustomerNotFound]. fn may run more than once. It writes by way of CustomerTx.Tx alone:
// any other write of the same store with the context that fn is given, or one derived from
// it, such as a Push, returns [storage.ErrNested]. Reads are possible.
//
// reads are keys that fn will probably read, a hint for the store as in
// [storage.Store].Update. The customer's own rows need not be among them.
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
		ch.bumpVersion = true // so that long operations on the customer are planned again
		return &operation{changes: []*changes{ch}, within: fn}, nil
	}, reads...)
}

// withinUnversioned is withinID for rows that no operation on the customer depends on.
func (w *Workspace) withinUnversioned(ctx context.Context, id layout.CustomerID, fn func(context.Context, CustomerTx) error, reads ...[]byte) error {
	reads = append([][]byte{layout.Format(), layout.CustomerRecord(id)}, reads...)
	inner, end := storage.Inside(ctx, w.db.store)
	defer end()
	err := storage.Run(ctx, w.db.store, func(tx storage.Tx) error {
		if err := w.db.checkFormat(ctx, tx); err != nil {
			return err
		}
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
