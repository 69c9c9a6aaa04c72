package postgres_test

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
	"github.com/customerportal-go/customerportal/storage/storagetest"
)

// envPortableURL is the environment variable with the URL of another database that speaks the protocol of PostgreSQL. If it is not set,
// the tests of Options.Portable use PostgreSQL.
const envPortableURL = "CUSTOMERPORTAL_PORTABLE_URL"

func portableURL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv(envPortableURL); url != "" {
		return url
	}
	return postgrestest.URL(t)
}

// portableOptions returns options with a new schema. On another database than PostgreSQL, the schema is not dropped.
func portableOptions(t *testing.T) postgres.Options {
	t.Helper()
	o := postgrestest.Options(t)
	o.Portable = true
	return o
}

func openPortable(t *testing.T) storage.Store {
	t.Helper()
	return openWith(t, portableURL(t), portableOptions(t))
}

// openPortableWith returns a function that opens two stores with one schema. Their calls alternate. The Updates have an isolation level
// like those of databases without READ COMMITTED.
func openPortableWith(level string) func(t *testing.T) storage.Store {
	return func(t *testing.T) storage.Store {
		t.Helper()
		o := portableOptions(t)
		a, b := openWith(t, portableURL(t), o), openWith(t, portableURL(t), o)
		a.SetIsolation(level)
		b.SetIsolation(level)
		store := postgrestest.Two(a, b)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		return store
	}
}

func TestStore_Portable(t *testing.T) { storagetest.Run(t, openPortable) }
func TestLarge_Portable(t *testing.T) { storagetest.RunLarge(t, openPortable) }

func TestStore_PortableTwoStoresReadCommitted(t *testing.T) {
	storagetest.Run(t, openPortableWith("read committed"))
}

func TestStore_PortableTwoStoresRepeatableRead(t *testing.T) {
	storagetest.Run(t, openPortableWith("repeatable read"))
}

func TestStore_PortableTwoStoresSerializable(t *testing.T) {
	storagetest.Run(t, openPortableWith("serializable"))
}

// TestUpdate_PortableAtEveryIsolationLevel_CountsEachUpdate increments a counter through four stores. With a lock that does not work,
// increments are lost.
func TestUpdate_PortableAtEveryIsolationLevel_CountsEachUpdate(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		for _, declared := range []bool{false, true} {
			t.Run(level+", declared "+strconv.FormatBool(declared), func(t *testing.T) {
				t.Parallel()
				o := portableOptions(t)
				const stores, each = 4, 25
				errs := make([]error, stores)
				var all sync.WaitGroup
				opened := make([]*postgres.Store, stores)
				for i := range opened {
					opened[i] = openWith(t, portableURL(t), o)
					opened[i].SetIsolation(level)
				}
				key := []byte("count")
				var reads [][]byte
				if declared {
					reads = [][]byte{key}
				}
				for i, s := range opened {
					all.Go(func() {
						for range each {
							errs[i] = errors.Join(errs[i], storage.Run(t.Context(), s, func(tx storage.Tx) error {
								values, err := tx.Get(t.Context(), key)
								if err != nil {
									return err
								}
								n, _ := strconv.Atoi(string(values[0]))
								return tx.Put(key, []byte(strconv.Itoa(n+1)))
							}, reads...))
						}
					})
				}
				all.Wait()
				require.NoError(t, errors.Join(errs...))
				require.Equal(t, map[string]string{"count": strconv.Itoa(stores * each)}, rowsOf(t, opened[0]))
			})
		}
	}
}

func TestOpen_PortableAndANewSchema_AllProcessesSucceed(t *testing.T) {
	t.Parallel()
	url, o := portableURL(t), portableOptions(t)
	stores, errs := make([]*postgres.Store, 6), make([]error, 6)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() { stores[i], errs[i] = postgres.Open(t.Context(), url, o) })
	}
	all.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		put(t, s, string(rune('a'+i)), "")
	}
	require.Len(t, rowsOf(t, stores[0]), len(stores))
	for _, s := range stores {
		require.NoError(t, s.Close())
	}
}

func TestOpen_SchemaWithTheOtherLock_IsRefused(t *testing.T) {
	t.Parallel()
	for _, portable := range []bool{false, true} {
		o := postgrestest.Options(t)
		o.Portable = portable
		openWith(t, portableURL(t), o)
		o.Portable = !portable
		_, err := postgres.Open(t.Context(), portableURL(t), o)
		require.ErrorIs(t, err, postgres.ErrLock)
	}
}
