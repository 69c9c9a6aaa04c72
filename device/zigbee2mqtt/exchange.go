package zigbee2mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/autopaho"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

// observation is something that was published about a device while a command or a read was running.
type observation struct {
	failed *failure // Zigbee2MQTT could not carry out a command or a read

	published bool         // a state was published
	live      bool         // and the broker had not stored it
	state     device.State // as published; an operation does not change it
	users     map[int]slotReport
	operation *device.Operation
	entity    *entity // of a device that another program announced
}

// observe passes an observation to the running commands and reads.
func (t *thing) observe(o observation) {
	for ch := range t.exchanges {
		select {
		case ch <- o:
		default: // a flood: the command remains unconfirmed
		}
	}
}

// verdict is the result of comparing an observation with a command.
type verdict int

const (
	pending  verdict = iota // nothing
	done                    // the device confirmed it
	repeat                  // the device may have confirmed it: read once more
	contrary                // the device shows another value
)

// message is a message to a topic.
type message struct {
	topic   string
	payload []byte
}

// exchange is a command or a read, and how its result is recognized.
type exchange struct {
	sets  []message       // the command; empty for a read
	get   *message        // reads the result, or nil
	fails map[string]bool // the keys of the command, to recognize its failure
	judge func(observation) verdict

	// contraries is the number of contrary observations after which the exchange ends with errContrary, or 0 for no limit.
	contraries int
}

// Results of an exchange.
var (
	errContrary   = errors.New("zigbee2mqtt: the device shows another value")
	errSilent     = errors.New("zigbee2mqtt: the device did not answer in time")
	errSetFailed  = errors.New("zigbee2mqtt: Zigbee2MQTT could not deliver the command")
	errGetFailed  = errors.New("zigbee2mqtt: Zigbee2MQTT could not read the device")
	errOutside    = errors.New("zigbee2mqtt: the lock has no slot with this number")
	errNotSent    = errors.New("zigbee2mqtt: the message was not sent")
	errLostLink   = errors.New("zigbee2mqtt: the connection to the MQTT broker was lost")
	errNotAnswers = errors.New("zigbee2mqtt: the MQTT broker did not acknowledge the message")
)

// observing registers for the observations of a device, which follow on the channel. The caller holds c.mu.
func (c *conn) observing(t *thing) (observations chan observation, stop func()) {
	ch := make(chan observation, 256)
	t.exchanges[ch] = struct{}{}
	c.busy[t] = true
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(t.exchanges, ch)
		if len(t.exchanges) == 0 {
			delete(c.busy, t)
		}
	}
}

// turn waits until no other exchange about the codes of a device is running, so that their publications are not confused.
func (c *conn) turn(ctx context.Context, t *thing) (end func(), err error) {
	select {
	case t.codes <- struct{}{}:
		return func() { <-t.codes }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		return nil, c.endError()
	}
}

// run performs an exchange. It returns nil, ctx.Err(), the error with which the connection ended, or one of the results above.
// Only errNotSent means that the device cannot have received the command.
func (c *conn) run(ctx context.Context, t *thing, x exchange, observations <-chan observation) error {
	c.mu.Lock()
	w := c.wire
	c.mu.Unlock()
	if !w.up() {
		return errNotSent
	}
	for _, m := range x.sets {
		if err := c.send(ctx, w, m, 1); err != nil {
			return err
		}
	}
	if finished, err := x.judgeEarly(observations); finished || err != nil {
		return err
	}
	if x.get != nil {
		if err := c.send(ctx, w, *x.get, 0); err != nil {
			return err
		}
	}
	timeout := time.NewTimer(c.p.times.answer)
	defer timeout.Stop()
	var again <-chan time.Time
	found := 0
	for {
		select {
		case o := <-observations:
			if f := o.failed; f != nil {
				if err := x.failure(f); err != nil {
					return err
				}
				continue
			}
			switch x.judge(o) {
			case done:
				return nil
			case repeat:
				if x.get != nil {
					if err := c.send(ctx, w, *x.get, 0); err != nil {
						return err
					}
				}
			case contrary:
				if again != nil {
					break // one for each read
				}
				if found++; x.contraries > 0 && found >= x.contraries {
					return errContrary
				}
				again = time.After(c.p.times.reread)
			}
		case <-again:
			again = nil
			if x.get != nil {
				if err := c.send(ctx, w, *x.get, 0); err != nil {
					return err
				}
			}
		case <-timeout.C:
			return errSilent
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return c.endError()
		case <-w.gone:
			return errLostLink
		}
	}
}

// judgeEarly judges the observations until the broker acknowledged the command. It ignores operations among them: they may be those of
// the last command, which the device reports after its state.
func (x *exchange) judgeEarly(observations <-chan observation) (finished bool, err error) {
	for {
		select {
		case o := <-observations:
			if o.failed != nil {
				if err := x.failure(o.failed); err != nil {
					return false, err
				}
				continue
			}
			o.operation = nil
			finished = x.judge(o) == done || finished
		default:
			return finished, nil
		}
	}
}

// failure returns the error with which a failure ends the exchange, or nil if it does not.
func (x *exchange) failure(f *failure) error {
	switch {
	case !x.fails[f.key], f.verb == "get" && len(x.sets) > 0 && x.contraries == 0: // a report may still confirm the command
		return nil
	case f.outside:
		return errOutside
	case f.verb == "set":
		return errSetFailed
	}
	return errGetFailed
}

// send publishes a message on the connection that the exchange began with.
func (c *conn) send(ctx context.Context, w *wire, m message, qos byte) error {
	waiting, cancel := context.WithTimeout(ctx, c.p.times.answer)
	defer cancel()
	sent := make(chan error, 1)
	go func() { sent <- c.publish(waiting, m.topic, m.payload, qos) }()
	var err error
	select {
	case err = <-sent:
		if err == nil {
			return nil
		}
	case <-c.done:
	case <-w.gone:
	}
	switch {
	case c.endError() != nil:
		return c.endError()
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, autopaho.ConnectionDownError):
		return errNotSent
	case !w.up():
		return errLostLink
	}
	return errNotAnswers
}

// unconfirmed returns the error of a command after an exchange that did not confirm it.
func unconfirmed(id string, err error) error {
	switch {
	case final(err):
		return err
	case errors.Is(err, errNotSent):
		return fmt.Errorf("%w: device %q: %w", device.ErrOffline, id, err)
	}
	return fmt.Errorf("%w: device %q: %w", device.ErrUnconfirmed, id, err)
}

// final reports whether an error of an exchange says nothing about the device.
func final(err error) bool {
	return errors.Is(err, device.ErrClosed) || errors.Is(err, device.ErrAccountLost) || errors.Is(err, allowhosts.ErrNotAllowed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
