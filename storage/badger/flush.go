package badger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	engine "github.com/dgraph-io/badger/v4"
)

// batch is the writes of some Updates, which are committed together. Its own
// fields are guarded by flusher.mu until it is sealed, and do not change after.
type batch struct {
	writes  *layer
	bytes   int
	sealed  chan struct{} // closed when no Update joins any more
	settled chan struct{} // closed when err is the outcome
	err     error
}

// flusher commits batches, one at a time and in order. While one is on its way to
// the disk the next one gathers, so a commit carries whatever finished meanwhile.
// An Update runs on top of both: it sees them before they are durable, and so
// shares their fate.
type flusher struct {
	mu        sync.Mutex
	wake      *sync.Cond
	gathering *batch // takes new writes; nil: none yet
	flushing  *batch // is being committed; nil: nothing is
	halted    error
	stopping  bool
	stopped   chan struct{}

	// commitAt is CommitAt of the engine, and something else in tests.
	commitAt func(txn *engine.Txn, ts uint64) error
}

func (s *Store) startFlusher() {
	f := &s.flusher
	f.wake = sync.NewCond(&f.mu)
	f.stopped = make(chan struct{})
	f.commitAt = func(txn *engine.Txn, ts uint64) error { return txn.CommitAt(ts, nil) }
	go s.flushAll()
}

// stopFlusher returns when every batch is settled. No Update may run any more.
func (s *Store) stopFlusher() {
	f := &s.flusher
	f.mu.Lock()
	f.stopping = true
	f.wake.Signal()
	f.mu.Unlock()
	<-f.stopped
}

// stand gives an Update its ground: a durable snapshot and the batches above it,
// newest first. The caller has the writer token, so that neither changes under it.
func (s *Store) stand() (*snapshot, []*batch, error) {
	f := &s.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.halted != nil {
		return nil, nil, f.halted
	}
	var bases []*batch
	for _, b := range []*batch{f.gathering, f.flushing} {
		if b != nil {
			bases = append(bases, b)
		}
	}
	return s.snaps.acquire(), bases, nil
}

// join adds the writes of an Update that ran on bases to the gathering batch, and
// returns that. Where it is too full it waits until it is sealed. The caller has
// the writer token.
func (s *Store) join(ctx context.Context, own *layer, bytes int, bases []*batch) (*batch, error) {
	f := &s.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		// What this Update read may just have failed to become true.
		for _, b := range bases {
			if b.failed() {
				return nil, b.err
			}
		}
		b := f.gathering
		if b == nil {
			b = &batch{
				writes:  own,
				bytes:   bytes,
				sealed:  make(chan struct{}),
				settled: make(chan struct{}),
			}
			f.gathering = b
			f.wake.Signal()
			return b, nil
		}
		if b.writes.Len()+own.Len() <= s.limits.TxWrites && b.bytes+bytes <= s.limits.TxBytes {
			b.add(own)
			return b, nil
		}
		f.mu.Unlock()
		select {
		case <-b.sealed:
			f.mu.Lock()
		case <-ctx.Done():
			f.mu.Lock()
			return nil, ctx.Err()
		}
	}
}

// add runs with the flusher's mu held.
func (b *batch) add(own *layer) {
	own.Scan(func(key string, w write) bool {
		if old, had := b.writes.Set(key, w); had {
			b.bytes -= old.weight(key)
		}
		b.bytes += w.weight(key)
		return true
	})
}

// failed runs with the flusher's mu held.
func (b *batch) failed() bool {
	select {
	case <-b.settled:
		return b.err != nil
	default:
		return false
	}
}

// flushAll commits batch after batch until the flusher stops.
func (s *Store) flushAll() {
	f := &s.flusher
	defer close(f.stopped)
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for f.gathering == nil && !f.stopping {
			f.wake.Wait()
		}
		b := f.gathering
		if b == nil {
			return
		}
		f.gathering, f.flushing = nil, b
		close(b.sealed)
		f.mu.Unlock()
		ts := s.snaps.newest() + 1
		halted, err := s.commit(ts, b.bytes, b.fill)
		f.mu.Lock()
		f.flushing = nil
		if halted {
			f.halted = err
		}
		if err == nil {
			// Before anybody who waits for this batch goes on: they must see it.
			s.snaps.advance(ts)
		} else if next := f.gathering; next != nil {
			// All in it ran on top of what has just been lost.
			f.gathering = nil
			next.err = err
			close(next.sealed)
			close(next.settled)
		}
		b.err = err
		close(b.settled)
	}
}

// fill puts the writes of b into a transaction of the engine.
func (b *batch) fill(txn *engine.Txn) (err error) {
	b.writes.Scan(func(key string, w write) bool {
		if w.deleted() {
			err = txn.Delete(dataRow(key))
		} else {
			err = txn.Set(dataRow(key), w.sealed)
		}
		return err == nil
	})
	return err
}

// commit makes one transaction of the engine at ts. It says whether the store must
// halt, because the engine failed but may have kept something.
func (s *Store) commit(ts uint64, bytes int, fill func(*engine.Txn) error) (halted bool, err error) {
	if err := s.space.check(int64(bytes)); err != nil {
		return false, err
	}
	txn := s.db.NewTransactionAt(math.MaxUint64, true)
	defer txn.Discard()
	if err := errors.Join(fill(txn), txn.Set(sequenceRow, seal(sequenceRow, nil))); err != nil {
		return false, hide("commit", err)
	}
	if err = s.flusher.commitAt(txn, ts); err == nil {
		s.tellMark(ts)
		return false, nil
	}
	err = hide("commit", err)
	// A commit that never reached the engine's tables left no version. Otherwise the
	// next timestamp would show it, so there can be none.
	if s.db.MaxVersion() >= ts {
		return true, fmt.Errorf("%w: %w", ErrHalted, err)
	}
	return false, err
}

// tellMark says in the mark that a commit is on disk. Without it less is noticed later,
// but nothing is wrong.
func (s *Store) tellMark(ts uint64) {
	if err := s.mark.set(ts); err != nil {
		s.logger.Warn("storage/badger: the mark of commits cannot be written", "error", err)
	}
}

// halt makes every Update fail from now on.
func (f *flusher) halt(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.halted = err
}

// haltedBy is what made the store halt, or nil.
func (f *flusher) haltedBy() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.halted
}
