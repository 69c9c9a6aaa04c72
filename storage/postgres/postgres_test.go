package postgres_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

// open opens a new, empty store.
func open(t *testing.T) storage.Store {
	t.Helper()
	return openWith(t, postgrestest.URL(t), postgrestest.Options(t))
}

func openWith(t *testing.T, url string, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openMemory(t *testing.T) storage.Store {
	s := memory.New()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openDir opens the same schema for the same directory.
func openDir() func(t *testing.T, dir string) storage.Store {
	var mu sync.Mutex
	schemas := map[string]postgres.Options{}
	return func(t *testing.T, dir string) storage.Store {
		mu.Lock()
		o, ok := schemas[dir]
		if !ok {
			o = postgrestest.Options(t)
			schemas[dir] = o
		}
		mu.Unlock()
		return openWith(t, postgrestest.URL(t), o)
	}
}

func TestStore(t *testing.T)   { storagetest.Run(t, open) }
func TestDurable(t *testing.T) { storagetest.RunDurable(t, openDir()) }
func TestLarge(t *testing.T)   { storagetest.RunLarge(t, open) }
func TestPair(t *testing.T)    { storagetest.RunPair(t, open, openMemory) }
