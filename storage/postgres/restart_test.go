package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// TestStore_ServerRestartsUnderLoad_NothingIsLostOrDoubled restarts a server twice, the second time like after a crash, while
// two stores write. Each acknowledged Update must be there, and none of those that have failed.
func TestStore_ServerRestartsUnderLoad_NothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.StartCluster("synchronous_commit = on")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })
	o := postgrestest.Options(t)
	stores := []*postgres.Store{openWith(t, cluster.URL(), o), openWith(t, cluster.URL(), o)}

	var stop atomic.Bool
	var acknowledged atomic.Int64
	want := make([]map[string]string, 4)
	errs := make([]error, len(want))
	var writers sync.WaitGroup
	for i := range want {
		want[i] = map[string]string{}
		writers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				key := fmt.Sprintf("%d/%06d", i, n)
				err := storage.Run(t.Context(), stores[i%len(stores)], func(tx storage.Tx) error {
					values, err := tx.Get(t.Context(), []byte(key))
					if err != nil {
						return err
					}
					return tx.Put([]byte(key), append(values[0], '1')) // a doubled write is visible
				}, []byte(key))
				switch {
				case err == nil:
					want[i][key] = "1"
					acknowledged.Add(1)
				case errors.Is(err, storage.ErrUnknown):
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	await := func() { // until some more Updates were acknowledged
		for until := acknowledged.Load() + 20; acknowledged.Load() < until; {
			put(t, stores[0], "awaiting", "") // so that the test does not wait actively
		}
	}
	for _, crash := range []bool{false, true} {
		await()
		require.NoError(t, cluster.Restart(crash))
		for { // the idle connections of the pools are lost
			if err := stores[0].Update(t.Context(), putter("awaiting", "")); err == nil {
				break
			}
		}
		await()
	}
	stop.Store(true)
	writers.Wait()
	require.NoError(t, errors.Join(errs...))
	all := map[string]string{"awaiting": ""}
	for _, rows := range want {
		for key, value := range rows {
			all[key] = value
		}
	}
	require.Equal(t, all, rowsOf(t, stores[1]))
}
