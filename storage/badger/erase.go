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
)

// eraseRounds is how often Erase writes again what a compaction has kept. A version
// is kept where a View that has since ended was still reading it; one round is then
// enough.
const eraseRounds = 3

// sentinelRow is written and dropped to make the engine flush its table in memory.
var sentinelRow = []byte{internalSpace, 'e', 'r', 'a', 's', 'e'}

// Erase makes what was deleted or replaced by Updates that returned before it leave
// the files of the directory: keys as well as values, from tables and logs. Without it
// deleted bytes stay until compactions happen to reach them, which may be never.
//
// It returns nil only when it has looked and found nothing of them. It waits for Views
// that began before it and still read, and for those that hold files open that are to
// go: where ctx is done first the error matches [ErrReaders] and ctx's, and nothing is
// lost but the work. Other Updates wait while the engine flushes, for about a second;
// Views go on. It rewrites what holds deleted rows and reads every key, so it takes up
// to as long as reading and writing the whole directory, and as much space again.
//
// If the engine fails while it flushes, the store halts: Erase and all later Updates return
// [ErrHalted].
//
// Blocks that the file system has freed, and backups, are beyond it.
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

// awaitReaders returns when nobody reads below ts any more.
func (s *Store) awaitReaders(ctx context.Context, ts uint64) error {
	select {
	case <-s.snaps.readersPast(ts):
		return ctx.Err()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrReaders, ctx.Err())
	}
}

// rotate moves all rows from the table in memory and its log, and from the youngest
// tables, to older ones. Dropping a prefix is the engine's one way to do so while it
// is open.
func (s *Store) rotate(ctx context.Context) error {
	return s.exclusively(ctx, func() error {
		if err := s.commitInternalRow(sentinelRow); err != nil {
			return err
		}
		err := catchPanic("erase", func() error { return s.db.DropPrefix(sentinelRow) })
		if err != nil {
			// The engine may have no table in memory now, or one that it has given up. A
			// write would then end the process. All commits are in logs and tables.
			s.unreadable.Store(true)
			err = fmt.Errorf("%w: %w", ErrHalted, err)
			s.flusher.halt(err)
		}
		return err
	})
}

// alone runs fn while no Update runs and no batch is on its way.
func (s *Store) exclusively(ctx context.Context, fn func() error) error {
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writer }()
	snap, bases, err := s.baseState()
	if err != nil {
		return err
	}
	s.snaps.release(snap)
	for _, b := range bases {
		<-b.done
	}
	if err := s.flusher.haltError(); err != nil {
		return err
	}
	return fn()
}

// commitRow commits one row of this package's own. The caller is alone.
func (s *Store) commitInternalRow(row []byte) error {
	if err := s.space.check(engineCommitOverhead, 0); err != nil {
		return err
	}
	reached, halted, err := s.commit(func(w *partWriter) error { return w.write(row, seal(row, nil)) })
	if halted != nil {
		s.flusher.halt(halted)
	}
	s.snaps.advance(reached)
	return err
}

// Erase rewrites rows in Updates of at most so many rows and bytes.
const (
	eraseRows  = 5_000
	eraseBytes = 4 << 20
)

// rewriteStale looks for rows that were deleted or replaced at ts or before, writes
// their keys again, so that the next compaction finds them, and says how many.
func (s *Store) rewriteStale(ctx context.Context, ts uint64) (found int, err error) {
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	batch, bytes := [][]byte{}, 0
	flush := func() error {
		keys := batch
		batch, bytes = nil, 0
		return s.Update(ctx, func(tx storage.Tx) error {
			values, err := tx.Get(ctx, keys...)
			if err != nil {
				return err
			}
			for i, key := range keys {
				if values[i] == nil {
					err = tx.Delete(key)
				} else {
					err = tx.Put(key, values[i])
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
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

// staleKeys yields each key of which the engine still holds a version that nobody
// reading at ts or later sees, with the weight of writing it again at most. It stops
// where ctx is done.
func staleKeys(ctx context.Context, it *engine.Iterator, ts uint64) func(yield func([]byte, int) bool) {
	return func(yield func([]byte, int) bool) {
		var row []byte
		var superseded, reported bool // a version at ts or before; that the key is stale
		weight := 0
		steps := 0
		for it.Rewind(); it.Valid(); it.Next() {
			if steps++; steps%ctxEvery == 0 && ctx.Err() != nil {
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

// dropFiles waits until nobody holds a file open that the engine no longer lists. A
// View keeps those that were there when it began to read.
func (s *Store) awaitFileRemoval(ctx context.Context) error {
	if err := s.exclusively(ctx, func() error { return s.commitInternalRow(sentinelRow) }); err != nil {
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
			return errors.Join(ErrNotErased, errors.New("a table is still there"))
		}
	}
	return nil
}
