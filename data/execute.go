package data

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// operation is the writes of a push, a sync or a delete, all in one Update.
type operation struct {
	changes []*changes // one for each customer
	actor   Actor      // who makes them

	// within runs in the transaction that commits, with the first customer.
	within func(context.Context, CustomerTx) error
}

// empty reports whether there is nothing to write.
func (op *operation) empty() bool {
	for _, ch := range op.changes {
		if !ch.empty() {
			return false
		}
	}
	return op.within == nil
}

// planner computes an operation from the state that s reads. It may run again, on a newer
// state. It returns errPlanTooLarge when it has looked at more than maxResources resources.
type planner func(ctx context.Context, s *Snapshot, maxResources int) (*operation, error)

// unbounded is the maxResources of a plan that may look at any number of resources.
const unbounded = int(^uint(0) >> 1)

// shortPlan is how many resources a plan may look at in the transaction that carries it
// out. Other writers wait meanwhile, so a longer plan is made on a snapshot beforehand.
const shortPlan = 5000

// maxSnapshotPlans is how often a long operation is planned on a snapshot. If its customers
// have changed each time before it could be written, it is planned in the transaction
// that writes it, which nothing can come before.
const maxSnapshotPlans = 4

// errPlanTooLarge is returned by a planner that exceeds its maxResources.
var errPlanTooLarge = errors.New("data: internal: the plan takes too long")

// errStale is returned if a plan no longer holds because another operation came first. It
// does not match ErrConflict: the same plan must not be tried again.
var errStale = errors.New("data: internal: another operation came first")

// execute carries out an operation, all of it or nothing, in one Update. A short operation
// is planned in that Update. A long one is planned on a snapshot before, and the Update
// verifies that nothing it depends on has changed since.
//
// reads are keys that a short plan will read, a hint for the store.
//
// The callbacks of the caller run with a context that makes each write of the same store
// return storage.ErrNested.
func (w *Workspace) execute(ctx context.Context, actor Actor, plan planner, reads ...[]byte) error {
	if err := actor.check(); err != nil {
		return err
	}
	plan, end := w.refuseNested(ctx, actor, plan)
	defer end()
	err := w.planAndWrite(ctx, plan, w.db.shortPlan, reads...)
	if errors.Is(err, errPlanTooLarge) {
		for range maxSnapshotPlans {
			if err = w.writePlanned(ctx, plan); !errors.Is(err, errStale) {
				break
			}
		}
		if errors.Is(err, errStale) {
			err = w.planAndWrite(ctx, plan, unbounded)
		}
	}
	if err == nil {
		w.db.commits.broadcast(w.id)
	}
	return err
}

// refuseNested returns a planner that calls plan, and the operation's within, with a context that
// is marked as inside of a write of the workspace's store until end is called. The operation
// that it plans has the actor.
func (w *Workspace) refuseNested(ctx context.Context, actor Actor, plan planner) (marked planner, end func()) {
	inner, end := storage.Inside(ctx, w.db.store)
	return func(_ context.Context, s *Snapshot, maxResources int) (*operation, error) {
		op, err := plan(inner, s, maxResources)
		if err != nil {
			return nil, err
		}
		op.actor = actor
		if within := op.within; within != nil {
			op.within = func(_ context.Context, tx CustomerTx) error { return within(inner, tx) }
		}
		return op, nil
	}, end
}

// planAndWrite plans an operation and writes it in the same Update.
func (w *Workspace) planAndWrite(ctx context.Context, plan planner, maxResources int, reads ...[]byte) error {
	return storage.Run(ctx, w.db.store, func(tx storage.Tx) error {
		if err := w.db.checkFormat(ctx, tx); err != nil {
			return err
		}
		s := w.At(tx)
		op, err := plan(ctx, s, maxResources)
		if err != nil {
			return err
		}
		if err := op.prepare(ctx, tx); err != nil {
			return err
		}
		return op.write(ctx, s, tx)
	}, append(reads, layout.Format())...)
}

// writePlanned plans an operation on a snapshot, and writes it in an Update that verifies
// the plan. It returns errStale if the plan no longer holds.
func (w *Workspace) writePlanned(ctx context.Context, plan planner) error {
	var op *operation
	err := w.View(ctx, func(s *Snapshot) (err error) {
		if op, err = plan(ctx, s, unbounded); err != nil {
			return err
		}
		return op.prepare(ctx, s.r) // now, so that other writers do not wait for it
	})
	if err != nil || op.empty() {
		return err
	}
	return storage.Run(ctx, w.db.store, func(tx storage.Tx) error {
		s := w.At(tx)
		s.at = op.changes[0].at
		if err := op.verify(ctx, s); err != nil {
			return err
		}
		return op.write(ctx, s, tx)
	}, op.reads()...)
}

// verify returns errStale if a row that the plan depends on has changed since.
func (op *operation) verify(ctx context.Context, s *Snapshot) error {
	var dependencies []row
	for _, ch := range op.changes {
		dependencies = append(dependencies, ch.dependencies...)
	}
	values, err := s.r.Get(ctx, keysOf(dependencies)...)
	if err != nil {
		return err
	}
	for i, value := range values {
		if (value == nil) != (dependencies[i].value == nil) || string(value) != string(dependencies[i].value) {
			return errStale
		}
	}
	return nil
}

// reads returns the keys that verify and write read.
func (op *operation) reads() [][]byte {
	keys := [][]byte{layout.FeedEnds(op.changes[0].customer.workspace)}
	for _, ch := range op.changes {
		keys = append(keys, keysOf(ch.dependencies)...)
	}
	return keys
}

// prepare computes the rows and the events that write writes. It makes at most one read.
func (op *operation) prepare(ctx context.Context, r storage.Reader) error {
	emails, err := emailRows(ctx, r, op.changes)
	if err != nil {
		return err
	}
	for i, ch := range op.changes {
		ch.prepare(emails[i])
	}
	return nil
}

// write writes the operation.
func (op *operation) write(ctx context.Context, s *Snapshot, tx storage.Tx) error {
	if err := s.w.db.recordFormat(ctx, tx); err != nil {
		return err
	}
	events := make([]feedEvents, len(op.changes))
	for i, ch := range op.changes {
		if err := ch.write(tx); err != nil {
			return err
		}
		events[i] = ch.feedEvents()
	}
	if err := s.w.appendFeed(ctx, tx, op.actor, events...); err != nil {
		return err
	}
	if op.within == nil {
		return nil
	}
	return op.within(ctx, CustomerTx{Snapshot: s, Tx: tx, Customer: op.changes[0].public()})
}

// executeOrDryRun executes an operation, or only plans it.
func (w *Workspace) executeOrDryRun(ctx context.Context, dryRun bool, actor Actor, plan planner, reads ...[]byte) error {
	if !dryRun {
		return w.execute(ctx, actor, plan, reads...)
	}
	if err := actor.check(); err != nil {
		return err
	}
	plan, end := w.refuseNested(ctx, actor, plan)
	defer end()
	return w.View(ctx, func(s *Snapshot) error {
		_, err := plan(ctx, s, unbounded)
		return err
	})
}
