package storagetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// limitViolations are writes that exceed a limit.
var limitViolations = []struct {
	name string
	want error
	run  func(tx storage.Tx, l storage.Limits) error
}{
	{"Put of a key that is too large", storage.ErrKeyTooLarge, func(tx storage.Tx, l storage.Limits) error {
		return tx.Put(make([]byte, l.KeyBytes+1), nil)
	}},
	{"Delete of a key that is too large", storage.ErrKeyTooLarge, func(tx storage.Tx, l storage.Limits) error {
		return tx.Delete([]byte("committed"), make([]byte, l.KeyBytes+1))
	}},
	{"Put of a value that is too large", storage.ErrValueTooLarge, func(tx storage.Tx, l storage.Limits) error {
		return tx.Put([]byte("committed"), make([]byte, l.ValueBytes+1))
	}},
}

func limitTests() []test {
	tests := []test{
		{"Limits are large enough and constant", func(t *testing.T, s storage.Store) {
			l := s.Limits()
			require.GreaterOrEqual(t, l.KeyBytes, minKeyBytes, "Limits().KeyBytes is below the minimum")
			require.GreaterOrEqual(t, l.ValueBytes, minValueBytes, "Limits().ValueBytes is below the minimum")
			fill(t, s, initialRows)
			require.Equal(t, l, s.Limits(), "Limits() changed after an Update")
			update(t, s, func(context.Context, storage.Tx) {
				require.Equal(t, l, s.Limits(), "Limits() changed within an Update")
			})
			require.NoError(t, s.Close(), "closing the store")
			require.Equal(t, l, s.Limits(), "Limits() changed after Close")
		}},
		{"the longest key can be written", func(t *testing.T, s storage.Store) {
			longest := string(bytes.Repeat([]byte{0xff}, s.Limits().KeyBytes))
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, longest, "x")
				require.Equal(t, "x", get(t, ctx, tx, longest), "the longest key, within the Update")
				require.NoError(t, tx.Delete(bytes.Repeat([]byte{0xfe}, s.Limits().KeyBytes)), "deleting a longest key that is absent")
			})
			require.Equal(t, map[string]string{longest: "x"}, contents(t, s), "the longest key, after the Update")
		}},
		{"the longest value can be written", func(t *testing.T, s storage.Store) {
			longest := string(bytes.Repeat([]byte("v"), s.Limits().ValueBytes))
			update(t, s, func(ctx context.Context, tx storage.Tx) {
				put(t, tx, "k", longest)
				require.True(t, get(t, ctx, tx, "k") == longest, "the longest value has changed within the Update")
			})
			require.True(t, contents(t, s)["k"] == longest, "the longest value has changed after the Update")
		}},
		{"the longest key and the longest value can be written together", func(t *testing.T, s storage.Store) {
			key := string(bytes.Repeat([]byte("k"), s.Limits().KeyBytes))
			value := string(bytes.Repeat([]byte("v"), s.Limits().ValueBytes))
			update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, key, value) })
			require.True(t, contents(t, s)[key] == value, "the longest value of the longest key has changed")
		}},
	}
	for _, c := range limitViolations {
		tests = append(tests, test{c.name + " fails the Update", func(t *testing.T, s storage.Store) {
			fill(t, s, map[string]string{"committed": "1"})
			for _, swallowed := range []bool{true, false} {
				ctx := testContext(t)
				err := s.Update(ctx, func(tx storage.Tx) error {
					err := c.run(tx, s.Limits())
					require.ErrorIs(t, err, c.want, "the error of the write")
					require.ErrorIs(t, err, storage.ErrTooLarge, "the error of the write")
					if swallowed {
						_ = tx.Delete([]byte("committed")) // a later valid write does not help
						return nil
					}
					return err
				})
				require.ErrorIs(t, err, c.want, "the error of the Update, if fn ignores the error: %v", swallowed)
				require.ErrorIs(t, err, storage.ErrTooLarge, "the error of the Update, if fn ignores the error: %v", swallowed)
				require.Equal(t, map[string]string{"committed": "1"}, contents(t, s), "the failed Update has written something")
			}
			update(t, s, func(_ context.Context, tx storage.Tx) { put(t, tx, "committed", "2") })
			require.Equal(t, map[string]string{"committed": "2"}, contents(t, s), "an Update after the failed one")
		}})
	}
	return tests
}
