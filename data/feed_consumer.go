package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
)

const (
	// maxConsumed is the maximum number of changes in one call of the handler.
	maxConsumed = 1000

	// consumerRetention is the time for which changes are kept for a Consumer that does not read.
	consumerRetention = 30 * 24 * time.Hour

	// readAtInterval is the interval at which a Consumer that has nothing to read stores that it still reads.
	readAtInterval = time.Hour
)

// Consumer reads the change feed of a workspace and stores its position in the feed under a name. A Consumer has no state of
// its own: all Consumers with the same name, in one process or in several, share the stored position.
type Consumer struct {
	w     *Workspace
	name  string
	lease time.Duration // after which another process takes over; 0 selects the default
}

// Consumer returns the Consumer with this name. A name has 1 to 200 bytes and otherwise follows the rules of resource keys.
// Consumer does no I/O. The methods of the Consumer return a [validation.Error] if the name is not valid.
func (w *Workspace) Consumer(name string) *Consumer { return &Consumer{w: w, name: name} }

// leased returns the Consumer with another time after which another process takes over.
func (c *Consumer) leased(duration time.Duration) *Consumer { return &Consumer{c.w, c.name, duration} }

// Run calls handle with the changes of the feed, 1 to 1,000 at a time, in the order of their commits. It waits for further
// changes until ctx is done. Run begins after the stored position, or at the start of the feed if none is stored. It stores
// the new position after each call of handle that returned nil.
//
// Run passes every change to handle at least once. After a crash or an error it passes the changes after the stored position
// again, so handle must tolerate repeated changes.
//
// If several processes or goroutines call Run with the same name on the same store, one of them handles the changes and the
// others wait. If the active process stops without notice, another one takes over after about 30 seconds. The context of
// handle is canceled when this Run is no longer the active one, for example because its machine was suspended. Another Run
// may then be handling the same changes.
//
// Run returns ctx's error, the error of handle, [ErrTrimmed], [ErrEpoch], a [validation.Error] for the name, or an error of
// the store. The stored position does not change. To continue after ErrTrimmed or ErrEpoch, read the data in a [Snapshot] and
// call [Consumer.Seek] with its Cursor.
func (c *Consumer) Run(ctx context.Context, handle func(context.Context, []FeedChange) error) error {
	if err := c.validate(ctx); err != nil {
		return err
	}
	name := fmt.Sprintf("customerportal/consumer/%s/%s", c.w.id, c.name)
	for {
		err := lease.Hold(ctx, c.w.db.store, c.w.db.log, name, lease.Options{Duration: c.lease}, func(ctx context.Context, held *lease.Lease) error {
			return c.consume(ctx, held, handle)
		})
		if !errors.Is(err, lease.ErrLost) {
			return err
		}
	}
}

// validate returns an error if the name is not valid, or if ctx belongs to a callback in which the store must not be written.
func (c *Consumer) validate(ctx context.Context) error {
	if err := c.validateName(); err != nil {
		return err
	}
	return storage.CheckNested(ctx, c.w.db.store)
}

// validateName returns a [validation.Error] if the name is not valid.
func (c *Consumer) validateName() error {
	var found findings
	reportName(c.name, found.in("consumer"))
	return found.err(false)
}

// consume passes changes to handle while it holds the lease. It returns lease.ErrLost if it has lost the lease.
func (c *Consumer) consume(ctx context.Context, held *lease.Lease, handle func(context.Context, []FeedChange) error) error {
	timer := time.NewTicker(c.w.db.followInterval)
	defer timer.Stop()
	for {
		committed := c.w.db.commits.subscribe(c.w.id)
		stored, changes, err := c.next(ctx, held)
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			err := handle(ctx, changes)
			if held.Remaining() <= 0 {
				return lease.ErrLost
			}
			if err != nil {
				return err
			}
			// The changes were handled, so store the position even if ctx is done by now.
			if err := c.advance(context.WithoutCancel(ctx), held, stored, changes[len(changes)-1].Cursor); err != nil {
				return err
			}
			continue
		}
		if stored.value == nil || c.w.time().Sub(stored.readAt) >= readAtInterval {
			if err := c.advance(ctx, held, stored, stored.cursor); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-committed:
		case <-timer.C:
		}
	}
}

// next reads the changes after the stored position.
func (c *Consumer) next(ctx context.Context, held *lease.Lease) (stored consumerRow, changes []FeedChange, err error) {
	err = c.w.View(ctx, func(s *Snapshot) error {
		changes = nil
		if err := held.Check(ctx, s.r); err != nil {
			return err
		}
		if stored, err = c.stored(ctx, s); err != nil {
			return err
		}
		if stored.value == nil {
			if stored.cursor, err = s.feedStart(ctx); err != nil {
				return err
			}
		}
		page, _, err := s.readFeed(ctx, stored.cursor)
		if err != nil {
			return err
		}
		for change := range changesOf(page, stored.cursor) {
			if changes = append(changes, change); len(changes) == maxConsumed {
				break
			}
		}
		return nil
	})
	return stored, changes, err
}

// advance stores a new position, unless the stored position has changed since it was read.
func (c *Consumer) advance(ctx context.Context, held *lease.Lease, stored consumerRow, to Cursor) error {
	key := layout.Consumer(c.w.id, c.name)
	return storage.Run(ctx, c.w.db.store, func(tx storage.Tx) error {
		if err := held.Check(ctx, tx); err != nil {
			return err
		}
		now, err := c.stored(ctx, c.w.At(tx))
		if err != nil || string(now.value) != string(stored.value) {
			return err // another process has called Seek
		}
		return c.put(ctx, tx, to)
	}, key)
}

// Cursor returns the stored position, or the zero Cursor if none is stored.
func (c *Consumer) Cursor(ctx context.Context) (Cursor, error) {
	if err := c.validateName(); err != nil {
		return Cursor{}, err
	}
	var stored consumerRow
	err := c.w.View(ctx, func(s *Snapshot) (err error) {
		stored, err = c.stored(ctx, s)
		return err
	})
	return stored.cursor, err
}

// Seek stores a position, such as [Snapshot.Cursor] or the Cursor of an earlier change. Run continues after it. The zero
// Cursor selects the start of the feed as it is now. If Run is calling handle with changes from another position, that call
// finishes first.
func (c *Consumer) Seek(ctx context.Context, to Cursor) error {
	if err := c.validate(ctx); err != nil {
		return err
	}
	err := storage.Run(ctx, c.w.db.store, func(tx storage.Tx) (err error) {
		position := to
		if position == (Cursor{}) {
			if position, err = c.w.At(tx).feedStart(ctx); err != nil {
				return err
			}
		}
		return c.put(ctx, tx, position)
	}, layout.Format(), layout.FeedEnds(c.w.id))
	if err == nil {
		c.w.db.commits.broadcast(c.w.id)
	}
	return err
}

// Remove deletes the stored position. A later Run begins at the start of the feed.
func (c *Consumer) Remove(ctx context.Context) error {
	if err := c.validate(ctx); err != nil {
		return err
	}
	return storage.Run(ctx, c.w.db.store, func(tx storage.Tx) error {
		if err := c.w.db.checkFormat(ctx, tx); err != nil {
			return err
		}
		return tx.Delete(layout.Consumer(c.w.id, c.name))
	})
}

func (c *Consumer) put(ctx context.Context, tx storage.Tx, to Cursor) error {
	if err := c.w.db.recordFormat(ctx, tx); err != nil {
		return err
	}
	return tx.Put(layout.Consumer(c.w.id, c.name), encodeConsumer(to, c.w.time()))
}

// stored returns the stored position, or a zero row if none is stored.
func (c *Consumer) stored(ctx context.Context, s *Snapshot) (consumerRow, error) {
	value, err := s.get(ctx, layout.Consumer(c.w.id, c.name))
	if err != nil || value == nil {
		return consumerRow{}, err
	}
	return decodeConsumer(value)
}

// consumerRow is the stored row of a Consumer.
type consumerRow struct {
	cursor Cursor
	readAt time.Time // time at which the row was stored; at most readAtInterval before the Consumer last read

	value []byte // stored form of the row; nil if there is none
}

func encodeConsumer(c Cursor, readAt time.Time) []byte {
	return c.append(layout.AppendTime([]byte{recordVersion}, readAt))
}

func decodeConsumer(value []byte) (consumerRow, error) {
	d := layout.NewDecoder(value)
	version := d.Byte()
	row := consumerRow{readAt: d.Time(), cursor: decodeCursor(d), value: value}
	if version != recordVersion || d.Done() != nil {
		return consumerRow{}, fmt.Errorf("%w: the row of a consumer of the change feed", storage.ErrCorrupt)
	}
	return row, nil
}

// neededByConsumers returns the first position of the feed that must be kept for a Consumer: one that has read within the
// last 30 days, but has not read that position yet.
func (s *Snapshot) neededByConsumers(ctx context.Context) (needed uint64, err error) {
	needed = math.MaxUint64
	for e, err := range s.r.Scan(ctx, storage.Prefix(layout.ConsumersPrefix(s.w.id)), storage.ScanOptions{}) {
		if err != nil {
			return 0, err
		}
		row, err := decodeConsumer(e.Value)
		if err != nil {
			return 0, err
		}
		if s.time().Sub(row.readAt) > consumerRetention {
			continue
		}
		first := row.cursor.position + 1
		if row.cursor.read > 0 {
			first = row.cursor.position
		}
		needed = min(needed, first)
	}
	return needed, nil
}
