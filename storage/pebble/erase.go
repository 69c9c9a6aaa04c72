package pebble

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

const (
	// replaceRounds is the maximum number of flushes with which Erase replaces logs and
	// lists of files, in addition to two for each table. The engine keeps up to three old
	// logs and one old list.
	replaceRounds = 32

	// tableRounds is the maximum number of times that Erase compacts all tables. More than one
	// is needed if other Updates cause compactions meanwhile.
	tableRounds = 10

	listPrefix  = "MANIFEST-"
	tableSuffix = ".sst"

	// removalInterval is the interval at which Erase checks whether the engine has removed
	// files. It removes them in the background.
	removalInterval = 5 * time.Millisecond
)

// Erase removes the keys and values that were deleted or replaced by earlier Updates from
// the files of the directory: tables, logs and lists of files, which contain keys. Without
// Erase, deleted data remains on disk until a compaction happens to process it.
//
// Erase returns nil only after the engine has rewritten all tables, and has removed all files
// that existed before. It waits for Views that began earlier, and for Views that hold
// obsolete files open. If ctx is done first, the error matches the error of ctx, and
// [ErrReaders] if Erase was waiting for such a View, and Erase can be called again. Other
// Updates and Views do not wait. Erase may take as long as reading and writing the whole
// directory, and may temporarily double its size. Only one Erase runs at a time.
//
// Erase does not overwrite blocks that the file system has freed, and does not change
// backups.
func (s *Store) Erase(ctx context.Context) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	select {
	case s.erasing <- struct{}{}:
	default:
		select {
		case s.erasing <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s.erasing }()
	s.files.erase.Store(true)
	defer s.files.erase.Store(false)
	before, tables, err := s.replaceTables(ctx)
	if err != nil {
		return err
	}
	// The lists of files until now contain the keys of tables before the compaction.
	lists, err := s.dataFiles()
	if err != nil {
		return err
	}
	for _, name := range lists {
		if strings.HasPrefix(name, listPrefix) {
			before = append(before, name)
		}
	}
	// The engine replaces logs and lists only when it writes something.
	for range replaceRounds + 2*tables {
		if err := transaction.Rewrite(ctx, s, []byte{}); err != nil {
			return err
		}
		if err := s.flush(ctx); err != nil {
			return err
		}
		left, err := s.remaining(before)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(left, func(name string) bool { return filepath.Ext(name) != tableSuffix }) {
			break
		}
	}
	// An iterator keeps files that were live when it was opened.
	if err := s.awaitReaders(ctx); err != nil {
		return err
	}
	return s.awaitRemoval(ctx, before)
}

// replaceTables replaces all tables by tables without deleted rows. It returns the names of
// the files with keys until then, and the largest number of tables.
func (s *Store) replaceTables(ctx context.Context) (before []string, tables int, err error) {
	if err := s.awaitReaders(ctx); err != nil { // before anything is written
		return nil, 0, err
	}
	if err := s.flush(ctx); err != nil { // rows in memory may become a table later
		return nil, 0, err
	}
	for range tableRounds {
		n, err := s.touchTables(ctx)
		if err != nil {
			return nil, 0, err
		}
		tables = max(tables, n)
		// The engine keeps what a snapshot can read, so no state may be older than the deletes
		// and those of touchTables when it begins to write a table. Tables that it has begun
		// before must be replaced, too.
		if err := s.awaitReaders(ctx); err != nil {
			return nil, 0, err
		}
		jobs := s.compactions.startedJobs()
		old, err := s.dataFiles()
		if err != nil {
			return nil, 0, err
		}
		written, err := jobs.await(ctx)
		if err != nil {
			return nil, 0, err
		}
		old = append(old, written...)
		before = append(before, old...)
		if err := s.db.Compact(ctx, []byte{internalSpace}, []byte{dataSpaceEnd}, false); err != nil {
			return nil, 0, cmp.Or(ctx.Err(), sanitizeError("erase", err))
		}
		// Compactions of other Updates may have changed the bounds of tables before the
		// compaction, so that it has left some.
		live, _, err := s.tables()
		if err != nil {
			return nil, 0, err
		}
		if !slices.ContainsFunc(live, func(name string) bool { return slices.Contains(old, name) }) {
			return before, tables, nil
		}
	}
	return nil, 0, ErrNotErased
}

// flush writes the rows in memory to tables.
func (s *Store) flush(ctx context.Context) error {
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return sanitizeError("erase", err)
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitReaders waits for the transactions that read a state before the newest durable one.
func (s *Store) awaitReaders(ctx context.Context) error {
	if err := s.states.awaitSince(ctx, s.states.newestDurable()); err != nil {
		return fmt.Errorf("%w: %w", ErrReaders, err)
	}
	return nil
}

// tables returns the names of the tables, and the first and last row of each.
func (s *Store) tables() (names []string, bounds [][]byte, err error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, nil, sanitizeError("erase", err)
	}
	for _, level := range levels {
		for _, t := range level {
			names = append(names, t.BackingSSTNum.String()+tableSuffix)
			bounds = append(bounds, t.Smallest.UserKey, t.Largest.UserKey)
		}
	}
	return names, bounds, nil
}

// touchTables writes the first and the last row of each table again, so that a compaction of
// all levels processes all tables. It returns the number of tables.
func (s *Store) touchTables(ctx context.Context) (tables int, err error) {
	names, bounds, err := s.tables()
	if err != nil {
		return 0, err
	}
	keys := [][]byte{{}} // at least one, because each commit also writes the other rows
	for _, row := range bounds {
		if row[0] == dataSpace {
			keys = append(keys, row[1:])
		}
	}
	for chunk := range slices.Chunk(keys, 100) {
		if err := transaction.Rewrite(ctx, s, chunk...); err != nil {
			return 0, err
		}
	}
	return len(names), nil
}

// dataFiles returns the names of the files that contain keys.
func (s *Store) dataFiles() (names []string, err error) {
	all, err := s.files.List(s.dir)
	if err != nil {
		return nil, sanitizeError("erase", err)
	}
	for _, name := range all {
		if ext := filepath.Ext(name); ext == tableSuffix || ext == ".log" || strings.HasPrefix(name, listPrefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// remaining returns the names of those files of before that still exist.
func (s *Store) remaining(before []string) ([]string, error) {
	now, err := s.dataFiles()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(now, func(name string) bool { return !slices.Contains(before, name) }), nil
}

// awaitRemoval waits until the engine has removed the files of before.
func (s *Store) awaitRemoval(ctx context.Context, before []string) error {
	tick := time.NewTicker(removalInterval)
	defer tick.Stop()
	for {
		left, err := s.remaining(before)
		if err != nil || len(left) == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotErased, ctx.Err())
		}
	}
}
