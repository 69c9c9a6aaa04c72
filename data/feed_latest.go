package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maxClockSkew is the largest difference between the clocks of the processes that write to a store. The times of the rows of the
// feed can decrease by as much from one row to the next.
const maxClockSkew = 10 * time.Minute

// eventID returns the id of a change that was read from the feed, a UUID of version 8. It contains the cursor of the change, except
// for two bits of the id of the commit. Cursor.read has 12 bits, because a row of the feed has fewer than 4,096 changes.
func eventID(c FeedChange) (id uuid.UUID) {
	var position [8]byte
	binary.BigEndian.PutUint64(position[:], c.Cursor.position)
	copy(id[:6], position[2:])
	binary.BigEndian.PutUint16(id[6:], 0x8000|uint16(c.Cursor.read))
	copy(id[8:], c.Cursor.commit[:])
	id[8] = id[8]&0x3f | 0x80
	return id
}

// eventPosition returns the position of the row with the change of an event id.
func eventPosition(id uuid.UUID) uint64 {
	var position [8]byte
	copy(position[2:], id[:6])
	return binary.BigEndian.Uint64(position[:])
}

// changeByEventID returns the change with an event id, and reports whether the feed has it.
func (s *Snapshot) changeByEventID(ctx context.Context, id uuid.UUID) (FeedChange, bool, error) {
	b, err := s.feedRow(ctx, eventPosition(id))
	if err != nil || b == nil {
		return FeedChange{}, false, err
	}
	for c := range changesOf([]*feedBatch{b}, Cursor{}) {
		if eventID(c) == id {
			return c, true, nil
		}
	}
	return FeedChange{}, false, nil
}

// feedRow returns the row at a position of the feed, or nil if there is none.
func (s *Snapshot) feedRow(ctx context.Context, position uint64) (*feedBatch, error) {
	row, err := s.get(ctx, layout.FeedBatch(s.w.id, position))
	if err != nil || row == nil {
		return nil, err
	}
	return decodeFeedBatch(position, row)
}

// latestChanges yields the changes of the feed, the newest first: those before the change with the event id before, or all of them
// if before is zero. If until is not zero, it skips changes that are certainly after until, of which it reads few. It stops at a
// change that is certainly before since. It yields [ErrEpoch] if the feed has another change in the place of before, and nothing if
// before was trimmed.
func (s *Snapshot) latestChanges(ctx context.Context, before uuid.UUID, since, until time.Time) iter.Seq2[FeedChange, error] {
	return func(yield func(FeedChange, error) bool) {
		ends, err := s.feedEnds(ctx)
		if err != nil {
			yield(FeedChange{}, err)
			return
		}
		end := ends.next // of the positions to read
		if before != uuid.Nil {
			position := eventPosition(before)
			if position < ends.first {
				return
			}
			_, found, err := s.changeByEventID(ctx, before)
			if err == nil && !found {
				err = ErrEpoch
			}
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			end = position + 1
		}
		if !until.IsZero() {
			if end, err = s.searchFeed(ctx, ends.first, end, until.Add(maxClockSkew)); err != nil {
				yield(FeedChange{}, err)
				return
			}
		}
		r := storage.Prefix(layout.FeedPrefix(s.w.id))
		r.End = layout.FeedBatch(s.w.id, end)
		skip := before != uuid.Nil && end == eventPosition(before)+1
		for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{Reverse: true}) {
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			b, err := decodeFeedRow(e)
			if err != nil {
				yield(FeedChange{}, err)
				return
			}
			if b.at.Add(maxClockSkew).Before(since) {
				return
			}
			for _, c := range reversed(b) {
				if skip { // up to before, which is in the first row
					skip = eventID(c) != before
					continue
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// reversed returns the changes of a row, the last one first.
func reversed(b *feedBatch) []FeedChange {
	out := make([]FeedChange, len(b.events))
	at := len(out)
	for c := range changesOf([]*feedBatch{b}, Cursor{}) {
		at--
		out[at] = c
	}
	return out
}

// searchFeed returns the first of the positions from first to end whose row is after a time, or end if there is none, by binary
// search.
func (s *Snapshot) searchFeed(ctx context.Context, first, end uint64, after time.Time) (uint64, error) {
	for first < end {
		middle := first + (end-first)/2
		b, err := s.feedRow(ctx, middle)
		switch {
		case err != nil:
			return 0, err
		case b == nil:
			return 0, fmt.Errorf("%w: row %d of the change feed is missing", storage.ErrCorrupt, middle)
		case b.at.After(after):
			end = middle
		default:
			first = middle + 1
		}
	}
	return end, nil
}
