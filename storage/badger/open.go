package badger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/customerportal-go/customerportal/storage"
)

// Open opens the store in dir, and creates dir if it does not exist. If another Store uses
// the directory, Open returns [ErrInUse] after half a second. It returns [ErrForeign] or
// [ErrVersion] if dir contains data that it cannot read, and an error that matches
// [storage.ErrCorrupt] if files are corrupt or missing. To detect corruption it reads every
// table completely, at about the speed of the disk (see [Options].SkimTables).
//
// If Open returns an error, it has not changed the directory, except for changes that the
// engine makes when it opens one. If these changes would hide the corruption that was
// found, Open records the corruption in the directory, and every later Open reports it.
func Open(dir string, o Options) (*Store, error) {
	return open(dir, o, func(*engine.Options, *Store) {})
}

// open is Open with a hook for tests that can change the options of the engine and replace
// functions of the store.
func open(dir string, o Options, tune func(*engine.Options, *Store)) (*Store, error) {
	memTable := o.MemTableBytes
	if memTable == 0 {
		memTable = defaultMemTable
	}
	if memTable < minMemTable || memTable > maxMemTable {
		return nil, fmt.Errorf("storage/badger: MemTableBytes is %d, must be 0 or from %d to %d", memTable, minMemTable, maxMemTable)
	}
	if o.PartRows < 0 {
		return nil, errors.New("storage/badger: PartRows must not be negative")
	}
	if dir == "" {
		return nil, errors.New("storage/badger: directory must not be empty")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("storage/badger: %w", err)
	}
	unlock, err := probeLock(dir)
	if err != nil {
		return nil, err
	}
	m, err := readMark(dir)
	var found findings
	if err == nil {
		found, err = inspect(dir, m, o.SkimTables)
	}
	if err == nil {
		err = removeEmptyLogs(dir)
	}
	unlock()
	if err != nil {
		return nil, err
	}
	// The engine terminates the process if a log left by a crash does not fit into its
	// table.
	memTable = max(memTable, found.memTable)

	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	s := &Store{
		logger: logger,
		sync:   !o.NoSync,
		mark:   m,
		space:  newSpace(dir, memTable, o.MinFreeBytes),
	}
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error { return txn.CommitAt(ts, nil) }
	s.flusher.syncLog = func() error { return s.db.Sync() }
	eo := engineOptions(dir, memTable, !o.NoSync, logger)
	tune(&eo, s)
	if err := s.space.Check(0, 0); err != nil {
		return nil, err
	}
	err = catchPanic("open", func() error {
		s.db, err = engine.OpenManaged(eo)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.limits, s.part = limitsOf(s.db.MaxBatchCount(), s.db.MaxBatchSize(), inlineLimit(memTable))
	if o.PartRows > 0 {
		s.part.rows = min(s.part.rows, o.PartRows)
	}
	if err := s.start(found); err != nil {
		return nil, errors.Join(err, catchPanic("close", s.db.Close), s.mark.Close(0, false, false))
	}
	return s, nil
}

// start initializes the store with the engine that was just opened. The engine discards no
// version of a row before advance is called.
func (s *Store) start(found findings) error {
	s.snaps.discard = s.db.SetDiscardTs
	newest := s.db.MaxVersion()
	err := s.readFormat(newest)
	if errors.Is(err, errNew) {
		newest, err = 1, s.writeFormat()
	} else if err == nil {
		newest, err = s.recoverBatches(newest, found)
	}
	if err != nil {
		return err
	}
	if err := s.mark.Open(newest, s.sync); err != nil {
		return err
	}
	s.snaps.advance(newest)
	s.flusher.Start(s.flush)
	return nil
}

// recoverBatches undoes an incomplete batch, if there is one, and returns the timestamp of
// the newest complete batch. newest is the timestamp of the newest version in the engine.
func (s *Store) recoverBatches(newest uint64, found findings) (uint64, error) {
	complete, err := s.lastCompletePart(newest)
	if err != nil {
		return 0, err
	}
	if s.mark.Found && s.mark.Strict && complete.ts < s.mark.Number {
		return 0, lostCommits(complete.ts + 1)
	}
	if err := s.requireParts(complete.ts, complete.number-1); err != nil {
		return 0, err
	}
	if err := s.requirePartsBeforeLogs(found); err != nil {
		if errors.Is(err, storage.ErrCorrupt) {
			err = errors.Join(err, s.mark.RecordDamage())
		}
		return 0, err
	}
	if complete.ts == newest {
		return newest, nil
	}
	// Before writing anything, check that there is space for the whole undo.
	var batch int64
	err = s.changedSince(complete.ts, newest, func(row, sealed []byte) error {
		batch += int64(storage.EntryBytes(row, sealed))
		return nil
	})
	if err == nil {
		err = s.space.Check(batch, undoBytes(batch, 0))
	}
	if err != nil {
		return 0, err
	}
	s.logger.Info("storage/badger: undoing an incomplete commit", "commit", complete.ts+1)
	return s.rollBack(complete.ts)
}

// requirePartsBeforeLogs returns an error that matches [storage.ErrCorrupt] if parts are
// missing between the tables and the logs. See checkLogs.
func (s *Store) requirePartsBeforeLogs(found findings) error {
	first := found.first
	switch {
	case first.number > 1 && first.ts >= found.newest:
		return s.requireParts(first.ts, first.number-1)
	case first.number == 1 && first.ts > found.newest && first.base > 0:
		before, err := s.lastCompletePart(first.base)
		if err == nil && before.ts != first.base {
			err = lostCommits(before.ts + 1)
		}
		return err
	}
	return nil
}

// errNew is returned for an engine that was just created and is empty.
var errNew = errors.New("storage/badger: new directory")

func (s *Store) readFormat(newest uint64) error {
	txn := s.db.NewTransactionAt(newest, false)
	defer txn.Discard()
	var verdict error
	err := catchPanic("open", func() error {
		item, err := txn.Get(formatRow)
		switch {
		case errors.Is(err, engine.ErrKeyNotFound) && newest > 0:
			verdict = ErrForeign
			return nil
		case errors.Is(err, engine.ErrKeyNotFound):
			verdict = errNew
			return nil
		case err != nil:
			return err
		}
		return item.Value(func(sealed []byte) error {
			verdict = checkFormat(sealed)
			return nil
		})
	})
	return errors.Join(err, verdict)
}

// writeFormat writes the first batch, whose timestamp is 1.
func (s *Store) writeFormat() error {
	_, _, _, err := s.writeParts(1, 0, func(w *partWriter) error {
		return w.write(formatRow, seal(formatRow, []byte(formatName+strconv.Itoa(formatVersion))))
	})
	if err != nil {
		return err
	}
	// With NoSync, a power loss could lose this row but keep later ones, and the directory
	// would not be recognized. No other row has been written yet, so one sync is enough.
	return catchPanic("open", s.flusher.syncLog)
}

func engineOptions(dir string, memTable int64, sync bool, logger *slog.Logger) engine.Options {
	o := engine.DefaultOptions(dir)
	o.Logger = redactingLogger{logger}
	o.SyncWrites = sync
	o.DetectConflicts = false // one writer at a time
	o.MemTableSize = memTable
	o.NumMemtables = 3
	o.NumCompactors = 2
	o.CompactL0OnClose = true // so that deleted rows do not stay in level 0
	o.MetricsEnabled = false  // the metrics are global variables

	// All values are stored inline (see limits.go), so the value log stays empty and needs
	// no garbage collection. The engine still creates its file, which is sparse.
	o.ValueThreshold = inlineLimit(memTable)
	o.ValueLogFileSize = 16 << 20

	// No compression: a corrupt byte then affects only one row, which our checksum detects.
	// In a compressed block it affects all rows, and the engine's iterators end early
	// instead of reporting a block that they cannot decode. Uncompressed blocks are also
	// read directly from the memory-mapped file, so no cache is needed and memory use does
	// not grow with the amount of data that is read.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0

	// The engine's own verification is disabled. If it verified blocks when they are read,
	// a corrupt block would be missing in a scan without an error, and a compaction would
	// drop the rest of its table. If it verified tables when they are opened, it would
	// panic in one of its goroutines. Open has verified every table (see tables.go).
	o.ChecksumVerificationMode = options.NoVerification
	return o
}
