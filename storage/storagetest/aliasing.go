package storagetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// aliasingTests check that the store and its callers share no slices: a change by one of
// them must not be visible to the other.
var aliasingTests = []test{
	{"slices given to Put may be reused", func(t *testing.T, s storage.Store) {
		want := map[string]string{"k0": "v0", "k1": "v1", "k2": "v2"}
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			key, value := []byte("k?"), []byte("v?")
			for i := range byte(3) {
				key[1], value[1] = '0'+i, '0'+i
				require.NoError(t, tx.Put(key, value), "Put")
			}
			key[0], value[0] = 'X', 'X'
			require.Equal(t, want, readAll(t, ctx, tx), "rows within the Update, whose slices were reused for other keys")
			require.Equal(t, "v1", get(t, ctx, tx, "k1"), "Get within the Update")
		})
		require.Equal(t, want, contents(t, s), "rows after the Update, whose slices were reused")
	}},
	{"slices given to Delete may be reused", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"k0": "0", "k1": "1", "k2": "2"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			key := []byte("k0")
			require.NoError(t, tx.Delete(key), "Delete")
			key[1] = '1'
			require.NoError(t, tx.Delete(key), "Delete with a reused slice")
			key[1] = '2'
			require.Equal(t, map[string]string{"k2": "2"}, readAll(t, ctx, tx), "rows within the Update")
		})
		require.Equal(t, map[string]string{"k2": "2"}, contents(t, s), "rows after the Update")
	}},
	{"slices given to DeleteRange may be reused", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "1", "c": "1", "d": "1"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			r := span("a", "c")
			require.NoError(t, tx.DeleteRange(ctx, r), "DeleteRange")
			r.Start[0], r.End[0] = 'c', 'z'
			require.Equal(t, map[string]string{"c": "1", "d": "1"}, readAll(t, ctx, tx), "rows within the Update, after the bounds were overwritten")
		})
		require.Equal(t, map[string]string{"c": "1", "d": "1"}, contents(t, s), "rows after the Update, after the bounds were overwritten")
	}},
	{"slices given to Get may be reused", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"k0": "0", "k1": "1"})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			key := []byte("k0")
			first, err := r.Get(ctx, key)
			require.NoError(t, err, "the first Get")
			key[1] = '1'
			second, err := r.Get(ctx, key)
			require.NoError(t, err, "Get with a reused slice")
			require.Equal(t, []string{"0", "1"}, []string{string(first[0]), string(second[0])}, "values of two Gets that used one slice")
		})
	}},
	{"bounds given to Scan may be reused", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			for _, reverse := range []bool{false, true} {
				bounds := span("b", "e")
				seq := r.Scan(ctx, bounds, storage.ScanOptions{Reverse: reverse})
				bounds.Start[0], bounds.End[0] = 'c', 'd' // before the loop
				got := map[string]bool{}
				for e, err := range seq {
					require.NoError(t, err, "Scan")
					got[string(e.Key)] = true
					bounds.Start[0], bounds.End[0] = 'd', 'c' // during the loop
				}
				require.Equal(t, map[string]bool{"b": true, "c": true, "d": true}, got, "reverse: %v", reverse)
			}
		})
	}},
	{"slices returned by Get belong to the caller", func(t *testing.T, s storage.Store) {
		want := map[string]string{"a": "value of a", "b": "", "c": "value of c"}
		fill(t, s, map[string]string{"a": "value of a", "b": ""})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "c", "value of c") // uncommitted writes may be stored elsewhere
			overwriteGetResults(t, ctx, tx)
			require.Equal(t, want, readAll(t, ctx, tx), "rows within the Update, after the caller overwrote what Get returned")
			require.Equal(t, "value of c", get(t, ctx, tx, "c"), "Get again within the Update")
		})
		view(t, s, func(ctx context.Context, r storage.Reader) {
			overwriteGetResults(t, ctx, r)
			require.Equal(t, want, readAll(t, ctx, r), "rows within the View, after the caller overwrote what Get returned")
		})
		require.Equal(t, want, contents(t, s), "rows after both")
	}},
	{"slices yielded by Scan belong to the caller", func(t *testing.T, s storage.Store) {
		want := map[string]string{"a": "value of a", "b": "", "c": "value of c", "d": "value of d"}
		fill(t, s, map[string]string{"a": "value of a", "b": "", "d": "value of d"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "c", "value of c")
			overwriteScanResults(t, ctx, tx, want)
			require.Equal(t, want, readAll(t, ctx, tx), "rows within the Update, after the caller overwrote what Scan yielded")
			require.Equal(t, "value of c", get(t, ctx, tx, "c"), "Get within the Update, after the caller overwrote what Scan yielded")
		})
		view(t, s, func(ctx context.Context, r storage.Reader) {
			overwriteScanResults(t, ctx, r, want)
			require.Equal(t, want, readAll(t, ctx, r), "rows within the View, after the caller overwrote what Scan yielded")
		})
		require.Equal(t, want, contents(t, s), "rows after both")
	}},
	{"slices remain valid after the transaction", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "2"})
		var values [][]byte
		var entries []storage.Entry
		view(t, s, func(ctx context.Context, r storage.Reader) {
			var err error
			values, err = r.Get(ctx, []byte("a"), []byte("b"))
			require.NoError(t, err, "Get")
			for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
				require.NoError(t, err, "Scan")
				entries = append(entries, e)
			}
		})
		for range 20 {
			fill(t, s, map[string]string{"a": "x", "b": "y", "c": "z"})
		}
		require.NoError(t, s.Close(), "Close")
		require.Equal(t, [][]byte{[]byte("1"), []byte("2")}, values, "values of Get after the store was closed")
		require.Equal(t, []storage.Entry{
			{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("2")},
		}, entries, "entries of Scan after the store was closed")
	}},
}

// overwriteGetResults overwrites every slice that Get returns, up to its capacity.
func overwriteGetResults(t *testing.T, ctx context.Context, r storage.Reader) {
	t.Helper()
	got, err := r.Get(ctx, []byte("a"), []byte("c"), []byte("a"), []byte("b"))
	require.NoError(t, err, "Get")
	require.Len(t, got, 4, "Get returns one value for each key")
	overwrite(got[0])
	require.Equal(t, []string{"value of c", "value of a", ""}, []string{string(got[1]), string(got[2]), string(got[3])},
		"the results of a Get must not share memory")
	overwrite(got[3])
	overwrite(got[1])
	require.Equal(t, "value of a", string(got[2]), "a value changed when another one was overwritten")
	overwrite(got[2])
}

// overwriteScanResults overwrites each entry while the scan runs, and then all entries of
// another scan.
func overwriteScanResults(t *testing.T, ctx context.Context, r storage.Reader, want map[string]string) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		var kept []storage.Entry
		for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: reverse}) {
			require.NoError(t, err, "Scan")
			value := want[string(e.Key)]
			overwrite(e.Key)
			require.Equal(t, value, string(e.Value), "a key and its value must not share memory")
			overwrite(e.Value)
		}
		for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{Reverse: reverse}) {
			require.NoError(t, err, "Scan")
			kept = append(kept, e)
		}
		got := map[string]string{}
		for _, e := range kept {
			got[string(e.Key)] = string(e.Value)
		}
		require.Equal(t, want, got, "entries that were kept")
		for _, e := range kept {
			overwrite(e.Value)
			overwrite(e.Key)
		}
	}
}

// overwrite overwrites b up to its capacity.
func overwrite(b []byte) {
	b = b[:cap(b)]
	for i := range b {
		b[i] = '!'
	}
}
