package pebble

import (
	"bytes"
	"context"
	"errors"
	"sync"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// states contains the states of the engine that transactions read. A commit is visible in
// the engine before it is durable. An Update reads the newest state, and a View the newest
// one that is durable.
type states struct {
	mu      sync.Mutex
	applied *state
	durable *state

	// oldest first. A state is removed when nothing uses it.
	live    []*state
	changed chan struct{} // closed and replaced when a state is removed
}

// state is a snapshot of the engine after a commit.
type state struct {
	number uint64 // of the commit
	snap   *engine.Snapshot
	users  int // transactions, and the fields applied and durable
}

// start sets the first state, which is durable.
func (s *states) start(number uint64, snap *engine.Snapshot) {
	s.changed = make(chan struct{})
	st := &state{number: number, snap: snap, users: 2}
	s.applied, s.durable, s.live = st, st, []*state{st}
}

// apply sets the newest state and returns it. It must be passed to publish or release.
func (s *states) apply(number uint64, snap *engine.Snapshot) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &state{number: number, snap: snap, users: 2} // the field, and the caller
	s.live = append(s.live, st)
	s.unuse(s.applied)
	s.applied = st
	return st
}

// publish makes Views read st.
func (s *states) publish(st *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unuse(s.durable)
	s.durable = st
}

func (s *states) release(st *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unuse(st)
}

// unuse ends one use of st. The caller holds mu.
func (s *states) unuse(st *state) {
	if st.users--; st.users > 0 {
		return
	}
	_ = st.snap.Close() // always nil
	for i, x := range s.live {
		if x == st {
			s.live = append(s.live[:i:i], s.live[i+1:]...)
			break
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *states) acquireApplied() transaction.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(s.applied)
}

func (s *states) acquireDurable() transaction.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(s.durable)
}

func (s *states) use(st *state) transaction.Snapshot {
	st.users++
	return &snapshot{states: s, state: st}
}

// newestDurable returns the number of the newest durable commit.
func (s *states) newestDurable() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable.number
}

// awaitSince waits until no transaction reads a state before number, which must not be newer
// than the newest durable one.
func (s *states) awaitSince(ctx context.Context, number uint64) error {
	for {
		s.mu.Lock()
		over, changed := s.live[0].number >= number, s.changed
		s.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close releases the last states and returns the number of the newest durable commit.
func (s *states) close() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := s.durable.number
	s.unuse(s.applied)
	s.unuse(s.durable)
	return number
}

// snapshot is the use of a state by one transaction.
type snapshot struct {
	states *states
	state  *state
	points *engine.Iterator // reads single rows; nil before the first
	row    []byte
	short  [64]byte // the first row; most rows fit, so that they need no allocation
}

var _ transaction.Snapshot = (*snapshot)(nil)

// Get implements [transaction.Snapshot]. The Get of the engine does not use the filters of
// the last level, but most reads of a push are of absent keys.
func (s *snapshot) Get(key []byte) ([]byte, error) {
	if s.points == nil {
		it, err := s.state.snap.NewIter(&engine.IterOptions{
			LowerBound:   []byte{dataSpace},
			UpperBound:   []byte{dataSpaceEnd},
			UseL6Filters: true,
		})
		if err != nil {
			return nil, sanitizeError("get", err)
		}
		s.points, s.row = it, s.short[:0]
	}
	s.row = appendRow(s.row[:0], key)
	if !s.points.SeekPrefixGE(s.row) {
		return nil, sanitizeError("get", s.points.Error())
	}
	if !bytes.Equal(s.points.Key(), s.row) {
		return nil, nil
	}
	value, err := s.points.ValueAndErr()
	if err != nil {
		return nil, sanitizeError("get", err)
	}
	return clone(value), nil
}

// Rows implements [transaction.Snapshot].
func (s *snapshot) Rows(span overlay.Span) (transaction.Rows, error) {
	rows, err := newRowSource(s.state.snap, span)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Close implements [transaction.Snapshot].
func (s *snapshot) Close() {
	if s.points != nil {
		_ = s.points.Close() // an error of an earlier read, which was returned
	}
	s.states.release(s.state)
}

// getRow returns a copy of a row of this package's metadata, or nil.
func getRow(r engine.Reader, row []byte) ([]byte, error) {
	value, closer, err := r.Get(row)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, sanitizeError("open", err)
	}
	return clone(value), sanitizeError("open", closer.Close())
}
