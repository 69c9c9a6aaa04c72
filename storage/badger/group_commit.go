package badger

import (
	"context"
	"errors"
	"sync"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
)

// A batch is full when it reaches one of these bounds: then no further Update joins it.
// They keep the time short for which the Updates of one batch wait for one another. The
// writes of one Update may exceed them.
const (
	maxBatchRows  = 100_000
	maxBatchBytes = 8 << 20
)

// batch is the writes of some Updates, which are committed together. The flusher's mu
// guards writes until the batch is sealed; they do not change afterwards.
type batch struct {
	writes  *layer
	started chan struct{} // closed when no further Update joins
	done    chan struct{} // closed when err and lost are the outcome

	err          error // the outcome for the Updates of the batch
	dependentErr error // the outcome for those that ran on top of it: not nil if err is not
}

// full reports whether no further Update may join. The flusher's mu is held.
func (b *batch) full() bool { return b.writes.len() >= maxBatchRows || b.writes.bytes >= maxBatchBytes }

// flusher commits batches, one at a time and in order. While one is on its way to
// the disk the next one gathers, so a commit carries whatever finished meanwhile.
// An Update runs on top of both: it sees them before they are durable, and so
// shares their fate.
type flusher struct {
	mu         sync.Mutex
	wake       *sync.Cond
	pending    *batch // takes new writes; nil: none yet
	committing *batch // is being committed; nil: nothing is
	halted     error
	stopping   bool
	stopped    chan struct{}

	// commitAt is CommitAt of the engine, and syncLog its Sync. Tests replace them.
	commitAt func(txn *engine.Txn, ts uint64) error
	syncLog  func() error
}

func (s *Store) startFlusher() {
	f := &s.flusher
	f.wake = sync.NewCond(&f.mu)
	f.stopped = make(chan struct{})
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

// stand returns the state that an Update runs on: a durable snapshot and the batches above
// it, newest first. The caller has the writer token, so that no batch is added meanwhile.
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

// awaitRoom returns when the gathering batch is not full. The caller must not have the
// writer token: while a full batch waits for the one before it, everybody else can go on.
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

// withoutRoom returns the gathering batch if it is full, or nil.
func (f *flusher) fullBatch() *batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.pending; b != nil && b.full() {
		return b
	}
	return nil
}

// join adds the writes of an Update that ran on bases to the gathering batch, and
// returns that. The caller has had the writer token since the batch had room.
func (s *Store) joinBatch(own *layer, bases []*batch) (*batch, error) {
	f := &s.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	// A batch that this Update has read may have failed meanwhile.
	for _, b := range bases {
		if b.failed() {
			return nil, b.dependentErr
		}
	}
	if f.pending != nil {
		f.pending.writes.add(own)
		return f.pending, nil
	}
	f.pending = &batch{writes: own, started: make(chan struct{}), done: make(chan struct{})}
	f.wake.Signal()
	return f.pending, nil
}

// failed runs with the flusher's mu held.
func (b *batch) failed() bool {
	select {
	case <-b.done:
		return b.dependentErr != nil
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
		// Before the Updates that wait for this batch return: a View after one must see it.
		s.snaps.advance(reached)
		b.err, b.dependentErr = err, err
		if halted != nil {
			b.dependentErr = halted
		}
		if next := f.pending; next != nil && err != nil {
			// All Updates in it ran on top of one that has just been lost.
			f.pending = nil
			next.err, next.dependentErr = b.dependentErr, b.dependentErr
			close(next.started)
			close(next.done)
		}
		close(b.done)
	}
}

// flush commits b: see [Store.commit].
func (s *Store) flush(b *batch) (reached uint64, halted, err error) {
	at := s.snaps.newest()
	if err := s.reserve(b.writes, at); err != nil {
		return at, nil, err
	}
	return s.commit(func(w *partWriter) error { return s.writeLayer(w, b.writes, at) })
}

// writeLayer hands over the rows of l. Everything below l is durable at the timestamp at,
// so the keys of a deleted range are those of the engine. Each key is handed over once.
func (s *Store) writeLayer(pw *partWriter, l *layer, at uint64) (err error) {
	l.points.Scan(func(key string, w write) bool {
		err = pw.write(dataRow(key), w.sealed)
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.eachDeleted(l, at, func(row []byte, _ int) error { return pw.write(clone(row), nil) })
}

// eachDeleted calls each for every row that is there at the timestamp at and that a
// range of l deletes, with the size of its content. It reads no contents. Row is valid
// during the call.
func (s *Store) eachDeleted(l *layer, at uint64, each func(row []byte, size int) error) (err error) {
	if l.ranges.Len() == 0 {
		return nil
	}
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	l.ranges.Scan(func(start, end string) bool {
		var rows *rowSource
		if rows, err = newRowSource(txn, span{Range: storage.Range{Start: []byte(start), End: []byte(end)}}); err != nil {
			return false
		}
		var failed error // by each, which guard must not see
		err = catchPanic("deleting a range", func() error {
			for row, ok := rows.row(); ok && failed == nil; row, ok = rows.row() {
				if _, written := l.points.Get(string(row[1:])); !written {
					failed = each(row, int(rows.it.Item().ValueSize()))
				}
			}
			return nil
		})
		err = errors.Join(err, failed, rows.close())
		return err == nil
	})
	return err
}

// reserve returns [ErrDiskFull] unless there is room for l on the disk. If it takes
// several parts there must be room to undo them too, so that a batch that was begun
// never lacks the space to be finished or undone.
func (s *Store) reserve(l *layer, at uint64) error {
	if l.ranges.Len() == 0 && l.points.Len() <= s.part.rows && l.bytes <= s.part.bytes {
		return s.space.check(int64(l.bytes), 0)
	}
	// Usually there is room even for the most that the ranges and old contents can amount to.
	all, err := s.space.rowBytesBound()
	if err != nil {
		return err
	}
	batch, old := int64(l.bytes), all
	if l.ranges.Len() > 0 {
		batch += all
	}
	if err := s.space.check(batch, undoBytes(batch, old)); !errors.Is(err, ErrDiskFull) {
		return err
	}
	batch, old = int64(l.bytes), 0
	txn := s.db.NewTransactionAt(at, false)
	defer txn.Discard()
	err = catchPanic("measuring a commit", func() (err error) {
		l.points.Scan(func(key string, _ write) bool {
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

// undoable returns the room that a batch needs together with its undoing: each is in a
// log and in a table at once.
func undoBytes(batch, old int64) int64 { return 4*batch + 2*old }

// tellMark writes to the mark that everything up to ts is on disk. If it cannot, Open
// notices less damage, but nothing is wrong.
func (s *Store) recordMark(ts uint64) {
	if err := s.mark.record(ts); err != nil {
		s.logger.Warn("storage/badger: the mark of commits cannot be written", "error", err)
	}
}

// halt makes every Update fail from now on.
func (f *flusher) halt(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.halted = err
}

// haltedBy returns the error that made the store halt, or nil.
func (f *flusher) haltError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.halted
}
