package badger

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// TestCrash_AtEveryEngineCall_UpdateIsAtomic kills a process before and after each call of
// the engine in a large Update. Then it kills the processes that open the resulting
// directory, before and after each call that undoes the Update. After each kill the rows
// are compared.
func TestCrash_AtEveryEngineCall_UpdateIsAtomic(t *testing.T) {
	t.Parallel()
	for _, base := range crashPlans() {
		t.Run(fmt.Sprintf("%s, NoSync %v", base.Op, base.NoSync), func(t *testing.T) {
			t.Parallel()
			base.Dir = t.TempDir()
			createDir(t, base)
			before, after := initialRows(base.Rows), crashOps[base.Op].want(base.Rows)
			whole := base
			whole.Dir, whole.KillAt, whole.Watch = copyDir(t, base.Dir), neverKill, true
			out := crash(t, whole)
			calls, views := printed(t, out, "calls"), printed(t, out, "views")
			require.Greater(t, calls, 5, "number of points: the Update must take several parts")
			require.GreaterOrEqual(t, views, calls, "number of Views")
			requireOpens(t, whole, after, "killed after the Update was acknowledged")
			// The last part is committed by the last commit; with NoSync a sync follows.
			complete := calls - 1
			if base.NoSync {
				complete = calls - 3
			}
			compared, recoveries, recovered := 1, 0, 0
			different := eachCrash(t, base, calls, func(at int, dir string) {
				p := base
				p.Dir = dir
				want := before
				if at >= complete {
					want = after
				}
				what := fmt.Sprintf("killed at point %d of %d", at, calls)
				// Recovery takes longest when all parts but the last are present.
				if at == lastIncomplete(complete, base.NoSync) {
					kills, states := crashRecovery(t, p, want, what)
					recoveries += kills
					recovered += states
				}
				requireOpens(t, p, want, what)
				compared++
			})
			t.Logf("Update: killed at %d points, %d different directories; recovery: %d kills; states compared: %d; concurrent Views: %d; partial states: 0",
				calls, different, recoveries, compared+recovered, views)
		})
	}
}

// lastIncomplete returns the first point at which all parts but the last are on disk.
// complete is the first point at which the last one is on disk, too.
func lastIncomplete(complete int, noSync bool) int {
	if noSync {
		return complete - 4 // the points after the commit, before and after the sync, and before the last commit
	}
	return complete - 2
}

// crashRecovery kills the process that opens p.Dir at each of its points: first on a new
// copy for each point, then repeatedly on the same copy. It returns the number of kills and
// of states that were compared.
func crashRecovery(t *testing.T, p crashPlan, want rowsAt, what string) (kills, states int) {
	t.Helper()
	p.Op = ""
	once := p
	once.Dir = copyDir(t, p.Dir)
	calls := callsOf(t, once)
	require.Greater(t, calls, 3, "number of points: recovery must take several parts")
	requireOpens(t, once, want, what+", recovered, killed afterwards")
	eachCrash(t, p, calls, func(at int, dir string) {
		s, err := Open(dir, Options{MemTableBytes: p.MemTable, PartRows: p.PartRows, NoSync: p.NoSync, MinFreeBytes: -1})
		require.NoError(t, err, what)
		require.NoError(t, compareRows(s, want), "%s, recovery killed at point %d of %d", what, at, calls)
		require.NoError(t, s.Close())
		states++
	})
	repeated := p
	repeated.Dir = copyDir(t, p.Dir)
	step := testsize.Pick(3, 3, 1)
	if manyRows() {
		step = max(1, calls/6) // every restart writes the undo again
	}
	for at := 0; at < calls; at += step {
		repeated.KillAt = at
		crash(t, repeated)
		kills++
	}
	requireOpens(t, repeated, want, what+", recovery killed repeatedly")
	return calls + kills, states + 2
}

// The second of two large Updates reads the writes of the first before they are durable.
// After a crash the directory contains neither of them, the first, or both.
func TestCrash_TwoConcurrentLargeUpdates_EachIsAtomic(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	base := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: testsize.Pick(450, 450, 900), PartRows: testsize.Pick(225, 225, 300), MemTable: minMemTable}
	createDir(t, base)
	one := base
	one.Dir = copyDir(t, base.Dir)
	first := callsOf(t, one)
	base.Second = true
	both := base
	both.Dir = copyDir(t, base.Dir)
	calls := callsOf(t, both)
	require.Greater(t, calls, first+5, "number of points: the second Update must take several parts")
	requireOpens(t, both, rowsAt{}, "killed after both")
	outcomes := map[string]int{}
	eachCrash(t, base, calls, func(at int, dir string) {
		p := base
		p.Dir = dir
		name, want := "neither", initialRows(p.Rows)
		switch {
		case at >= calls-1:
			name, want = "both", rowsAt{}
		case at >= first-1:
			name, want = "the first", crashOps["mixed"].want(p.Rows)
		}
		requireOpens(t, p, want, fmt.Sprintf("killed at point %d of %d, the first Update ends at %d", at, calls, first))
		outcomes[name]++
	})
	t.Logf("%d points: %v", calls, outcomes)
	require.Len(t, outcomes, 3)
}

// The mark is not synced, so after a power loss it may be older than acknowledged commits.
func TestCrash_OldMark_AcknowledgedCommitsRemain(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	const n = 150
	p := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: neverKill, SaveMark: n - 100}
	require.Contains(t, crash(t, p), "acknowledged")
	useOld := func() {
		require.NoError(t, os.Rename(filepath.Join(p.Dir, markName+".old"), filepath.Join(p.Dir, markName)))
	}
	useOld()
	requireOpens(t, p, initialRows(n), "with a mark that is 100 commits old")

	// 100 acknowledged commits that are newer than the mark, followed by an incomplete
	// batch.
	again := crashPlan{Dir: t.TempDir(), Op: "small Updates", Rows: n, MemTable: minMemTable, KillAt: neverKill, SaveMark: n - 100}
	require.Contains(t, crash(t, again), "acknowledged")
	again.Op, again.PartRows, again.SaveMark = "mixed", 20, 0
	again.KillAt = callsOf(t, crashPlan{Dir: copyDir(t, again.Dir), Op: "mixed", Rows: n, PartRows: 20, MemTable: minMemTable}) - 2
	crash(t, again)
	require.NoError(t, os.Rename(filepath.Join(again.Dir, markName+".old"), filepath.Join(again.Dir, markName)))
	m, err := readMark(again.Dir)
	require.NoError(t, err)
	require.Equal(t, uint64(1+n-100), m.Number, "one commit for the format, and the commits up to the mark")
	requireOpens(t, again, initialRows(n), "with a mark that is 100 commits old and an incomplete batch")

	large := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 2000, PartRows: 100, MemTable: minMemTable, KillAt: neverKill}
	createDir(t, large)
	old, err := os.ReadFile(filepath.Join(large.Dir, markName))
	require.NoError(t, err)
	require.Contains(t, crash(t, large), "acknowledged")
	require.NoError(t, os.WriteFile(filepath.Join(large.Dir, markName), old, 0o600))
	requireOpens(t, large, crashOps["mixed"].want(large.Rows), "a large Update with the mark from before it")
}

// An incomplete batch is only undone if it was not acknowledged.
func TestCrash_MarkOfIncompleteBatch_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 1000, PartRows: 100, MemTable: minMemTable}
	createDir(t, p)
	p.KillAt = callsOf(t, crashPlan{Dir: copyDir(t, p.Dir), Op: p.Op, Rows: p.Rows, PartRows: p.PartRows, MemTable: p.MemTable}) - 2
	crash(t, p)
	m, err := readMark(p.Dir)
	require.NoError(t, err)
	claims := p
	claims.Dir = copyDir(t, p.Dir)
	require.NoError(t, os.WriteFile(filepath.Join(claims.Dir, markName), markFormat.Encode(true, m.Number+1), 0o600))
	for range 2 {
		_, err = Open(claims.Dir, Options{MemTableBytes: p.MemTable})
		require.ErrorIs(t, err, storage.ErrCorrupt)
	}
	requireOpens(t, p, initialRows(p.Rows), "with the original mark")
}
