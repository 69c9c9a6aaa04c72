package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// tripCounter counts the messages that a store sends, each of which is a round trip.
type tripCounter struct {
	trips     atomic.Int64
	rollbacks chan struct{} // receives each ROLLBACK, which a View sends in the background
}

func (c *tripCounter) configure(p *pgxpool.Config) { p.ConnConfig.Tracer = c }

func (c *tripCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.trips.Add(1)
	return ctx
}
func (c *tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (c *tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	c.trips.Add(1)
	if q.SQL == "rollback" {
		c.rollbacks <- struct{}{}
	}
	return ctx
}
func (c *tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestTrips_EveryKindOfTransaction_AreThoseOfCounted compares the messages to the server with the round trips that
// backends.Counted predicts. The tests of data and portal limit the latter.
func TestTrips_EveryKindOfTransaction_AreThoseOfCounted(t *testing.T) {
	t.Parallel()
	counter := &tripCounter{rollbacks: make(chan struct{}, 1000)}
	o := postgrestest.Options(t)
	o.Configure = counter.configure
	store := &backends.Counted{Store: openWith(t, postgrestest.URL(t), o)}
	key := func(n int) []byte { return fmt.Appendf(nil, "%04d", n) }
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
		for n := range 1000 {
			if err := tx.Put(key(n), key(n)); err != nil {
				return err
			}
		}
		return nil
	}))
	type read func(storage.Reader) error
	get := func(keys ...[]byte) read {
		return func(r storage.Reader) error {
			_, err := r.Get(t.Context(), keys...)
			return err
		}
	}
	scan := func(end, stop int, o storage.ScanOptions) read {
		return func(r storage.Reader) error {
			read := 0
			for _, err := range r.Scan(t.Context(), storage.Range{End: key(end)}, o) {
				if read++; err != nil || read == stop {
					return err
				}
			}
			return nil
		}
	}
	put := func(tx storage.Tx) error { return tx.Put(key(1), key(1)) }
	for _, test := range []struct {
		name     string
		reads    []read
		write    func(storage.Tx) error
		declared [][]byte
	}{
		{"nothing", nil, nil, nil},
		{"no keys", []read{get()}, nil, nil},
		{"one read", []read{get(key(1), key(2))}, nil, nil},
		{"three reads", []read{get(key(1)), get(key(1)), get(key(5000))}, nil, nil},
		{"a write", nil, put, nil},
		{"a delete of a range", nil, func(tx storage.Tx) error { return tx.DeleteRange(t.Context(), storage.Range{Start: key(5000)}) }, nil},
		{"reads and a write", []read{get(key(1)), get(key(2))}, put, nil},
		{"declared reads and a write", []read{get(key(2), key(3)), get(key(3))}, put, [][]byte{key(2), key(3)}},
		{"one read of two was not declared", []read{get(key(2), key(3))}, put, [][]byte{key(3)}},
		{"declared and not read", nil, nil, [][]byte{key(3)}},
		{"a scan of less than a page", []read{scan(127, 0, storage.ScanOptions{})}, nil, nil},
		{"a scan of a page", []read{scan(128, 0, storage.ScanOptions{})}, nil, nil},
		{"a scan that stops after a page", []read{scan(200, 128, storage.ScanOptions{})}, nil, nil},
		{"a scan that stops after a page and a row", []read{scan(200, 129, storage.ScanOptions{})}, nil, nil},
		{"a scan of all", []read{scan(1000, 0, storage.ScanOptions{Reverse: true})}, nil, nil},
		{"a scan with a limit", []read{scan(1000, 0, storage.ScanOptions{Limit: 700, KeysOnly: true})}, nil, nil},
	} {
		readAll := func(r storage.Reader) error {
			for _, read := range test.reads {
				if err := read(r); err != nil {
					return err
				}
			}
			return nil
		}
		check := func(kind string, run func() error) {
			store.Reset()
			counter.trips.Store(0)
			require.NoError(t, run(), "%s: %s", kind, test.name)
			if store.Trips.Load() > 0 && test.write == nil {
				<-counter.rollbacks
			}
			require.Equal(t, store.Trips.Load(), counter.trips.Load(), "%s: %s", kind, test.name)
		}
		if test.write == nil && test.declared == nil {
			check("View", func() error { return store.View(t.Context(), readAll) })
		}
		check("Update", func() error {
			return store.Update(t.Context(), func(tx storage.Tx) error {
				if err := readAll(tx); err != nil || test.write == nil {
					return err
				}
				return test.write(tx)
			}, test.declared...)
		})
	}
}
