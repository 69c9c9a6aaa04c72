package pebble

import (
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

	listPrefix = "MANIFEST-"

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
// obsolete files open. If ctx is done first, the error matches [ErrReaders] and the error of
// ctx, and Erase can be called again. Other Updates and Views do not wait. Erase may take as
// long as reading and writing the whole directory, and may temporarily double its size.
//
// Erase does not overwrite blocks that the file system has freed, and does not change
// backups.
func (s *Store) Erase(ctx context.Context) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	s.erasing.Lock()
	defer s.erasing.Unlock()
	s.files.erase.Store(true)
	defer s.files.erase.Store(false)
	// The engine keeps what a snapshot can read, so no state may be older than the deletes.
	if err := s.awaitReaders(ctx); err != nil {
		return err
	}
	tables, err := s.touchTables(ctx)
	if err != nil {
		return err
	}
	before, err := s.dataFiles()
	if err != nil {
		return err
	}
	if err := sanitizeError("erase", s.db.Compact(ctx, []byte{internalSpace}, []byte{dataSpaceEnd}, false)); err != nil {
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
		if err := sanitizeError("erase", s.db.Flush()); err != nil {
			return err
		}
		left, err := s.remaining(before)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(left, func(name string) bool { return filepath.Ext(name) != ".sst" }) {
			break
		}
	}
	// An iterator keeps files that were live when it was opened.
	if err := s.awaitReaders(ctx); err != nil {
		return err
	}
	return s.awaitRemoval(ctx, before)
}

// awaitReaders waits for the transactions that read a state before the newest durable one.
func (s *Store) awaitReaders(ctx context.Context) error {
	if err := s.states.awaitSince(ctx, s.states.newestDurable()); err != nil {
		return fmt.Errorf("%w: %w", ErrReaders, err)
	}
	return nil
}

// touchTables writes the first row of each table again, so that a compaction of all levels
// processes all tables. It returns the number of tables.
func (s *Store) touchTables(ctx context.Context) (tables int, err error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return 0, sanitizeError("erase", err)
	}
	var keys [][]byte
	for _, level := range levels {
		tables += len(level)
		for _, t := range level {
			if row := t.Smallest.UserKey; row[0] == dataSpace { // each commit writes the other rows
				keys = append(keys, row[1:])
			}
		}
	}
	for chunk := range slices.Chunk(keys, 100) {
		if err := transaction.Rewrite(ctx, s, chunk...); err != nil {
			return 0, err
		}
	}
	return tables, nil
}

// dataFiles returns the names of the files that contain keys.
func (s *Store) dataFiles() (names []string, err error) {
	all, err := s.files.List(s.dir)
	if err != nil {
		return nil, sanitizeError("erase", err)
	}
	for _, name := range all {
		if ext := filepath.Ext(name); ext == ".sst" || ext == ".log" || strings.HasPrefix(name, listPrefix) {
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
