//go:build unix

package main

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// postgresStore returns a value of -store with a new schema of the database for tests.
func postgresStore(t *testing.T) string {
	t.Helper()
	url := postgrestest.URL(t)
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + "schema=" + postgrestest.Options(t).Schema
}

func TestServe_PostgresAfterRestart_LinkStillOpens(t *testing.T) {
	t.Parallel()
	args := []string{"-store", postgresStore(t), "-base-url", "http://127.0.0.1:9999/access"}
	first := start(t, complete(), stores, args...)
	require.Equal(t, "postgres", first.stderr.line("serving")["store"])
	link := first.makePortal(testAPIKey)
	first.requireOpens(link)
	first.stop()
	again := start(t, complete(), stores, args...)
	again.requireOpens(link)
	again.stop()
}

func TestRun_PostgresIsNotReachable_ExitsWithStatus1WithoutThePassword(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := run(t.Context(), complete(), "-store", "postgres://user:secret@/db?host="+t.TempDir(), "-addr", "127.0.0.1:0")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "opening the store: storage/postgres: open: ")
	require.NotContains(t, stdout+stderr, "secret")
}

// TestServe_RollingRestartOnPostgres_NoRequestFails runs two servers, each in a process of its own, on one database and restarts them one
// after another with SIGTERM.
// Clients send requests all the time, like a load balancer only to servers that are not being stopped.
func TestServe_RollingRestartOnPostgres_NoRequestFails(t *testing.T) {
	t.Parallel()
	args := []string{"-store", postgresStore(t), "-base-url", "http://127.0.0.1:9999/access"}
	one := func() *server {
		s, _ := startProcess(t, args...)
		return s
	}
	servers := []*server{one(), one()}
	link := servers[0].makePortal(testAPIKey)
	servers[1].requireOpens(link)

	var balance sync.RWMutex // a request holds it for reading, so that it is complete before its server leaves the list
	list := []*server{servers[0], servers[1]}
	send := func(n int, request func(s *server) int) int {
		balance.RLock()
		defer balance.RUnlock()
		return request(list[n%len(list)])
	}
	var stop atomic.Bool
	var clients sync.WaitGroup
	var sent, failed atomic.Int64
	count := func(status int) {
		sent.Add(1)
		if status != http.StatusOK {
			failed.Add(1)
		}
	}
	for i := range 3 {
		clients.Go(func() {
			for n := i; !stop.Load(); n++ {
				count(send(n, func(s *server) int { status, _ := s.open(link); return status }))
				count(send(n+1, func(s *server) int {
					status, _ := s.post("/customers/push_data", testAPIKey, `{"customer_key": "acme", "rooms": [{"room_key": "102", "name": "Two"}]}`)
					return status
				}))
			}
		})
	}
	await := func(more int64) { // until that many further requests were sent
		for until := sent.Load() + more; sent.Load() < until; {
			send(0, func(s *server) int { status, _ := s.get(s.url + healthPath); return status })
		}
	}
	for i := range servers {
		await(30)
		balance.Lock()
		list = []*server{servers[1-i]}
		balance.Unlock()
		servers[i].stop()
		await(30)
		servers[i] = one()
		balance.Lock()
		list = []*server{servers[0], servers[1]}
		balance.Unlock()
	}
	await(30)
	stop.Store(true)
	clients.Wait()
	require.Zero(t, failed.Load(), "of %d requests", sent.Load())
	t.Logf("%d requests, none of them failed", sent.Load())
	servers[0].requireOpens(link)
	_, customers := servers[1].post("/seam/customer/v1/customers/list", testAPIKey, "{}")
	require.Len(t, customers["customers"], 1)
}
