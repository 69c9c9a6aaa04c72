package data

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// RecoverReport is what Recover did.
type RecoverReport struct {
	Finished  int // operations that had committed
	Abandoned int // operations that had not
}

// Recover finishes the large operations that a crash has left committed, and drops
// what is left of those that had not. Nothing depends on it: whoever meets such an
// operation finishes it first, and what has not committed is never seen. It is for
// a program's start, and for after a delete with SweepLater. A large operation that
// another process, or another Workspace value, is making meanwhile begins again.
func (w *Workspace) Recover(ctx context.Context) (RecoverReport, error) {
	var report RecoverReport
	err := w.eachOperation(ctx, func(op layout.OperationID, st standing) error {
		if st.phase.happened() {
			report.Finished++
			return w.finishWhole(ctx, op)
		}
		if w.running.of(op) != nil {
			return nil
		}
		report.Abandoned++
		return w.abandon(ctx, op)
	})
	return report, err
}

// finishAll finishes every operation that has committed.
func (w *Workspace) finishAll(ctx context.Context) error {
	return w.eachOperation(ctx, func(op layout.OperationID, st standing) error {
		if st.phase.happened() {
			return w.finishWhole(ctx, op)
		}
		return nil
	})
}

// eachOperation calls fn for each large operation that there is.
func (w *Workspace) eachOperation(ctx context.Context, fn func(layout.OperationID, standing) error) error {
	type found struct {
		op layout.OperationID
		standing
	}
	var ops []found
	err := w.store.View(ctx, func(r storage.Reader) error {
		ops = nil
		for op, more := (layout.OperationID{}), true; more; {
			at, st, there, err := w.At(r).nextOperation(ctx, op)
			if err != nil || !there {
				return err
			}
			ops = append(ops, found{at, st})
			op, more = at.Next()
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range ops {
		if err := fn(o.op, o.standing); err != nil {
			return err
		}
	}
	return nil
}

// finishWhole finishes an operation that has committed, for every customer.
func (w *Workspace) finishWhole(ctx context.Context, op layout.OperationID) error {
	customers, err := w.customersOf(ctx, op)
	if err != nil {
		return err
	}
	for _, c := range customers {
		if err := w.finish(ctx, op, c); err != nil {
			return err
		}
	}
	return w.forget(ctx, op)
}

// customersOf is whom an operation changes.
func (w *Workspace) customersOf(ctx context.Context, op layout.OperationID) (out []layout.CustomerID, err error) {
	prefix := layout.OperationCustomers(w.id, op)
	err = w.store.View(ctx, func(r storage.Reader) error {
		out = nil
		for e, err := range r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			out = append(out, layout.CustomerID(e.Key[len(prefix):]))
		}
		return nil
	})
	return out, err
}

// marked reads the record of a customer that an operation has marked; nil where it
// has not, or no longer.
func (s *Snapshot) marked(ctx context.Context, op layout.OperationID, id layout.CustomerID) (*customer, error) {
	record, err := s.get(ctx, layout.CustomerRecord(id))
	if err != nil || record == nil {
		return nil, err
	}
	c, err := decodeCustomer(id, record)
	if err != nil || c.fate == stays || c.op != op {
		return nil, err
	}
	return c, nil
}

// finish applies an operation that has committed to one customer. It may be called
// again, and by several at once.
func (w *Workspace) finish(ctx context.Context, op layout.OperationID, id layout.CustomerID) error {
	var from []byte // where to look for more: what lies before it is gone; nil at first
	for done := false; !done; {
		var next []byte
		err := storage.Run(ctx, w.store, func(tx storage.Tx) (err error) {
			next, done, err = w.finishSome(ctx, tx, op, id, from)
			return err
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// finishSome does what one transaction can, and says where to go on, or that there is
// no more.
func (w *Workspace) finishSome(
	ctx context.Context, tx storage.Tx, op layout.OperationID, id layout.CustomerID, from []byte,
) (next []byte, done bool, err error) {
	s := w.At(tx)
	c, err := s.marked(ctx, op, id)
	if err != nil {
		return nil, false, err
	}
	st, err := s.operation(ctx, op)
	if err != nil || c == nil || !st.phase.happened() {
		return nil, true, err
	}
	if c.fate == dying {
		limits := w.store.Limits()
		next, err = s.sweep(ctx, tx, c, st.at, from, budget{writes: limits.TxWrites - roomWrites, bytes: limits.TxBytes - roomBytes})
		return next, next == nil, err
	}
	parts := storage.Prefix(layout.Journal(id, op))
	if from != nil {
		parts.Start = from
	}
	for e, err := range tx.Scan(ctx, parts, storage.ScanOptions{Limit: 1}) {
		if err != nil {
			return nil, false, err
		}
		mutations, err := decodeJournal(e.Value)
		if err != nil {
			return nil, false, err
		}
		err = apply(ctx, tx, c, st.at, slices.Values(mutations))
		return e.Key, false, errors.Join(err, tx.Delete(e.Key))
	}
	return nil, false, fmt.Errorf("%w: a journal has lost its last part", storage.ErrCorrupt)
}

// forget drops the rows of an operation that is over.
func (w *Workspace) forget(ctx context.Context, op layout.OperationID) error {
	customers, err := w.customersOf(ctx, op)
	if err != nil {
		return err
	}
	j := &journal{w: w, limits: w.store.Limits()}
	err = j.batches(len(customers), func(int) (int, int) { return 1, smallRow }, func(from, to int) error {
		return storage.Run(ctx, w.store, func(tx storage.Tx) error {
			for _, c := range customers[from:to] {
				if err := tx.Delete(layout.OperationCustomer(w.id, op, c)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return storage.Run(ctx, w.store, func(tx storage.Tx) error { return tx.Delete(layout.Operation(w.id, op)) })
}

// abandon aborts an operation that has not committed, and drops all that it left.
func (w *Workspace) abandon(ctx context.Context, op layout.OperationID) error {
	over := false
	err := storage.Run(ctx, w.store, func(tx storage.Tx) error {
		st, err := w.At(tx).operation(ctx, op)
		if err != nil {
			return err
		}
		if over = st.phase.happened(); over || st.phase == aborted {
			return nil
		}
		st.phase = aborted
		return tx.Put(layout.Operation(w.id, op), st.encode())
	})
	if err != nil || over {
		return err
	}
	customers, err := w.customersOf(ctx, op)
	if err != nil {
		return err
	}
	for _, id := range customers {
		if err := w.unclaim(ctx, op, id); err != nil {
			return err
		}
		if err := w.unmark(ctx, op, id); err != nil {
			return err
		}
	}
	return w.forget(ctx, op)
}

// unclaim drops the journal of an operation, and the directory rows that it claimed
// and still has.
func (w *Workspace) unclaim(ctx context.Context, op layout.OperationID, id layout.CustomerID) error {
	from := layout.Journal(id, op)
	for more := true; more; {
		err := storage.Run(ctx, w.store, func(tx storage.Tx) error {
			more = false
			parts := storage.Prefix(layout.Journal(id, op))
			parts.Start = from
			for e, err := range tx.Scan(ctx, parts, storage.ScanOptions{Limit: 1}) {
				if err != nil {
					return err
				}
				from, more = e.Key, true
				mutations, err := decodeJournal(e.Value)
				if err != nil {
					return err
				}
				for _, m := range mutations {
					if !layout.IsDirectory(m.key) {
						continue
					}
					row, err := w.At(tx).get(ctx, m.key)
					if err != nil {
						return err
					}
					if o, err := decodeOwner(row); err != nil {
						return err
					} else if o.op == op {
						if err := tx.Delete(m.key); err != nil {
							return err
						}
					}
				}
				return tx.Delete(e.Key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unmark takes an operation's mark from a customer's record.
func (w *Workspace) unmark(ctx context.Context, op layout.OperationID, id layout.CustomerID) error {
	return storage.Run(ctx, w.store, func(tx storage.Tx) error {
		s := w.At(tx)
		c, err := s.marked(ctx, op, id)
		if err != nil || c == nil {
			return err
		}
		if c.fate == unborn {
			return errors.Join(tx.Delete(layout.CustomerRecord(id)), s.dropCustomerKey(ctx, tx, c))
		}
		c.fate, c.op = stays, layout.OperationID{}
		return tx.Put(layout.CustomerRecord(id), encodeCustomer(c))
	})
}

// dropCustomerKey drops the directory row of a customer, unless it is another's by now.
func (s *Snapshot) dropCustomerKey(ctx context.Context, tx storage.Tx, c *customer) error {
	key := layout.CustomerKey(c.workspace, c.key)
	id, err := s.get(ctx, key)
	if err != nil || string(id) != string(c.id[:]) {
		return err
	}
	return tx.Delete(key)
}
