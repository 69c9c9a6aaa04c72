package badger

import (
	"fmt"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"
)

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
	require.NoError(t, s.flusher.Exclusively(t.Context(), func() error {
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
