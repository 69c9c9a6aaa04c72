package postgres

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// maxGroup is the largest number of Updates in a group.
const maxGroup = 64

// writer contains the Updates that wait for a group.
type writer struct {
	mu       sync.Mutex
	waiting  []*call
	wake     chan struct{} // receives a token after an Update was added, and to stop
	stopping bool
	stopped  chan struct{}

	// Only the writer uses these fields.
	number    int64 // of the last group that was sent or given up
	committed int64 // the number in the row of the Store
	uncertain bool  // whether the row contains another number
}

// call is one call of Update.
type call struct {
	hints []string
	state atomic.Int32
	turn  chan turn     // receives one turn if the writer has claimed the call
	ended chan struct{} // closed by the caller at the end of its turn

	// writes are the writes to be committed, or nil. The caller sets it before it closes
	// ended.
	writes *overlay.Layer
}

// The states of a call.
const (
	callWaiting int32 = iota
	callClaimed       // by the writer, which sends a turn
	callLeft          // the caller has stopped waiting
)

// turn lets the caller run its function in a group. If err is not nil, there is no
// transaction and the call ends with err.
type turn struct {
	*group
	err error
}

func newCall(reads [][]byte) *call {
	c := &call{turn: make(chan turn, 1), ended: make(chan struct{})}
	for _, key := range reads {
		if len(key) <= limits.KeyBytes {
			c.hints = append(c.hints, string(key))
		}
	}
	return c
}

// claim reports whether the caller still waits. If it does, the writer must send a turn.
func (c *call) claim() bool { return c.state.CompareAndSwap(callWaiting, callClaimed) }

// awaitTurn waits for the turn of the call, or until ctx is done. If it returns nil, the
// caller must run the turn.
func (c *call) awaitTurn(ctx context.Context) (turn, error) {
	select {
	case t := <-c.turn:
		return t, t.err
	case <-ctx.Done():
	}
	if !c.state.CompareAndSwap(callWaiting, callLeft) {
		if t := <-c.turn; t.err == nil {
			close(c.ended)
		}
	}
	return turn{}, ctx.Err()
}

func (w *writer) enqueue(c *call) {
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	w.mu.Unlock()
	w.signal()
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// putBack adds calls whose functions have not run, before all others.
func (w *writer) putBack(calls []*call) {
	if len(calls) == 0 {
		return
	}
	w.mu.Lock()
	w.waiting = append(calls[:len(calls):len(calls)], w.waiting...)
	w.mu.Unlock()
	w.signal()
}

// take waits for calls and returns those of the next group, or nil if the writer stops.
func (w *writer) take() []*call {
	for {
		w.mu.Lock()
		var next []*call
		rest := w.waiting
		for len(rest) > 0 && len(next) < maxGroup {
			if c := rest[0]; c.state.Load() == callWaiting {
				next = append(next, c)
			}
			rest[0] = nil
			rest = rest[1:]
		}
		w.waiting = rest
		stopping, more := w.stopping, len(rest) > 0
		w.mu.Unlock()
		if more {
			w.signal()
		}
		if len(next) > 0 {
			return next
		}
		if stopping {
			return nil
		}
		<-w.wake
	}
}

func (s *Store) startWriter() {
	s.writer.wake = make(chan struct{}, 1)
	s.writer.stopped = make(chan struct{})
	go func() {
		defer close(s.writer.stopped)
		for calls := s.writer.take(); calls != nil; calls = s.writer.take() {
			s.writer.putBack(s.newGroup().run(calls))
		}
	}()
}

// stopWriter stops the writer. No Update may be running.
func (s *Store) stopWriter() {
	s.writer.mu.Lock()
	s.writer.stopping = true
	s.writer.mu.Unlock()
	s.writer.signal()
	<-s.writer.stopped
}

// run runs fn on the goroutine of the caller, and waits for the outcome of the group if the
// result of fn depends on it.
func (t turn) run(ctx context.Context, c *call, fn func(storage.Tx) error) error {
	dependent := t.writes.Len() > 0 // fn can read writes that are not committed
	err := t.attempt(ctx, c, fn)
	switch {
	case c.writes != nil:
		<-t.done
		return t.outcome
	case !dependent:
		return err
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		if err == nil {
			err = ctx.Err()
		}
		return err
	}
	if t.outcome != nil {
		return t.outcome
	}
	return err
}

// attempt runs fn and ends the turn, also if fn panics or calls runtime.Goexit. It sets
// c.writes if they are to be committed.
func (t turn) attempt(ctx context.Context, c *call, fn func(storage.Tx) error) error {
	defer close(c.ended)
	if err := ctx.Err(); err != nil {
		return err
	}
	x := newTx(t.group)
	defer x.end()
	if err := fn(x); err != nil {
		return err
	}
	x.end()
	if x.writeErr != nil {
		return x.writeErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if x.own.Len() > 0 {
		c.writes = x.own
	}
	return nil
}
