package portal

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/friend"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// view runs fn on one consistent snapshot of the store. It returns an error that matches
// data.ErrFormat if the rows of the store have another format.
func (s *Service) view(ctx context.Context, fn func(storage.Reader) error) error {
	check := friend.Of[func(*data.DB, context.Context, storage.Reader) error]()
	return s.store.View(ctx, func(r storage.Reader) error {
		if err := check(s.db, ctx, r); err != nil {
			return err
		}
		return fn(r)
	})
}

// update runs fn in one Update of the store, again if it conflicts with another. It returns an
// error that matches data.ErrFormat if the rows of the store have another format. In a store
// that was never written to, it records the version of the format.
func (s *Service) update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	record := friend.Of[func(*data.DB, context.Context, storage.Tx) error]()
	return storage.Run(ctx, s.store, func(tx storage.Tx) error {
		if err := record(s.db, ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	}, append(reads, layout.Format())...)
}
