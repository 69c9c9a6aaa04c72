package badger

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// If a log of an acknowledged batch contains a block of zeros or is missing, Open reports
// it and leaves the log unchanged.
func TestCrash_CorruptLogOfLargeUpdate_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, flushed := range []int{1, 2} { // number of tables that the engine could write
		for _, then := range []int{0, 5} {
			if !testsize.Full() && (flushed == 2) != (then == 5) {
				continue // the other pairs of these values are tested at full size
			}
			t.Run(fmt.Sprintf("%d tables, then %d small Updates", flushed, then), func(t *testing.T) {
				t.Parallel()
				rows := 7_000 + 5_000*flushed // enough to fill two more logs than the engine can write to tables
				if testsize.Full() {
					rows = 20_000
				}
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: rows, PartRows: 700, MemTable: minMemTable, KillAt: neverKill, Flushes: flushed, Then: then}
				s, err := Open(p.Dir, Options{MemTableBytes: p.MemTable})
				require.NoError(t, err)
				require.NoError(t, s.Close())
				want := rowsAt{}
				for k, v := range crashOps["mixed"].want(p.Rows) {
					if strings.Contains(v, "/2/") {
						want[k] = v // the directory was empty before
					}
				}
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				require.Contains(t, crash(t, p), "acknowledged")
				logs, err := filepath.Glob(filepath.Join(p.Dir, "*.mem"))
				require.NoError(t, err)
				slices.Sort(logs)
				require.GreaterOrEqual(t, len(logs), 2, "number of logs of the batch")
				whole := p
				whole.Dir = copyDir(t, p.Dir)
				requireOpens(t, whole, want, "with intact logs")
				reported, blocks := 0, 0
				for i, log := range logs {
					data, err := os.ReadFile(log)
					require.NoError(t, err)
					used := len(bytes.TrimRight(data, "\x00"))
					if used <= logHeader {
						continue // created but not written
					}
					blocks += requireEveryBlockReported(t, p, log, data[:used])
					ats := []int{0, used / 3, used / 2, used - 5000, used - 50, -1}
					for _, at := range testsize.Pick(ats[3:], ats[3:], ats) {
						if at >= used || at < -1 {
							continue
						}
						what := fmt.Sprintf("log %d of %d, zeros at %d of %d (-1: log removed)", i+1, len(logs), at, used)
						dir := copyDir(t, p.Dir)
						path := filepath.Join(dir, filepath.Base(log))
						corrupted := bytes.Clone(data)
						if at < 0 {
							require.NoError(t, os.Remove(path))
						} else {
							clear(corrupted[at:min(at+4096, len(corrupted))])
							require.NoError(t, os.WriteFile(path, corrupted, 0o600))
						}
						for range 2 {
							_, err := Open(dir, Options{MemTableBytes: p.MemTable})
							require.ErrorIs(t, err, storage.ErrCorrupt, what)
							if at >= 0 {
								left, err := os.ReadFile(path)
								require.NoError(t, err)
								require.True(t, bytes.Equal(corrupted, left), "%s: Open has changed the log", what)
							}
						}
						reported++
					}
				}
				t.Logf("%d logs; Open reported corruption in %d cases, twice each; %d single blocks reported", len(logs), reported, blocks)
			})
		}
	}
}

// requireEveryBlockReported zeroes one block of a log after another, checks that each is
// reported, and returns their number. data is the content of the log up to the last byte in
// use. Unless the test has manyRows, it skips some blocks.
func requireEveryBlockReported(t *testing.T, p crashPlan, log string, data []byte) (blocks int) {
	t.Helper()
	const block = 4096
	dir := copyDir(t, p.Dir)
	step := block
	if !manyRows() {
		step = testsize.Pick(80, 80, 7) * block
	}
	m, err := readMark(dir)
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(log)), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	for at := 0; at < len(data); at += step {
		end := min(at+block, len(data))
		_, err := f.WriteAt(make([]byte, end-at), int64(at))
		require.NoError(t, err)
		if _, err := inspect(dir, m, true); err == nil {
			// Then Open must detect it, which takes longer.
			s, err := Open(copyDir(t, dir), Options{MemTableBytes: p.MemTable})
			if err == nil {
				require.NoError(t, s.Close())
			}
			require.ErrorIs(t, err, storage.ErrCorrupt, "%s, zeros from %d to %d", filepath.Base(log), at, end)
		} else {
			require.ErrorIs(t, err, storage.ErrCorrupt)
		}
		_, err = f.WriteAt(data[at:end], int64(at))
		require.NoError(t, err)
		blocks++
	}
	_, err = inspect(dir, m, true)
	require.NoError(t, err, "after the log was repaired")
	return blocks
}

// A running Scan keeps the log that existed when it began, while later logs are removed
// because their rows are in tables. After a crash there is a gap between the logs, but no
// data is lost.
func TestCrash_ScanKeepsOldLog_AcknowledgedCommitsRemain(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for _, then := range []int{0, 5} {
		for _, killed := range []bool{false, true} { // killed before the last part of the large Update
			if !testsize.Full() && (killed || then == 0) {
				continue // the other pairs of these values are tested at full size
			}
			t.Run(fmt.Sprintf("%d small Updates afterwards, killed during the large Update: %v", then, killed), func(t *testing.T) {
				t.Parallel()
				p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: testsize.Pick(12_000, 12_000, 20_000), PartRows: 700, MemTable: minMemTable, KillAt: neverKill, Then: then, Hold: true}
				createDir(t, p)
				want := crashOps["mixed"].want(p.Rows)
				for i := range then {
					want[fmt.Sprint("then ", i)] = "1"
				}
				if killed {
					trial := p
					trial.Dir, trial.Then = copyDir(t, p.Dir), 0
					p.KillAt = callsOf(t, trial) - 2
					want = initialRows(p.Rows)
				}
				crash(t, p)
				requireOpens(t, p, want, "with a gap between the logs")
			})
		}
	}
}

// With NoSync it is unknown which commits were acknowledged, but each is atomic, no matter
// which logs are lost.
func TestCrash_NoSyncAndLostLogs_UpdateIsAtomic(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	p := crashPlan{Dir: t.TempDir(), Op: "mixed", Rows: 20_000, PartRows: 700, MemTable: minMemTable, NoSync: true, KillAt: neverKill, Flushes: 1}
	o := Options{MemTableBytes: p.MemTable, NoSync: true, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(p.Dir, o)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Contains(t, crash(t, p), "acknowledged")
	whole := p
	whole.Dir = copyDir(t, p.Dir)
	s, err = Open(whole.Dir, o)
	require.NoError(t, err)
	after := rowsIn(t, s)
	require.Greater(t, len(after), p.Rows/2)
	require.NoError(t, s.Close())
	logs, err := filepath.Glob(filepath.Join(p.Dir, "*.mem"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(logs), 3)
	outcomes := map[string]int{}
	for lost := range 1 << len(logs) {
		dir := copyDir(t, p.Dir)
		for i, log := range logs {
			if lost&(1<<i) != 0 {
				require.NoError(t, os.Remove(filepath.Join(dir, filepath.Base(log))))
			}
		}
		s, err := Open(dir, o)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt, "lost logs %b", lost)
			outcomes["reported"]++
			continue
		}
		rows := rowsIn(t, s)
		if len(rows) == 0 {
			outcomes["none"]++
		} else {
			requireRows(t, after, rows, fmt.Sprintf("lost logs %b", lost))
			outcomes["all"]++
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d logs: %v", len(logs), outcomes)
	require.Len(t, outcomes, 3)
}

// The tables contain all parts but the last, whose log is missing. Without the mark, this
// is the same as an interrupted batch.
func TestCrash_LogOfLastPartMissing_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	s := setupParts(t, 100)
	require.NoError(t, put(s, "first", "1"))
	through, parts := s.flusher.commitAt, 0
	s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error {
		if parts++; parts == 5 {
			flush := s.db.NewTransactionAt(ts, true)
			require.NoError(t, flush.Set(sentinelRow, seal(sentinelRow, nil)))
			require.NoError(t, flush.CommitAt(ts, nil))
			require.NoError(t, s.db.DropPrefix(sentinelRow))
		}
		return through(txn, ts)
	}
	require.NoError(t, putMany(s, 500, "large"))
	require.Equal(t, 5, parts)
	dir := copyDir(t, s.db.Opts().Dir)
	requireRows(t, rowsIn(t, s), rowsIn(t, setupDir(t, copyDir(t, dir))), "with its log")
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	require.NoError(t, err)
	for _, log := range logs {
		require.NoError(t, os.Remove(log))
	}
	for range 2 {
		_, err = Open(dir, Options{MemTableBytes: minMemTable})
		require.ErrorIs(t, err, storage.ErrCorrupt)
	}
}
