package data

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maxHistoryRows is how many rows of the change feed History looks at.
const maxHistoryRows = 2000

// History is what the change feed tells of one resource of a customer, by its
// derived id, the newest first; at most limit changes (1 to 1000; 0 is 100). It looks
// at the newest 2,000 rows of the feed's partition, each the changes of one customer in
// one commit, and not beyond. The changes have no cursor.
func (s *Snapshot) History(ctx context.Context, customerKey string, id uuid.UUID, limit int) ([]FeedChange, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	partition := layout.FeedPartition(customerKey)
	prefix := layout.Feed(s.w.id, partition)
	out := []FeedChange{}
	for e, err := range s.r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{Reverse: true, Limit: maxHistoryRows}) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeFeedBatch, e.Key)
		if err != nil {
			return nil, err
		}
		b, err := decodeFeedBatch(partition, k.Position, e.Value)
		if err != nil {
			return nil, err
		}
		if b.customer != customerKey {
			continue
		}
		for _, told := range slices.Backward(b.events) {
			if told.id == id && len(out) < limit {
				out = append(out, told.at(b))
			}
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// at is the change as it is told, without a cursor.
func (e event) at(b *feedBatch) FeedChange {
	return FeedChange{
		Change: e.change, CustomerKey: b.customer, Class: e.kind.Class(), Kind: e.kind,
		Key: e.key, ID: e.id, At: b.at, Actor: b.actor,
	}
}
