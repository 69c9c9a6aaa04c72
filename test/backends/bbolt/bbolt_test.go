package bbolt_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/storagetest"
	"github.com/customerportal-go/customerportal/test/backends/bbolt"
)

func open(t *testing.T) storage.Store { return openDir(t, t.TempDir()) }

func openDir(t *testing.T, dir string) storage.Store {
	s, err := bbolt.Open(filepath.Join(dir, "store"))
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

func TestOpen_FileIsAlreadyOpen_ReturnsError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDir(t, dir)
	_, err := bbolt.Open(filepath.Join(dir, "store"))
	require.ErrorContains(t, err, filepath.Join(dir, "store"))
}

func TestOpen_NotABoltFile_ReturnsErrorAndDoesNotChangeIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store")
	want := []byte("not a store")
	require.NoError(t, os.WriteFile(path, want, 0o600))
	_, err := bbolt.Open(path)
	require.ErrorContains(t, err, path)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
