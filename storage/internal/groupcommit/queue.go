// Package groupcommit combines the Updates of a backend into batches, so that many
// goroutines share one sync. Updates run one at a time and read the batches that are not
// durable yet.
package groupcommit

import (
	"context"
	"sync"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// No further Update joins a batch that has reached one of these limits, so that the Updates
// of one batch do not wait long for one another. A single Update may exceed them.
const (
	DefaultMaxRows  = 100_000
	DefaultMaxBytes = 8 << 20
)

// Outcome is the outcome of a batch. The zero Outcome means that the batch is durable and
// that Views read it.
type Outcome struct {
	Err    error // for the Updates of the batch
	Halted error // if not nil, Err is also set, and all later Updates fail with Halted
}

// dependentErr returns the error for Updates that read the batch.
func (o Outcome) dependentErr() error {
	if o.Halted != nil {
		return o.Halted
	}
	return o.Err
}

// Apply commits the writes of a batch. Calls are not concurrent, and are in the order of the
// Updates. Apply returns the outcome; or it returns a function that waits for the outcome,
// if the state that the next Update reads already contains the writes, but they may not be
// durable yet. These functions are called one at a time, in order, while later batches are
// applied. Their outcome must be zero or contain Halted, because later batches have read
// this one.
type Apply func(writes *overlay.Layer) (outcome Outcome, wait func() Outcome)

// Queue implements group commit. It applies batches one at a time, in order. While one
// batch is being applied, the next one collects the writes of all Updates that finish. An
// Update reads batches before they are durable, so it fails if one of them fails.
type Queue struct {
	// MaxRows and MaxBytes are the limits of a batch. They must not be changed after the
	// first Update.
	MaxRows, MaxBytes int

	// Admit, if it is not nil, returns an error if the writes of an Update must not be
	// committed. The other Updates of its batch, which would fail with it later, do not fail
	// then. It must not be changed after the first Update.
	Admit func(writes *overlay.Layer) error

	// Writer holds a token while an Update runs its function. Only tests use it directly.
	Writer chan struct{}

	apply Apply
	rows  transaction.RowCache // of the state of the engine, for Updates

	mu       sync.Mutex
	wake     *sync.Cond
	pending  *batch // collects new writes; nil if no write waits
	applying *batch // is being applied; nil if none is
	applied  *batch // the newest batch whose outcome the queue waits for; nil if it waits for none
	halted   error
	stopping bool
	stopped  chan struct{}

	// waiting has no buffer, so that at most two batches have been applied and are not durable.
	// With more, the batches would be smaller, and each takes time of its own.
	waiting chan *batch
}

// batch contains the writes of several Updates that are committed together. writes is
// protected by the mutex of the queue until started is closed, and does not change
// afterwards.
type batch struct {
	writes  *overlay.Layer
	started chan struct{} // closed when no further Update can join
	done    chan struct{} // closed when outcome is set
	outcome Outcome
	wait    func() Outcome
}

// Start prepares the queue and starts its goroutines. Stop ends them.
func (q *Queue) Start(apply Apply) {
	q.apply = apply
	q.Writer = make(chan struct{}, 1)
	if q.MaxRows == 0 {
		q.MaxRows, q.MaxBytes = DefaultMaxRows, DefaultMaxBytes
	}
	q.wake = sync.NewCond(&q.mu)
	q.stopped = make(chan struct{})
	q.waiting = make(chan *batch)
	go q.applyAll()
	go q.awaitAll()
}

// Stop returns when every batch is done. No Update may be running.
func (q *Queue) Stop() {
	q.mu.Lock()
	q.stopping = true
	q.wake.Signal()
	q.mu.Unlock()
	<-q.stopped
}

// Halt makes all later Updates fail with err.
func (q *Queue) Halt(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.halted = err
}

// Halted returns the error with which the queue was halted, or nil.
func (q *Queue) Halted() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.halted
}

// Full reports whether the pending batch is full, so that Updates wait.
func (q *Queue) Full() bool { return q.fullBatch() != nil }

// Pending returns the number of writes in the pending batch.
func (q *Queue) Pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending == nil {
		return 0
	}
	return q.pending.writes.Len()
}

// state returns the layers that an Update reads above the state of the engine, newest
// first, and all batches that are not durable yet. The caller holds the writer token, so no
// batch is added concurrently.
func (q *Queue) state() (layers []*overlay.Layer, bases []*batch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.halted != nil {
		return nil, nil, q.halted
	}
	for _, b := range []*batch{q.pending, q.applying} {
		if b != nil {
			layers, bases = append(layers, b.writes), append(bases, b)
		}
	}
	if q.applied != nil { // the batches before it are done earlier
		bases = append(bases, q.applied)
	}
	return layers, bases, nil
}

// awaitRoom waits until the pending batch is not full. The caller must not hold the writer
// token, so that other Updates can continue while a full batch waits for the previous one.
func (q *Queue) awaitRoom(ctx context.Context) error {
	for {
		b := q.fullBatch()
		if b == nil {
			return nil
		}
		select {
		case <-b.started:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fullBatch returns the pending batch if it is full, or nil.
func (q *Queue) fullBatch() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if b := q.pending; b != nil && (b.writes.Len() >= q.MaxRows || b.writes.Bytes() >= q.MaxBytes) {
		return b
	}
	return nil
}

// join adds the writes of an Update to the pending batch and returns it. bases are the
// batches that the Update has read. The caller has held the writer token since the pending
// batch was not full.
func (q *Queue) join(own *overlay.Layer, bases []*batch) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// A batch that this Update has read may have failed.
	for _, b := range bases {
		if err := b.failure(); err != nil {
			return nil, err
		}
	}
	if q.halted != nil {
		return nil, q.halted
	}
	if q.pending != nil {
		q.pending.writes.Add(own)
		return q.pending, nil
	}
	q.pending = &batch{writes: own, started: make(chan struct{}), done: make(chan struct{})}
	q.wake.Signal()
	return q.pending, nil
}

// failure returns the error for Updates that read the batch, or nil if it has not failed.
// The caller holds the mutex of the queue.
func (b *batch) failure() error {
	select {
	case <-b.done:
		return b.outcome.dependentErr()
	default:
		return nil
	}
}

// applyAll applies batches until the queue stops.
func (q *Queue) applyAll() {
	defer close(q.waiting)
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for q.pending == nil && !q.stopping {
			q.wake.Wait()
		}
		b := q.pending
		if b == nil {
			return
		}
		q.pending, q.applying = nil, b
		close(b.started)
		q.mu.Unlock()
		outcome, wait := q.apply(b.writes)
		if outcome.Err == nil {
			q.rows.Apply(b.writes)
		}
		q.mu.Lock()
		q.applying = nil
		if wait == nil {
			q.finish(b, outcome)
			continue
		}
		b.wait, q.applied = wait, b
		q.mu.Unlock()
		q.waiting <- b
		q.mu.Lock()
	}
}

// awaitAll waits for the outcomes of the batches that were applied.
func (q *Queue) awaitAll() {
	defer close(q.stopped)
	for b := range q.waiting {
		outcome := b.wait()
		q.mu.Lock()
		q.finish(b, outcome)
		if q.applied == b {
			q.applied = nil
		}
		q.mu.Unlock()
	}
}

// finish sets the outcome of a batch. The caller holds mu.
func (q *Queue) finish(b *batch, outcome Outcome) {
	b.outcome = outcome
	if outcome.Halted != nil {
		q.halted = outcome.Halted
	}
	if next := q.pending; next != nil && outcome.Err != nil {
		// All Updates of the next batch have read the failed one.
		q.pending = nil
		err := outcome.dependentErr()
		next.outcome = Outcome{Err: err, Halted: outcome.Halted}
		close(next.started)
		close(next.done)
	}
	close(b.done)
}
