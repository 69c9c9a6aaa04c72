package data

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// TestScanPrefixes_RandomKeys_YieldsKeysWithPrefixes compares the result with a filter of all keys.
func TestScanPrefixes_RandomKeys_YieldsKeysWithPrefixes(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		var keys [][]byte
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for range 2000 {
				key := []byte{byte(rng.IntN(20)), byte(rng.IntN(20)), byte(rng.IntN(20)), byte(rng.IntN(2))}
				keys = append(keys, key)
				if err := tx.Put(key, nil); err != nil {
					return err
				}
			}
			return nil
		}))
		slices.SortFunc(keys, bytes.Compare)
		keys = slices.CompactFunc(keys, bytes.Equal)
		for range 50 {
			var prefixes [][]byte
			for range rng.IntN(30) {
				prefixes = append(prefixes, []byte{byte(rng.IntN(22)), byte(rng.IntN(22))})
			}
			slices.SortFunc(prefixes, bytes.Compare)
			prefixes = slices.CompactFunc(prefixes, bytes.Equal)
			var want [][]byte
			for _, key := range keys {
				if slices.ContainsFunc(prefixes, func(p []byte) bool { return bytes.HasPrefix(key, p) }) {
					want = append(want, key)
				}
			}
			rng.Shuffle(len(prefixes), func(i, j int) { prefixes[i], prefixes[j] = prefixes[j], prefixes[i] })
			require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
				var got [][]byte
				for key, err := range Open(store, Options{}).Workspace(uuid.New()).At(r).scanPrefixes(t.Context(), prefixes) {
					if err != nil {
						return err
					}
					got = append(got, key)
				}
				require.Equal(t, want, got)
				return nil
			}))
		}
	})
}
