package badger

import (
	"errors"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/groupcommit"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
)

// flusher is the group commit of a store.
type flusher struct {
	groupcommit.Queue

	// commitAt and syncLog are CommitAt and Sync of the engine. Tests replace them.
	commitAt func(txn *engine.Txn, ts uint64) error
	syncLog  func() error
}

// flush commits the writes of a batch. It is the [groupcommit.Apply] of the store.
func (s *Store) flush(writes *overlay.Layer) (o groupcommit.Outcome, wait func() groupcommit.Outcome) {
	at := s.snaps.newest()
	if err := s.reserve(writes, at); err != nil {
		return groupcommit.Outcome{Err: err}, nil
	}
	reached, halted, err := s.commit(func(w *partWriter) error { return s.writeLayer(w, writes, at) })
	s.snaps.advance(reached)
	return groupcommit.Outcome{Err: err, Halted: halted}, nil
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
		return s.space.Check(int64(l.Bytes()), 0)
	}
	// First try an upper bound for the deleted ranges and the replaced rows. This usually
	// succeeds, and avoids measuring them.
	all, err := s.space.RowBytesBound()
	if err != nil {
		return err
	}
	batch, old := int64(l.Bytes()), all
	if l.Ranges() > 0 {
		batch += all
	}
	if err := s.space.Check(batch, undoBytes(batch, old)); !errors.Is(err, ErrDiskFull) {
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
	return s.space.Check(batch, undoBytes(batch, old))
}

// undoBytes returns the disk space for a batch of the given size and for undoing it, where
// old is the size of the rows that it replaces. Both are stored in a log and in a table at
// the same time.
func undoBytes(batch, old int64) int64 { return 4*batch + 2*old }

// recordMark records in the commit mark that everything up to ts is on disk. If this fails,
// Open can detect less corruption, but no data is lost.
func (s *Store) recordMark(ts uint64) {
	if err := s.mark.Record(ts); err != nil {
		s.logger.Warn("storage/badger: cannot write the commit mark", "error", err)
	}
}
