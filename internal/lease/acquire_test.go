package lease_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestAcquireAll_SomeHeld_AcquiresTheOthersInOneUpdate acquires free, held and damaged leases together, and counts the transactions.
func TestAcquireAll_SomeHeld_AcquiresTheOthersInOneUpdate(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	a, b := leasesOn(t, store), leasesOn(t, store)
	other, err := a.Acquire(t.Context(), "held")
	require.NoError(t, err)
	damaged := layout.Lease("damaged")
	require.NoError(t, storage.Run(t.Context(), store, func(tx storage.Tx) error { return tx.Put(damaged, []byte("x")) }))

	store.Reset()
	got, err := b.AcquireAll(t.Context(), "one", "held", "damaged", "two")
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, `"damaged"`)
	require.EqualValues(t, 1, store.Views.Load())
	require.EqualValues(t, 1, store.Updates.Load())
	require.Len(t, got, 4)
	require.Nil(t, got[1])
	require.Nil(t, got[2])
	for i, name := range map[int]string{0: "one", 3: "two"} {
		require.Equal(t, name, got[i].Name())
		require.NoError(t, check(t, store, got[i]))
		require.LessOrEqual(t, got[i].Remaining(), duration)
		require.Positive(t, got[i].Remaining())
	}
	require.NoError(t, check(t, store, other))

	store.Reset()
	again, err := a.AcquireAll(t.Context(), "one", "held", "two")
	require.NoError(t, err)
	for _, acquired := range again {
		require.Nil(t, acquired)
	}
	require.Zero(t, store.Updates.Load(), "nothing to write")

	got, err = b.AcquireAll(t.Context(), "three", "")
	require.ErrorContains(t, err, "a name of 0 bytes")
	require.Nil(t, got[0])
	got, err = b.AcquireAll(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
}
