package pebble

import (
	"fmt"
	"math/rand/v2"
	"path"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// While the directory is being opened and read, one operation on a file of each kind fails, or
// all operations from one on. This is an error or changes nothing, the process does not end,
// and the next Open finds all rows. The log contains a deleted range, because the engine
// collects statistics of such ranges in the background after it has written them to a table.
func TestOpen_OperationsOnAFileFail_NothingIsLost(t *testing.T) {
	t.Parallel()
	mem, quiet := kinds(t, true), kinds(t, false)
	for _, kind := range []struct {
		name     string
		onlyOpen bool // later failures end the process, see TestListFailure
	}{{"*.log", false}, {"*.sst", false}, {"OPTIONS-*", false}, {"*.dbtmp", false}, {markName, false}, {listPrefix + "*", true}, {"marker.*", true}, {"data", true}, {"*", true}} {
		mem := mem
		if kind.onlyOpen {
			mem = quiet // the engine changes nothing in the background after Open
		}
		for _, all := range []bool{false, true} {
			tried, refused := 0, 0
			for n := int64(0); ; n += int64(testsize.Pick(8, 2, 1)) {
				what := fmt.Sprintf("operation %d on %s, later ones too: %v", n, kind.name, all)
				var seen atomic.Int64
				f := &failing{mem: copyFS(mem), match: func(op errorfs.Op) bool {
					ok, _ := path.Match(kind.name, path.Base(op.Path))
					if !ok {
						return false
					}
					i := seen.Add(1) - 1
					return i == n || all && i > n
				}}
				f.on.Store(true)
				s, err := f.open(func() { t.Error("the process ends: " + what) })
				f.on.Store(!kind.onlyOpen)
				if err != nil {
					require.NotErrorIs(t, err, storage.ErrCorrupt, what)
				} else {
					if err = readKinds(t, s, what); err != nil {
						require.NotErrorIs(t, err, storage.ErrCorrupt, what)
					}
					_ = s.Close() // may be the operation that fails
				}
				if err != nil {
					refused++
				}
				f.on.Store(false)
				for _, unsynced := range []int{0, 100} { // after a power loss, and after a crash of the process
					left := f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(1, 2))})
					again, err := openFS(left, Options{})
					require.NoError(t, err, what)
					require.NoError(t, readKinds(t, again, what), what)
					require.NoError(t, again.Close(), what)
				}
				if f.failed.Load() == 0 {
					break
				}
				tried++
			}
			t.Logf("%s: %d operations, %d errors", kind.name, tried, refused)
			require.Positive(t, tried, kind.name)
		}
	}
}

// The same while a directory is being created. The next Open creates it.
func TestOpen_OperationsFailInANewDirectory_TheNextOpenSucceeds(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		tried, refused := 0, 0
		for n := int64(0); ; n++ {
			what := fmt.Sprintf("operation %d, later ones too: %v", n, all)
			var seen atomic.Int64
			f := newFailing(func(errorfs.Op) bool {
				i := seen.Add(1) - 1
				return i == n || all && i > n
			})
			f.on.Store(true)
			s, err := f.open(func() { t.Error("the process ends: " + what) })
			f.on.Store(false)
			want := "-"
			if err == nil {
				require.NoError(t, put(s, "a", "1"), what)
				require.NoError(t, s.Close(), what)
				want = "1"
			} else {
				require.NotErrorIs(t, err, storage.ErrCorrupt, what)
				refused++
			}
			for _, unsynced := range []int{0, 100} {
				left := f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(1, 2))})
				again, err := openFS(left, Options{})
				require.NoError(t, err, what)
				require.Equal(t, []string{want}, get(t, again, "a"), what)
				require.NoError(t, put(again, "b", "1"), what)
				require.NoError(t, again.Close(), what)
			}
			if f.failed.Load() == 0 {
				break
			}
			tried++
		}
		t.Logf("%d operations, %d errors", tried, refused)
		require.Greater(t, refused, 20)
	}
}
