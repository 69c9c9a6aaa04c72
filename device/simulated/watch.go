package simulated

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/device"
)

// maxEvents bounds the queue of a Watch.
const maxEvents = 256

// watch is a running Watch. Its fields are guarded by the world's mutex.
type watch struct {
	queue []device.Event
	ended error
	wake  chan struct{} // has one element if queue or ended changed
}

// emit sends an event to every running Watch of the login. The caller holds the world's mutex.
func (l *login) emit(e device.Event) {
	for c := range l.conns {
		c.watch.add(e)
	}
}

// add appends an event. If the queue is full, its events are dropped and replaced with Resync.
func (w *watch) add(e device.Event) {
	if w == nil || w.ended != nil {
		return
	}
	if len(w.queue) >= maxEvents {
		clear(w.queue)
		w.queue, e = w.queue[:0], device.Event{Kind: device.Resync}
	}
	w.queue = append(w.queue, e)
	w.signal()
}

// end makes the Watch return err.
func (w *watch) end(err error) {
	if w != nil && w.ended == nil {
		w.ended = err
		w.signal()
	}
}

func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (c *conn) Watch(ctx context.Context, fn func(device.Event)) error {
	mu := &c.world.mu
	mu.Lock()
	if err := c.usable(ctx); err != nil {
		mu.Unlock()
		return err
	}
	if c.watch != nil {
		mu.Unlock()
		return fmt.Errorf("%w: the connection already has a Watch", device.ErrInvalid)
	}
	own := &watch{wake: make(chan struct{}, 1)}
	own.add(device.Event{Kind: device.Resync})
	c.watch = own
	mu.Unlock()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		c.watch = nil
	}()
	for {
		select {
		case <-own.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		mu.Lock()
		events, ended := own.queue, own.ended
		own.queue = nil
		mu.Unlock()
		for _, e := range events {
			if ended != nil || ctx.Err() != nil {
				break
			}
			fn(e)
			mu.Lock()
			ended = own.ended
			mu.Unlock()
		}
		if ended != nil {
			return ended
		}
	}
}
