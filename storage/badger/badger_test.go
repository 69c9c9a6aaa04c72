package badger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

// The smallest in-memory table fills quickly, so that the tests also read rows from files.
var small = badger.Options{MemTableBytes: 1 << 20}

// skipWithShort skips a test that opens many directories. With -short TestPair compares the results of a store with those
// of the memory store instead.
func skipWithShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short skips tests that open many directories")
	}
}

// Most Updates of the tests take several parts. Except at full size, single parts are not synced.
func openSmallParts(t *testing.T) storage.Store {
	return openWith(t, t.TempDir(), badger.Options{MemTableBytes: 1 << 20, PartRows: 8, NoSync: !testsize.Full()})
}

func open(t *testing.T) storage.Store { return openDir(t, t.TempDir()) }

func openDir(t *testing.T, dir string) storage.Store { return openWith(t, dir, small) }

func openWith(t *testing.T, dir string, o badger.Options) storage.Store {
	s, err := badger.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// A large Update takes several parts. Except with -short, it fills several logs and tables.
func openLarge(t *testing.T) storage.Store {
	o := testsize.Pick(badger.Options{MemTableBytes: 1 << 20, PartRows: 300}, badger.Options{MemTableBytes: 1 << 20}, badger.Options{MemTableBytes: 4 << 20})
	return openWith(t, t.TempDir(), o)
}

func openMemory(t *testing.T) storage.Store {
	s := memory.New()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	skipWithShort(t)
	storagetest.Run(t, openSmallParts)
}

func TestDurable(t *testing.T) {
	skipWithShort(t)
	storagetest.RunDurable(t, openDir)
}

func TestLarge(t *testing.T) { storagetest.RunLarge(t, openLarge) }
func TestPair(t *testing.T)  { storagetest.RunPair(t, open, openMemory) }
