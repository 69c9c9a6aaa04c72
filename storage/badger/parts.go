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

// A batch that is larger than one transaction of the engine is written as several
// transactions, its parts, which all have the timestamp of the batch. Part i, counted from
// 1, contains the row partRow(i). The last part contains sequenceRow instead, and is
// written only after all other parts are on disk. So the batch is committed when its last
// part is on disk, and the version of sequenceRow is the timestamp of the newest complete
// batch. If the engine has a newer version of any row, the batch that wrote it is
// incomplete, and [Store.rollBack] undoes it.
//
// Both rows contain the number of the part (in the last part, this is the number of parts)
// and the timestamp of the previous complete batch. With these, Open detects a part that is
// missing because a log was corrupt.
//
// No key occurs in two parts, because the engine does not define which of two entries with
// the same key and version it keeps.
var sequenceRow = []byte{internalSpace, 's', 'e', 'q'}

var partPrefix = []byte{internalSpace, 'p', 'a', 'r', 't'}

func partRow(number int) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(partPrefix), uint32(number))
}

// part is the content of a partRow or of sequenceRow.
type part struct {
	ts     uint64 // version of the row
	base   uint64 // timestamp of the previous complete batch
	number int
	last   bool // stored in sequenceRow
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

// parsePart returns the part that a row contains. ok is false for any other row, and for a
// corrupt one.
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
	default: // q's batch is incomplete, and p's batch undoes it
		return p.ts == q.ts+1 && p.base == q.base
	}
}

// complete returns the timestamp of the newest batch that is complete when p has been
// written.
func (p part) complete() uint64 {
	if p.last {
		return p.ts
	}
	return p.base
}

// partLimit is the maximum size of a part. Both limits are inclusive.
type partLimit struct {
	rows  int
	bytes int // sum of storage.EntryBytes
}

// partWriter writes the rows of one batch. While a part is being committed, the next one is
// filled.
type partWriter struct {
	s    *Store
	next part // part that is being filled
	txn  *engine.Txn
	rows int // number of rows in txn
	size int // size of the rows in txn

	inFlight chan error // receives the outcome of the part that is being committed; nil if none is
	kept     int        // number of parts on disk

	// failed is the error of a commit of the engine, if one has failed. It is stored
	// separately because a returned error may have other causes.
	failed     error
	failedLast bool // the commit of the last part has failed
}

// newPartWriter returns a writer for a batch with the timestamp ts that follows the
// complete batch at base. The caller must call discard.
func (s *Store) newPartWriter(ts, base uint64) *partWriter {
	w := &partWriter{s: s, next: part{ts: ts, base: base, number: 1}}
	w.txn = s.db.NewTransactionAt(math.MaxUint64, true)
	return w
}

// write adds a row to the batch. sealed is its content, or nil to delete it. The engine
// keeps both slices until the part is committed.
func (w *partWriter) write(row, sealed []byte) error {
	value, _ := stripChecksum(sealed)
	size := storage.EntryBytes(row[1:], value) // the same size as in layer; see limits.go
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

// send starts the commit of a part that is not the last one, after the previous part is on
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

// undoes reports whether the batch undoes an incomplete one, whose timestamp is between
// base and ts.
func (w *partWriter) undoes() bool { return w.next.ts > w.next.base+1 }

// commit commits a transaction of the engine. Several parts must reach the disk in order
// even if the store does not sync: otherwise a power loss could keep the last part but lose
// an earlier one. A batch that undoes an incomplete one must also be on disk before the
// next batch is, because Open assumes that everything up to the newest complete batch is
// complete. Sync of the engine syncs the current log. It contains txn, because there is no
// other writer.
func (w *partWriter) commit(txn *engine.Txn, ordered bool) error {
	err := w.s.flusher.commitAt(txn, w.next.ts)
	if err == nil && ordered && !w.s.sync {
		err = w.s.flusher.syncLog()
	}
	return sanitizeError("commit", err)
}

// discard waits for the last commit and releases the transaction.
func (w *partWriter) discard() {
	_ = w.await() // the error is in w.failed
	w.txn.Discard()
}

// writeParts commits a batch whose rows are written by fill. kept reports whether the
// engine may have stored a part of it, and last whether it may have stored all of it.
// engineErr is the error of a commit of the engine.
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
		err = errors.Join(err, w.failed) // both fill and the commit of a part have failed
	}
	return s.mayHaveKept(ts), w.failedLast, w.failed, err
}

// mayHaveKept reports whether the engine may have stored a part of a failed batch. If the
// commit did not reach the in-memory table, there is no version with its timestamp. If the
// engine could not create a new log, it has no such table and the outcome is unknown.
// MaxVersion would then panic while it holds a lock, and another write would terminate the
// process.
func (s *Store) mayHaveKept(ts uint64) bool {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	err := catchPanic("find incomplete commit", func() error {
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

// readError returns the error of a read in the engine that failed with err.
func (s *Store) readError(err error) error {
	var fault *PanicError
	if errors.As(err, &fault) && s.unreadable.Load() {
		return errUnreadable
	}
	return err
}

// commit commits a batch that follows the newest complete one. It returns the timestamp up
// to which all batches are complete afterwards: that of the batch or, if the batch was
// undone, that of the batch that undoes it. halted is the reason why the store must halt,
// or nil. It differs from err, which also reports whether the outcome is unknown. The
// caller must be the only writer of the engine.
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
		// Every part that was sent is completely on disk, and the last part was not sent.
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

// rollBack undoes one or several incomplete batches. It writes a batch that restores the
// content of their keys at base, and returns the timestamp of that batch. If it is
// interrupted, it can be repeated.
func (s *Store) rollBack(base uint64) (ts uint64, err error) {
	newest := s.db.MaxVersion()
	ts = newest + 1
	_, _, _, err = s.writeParts(ts, base, func(w *partWriter) error {
		return s.changedSince(base, newest, w.write)
	})
	return ts, err
}

// changedSince calls fn for every row with a version above base and up to newest, with its
// content at base, or nil if it did not exist.
func (s *Store) changedSince(base, newest uint64, fn func(row, sealed []byte) error) error {
	old := s.db.NewTransactionAt(base, false)
	defer old.Discard()
	txn := s.db.NewTransactionAt(newest, false)
	defer txn.Discard()
	var fnErr error // not returned through catchPanic, which sanitizes errors
	err := catchPanic("undo incomplete commit", func() error {
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
			if fnErr = fn(row, sealed); fnErr != nil {
				return nil
			}
		}
		return nil
	})
	if fnErr != nil {
		return fnErr
	}
	return err
}

// lastCompletePart returns the newest part that completed a batch at or before ts.
func (s *Store) lastCompletePart(ts uint64) (p part, err error) {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	err = catchPanic("read last commit", func() error {
		item, err := txn.Get(sequenceRow)
		if err != nil {
			if errors.Is(err, engine.ErrKeyNotFound) {
				return corrupt("the row of the last commit is missing")
			}
			return err
		}
		return item.Value(func(sealed []byte) error {
			var ok bool
			if p, ok = parsePart(sequenceRow, sealed, item.Version()); !ok {
				return corrupt("the row of the last commit is invalid")
			}
			return nil
		})
	})
	return p, err
}

// requireParts returns an error that matches [storage.ErrCorrupt] unless the first n parts
// of the batch at ts exist.
func (s *Store) requireParts(ts uint64, n int) error {
	txn := s.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	return catchPanic("find parts of a commit", func() error {
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
