package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// operation is what a push, a sync or a delete makes of the store.
type operation struct {
	changes []*changes // by customer

	// within is run in the transaction that commits, with the first customer.
	within func(context.Context, CustomerTx) error

	sweepLater bool // as in DeleteOptions
}

// empty is whether there is nothing to write.
func (op *operation) empty() bool {
	for _, ch := range op.changes {
		if !ch.empty() {
			return false
		}
	}
	return op.within == nil
}

// at is when the operation happens, which changes something.
func (op *operation) at() time.Time { return op.changes[0].at }

// planner finds what to do. It may be called again, on a newer state. scale is how
// many resources it may look at before it gives up with errTooLong.
type planner func(ctx context.Context, s *Snapshot, scale int) (*operation, error)

// unbounded is no limit.
const unbounded = int(^uint(0) >> 1)

// shortPlan is how many resources a plan may look at in the transaction that carries
// it out. Nobody else writes meanwhile, so one that takes longer is made beforehand.
const shortPlan = 5000

// attempts is how often a long operation begins at most, where others come first. A
// short one is tried again by storage.Run. A begin that had to wait for another operation
// does not count; see maxWaits.
const attempts = 12

// errTooLong is an answer to ourselves: plan it beforehand.
var errTooLong = errors.New("data: internal: the plan takes too long")

// errStale says that a plan no longer holds, or that its operation was aborted, since
// another came first. It is no ErrConflict, so that nobody tries the transaction again:
// it is to be planned again.
var errStale = errors.New("data: internal: another operation came first")

// execute makes an operation, all of it or nothing. A short operation is planned and
// written in one transaction. One that takes long to plan, or turns out to be more than
// that transaction holds, is planned on a snapshot before. If it then fits in one
// transaction, it is written in one that verifies that nothing has changed since; else it
// is journaled.
//
// The callbacks of the caller run with a context that makes each write of the same store
// return storage.ErrNested.
func (w *Workspace) execute(ctx context.Context, plan planner) error {
	plan, end := w.inside(ctx, plan)
	defer end()
	scale := min(shortPlan, w.store.Limits().TxWrites)
	for attempt := 1; ; attempt++ {
		long := false
		err := awaiting(ctx, func() error {
			err := storage.Run(ctx, w.store, func(tx storage.Tx) error {
				s := w.At(tx)
				op, err := plan(ctx, s, scale)
				if err != nil {
					return err
				}
				return op.write(ctx, s, tx)
			})
			if long = errors.Is(err, errTooLong) || errors.Is(err, storage.ErrTxTooLarge); long {
				err = w.executeLong(ctx, plan)
			}
			return err
		})
		stale := errors.Is(err, errStale)
		switch {
		case stale && attempt >= attempts:
			return fmt.Errorf("%w: other operations came first, %d times", storage.ErrConflict, attempt)
		case stale, long && errors.Is(err, storage.ErrConflict) && !errors.Is(err, errWaits) && attempt < attempts:
			if err := pause(ctx, attempt); err != nil {
				return err
			}
		default:
			if err == nil {
				w.news.tell()
			}
			return err
		}
	}
}

// inside returns a planner that calls plan, and the operation's within, with a context that
// is marked as inside of a write of the workspace's store until end is called.
func (w *Workspace) inside(ctx context.Context, plan planner) (marked planner, end func()) {
	inner, end := storage.Inside(ctx, w.store)
	return func(_ context.Context, s *Snapshot, scale int) (*operation, error) {
		op, err := plan(inner, s, scale)
		if err == nil && op.within != nil {
			within := op.within
			op.within = func(_ context.Context, tx CustomerTx) error { return within(inner, tx) }
		}
		return op, err
	}, end
}

// pause waits for a random part of a gap that doubles with each attempt, from 2 ms to
// 256 ms, so that of those that come in each other's way one gets through.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(time.Millisecond << min(attempt, 8)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// executeLong makes an operation whose plan is made beforehand.
func (w *Workspace) executeLong(ctx context.Context, plan planner) error {
	var op *operation
	err := w.store.View(ctx, func(r storage.Reader) (err error) {
		op, err = plan(ctx, w.At(r), unbounded)
		return err
	})
	if err != nil || op.empty() {
		return err
	}
	if !op.fits(w.store.Limits()) {
		return w.journal(ctx, op)
	}
	err = w.store.Update(ctx, func(tx storage.Tx) error {
		s := w.At(tx)
		s.at = op.at()
		for _, ch := range op.changes {
			if err := ch.verify(ctx, s); err != nil {
				return err
			}
		}
		return op.write(ctx, s, tx)
	})
	if errors.Is(err, storage.ErrTxTooLarge) { // for what within writes
		return w.journal(ctx, op)
	}
	return err
}

// write makes a small operation.
func (op *operation) write(ctx context.Context, s *Snapshot, tx storage.Tx) error {
	for _, ch := range op.changes {
		if err := ch.write(ctx, s, tx); err != nil {
			return err
		}
	}
	if op.within == nil {
		return nil
	}
	return op.within(ctx, CustomerTx{Snapshot: s, Tx: tx, Customer: op.changes[0].public()})
}

// room is what is left of a transaction for what an operation's within writes, and
// for the rows of the change feed.
const (
	roomWrites = 16
	roomBytes  = 2048
)

// fits is whether an operation is one transaction.
func (op *operation) fits(limits storage.Limits) bool {
	b := budget{writes: limits.TxWrites - roomWrites, bytes: limits.TxBytes - roomBytes}
	for _, ch := range op.changes {
		if ch.dies {
			b.take(-ch.sweep.writes, -ch.sweep.bytes)
			continue
		}
		for m := range ch.mutations() {
			if !b.takes(m) {
				return false
			}
		}
	}
	return b.left()
}

// budget is what is left of a transaction.
type budget struct {
	writes, bytes int
	events        int // bytes of events so far
}

func (b *budget) take(writes, bytes int) {
	b.writes -= writes
	b.bytes -= bytes
}

func (b *budget) left() bool { return b.writes >= 0 && b.bytes >= 0 }

// takes takes a mutation, and says whether it was there to take.
func (b *budget) takes(m mutation) bool {
	if m.key != nil {
		b.take(1, storage.EntryBytes(m.key, m.value))
	}
	if m.event != nil {
		rows := b.events / feedRowBytes
		b.events += len(m.event.key) + 24
		b.take(b.events/feedRowBytes-rows, len(m.event.key)+24) // of the feed; the last one is in the room left
	}
	return b.left()
}

// verify is errStale where the plan no longer holds.
func (ch *changes) verify(ctx context.Context, s *Snapshot) error {
	if err := ch.verifyCustomer(ctx, s); err != nil {
		return err
	}
	return s.verifyClaims(ctx, ch.claims)
}

// verifyCustomer is errStale where the customer is no longer as it was.
func (ch *changes) verifyCustomer(ctx context.Context, s *Snapshot) error {
	if ch.created {
		if _, err := s.customer(ctx, ch.customer.key); !errors.Is(err, ErrCustomerNotFound) {
			return cmp.Or(err, errStale)
		}
		wounds, err := s.unborn(ctx, ch.customer.key)
		if err == nil && !slices.Equal(wounds, ch.wounds[:min(len(wounds), len(ch.wounds))]) {
			err = errStale
		}
		return err
	}
	now, err := s.customerByID(ctx, ch.customer.id)
	if err != nil {
		return err
	}
	if now == nil || now.seq != ch.customer.seq || now.op != ch.customer.op {
		return errStale
	}
	return nil
}

// verifyClaims is errStale where a row that was nobody's is no longer as it was.
func (s *Snapshot) verifyClaims(ctx context.Context, claims []claim) error {
	keys := make([][]byte, len(claims))
	for i, c := range claims {
		keys[i] = layout.Directory(s.w.id, byte(c.ref.Kind.Class()), c.ref.Key)
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if string(row) != string(claims[i].seen) {
			return errStale
		}
	}
	return nil
}

// running is the large operations that a Workspace is making, so that others that
// meet them there wait for them.
type running struct {
	mu   sync.Mutex
	done map[layout.OperationID]chan struct{}
}

func (r *running) begin(op layout.OperationID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[layout.OperationID]chan struct{}{}
	}
	r.done[op] = make(chan struct{})
}

func (r *running) end(op layout.OperationID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.done[op])
	delete(r.done, op)
}

// of is closed when an operation ends; nil where it is not this Workspace's.
func (r *running) of(op layout.OperationID) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if done, ok := r.done[op]; ok {
		return done
	}
	return nil
}

// news tells those who follow the change feed that there may be more.
type news struct {
	mu sync.Mutex
	ch chan struct{}
}

func (n *news) listen() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
