package pebble

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// kinds returns a file system in memory with a directory that was not closed. It has 2000 rows
// in a table, and 20 rows in a log, with a deleted range if deleted is true.
func kinds(t *testing.T, deleted bool) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewCrashableMem()
	s, err := openFS(mem, Options{})
	require.NoError(t, err)
	require.NoError(t, putMany(s, "a", 2000))
	require.NoError(t, s.db.Flush())
	require.NoError(t, putMany(s, "b", 20))
	if deleted {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			return tx.DeleteRange(t.Context(), storage.Prefix([]byte("c")))
		}))
	}
	copied := copyFS(mem)
	require.NoError(t, s.Close())
	return copied
}

// copyFS returns a copy with everything that was written, as after a crash of the process.
func copyFS(mem *vfs.MemFS) *vfs.MemFS {
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
}

// readKinds reads the rows that kinds has written. A wrong or missing row fails the test.
func readKinds(t *testing.T, s *Store, what string) error {
	t.Helper()
	n := 0
	err := s.View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			i, err := strconv.Atoi(string(e.Key[1:]))
			if err != nil || string(e.Value) != fmt.Sprintf("%c value %0200d", e.Key[0], i) { // require is slow here
				require.Fail(t, "wrong row", "%s: %s", what, e.Key)
			}
			n++
		}
		return nil
	})
	if err == nil {
		require.Equal(t, 2020, n, what)
	}
	return err
}

// Changed bytes in a file of any kind are an error of Open or of reading, or they change
// nothing: no row is missing or different without an error.
func TestFiles_BytesChanged_NoRowIsWrong(t *testing.T) {
	t.Parallel()
	mem := kinds(t, true)
	names, err := mem.List("data")
	require.NoError(t, err)
	outcomes := map[string]int{}
	for _, kind := range []string{"*.log", "*.sst", listPrefix + "*", "OPTIONS-*", markName} {
		found := false
		for _, name := range names {
			if ok, _ := path.Match(kind, name); !ok {
				continue
			}
			info, err := mem.Stat("data/" + name)
			require.NoError(t, err)
			// For each wrong checksum, the engine computes the checksums of all blocks that differ in one bit.
			points := int64(testsize.Pick(3, 4, 100))
			for i := range min(points, info.Size()) {
				found = true
				at := info.Size() * i / points
				what := fmt.Sprintf("byte %d of %s", at, name)
				damaged := copyFS(mem)
				changeByte(t, damaged, "data/"+name, at)
				s, err := openFS(damaged, Options{})
				if err != nil {
					require.NotContains(t, err.Error(), "a0000", what)
					outcomes[kind+" refused"]++
					continue
				}
				if err := readKinds(t, s, what); err != nil {
					require.ErrorIs(t, err, storage.ErrCorrupt, what)
					outcomes[kind+" error"]++
				} else {
					outcomes[kind+" unchanged"]++
				}
				require.NoError(t, s.Close(), what)
			}
		}
		require.True(t, found, kind)
	}
	t.Log(outcomes)
	for _, want := range []string{"*.log refused", listPrefix + "* refused", "*.sst error"} {
		require.Positive(t, outcomes[want], want)
	}
}

// changeByte changes one bit of a file.
func changeByte(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	require.NoError(t, err)
	b[0] ^= 0x20
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
