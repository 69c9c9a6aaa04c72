package zwavejs

import (
	"context"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// maxEvents bounds the queue of a Watch.
const maxEvents = 256

// watch is a running Watch. Its fields are guarded by conn.mu.
type watch struct {
	queue []device.Event
	wake  chan struct{} // has one element if the queue changed
}

// add appends an event. If the queue is full, its events are dropped and replaced with Resync.
func (w *watch) add(e device.Event) {
	if w == nil {
		return
	}
	if e.Kind == device.Resync && len(w.queue) > 0 && w.queue[len(w.queue)-1].Kind == device.Resync {
		return
	}
	if len(w.queue) >= maxEvents {
		clear(w.queue)
		w.queue, e = w.queue[:0], device.Event{Kind: device.Resync}
	}
	w.queue = append(w.queue, e)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Watch implements [device.Conn]. It continues during an outage of the server of at most half a minute.
func (c *conn) Watch(ctx context.Context, fn func(device.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if c.ended != nil {
		defer c.mu.Unlock()
		return c.ended
	}
	if c.watch != nil {
		defer c.mu.Unlock()
		return fmt.Errorf("%w: the connection already has a Watch", device.ErrInvalid)
	}
	own := &watch{wake: make(chan struct{}, 1)}
	own.add(device.Event{Kind: device.Resync})
	c.watch = own
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watch = nil
	}()
	var outage *time.Timer // runs while there is no connection
	var tooLong <-chan time.Time
	for {
		c.mu.Lock()
		events, changed, up, cause := own.queue, c.changed, c.up(), c.cause
		own.queue = nil
		c.mu.Unlock()
		switch {
		case up && outage != nil:
			outage.Stop()
			outage, tooLong = nil, nil
		case !up && outage == nil:
			outage = time.NewTimer(c.p.times.grace)
			defer outage.Stop()
			tooLong = outage.C
		}
		for _, e := range events {
			select {
			case <-c.done:
				return c.endError()
			case <-ctx.Done():
				return ctx.Err()
			default:
				fn(e)
			}
		}
		select {
		case <-own.wake:
		case <-changed:
		case <-c.done:
			return c.endError()
		case <-ctx.Done():
			return ctx.Err()
		case <-tooLong:
			return orError(cause, device.ErrOffline)
		}
	}
}

func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
