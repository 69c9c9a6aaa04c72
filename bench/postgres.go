package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// addedDelay is the time that the proxy adds to a round trip.
const addedDelay = time.Millisecond

// server is the PostgreSQL server that all contenders use.
type server struct {
	url     string
	cluster *postgrestest.Cluster // nil for a server that was not started by this program
}

// startServer starts a private server with durable commits, or uses the server that the environment variable names.
func startServer() (*server, error) {
	if url := os.Getenv(postgrestest.EnvURL); url != "" {
		return &server{url: url}, nil
	}
	cluster, err := postgrestest.StartCluster("fsync = on", "synchronous_commit = on", "full_page_writes = on", "shared_buffers = 256MB")
	if err != nil {
		return nil, err
	}
	return &server{cluster.URL(), cluster}, nil
}

// Close stops the server if this program has started it.
func (s *server) Close() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Stop()
}

// run returns a run of a contender in a new schema, which is dropped after it. The measured work begins after a checkpoint, so
// that it does not pay for the writes of the run before.
func (s *server) run(ctx context.Context, work func(schema string) (laps, error)) func(string) (laps, error) {
	return func(string) (l laps, err error) {
		var random [8]byte
		rand.Read(random[:]) // never fails
		schema := "bench_" + hex.EncodeToString(random[:])
		conn, err := pgx.Connect(ctx, s.url)
		if err != nil {
			return nil, err
		}
		defer func() {
			_, dropErr := conn.Exec(ctx, "drop schema if exists "+schema+" cascade")
			err = errors.Join(err, dropErr, conn.Close(ctx))
		}()
		if s.cluster != nil { // another server may refuse it
			if _, err := conn.Exec(ctx, "checkpoint"); err != nil {
				return nil, err
			}
		}
		return work(schema)
	}
}

// onStore returns a run of the library on storage/postgres.
func (s *server) onStore(ctx context.Context, work func(storage.Store) (laps, error)) func(string) (laps, error) {
	return s.run(ctx, func(schema string) (l laps, err error) {
		store, err := postgres.Open(ctx, s.url, postgres.Options{Schema: schema})
		if err != nil {
			return nil, err
		}
		defer closeInto(&err, store)
		return work(store)
	})
}

// onHandwritten returns a run with SQL.
func (s *server) onHandwritten(ctx context.Context, feed bool, work func(*handwritten) (laps, error)) func(string) (laps, error) {
	return s.run(ctx, func(schema string) (l laps, err error) {
		h, err := openHandwritten(ctx, s.url, schema, feed)
		if err != nil {
			return nil, err
		}
		defer closeInto(&err, h)
		return work(h)
	})
}

// startedServer returns the server, which it starts for the first caller.
func (b *bench) startedServer() (*server, error) {
	if b.server == nil && b.serverErr == nil {
		b.server, b.serverErr = startServer()
	}
	return b.server, b.serverErr
}

func (b *bench) stopServer() error {
	if b.server == nil {
		return nil
	}
	return b.server.Close()
}

// onServer returns a section that uses the server. Without a server, the table says that it was not measured.
func onServer(rows func(context.Context, *bench, *server) ([]row, error)) func(context.Context, *bench) ([]row, error) {
	return func(ctx context.Context, b *bench) ([]row, error) {
		s, err := b.startedServer()
		if err != nil {
			return []row{{work: "on PostgreSQL", against: "-", goal: none(), detail: err.Error()}}, nil
		}
		return rows(ctx, b, s)
	}
}

// postgresPushRows compares the library on storage/postgres with SQL by hand on the same server. Both push a customer,
// push the same data again, and delete the customer.
func postgresPushRows(ctx context.Context, b *bench, s *server) ([]row, error) {
	n := b.size(100_000, 2000)
	blocks := hotelBlocks("acme", n)
	inSQL := func(h *handwritten) (laps, error) { return h.pushAndDelete(ctx, blocks) }
	t, err := b.contest(b.rounds(5),
		contender{"library, PostgreSQL", s.onStore(ctx, func(store storage.Store) (laps, error) { return pushAndDelete(ctx, store, blocks) })},
		contender{"SQL", s.onHandwritten(ctx, false, inSQL)},
		contender{"SQL, feed", s.onHandwritten(ctx, true, inSQL)},
	)
	if err != nil {
		return nil, err
	}
	line := func(work, against, sql, lap string, g goal, more string) row {
		const library = "library, PostgreSQL"
		return row{work: work + ", PostgreSQL", against: against, goal: g, measured: t.ratio(sql, lap, library, lap),
			detail: fmt.Sprintf("%s against %s%s", rateText(t.rate(library, lap, n)), rateText(t.rate(sql, lap, n)), more)}
	}
	push := fmt.Sprintf("push %s resources in pushes of %d", count(n), pushSize)
	del := fmt.Sprintf("delete a customer of %s resources", count(n))
	swept := "; Sweep takes " + secondsText(t.seconds("library, PostgreSQL", "sweep"))
	const plain, feed = "SQL by hand", "SQL by hand, with a change feed"
	return []row{
		line(push, plain, "SQL", "push", atLeast(0.9), ""),
		line(push, feed, "SQL, feed", "push", none(), ""),
		line("the same again, unchanged", plain, "SQL", "again", none(), ""),
		line(del, plain+": its cascade", "SQL", "delete", atLeast(1), swept),
		line(del, feed, "SQL, feed", "delete", none(), swept),
	}, nil
}

// postgresCallRows compares groups of Updates with a locked transaction for each Update. Both create portals from many goroutines, directly
// and with a slower network.
func postgresCallRows(ctx context.Context, b *bench, s *server) ([]row, error) {
	rows, err := s.portalRows(ctx, b, "", b.size(40_000, 256), b.size(4000, 256), atLeast(4))
	if err != nil || s.cluster == nil {
		return rows, err
	}
	proxy, err := startDelayer(ctx, "unix", s.cluster.Socket(), addedDelay)
	if err != nil {
		return nil, err
	}
	defer closeInto(&err, proxy)
	slow := &server{url: "postgres://postgres@" + proxy.listener.Addr().String() + "/postgres?sslmode=disable", cluster: s.cluster}
	trip, err := slow.roundTrip(ctx)
	if err != nil {
		return nil, err
	}
	more, err := slow.portalRows(ctx, b, fmt.Sprintf(", %v added to each round trip", addedDelay), b.size(20_000, 256), b.size(1000, 256), atLeast(15))
	for i := range more {
		more[i].detail += "; a round trip takes " + secondsText(trip)
	}
	return append(rows, more...), err
}

// roundTrip returns the shortest time of a round trip, in seconds.
func (s *server) roundTrip(ctx context.Context) (float64, error) {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	least := time.Hour
	for range 20 {
		start := time.Now()
		if err := conn.Ping(ctx); err != nil {
			return 0, err
		}
		least = min(least, time.Since(start))
	}
	return least.Seconds(), nil
}

// portalRows compares groups of Updates with a locked transaction for each call.
func (s *server) portalRows(ctx context.Context, b *bench, network string, libraryCalls, lockedCalls int, g goal) ([]row, error) {
	work := func(n int) func(storage.Store) (laps, error) {
		return func(store storage.Store) (laps, error) {
			call, err := portalCaller(ctx)(store)
			if err != nil {
				return nil, err
			}
			return perCall(n, call)
		}
	}
	// The customers are the same in all contenders, and pushed before the measured work.
	prepared := func(run func(schema string, store storage.Store) (laps, error)) func(string) (laps, error) {
		return s.run(ctx, func(schema string) (l laps, err error) {
			store, err := postgres.Open(ctx, s.url, postgres.Options{Schema: schema})
			if err != nil {
				return nil, err
			}
			defer closeInto(&err, store)
			if err := pushCallCustomers(ctx, store); err != nil {
				return nil, err
			}
			return run(schema, store)
		})
	}
	locked := func(declared bool) func(string) (laps, error) {
		return prepared(func(schema string, store storage.Store) (laps, error) {
			c, err := pgxpool.ParseConfig(s.url)
			if err != nil {
				return nil, err
			}
			c.MaxConns = lockedConns
			pool, err := pgxpool.NewWithConfig(ctx, c)
			if err != nil {
				return nil, err
			}
			defer pool.Close()
			return work(lockedCalls)(&lockedStore{store, pool, pgx.Identifier{schema, "rows"}.Sanitize(), declared})
		})
	}
	const library, one, naive = "library, PostgreSQL", "a transaction for each call", "a transaction for each call, a round trip for each read"
	t, err := b.contest(b.rounds(5),
		contender{library, prepared(func(_ string, store storage.Store) (laps, error) { return work(libraryCalls)(store) })},
		contender{one, locked(true)},
		contender{naive, locked(false)},
	)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("create a portal, %d goroutines, PostgreSQL%s", goroutines, network)
	line := func(against string, g goal) row {
		return row{work: name, against: "one locked " + against[2:], goal: g, measured: t.ratio(against, "call", library, "call"),
			detail: fmt.Sprintf("%s against %s", rateText(t.rate(library, "call", 1)), rateText(t.rate(against, "call", 1)))}
	}
	return []row{line(naive, g), line(one, none())}, nil
}
