package data

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// An operation that is more than one transaction is made in steps, of which each
// is one or more bounded transactions:
//
//  1. Begin: its row says that it is preparing, and rows beside it whom it changes.
//  2. Journal: what it will write lies in parts under each customer.
//  3. Claim: the directory rows of its new keys point to it. What they point to is
//     not there yet, so nobody takes that for a resource.
//  4. Mark: each customer's record names the operation, and says its fate.
//  5. Commit: its row says so. From here on it has happened.
//  6. Finish: each customer's parts are applied and dropped; the last one holds
//     the customer's record, without the mark. Then the rows of customers that are
//     deleted are swept; the last one is the customer's record.
//
// Whoever reads a marked customer looks at the operation's row. Until 5 the mark
// means nothing; afterwards the reader does 6 for that customer first, or takes it for
// gone where it is deleted. Whoever writes what an operation has marked or claimed
// before 5 aborts it in the same transaction, and the operation begins again: so after 5
// nothing can fail.

// phase is the state of a large operation.
type phase byte

const (
	preparing phase = 1
	committed phase = 2
	aborted   phase = 3
	deleting  phase = 4 // committed, and brings no derived id that was not there before
)

// happened is whether the operation has committed.
func (p phase) happened() bool { return p == committed || p == deleting }

// standing is the row of a large operation.
type standing struct {
	phase phase     // 0 where there is no row
	at    time.Time // of the operation
}

func (st standing) encode() []byte { return layout.AppendTime([]byte{byte(st.phase)}, st.at) }

// operation reads where a large operation stands.
func (s *Snapshot) operation(ctx context.Context, op layout.OperationID) (standing, error) {
	row, err := s.get(ctx, layout.Operation(s.w.id, op))
	if err != nil {
		return standing{}, err
	}
	return decodeStanding(row)
}

func decodeStanding(row []byte) (standing, error) {
	if row == nil {
		return standing{}, nil
	}
	d := layout.NewDecoder(row)
	st := standing{phase(d.Byte()), d.Time()}
	if d.Done() != nil || st.phase < preparing || st.phase > deleting {
		return standing{}, fmt.Errorf("%w: the row of an operation", storage.ErrCorrupt)
	}
	return st, nil
}

// nextOperation finds a large operation whose id is not below from, and where it stands.
func (s *Snapshot) nextOperation(ctx context.Context, from layout.OperationID) (op layout.OperationID, st standing, found bool, err error) {
	r := storage.Prefix(layout.Operations(s.w.id))
	r.Start = layout.Operation(s.w.id, from)
	for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{KeysOnly: true, Limit: 1}) {
		if err != nil {
			return op, st, false, err
		}
		op, found = operationOf(s.w.id, e.Key), true
	}
	if found {
		st, err = s.operation(ctx, op)
	}
	return op, st, found, err
}

// identified is a pendingError where a large operation of the workspace has committed
// and may not have written all of its new derived ids. It is for a read by such an id.
func (s *Snapshot) identified(ctx context.Context) error {
	return s.without(ctx, func(p phase) bool { return p == committed })
}

// finished is a pendingError where a large operation of the workspace has committed
// and may be not all applied. It is for reads that go by no customer's record.
func (s *Snapshot) finished(ctx context.Context) error { return s.without(ctx, phase.happened) }

// without is a pendingError where an operation of the workspace is in such a phase.
func (s *Snapshot) without(ctx context.Context, in func(phase) bool) error {
	for op, more := (layout.OperationID{}), true; more; {
		at, st, found, err := s.nextOperation(ctx, op)
		if err != nil || !found {
			return err
		}
		if in(st.phase) {
			return &pendingError{w: s.w, op: at}
		}
		op, more = at.Next()
	}
	return nil
}

// pendingError says that an operation that has committed is to be finished first: for
// one customer, or, where that is none, for all.
type pendingError struct {
	w        *Workspace
	op       layout.OperationID
	customer layout.CustomerID
}

func (*pendingError) Error() string { return "data: internal: an operation is to be finished first" }

// busyError says that an operation of the same Workspace is under way.
type busyError struct{ done <-chan struct{} }

func (*busyError) Error() string { return "data: internal: an operation is under way" }

// maxWaits is how often a call waits for large operations of others, or finishes them, before
// it gives up.
const maxWaits = 1000

// errWaits is returned by a call that met large operations of others again and again.
var errWaits = fmt.Errorf("%w: large operations of others came first, %d times", storage.ErrConflict, maxWaits)

// awaiting calls do, and calls it again each time that it met a large operation, after that
// has ended. It returns errWaits after maxWaits calls.
func awaiting(ctx context.Context, do func() error) error {
	for range maxWaits {
		err := do()
		if again, waitErr := await(ctx, err); waitErr != nil {
			return waitErr
		} else if !again {
			return err
		}
	}
	return errWaits
}

// await does what an error asks for, and says whether to try again then.
func await(ctx context.Context, err error) (again bool, _ error) {
	var pending *pendingError
	var busy *busyError
	switch {
	case errors.As(err, &pending) && pending.customer == (layout.CustomerID{}):
		return true, pending.w.finishWhole(ctx, pending.op)
	case errors.As(err, &pending):
		return true, pending.w.finish(ctx, pending.op, pending.customer)
	case errors.As(err, &busy):
		select {
		case <-busy.done:
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}

// toWound says what it takes to write what an operation has marked or claimed: to
// wait, where it is one of this Workspace, or else to abort it.
func (s *Snapshot) toWound(ctx context.Context, op layout.OperationID) ([]layout.OperationID, error) {
	if op == (layout.OperationID{}) {
		return nil, nil
	}
	st, err := s.operation(ctx, op)
	if err != nil || st.phase != preparing {
		return nil, err
	}
	if done := s.w.running.of(op); done != nil {
		return nil, &busyError{done}
	}
	return []layout.OperationID{op}, nil
}

// unborn is the operation that is creating a customer of that key, to be wounded.
// A customer of that key that is being deleted goes first, so that the change feed
// tells of that before.
func (s *Snapshot) unborn(ctx context.Context, key string) ([]layout.OperationID, error) {
	id, err := s.get(ctx, layout.CustomerKey(s.w.id, key))
	if err != nil || id == nil {
		return nil, err
	}
	customerID := layout.NewDecoder(id).CustomerID()
	record, err := s.get(ctx, layout.CustomerRecord(customerID))
	if err != nil || record == nil {
		return nil, err
	}
	c, err := decodeCustomer(customerID, record)
	if err != nil {
		return nil, err
	}
	if c.fate == dying {
		return nil, &pendingError{s.w, c.op, c.id}
	}
	return s.toWound(ctx, c.op)
}

// wound aborts operations that are still preparing.
func (s *Snapshot) wound(ctx context.Context, tx storage.Tx, ops []layout.OperationID) error {
	for _, op := range ops {
		st, err := s.operation(ctx, op)
		if err != nil {
			return err
		}
		switch st.phase {
		case preparing:
			st.phase = aborted
			if err := tx.Put(layout.Operation(s.w.id, op), st.encode()); err != nil {
				return err
			}
		case committed, deleting:
			return errStale
		}
	}
	return nil
}

// journal makes an operation in the steps above.
func (w *Workspace) journal(ctx context.Context, op *operation) error {
	j := &journal{w: w, op: op, limits: w.store.Limits()}
	if _, err := io.ReadFull(w.rand, j.id[:]); err != nil {
		return fmt.Errorf("data: making an operation id: %w", err)
	}
	slices.SortFunc(op.changes, func(a, b *changes) int {
		return bytes.Compare(a.customer.id[:], b.customer.id[:])
	})
	w.running.begin(j.id)
	defer w.running.end(j.id)
	for _, step := range []func(context.Context) error{j.begin, j.write, j.claim, j.mark, j.commit} {
		if err := step(ctx); err != nil {
			// What is left behind where this fails too is nobody's, and Recover drops it.
			return errors.Join(err, w.abandon(context.WithoutCancel(ctx), j.id))
		}
	}
	// It has happened. Where finishing it fails, whoever comes next does it, or gets
	// the error.
	_ = j.finish(ctx)
	return nil
}

// finish is what is left to do after the commit.
func (j *journal) finish(ctx context.Context) error {
	later := false
	for _, ch := range j.op.changes {
		if ch.dies && j.op.sweepLater {
			later = true
			continue
		}
		if err := j.w.finish(ctx, j.id, ch.customer.id); err != nil {
			return err
		}
	}
	if later {
		return nil // which is for Recover
	}
	return j.w.forget(ctx, j.id)
}

// journal is a large operation that is being made.
type journal struct {
	w      *Workspace
	id     layout.OperationID
	op     *operation
	limits storage.Limits
}

// update runs one transaction of a step, unless the operation was aborted.
func (j *journal) update(ctx context.Context, fn func(*Snapshot, storage.Tx) error) error {
	return storage.Run(ctx, j.w.store, func(tx storage.Tx) error {
		s := j.w.At(tx)
		st, err := s.operation(ctx, j.id)
		if err != nil {
			return err
		}
		if st.phase != preparing {
			return errStale
		}
		return fn(s, tx)
	})
}

// batches calls do for stretches of n things, each as long as a transaction takes.
func (j *journal) batches(n int, weigh func(i int) (writes, bytes int), do func(from, to int) error) error {
	for from := 0; from < n; {
		b := budget{writes: j.limits.TxWrites - roomWrites, bytes: j.limits.TxBytes - roomBytes}
		to := from
		for to < n {
			if b.take(weigh(to)); !b.left() && to > from {
				break
			}
			to++
		}
		if err := do(from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// smallRow is no less than what a row weighs that holds ids alone.
const smallRow = 96

func (j *journal) begin(ctx context.Context) error {
	err := storage.Run(ctx, j.w.store, func(tx storage.Tx) error {
		return tx.Put(layout.Operation(j.w.id, j.id), standing{preparing, j.op.at()}.encode())
	})
	if err != nil {
		return err
	}
	one := func(int) (int, int) { return 1, smallRow }
	err = j.batches(len(j.op.changes), one, func(from, to int) error {
		return j.update(ctx, func(_ *Snapshot, tx storage.Tx) error {
			for _, ch := range j.op.changes[from:to] {
				if err := tx.Put(layout.OperationCustomer(j.w.id, j.id, ch.customer.id), nil); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var wounds []layout.OperationID
	for _, ch := range j.op.changes {
		wounds = append(wounds, ch.wounds...)
	}
	return j.batches(len(wounds), one, func(from, to int) error {
		return j.update(ctx, func(s *Snapshot, tx storage.Tx) error { return s.wound(ctx, tx, wounds[from:to]) })
	})
}

// write writes the journal's parts.
func (j *journal) write(ctx context.Context) error {
	for _, ch := range j.op.changes {
		if ch.dies {
			continue
		}
		number := uint64(0)
		var parts []row
		weight := 0
		flush := func() error {
			err := j.update(ctx, func(_ *Snapshot, tx storage.Tx) error {
				for _, part := range parts {
					if err := tx.Put(part.key, part.value); err != nil {
						return err
					}
				}
				return nil
			})
			parts, weight = nil, 0
			return err
		}
		for part := range j.parts(ch) {
			bytes := storage.EntryBytes(nil, part) + smallRow
			if len(parts) > 0 && (weight+bytes > j.limits.TxBytes || len(parts) == j.limits.TxWrites) {
				if err := flush(); err != nil {
					return err
				}
			}
			parts = append(parts, row{layout.JournalPart(ch.customer.id, j.id, number), part})
			weight += bytes
			number++
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// parts cuts what is done to a customer into parts, each of which can be stored as
// one value and applied in one transaction.
func (j *journal) parts(ch *changes) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		most := min(j.limits.ValueBytes, j.limits.TxBytes-smallRow-roomBytes)
		full := func() budget {
			return budget{writes: j.limits.TxWrites - roomWrites, bytes: j.limits.TxBytes - roomBytes}
		}
		left := full()
		var part []byte
		for m := range ch.mutations() {
			b := m.encode()
			if fits := left.takes(m); (!fits || len(part)+len(b) > most) && len(part) > 0 {
				if !yield(part) {
					return
				}
				part, left = nil, full()
				left.takes(m)
			}
			part = append(part, b...)
		}
		yield(part)
	}
}

// claim points the directory rows of new keys to the operation, in one order for
// all operations, so that two of them cannot wait for one another.
func (j *journal) claim(ctx context.Context) error {
	type taking struct {
		claim
		ch *changes
	}
	var all []taking
	for _, ch := range j.op.changes {
		for _, c := range ch.claims {
			all = append(all, taking{c, ch})
		}
	}
	slices.SortFunc(all, func(a, b taking) int {
		return cmp.Or(cmp.Compare(a.ref.Kind.Class(), b.ref.Kind.Class()), cmp.Compare(a.ref.Key, b.ref.Key))
	})
	weigh := func(i int) (int, int) { return 1, smallRow + len(all[i].ref.Key) }
	return j.batches(len(all), weigh, func(from, to int) error {
		return j.update(ctx, func(s *Snapshot, tx storage.Tx) error {
			claims := make([]claim, 0, to-from)
			for _, t := range all[from:to] {
				claims = append(claims, t.claim)
			}
			if err := s.verifyClaims(ctx, claims); err != nil {
				return err
			}
			for _, t := range all[from:to] {
				row := owner{customer: t.ch.customer.id, kind: t.ref.Kind, op: j.id}.encode()
				if err := tx.Put(layout.Directory(j.w.id, byte(t.ref.Kind.Class()), t.ref.Key), row); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// mark names the operation in the record of each customer.
func (j *journal) mark(ctx context.Context) error {
	weigh := func(i int) (int, int) {
		c := j.op.changes[i].customer
		return 2, 2 * (smallRow + len(c.key) + len(c.name) + len(c.timeZone) + 8*len(kinds))
	}
	return j.batches(len(j.op.changes), weigh, func(from, to int) error {
		return j.update(ctx, func(s *Snapshot, tx storage.Tx) error {
			for _, ch := range j.op.changes[from:to] {
				if err := ch.verifyCustomer(ctx, s); err != nil {
					return err
				}
				c := *ch.customer
				c.op = j.id
				switch {
				case ch.dies:
					c.fate = dying
				case ch.created:
					c.fate = unborn
					if err := tx.Put(layout.CustomerKey(j.w.id, c.key), c.id[:]); err != nil {
						return err
					}
				default:
					c.fate = changing
				}
				if err := tx.Put(layout.CustomerRecord(c.id), encodeCustomer(&c)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (j *journal) commit(ctx context.Context) error {
	return j.update(ctx, func(s *Snapshot, tx storage.Tx) error {
		s.at = j.op.at()
		if j.op.within != nil {
			if err := j.op.within(ctx, CustomerTx{Snapshot: s, Tx: tx, Customer: j.op.changes[0].public()}); err != nil {
				return err
			}
		}
		st := standing{committed, j.op.at()}
		if lo.SomeBy(j.op.changes, func(ch *changes) bool { return ch.dies }) { // a delete, whatever else it changes
			st.phase = deleting
		}
		return tx.Put(layout.Operation(j.w.id, j.id), st.encode())
	})
}

// Marks of what a mutation in a journal is.
const (
	journalPut    = 'p'
	journalDelete = 'x'
	journalEvent  = 'e'
)

func (m mutation) encode() []byte {
	var b []byte
	if m.event != nil {
		b = m.event.append(append(b, journalEvent))
	}
	switch {
	case m.key == nil:
	case m.value == nil:
		b = layout.AppendBytes(append(b, journalDelete), m.key)
	default:
		b = layout.AppendBytes(append(b, journalPut), m.key)
		b = layout.AppendBytes(b, m.value)
	}
	return b
}

func decodeJournal(part []byte) ([]mutation, error) {
	var out []mutation
	d := layout.NewDecoder(part)
	for d.More() {
		switch d.Byte() {
		case journalEvent:
			e, ok := decodeEvent(d)
			if !ok {
				d.Fail()
			}
			out = append(out, mutation{event: &e})
		case journalDelete:
			out = append(out, mutation{key: []byte(d.String())})
		case journalPut:
			out = append(out, mutation{key: []byte(d.String()), value: []byte(d.String())})
		default:
			d.Fail()
		}
	}
	if d.Done() != nil {
		return nil, fmt.Errorf("%w: a part of a journal", storage.ErrCorrupt)
	}
	return out, nil
}

// operationOf reads an operation's id from the key of one of its rows.
func operationOf(workspace uuid.UUID, key []byte) (id layout.OperationID) {
	copy(id[:], key[len(layout.Operations(workspace)):])
	return id
}
