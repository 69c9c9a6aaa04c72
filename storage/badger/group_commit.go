package badger

import (
	"context"
	"errors"
	"sync"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// No further Update joins a batch that has reached one of these limits, so that the Updates
// of one batch do not wait long for one another. A single Update may exceed them.
const (
	maxBatchRows  = 100_000
	maxBatchBytes = 8 << 20
)

// batch contains the writes of several Updates that are committed together. writes is
// protected by the mutex of the flusher until started is closed, and does not change
// afterwards.
type batch struct {
	writes  *overlay.Layer
	started chan struct{} // closed when no further Update can join
	done    chan struct{} // closed when err and dependentErr are set

	err          error // outcome for the Updates of the batch
	dependentErr error // outcome for Updates that read the batch; set if err is set
}

// flusher implements group commit. It commits batches one at a time, in order. While one
// batch is being committed, the next one collects the writes of all Updates that finish. An
// Update reads both batches before they are durable, so it fails if one of them fails.
type flusher struct {
	mu         sync.Mutex
	wake       *sync.Cond
	pending    *batch // collects new writes; nil if there are none
	committing *batch // is being committed; nil if none is
	halted     error
	stopping   bool
	stopped    chan struct{}

	// maxRows and maxBytes are maxBatchRows and maxBatchBytes. Tests lower them.
	maxRows, maxBytes int

	// commitAt and syncLog are CommitAt and Sync of the engine. Tests replace them.
	commitAt func(txn *engine.Txn, ts uint64) error
	syncLog  func() error
}

func (s *Store) startFlusher() {
	f := &s.flusher
	f.wake = sync.NewCond(&f.mu)
	f.stopped = make(chan struct{})
	go s.flushAll()
}

// stopFlusher returns when every batch is done. No Update may be running.
func (s *Store) stopFlusher() {
	f := &s.flusher
	f.mu.Lock()
	f.stopping = true
	f.wake.Signal()
	f.mu.Unlock()
	<-f.stopped
}

// baseState returns the state that an Update reads: a durable snapshot and the batches that
// are not durable yet, newest first. The caller holds the writer token, so no batch is
// added concurrently.
func (s *Store) baseState() (*snapshot, []*batch, error) {
	f := &s.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.halted != nil {
		return nil, nil, f.halted
	}
	var bases []*batch
	for _, b := range []*batch{f.pending, f.committing} {
		if b != nil {
			bases = append(bases, b)
		}
	}
	return s.snaps.acquire(), bases, nil
}

// awaitRoom waits until the pending batch is not full. The caller must not hold the writer
// token, so that other Updates can continue while a full batch waits for the previous one.
func (f *flusher) awaitRoom(ctx context.Context) error {
	for {
		b := f.fullBatch()
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
func (f *flusher) fullBatch() *batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.pending; b != nil && (b.writes.Len() >= f.maxRows || b.writes.Bytes() >= f.maxBytes) {
		return b
	}
	return nil
}

// joinBatch adds the writes of an Update to the pending batch and returns it. bases are the
// batches that the Update has read. The caller has held the writer token since the pending
// batch was not full.
func (s *Store) joinBatch(own *overlay.Layer, bases []*batch) (*batch, error) {
	f := &s.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	// A batch that this Update has read may have failed.
	for _, b := range bases {
		if b.failed() {
			return nil, b.dependentErr
		}
	}
	if f.pending != nil {
		f.pending.writes.Add(own)
		return f.pending, nil
	}
	f.pending = &batch{writes: own, started: make(chan struct{}), done: make(chan struct{})}
	f.wake.Signal()
	return f.pending, nil
}

// failed reports whether the batch has failed. The caller holds the mutex of the flusher.
func (b *batch) failed() bool {
	select {
	case <-b.done:
		return b.dependentErr != nil
	default:
		return false
	}
}

// flushAll commits batches until the flusher stops.
func (s *Store) flushAll() {
	f := &s.flusher
	defer close(f.stopped)
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for f.pending == nil && !f.stopping {
			f.wake.Wait()
		}
		b := f.pending
		if b == nil {
			return
		}
		f.pending, f.committing = nil, b
		close(b.started)
		f.mu.Unlock()
		reached, halted, err := s.flush(b)
		f.mu.Lock()
		f.committing = nil
		if halted != nil {
			f.halted = halted
		}
		// Advance before the Updates of this batch return: a later View must see them.
		s.snaps.advance(reached)
		b.err, b.dependentErr = err, err
		if halted != nil {
			b.dependentErr = halted
		}
		if next := f.pending; next != nil && err != nil {
			// All Updates of the next batch have read the failed one.
			f.pending = nil
			next.err, next.dependentErr = b.dependentErr, b.dependentErr
			close(next.started)
			close(next.done)
		}
		close(b.done)
	}
}

// flush commits b. See [Store.commit].
func (s *Store) flush(b *batch) (reached uint64, halted, err error) {
	at := s.snaps.newest()
	if err := s.reserve(b.writes, at); err != nil {
		return at, nil, err
	}
	return s.commit(func(w *partWriter) error { return s.writeLayer(w, b.writes, at) })
}

// writeLayer passes the rows of l to pw, each key once. Everything below l is durable at
// the timestamp at, so the keys of a deleted range are read from the engine.
func (s *Store) writeLayer(pw *partWriter, l *overlay.Layer, at uint64) (err error) {
	l.EachPoint(func(key string, w overlay.Write) bool {
		err = pw.write(sealedRow(key, w))
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.eachDeleted(l, at, func(row []byte, _ int) error { return pw.write(clone(row), nil) })
}

// eachDeleted calls fn for every row that exists at the timestamp at and is deleted by a
// range of l, with the size of its value. It does not read values. row is valid during the
// call.
func (s *Store) eachDeleted(l *overlay.Layer, at uint64, fn func(row []byte, size int) error) (err error) {
	if l.Ranges() == 0 {
		return nil
	}
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	l.EachRange(func(start, end string) bool {
		var rows *rowSource
		if rows, err = newRowSource(txn, overlay.Span{Range: storage.Range{Start: []byte(start), End: []byte(end)}}); err != nil {
			return false
		}
		var fnErr error // not returned through catchPanic, which sanitizes errors
		err = catchPanic("delete range", func() error {
			for row, ok := rows.row(); ok && fnErr == nil; row, ok = rows.row() {
				if !l.HasPoint(string(row[1:])) {
					fnErr = fn(row, int(rows.it.Item().ValueSize()))
				}
			}
			return nil
		})
		err = errors.Join(err, fnErr, rows.Close())
		return err == nil
	})
	return err
}

// reserve returns [ErrDiskFull] if there is not enough disk space for l. If l takes several
// parts, there must also be space to undo them, so that a batch that was begun can always
// be completed or undone.
func (s *Store) reserve(l *overlay.Layer, at uint64) error {
	if l.Ranges() == 0 && l.Len() <= s.part.rows && l.Bytes() <= s.part.bytes {
		return s.space.check(int64(l.Bytes()), 0)
	}
	// First try an upper bound for the deleted ranges and the replaced rows. This usually
	// succeeds, and avoids measuring them.
	all, err := s.space.rowBytesBound()
	if err != nil {
		return err
	}
	batch, old := int64(l.Bytes()), all
	if l.Ranges() > 0 {
		batch += all
	}
	if err := s.space.check(batch, undoBytes(batch, old)); !errors.Is(err, ErrDiskFull) {
		return err
	}
	batch, old = int64(l.Bytes()), 0
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	err = catchPanic("measure commit", func() (err error) {
		l.EachPoint(func(key string, _ overlay.Write) bool {
			row := dataRow(key)
			item, e := txn.Get(row)
			if e == nil {
				old += int64(storage.EntryBytes(row, nil)) + item.ValueSize()
			} else if !errors.Is(e, engine.ErrKeyNotFound) {
				err = e
			}
			return err == nil
		})
		return err
	})
	err = errors.Join(err, s.eachDeleted(l, at, func(row []byte, size int) error {
		batch += int64(storage.EntryBytes(row, nil))
		old += int64(storage.EntryBytes(row, nil) + size)
		return nil
	}))
	if err != nil {
		return err
	}
	return s.space.check(batch, undoBytes(batch, old))
}

// undoBytes returns the disk space for a batch of the given size and for undoing it, where
// old is the size of the rows that it replaces. Both are stored in a log and in a table at
// the same time.
func undoBytes(batch, old int64) int64 { return 4*batch + 2*old }

// recordMark records in the commit mark that everything up to ts is on disk. If this fails,
// Open can detect less corruption, but no data is lost.
func (s *Store) recordMark(ts uint64) {
	if err := s.mark.record(ts); err != nil {
		s.logger.Warn("storage/badger: cannot write the commit mark", "error", err)
	}
}

// halt makes all later Updates fail with err.
func (f *flusher) halt(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.halted = err
}

// haltError returns the error with which the store was halted, or nil.
func (f *flusher) haltError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.halted
}
