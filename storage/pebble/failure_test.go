package pebble

import (
	"math/rand/v2"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// failing is a file system in memory on which operations fail while on is set.
type failing struct {
	mem    *vfs.MemFS
	on     atomic.Bool
	failed atomic.Int64
	match  func(op errorfs.Op) bool
}

func newFailing(match func(op errorfs.Op) bool) *failing {
	return &failing{mem: vfs.NewCrashableMem(), match: match}
}

func (f *failing) open(exit func()) (*Store, error) {
	fs := errorfs.Wrap(crashable{f.mem}, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if f.on.Load() && f.match(op) {
			f.failed.Add(1)
			return syscall.EIO
		}
		return nil
	}))
	return open("data", Options{MemTableBytes: minMemTable}, func(_ *engine.Options, s *Store) {
		s.files.FS = fs
		s.exit = exit
	})
}

func is(kind errorfs.OpKind, name string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		return op.Kind == kind && strings.Contains(path.Base(op.Path), name)
	}
}

func anyOf(matches ...func(errorfs.Op) bool) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		for _, match := range matches {
			if match(op) {
				return true
			}
		}
		return false
	}
}

// A failed operation on a log halts the store, also while the engine replaces the log. The
// directory can be opened again with every Update that has returned.
func TestLogFailure_EachOperation_HaltsTheStore(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]func(errorfs.Op) bool{
		"write":  is(errorfs.OpFileWrite, ".log"),
		"sync":   anyOf(is(errorfs.OpFileSync, ".log"), is(errorfs.OpFileSyncData, ".log"), is(errorfs.OpFileSyncTo, ".log")),
		"create": anyOf(is(errorfs.OpCreate, ".log"), is(errorfs.OpReuseForWrite, ".log")),
		"any":    func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailing(match)
			s, err := f.open(func() { t.Error("the process ends") })
			require.NoError(t, err)
			require.NoError(t, put(s, "before", "1"))
			c := &script{name: "x"}
			f.on.Store(true)
			for range 1000 {
				if err != nil {
					break
				}
				err = c.step(s, make([]byte, 100_000))
			}
			require.ErrorIs(t, err, ErrHalted)
			require.Positive(t, f.failed.Load())
			for range 30 { // enough to replace the log, if the store did not refuse them
				err := put(s, "later", strings.Repeat("x", 100_000))
				require.ErrorIs(t, err, ErrHalted)
				require.NotErrorIs(t, err, storage.ErrUnknown, "nothing was written")
			}
			acked := c.acked.Load()
			require.NoError(t, c.check(s, acked, acked), "a View reads the state before the failed commit")
			require.Equal(t, []string{"1", "-"}, get(t, s, "before", "later"))
			require.Error(t, s.Close())

			for _, unsynced := range []int{0, 100} {
				again, err := openFS(f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(1, 2))}), Options{})
				require.NoError(t, err)
				require.NoError(t, c.check(again, acked, c.started.Load()))
				require.Equal(t, []string{"1", "-"}, get(t, again, "before", "later"))
				require.NoError(t, put(again, "later", "2"))
				require.NoError(t, again.Close())
			}
		})
	}
}

// A View that began before a failed sync, and one that begins after it, do not see the
// writes.
func TestView_AcrossAFailedSync_DoesNotSeeTheCommit(t *testing.T) {
	t.Parallel()
	f := newFailing(anyOf(is(errorfs.OpFileSync, ".log"), is(errorfs.OpFileSyncData, ".log"), is(errorfs.OpFileSyncTo, ".log")))
	s, err := f.open(nil)
	require.NoError(t, err)
	require.NoError(t, put(s, "a", "old"))
	f.on.Store(true)
	require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
		err := put(s, "a", "new")
		require.ErrorIs(t, err, ErrHalted)
		require.ErrorIs(t, err, storage.ErrUnknown)
		require.ErrorIs(t, err, syscall.EIO)
		values, err := r.Get(t.Context(), []byte("a"))
		require.Equal(t, "old", string(values[0]))
		return err
	}))
	require.Equal(t, []string{"old"}, get(t, s, "a"))
	require.ErrorIs(t, s.Update(t.Context(), func(storage.Tx) error { return nil }), ErrHalted)
	require.Error(t, s.Close())
}

// The engine tries again to write a table.
func TestTableFailure_ForAWhile_UpdatesContinue(t *testing.T) {
	t.Parallel()
	f := newFailing(nil)
	f.match = func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && f.failed.Load() < 5
	}
	s, err := f.open(func() { t.Error("the process ends") })
	require.NoError(t, err)
	f.on.Store(true)
	c := &script{name: "x"}
	for range 60 {
		require.NoError(t, c.step(s, make([]byte, 100_000)))
	}
	require.Equal(t, int64(5), f.failed.Load())
	require.NoError(t, c.check(s, 60, 60))
	require.NoError(t, s.Close())
	again, err := openFS(f.mem, Options{})
	require.NoError(t, err)
	require.NoError(t, c.check(again, 60, 60))
	require.NoError(t, again.Close())
}

// The engine cannot continue without its list of files, and it is unknown which files exist
// if the directory is not synced. The process ends, and no Update is lost.
func TestListFailure_EachOperation_EndsTheProcess(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]func(errorfs.Op) bool{
		"write":          is(errorfs.OpFileWrite, "MANIFEST"),
		"sync":           is(errorfs.OpFileSync, "MANIFEST"),
		"marker":         is(errorfs.OpCreate, "marker.manifest"),
		"sync directory": func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSync && path.Base(op.Path) == "data" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailing(match)
			ended := make(chan struct{}, 10)
			s, err := f.open(func() { ended <- struct{}{} })
			require.NoError(t, err)
			f.on.Store(true)
			c := &script{name: "x"}
			go func() { // blocks for good, as the engine does
				for c.step(s, make([]byte, 100_000)) == nil {
				}
			}()
			<-ended
			acked := c.acked.Load()
			again, err := openFS(f.mem.CrashClone(vfs.CrashCloneCfg{}), Options{})
			require.NoError(t, err)
			require.NoError(t, c.check(again, acked, c.started.Load()))
			require.NoError(t, again.Close())
		})
	}
}

// Allocating the blocks of a log before they are written is a hint. Some file systems do not
// support it.
func TestPreallocate_Fails_UpdatesContinue(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.ENOTSUP, syscall.EINVAL, syscall.ENOSPC} {
		dir := t.TempDir()
		var failed atomic.Int64
		fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFilePreallocate {
				failed.Add(1)
				return errno
			}
			return nil
		}))
		s, err := open(dir, Options{MemTableBytes: minMemTable}, func(_ *engine.Options, s *Store) { s.files.FS = fs })
		require.NoError(t, err)
		c := &script{name: "x"}
		for range 30 { // several logs
			require.NoError(t, c.step(s, make([]byte, 100_000)), errno)
		}
		require.Greater(t, failed.Load(), int64(2))
		require.NoError(t, s.Close())
		require.NoError(t, c.check(setupDir(t, dir), 30, 30))
	}
}
