// Package pebble implements [storage.Store] in a directory, with Pebble v2.
//
// # Guarantees
//
// The package meets the whole contract of [storage.Store]. Update returns nil only when its
// writes are on disk (see [Options].NoSync). Updates run one at a time. Updates that finish
// while a commit is being applied are combined into the next commit, and a commit does not
// wait for the sync of the one before it. View never waits for an Update or a commit. It
// reads only commits that are on disk.
//
// An Update is one entry of the engine's log, and so it is atomic. The engine needs memory
// for about twice the size of an Update, and the largest Update is 3 GiB.
//
// If a write to the log or its sync fails, it is unknown which writes are on disk. The store
// then halts: every Update returns [ErrHalted], and Views still read the state before that
// commit. The error of the Updates in the commit also matches [storage.ErrUnknown]. Opening
// the directory again decides which commits have survived.
//
// The engine cannot continue if it fails to write its list of files or to sync the
// directory. The store then logs the error and ends the process with status 1. Opening the
// directory again continues with every Update that has returned nil.
//
// If a file cannot be written while Open opens the directory, Open returns the error and
// leaves the directory as a crash would. Nothing is lost, and the process does not end.
//
// # Corruption
//
// The engine verifies the checksum of each block that it reads. Reading a row from a corrupt
// block returns [storage.ErrCorrupt], and rows of other blocks can still be read.
// If a compaction needs the block, Updates return [storage.ErrCorrupt] from then on. If
// compactions fail for another reason, Updates return its error while too many tables wait
// for a compaction.
//
// [Store.VerifyChecksum] reads all data. Open detects a write-ahead log that has lost an
// acknowledged commit, and does not change the directory in this case. It cannot detect
// this if the directory was written with NoSync.
//
// If the disk is full, the engine retries without end to write a table, and Updates block.
// Commits are therefore refused before the disk is full; see [Options].MinFreeBytes.
package pebble

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
	"github.com/customerportal-go/customerportal/storage/internal/diskspace"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
	"github.com/customerportal-go/customerportal/storage/internal/groupcommit"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// Store is a [storage.Store] on disk, created by Open. It must not be copied.
type Store struct {
	dir         string
	db          *engine.DB
	gate        gate.Gate
	queue       groupcommit.Queue
	compactions *compactions
	states      states
	files       *guardedFS
	logger      *slog.Logger
	sync        bool
	mark        commitmark.Mark
	spaceMu     sync.Mutex
	space       diskspace.Space
	maxUpdate   int64  // maximum size of an Update
	number      uint64 // number of the newest commit that was applied; only the queue uses it

	broken atomic.Bool // the engine panicked in a commit, and Close must not use it anymore
	exit   func()      // ends the process and does not return

	erasing chan struct{} // holds a token while Erase runs

	closing  sync.Once
	closeErr error
}

var _ storage.Store = (*Store)(nil)

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return limits }

// View implements [storage.Store]. It reads the writes that are durable when it is called.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := transaction.NewReader(limits, s.states.acquireDurable())
	defer r.End()
	return fn(r)
}

// Update implements [storage.Store]. It never returns [storage.ErrConflict], and it ignores
// reads.
//
// An Update that waits for its turn returns when ctx is done. After fn has returned, Update
// waits for the outcome of its commit even if ctx is done. An Update that writes nothing or
// fails waits for the commits whose writes fn could read.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error, _ ...[]byte) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	return s.queue.Update(ctx, func(layers []*overlay.Layer) *transaction.Tx {
		return transaction.NewTx(limits, s.states.acquireApplied(), layers)
	}, fn)
}

// Close implements [storage.Store]. Later calls wait for the first one and return the same
// error.
//
// If the engine has failed in such a way that it cannot be closed, Close returns an error
// that matches [ErrHalted], and the directory stays locked until the process ends.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.gate.Close()
		s.queue.Stop()
		if s.broken.Load() {
			s.closeErr = errBroken
			return
		}
		number := s.states.close()
		err := sanitizeError("close", s.db.Close())
		if err == nil {
			err = s.files.failure()
		}
		s.closeErr = errors.Join(err, s.mark.Close(number, err == nil, s.sync))
	})
	return s.closeErr
}
