package data

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

const (
	maxHistoryRows = 2000 // maximum number of rows of the change feed that History reads
	historyPage    = 250  // number of rows that it reads in one call
)

// History returns the changes of one resource of a customer, the newest first. id is the resource id of the resource. limit is
// the maximum number of changes, from 1 to 1000; 0 selects 100. History reads the newest 2,000 rows of the customer in the
// change feed, each with the changes of one commit, and no older ones. The changes have no Cursor. History returns
// [ErrCustomerNotFound] if there is no such customer, and an error that matches [validation.ErrInvalid] if limit is not
// valid.
func (s *Snapshot) History(ctx context.Context, customerKey string, id uuid.UUID, limit int) ([]FeedChange, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	c, err := s.customer(ctx, customerKey)
	if err != nil {
		return nil, err
	}
	var positions []uint64
	for e, err := range s.r.Scan(ctx, storage.Prefix(layout.CustomerFeedPrefix(c.id)), storage.ScanOptions{Reverse: true, KeysOnly: true, Limit: maxHistoryRows}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeCustomerFeed, e.Key)
		if err != nil {
			return nil, err
		}
		positions = append(positions, k.Position)
	}
	out := []FeedChange{}
	for page := range slices.Chunk(positions, historyPage) {
		keys := make([][]byte, len(page))
		for i, position := range page {
			keys[i] = layout.FeedBatch(s.w.id, position)
		}
		rows, err := s.r.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			if row == nil {
				return nil, fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, page[i])
			}
			b, err := decodeFeedBatch(page[i], row)
			if err != nil {
				return nil, err
			}
			for _, e := range slices.Backward(b.events) {
				if e.id != id {
					continue
				}
				if out = append(out, e.feedChange(b)); len(out) == limit {
					return out, nil
				}
			}
		}
	}
	return out, nil
}
