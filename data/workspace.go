package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Workspace is the customers of one workspace and their resources. It is a handle: its state
// is in the store of its DB. It is safe for concurrent use.
type Workspace struct {
	db *DB
	id uuid.UUID
}

// ID is the id of the workspace.
func (w *Workspace) ID() uuid.UUID { return w.id }

// DB returns the DB of the workspace.
func (w *Workspace) DB() *DB { return w.db }

func (w *Workspace) time() time.Time { return utcMicro(w.db.now()) }

func (w *Workspace) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(w.db.rand)
	if err != nil {
		return id, fmt.Errorf("data: making a derived id: %w", err)
	}
	return id, nil
}

// newCustomer plans a customer. It returns with it the keys of the rows that are there if its
// id is taken; see checkFree. In a dry run the customer has no id, and so no rows.
func (s *Snapshot) newCustomer(key string, dryRun bool) (c *customer, taken [][]byte, err error) {
	c = &customer{workspace: s.w.id, key: key, createdAt: s.time()}
	if dryRun {
		return c, nil, nil
	}
	if _, err := io.ReadFull(s.w.db.rand, c.id[:]); err != nil {
		return nil, nil, fmt.Errorf("data: making a customer id: %w", err)
	}
	return c, [][]byte{layout.CustomerRecord(c.id), layout.DeletedCustomer(c.id)}, nil
}

// checkFree returns an error if one of the rows of a new customer is there.
func checkFree(rows [][]byte) error {
	for _, row := range rows {
		if row != nil {
			return errors.New("data: Rand gave a customer id that is taken")
		}
	}
	return nil
}

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
	return tx.w.appendFeed(ctx, tx.Tx, actor, news{customer: c, at: tx.time(), events: []event{e}})
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
		ch := s.plan(c, false)
		ch.touched = true // so that long operations on the customer are planned again
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
		w.db.bell.ring(w.id)
	}
	return err
}

// Customer is a customer of the workspace.
type Customer struct {
	Key       string
	Name      string // to show to people; empty if the host has given none
	TimeZone  string // IANA name of the zone that its spaces are in; empty if the host has given none
	CreatedAt time.Time
	Counts    map[Kind]int // of its resources; a kind it has none of is absent

	id layout.CustomerID
}

func (c *customer) public() Customer {
	out := Customer{Key: c.key, Name: c.name, TimeZone: c.timeZone, CreatedAt: c.createdAt, Counts: map[Kind]int{}, id: c.id}
	for i, count := range c.counts {
		if count > 0 {
			out.Counts[kinds[i].kind] = count
		}
	}
	return out
}
