package badger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// errInjected is the error of an engine call that fails in a test.
var errInjected = errors.New("injected")

// failingCalls counts the engine calls of a store and lets one of them fail.
type failingCalls struct {
	made   int
	failAt int  // index of the call that fails
	late   bool // fail after the call took effect
	beside func()
}

// attach intercepts the engine calls of s. The failing call returns the error of a full
// disk.
func (c *failingCalls) attach(s *Store) {
	call := func(engine func() error) (err error) {
		if c.beside != nil {
			c.beside()
			defer c.beside()
		}
		fails := c.made == c.failAt
		c.made++
		if fails && !c.late {
			return syscall.ENOSPC
		}
		if err = engine(); fails {
			err = errors.Join(err, syscall.ENOSPC)
		}
		return err
	}
	commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		return call(func() error { return commitAt(txn, ts) })
	}
	s.flusher.syncLog = func() error { return call(syncLog) }
}

// failurePlans returns the Updates whose engine calls fail.
func failurePlans() []crashPlan {
	if manyRows() {
		return []crashPlan{
			{Op: "deletes", Rows: 100_000, MemTable: 16 << 20},
			{Op: "a deleted range", Rows: 100_000, MemTable: 16 << 20},
		}
	}
	mixed := crashPlan{Op: "mixed", Rows: 500, PartRows: 150, MemTable: minMemTable}
	mixedNoSync := mixed
	mixedNoSync.NoSync = true
	return testsize.Pick([]crashPlan{mixed}, []crashPlan{mixed, mixedNoSync}, []crashPlan{
		{Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable},
		mixedNoSync,
		{Op: "deletes", Rows: 500, PartRows: 150, MemTable: minMemTable},
		{Op: "a deleted range", Rows: 500, PartRows: 150, MemTable: minMemTable},
	})
}

// TestEngineFailure_AtEveryCall_HaltsOrUndoes lets each engine call fail in turn, before
// and after it took effect.
func TestEngineFailure_AtEveryCall_HaltsOrUndoes(t *testing.T) {
	t.Parallel()
	for _, base := range failurePlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			createDir(t, base)
			before, after := initialRows(base.Rows), crashOps[base.Op].want(base.Rows)
			o := Options{MemTableBytes: base.MemTable, PartRows: base.PartRows, NoSync: base.NoSync, MinFreeBytes: -1}
			views := 0
			run := func(dir string, at int, late bool) (*Store, int, error) {
				s, err := Open(dir, o)
				require.NoError(t, err)
				calls := failingCalls{failAt: at, late: late, beside: func() {
					assert.NoError(t, compareRows(s, before), "rows of a View that runs during the commit")
					views++
				}}
				commitAt, syncLog := s.flusher.commitAt, s.flusher.syncLog
				calls.attach(s)
				err = s.Update(t.Context(), func(tx storage.Tx) error { return crashOps[base.Op].run(t.Context(), tx, base.Rows) })
				s.flusher.commitAt, s.flusher.syncLog = commitAt, syncLog
				return s, calls.made, err
			}
			s, calls, err := run(copyDir(t, base.Dir), neverKill, false)
			require.NoError(t, err)
			require.GreaterOrEqual(t, calls, 4)
			require.NoError(t, compareRows(s, after), "after the Update")
			require.NoError(t, s.Close())
			lastCommit := calls - 1
			if base.NoSync {
				lastCommit = calls - 2 // a sync follows
			}
			failures := 0
			for at := range calls {
				if testing.Short() && at != lastCommit || !testsize.Full() && base.NoSync && at < lastCommit {
					continue // NoSync differs at the end
				}
				for _, late := range []bool{false, true} {
					what := fmt.Sprintf("call %d of %d fails, late %v", at+1, calls, late)
					p := base
					p.Dir = copyDir(t, base.Dir)
					s, _, err := run(p.Dir, at, late)
					require.ErrorIs(t, err, syscall.ENOSPC, what)
					require.Equal(t, at >= lastCommit, errors.Is(err, storage.ErrUnknown), "%s: only a failure of the last part has an unknown outcome: %v", what, err)
					halts := at > 0 || late
					require.Equal(t, halts, errors.Is(err, ErrHalted), "%s, %v", what, err)
					require.NoError(t, compareRows(s, before), what)
					if halts {
						err := put(s, "refused", "1")
						require.ErrorIs(t, err, ErrHalted, what)
						require.NotErrorIs(t, err, storage.ErrUnknown, what)
					}
					require.NoError(t, s.Close())
					want := before
					if at > lastCommit || at == lastCommit && late {
						want = after
					}
					requireOpens(t, p, want, what+", opened again")
					require.NoError(t, os.RemoveAll(p.Dir))
					failures++
				}
			}
			t.Logf("%d engine calls, %d failures, %d states compared; %d concurrent Views; partial states: 0", calls, failures, 3*failures, views)
		})
	}
}

// If undoing an incomplete batch fails, the next Open undoes it.
func TestEngineFailure_DuringRecovery_OpenCanBeRepeated(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	plans := failurePlans()
	if !testsize.Full() {
		plans = plans[:1]
	}
	for _, p := range plans {
		t.Run(fmt.Sprintf("%s, NoSync %v", p.Op, p.NoSync), func(t *testing.T) {
			t.Parallel()
			p.Dir = t.TempDir()
			createDir(t, p)
			whole := p
			whole.Dir = copyDir(t, p.Dir)
			p.KillAt = callsOf(t, whole) - 2
			if p.NoSync {
				p.KillAt -= 2 // before the commit of the last part instead of its sync
			}
			crash(t, p)
			o := Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1}
			failed := 0
			for _, late := range []bool{false, true} {
				for at := 0; ; at++ {
					q := p
					q.Dir = copyDir(t, p.Dir)
					calls := failingCalls{failAt: at, late: late}
					s, err := open(q.Dir, o, func(_ *engine.Options, s *Store) { calls.attach(s) })
					if err == nil {
						require.Equal(t, at, calls.made)
						require.GreaterOrEqual(t, at, 3, "number of points: recovery must take several parts")
						require.NoError(t, s.Close())
						requireOpens(t, q, initialRows(p.Rows), "recovered")
						break
					}
					require.ErrorIs(t, err, syscall.ENOSPC)
					failed++
					requireOpens(t, q, initialRows(p.Rows), fmt.Sprintf("call %d of the recovery failed, late %v", at, late))
					require.NoError(t, os.RemoveAll(q.Dir))
				}
			}
			t.Logf("%d failures, %d states compared; partial states: 0", failed, 2*failed+2)
		})
	}
}

// Open does not begin to write if there is not enough space to complete the recovery.
func TestOpen_DiskFullDuringRecovery_OpenCanBeRepeated(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 150, MemTable: minMemTable, KillAt: 9}
	createDir(t, p)
	crash(t, p)
	free := int64(0)
	try := func() (*Store, error) {
		return open(p.Dir, Options{MemTableBytes: p.MemTable}, func(_ *engine.Options, s *Store) {
			s.space.Free = func() (int64, error) { return free, nil }
			through := s.flusher.commitAt
			s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
				require.Greater(t, free, int64(4*minMemTable), "free space at the time of a write")
				return through(txn, ts)
			}
		})
	}
	_, err := try()
	require.ErrorIs(t, err, ErrDiskFull, "without any space")
	found := newSpace(p.Dir, minMemTable, 0)
	require.NoError(t, found.Measure())
	free = 4*minMemTable + found.Tables + 1000
	_, err = try()
	require.ErrorIs(t, err, ErrDiskFull, "without space for the recovery")
	free = 1 << 40
	s, err := try()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	requireOpens(t, p, initialRows(p.Rows), "recovered with enough space")
}

// If the engine cannot create the next log, it has no in-memory table anymore, and another
// write would terminate the process. The store halts instead, and keeps every acknowledged
// Update.
func TestEngineFailure_NextLogCannotBeCreated_Halts(t *testing.T) {
	skipWithShort(t)
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
