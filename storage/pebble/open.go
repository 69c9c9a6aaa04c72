package pebble

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
	"github.com/customerportal-go/customerportal/storage/internal/diskspace"
)

// markName is the name of the file with the commit mark. If a log is corrupt, the engine
// treats the corruption as the end of the log.
const markName = "COMMITS"

var markFormat = commitmark.Format{Backend: "storage/pebble", Magic: "cpp1"}

// Open opens the store in dir, and creates dir if it does not exist. It returns [ErrInUse]
// if another Store uses the directory, [ErrForeign] or [ErrVersion] if dir contains data
// that it cannot read, and an error that matches [storage.ErrCorrupt] if files are corrupt
// or missing. It reads the logs, which are at most a few times MemTableBytes long, and not
// the tables.
//
// If dir contains corrupt logs or data of another program, Open does not change it.
func Open(dir string, o Options) (*Store, error) {
	return open(dir, o, func(*engine.Options, *Store) {})
}

// open is Open with a hook for tests that can change the options of the engine and replace
// functions of the store.
func open(dir string, o Options, tune func(*engine.Options, *Store)) (s *Store, err error) {
	if o, err = o.complete(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errors.New("storage/pebble: directory must not be empty")
	}
	s = &Store{
		logger:      o.Logger,
		sync:        !o.NoSync,
		files:       &guardedFS{FS: vfs.Default, unsaved: vfs.NewMem()},
		exit:        func() { os.Exit(1) },
		compactions: newCompactions(),
		erasing:     make(chan struct{}, 1),
		maxUpdate:   maxUpdateBytes,
		space:       diskspace.Space{Backend: "storage/pebble", ErrFull: ErrDiskFull, Fixed: o.MinFreeBytes, MemTable: o.MemTableBytes},
	}
	s.space.Free = s.freeBytes
	s.space.MeasureTables = s.tableBytes
	s.files.fatal = s.fatal
	eo := engineOptions(o, s)
	tune(eo, s)
	if s.dir, err = s.makeDir(dir); err != nil {
		return nil, err
	}
	lock, err := engine.LockDirectory(s.dir, s.files)
	if err != nil {
		return nil, lockError(err)
	}
	defer func() {
		// The engine has its own reference to the lock.
		err = errors.Join(err, sanitizeError("open", lock.Close()))
	}()
	eo.Lock = lock
	if s.mark, err = markFormat.Read(markFiles{s.files.FS}, filepath.Join(s.dir, markName)); err != nil {
		return nil, err
	}
	if err := s.inspect(eo); err != nil {
		return nil, err
	}
	if err := s.space.Check(0, 0); err != nil {
		return nil, err
	}
	err = catchOpen(func() error {
		s.db, err = engine.Open(s.dir, eo)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, sanitizeError("close", s.db.Close()), s.mark.Close(0, false, false))
	}
	return s, nil
}

// makeDir creates a directory and returns its canonical name. The engine compares names to
// detect that the same process opens a directory twice.
func (s *Store) makeDir(dir string) (string, error) {
	if err := s.files.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("storage/pebble: %w", err)
	}
	if s.files.FS != vfs.Default {
		return dir, nil
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("storage/pebble: %w", err)
	}
	return dir, nil
}

// lockError returns the error of a failed attempt to lock the directory.
func lockError(err error) error {
	var path *os.PathError
	held := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) && !errors.As(err, &path)
	if held || strings.Contains(err.Error(), "lock held by current process") {
		return ErrInUse
	}
	return sanitizeError("lock the directory", err)
}

// start initializes the store with the engine that was just opened.
func (s *Store) start() error {
	number, err := readNumber(s.db)
	if err != nil {
		return err
	}
	if number == 0 {
		if err := s.writeFormat(); err != nil {
			return err
		}
		number = 1
	}
	if err := s.files.failure(); err != nil { // the commit mark must not contain a number that is not on disk
		return err
	}
	if err := s.mark.Open(number, s.sync); err != nil {
		return err
	}
	if err := s.files.finishOpen(); err != nil {
		return err
	}
	s.number = number
	s.states.start(number, s.db.NewSnapshot())
	s.queue.Admit = s.admit
	s.queue.Start(s.commit)
	return nil
}

// writeFormat writes the first commit.
func (s *Store) writeFormat() error {
	b := s.db.NewBatch()
	defer b.Close()
	err := errors.Join(b.Set(formatRow, []byte(formatName+strconv.Itoa(formatVersion)), nil), b.Set(numberRow, formatNumber(1), nil))
	if err == nil {
		err = s.apply(b)
	}
	if err == nil && s.sync {
		err = b.SyncWait()
	}
	return sanitizeError("open", err)
}

// readNumber returns the number of the newest commit, or 0 if the engine is empty.
func readNumber(r engine.Reader) (uint64, error) {
	format, err := getRow(r, formatRow)
	if err != nil {
		return 0, err
	}
	if format == nil {
		return 0, requireEmpty(r)
	}
	if err := checkFormat(format); err != nil {
		return 0, err
	}
	number, err := getRow(r, numberRow)
	if err != nil {
		return 0, err
	}
	return parseNumber(number)
}

// requireEmpty returns [ErrForeign] if the engine contains rows.
func requireEmpty(r engine.Reader) error {
	it, err := r.NewIter(nil)
	if err != nil {
		return sanitizeError("open", err)
	}
	if it.First() {
		err = ErrForeign
	} else {
		err = it.Error()
	}
	return sanitizeError("open", errors.Join(err, it.Close()))
}

// catchOpen runs a call that opens the engine. The engine panics in some cases if files are
// corrupt. Nothing else uses it then.
func catchOpen(open func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = corrupt("open: the engine panicked")
		}
	}()
	return sanitizeError("open", open())
}

// fatal ends the process. It does not return, because the engine is in an undefined state.
func (s *Store) fatal(reason string) {
	s.logger.Error("storage/pebble: the process ends", "reason", reason)
	s.exit()
	select {}
}

// freeBytes returns the free disk space.
func (s *Store) freeBytes() (int64, error) {
	usage, err := s.files.GetDiskUsage(s.dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return math.MaxInt64, nil
	}
	return int64(min(usage.AvailBytes, math.MaxInt64)), err
}

// tableBytes returns the total size of the tables.
func (s *Store) tableBytes() (total int64, err error) {
	names, err := s.files.List(s.dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if filepath.Ext(name) != ".sst" {
			continue
		}
		if info, err := s.files.Stat(s.files.PathJoin(s.dir, name)); err == nil { // otherwise it has just been deleted
			total += info.Size()
		}
	}
	return total, nil
}

func engineOptions(o Options, s *Store) *engine.Options {
	eo := &engine.Options{
		FS:                          s.files,
		Logger:                      redactingLogger{to: o.Logger, fatal: s.fatal},
		MemTableSize:                uint64(o.MemTableBytes),
		CacheSize:                   o.CacheBytes,
		L0CompactionThreshold:       2,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		MemTableStopWritesThreshold: 2,
		FormatMajorVersion:          engine.FormatValueSeparation, // a constant, so that a new version of the engine does not change it

		L0StopWritesThreshold: math.MaxInt32, // compactions.await waits instead

		// Replace the list of files when it contains twice as many files as there are,
		// whatever its size. Erase needs this, because the list contains keys.
		MaxManifestFileSize: 1,

		EventListener: &engine.EventListener{
			// By default the engine ends the process.
			DataCorruption: func(engine.DataCorruptionInfo) {
				s.logger.Error("storage/pebble: a table is corrupt; restore a backup")
			},
		},
	}
	s.compactions.listen(eo.EventListener, s.logger, s.files.flushFailed)
	for i := range eo.Levels {
		l := &eo.Levels[i]
		l.BlockSize = 32 << 10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.FilterType = engine.TableFilter
		l.Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	return eo
}

// Read implements [commitmark.Files].
func (m markFiles) Read(path string) ([]byte, error) {
	if m.FS == vfs.Default {
		return commitmark.OS{}.Read(path)
	}
	f, err := m.FS.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		b := make([]byte, info.Size())
		if len(b) > 0 {
			_, err = f.ReadAt(b, 0)
		}
		if err == nil {
			return b, f.Close()
		}
	}
	return nil, errors.Join(err, f.Close())
}

// Open implements [commitmark.Files].
func (m markFiles) Open(path string) (commitmark.File, error) {
	if m.FS == vfs.Default {
		return commitmark.OS{}.Open(path)
	}
	return m.FS.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
}
