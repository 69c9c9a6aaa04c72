// Package badger keeps a [storage.Store] in a directory, in Badger v4.
//
// # Promises
//
// It keeps every promise of [storage.Store]. Update returns nil only when its
// writes are on disk (see [Options].NoSync). One Update runs at a time; those
// that finish while the disk is busy go out together in the next commit, so many
// goroutines share one sync. View never waits for an Update or a commit.
//
// An Update of any size is atomic. If it does not fit into one transaction of the
// engine it is written in several parts, and is committed when the last part is on
// disk. Views go on meanwhile and see nothing of it; other Updates run, but return only
// after it. Open undoes an Update of which a crash has left only some parts.
//
// A commit that fails before the engine has kept anything, or between two parts, leaves
// nothing behind, and the store goes on. If the engine gives up within a commit (a sync
// that failed), nobody can know what it has kept: every Update then returns [ErrHalted],
// Views go on reading what was durable (unless the engine could not make a new log: it then
// cannot read either), and opening the directory again completes or undoes the commit. The
// Updates of that commit get [storage.ErrUnknown] as well if it may turn out to be complete.
//
// # Damage
//
// Every row carries a checksum of its key and value, so a changed byte in one is
// [storage.ErrCorrupt] when it is read. Open verifies the list of tables and every
// table, since a damaged block would make a compaction of the engine end the process.
// What is left to the engine is a table that changes while the store is open: a block
// damaged then can end a Scan early or, in a compaction, take the process down.
// [Store.VerifyChecksum] finds it, by reading everything. A write-ahead log that has
// lost a commit that was acknowledged is found as well, and left as it is, unless the
// directory was written with NoSync.
//
// A full disk under a mapped file is a signal that no Go program survives, so commits
// are refused before that: see [Options].MinFreeBytes.
package badger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
)

// Options configures Open. The zero value is ready to use.
type Options struct {
	// NoSync leaves it to the operating system when writes reach the disk. Update
	// is then many times faster for a single goroutine, and survives the end of the
	// process, but not of the machine: a power loss may take Updates that returned
	// nil, and not necessarily the last ones only, so an older one may be missing
	// while a newer one is there. Each is still there as a whole or not at all.
	NoSync bool

	// Logger takes the engine's warnings and errors, and the rest of what it says at
	// debug level. Key and value bytes never reach it. Nil means [slog.Default].
	Logger *slog.Logger

	// MemTableBytes is the size of the engine's table in memory, from 1 MiB to 512
	// MiB; 0 means 64 MiB. Up to four of them can be in memory at once. A transaction of
	// the engine holds at most 15 % of it; an Update that is larger is written in several
	// parts, and is atomic all the same. A directory left by a crash under a larger size
	// is opened with that size.
	MemTableBytes int64

	// PartRows is the largest number of rows that one part contains; 0 means as many as
	// the engine takes. A small number makes large Updates slower. It is of use in tests.
	PartRows int

	// MinFreeBytes is how much of the disk must be free for Open and for each commit;
	// below that they return [ErrDiskFull], Views go on, and Updates do when there is
	// room again. The engine writes to mapped files: where one cannot grow the process
	// ends by a signal that nothing can catch. 0 means four times MemTableBytes for what
	// is on its way from memory to tables, and as much again as there is in tables, up to
	// sixteen times MemTableBytes, for compactions: from 256 MiB to 1.25 GiB by default.
	// An Update of several parts needs room to be undone as well: about four times its
	// size, and twice that of the rows that it replaces. A negative number turns all of
	// this off. Another program that fills the disk at that moment can still be faster.
	MinFreeBytes int64

	// SkimTables makes Open read only the index and the last block of each table, which
	// takes no longer for a larger directory. A block that is damaged elsewhere can then
	// end the process in a compaction, or take rows with it without a word.
	SkimTables bool
}

// Store is a [storage.Store] on disk. Open makes one. It may not be copied.
type Store struct {
	db      *engine.DB
	limits  storage.Limits
	part    partLimit
	gate    gate.Gate
	writer  chan struct{} // holds one token while an Update runs its fn
	snaps   snapshots
	flusher flusher
	logger  *slog.Logger
	sync    bool
	mark    commitMark
	space   space

	unreadable atomic.Bool // the engine has lost its table in memory, so that reads panic

	// The engine hangs or crashes when it is used after its Close: gate sees to that.
	closing  sync.Once
	closeErr error
}

var _ storage.Store = (*Store)(nil)

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return s.limits }

// View implements [storage.Store]. It reads what is durable when it is called.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &reader{}
	r.begin(s, s.snaps.acquire(), nil)
	defer r.end()
	return fn(r)
}

// Update implements [storage.Store]. It never returns [storage.ErrConflict], and it
// ignores reads.
//
// While it waits for its turn it respects ctx. Once fn has returned it waits for the
// outcome of the commit that its writes have joined, whatever ctx says. An Update that
// writes nothing, or fails, waits for the commits whose writes fn could read.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	joined, bases, err := s.attempt(ctx, fn)
	if joined != nil {
		<-joined.done
		return joined.err
	}
	for _, b := range bases {
		if <-b.done; b.dependentErr != nil {
			return b.dependentErr
		}
	}
	return err
}

// takeTurn takes the writer token, at a moment when the gathering batch has room.
func (s *Store) takeTurn(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.flusher.awaitRoom(ctx); err != nil {
			return err
		}
		select {
		case s.writer <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.flusher.fullBatch() == nil {
			return nil
		}
		<-s.writer
	}
}

// attempt runs fn with the writer token, which it gives back. It returns the batch that
// the writes of fn have joined. If there are none, or the Update has failed, it returns
// the batches that fn could read from instead: what fn saw there is not durable yet, and
// the caller must not return before it is.
func (s *Store) attempt(ctx context.Context, fn func(storage.Tx) error) (joined *batch, bases []*batch, err error) {
	defer func() { <-s.writer }()
	snap, bases, err := s.baseState()
	if err != nil {
		return nil, nil, err
	}
	t := &tx{}
	t.begin(s, snap, bases)
	defer t.end() // where fn panics or ends its goroutine
	err = fn(t)
	t.end()
	switch {
	case err != nil:
	case t.writeErr != nil:
		err = t.writeErr
	default:
		err = ctx.Err()
	}
	if err == nil && t.own.len() > 0 {
		joined, err = s.joinBatch(t.own, bases)
	}
	return joined, bases, err
}

// Close implements [storage.Store]. A second caller waits for the first, and
// gets the same error.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.gate.Close()
		s.stopFlusher()
		err := catchPanic("closing", s.db.Close)
		s.closeErr = errors.Join(err, s.mark.close(s.snaps.newest(), err == nil, s.sync))
	})
	return s.closeErr
}

// VerifyChecksum reads every table and every row, and returns an error that
// matches [storage.ErrCorrupt] where the bytes are not those that were written.
// It takes as long as reading the whole directory, and blocks nobody. When ctx is
// done it returns at once; a reading of the tables then ends in the background,
// and Close waits for it.
func (s *Store) VerifyChecksum(ctx context.Context) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		s.gate.Leave()
		return err
	}
	tables := make(chan error, 1)
	go func() {
		defer s.gate.Leave()
		tables <- catchPanic("verifying tables", s.db.VerifyChecksum)
	}()
	select {
	case err := <-tables:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.View(ctx, func(r storage.Reader) error {
		for _, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}
