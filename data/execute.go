package data

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// operation is the set of writes of a push, a sync or a delete. They are written in one Update.
type operation struct {
	changes []*changes // one for each customer
	actor   Actor      // the actor that makes the changes

	// within, if it is not nil, is called in the transaction that commits, with the first customer.
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

// planner computes an operation from the state that s reads. It may be called again with a newer state. It returns
// errPlanTooLarge if it needs to read more than maxResources resources.
type planner func(ctx context.Context, s *Snapshot, maxResources int) (*operation, error)

// unbounded is the maxResources of a plan that may read any number of resources.
const unbounded = int(^uint(0) >> 1)

// shortPlan is the maximum number of resources that a plan may read in the transaction that writes it. Other writers wait for
// this transaction, so a larger operation is planned on a snapshot beforehand.
const shortPlan = 5000

// maxSnapshotPlans is the maximum number of times that a large operation is planned on a snapshot. If the customers have
// changed each time before the plan could be written, the operation is planned in the transaction that writes it. No other
// write can intervene then.
const maxSnapshotPlans = 4

// errPlanTooLarge is returned by a planner that would exceed its maxResources.
var errPlanTooLarge = errors.New("data: internal: the plan is too large")

// errStale is returned if a plan is no longer valid because of another write. It does not match ErrConflict, because the
// store must not retry the same plan.
var errStale = errors.New("data: internal: the plan is out of date")

// execute performs an operation in one Update. A small operation is planned in that Update. A large operation is planned on a
// snapshot first, and the Update verifies that the rows on which the plan depends have not changed.
//
// reads are the keys that a small plan reads. They are a hint for the store.
//
// Callbacks of the caller get a context with which each write of the same store returns storage.ErrNested.
func (w *Workspace) execute(ctx context.Context, actor Actor, plan planner, reads ...[]byte) error {
	if err := actor.validate(); err != nil {
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

// refuseNested returns a planner that calls plan and the within function of its operation with another context. Until end is
// called, a write of the workspace's store with that context returns storage.ErrNested. The returned operation has the actor.
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

// writePlanned plans an operation on a snapshot, and writes it in an Update that verifies the plan. It returns errStale if
// the plan is no longer valid.
func (w *Workspace) writePlanned(ctx context.Context, plan planner) error {
	var op *operation
	err := w.View(ctx, func(s *Snapshot) (err error) {
		if op, err = plan(ctx, s, unbounded); err != nil {
			return err
		}
		return op.prepare(ctx, s.r) // here, because other writers would wait for it in the Update
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

// verify returns errStale if a row on which the plan depends has changed.
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

// write writes the rows and the events of the operation, and then calls within.
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

// executeOrDryRun executes an operation. In a dry run it only plans the operation.
func (w *Workspace) executeOrDryRun(ctx context.Context, dryRun bool, actor Actor, plan planner, reads ...[]byte) error {
	if !dryRun {
		return w.execute(ctx, actor, plan, reads...)
	}
	if err := actor.validate(); err != nil {
		return err
	}
	plan, end := w.refuseNested(ctx, actor, plan)
	defer end()
	return w.View(ctx, func(s *Snapshot) error {
		_, err := plan(ctx, s, unbounded)
		return err
	})
}
