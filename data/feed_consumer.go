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
	"github.com/customerportal-go/customerportal/validation"
)

const (
	// maxConsumed is the number of changes that a Consumer hands over at once.
	maxConsumed = 1000

	// consumerRetention is how long changes are kept for a Consumer that does not read.
	consumerRetention = 30 * 24 * time.Hour

	// readAtInterval is how often a Consumer that has nothing to read notes that it still reads.
	readAtInterval = time.Hour
)

// Consumer reads the change feed of a workspace and stores how far it has come, under a name.
// It is a handle: its state is in the store. Consumers of one name in several processes share
// one place in the feed.
type Consumer struct {
	w    *Workspace
	name string
}

// Consumer returns the Consumer with a name of 1 to 200 bytes, with the other rules of a
// resource key. It does no I/O: the methods of a Consumer report a name that is not valid.
func (w *Workspace) Consumer(name string) *Consumer { return &Consumer{w: w, name: name} }

// Run calls handle with the changes of the feed, 1 to 1,000 of them at a time, in the order of
// their commits, and waits for more until ctx is done. It begins at the stored place, or at the
// start of the feed if none is stored, and stores the new place each time that handle has
// returned nil.
//
// Every change is handed over at least once, and the changes of each customer in order. After
// a crash or an error Run hands over the changes since the stored place again, so handle must
// tolerate repeated changes.
//
// Of all Runs of one name on one store, in one process or in several, one hands over changes,
// and the others wait. If its process stops without notice, another one takes over after
// about 30 seconds. The context of handle is canceled if the Run has lost its turn, such as
// when its machine was suspended, since another Run may be handing over the same changes.
//
// Run returns ctx's error, the error of handle, [ErrTrimmed], [ErrEpoch], or an error of the
// store. The place stays where it was. To continue after ErrTrimmed or ErrEpoch, read the data
// in a [Snapshot] and call [Consumer.Seek] with its Cursor.
func (c *Consumer) Run(ctx context.Context, handle func(context.Context, []FeedChange) error) error {
	if err := c.validate(ctx); err != nil {
		return err
	}
	name := fmt.Sprintf("customerportal/consumer/%s/%s", c.w.id, c.name)
	for {
		err := lease.Hold(ctx, c.w.db.store, c.w.db.log, name, func(ctx context.Context, held *lease.Lease) error {
			return c.consume(ctx, held, handle)
		})
		if !errors.Is(err, lease.ErrLost) {
			return err
		}
	}
}

// check returns an error if the name is not valid, or if a write of the store with ctx is not
// possible.
func (c *Consumer) validate(ctx context.Context) error {
	if err := c.validateName(); err != nil {
		return err
	}
	return storage.CheckNested(ctx, c.w.db.store)
}

// validateName returns an error if the name is not valid.
func (c *Consumer) validateName() error {
	var found findings
	report := found.in("consumer")
	if len(c.name) > maxActorName {
		report("", validation.RuleKeyFormat, "the name is %d bytes long, and may have %d", len(c.name), maxActorName)
	} else {
		reportKey(c.name, report)
	}
	return found.err(false)
}

// work hands over changes while it holds the lease. It returns lease.ErrLost if it has lost it.
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
			// They are handled, so the place is stored even if ctx is done by now.
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

// next reads the changes after the stored place.
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

// advance stores a new place, unless the stored one was changed since it was read.
func (c *Consumer) advance(ctx context.Context, held *lease.Lease, stored consumerRow, to Cursor) error {
	key := layout.Consumer(c.w.id, c.name)
	return storage.Run(ctx, c.w.db.store, func(tx storage.Tx) error {
		if err := held.Check(ctx, tx); err != nil {
			return err
		}
		now, err := c.stored(ctx, c.w.At(tx))
		if err != nil || string(now.value) != string(stored.value) {
			return err // Seek was called meanwhile
		}
		return c.put(ctx, tx, to)
	}, key)
}

// Cursor returns the stored place, or the zero Cursor if none is stored.
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

// Seek stores a place, such as [Snapshot.Cursor] or that of an earlier change, and Run
// continues after it. The zero Cursor is the start of the changes that the feed has now. A Run
// that is handing over changes from another place finishes these first.
func (c *Consumer) Seek(ctx context.Context, to Cursor) error {
	if err := c.validate(ctx); err != nil {
		return err
	}
	err := storage.Run(ctx, c.w.db.store, func(tx storage.Tx) (err error) {
		place := to
		if place == (Cursor{}) {
			if place, err = c.w.At(tx).feedStart(ctx); err != nil {
				return err
			}
		}
		return c.put(ctx, tx, place)
	}, layout.Format(), layout.FeedEnds(c.w.id))
	if err == nil {
		c.w.db.commits.broadcast(c.w.id)
	}
	return err
}

// Remove removes the stored place. Run would begin at the start of the feed again.
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

// stored returns the stored place, or a zero row if none is stored.
func (c *Consumer) stored(ctx context.Context, s *Snapshot) (consumerRow, error) {
	value, err := s.get(ctx, layout.Consumer(c.w.id, c.name))
	if err != nil || value == nil {
		return consumerRow{}, err
	}
	return decodeConsumer(value)
}

// consumerRow is the row of a Consumer.
type consumerRow struct {
	cursor Cursor
	readAt time.Time // when the place was stored; at most readAtInterval before the Consumer has last read

	value []byte // as it is stored; nil if there is none
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

// neededByConsumers returns the first position of the feed that a Consumer has not read which
// has read within the last 30 days.
func (s *Snapshot) neededByConsumers(ctx context.Context) (needed uint64, err error) {
	needed = math.MaxUint64
	for e, err := range s.r.Scan(ctx, storage.Prefix(layout.Consumers(s.w.id)), storage.ScanOptions{}) {
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
