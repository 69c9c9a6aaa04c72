package badger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

// The smallest table fills soon, so that the suite sees rows in files as well.
var small = badger.Options{MemTableBytes: 1 << 20}

func open(t *testing.T) storage.Store { return openDir(t, t.TempDir()) }

func openDir(t *testing.T, dir string) storage.Store {
	s, err := badger.Open(dir, small)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openMemory(t *testing.T) storage.Store {
	s := memory.New()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T)   { storagetest.Run(t, open) }
func TestDurable(t *testing.T) { storagetest.RunDurable(t, openDir) }
func TestPair(t *testing.T)    { storagetest.RunPair(t, open, openMemory) }
