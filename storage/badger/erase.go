package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// eraseRounds is the maximum number of times that Erase rewrites rows that a compaction has
// kept. A compaction keeps a version that an open View can still read. If that View has
// ended since, one more round is enough.
const eraseRounds = 3

// sentinelRow is written and dropped to make the engine flush its in-memory table.
var sentinelRow = []byte{internalSpace, 'e', 'r', 'a', 's', 'e'}

// Erase removes the keys and values that were deleted or replaced by earlier Updates from
// the files of the directory, both tables and logs. Without Erase, deleted data remains on
// disk until a compaction happens to process it, which may never happen.
//
// Erase returns nil only after it has verified that the engine stores no deleted rows. It
// waits for Views that began earlier, and for Views that hold obsolete files open. If ctx
// is done first, the error matches [ErrReaders] and the error of ctx, and Erase can be
// called again. Other Updates wait about a second while the engine flushes its data; Views
// do not wait. Erase rewrites tables with deleted rows and reads every key. It may take as
// long as reading and writing the whole directory, and may temporarily double its size.
//
// If the engine fails during the flush, the store halts: Erase and all later Updates return
// [ErrHalted].
//
// Erase does not overwrite blocks that the file system has freed, and does not change
// backups.
func (s *Store) Erase(ctx context.Context) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	for range eraseRounds {
		cutoff := s.snaps.newest()
		if err := s.awaitReaders(ctx, cutoff); err != nil {
			return err
		}
		if err := s.rotate(ctx); err != nil {
			return err
		}
		if err := catchPanic("erase", func() error { return s.db.Flatten(1) }); err != nil {
			return err
		}
		left, err := s.rewriteStale(ctx, cutoff)
		if err != nil {
			return err
		}
		if left == 0 {
			return s.awaitFileRemoval(ctx)
		}
	}
	return ErrNotErased
}

// awaitReaders waits until no View reads at a timestamp below ts.
func (s *Store) awaitReaders(ctx context.Context, ts uint64) error {
	select {
	case <-s.snaps.readersPast(ts):
		return ctx.Err()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrReaders, ctx.Err())
	}
}

// rotate moves all rows from the in-memory table and its log, and from level 0, to lower
// levels. While the engine is open, dropping a prefix is the only way to do this.
func (s *Store) rotate(ctx context.Context) error {
	return s.flusher.Exclusively(ctx, func() error {
		if err := s.commitInternalRow(sentinelRow); err != nil {
			return err
		}
		err := catchPanic("erase", func() error { return s.db.DropPrefix(sentinelRow) })
		if err != nil {
			// The engine may have no usable in-memory table now, and another write would
			// terminate the process. All commits are in logs and tables.
			s.unreadable.Store(true)
			err = fmt.Errorf("%w: %w", ErrHalted, err)
			s.flusher.Halt(err)
		}
		return err
	})
}

// commitInternalRow commits a row of this package's metadata. It must be called by
// Exclusively.
func (s *Store) commitInternalRow(row []byte) error {
	if err := s.space.Check(engineCommitOverhead, 0); err != nil {
		return err
	}
	reached, halted, err := s.commit(func(w *partWriter) error { return w.write(row, seal(row, nil)) })
	if halted != nil {
		s.flusher.Halt(halted)
	}
	s.snaps.advance(reached)
	return err
}

// Maximum size of the Updates with which Erase rewrites rows.
const (
	eraseRows  = 5_000
	eraseBytes = 4 << 20
)

// rewriteStale finds the keys of rows that were deleted or replaced at ts or before, and
// writes them again, so that the next compaction processes them. It returns the number of
// keys.
func (s *Store) rewriteStale(ctx context.Context, ts uint64) (found int, err error) {
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	batch, bytes := [][]byte{}, 0
	flush := func() error {
		keys := batch
		batch, bytes = nil, 0
		return transaction.Rewrite(ctx, s, keys...)
	}
	engineErr := catchPanic("erase", func() error {
		it := txn.NewIterator(engine.IteratorOptions{AllVersions: true, Prefix: []byte{dataSpace}})
		defer it.Close()
		for key, weight := range staleKeys(ctx, it, ts) {
			found++
			if len(batch) == eraseRows || len(batch) > 0 && bytes+weight > eraseBytes {
				if err = flush(); err != nil {
					return nil
				}
			}
			batch = append(batch, key)
			bytes += weight
		}
		return nil
	})
	if err = errors.Join(engineErr, err, ctx.Err()); err == nil && len(batch) > 0 {
		err = flush()
	}
	return found, err
}

// staleKeys yields each key for which the engine stores a version that no reader at ts or
// later can see, and the maximum size of writing the key again. It stops when ctx is done.
func staleKeys(ctx context.Context, it *engine.Iterator, ts uint64) func(yield func([]byte, int) bool) {
	return func(yield func([]byte, int) bool) {
		var row []byte
		var superseded, reported bool // a version at ts or before was found; the key was yielded
		weight := 0
		steps := 0
		for it.Rewind(); it.Valid(); it.Next() {
			if steps++; steps%entriesPerCheck == 0 && ctx.Err() != nil {
				return
			}
			item := it.Item()
			if !bytes.Equal(item.Key(), row) {
				row = item.KeyCopy(row)
				superseded, reported, weight = false, false, 0
			}
			weight = max(weight, int(item.ValueSize()))
			if item.Version() > ts || reported {
				continue
			}
			if superseded || item.IsDeletedOrExpired() {
				reported = true
				if !yield(clone(row[1:]), storage.EntryBytes(row, nil)+weight) {
					return
				}
			}
			superseded = true
		}
	}
}

// awaitFileRemoval waits until the engine has removed all files that it no longer lists. A
// View keeps the files open that existed at its first read.
func (s *Store) awaitFileRemoval(ctx context.Context) error {
	if err := s.flusher.Exclusively(ctx, func() error { return s.commitInternalRow(sentinelRow) }); err != nil {
		return err
	}
	if err := s.awaitReaders(ctx, s.snaps.newest()); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(s.db.Opts().Dir, "*.sst"))
	if err != nil {
		return fmt.Errorf("storage/badger: %w", err)
	}
	listed := map[string]bool{}
	for _, t := range s.db.Tables() {
		listed[filepath.Base(table.NewFilename(t.ID, ""))] = true
	}
	for _, file := range files {
		if !listed[filepath.Base(file)] {
			return errors.Join(ErrNotErased, errors.New("an obsolete table has not been removed"))
		}
	}
	return nil
}
