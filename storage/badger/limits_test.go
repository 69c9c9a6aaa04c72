package badger

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// A transaction exactly at a limit commits, one above it does not, whatever the
// shape of its entries. The engine would commit a part of one that is too large.
func TestTransactionsAtTheLimits(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]func(l storage.Limits) (keyBytes, valueBytes int){
		"tiny":                 func(storage.Limits) (int, int) { return 4, 0 },
		"rows":                 func(storage.Limits) (int, int) { return 40, 200 },
		"long keys":            func(l storage.Limits) (int, int) { return l.KeyBytes, 0 },
		"long values":          func(l storage.Limits) (int, int) { return 4, l.ValueBytes },
		"long keys and values": func(l storage.Limits) (int, int) { return l.KeyBytes, l.ValueBytes },
	} {
		for _, memTable := range []int64{minMemTable, 9 << 20} {
			for _, remove := range []bool{false, true} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s, err := Open(t.TempDir(), Options{MemTableBytes: memTable})
					require.NoError(t, err)
					defer func() { require.NoError(t, s.Close()) }()
					l := s.Limits()
					keyBytes, valueBytes := shape(l)
					if remove {
						valueBytes = 0
					}
					value := make([]byte, valueBytes)
					write := func(tx storage.Tx, key []byte, value []byte) error {
						if remove {
							return tx.Delete(key)
						}
						return tx.Put(key, value)
					}
					n := 0
					require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
						key := make([]byte, keyBytes)
						left := l.TxBytes
						for ; n < l.TxWrites && left >= storage.EntryBytes(key, value); n++ {
							binary.BigEndian.PutUint32(key, uint32(n))
							require.NoError(t, write(tx, key, value))
							left -= storage.EntryBytes(key, value)
						}
						if last := left - storage.EntryBytes(key[:4], nil); last >= 0 && n < l.TxWrites {
							// To the last byte.
							binary.BigEndian.PutUint32(key, uint32(n))
							long := min(last, l.KeyBytes-4)
							require.NoError(t, write(tx, append(key[:4:4], make([]byte, long)...), make([]byte, min(last-long, valueBytes))))
							n++
						}
						return nil
					}))
					require.Equal(t, uint64(2), s.snaps.newest(), "one commit after the format")
					if !remove {
						count := 0
						require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
							for _, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
								require.NoError(t, err)
								count++
							}
							return nil
						}))
						require.Equal(t, n, count)
					}
					err = s.Update(t.Context(), func(tx storage.Tx) error {
						key := make([]byte, keyBytes)
						for i := range n + 2 {
							binary.BigEndian.PutUint32(key, uint32(i))
							_ = write(tx, key, value)
						}
						return nil
					})
					require.ErrorIs(t, err, storage.ErrTxTooLarge)
				})
			}
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), Options{})
	require.NoError(t, err)
	require.Equal(t, storage.Limits{
		KeyBytes:   64_999,
		ValueBytes: 1<<20 - 5,
		TxWrites:   104_854,
		TxBytes:    10_066_201,
	}, s.Limits())
	require.NoError(t, s.Close())
	require.NotZero(t, s.Limits(), "after Close")
}

// The largest entry must stay inline, through memory, a table and a compaction.
func TestLargestEntry(t *testing.T) {
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
			require.LessOrEqual(t, info.Size(), int64(logHeader), "the value log is empty")
		}
		s, err = Open(dir, Options{})
		require.NoError(t, err)
		require.Equal(t, []string{string(value)}, get(t, s, string(key)))
	}
	require.NoError(t, s.Close())
}
