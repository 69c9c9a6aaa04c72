package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
)

// A batch that is larger than one transaction of the engine is written as several of
// them, its parts, which all have the timestamp of the batch. Part i, counted from 1,
// contains the row partRow(i); the last part contains sequenceRow instead, and it is
// sent only after all others are on disk. So the batch is committed when its last part
// is on disk: the version of sequenceRow is the timestamp of the newest batch that is
// complete. If the engine has a newer version of any row, the batch that wrote it is
// incomplete, and [Store.rollBack] undoes it.
//
// Both rows contain the number of the part, the last part's being the number of parts,
// and the timestamp of the complete batch that this one follows. With them Open notices
// a part that is missing in the middle, from a log that was damaged.
//
// No key occurs in two parts: the engine does not define which of two entries with the
// same key and version it keeps.
var sequenceRow = []byte{internalSpace, 's', 'e', 'q'}

var partPrefix = []byte{internalSpace, 'p', 'a', 'r', 't'}

func partRow(number int) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(partPrefix), uint32(number))
}

// part is the content of a partRow or of sequenceRow.
type part struct {
	ts     uint64 // the version of the row
	base   uint64 // the timestamp of the complete batch that this one follows
	number int
	last   bool // it is in sequenceRow
}

const partBytes = 4 + 8

func (p part) row() []byte {
	if p.last {
		return sequenceRow
	}
	return partRow(p.number)
}

func (p part) seal() []byte {
	value := binary.BigEndian.AppendUint32(make([]byte, 0, partBytes), uint32(p.number))
	return seal(p.row(), binary.BigEndian.AppendUint64(value, p.base))
}

// parsePart returns the part that a row contains. ok is false for any other row, and
// for one that is not what was written.
func parsePart(row, sealed []byte, ts uint64) (p part, ok bool) {
	last := bytes.Equal(row, sequenceRow)
	if !last && !bytes.HasPrefix(row, partPrefix) {
		return part{}, false
	}
	value, err := unseal(row, sealed)
	if err != nil || len(value) != partBytes {
		return part{}, false
	}
	p = part{
		ts:     ts,
		base:   binary.BigEndian.Uint64(value[4:]),
		number: int(binary.BigEndian.Uint32(value)),
		last:   last,
	}
	return p, p.number > 0 && p.base < p.ts && bytes.Equal(p.row(), row)
}

// follows reports whether p can be the next part after q.
func (p part) follows(q part) bool {
	switch {
	case p.number > 1:
		return !q.last && p.ts == q.ts && p.base == q.base && p.number == q.number+1
	case q.last:
		return p.ts == q.ts+1 && p.base == q.ts
	default: // q's batch is incomplete, and p's undoes it
		return p.ts == q.ts+1 && p.base == q.base
	}
}

// complete returns the timestamp of the newest batch that is complete at p.
func (p part) complete() uint64 {
	if p.last {
		return p.ts
	}
	return p.base
}

// partLimit is the size of a part. Both bounds are inclusive.
type partLimit struct {
	rows  int
	bytes int // sum of storage.EntryBytes
}

// partWriter writes the rows of one batch. While one part is being committed the next
// one is filled.
type partWriter struct {
	s    *Store
	next part // the part that is being filled
	txn  *engine.Txn
	rows int // in txn
	size int // of the rows in txn

	inFlight chan error // receives the outcome of the part that is being committed; nil if none is
	kept     int        // parts that are on disk

	// failed is the error of a commit of the engine, if one has failed. It has a field of
	// its own because an error that is returned may have come from elsewhere as well.
	failed     error
	failedLast bool // it was that of the last part
}

// newPartWriter returns a writer for a batch with the timestamp ts, which follows the
// complete batch at base. Its discard method must be called.
func (s *Store) newPartWriter(ts, base uint64) *partWriter {
	w := &partWriter{s: s, next: part{ts: ts, base: base, number: 1}}
	w.txn = s.db.NewTransactionAt(math.MaxUint64, true)
	return w
}

// write adds one row to the batch: sealed is its content, or nil to delete it. The
// engine keeps both slices until the part is committed.
func (w *partWriter) write(row, sealed []byte) error {
	value, _ := stripChecksum(sealed)
	size := storage.EntryBytes(row[1:], value) // as in layer: see limits.go
	if w.rows > 0 && (w.rows >= w.s.part.rows || w.size+size > w.s.part.bytes) {
		if err := w.send(); err != nil {
			return err
		}
	}
	w.rows++
	w.size += size
	if sealed == nil {
		return sanitizeError("commit", w.txn.Delete(row))
	}
	return sanitizeError("commit", w.txn.Set(row, sealed))
}

// send starts the commit of a part that is not the last, once the one before it is on
// disk.
func (w *partWriter) send() error {
	if err := w.await(); err != nil {
		return err
	}
	if err := w.txn.Set(w.next.row(), w.next.seal()); err != nil {
		return sanitizeError("commit", err)
	}
	txn, done := w.txn, make(chan error, 1)
	go func() {
		defer txn.Discard()
		done <- w.commit(txn, true)
	}()
	w.inFlight = done
	w.next.number++
	w.txn, w.rows, w.size = w.s.db.NewTransactionAt(math.MaxUint64, true), 0, 0
	return nil
}

// await waits for the part that is being committed, if any.
func (w *partWriter) await() error {
	if w.inFlight == nil {
		return w.failed
	}
	err := <-w.inFlight
	w.inFlight = nil
	if err != nil {
		w.failed = err
	} else {
		w.kept++
	}
	return w.failed
}

// finish commits the last part.
func (w *partWriter) finish() error {
	if err := w.await(); err != nil {
		return err
	}
	w.next.last = true
	if err := w.txn.Set(w.next.row(), w.next.seal()); err != nil {
		return sanitizeError("commit", err)
	}
	if w.failed = w.commit(w.txn, w.next.number > 1 || w.undoes()); w.failed != nil {
		w.failedLast = true
		return w.failed
	}
	w.kept++
	return nil
}

// undoes reports whether the batch undoes an incomplete one, which is then between it and
// its base.
func (w *partWriter) undoes() bool { return w.next.ts > w.next.base+1 }

// commit commits one transaction of the engine. If the store does not sync, several
// parts must reach the disk in their order all the same: otherwise a power loss could
// leave the last one without an earlier one. For the same reason a batch that undoes an
// incomplete one must be on disk before the next batch is: Open takes everything up to
// the newest complete batch for complete. The engine syncs the log that is being written,
// and that is the one that contains txn, since nobody else writes.
func (w *partWriter) commit(txn *engine.Txn, ordered bool) error {
	err := w.s.flusher.commitAt(txn, w.next.ts)
	if err == nil && ordered && !w.s.sync {
		err = w.s.flusher.syncLog()
	}
	return sanitizeError("commit", err)
}

// discard waits until the engine has let go of everything.
func (w *partWriter) discard() {
	_ = w.await() // the error is in w.failed
	w.txn.Discard()
}

// writeParts commits one batch, whose rows fill hands over. kept reports whether the
// engine may have kept something of it, and last whether it may have kept all of it.
func (s *Store) writeParts(ts, base uint64, fill func(*partWriter) error) (kept, last bool, engineErr, err error) {
	w := s.newPartWriter(ts, base)
	err = fill(w)
	if err == nil {
		err = w.finish()
	}
	w.discard()
	if err == nil {
		return true, true, nil, nil
	}
	if w.failed != nil && !errors.Is(err, w.failed) {
		err = errors.Join(err, w.failed) // fill failed by itself while a part was being committed
	}
	return s.mayHaveKept(ts), w.failedLast, w.failed, err
}

// mayKeep reports whether the engine may have kept something of a batch that has failed: a
// commit that never reached the engine's table in memory has left no version. If the engine
// could not make a new log it has no such table, and nothing is known. Its MaxVersion would
// then panic with a lock held, and another write would end the process.
func (s *Store) mayHaveKept(ts uint64) bool {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	err := catchPanic("looking for an incomplete commit", func() error {
		if _, err := txn.Get(sequenceRow); !errors.Is(err, engine.ErrKeyNotFound) {
			return err
		}
		return nil
	})
	if err != nil {
		s.unreadable.Store(true)
	}
	return err != nil || s.db.MaxVersion() >= ts
}

// readError returns the error of a read that failed in the engine with err.
func (s *Store) readError(err error) error {
	var fault *PanicError
	if errors.As(err, &fault) && s.unreadable.Load() {
		return errUnreadable
	}
	return err
}

// commit commits a batch on top of the newest complete one. It returns the timestamp up
// to which everything is complete afterwards: that of the batch, or where the batch
// was undone, that of the undoing. halted is the reason why the store must halt, or
// nil; it is not the same as err, which also says if the outcome is unknown. The
// caller is the only one that writes to the engine.
func (s *Store) commit(fill func(*partWriter) error) (reached uint64, halted, err error) {
	base := s.snaps.newest()
	ts := base + 1
	kept, last, engineErr, err := s.writeParts(ts, base, fill)
	switch {
	case err == nil:
		s.recordMark(ts)
		return ts, nil, nil
	case !kept:
		return base, nil, err
	case engineErr == nil:
		// Every part that was sent is on disk as a whole, and the last one was not sent.
		undone, undoErr := s.rollBack(base)
		if undoErr == nil {
			s.recordMark(undone)
			return undone, nil, err
		}
		halted = fmt.Errorf("%w: %w", ErrHalted, errors.Join(err, undoErr))
		return base, halted, halted
	case last:
		return base, fmt.Errorf("%w: %w", ErrHalted, err), fmt.Errorf("%w: %w: %w", ErrHalted, storage.ErrUnknown, err)
	default:
		halted = fmt.Errorf("%w: %w", ErrHalted, err)
		return base, halted, halted
	}
}

// rollBack undoes an incomplete batch, or several: it writes what each of their keys
// was at base, as a batch of its own, and returns the timestamp of that. If it is
// interrupted, it can be repeated.
func (s *Store) rollBack(base uint64) (ts uint64, err error) {
	newest := s.db.MaxVersion()
	ts = newest + 1
	_, _, _, err = s.writeParts(ts, base, func(w *partWriter) error {
		return s.changedSince(base, newest, w.write)
	})
	return ts, err
}

// changedSince calls each for every row of the store with a version above base and up
// to newest, with its content at base, or nil if there was none.
func (s *Store) changedSince(base, newest uint64, each func(row, sealed []byte) error) error {
	old := s.db.NewTransactionAt(base, false)
	defer old.Discard()
	txn := s.db.NewTransactionAt(newest, false)
	defer txn.Discard()
	var failed error // by each, which guard must not see
	err := catchPanic("undoing an incomplete commit", func() error {
		it := txn.NewIterator(engine.IteratorOptions{AllVersions: true, SinceTs: base, Prefix: []byte{dataSpace}})
		defer it.Close()
		var row []byte
		for it.Rewind(); it.Valid(); it.Next() {
			if bytes.Equal(it.Item().Key(), row) {
				continue // an older version of the same key
			}
			row = it.Item().KeyCopy(nil)
			var sealed []byte
			item, err := old.Get(row)
			if err == nil {
				sealed, err = item.ValueCopy([]byte{})
			}
			if err != nil && !errors.Is(err, engine.ErrKeyNotFound) {
				return err
			}
			if failed = each(row, sealed); failed != nil {
				return nil
			}
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// sequence returns the newest part that completed a batch at or before ts.
func (s *Store) lastCompletePart(ts uint64) (p part, err error) {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	err = catchPanic("reading the number of the last commit", func() error {
		item, err := txn.Get(sequenceRow)
		if err != nil {
			if errors.Is(err, engine.ErrKeyNotFound) {
				return corrupt("the number of the last commit is missing")
			}
			return err
		}
		return item.Value(func(sealed []byte) error {
			var ok bool
			if p, ok = parsePart(sequenceRow, sealed, item.Version()); !ok {
				return corrupt("the number of the last commit")
			}
			return nil
		})
	})
	return p, err
}

// requireParts returns an error that matches [storage.ErrCorrupt] unless the first n
// parts of the batch at ts are there.
func (s *Store) requireParts(ts uint64, n int) error {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	return catchPanic("looking for the parts of a commit", func() error {
		for i := 1; i <= n; i++ {
			item, err := txn.Get(partRow(i))
			if err != nil && !errors.Is(err, engine.ErrKeyNotFound) {
				return err
			}
			if err != nil || item.Version() != ts {
				return fmt.Errorf("storage/badger: part %d of commit %d is missing: %w", i, ts, storage.ErrCorrupt)
			}
		}
		return nil
	})
}
