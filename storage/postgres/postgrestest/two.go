//go:build unix

package postgrestest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
)

// twoStores is two stores on one schema, like those of two processes. Its calls alternate between them.
type twoStores struct {
	*postgres.Store
	other  *postgres.Store
	calls  atomic.Int64
	closed atomic.Bool
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

// Two returns one store whose calls alternate between two stores with the same schema, like those of two processes. Close closes both.
func Two(a, b *postgres.Store) storage.Store { return &twoStores{Store: a, other: b} }

// OpenTwo opens two stores on a new schema, like two processes, as one store whose calls alternate between them. reopen opens both
// again after Close. test/backends/run uses it.
func OpenTwo(t testing.TB) (store storage.Store, reopen func() storage.Store) {
	t.Helper()
	url, o := URL(t), Options(t)
	one := func() *postgres.Store {
		s, err := postgres.Open(context.Background(), url, o)
		require.NoError(t, err)
		return s
	}
	open := func() storage.Store { return Two(one(), one()) }
	return open(), open
}
