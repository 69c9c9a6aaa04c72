package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// hintTests check that the reads that a caller declares never change a result.
var hintTests = []test{
	{"hints do not change the reads, writes and error of an Update", func(t *testing.T, s storage.Store) {
		for name, hints := range hintSets(s.Limits()) {
			fill(t, s, initialRows)
			ctx := testContext(t)
			require.NoError(t, s.Update(ctx, func(tx storage.Tx) error {
				for _, h := range hints {
					overwrite(h[:len(h):len(h)]) // the store must not retain a hint
				}
				got, err := tx.Get(ctx, []byte("a"), []byte("absent"), []byte("a"), []byte("d"))
				require.NoError(t, err, "Get with hints: %s", name)
				require.Equal(t, [][]byte{[]byte("1"), nil, []byte("1"), []byte("4")}, got, "Get with hints: %s", name)
				writeAll(t, ctx, tx)
				got, err = tx.Get(ctx, []byte("a"), []byte("b"), []byte("c"), []byte("new"))
				require.NoError(t, err, "Get after writes, with hints: %s", name)
				require.Equal(t, [][]byte{[]byte("changed"), nil, nil, []byte("1")}, got, "Get after writes, with hints: %s", name)
				return nil
			}, hints...), "Update with hints: %s", name)
			require.Equal(t, updatedRows, contents(t, s), "after an Update with hints: %s", name)

			require.ErrorIs(t, s.Update(ctx, func(tx storage.Tx) error {
				put(t, tx, "a", "rolled back")
				return errRollback
			}, hints...), errRollback, "Update that fails, with hints: %s", name)
			require.Equal(t, updatedRows, contents(t, s), "after an Update that failed, with hints: %s", name)
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				require.NoError(t, tx.DeleteRange(ctx, storage.Range{}), "deleting everything")
			})
		}
	}},
	{"Run passes hints to Update", func(t *testing.T, s storage.Store) {
		for name, hints := range hintSets(s.Limits()) {
			ctx := testContext(t)
			require.NoError(t, storage.Run(ctx, s, func(tx storage.Tx) error { return add(ctx, tx, "n", 1) }, hints...),
				"Run with hints: %s", name)
		}
		require.Equal(t, map[string]string{"n": fmt.Sprint(len(hintSets(s.Limits())))}, contents(t, s), "after one Run for each set of hints")
	}},
	{"hints do not hide concurrent writes", func(t *testing.T, s storage.Store) {
		const goroutines, each = 3, 20
		ctx := testContext(t)
		done := make([]int, goroutines)
		runConcurrently(t, goroutines, func(i int) error {
			for range each {
				ok, err := committed(storage.Run(ctx, s, func(tx storage.Tx) error {
					return add(ctx, tx, "n", 1)
				}, []byte("n"), []byte("absent")))
				if err != nil {
					return err
				}
				if ok {
					done[i]++
				}
			}
			return nil
		})
		require.Equal(t, map[string]string{"n": fmt.Sprint(done[0] + done[1] + done[2])}, contents(t, s),
			"an increment of a counter that is declared as read was lost")
	}},
	{"hints do not change the errors of a done context and a closed store", func(t *testing.T, s storage.Store) {
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		nothing := func(storage.Tx) error { return nil }
		require.ErrorIs(t, s.Update(ctx, nothing, []byte("a")), context.Canceled, "Update with hints, context done")
		require.NoError(t, s.Close(), "closing the store")
		require.ErrorIs(t, s.Update(testContext(t), nothing, []byte("a")), storage.ErrClosed, "Update with hints, store closed")
	}},
}

// hintSets returns hints that are correct, wrong, missing, repeated, unusual and numerous.
func hintSets(l storage.Limits) map[string][][]byte {
	of := func(keys ...string) (hints [][]byte) {
		for _, k := range keys {
			hints = append(hints, []byte(k))
		}
		return hints
	}
	many := of("a", "b", "c", "d")
	for i := len(many); i < 10_000; i++ {
		many = append(many, fmt.Appendf(nil, "hint %d", i))
	}
	return map[string][][]byte{
		"none":      nil,
		"right":     of("a", "absent", "b", "c", "d", "new"),
		"missing":   of("a"),
		"wrong":     of("x", "y", "z"),
		"doubled":   of("a", "a", "d", "a", "d", "absent", "absent"),
		"empty key": of("", ""),
		"nil":       {nil, []byte("a"), nil},
		"too long":  {bytes.Repeat([]byte("a"), l.KeyBytes+1)},
		"10,000":    many,
	}
}
