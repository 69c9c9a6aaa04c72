package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

var small = storage.Limits{KeyBytes: 2048, ValueBytes: 200, TxWrites: 100, TxBytes: 8000}

func open(t *testing.T) storage.Store { return closing(t, memory.New()) }

func openSmall(t *testing.T) storage.Store { return closing(t, memory.NewWithLimits(small)) }

func closing(t *testing.T, s *memory.Store) storage.Store {
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) { storagetest.Run(t, open) }

// Small limits reach the same code where every transaction is near them.
func TestStoreOfSmallLimits(t *testing.T) { storagetest.Run(t, openSmall) }

func TestPair(t *testing.T) { storagetest.RunPair(t, open, openSmall) }

func TestLimitsLeftOutTakeTheirDefault(t *testing.T) {
	t.Parallel()
	want := memory.New().Limits()
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{TxWrites: -1}).Limits())
	want.TxWrites = 7
	require.Equal(t, want, memory.NewWithLimits(storage.Limits{TxWrites: 7}).Limits())
}
