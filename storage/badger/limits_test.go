package badger

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// An Update at the limit of a part takes one commit of the engine, and a larger one takes
// two, for any sizes of keys and values. The engine would reject a part that is too large.
func TestUpdate_AtPartLimit_TakesOneCommit(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	for name, shape := range map[string]func(l storage.Limits) (keyBytes, valueBytes int){
		"tiny":                 func(storage.Limits) (int, int) { return 4, 0 },
		"rows":                 func(storage.Limits) (int, int) { return 40, 200 },
		"long keys":            func(l storage.Limits) (int, int) { return l.KeyBytes, 0 },
		"long values":          func(l storage.Limits) (int, int) { return 4, l.ValueBytes },
		"long keys and values": func(l storage.Limits) (int, int) { return l.KeyBytes, l.ValueBytes },
	} {
		for _, memTable := range testsize.Pick([]int64{minMemTable}, []int64{minMemTable, 3 << 20}, []int64{minMemTable, 9 << 20}) {
			for _, remove := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, table of %d, deleted: %v", name, memTable, remove), func(t *testing.T) {
					t.Parallel()
					s, err := Open(t.TempDir(), Options{MemTableBytes: memTable})
					require.NoError(t, err)
					defer func() { require.NoError(t, s.Close()) }()
					keyBytes, valueBytes := shape(s.Limits())
					if remove {
						valueBytes = 0
					}
					key, value := make([]byte, keyBytes), make([]byte, valueBytes)
					one := storage.EntryBytes(key, value)
					fits := min(s.part.rows, s.part.bytes/one)
					var commits int
					commitAt := s.flusher.commitAt
					s.flusher.commitAt = func(txn *engine.Txn, ts uint64) error { commits++; return commitAt(txn, ts) }
					for _, n := range []int{fits, fits + 1} {
						commits = 0
						require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
							for i := range n {
								binary.BigEndian.PutUint32(key, uint32(i))
								if remove {
									require.NoError(t, tx.Delete(key))
								} else {
									require.NoError(t, tx.Put(key, value))
								}
							}
							return nil
						}))
						require.Equal(t, 1+(n-1)/fits, commits, "commits of %d rows with %d rows per part", n, fits)
						if !remove {
							require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
								require.Len(t, keys(t, r, storage.ScanOptions{KeysOnly: true}), n)
								return nil
							}))
						}
					}
					require.Equal(t, uint64(3), s.snaps.newest(), "number of commits: the format and two Updates")
				})
			}
		}
	}
}

func TestLimits_Defaults(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), Options{})
	require.NoError(t, err)
	require.Equal(t, storage.Limits{
		KeyBytes:   64_999,
		ValueBytes: 1<<20 - 5,
	}, s.Limits())
	require.Equal(t, partLimit{rows: 104_854, bytes: 10_066_201}, s.part)
	require.NoError(t, s.Close())
	require.NotZero(t, s.Limits(), "after Close")
}

// The largest entry must be stored inline in memory, in a table, and after a compaction.
func TestUpdate_LargestEntry_IsStoredInline(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	require.NoError(t, err)
	key, value := make([]byte, s.limits.KeyBytes), make([]byte, s.limits.ValueBytes)
	for i := range value {
		value[i] = byte(i)
	}
	for range 2 {
		require.NoError(t, put(s, string(key), string(value)))
		require.Equal(t, []string{string(value)}, get(t, s, string(key)))
		require.NoError(t, s.VerifyChecksum(t.Context()))
		require.NoError(t, s.Close())
		logs, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
		require.NoError(t, err)
		require.NotEmpty(t, logs)
		for _, path := range logs {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.LessOrEqual(t, info.Size(), int64(logHeader), "size of the value log, which must be empty")
		}
		s, err = Open(dir, Options{})
		require.NoError(t, err)
		require.Equal(t, []string{string(value)}, get(t, s, string(key)))
	}
	require.NoError(t, s.Close())
}
