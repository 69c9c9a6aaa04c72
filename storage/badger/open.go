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

// Open opens the store in dir, and creates dir if it does not exist. Only one Store at a
// time can have a directory open: another Open returns [ErrInUse] after half a second. Open
// returns [ErrForeign] or [ErrVersion] for a directory that it cannot read, and an error that
// matches [storage.ErrCorrupt] if files of the directory are damaged or missing. To find
// damage it reads every table whole, at about the speed of the disk (see
// [Options].SkimTables). It changes nothing in a directory that it refuses, except for the
// changes that the engine itself makes when it opens one. If it finds damage that those
// changes would conceal, it records in the directory that every later Open must report it.
func Open(dir string, o Options) (*Store, error) {
	return open(dir, o, func(*engine.Options, *Store) {})
}

// open is Open with a function that may change the options of the engine, and functions
// of the store that tests replace.
func open(dir string, o Options, tune func(*engine.Options, *Store)) (*Store, error) {
	memTable := o.MemTableBytes
	if memTable == 0 {
		memTable = defaultMemTable
	}
	if memTable < minMemTable || memTable > maxMemTable {
		return nil, fmt.Errorf("storage/badger: MemTableBytes must be from %d to %d", minMemTable, maxMemTable)
	}
	if o.PartRows < 0 {
		return nil, errors.New("storage/badger: PartRows must not be negative")
	}
	if dir == "" {
		return nil, errors.New("storage/badger: no directory given")
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
	// The engine ends the process when a log left by a crash does not fit its table.
	memTable = max(memTable, found.memTable)

	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	s := &Store{
		writer: make(chan struct{}, 1),
		logger: logger,
		sync:   !o.NoSync,
		mark:   m,
		space:  space{dir: dir, fixed: o.MinFreeBytes, memTable: memTable, free: freeBytes},
	}
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error { return txn.CommitAt(ts, nil) }
	s.flusher.syncLog = func() error { return s.db.Sync() }
	eo := engineOptions(dir, memTable, !o.NoSync, logger)
	tune(&eo, s)
	if err := s.space.check(0, 0); err != nil {
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
		return nil, errors.Join(err, catchPanic("closing", s.db.Close), s.mark.close(0, false, false))
	}
	return s, nil
}

// start makes a store of the engine that it has just opened. Until it calls advance the
// engine discards no version of a row.
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
	if err := s.mark.open(s.db.Opts().Dir, newest, s.sync); err != nil {
		return err
	}
	s.snaps.advance(newest)
	s.startFlusher()
	return nil
}

// restore returns the timestamp of the newest batch that is complete, after it has
// undone one that is not. newest is that of the newest version in the engine.
func (s *Store) recoverBatches(newest uint64, found findings) (uint64, error) {
	complete, err := s.lastCompletePart(newest)
	if err != nil {
		return 0, err
	}
	if s.mark.found && s.mark.strict && complete.ts < s.mark.ts {
		return 0, lostCommits(complete.ts + 1)
	}
	if err := s.requireParts(complete.ts, complete.number-1); err != nil {
		return 0, err
	}
	if err := s.requirePartsBeforeLogs(found); err != nil {
		if errors.Is(err, storage.ErrCorrupt) {
			err = errors.Join(err, recordDamage(s.db.Opts().Dir))
		}
		return 0, err
	}
	if complete.ts == newest {
		return newest, nil
	}
	// Check that there is room for all of it before anything is written.
	var batch int64
	err = s.changedSince(complete.ts, newest, func(row, sealed []byte) error {
		batch += int64(storage.EntryBytes(row, sealed))
		return nil
	})
	if err == nil {
		err = s.space.check(batch, undoBytes(batch, 0))
	}
	if err != nil {
		return 0, err
	}
	s.logger.Info("storage/badger: a commit that was interrupted is undone", "commit", complete.ts+1)
	return s.rollBack(complete.ts)
}

// requireBefore returns an error that matches [storage.ErrCorrupt] if parts are missing
// between the tables and the logs: see checkLogs.
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

// errNew is returned for an engine that was just created and holds nothing.
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
	// With NoSync this row could be lost where later ones are not, and the directory
	// would look foreign. It is the only one so far, so there is just one log to sync.
	return catchPanic("open", s.flusher.syncLog)
}

func engineOptions(dir string, memTable int64, sync bool, logger *slog.Logger) engine.Options {
	o := engine.DefaultOptions(dir)
	o.Logger = redactingLogger{to: logger}
	o.SyncWrites = sync
	o.DetectConflicts = false // one writer at a time
	o.MemTableSize = memTable
	o.NumMemtables = 3
	o.NumCompactors = 2
	o.CompactL0OnClose = true // so that deleted rows do not stay in young tables
	o.MetricsEnabled = false  // they are global variables of the process

	// Values stay beside their keys (see limits.go), so the value log stays empty and
	// never needs collecting. Its file is made nonetheless, as a sparse one.
	o.ValueThreshold = inlineLimit(memTable)
	o.ValueLogFileSize = 16 << 20

	// Not compressed. A byte that went bad then spoils one row, which our checksum
	// sees; in a compressed block it spoils all rows, and the engine's iterators end
	// early rather than report a block that they cannot decode. Blocks are also read
	// in place from the mapped file, so that no cache has to hold them a second time:
	// the memory of the process does not grow with what is read.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0

	// The engine's own checks are left out for the same reason: verifying a block as
	// it is read hides all of it from a scan, and lets a compaction drop the rest of
	// its table; verifying a table as it is opened panics in a goroutine of the engine,
	// where nobody can catch it. Open has verified every table (see tables.go).
	o.ChecksumVerificationMode = options.NoVerification
	return o
}
