package badger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Open opens the store in dir, which it makes where it is absent. One Store at a
// time has a directory open: otherwise the error is [ErrInUse], after half a second.
// It can also be
// [ErrForeign] or [ErrVersion], and matches [storage.ErrCorrupt] where files of
// the directory are damaged or missing: it reads every table whole, at about the
// speed of the disk (see [Options].SkimTables). Directories that it refuses are left as they are, but for what
// the engine itself does when it opens one.
func Open(dir string, o Options) (*Store, error) {
	return open(dir, o, func(*engine.Options) {})
}

// open is Open with other options of the engine.
func open(dir string, o Options, tune func(*engine.Options)) (*Store, error) {
	memTable := o.MemTableBytes
	if memTable == 0 {
		memTable = defaultMemTable
	}
	if memTable < minMemTable || memTable > maxMemTable {
		return nil, fmt.Errorf("storage/badger: MemTableBytes must be from %d to %d", minMemTable, maxMemTable)
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
	var left int64
	if err == nil {
		left, err = inspect(dir, m, o.SkimTables)
	}
	if err == nil {
		err = dropUnborn(dir)
	}
	unlock()
	if err != nil {
		return nil, err
	}
	// The engine ends the process when a log left by a crash does not fit its table.
	memTable = max(memTable, left)

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
	if err := s.space.check(0); err != nil {
		return nil, err
	}
	eo := engineOptions(dir, memTable, !o.NoSync, logger)
	tune(&eo)
	err = guard("open", func() error {
		s.db, err = engine.OpenManaged(eo)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.start(memTable); err != nil {
		return nil, errors.Join(err, guard("closing", s.db.Close), s.mark.close(0, false, false))
	}
	return s, nil
}

// start makes a store of the engine that it has just opened.
func (s *Store) start(memTable int64) error {
	s.limits = limitsOf(s.db.MaxBatchCount(), s.db.MaxBatchSize(), inlineBound(memTable))
	s.snaps.discard = s.db.SetDiscardTs
	newest := s.db.MaxVersion()
	err := s.readFormat(newest)
	if errors.Is(err, errNew) {
		newest++
		err = s.writeFormat(newest)
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

// errNew says that the engine has just been made.
var errNew = errors.New("storage/badger: new directory")

func (s *Store) readFormat(newest uint64) error {
	txn := s.db.NewTransactionAt(newest, false)
	defer txn.Discard()
	var verdict error
	err := guard("open", func() error {
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

func (s *Store) writeFormat(ts uint64) error {
	return guard("open", func() error {
		txn := s.db.NewTransactionAt(ts, true)
		defer txn.Discard()
		sealed := seal(formatRow, []byte(formatName+strconv.Itoa(formatVersion)))
		if err := txn.Set(formatRow, sealed); err != nil {
			return err
		}
		if err := txn.CommitAt(ts, nil); err != nil {
			return err
		}
		// With NoSync this row could be lost where later ones are not, and the directory
		// would look foreign. It is the only one so far, so there is just one log to sync.
		return s.db.Sync()
	})
}

func engineOptions(dir string, memTable int64, sync bool, logger *slog.Logger) engine.Options {
	o := engine.DefaultOptions(dir)
	o.Logger = quiet{to: logger}
	o.SyncWrites = sync
	o.DetectConflicts = false // one writer at a time
	o.MemTableSize = memTable
	o.NumMemtables = 3
	o.NumCompactors = 2
	o.CompactL0OnClose = true // so that deleted rows do not stay in young tables
	o.MetricsEnabled = false  // they are global variables of the process

	// Values stay beside their keys (see limits.go), so the value log stays empty and
	// never needs collecting. Its file is made nonetheless, as a sparse one.
	o.ValueThreshold = inlineBound(memTable)
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
