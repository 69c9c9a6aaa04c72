package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

var smallLimits = storage.Limits{KeyBytes: 2048, ValueBytes: 64}

func open(t *testing.T) storage.Store { return closeAtEnd(t, memory.New()) }

func openWithSmallLimits(t *testing.T) storage.Store {
	return closeAtEnd(t, memory.NewWithLimits(smallLimits))
}

func closeAtEnd(t *testing.T, s *memory.Store) storage.Store {
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) { storagetest.Run(t, open) }

func TestStore_LargeTransactions(t *testing.T) { storagetest.RunLarge(t, open) }

func TestStore_SmallLimits(t *testing.T) { storagetest.Run(t, openWithSmallLimits) }

func TestPair(t *testing.T) { storagetest.RunPair(t, open, openWithSmallLimits) }

func TestNewWithLimits_MissingOrNegativeField_UsesDefault(t *testing.T) {
	t.Parallel()
	want := memory.New().Limits()
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{ValueBytes: -1}).Limits())
	want.ValueBytes = 70
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{ValueBytes: 70}).Limits())
}
