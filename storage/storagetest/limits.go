package storagetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// overruns are the ways to go beyond a limit. Each fills a transaction as far as
// it will go, and then returns the error of one write more.
var overruns = []struct {
	name string
	want error
	run  func(t *testing.T, tx storage.Tx, l storage.Limits) error
}{
	{"a key too large to put", storage.ErrKeyTooLarge, func(_ *testing.T, tx storage.Tx, l storage.Limits) error {
		return tx.Put(make([]byte, l.KeyBytes+1), nil)
	}},
	{"a key too large to delete", storage.ErrKeyTooLarge, func(_ *testing.T, tx storage.Tx, l storage.Limits) error {
		return tx.Delete([]byte("committed"), make([]byte, l.KeyBytes+1))
	}},
	{"a value too large", storage.ErrValueTooLarge, func(_ *testing.T, tx storage.Tx, l storage.Limits) error {
		return tx.Put([]byte("committed"), make([]byte, l.ValueBytes+1))
	}},
	{"one put too many", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		putCount(t, tx, l.TxWrites)
		return tx.Put([]byte("more"), nil)
	}},
	{"one delete too many", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		putCount(t, tx, l.TxWrites)
		return tx.Delete([]byte("never there"))
	}},
	{"one delete of a range too many", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		putCount(t, tx, l.TxWrites)
		return tx.DeleteRange(t.Context(), storage.Prefix([]byte("committed")))
	}},
	{"too many bytes by one put more", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		putBytes(t, tx, l.TxBytes, l)
		return tx.Put([]byte("more"), nil)
	}},
	{"too many bytes by one delete more", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		putBytes(t, tx, l.TxBytes, l)
		return tx.Delete([]byte("committed"))
	}},
	{"too many bytes by a value that grows", storage.ErrTxTooLarge, func(t *testing.T, tx storage.Tx, l storage.Limits) error {
		require.NoError(t, tx.Put([]byte("grows"), []byte("x")))
		putBytes(t, tx, l.TxBytes-storage.EntryBytes([]byte("grows"), []byte("x")), l)
		return tx.Put([]byte("grows"), []byte("xx"))
	}},
}

// fits are transactions that go as far as a limit. Each returns what it leaves,
// beside what was there.
var fits = []struct {
	name string
	run  func(t *testing.T, tx storage.Tx, l storage.Limits) (entries int)
}{
	{"the longest key", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		longest := bytes.Repeat([]byte{0xff}, l.KeyBytes)
		require.NoError(t, tx.Put(longest, []byte("x")))
		require.Equal(t, "x", get(t, t.Context(), tx, string(longest)))
		require.NoError(t, tx.Delete(bytes.Repeat([]byte{0xfe}, l.KeyBytes)))
		return 1
	}},
	{"the longest value", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		longest := string(bytes.Repeat([]byte("v"), l.ValueBytes))
		put(t, tx, "k", longest)
		require.True(t, get(t, t.Context(), tx, "k") == longest)
		return 1
	}},
	{"as many puts as there may be", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		putCount(t, tx, l.TxWrites)
		return l.TxWrites
	}},
	{"as many deletes as there may be", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		for i := range l.TxWrites {
			require.NoError(t, tx.Delete(countKey(i)))
		}
		return 0
	}},
	{"as many bytes as there may be", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		return putBytes(t, tx, l.TxBytes, l)
	}},
	{"one key written more often than there may be writes", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		value := make([]byte, min(l.ValueBytes, 1+l.TxBytes/l.TxWrites)) // more bytes in all than there may be
		for range l.TxWrites + 1 {
			require.NoError(t, tx.Put([]byte("k"), value))
		}
		require.NoError(t, tx.Delete([]byte("k")))
		require.NoError(t, tx.DeleteRange(t.Context(), storage.Prefix([]byte("k"))))
		require.NoError(t, tx.Put([]byte("k"), nil))
		putCount(t, tx, l.TxWrites-1)
		require.NoError(t, tx.Put([]byte("k"), []byte("x")), "even where there is no room for another key")
		return l.TxWrites
	}},
	{"a range deleted counts the keys in it, once", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		put(t, tx, "r/own", "x")
		require.NoError(t, tx.DeleteRange(t.Context(), storage.Prefix([]byte("r/"))))
		require.NoError(t, tx.DeleteRange(t.Context(), storage.Prefix([]byte("r/"))))
		require.NoError(t, tx.DeleteRange(t.Context(), storage.Prefix([]byte("nothing here"))))
		putCount(t, tx, l.TxWrites-1)
		return l.TxWrites - 1
	}},
	{"bytes that were replaced or deleted do not count", func(t *testing.T, tx storage.Tx, l storage.Limits) int {
		free := l.TxBytes
		for i, key := range [][]byte{[]byte("shrunk"), []byte("deleted"), []byte("ranged")} {
			require.NoError(t, tx.Put(key, make([]byte, leastValueBytes)))
			switch i {
			case 0:
				require.NoError(t, tx.Put(key, nil))
			case 1:
				require.NoError(t, tx.Delete(key))
			case 2:
				require.NoError(t, tx.DeleteRange(t.Context(), storage.Prefix(key)))
			}
			free -= storage.EntryBytes(key, nil)
		}
		entries := 1 + putBytes(t, tx, free, l)
		require.NoError(t, tx.Put([]byte("shrunk"), nil), "what is there may be written again where there is no room for more")
		require.NoError(t, tx.Delete([]byte("deleted")))
		return entries
	}},
}

func limitTests() []test {
	tests := []test{
		{"every limit is above zero, and stays as it is", func(t *testing.T, s storage.Store) {
			l := s.Limits()
			require.Positive(t, l.KeyBytes)
			require.Positive(t, l.ValueBytes)
			require.Positive(t, l.TxWrites)
			require.Positive(t, l.TxBytes)
			fill(t, s, before)
			require.Equal(t, l, s.Limits())
			update(t, s, func(context.Context, storage.Tx) { require.Equal(t, l, s.Limits()) })
			require.NoError(t, s.Close())
			require.Equal(t, l, s.Limits())
		}},
		{"every limit can be tested", func(t *testing.T, s storage.Store) {
			l := s.Limits()
			require.GreaterOrEqual(t, l.KeyBytes, leastKeyBytes)
			require.GreaterOrEqual(t, l.ValueBytes, leastValueBytes)
			require.GreaterOrEqual(t, l.TxWrites, leastTxWrites)
			require.GreaterOrEqual(t, l.TxBytes, leastTxBytes)
			require.LessOrEqual(t, l.TxWrites*storage.EntryBytes(make([]byte, 8), nil), l.TxBytes,
				"TxBytes must leave room for TxWrites small writes")
			require.Less(t, l.TxBytes/storage.EntryBytes(countKey(0), make([]byte, l.ValueBytes)), l.TxWrites-3,
				"TxWrites must leave room for TxBytes of large values")
		}},
	}
	for _, c := range overruns {
		tests = append(tests, test{c.name + " fails the Update", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"committed": "1"})
			for _, swallowed := range []bool{true, false} {
				ctx := patient(t)
				err := s.Update(ctx, func(tx storage.Tx) error {
					err := c.run(t, tx, s.Limits())
					require.ErrorIs(t, err, c.want)
					require.ErrorIs(t, err, storage.ErrTooLarge)
					if swallowed {
						_ = tx.Delete([]byte("committed")) // a write that would fit does not help
						return nil
					}
					return err
				})
				require.ErrorIs(t, err, c.want, "swallowed: %v", swallowed)
				require.ErrorIs(t, err, storage.ErrTooLarge)
				onlyCommitted(t, s, "1")
			}
			update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, "committed", "2") })
			onlyCommitted(t, s, "2")
		}})
	}
	for _, c := range fits {
		tests = append(tests, test{c.name + " can be committed", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"committed": "1"})
			entries := 0
			update(t, s, func(_ context.Context, tx storage.Tx) { entries = c.run(t, tx, s.Limits()) })
			view(t, s, func(ctx context.Context, r storage.Reader) {
				got := 0
				for _, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{KeysOnly: true}) {
					require.NoError(t, err)
					got++
				}
				require.Equal(t, entries+1, got)
			})
		}})
	}
	return tests
}

// onlyCommitted shows that one entry is left. It counts first, because a failure
// that prints a whole transaction is no help.
func onlyCommitted(t *testing.T, s storage.Store, value string) {
	t.Helper()
	left := contents(t, s)
	require.Equal(t, 1, len(left), "number of entries") //nolint:testifylint // Len would print them
	require.Equal(t, value, left["committed"])
}

// countKey is a key of four bytes, below all others of these tests.
func countKey(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

// putCount puts n small entries.
func putCount(t *testing.T, tx storage.Tx, n int) {
	t.Helper()
	for i := range n {
		if err := tx.Put(countKey(i), nil); err != nil { // require itself is too slow for so many
			require.NoError(t, err, "write %d of %d", i+1, n)
		}
	}
}

// putBytes puts entries of n bytes in all, in as few writes as it takes, and
// returns how many those are.
func putBytes(t *testing.T, tx storage.Tx, n int, l storage.Limits) (entries int) {
	t.Helper()
	value := bytes.Repeat([]byte("v"), l.ValueBytes)
	least, most := storage.EntryBytes(countKey(0), nil), storage.EntryBytes(countKey(0), value)
	for ; n > 0; entries++ {
		size := min(n, most)
		if rest := n - size; rest > 0 && rest < least {
			size -= least // leaves what one entry more can take
		}
		require.NoError(t, tx.Put(countKey(entries), value[:size-least]), "%d bytes to go", n)
		n -= size
	}
	return entries
}
