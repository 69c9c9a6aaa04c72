// Package badger implements [storage.Store] in a directory, with Badger v4.
//
// # Guarantees
//
// The package meets the whole contract of [storage.Store]. Update returns nil only when its
// writes are on disk (see [Options].NoSync). Updates run one at a time. Updates that finish
// while a commit is being written are combined into the next commit, so many goroutines
// share one sync. View never waits for an Update or a commit.
//
// An Update of any size is atomic. If it does not fit into one transaction of the engine,
// it is written in several parts, and is committed when the last part is on disk. Meanwhile
// Views do not see it. Other Updates can run, but return only after it. If a crash leaves
// an incomplete Update, Open undoes it.
//
// If a commit fails before the engine has stored anything, or between two parts, the commit
// is undone and the store continues. If it fails inside the engine, for example in a sync,
// it is unknown which writes were stored. The store then halts: every Update returns
// [ErrHalted], and Views still read the state before that commit. If the engine failed to
// create a new log, Views fail too. Opening the directory again completes or undoes the
// commit. If completion is possible, the error of the Updates in the commit also matches
// [storage.ErrUnknown].
//
// # Corruption
//
// Every row has a checksum of its key and value. Reading a row with a modified byte returns
// [storage.ErrCorrupt]. Open verifies the list of tables and every table, because a corrupt
// block would make a compaction of the engine terminate the process. Tables that are
// modified while the store is open are not verified again. A corrupt block of such a table
// can end a Scan early or terminate the process in a compaction. [Store.VerifyChecksum]
// reads all data and detects the corruption. Open also detects a write-ahead log that has
// lost an acknowledged commit, and does not change the log. It cannot detect this if the
// directory was written with NoSync.
//
// The engine writes to memory-mapped files. If the disk is full, such a write raises a
// signal that terminates a Go program. Commits are therefore refused before the disk is
// full; see [Options].MinFreeBytes.
package badger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
	"github.com/customerportal-go/customerportal/storage/internal/diskspace"
	"github.com/customerportal-go/customerportal/storage/internal/gate"
	"github.com/customerportal-go/customerportal/storage/internal/overlay"
	"github.com/customerportal-go/customerportal/storage/internal/transaction"
)

// Options configures Open. The zero value is ready to use.
type Options struct {
	// NoSync disables the sync of each commit. A single goroutine then performs many times
	// more Updates per second. Updates survive a crash of the process, but a power loss may
	// lose Updates that returned nil. These are not necessarily the last ones: an older
	// Update may be missing while a newer one is present. Each Update is still atomic.
	NoSync bool

	// Logger receives the warnings and errors of the engine, and its other messages at
	// debug level. No bytes of keys or values are logged. If nil, [slog.Default] is used.
	Logger *slog.Logger

	// MemTableBytes is the size of the engine's in-memory table, from 1 MiB to 512 MiB; 0
	// means 64 MiB. Up to four such tables can be in memory at the same time. A transaction
	// of the engine is limited to 15 % of this size; larger Updates are written in several
	// parts, and are still atomic. After a crash, Open uses the size that the directory was
	// last written with if that is larger.
	MemTableBytes int64

	// PartRows limits the number of rows of a part; 0 means the limit of the engine. A low
	// limit makes large Updates slower, and is only useful in tests.
	PartRows int

	// MinFreeBytes is the free disk space that Open and each commit require. If less is
	// free, they return [ErrDiskFull]. Views still work then. Updates work again when there
	// is enough space. The engine writes to memory-mapped files, and the process is
	// terminated if one of them cannot grow.
	//
	// 0 means the sum of two sizes. The first is four times MemTableBytes, for data that is
	// being moved from memory to tables. The second, for compactions, is the size of all
	// tables, but at most sixteen times MemTableBytes. By default the sum is 256 MiB to
	// 1.25 GiB. An Update of several parts also requires the space to undo it: about four
	// times its size and twice the size of the rows that it replaces. A negative value
	// disables all of these checks. The checks cannot prevent another program from filling
	// the disk during a commit.
	MinFreeBytes int64

	// SkimTables makes Open read only the index and the last block of each table, so that
	// the time to open does not depend on the size of the directory. Corruption in other
	// blocks is then not detected: it can terminate the process in a compaction, or
	// silently lose rows.
	SkimTables bool
}

// Store is a [storage.Store] on disk, created by Open. It must not be copied.
type Store struct {
	db      *engine.DB
	limits  storage.Limits
	part    partLimit
	gate    gate.Gate
	snaps   snapshots
	flusher flusher
	logger  *slog.Logger
	sync    bool
	mark    commitmark.Mark
	space   diskspace.Space

	unreadable atomic.Bool // the engine has no in-memory table anymore, and reads panic

	// The engine must not be used after its Close. The gate prevents that.
	closing  sync.Once
	closeErr error
}

var _ storage.Store = (*Store)(nil)

// Limits implements [storage.Store].
func (s *Store) Limits() storage.Limits { return s.limits }

// View implements [storage.Store]. It reads the writes that are durable when it is called.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if !s.gate.Enter() {
		return storage.ErrClosed
	}
	defer s.gate.Leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := transaction.NewReader(s.limits, s.stateAt(s.snaps.acquire()))
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
	return s.flusher.Update(ctx, func(layers []*overlay.Layer) *transaction.Tx {
		return transaction.NewTx(s.limits, s.stateAt(s.snaps.acquire()), layers)
	}, fn)
}

// Close implements [storage.Store]. Later calls wait for the first one and return the same
// error.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.gate.Close()
		s.flusher.Stop()
		err := catchPanic("close", s.db.Close)
		s.closeErr = errors.Join(err, s.mark.Close(s.snaps.newest(), err == nil, s.sync))
	})
	return s.closeErr
}

// VerifyChecksum reads every table and every row, and returns an error that matches
// [storage.ErrCorrupt] if they differ from the data that was written. It takes as long as
// reading the whole directory, and blocks no other calls. When ctx is done it returns
// immediately. If it is verifying tables at that time, the verification continues in the
// background, and Close waits for its end.
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
		tables <- catchPanic("verify tables", s.db.VerifyChecksum)
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
