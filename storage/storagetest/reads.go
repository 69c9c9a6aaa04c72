package storagetest

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// oddKeys are keys that a backend may well get wrong, in bytewise order.
var oddKeys = []string{
	"", "\x00", "\x00\x00", "\x00\x00\x01", "\x00\xff", "\x01", "!", "A", "a", "a\x00", "a\x00a",
	"a\x00\xff", "a\x01", "a/b", "aa", "a\xff", "a\xff\x00", "a\xff\xff", "b", "\x7f", "\x80", "\xc3\xa9",
	"\xfe\xff", "\xff", "\xff\x00", "\xff\xfe", "\xff\xff", "\xff\xff\x00", "\xff\xff\xff",
}

var readTests = []test{
	{"an empty store has no keys", func(t *testing.T, s storage.Store) {
		view(t, s, func(ctx context.Context, r storage.Reader) {
			require.Empty(t, everything(t, ctx, r))
			got, err := r.Get(ctx, []byte(""), []byte("a"))
			require.NoError(t, err)
			require.Equal(t, [][]byte{nil, nil}, got)
		})
	}},
	{"keys are any bytes, the empty key too", func(t *testing.T, s storage.Store) {
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
	{"values are any bytes", func(t *testing.T, s storage.Store) {
		values := append(slices.Clone(oddKeys), string(bytes.Repeat([]byte{0}, leastValueBytes)))
		for _, v := range values {
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, "k", v)
				require.Equal(t, v, get(t, ctx, tx, "k"))
			})
			require.Equal(t, map[string]string{"k": v}, contents(t, s))
		}
	}},
	{"Get answers in the order of its arguments, repeats included", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1", "b": "2", "c": "3"})
		both(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx, slices.Collect(bytesOf([]string{"c", "a", "x", "c", "b", "x", "a"}))...)
			require.NoError(t, err)
			require.Equal(t, [][]byte{[]byte("3"), []byte("1"), nil, []byte("3"), []byte("2"), nil, []byte("1")}, got)
		})
	}},
	{"an absent value is nil and an empty one is not", func(t *testing.T, s storage.Store) {
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "empty", "")
			require.NoError(t, tx.Put([]byte("nil"), nil))
			absentAndEmpty(t, ctx, tx)
		})
		both(t, s, func(ctx context.Context, r storage.Reader) { absentAndEmpty(t, ctx, r) })
	}},
	{"Get of nothing is nothing", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"": "x"})
		both(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx)
			require.NoError(t, err)
			require.Empty(t, got)
		})
	}},
	{"Get of a key longer than any is absent", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		both(t, s, func(ctx context.Context, r storage.Reader) {
			got, err := r.Get(ctx, bytes.Repeat([]byte("a"), s.Limits().KeyBytes+1), []byte("a"))
			require.NoError(t, err)
			require.Equal(t, [][]byte{nil, []byte("1")}, got)
		})
	}},
	{"Get sees its transaction's own writes", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"kept": "1", "changed": "1", "gone": "1"})
		update(t, s, func(ctx context.Context, tx storage.Tx) {
			put(t, tx, "changed", "2")
			put(t, tx, "new", "2")
			put(t, tx, "new and gone", "2")
			del(t, tx, "gone", "new and gone", "never there")
			got, err := tx.Get(ctx, slices.Collect(bytesOf(
				[]string{"kept", "changed", "gone", "new", "new and gone", "never there"}))...)
			require.NoError(t, err)
			require.Equal(t, [][]byte{[]byte("1"), []byte("2"), nil, []byte("2"), nil, nil}, got)
		})
		require.Equal(t, map[string]string{"kept": "1", "changed": "2", "new": "2"}, contents(t, s))
	}},
	{"reads under a context that is done give its error", func(t *testing.T, s storage.Store) {
		fill(t, s, map[string]string{"a": "1"})
		done, cancel := context.WithCancel(patient(t))
		cancel()
		both(t, s, func(_ context.Context, r storage.Reader) {
			_, err := r.Get(done, []byte("a"))
			require.ErrorIs(t, err, context.Canceled)
			yields := 0
			for _, err := range r.Scan(done, storage.Range{}, storage.ScanOptions{}) {
				require.ErrorIs(t, err, context.Canceled)
				yields++
			}
			require.Equal(t, 1, yields, "a scan yields its error once")
		})
	}},
}

func absentAndEmpty(t *testing.T, ctx context.Context, r storage.Reader) {
	t.Helper()
	got, err := r.Get(ctx, []byte("absent"), []byte("empty"), []byte("nil"))
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Nil(t, got[0])
	for _, v := range got[1:] {
		require.NotNil(t, v)
		require.Empty(t, v)
	}
	for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
		require.NoError(t, err)
		require.NotNil(t, e.Value, "value of key %q", e.Key)
		require.Empty(t, e.Value)
	}
}

// both runs fn in a View and in an Update, which reads by other means.
func both(t *testing.T, s storage.Store, fn func(ctx context.Context, r storage.Reader)) {
	t.Helper()
	view(t, s, fn)
	update(t, s, func(ctx context.Context, tx storage.Tx) { fn(ctx, tx) })
}
