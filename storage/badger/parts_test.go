package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// setupParts opens a store with the given Options.PartRows.
func setupParts(t *testing.T, rows int) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{MemTableBytes: minMemTable, PartRows: rows})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func putMany(s *Store, n int, value string) error {
	return s.Update(context.Background(), func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Put([]byte(crashKey(i)), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
}

// The discard timestamp must not pass the last complete batch while readers and batches are
// active, because the engine must keep the versions that an incomplete batch replaces. All
// tables are rewritten after each part.
func TestParts_IncompleteBatch_ReplacedVersionsAreKept(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Rows: 600, PartRows: 100, MemTable: minMemTable}
	createDir(t, p)
	s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows})
	require.NoError(t, err)
	var mu sync.Mutex
	var complete, discardTS uint64
	discard := s.snaps.discard
	s.snaps.discard = func(ts uint64) {
		mu.Lock()
		defer mu.Unlock()
		discardTS = max(discardTS, ts)
		assert.LessOrEqual(t, ts, complete, "the discard timestamp must not pass the last complete batch")
		discard(ts)
	}
	complete = s.snaps.newest()
	commitAt, parts := s.flusher.commitAt, 0
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		if parts++; parts == 6 {
			return errInjected // the process crashes before the last part
		}
		if err := commitAt(txn, ts); err != nil {
			return err
		}
		require.NoError(t, s.View(context.Background(), func(storage.Reader) error { return nil })) // updates the discard timestamp
		return s.rewriteTables(ts)
	}
	require.ErrorIs(t, s.Update(t.Context(), func(tx storage.Tx) error {
		return tx.DeleteRange(t.Context(), storage.Range{})
	}), ErrHalted)
	require.Equal(t, 6, parts)
	require.NoError(t, s.Close())
	require.Equal(t, complete, discardTS)
	requireOpens(t, p, initialRows(p.Rows), "after an incomplete batch whose parts were compacted one by one")
}

// The same holds while Open undoes a batch: all tables are rewritten after each part, and
// the process crashes before the last one.
func TestParts_IncompleteRecovery_ReplacedVersionsAreKept(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "a deleted range", Rows: 600, PartRows: 100, MemTable: minMemTable, KillAt: 9}
	createDir(t, p)
	crash(t, p)
	for at := 2; at <= 5; at++ { // the part of the recovery that fails
		parts, discarded := 0, false
		_, err := open(p.Dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, MinFreeBytes: -1}, func(_ *engine.Options, s *Store) {
			commitAt := s.flusher.commitAt
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				if parts++; parts == at {
					return errInjected
				}
				if parts == 1 { // recovery has begun
					s.snaps.discard = func(uint64) { discarded = true }
				}
				if err := commitAt(txn, ts); err != nil {
					return err
				}
				return s.rewriteTables(ts)
			}
		})
		require.Error(t, err)
		require.Equal(t, at, parts)
		require.False(t, discarded, "the discard timestamp was set before the recovery was complete")
	}
	requireOpens(t, p, initialRows(p.Rows), "after recoveries whose parts were compacted one by one")
}

// rewriteTables moves all rows to tables and compacts them.
func (s *Store) rewriteTables(ts uint64) error {
	flush := s.db.NewTransactionAt(ts, true)
	defer flush.Discard()
	err := flush.Set(sentinelRow, seal(sentinelRow, nil))
	if err == nil {
		err = flush.CommitAt(ts, nil)
	}
	if err == nil {
		err = s.db.DropPrefix(sentinelRow)
	}
	if err == nil {
		err = s.db.Flatten(1)
	}
	return err
}

// An error between two parts, other than a failed commit of the engine, undoes the batch
// immediately, and the store continues.
func TestParts_FailureBetweenParts_UndoesAndContinues(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, full := range []bool{false, true} { // disk is full from the first part on
		s := setupParts(t, 50)
		require.NoError(t, putMany(s, 500, "old"))
		before := rowsIn(t, s)
		require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
			require.NoError(t, s.flusher.Exclusively(t.Context(), func() error {
				if full {
					s.space.Free = func() (int64, error) { return 0, nil }
				}
				reached, halted, err := s.commit(func(w *partWriter) error {
					for i := range 300 {
						row := dataRow(crashKey(i * 2))
						if err := w.write(row, seal(row, []byte(marker))); err != nil {
							return err
						}
					}
					return errInjected
				})
				require.ErrorIs(t, err, errInjected)
				require.NoError(t, halted)
				require.Equal(t, s.snaps.newest()+2, reached, "one timestamp for the batch and one for undoing it")
				s.snaps.advance(reached)
				return nil
			}))
			require.Len(t, keys(t, r, storage.ScanOptions{}), 500, "rows of an older View")
			return nil
		}))
		requireRows(t, before, rowsIn(t, s), "after the batch was undone")
		s.space.Free = func() (int64, error) { return 1 << 50, nil }
		require.NoError(t, put(s, "later", "1"))
		require.Positive(t, countInFiles(t, s.db.Opts().Dir, marker), "rows of the batch in the files")
		require.NoError(t, s.Erase(t.Context()))
		require.Zero(t, countInFiles(t, s.db.Opts().Dir, marker), "rows of the batch in the files after Erase")
		dir := s.db.Opts().Dir
		require.NoError(t, s.Close())
		before["later"] = "1"
		requireRows(t, before, rowsIn(t, setupDir(t, dir)), "opened again")
	}
}

// If undoing fails as well, the store halts, and the next Open undoes the batch.
func TestParts_FailureWhileUndoing_Halts(t *testing.T) {
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Rows: 400, PartRows: 50, MemTable: minMemTable}
	createDir(t, p)
	s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows})
	require.NoError(t, err)
	require.NoError(t, s.flusher.Exclusively(t.Context(), func() error {
		base := s.snaps.newest()
		commitAt := s.flusher.commitAt
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
			if ts > base+1 {
				return errInjected
			}
			return commitAt(txn, ts)
		}
		reached, halted, err := s.commit(func(w *partWriter) error {
			for i := range 200 {
				if err := w.write(dataRow(crashKey(i)), nil); err != nil {
					return err
				}
			}
			return errors.New("failed between two parts")
		})
		require.Equal(t, base, reached)
		require.ErrorIs(t, halted, ErrHalted)
		require.ErrorIs(t, err, ErrHalted)
		require.NotErrorIs(t, err, storage.ErrUnknown)
		s.flusher.Halt(halted)
		return nil
	}))
	require.ErrorIs(t, put(s, "a", "1"), ErrHalted)
	requireRows(t, initialRows(p.Rows), rowsIn(t, s), "rows of a View after the store has halted")
	require.NoError(t, s.Close())
	requireOpens(t, p, initialRows(p.Rows), "opened again")
}

// Updates that wait in the next batch have read the writes of the large Update, so they
// fail with it.
func TestParts_LargeUpdateFails_DependentUpdatesFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failAt int // part
		halts  bool
	}{{1, false}, {3, true}, {4, true}} { // of four parts
		s := setupParts(t, 50)
		require.NoError(t, putMany(s, 200, "old"))
		before := rowsIn(t, s)
		arrived, proceed := make(chan struct{}), make(chan struct{})
		commitAt, parts := s.flusher.commitAt, 0
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
			if parts++; parts == c.failAt {
				close(arrived)
				<-proceed
				return errInjected
			}
			return commitAt(txn, ts)
		}
		large := background(func() error { return putMany(s, 200, "new") })
		<-arrived
		const n = 10
		var small []chan error
		for i := range n {
			small = append(small, background(func() error {
				return s.Update(context.Background(), func(tx storage.Tx) error {
					found, err := read(tx, crashKey(7))
					if err == nil && found[0] != "new" {
						err = fmt.Errorf("value of the large Update: %q", found)
					}
					return errors.Join(err, tx.Put(fmt.Append(nil, "small", i), nil))
				})
			}))
		}
		s.awaitPending(n)
		close(proceed)
		err := <-large
		require.Error(t, err)
		require.Equal(t, c.failAt == 4, errors.Is(err, storage.ErrUnknown), "%v", err)
		for _, done := range small {
			err := <-done
			require.Error(t, err)
			require.NotErrorIs(t, err, storage.ErrUnknown, "no write of a dependent Update was stored")
			require.Equal(t, c.halts, errors.Is(err, ErrHalted), "%v", err)
		}
		requireRows(t, before, rowsIn(t, s), "after the failure")
		if !c.halts {
			require.NoError(t, putMany(s, 200, "newer"))
			require.Equal(t, []string{"newer"}, get(t, s, crashKey(7)))
		}
	}
}

// A large Update is rejected before its first part if there is not enough space for it and
// for undoing it. After it has begun it is not rejected anymore.
func TestParts_DiskFull_IsRejectedBeforeFirstPart(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	large := map[string]func(tx storage.Tx) error{
		"puts": func(tx storage.Tx) error {
			for i := range 2000 {
				if err := tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 2))); err != nil {
					return err
				}
			}
			return nil
		},
		"deletes": func(tx storage.Tx) error {
			for i := range 2000 {
				if err := tx.Delete([]byte(crashKey(i))); err != nil {
					return err
				}
			}
			return nil
		},
		"range": func(tx storage.Tx) error { return tx.DeleteRange(context.Background(), storage.Range{}) },
	}
	for name, fn := range large {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setupParts(t, 300)
			require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
				for i := range 2000 {
					if err := tx.Put([]byte(crashKey(i)), []byte(crashValue(i, 1))); err != nil {
						return err
					}
				}
				return nil
			}))
			before := rowsIn(t, s)
			require.NoError(t, s.space.Measure())
			minimum := s.space.Minimum()
			free, commits := int64(0), 0
			s.space.Free = func() (int64, error) { return free, nil }
			commitAt := s.flusher.commitAt
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error { commits++; return commitAt(txn, ts) }
			for _, room := range []int64{0, -1, 1000, 400_000} {
				free = minimum + room
				err := s.Update(t.Context(), fn)
				require.ErrorIs(t, err, ErrDiskFull, "%d bytes more than the minimum are free", room)
				require.Zero(t, commits, "number of commits")
				requireRows(t, before, rowsIn(t, s), "after it was rejected")
			}
			free = minimum + 1000
			require.NoError(t, put(s, "small", "1"), "a small Update fits")

			// Enough for the exact sizes, but not for the upper bound.
			free = minimum + 5_000_000
			all, err := s.space.RowBytesBound()
			require.NoError(t, err)
			require.Less(t, free, minimum+all*2)
			commits = 0
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				commits++
				free = 0 // another program fills the disk
				return commitAt(txn, ts)
			}
			require.NoError(t, s.Update(t.Context(), fn))
			require.Greater(t, commits, 5)
		})
	}
}

// If filling a batch fails and the commit of one of its parts fails too, both errors are
// returned: the first is the reason why the Update failed, and the second is the reason why
// the store halts.
func TestParts_FillAndCommitFail_BothErrorsAreReturned(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{false, true} { // the engine has stored the part
		s := setupParts(t, 50)
		commitAt := s.flusher.commitAt
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
			if kept {
				require.NoError(t, commitAt(txn, ts))
			}
			return syscall.EIO
		}
		require.NoError(t, s.flusher.Exclusively(t.Context(), func() error {
			_, halted, err := s.commit(func(w *partWriter) error {
				for i := range 60 {
					row := dataRow(crashKey(i))
					if err := w.write(row, seal(row, nil)); err != nil {
						return err
					}
				}
				return errInjected
			})
			require.ErrorIs(t, err, errInjected)
			require.ErrorIs(t, err, syscall.EIO)
			require.Equal(t, kept, halted != nil)
			return nil
		}))
		s.flusher.commitAt = commitAt
	}
}
