package pebble_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/pebble"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

func open(t *testing.T) storage.Store { return openDir(t, t.TempDir()) }

// The smallest in-memory table fills quickly, so that the tests also read rows from files.
func openDir(t *testing.T, dir string) storage.Store {
	s, err := pebble.Open(dir, pebble.Options{MemTableBytes: 1 << 20})
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
func TestLarge(t *testing.T)   { storagetest.RunLarge(t, open) }
func TestPair(t *testing.T)    { storagetest.RunPair(t, open, openMemory) }
