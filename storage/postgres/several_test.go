package postgres_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
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

// twoStores is two stores on one schema, like two processes. Its calls alternate between them.
type twoStores struct {
	*postgres.Store
	other  *postgres.Store
	calls  atomic.Int64
	closed atomic.Bool
}

func openTwo(t *testing.T) storage.Store {
	t.Helper()
	url, o := postgrestest.URL(t), postgrestest.Options(t)
	return &twoStores{Store: openWith(t, url, o), other: openWith(t, url, o)}
}

// next returns the store of the next call, or nil after Close.
func (s *twoStores) next() *postgres.Store {
	switch {
	case s.closed.Load():
		return nil
	case s.calls.Add(1)%2 == 0:
		return s.Store
	}
	return s.other
}

func (s *twoStores) View(ctx context.Context, fn func(storage.Reader) error) error {
	if next := s.next(); next != nil {
		return next.View(ctx, fn)
	}
	return storage.ErrClosed
}

func (s *twoStores) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	if next := s.next(); next != nil {
		return next.Update(ctx, fn, reads...)
	}
	return storage.ErrClosed
}

func (s *twoStores) Close() error {
	s.closed.Store(true)
	return errors.Join(s.Store.Close(), s.other.Close())
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
