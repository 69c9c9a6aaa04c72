//go:build unix

package postgrestest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
)

// shared starts the server that all tests of the process share.
var shared = sync.OnceValues(func() (*Cluster, error) { return StartCluster() })

// URL returns the URL of the database for tests. It fails the test if there is no server.
func URL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(EnvURL); url != "" {
		return url
	}
	return Shared(t).URL()
}

// Shared returns the private server that all tests of the process share, also if EnvURL is set.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	cluster, err := shared()
	require.NoError(t, err)
	return cluster
}

// pgbouncer starts pgbouncer in front of the shared server.
var pgbouncer = sync.OnceValues(func() (string, error) {
	cluster, err := shared()
	if err != nil {
		return "", err
	}
	return cluster.StartPgbouncer()
})

// PgbouncerURL returns the URL of pgbouncer in transaction mode in front of the shared server. It fails the test if pgbouncer
// cannot be started.
func PgbouncerURL(t testing.TB) string {
	t.Helper()
	url, err := pgbouncer()
	require.NoError(t, err)
	return url
}

// Options returns options with a new schema, which is dropped at the end of the test. The timeouts are long enough for a
// slow machine.
func Options(t testing.TB) postgres.Options {
	t.Helper()
	var random [8]byte
	rand.Read(random[:]) // never fails
	o := postgres.Options{Schema: "test_" + hex.EncodeToString(random[:]), IdleTimeout: 10 * time.Minute, StatementTimeout: 10 * time.Minute}
	if url := os.Getenv(EnvURL); url != "" { // the private server is deleted anyway
		t.Cleanup(func() {
			ctx := context.Background()
			conn, err := pgx.Connect(ctx, url)
			require.NoError(t, err)
			defer conn.Close(ctx)
			_, err = conn.Exec(ctx, "drop schema if exists "+pgx.Identifier{o.Schema}.Sanitize()+" cascade")
			require.NoError(t, err)
		})
	}
	return o
}

// Open opens a new, empty store. reopen opens it again after Close. test/backends/run uses it.
func Open(t testing.TB) (store storage.Store, reopen func() storage.Store) {
	t.Helper()
	url, o := URL(t), Options(t)
	open := func() storage.Store {
		s, err := postgres.Open(context.Background(), url, o)
		require.NoError(t, err)
		return s
	}
	return open(), open
}
