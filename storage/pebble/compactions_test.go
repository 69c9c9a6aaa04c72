package pebble

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// fillTables puts rows that overlap all others in at most n Updates, until one fails. They
// fill one table of level 0 after another.
func fillTables(s *Store, n int) (written int, err error) {
	value := []byte(strings.Repeat("x", 100_000))
	for ; written < n; written++ {
		err := s.Update(context.Background(), func(tx storage.Tx) error {
			for _, key := range []string{"a", fmt.Sprintf("m%06d", written), "z"} {
				if err := tx.Put([]byte(key), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// The engine repeats a compaction that fails without end. Updates must not wait for it.
func TestCompaction_OfACorruptTable_UpdatesAreRefusedAndViewsContinue(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s := setup(t)
	require.NoError(t, putMany(s, "secret", n))
	require.NoError(t, s.db.Compact(t.Context(), []byte{internalSpace}, []byte{dataSpaceEnd}, false))
	dir := s.dir
	require.NoError(t, s.Close())
	change(t, glob(t, dir, "*.sst"), func(b []byte) []byte { b[len(b)/3] ^= 1; return b })

	again := setupDir(t, dir)
	written, err := fillTables(again, 2000)
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.NotErrorIs(t, err, storage.ErrUnknown, "nothing was written")
	require.NotContains(t, err.Error(), "secret")
	require.Positive(t, written)
	require.ErrorIs(t, again.Update(t.Context(), func(storage.Tx) error {
		t.Error("fn runs")
		return nil
	}), storage.ErrCorrupt)
	require.ErrorIs(t, again.Erase(t.Context()), storage.ErrCorrupt)
	require.Equal(t, "-", get(t, again, fmt.Sprintf("m%06d", written))[0], "the Update that was refused")
	require.Len(t, get(t, again, fmt.Sprintf("m%06d", written-1))[0], 100_000)
	read := 0
	for i := 0; i < n; i += 20 { // a block has about 150 rows
		key := fmt.Sprintf("secret%06d", i)
		err := again.View(t.Context(), func(r storage.Reader) error {
			values, err := r.Get(t.Context(), []byte(key))
			if err == nil {
				require.Equal(t, fmt.Sprintf("secret value %0200d", i), string(values[0]))
				read++
			}
			return err
		})
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
		}
	}
	require.Greater(t, read, n/40)
	require.Less(t, read, n/20)
}

// While tables cannot be read, compactions fail, and Updates when too many tables wait for
// them. They continue when the tables can be read again.
func TestCompaction_FailsForAWhile_UpdatesAreRefusedMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFailing(func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") && (op.Kind == errorfs.OpFileReadAt || op.Kind == errorfs.OpOpen)
	})
	s, err := f.open(func() { t.Error("the process ends") })
	require.NoError(t, err)
	f.on.Store(true)
	written, err := fillTables(s, 2000)
	require.ErrorIs(t, err, syscall.EIO)
	require.NotErrorIs(t, err, storage.ErrUnknown)
	require.NotErrorIs(t, err, ErrHalted)
	require.ErrorIs(t, put(s, "later", "1"), syscall.EIO)
	require.Positive(t, f.failed.Load())
	f.on.Store(false)
	for put(s, "later", "2") != nil {
		runtime.Gosched() // until a compaction has succeeded
	}
	require.Equal(t, written+3, count(t, s))
	more, err := fillTables(s, 30)
	require.NoError(t, err)
	require.Equal(t, 30, more)
	require.Less(t, s.db.Metrics().Levels[0].Sublevels, int32(maxSublevels+2))
	require.NoError(t, s.Close())
}

// Updates that are faster than compactions wait for them.
func TestCompaction_TooManyTables_UpdatesWait(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := newFailing(nil)
	f.match = func(op errorfs.Op) bool {
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") {
			<-release
		}
		return false
	}
	s, err := f.open(func() { t.Error("the process ends") })
	require.NoError(t, err)
	f.on.Store(true)
	done := background(func() error {
		_, err := fillTables(s, 80)
		return err
	})
	for s.db.Metrics().Levels[0].Sublevels < maxSublevels {
		runtime.Gosched()
	}
	for range 1000 {
		runtime.Gosched()
	}
	require.LessOrEqual(t, s.db.Metrics().Levels[0].Sublevels, int32(maxSublevels+2)) // two tables in memory
	select {
	case err := <-done:
		require.FailNow(t, "returned too early", "%v", err)
	default:
	}
	close(release)
	require.NoError(t, <-done)
	require.NoError(t, s.Close())
}
