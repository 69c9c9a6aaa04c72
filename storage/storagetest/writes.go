package storagetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

var writeTests = []test{
	{"Put sets and overwrites", func(t *testing.T, s storage.Store) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			put(t, tx, "a", "1")
			put(t, tx, "b", "a long value at first")
			put(t, tx, "b", "2")
		})
		require.Equal(t, map[string]string{"a": "1", "b": "2"}, contents(t, s), "rows after the first Update")
		update(t, s, func(_ context.Context, tx storage.Tx) {
			put(t, tx, "a", "")
			put(t, tx, "b", "3")
		})
		require.Equal(t, map[string]string{"a": "", "b": "3"}, contents(t, s), "rows after the second Update")
	}},
	{"Delete removes keys and ignores absent ones", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"": "0", "a": "1", "b": "2", "c": "3"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			del(t, tx)
			del(t, tx, "absent")
			del(t, tx, "a", "absent", "c", "a", "")
			require.Equal(t, map[string]string{"b": "2"}, readAll(t, ctx, tx), "rows within the Update")
		})
		require.Equal(t, map[string]string{"b": "2"}, contents(t, s), "rows after the Update")
	}},
	{"the last write to a key takes effect", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"put last": "0", "deleted last": "0", "ranged last": "0", "put after range": "0"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			del(t, tx, "put last", "new put last")
			put(t, tx, "put last", "1")
			put(t, tx, "new put last", "1")
			for _, k := range []string{"deleted last", "new deleted last"} {
				put(t, tx, k, "1")
				del(t, tx, k)
			}
			put(t, tx, "ranged last", "1")
			require.NoError(t, tx.DeleteRange(ctx, storage.Prefix([]byte("ranged"))), "DeleteRange of rows that were put in the same Update")
			require.NoError(t, tx.DeleteRange(ctx, storage.Prefix([]byte("put after"))), "DeleteRange of a row that is put later in the same Update")
			put(t, tx, "put after range", "1")
		})
		require.Equal(t, map[string]string{"put last": "1", "new put last": "1", "put after range": "1"}, contents(t, s), "rows after the Update")
	}},
	{"DeleteRange deletes the keys that Scan would yield", func(t *testing.T, s storage.Store) {
		bounds := []string{"", "a", "b", "b\x00", "cc", "dd", "e", "f", "f\x00", "\xff"}
		for _, start := range bounds {
			for _, end := range bounds {
				fill(t, s, scanEntries)
				want := &modelTx{entries: map[string]string{}}
				for k, v := range scanEntries {
					want.entries[k] = v
				}
				require.NoError(t, want.DeleteRange(t.Context(), span(start, end)), "DeleteRange of the model")
				update(t, s, func(ctx context.Context, tx storage.Tx) {
					require.NoError(t, tx.DeleteRange(ctx, span(start, end)), "DeleteRange")
					require.Equal(t, want.entries, readAll(t, ctx, tx), "from %q to %q", start, end)
				})
				require.Equal(t, want.entries, contents(t, s), "from %q to %q", start, end)
			}
		}
	}},
	{"DeleteRange of a prefix keeps adjacent keys", func(t *testing.T, s storage.Store) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for _, k := range oddKeys {
				put(t, tx, k, "x")
			}
		})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			require.NoError(t, tx.DeleteRange(ctx, storage.Prefix([]byte("a"))), "DeleteRange of the prefix a")
			require.NoError(t, tx.DeleteRange(ctx, storage.Prefix([]byte("\xff\xff"))), "DeleteRange of the prefix of two 0xff")
		})
		want := map[string]string{}
		for _, k := range oddKeys {
			if k == "" || k[0] != 'a' && (len(k) < 2 || k[:2] != "\xff\xff") {
				want[k] = "x"
			}
		}
		require.Equal(t, want, contents(t, s), "rows after both DeleteRanges")
	}},
	{"DeleteRange deletes keys written in the same transaction", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"r/old": "0", "r/deleted": "0", "r/changed": "0", "s": "0"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "r/new", "1")
			put(t, tx, "r/changed", "1")
			del(t, tx, "r/deleted")
			require.NoError(t, tx.DeleteRange(ctx, storage.Prefix([]byte("r/"))), "DeleteRange")
			require.Equal(t, map[string]string{"s": "0"}, readAll(t, ctx, tx), "rows within the Update")
			put(t, tx, "r/newer", "1")
			got, err := tx.Get(ctx, []byte("r/new"), []byte("r/old"), []byte("r/newer"))
			require.NoError(t, err, "Get within the Update")
			require.Equal(t, [][]byte{nil, nil, []byte("1")}, got, "values within the Update")
		})
		require.Equal(t, map[string]string{"s": "0", "r/newer": "1"}, contents(t, s), "rows after the Update")
	}},
	{"DeleteRange with a done context fails the Update", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		ctx := testContext(t)
		done, cancel := context.WithCancel(ctx)
		cancel()
		err := s.Update(ctx, func(tx storage.Tx) error {
			put(t, tx, "b", "1")
			require.ErrorIs(t, tx.DeleteRange(done, storage.Range{}), context.Canceled, "DeleteRange with a context that is done")
			return nil
		})
		require.ErrorIs(t, err, context.Canceled, "Update in which DeleteRange failed")
		require.Equal(t, map[string]string{"a": "1"}, contents(t, s), "rows after the Update that failed")
	}},
	{"an Update that writes nothing commits", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		update(t, s, func(context.Context, storage.Tx) {})
		require.Equal(t, map[string]string{"a": "1"}, contents(t, s), "rows after an Update that writes nothing")
	}},
}
