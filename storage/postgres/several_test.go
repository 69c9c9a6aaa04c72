package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

// openBouncer opens a new, empty store through pgbouncer in transaction mode.
func openBouncer(t *testing.T) storage.Store {
	t.Helper()
	o := postgrestest.Options(t)
	o.TransactionPooling = true
	return openWith(t, postgrestest.PgbouncerURL(t), o)
}

func TestStore_Pgbouncer(t *testing.T) { storagetest.Run(t, openBouncer) }
func TestLarge_Pgbouncer(t *testing.T) { storagetest.RunLarge(t, openBouncer) }

func openTwo(t *testing.T) storage.Store {
	t.Helper()
	store, _ := postgrestest.OpenTwo(t)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestStore_TwoStores(t *testing.T) { storagetest.Run(t, openTwo) }
func TestLarge_TwoStores(t *testing.T) { storagetest.RunLarge(t, openTwo) }

func TestUpdate_AnotherProcess_IsVisibleAtOnce(t *testing.T) {
	t.Parallel()
	url, o := postgrestest.URL(t), postgrestest.Options(t)
	a, b := openWith(t, url, o), openWith(t, url, o)
	for range 20 {
		put(t, a, "n", "a")
		require.Equal(t, map[string]string{"n": "a"}, rowsOf(t, b))
		put(t, b, "n", "b")
		require.Equal(t, map[string]string{"n": "b"}, rowsOf(t, a))
	}
}
