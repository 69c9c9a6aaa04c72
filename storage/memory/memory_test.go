package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

var small = storage.Limits{KeyBytes: 2048, ValueBytes: 64}

func open(t *testing.T) storage.Store { return closing(t, memory.New()) }

func openSmall(t *testing.T) storage.Store { return closing(t, memory.NewWithLimits(small)) }

func closing(t *testing.T, s *memory.Store) storage.Store {
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) { storagetest.Run(t, open) }

func TestStore_LargeTransactions(t *testing.T) { storagetest.RunLarge(t, open) }

func TestStore_SmallLimits(t *testing.T) { storagetest.Run(t, openSmall) }

func TestPair(t *testing.T) { storagetest.RunPair(t, open, openSmall) }

func TestLimitsLeftOutTakeTheirDefault(t *testing.T) {
	t.Parallel()
	want := memory.New().Limits()
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{ValueBytes: -1}).Limits())
	want.ValueBytes = 70
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{ValueBytes: 70}).Limits())
}
