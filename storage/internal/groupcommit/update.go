package groupcommit

import (
	"context"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// Update runs fn in a transaction that begin returns, and waits for the outcome of the
// batch that its writes join. begin gets the layers above the state of the engine, newest
// first. That state must contain every batch that was applied and is not in a layer, and may
// contain the batches in the layers.
//
// An Update that waits for its turn returns when ctx is done. After fn has returned, Update
// waits for the outcome of its commit even if ctx is done. An Update that writes nothing or
// fails waits for the batches whose writes fn could read, and fails if one of them fails. It
// returns the error of fn unchanged in any case.
func (q *Queue) Update(ctx context.Context, begin func(layers []*overlay.Layer) *transaction.Tx, fn func(storage.Tx) error) error {
	if err := q.takeTurn(ctx); err != nil {
		return err
	}
	var fnErr error
	joined, bases, err := q.attempt(ctx, begin, func(tx storage.Tx) error {
		fnErr = fn(tx)
		return fnErr
	})
	if joined != nil {
		<-joined.done
		return joined.outcome.Err
	}
	for _, b := range bases {
		if <-b.done; b.outcome.Err != nil && fnErr == nil {
			return b.outcome.dependentErr()
		}
	}
	return err
}

// takeTurn acquires the writer token while the pending batch is not full.
func (q *Queue) takeTurn(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := q.awaitRoom(ctx); err != nil {
			return err
		}
		select {
		case q.Writer <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if q.fullBatch() == nil {
			return nil
		}
		<-q.Writer
	}
}

// attempt runs fn with the writer token, and releases the token. It returns the batch that
// the writes of fn have joined. If fn wrote nothing or the Update failed, it returns the
// batches that fn could read instead. They are not durable yet, so the caller must wait for
// them before it returns.
func (q *Queue) attempt(ctx context.Context, begin func([]*overlay.Layer) *transaction.Tx, fn func(storage.Tx) error) (joined *batch, bases []*batch, err error) {
	defer func() { <-q.Writer }()
	layers, bases, err := q.state()
	if err != nil {
		return nil, nil, err
	}
	t := begin(layers)
	t.UseCache(&q.rows)
	defer t.End() // if fn panics or calls runtime.Goexit
	err = fn(t)
	t.End()
	writes, writeErr := t.Writes()
	switch {
	case err != nil:
	case writeErr != nil:
		err = writeErr
	default:
		err = ctx.Err()
	}
	if err != nil || writes.Len() == 0 {
		return nil, bases, err
	}
	if q.Admit != nil {
		if err := q.Admit(writes); err != nil {
			return nil, bases, err
		}
	}
	joined, err = q.join(writes, bases)
	return joined, bases, err
}

// Exclusively runs fn while no Update runs and no batch is being committed.
func (q *Queue) Exclusively(ctx context.Context, fn func() error) error {
	select {
	case q.Writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-q.Writer }()
	_, bases, err := q.state()
	if err != nil {
		return err
	}
	for _, b := range bases {
		<-b.done
	}
	if err := q.Halted(); err != nil {
		return err
	}
	return fn()
}
