package storagetest

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// oddKeys are unusual keys in bytewise order.
var oddKeys = []string{
	"", "\x00", "\x00\x00", "\x00\x00\x01", "\x00\xff", "\x01", "!", "A", "a", "a\x00", "a\x00a",
	"a\x00\xff", "a\x01", "a/b", "aa", "a\xff", "a\xff\x00", "a\xff\xff", "b", "\x7f", "\x80", "\xc3\xa9",
	"\xfe\xff", "\xff", "\xff\x00", "\xff\xfe", "\xff\xff", "\xff\xff\x00", "\xff\xff\xff",
}

var readTests = []test{
	{"an empty store has no keys", func(t *testing.T, s storage.Store) {
		view(t, s, func(ctx context.Context, r storage.Reader) {
			require.Empty(t, readAll(t, ctx, r), "rows of an empty store")
			got, err := r.Get(ctx, []byte(""), []byte("a"))
			require.NoError(t, err, "Get in an empty store")
			require.Equal(t, [][]byte{nil, nil}, got, "values in an empty store")
		})
	}},
	{"keys may contain any bytes or be empty", func(t *testing.T, s storage.Store) {
		update(t, s, func(_ context.Context, tx storage.Tx) {
			for _, k := range oddKeys {
				put(t, tx, k, "value of "+k)
			}
		})
		view(t, s, func(ctx context.Context, r storage.Reader) {
			for _, k := range oddKeys {
				require.Equal(t, "value of "+k, get(t, ctx, r, k), "key %q", k)
			}
		})
	}},
	{"values may contain any bytes", func(t *testing.T, s storage.Store) {
		values := append(slices.Clone(oddKeys), string(bytes.Repeat([]byte{0}, minValueBytes)))
		for _, v := range values {
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, "k", v)
				require.Equal(t, v, get(t, ctx, tx, "k"), "a value within the Update")
			})
			require.Equal(t, map[string]string{"k": v}, contents(t, s), "a value after the Update")
		}
	}},
	{"Get returns values in the order of its arguments, which may repeat", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "2", "c": "3"})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx, slices.Collect(bytesOf([]string{"c", "a", "x", "c", "b", "x", "a"}))...)
			require.NoError(t, err, "Get with repeated keys")
			require.Equal(t, [][]byte{[]byte("3"), []byte("1"), nil, []byte("3"), []byte("2"), nil, []byte("1")}, got, "values in the order of the arguments")
		})
	}},
	{"Get returns nil for absent keys only", func(t *testing.T, s storage.Store) {
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "empty", "")
			require.NoError(t, tx.Put([]byte("nil"), nil), "Put of a nil value")
			absentAndEmpty(t, ctx, tx)
		})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) { absentAndEmpty(t, ctx, r) })
	}},
	{"Get of no keys returns no values", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"": "x"})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx)
			require.NoError(t, err, "Get of no keys")
			require.Empty(t, got, "values of no keys")
		})
	}},
	{"Get of a key that is too long returns nil", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		inViewAndUpdate(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx, bytes.Repeat([]byte("a"), s.Limits().KeyBytes+1), []byte("a"))
			require.NoError(t, err, "Get of a key that is too long")
			require.Equal(t, [][]byte{nil, []byte("1")}, got, "values of a key that is too long and of another one")
		})
	}},
	{"Get sees the writes of its transaction", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"kept": "1", "changed": "1", "deleted": "1"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "changed", "2")
			put(t, tx, "new", "2")
			put(t, tx, "new and deleted", "2")
			del(t, tx, "deleted", "new and deleted", "absent")
			got, err := tx.Get(ctx, slices.Collect(bytesOf(
				[]string{"kept", "changed", "deleted", "new", "new and deleted", "absent"}))...)
			require.NoError(t, err, "Get of the keys that the Update has written")
			require.Equal(t, [][]byte{[]byte("1"), []byte("2"), nil, []byte("2"), nil, nil}, got, "values within the Update")
		})
		require.Equal(t, map[string]string{"kept": "1", "changed": "2", "new": "2"}, contents(t, s), "rows after the Update")
	}},
	{"reads with a done context return its error", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		done, cancel := context.WithCancel(testContext(t))
		cancel()
		inViewAndUpdate(t, s, func(_ context.Context, r storage.Reader) {
			_, err := r.Get(done, []byte("a"))
			require.ErrorIs(t, err, context.Canceled, "Get with a context that is done")
			yields := 0
			for _, err := range r.Scan(done, storage.Range{}, storage.ScanOptions{}) {
				require.ErrorIs(t, err, context.Canceled, "Scan with a context that is done")
				yields++
			}
			require.Equal(t, 1, yields, "a scan yields its error once")
		})
	}},
}

func absentAndEmpty(t *testing.T, ctx context.Context, r storage.Reader) {
	t.Helper()
	got, err := r.Get(ctx, []byte("absent"), []byte("empty"), []byte("nil"))
	require.NoError(t, err, "Get")
	require.Len(t, got, 3, "Get returns one value for each key")
	require.Nil(t, got[0], "the value of an absent key is nil")
	for _, v := range got[1:] {
		require.NotNil(t, v, "the value of a key with an empty value is not nil")
		require.Empty(t, v, "the value of a key with an empty value is empty")
	}
	for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
		require.NoError(t, err, "Scan")
		require.NotNil(t, e.Value, "value of key %q", e.Key)
		require.Empty(t, e.Value, "the value in an entry is empty")
	}
}

// inViewAndUpdate runs fn in a View and in an Update, which may read differently.
func inViewAndUpdate(t *testing.T, s storage.Store, fn func(ctx context.Context, r storage.Reader)) {
	t.Helper()
	view(t, s, fn)
	update(t, s, func(ctx context.Context, tx storage.Tx) { fn(ctx, tx) })
}
