package badger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

func TestRead_CorruptRow_ReturnsErrCorrupt(t *testing.T) {
	t.Parallel()
	const secret = "secret"
	for name, stored := range map[string][]byte{
		"empty":     {},
		"short":     {1, 2, 3},
		"value":     append(seal(dataRow(secret), []byte("valuE"))[:4:4], append([]byte("e"), seal(dataRow(secret), []byte("valuE"))[5:]...)...),
		"other key": seal(dataRow("other"), []byte("value")),
		"no sum":    []byte("a value without its checksum"),
	} {
		if testing.Short() && name != "value" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := setupDir(t, dir)
			require.NoError(t, put(s, "a", "1"))
			require.NoError(t, s.Close())
			commitRaw(t, dir, func(txn *engine.Txn) { require.NoError(t, txn.Set(dataRow(secret), stored)) })
			s = setupDir(t, dir)
			require.Equal(t, []string{"1"}, get(t, s, "a"))
			check := func(r storage.Reader) {
				_, err := r.Get(t.Context(), []byte("a"), []byte(secret))
				require.ErrorIs(t, err, storage.ErrCorrupt)
				require.NotContains(t, err.Error(), secret)
				for _, o := range []storage.ScanOptions{{}, {Reverse: true}, {KeysOnly: true}} {
					var last error
					for _, err := range r.Scan(t.Context(), storage.Range{}, o) {
						last = err
					}
					require.ErrorIs(t, last, storage.ErrCorrupt)
				}
			}
			require.NoError(t, s.View(t.Context(), func(r storage.Reader) error { check(r); return nil }))
			require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error { check(tx); return nil }))
			require.ErrorIs(t, s.VerifyChecksum(t.Context()), storage.ErrCorrupt)
			require.NoError(t, put(s, secret, "rewritten"))
			require.NoError(t, s.VerifyChecksum(t.Context()))
			require.NoError(t, s.Close())
			commitRaw(t, dir, func(txn *engine.Txn) { require.NoError(t, txn.Set(dataRow(secret), stored)) })
			s = setupDir(t, dir)
			require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
				return tx.DeleteRange(t.Context(), storage.Prefix([]byte(secret)))
			}), "deleting a corrupt row")
			require.NoError(t, s.VerifyChecksum(t.Context()))
			require.Equal(t, []string{"1", "-"}, get(t, s, "a", secret))
		})
	}
}

// dirWithTables returns a closed directory whose rows fill three tables.
func dirWithTables(t *testing.T) (dir string, tables []string) {
	t.Helper()
	dir = t.TempDir()
	s := setupDir(t, dir)
	for i := range 30 {
		require.NoError(t, s.Update(t.Context(), func(tx storage.Tx) error {
			for j := range 100 {
				if err := tx.Put(fmt.Appendf(nil, "%04d%04d", i, j), bytes.Repeat([]byte{byte(j)}, 900)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	return dir, tables
}

func TestOpen_CorruptFile_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	whole, _ := dirWithTables(t)
	edit := func(t *testing.T, path string, fn func(data []byte) []byte) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, fn(data), 0o600))
	}
	flip := func(at float64) func([]byte) []byte {
		return func(data []byte) []byte {
			data[int(at*float64(len(data)-1))] ^= 0x10
			return data
		}
	}
	cut := func(at float64) func([]byte) []byte {
		return func(data []byte) []byte { return data[:int(at*float64(len(data)))] }
	}
	zero := func(data []byte) []byte { return make([]byte, len(data)) }
	for name, damage := range map[string]func(t *testing.T, dir string, table string){
		"table: last byte":     func(t *testing.T, _, table string) { edit(t, table, flip(1)) },
		"table: index":         func(t *testing.T, _, table string) { edit(t, table, flip(0.9999)) },
		"table: cut to half":   func(t *testing.T, _, table string) { edit(t, table, cut(0.5)) },
		"table: cut to a byte": func(t *testing.T, _, table string) { edit(t, table, func(d []byte) []byte { return d[:1] }) },
		"table: empty":         func(t *testing.T, _, table string) { edit(t, table, cut(0)) },
		"table: zeros":         func(t *testing.T, _, table string) { edit(t, table, zero) },
		"table: gone":          func(t *testing.T, _, table string) { require.NoError(t, os.Remove(table)) },
		"table: grown":         func(t *testing.T, _, table string) { edit(t, table, func(d []byte) []byte { return append(d, 'x') }) },
		"MANIFEST: first byte": func(t *testing.T, dir, _ string) { edit(t, filepath.Join(dir, "MANIFEST"), flip(0)) },
		"MANIFEST: version": func(t *testing.T, dir, _ string) {
			edit(t, filepath.Join(dir, "MANIFEST"), func(d []byte) []byte { d[7]++; return d })
		},
		"MANIFEST: a record": func(t *testing.T, dir, _ string) {
			edit(t, filepath.Join(dir, "MANIFEST"), func(d []byte) []byte { d[20] ^= 1; return d })
		},
		"MANIFEST: zeros": func(t *testing.T, dir, _ string) { edit(t, filepath.Join(dir, "MANIFEST"), zero) },
		"MANIFEST: empty": func(t *testing.T, dir, _ string) { edit(t, filepath.Join(dir, "MANIFEST"), cut(0)) },
		"MANIFEST: only a header": func(t *testing.T, dir, _ string) {
			edit(t, filepath.Join(dir, "MANIFEST"), func(d []byte) []byte { return d[:8] })
		},
		"MANIFEST: gone": func(t *testing.T, dir, _ string) { require.NoError(t, os.Remove(filepath.Join(dir, "MANIFEST"))) },
		"KEYREGISTRY: grown": func(t *testing.T, dir, _ string) {
			edit(t, filepath.Join(dir, engine.KeyRegistryFileName), func(d []byte) []byte { return append(d, 0, 0, 0, 9) })
		},
		"log: cut": func(t *testing.T, dir, _ string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "00099.mem"), []byte("x"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyDir(t, whole)
			tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			require.NoError(t, err)
			damage(t, dir, tables[len(tables)-1])
			before, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			require.NoError(t, err)
			_, err = Open(dir, Options{MemTableBytes: minMemTable})
			require.ErrorIs(t, err, storage.ErrCorrupt)
			after, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			require.NoError(t, err)
			require.Equal(t, before, after, "tables after the failed Open")
		})
	}
}

// Open detects a flipped byte at any position of a table (this tests a sample), so that no
// compaction reads it, which would terminate the process.
func TestOpen_FlippedByteInTable_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir, tables := dirWithTables(t)
	data, err := os.ReadFile(tables[0])
	require.NoError(t, err)
	for at := 7; at < len(data); at += 1 + len(data)/testsize.Pick(5, 40, 200) {
		data[at] ^= 0x04
		require.NoError(t, os.WriteFile(tables[0], data, 0o600))
		data[at] ^= 0x04
		_, err := Open(dir, Options{MemTableBytes: minMemTable})
		require.ErrorIs(t, err, storage.ErrCorrupt, "at %d", at)
	}
	// With SkimTables the table opens. Compactions are disabled here.
	data[len(data)/2] ^= 0x04
	require.NoError(t, os.WriteFile(tables[0], data, 0o600))
	data[len(data)/2] ^= 0x04
	s, err := open(dir, Options{MemTableBytes: minMemTable, SkimTables: true}, func(o *engine.Options, _ *Store) {
		o.NumCompactors, o.CompactL0OnClose = 0, false
	})
	require.NoError(t, err)
	require.ErrorIs(t, s.VerifyChecksum(t.Context()), storage.ErrCorrupt)
	require.NoError(t, s.Close())

	require.NoError(t, os.WriteFile(tables[0], data, 0o600))
	require.NoError(t, setupDir(t, dir).VerifyChecksum(t.Context()))
}

// If a byte of a table changes while the store is open, VerifyChecksum detects it, no read
// returns a wrong value, and no read panics. Compactions are disabled, because they may
// terminate the process.
func TestVerifyChecksum_ByteFlippedWhileOpen_ReturnsErrCorrupt(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir, tables := dirWithTables(t)
	s, err := open(dir, Options{MemTableBytes: minMemTable}, func(o *engine.Options, _ *Store) {
		o.NumCompactors, o.CompactL0OnClose = 0, false
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	f, err := os.OpenFile(tables[0], os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	info, err := f.Stat()
	require.NoError(t, err)
	flip := func(at int64) {
		b := make([]byte, 1)
		_, err := f.ReadAt(b, at)
		require.NoError(t, err)
		b[0] ^= 0x04
		_, err = f.WriteAt(b, at)
		require.NoError(t, err)
	}
	for at := int64(7); at < info.Size(); at += 1 + info.Size()/testsize.Pick[int64](5, 20, 60) {
		flip(at)
		require.NoError(t, s.View(t.Context(), func(r storage.Reader) error {
			for _, o := range []storage.ScanOptions{{}, {Reverse: true}} {
				for e, err := range r.Scan(t.Context(), storage.Range{}, o) {
					if err != nil {
						require.ErrorIs(t, err, storage.ErrCorrupt)
						break
					}
					require.Len(t, e.Value, 900)
					require.Equal(t, bytes.Repeat(e.Value[:1], 900), e.Value)
				}
			}
			return nil
		}))
		require.ErrorIs(t, s.VerifyChecksum(t.Context()), storage.ErrCorrupt, "at %d", at)
		flip(at)
	}
	require.NoError(t, s.VerifyChecksum(t.Context()))
}

func TestVerifyChecksum_ContextDone_ReturnsItsError(t *testing.T) {
	skipWithShort(t)
	t.Parallel()
	dir, _ := dirWithTables(t)
	s := setupDir(t, dir)
	require.NoError(t, s.VerifyChecksum(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.VerifyChecksum(ctx), context.Canceled)
}
