package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// envFailoverWrites is the environment variable with the number of acknowledged writes of the failover test.
const envFailoverWrites = "POSTGRES_FAILOVER_WRITES"

// TestStore_PrimaryIsKilled_StandbyHasEachAcknowledgedWrite kills a primary with synchronous replication while 16 callers write,
// and promotes its standby. The store goes on with the standby, which has each acknowledged write once, and none of those that failed.
func TestStore_PrimaryIsKilled_StandbyHasEachAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	writes := int64(500)
	if s := os.Getenv(envFailoverWrites); s != "" {
		var err error
		writes, err = strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
	}
	primary, err := postgrestest.StartCluster("synchronous_commit = on", "synchronous_standby_names = '"+postgrestest.StandbyName+"'")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, primary.Stop()) })
	standby, err := primary.StartStandby()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, standby.Stop()) })
	store := openWith(t, "postgres:///postgres?user=postgres&host="+primary.Dir()+","+standby.Dir()+"&target_session_attrs=read-write", postgrestest.Options(t))

	const writers = 16
	var acknowledged atomic.Int64
	var failed, unknown atomic.Int64
	half, stop := make(chan struct{}), make(chan struct{})
	want := make([]map[string]bool, writers) // whether the write is certain
	var writing sync.WaitGroup
	for i := range want {
		want[i] = map[string]bool{}
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("%02d/%06d", i, n)
				err := storage.Run(t.Context(), store, func(tx storage.Tx) error {
					values, err := tx.Get(t.Context(), []byte(key))
					if err != nil {
						return err
					}
					return tx.Put([]byte(key), append(values[0], '1')) // a doubled write is visible
				}, []byte(key))
				switch {
				case err == nil:
					want[i][key] = true
					if done := acknowledged.Add(1); done == writes/2 {
						close(half)
					} else if done == writes {
						close(stop)
					}
				case errors.Is(err, storage.ErrUnknown):
					want[i][key] = false
					unknown.Add(1)
				default:
					failed.Add(1)
				}
			}
		})
	}
	<-half
	require.NoError(t, primary.Kill())
	require.NoError(t, standby.Promote())
	writing.Wait()

	rows := rowsOf(t, store)
	lost := 0
	for _, keys := range want {
		for key, certain := range keys {
			if _, found := rows[key]; certain && !found {
				lost++
			}
		}
	}
	t.Logf("%d acknowledged, %d of them lost; %d failed, %d unknown", acknowledged.Load(), lost, failed.Load(), unknown.Load())
	require.Zero(t, lost)
	for key, value := range rows {
		i, err := strconv.Atoi(key[:2])
		require.NoError(t, err)
		require.Contains(t, want[i], key, "a write that failed")
		require.Equal(t, "1", value, key)
	}
}
