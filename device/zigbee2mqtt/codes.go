package zigbee2mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

const pinCode = "pin_code"

// contraryReads is the number of reads after which a code that they do not show counts as not set.
const contraryReads = 3

// limits returns the limits of a lock with codes. The caller holds c.mu.
func (c *conn) limits(t *thing) device.CodeLimits {
	l := *t.info.Codes
	l.ReadsPIN = c.info.readsPIN(t.info.ID)
	if t.slots > 0 {
		l.Slots = min(l.Slots, t.slots)
	}
	return l
}

// findLock returns a lock with codes that can be reached, after check.
func (c *conn) findLock(ctx context.Context, id string, check func(device.CodeLimits) error) (*thing, device.CodeLimits, error) {
	if err := c.awaitListening(ctx); err != nil {
		return nil, device.CodeLimits{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.find(ctx, id)
	if err != nil {
		return nil, device.CodeLimits{}, err
	}
	if t.info.Codes == nil {
		return nil, device.CodeLimits{}, fmt.Errorf("%w: device %q has no access codes", device.ErrUnsupported, id)
	}
	limits := c.limits(t)
	if err := check(limits); err != nil {
		return nil, limits, err
	}
	return t, limits, c.reachable(t)
}

// Codes implements [device.Coder]. It reads one slot after another from the lock.
func (c *conn) Codes(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
	all := len(indexes) == 0
	t, limits, err := c.findLock(ctx, id, func(l device.CodeLimits) error {
		for _, i := range indexes {
			if err := l.CheckIndex(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	indexes = slices.Clone(indexes)
	if all {
		for i := range limits.Slots {
			indexes = append(indexes, i+1)
		}
	}
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	slots := make([]device.Slot, 0, len(indexes))
	for _, i := range indexes {
		r, err := c.readSlot(ctx, t, i)
		switch {
		case errors.Is(err, errOutside) && all && i > 1:
			return slots, nil
		case err != nil:
			return nil, codeError(id, err)
		}
		slots = append(slots, r.slot(i))
	}
	return slots, nil
}

// setSlots stores how many slots a lock has.
func (c *conn) setSlots(t *thing, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.slots = max(n, 1)
	c.watch.add(device.Event{Kind: device.Resync})
}

// readSlot reads a slot from the lock.
func (c *conn) readSlot(ctx context.Context, t *thing, index int) (slotReport, error) {
	if err := ctx.Err(); err != nil {
		return slotReport{}, err
	}
	end, err := c.turn(ctx, t)
	if err != nil {
		return slotReport{}, err
	}
	defer end()
	var found slotReport
	c.mu.Lock()
	x := exchange{get: c.getCode(t, index), fails: map[string]bool{pinCode: true}, judge: func(o observation) verdict {
		r, ok := o.users[index]
		if !ok || !o.live {
			return pending
		}
		found = r
		return done
	}}
	observations, stop := c.observing(t)
	c.mu.Unlock()
	defer stop()
	err = c.run(ctx, t, x, observations)
	switch {
	case errors.Is(err, errOutside):
		c.setSlots(t, index-1)
		return slotReport{}, err
	case err == nil, final(err):
		return found, err
	}
	return slotReport{}, fmt.Errorf("%w: device %q: slot %d: %w", device.ErrOffline, t.info.ID, index, err)
}

// getCode returns the request to read a slot. The caller holds c.mu.
func (c *conn) getCode(t *thing, index int) *message {
	return &message{c.topicOf(t) + "/get", encode(map[string]any{pinCode: map[string]any{"user": index}})}
}

// SetCode implements [device.Coder].
func (c *conn) SetCode(ctx context.Context, id string, s device.Slot) error {
	t, limits, err := c.findLock(ctx, id, func(l device.CodeLimits) error { return l.Check(s) })
	if err != nil {
		return err
	}
	pin := s.PIN.Reveal()
	err = c.write(ctx, t, s.Index, map[string]any{"user": s.Index, "user_type": "unrestricted", "user_enabled": true, pinCode: pin},
		func(before, after slotReport) verdict {
			switch {
			case limits.ReadsPIN && after.state == device.SlotKnown && after.pin == pin:
				if before == after {
					return repeat
				}
				return done
			case !limits.ReadsPIN && after.state == device.SlotUnreadable && before.state == device.SlotEmpty:
				return done
			}
			return contrary
		})
	if errors.Is(err, errContrary) && limits.ReadsPIN {
		if slot := c.slotWith(ctx, t, s.Index, pin); slot > 0 {
			return &device.RejectedError{Reason: device.RejectedDuplicate, Slot: slot}
		}
	}
	return codeError(id, err)
}

// ClearCode implements [device.Coder].
func (c *conn) ClearCode(ctx context.Context, id string, index int) error {
	t, _, err := c.findLock(ctx, id, func(l device.CodeLimits) error { return l.CheckIndex(index) })
	if err != nil {
		return err
	}
	return codeError(id, c.write(ctx, t, index, map[string]any{"user": index, pinCode: nil}, func(before, after slotReport) verdict {
		switch {
		case after.state != device.SlotEmpty:
			return contrary
		case before == after:
			return repeat
		}
		return done
	}))
}

// codeError returns the error of a method for the result of an exchange.
func codeError(id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errOutside):
		return fmt.Errorf("%w: device %q: %w", device.ErrInvalid, id, err)
	case errors.Is(err, device.ErrOffline):
		return err
	}
	return unconfirmed(id, err)
}

// write changes a slot once, and reads it until judge decides. judge gets the reports before and after. Two equal reports that may
// confirm the command do so.
func (c *conn) write(ctx context.Context, t *thing, index int, value map[string]any, judge func(before, after slotReport) verdict) error {
	c.mu.Lock()
	before, known := t.users[index]
	c.mu.Unlock()
	if !known {
		var err error
		if before, err = c.readSlot(ctx, t, index); err != nil {
			return err
		}
	}
	end, err := c.turn(ctx, t)
	if err != nil {
		return err
	}
	defer end()
	repeats := 0
	c.mu.Lock()
	x := exchange{
		sets:       []message{{c.topicOf(t) + "/set", encode(map[string]any{pinCode: value})}},
		get:        c.getCode(t, index),
		fails:      map[string]bool{pinCode: true},
		contraries: contraryReads,
		judge: func(o observation) verdict {
			after, ok := o.users[index]
			if !ok || !o.live {
				return pending
			}
			v := judge(before, after)
			before = after
			switch v {
			case contrary:
				repeats = 0
			case done:
				repeats = 1
			case repeat:
				if repeats++; repeats >= 2 {
					return done
				}
			}
			return v
		},
	}
	observations, stop := c.observing(t)
	c.mu.Unlock()
	defer stop()
	return c.run(ctx, t, x, observations)
}

// slotWith returns another slot that holds a PIN according to a read at this moment, or 0.
func (c *conn) slotWith(ctx context.Context, t *thing, except int, pin string) int {
	c.mu.Lock()
	var candidates []int
	for index, r := range t.users {
		if index != except && r.pin == pin {
			candidates = append(candidates, index)
		}
	}
	c.mu.Unlock()
	slices.Sort(candidates)
	for _, index := range candidates {
		if r, err := c.readSlot(ctx, t, index); err == nil && r.pin == pin {
			return index
		}
	}
	return 0
}
