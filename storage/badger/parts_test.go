package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	t.Parallel()
	for _, full := range []bool{false, true} { // disk is full from the first part on
		s := setupParts(t, 50)
		require.NoError(t, putMany(s, 500, "old"))
		before := rowsIn(t, s)
		require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
			require.NoError(t, s.exclusively(t.Context(), func() error {
				if full {
					s.space.free = func(string) (int64, error) { return 0, nil }
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
		s.space.free = func(string) (int64, error) { return 1 << 50, nil }
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
	require.NoError(t, s.exclusively(t.Context(), func() error {
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
		s.flusher.halt(halted)
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
			require.NoError(t, s.space.measure())
			minimum := tablesInFlight*s.space.memTable + min(s.space.tables, compactionTables*s.space.memTable)
			free, commits := int64(0), 0
			s.space.free = func(string) (int64, error) { return free, nil }
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
			all, err := s.space.rowBytesBound()
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

// With NoSync each part must be on disk before the next one is written. Otherwise a power
// loss could keep only the last part.
func TestParts_NoSync_EachPartIsSynced(t *testing.T) {
	t.Parallel()
	for _, noSync := range []bool{false, true} {
		s, err := Open(t.TempDir(), Options{MemTableBytes: minMemTable, PartRows: 50, NoSync: noSync})
		require.NoError(t, err)
		var calls []string
		commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
		s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error { calls = append(calls, "commit"); return commitAt(txn, ts) }
		s.flusher.syncLog = func() error { calls = append(calls, "sync"); return syncLog() }
		require.NoError(t, putMany(s, 120, "1"))
		want := []string{"commit", "commit", "commit"}
		if noSync {
			want = []string{"commit", "sync", "commit", "sync", "commit", "sync"}
		}
		require.Equal(t, want, calls)
		calls = nil
		require.NoError(t, putMany(s, 20, "2"))
		require.Equal(t, []string{"commit"}, calls, "a single part is not synced")
		require.NoError(t, s.Close())
	}
}

// With NoSync the batch that undoes an incomplete one must be on disk before a later batch,
// even if it is a single part. Otherwise a power loss could keep the later batch and lose
// the undo, and the incomplete batch, whose parts are on disk, would become visible.
func TestParts_NoSync_UndoIsSynced(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), Options{MemTableBytes: minMemTable, PartRows: 50, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, putMany(s, 10, "old"))
	before := rowsIn(t, s)
	var calls []string
	commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		calls = append(calls, fmt.Sprint("commit ", ts))
		return commitAt(txn, ts)
	}
	s.flusher.syncLog = func() error { calls = append(calls, "sync"); return syncLog() }
	base := s.snaps.newest()
	require.NoError(t, s.exclusively(t.Context(), func() error {
		reached, halted, err := s.commit(func(w *partWriter) error {
			for i := range 60 {
				row := dataRow(crashKey(i))
				if err := w.write(row, seal(row, []byte("new"))); err != nil {
					return err
				}
			}
			return errInjected
		})
		require.ErrorIs(t, err, errInjected)
		require.NoError(t, halted)
		s.snaps.advance(reached)
		return nil
	}))
	require.Equal(t, []string{fmt.Sprint("commit ", base+1), "sync", fmt.Sprint("commit ", base+2), "sync"}, calls)
	requireRows(t, before, rowsIn(t, s), "after the batch was undone")
}

// Scans in both directions skip a deleted range without reading its rows, in the Update
// that deletes it and in a later one that starts before it is durable.
func TestScan_DeletedRange_RowsAreNotRead(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s := setupParts(t, 0)
	require.NoError(t, putMany(s, n, "1"))
	scan := func(x storage.Tx, want ...string) {
		for _, reverse := range []bool{false, true} {
			c, err := x.(*tx).open(span{reverse: reverse})
			require.NoError(t, err)
			var found []string
			for {
				e, ok, err := c.next(context.Background())
				require.NoError(t, err)
				if !ok {
					break
				}
				found = append(found, string(e.key))
			}
			if reverse {
				slices.Reverse(found)
			}
			require.Equal(t, want, found, "reverse: %v", reverse)
			require.Less(t, c.steps, 30, "steps, reverse: %v", reverse)
			c.close()
		}
	}
	middle := storage.Range{Start: []byte(crashKey(2)), End: []byte(crashKey(n - 2))}
	first, last := []string{crashKey(0), crashKey(1)}, []string{crashKey(n - 2), crashKey(n - 1)}
	v := s.holdCommits(t)
	one := background(func() error {
		return s.Update(context.Background(), func(x storage.Tx) error {
			require.NoError(t, x.DeleteRange(context.Background(), middle))
			scan(x, slices.Concat(first, last)...)
			require.NoError(t, x.Put([]byte(crashKey(50)), nil))
			scan(x, slices.Concat(first, []string{crashKey(50)}, last)...)
			return nil
		})
	})
	<-v.arrived
	two := background(func() error {
		return s.Update(context.Background(), func(x storage.Tx) error {
			scan(x, slices.Concat(first, []string{crashKey(50)}, last)...)
			require.NoError(t, x.DeleteRange(context.Background(), storage.Range{Start: []byte(crashKey(40))}))
			scan(x, first...)
			return nil
		})
	})
	s.awaitPending(1)
	v.outcome <- nil
	for range n { // each part of both Updates
		select {
		case <-v.arrived:
			v.outcome <- nil
			continue
		case err := <-two:
			require.NoError(t, err)
		}
		break
	}
	require.NoError(t, <-one)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		require.Equal(t, first, keys(t, r, storage.ScanOptions{}))
		return nil
	}))
}

// This runs Updates that read others before they are durable, with deleted ranges in each
// layer, and compares all of their reads with a plain map.
func TestOverlay_RandomDependentUpdates_ReadsMatchModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s := setupParts(t, 5)
	release := make(chan struct{}, 1<<20)
	commitAt := s.flusher.commitAt
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		<-release
		return commitAt(txn, ts)
	}
	t.Cleanup(func() { close(release) })
	key := func() string {
		return strings.Repeat(string(rune('a'+rng.IntN(4))), 1+rng.IntN(3)) + string(rune('a'+rng.IntN(4)))
	}
	model := rowsAt{}
	for round := range 60 {
		var pendingUpdates []chan error
		for range 1 + rng.IntN(4) {
			ended := make(chan error, 1)
			next := maps.Clone(model)
			fail := rng.IntN(8) == 0
			pendingUpdates = append(pendingUpdates, background(func() error {
				err := s.Update(context.Background(), func(x storage.Tx) error {
					err := randomSteps(x, rng, key, next)
					if err == nil && fail {
						err = errInjected
					}
					ended <- err
					return err
				})
				if fail && errors.Is(err, errInjected) {
					return nil
				}
				return err
			}))
			err := <-ended
			if fail {
				require.ErrorIs(t, err, errInjected, "seed %d, round %d", seed, round)
				continue
			}
			require.NoError(t, err, "seed %d, round %d", seed, round)
			model = next
		}
		for _, done := range pendingUpdates {
			for over := false; !over; {
				select {
				case release <- struct{}{}:
					continue
				case err := <-done:
					require.NoError(t, err, "seed %d, round %d", seed, round)
					over = true
				}
			}
		}
		for len(release) > 0 { // unused tokens
			<-release
		}
		requireRows(t, model, rowsIn(t, s), fmt.Sprintf("seed %d, round %d", seed, round))
	}
}

func randomSteps(x storage.Tx, rng *rand.Rand, key func() string, model rowsAt) error {
	ctx := context.Background()
	for range 1 + rng.IntN(12) {
		start, end := key(), key()
		switch rng.IntN(10) {
		case 0:
			start = ""
		case 1:
			end = ""
		}
		r := storage.Range{Start: []byte(start), End: []byte(end)}
		inside := func(k string) bool { return k >= start && (end == "" || k < end) }
		switch rng.IntN(6) {
		case 0, 1:
			value := fmt.Sprint(rng.IntN(1000))
			model[start] = value
			if err := x.Put([]byte(start), []byte(value)); err != nil {
				return err
			}
		case 2:
			delete(model, end)
			if err := x.Delete([]byte(end)); err != nil {
				return err
			}
		case 3:
			maps.DeleteFunc(model, func(k, _ string) bool { return inside(k) })
			if err := x.DeleteRange(ctx, r); err != nil {
				return err
			}
		case 4:
			got, err := read(x, start)
			if want, ok := model[start]; err != nil || ok && got[0] != want || !ok && got[0] != "-" {
				return fmt.Errorf("Get of %q gives %q, %v, expected %q", start, got, err, want)
			}
		default:
			want := slices.Sorted(maps.Keys(model))
			want = slices.DeleteFunc(want, func(k string) bool { return !inside(k) })
			reverse := rng.IntN(2) == 0
			if reverse {
				slices.Reverse(want)
			}
			var got []string
			for e, err := range x.Scan(ctx, r, storage.ScanOptions{Reverse: reverse}) {
				if err != nil {
					return err
				}
				if string(e.Value) != model[string(e.Key)] {
					return fmt.Errorf("Scan gives %q at %q, expected %q", e.Value, e.Key, model[string(e.Key)])
				}
				got = append(got, string(e.Key))
			}
			if !slices.Equal(want, got) {
				return fmt.Errorf("Scan from %q to %q, reverse %v, gives %q, expected %q", start, end, reverse, got, want)
			}
		}
	}
	return nil
}

func TestLayer_RandomRanges_DoNotOverlap(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		l, model := newLayer(), map[string]bool{} // whether a key is deleted
		for range 20 {
			start, end := string(rune('a'+rng.IntN(20))), string(rune('a'+rng.IntN(20)))
			if rng.IntN(10) == 0 {
				end = ""
			}
			l.deleteRange(start, end)
			for c := 'a'; c < 'a'+22; c++ {
				if k := string(c); k >= start && (end == "" || k < end) {
					model[k] = true
				}
			}
			last, bytes := "", 0
			l.ranges.Scan(func(s, e string) bool {
				require.True(t, e == "" || s < e, "seed %d: from %q to %q", seed, s, e)
				require.True(t, last == "" || last < s, "seed %d: ranges overlap or touch at %q", seed, s)
				last = e
				if e == "" {
					last = "\xff"
				}
				bytes += rangeWeight(s, e)
				return true
			})
			require.Equal(t, bytes, l.bytes, "seed %d", seed)
			for c := 'a'; c < 'a'+22; c++ {
				_, _, ok := l.rangeContaining(string(c))
				require.Equal(t, model[string(c)], ok, "seed %d: %q", seed, c)
			}
		}
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
		require.NoError(t, s.exclusively(t.Context(), func() error {
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

// If the engine cannot create the next log, it has no in-memory table anymore, and another
// write would terminate the process. The store halts instead, and keeps every acknowledged
// Update.
func TestEngineFailure_NextLogCannotBeCreated_Halts(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 30} { // rows of an Update: one part, or several
		t.Run(fmt.Sprint(rows, " rows"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := Options{MemTableBytes: minMemTable, PartRows: 10, MinFreeBytes: -1, Logger: slog.New(slog.DiscardHandler)}
			s, err := Open(dir, o)
			require.NoError(t, err)
			blocker := filepath.Join(dir, "00002.mem")
			require.NoError(t, os.Mkdir(blocker, 0o700))
			want := rowsAt{}
			value := strings.Repeat("v", 10_000)
			for i := 0; err == nil && i < 1000; i++ {
				err = s.Update(t.Context(), func(tx storage.Tx) error {
					for n := range rows {
						if err := tx.Put([]byte(crashKey(i*rows+n)), []byte(value)); err != nil {
							return err
						}
					}
					return nil
				})
				for n := 0; err == nil && n < rows; n++ {
					want[crashKey(i*rows+n)] = value
				}
			}
			require.ErrorIs(t, err, ErrHalted)
			require.NotEmpty(t, want)
			require.ErrorIs(t, put(s, "later", "1"), ErrHalted)
			require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
				_, err := r.Get(t.Context(), []byte(crashKey(0)))
				require.ErrorIs(t, err, ErrHalted)
				require.NotErrorIs(t, err, storage.ErrCorrupt)
				for _, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
					require.ErrorIs(t, err, ErrHalted)
					require.NotErrorIs(t, err, storage.ErrCorrupt)
				}
				return nil
			}))
			require.NoError(t, s.Close())
			require.NoError(t, os.Remove(blocker))
			again, err := Open(dir, o)
			require.NoError(t, err)
			requireRows(t, want, rowsIn(t, again), "opened again")
			require.NoError(t, again.Close())
		})
	}
}
