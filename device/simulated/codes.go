package simulated

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/device"
)

// unconfirmedIsNoError removes ErrUnconfirmed: the simulated provider always knows that it received a command.
func unconfirmedIsNoError(err error) error {
	if errors.Is(err, device.ErrUnconfirmed) {
		return nil
	}
	return err
}

// findLock returns a device of the account that has access codes, and checks the indexes of slots.
func (c *conn) findLock(ctx context.Context, id string, indexes ...int) (*simulatedDevice, error) {
	d, err := c.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.info.Codes == nil {
		return nil, fmt.Errorf("%w: device %q has no access codes", device.ErrUnsupported, id)
	}
	for _, i := range indexes {
		if err := d.info.Codes.CheckIndex(i); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (c *conn) Codes(ctx context.Context, id string, indexes ...int) ([]device.Slot, error) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	d, err := c.findLock(ctx, id, indexes...)
	if err != nil {
		return nil, err
	}
	var slots []device.Slot
	err = c.perform(ctx, d, Call{Method: "Codes"}, func() error {
		if d.faults.FailsReads {
			return fmt.Errorf("simulated: the codes of device %q cannot be read", id)
		}
		for _, s := range d.seenSlots {
			if len(indexes) > 0 && !slices.Contains(indexes, s.Index) {
				continue
			}
			if d.faults.HidesPINs || !d.info.Codes.ReadsPIN {
				s.PIN = device.Secret{}
				if s.State == device.SlotKnown {
					s.State = device.SlotUnreadable
				}
			}
			slots = append(slots, s)
		}
		return nil
	})
	return slots, err
}

func (c *conn) SetCode(ctx context.Context, id string, s device.Slot) error {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	d, err := c.findLock(ctx, id, s.Index)
	if err != nil {
		return err
	}
	if err := d.info.Codes.Check(s); err != nil {
		return err
	}
	s.State = device.SlotKnown
	if d.info.Codes.NameLength == 0 {
		s.Name = ""
	}
	return c.perform(ctx, d, Call{Method: "SetCode", Slot: s.Index}, func() error {
		if err := w.refuses(d, s); err != nil {
			return err
		}
		w.writeCode(d, s)
		return nil
	})
}

// refuses returns the error with which the lock refuses a code because of its other codes or of the time.
func (w *World) refuses(d *simulatedDevice, s device.Slot) error {
	has := func(c device.Constraint) bool { return slices.Contains(d.info.Codes.Constraints, c) }
	violated := func(c device.Constraint) error {
		return &device.RejectedError{Reason: device.RejectedConstraint, Constraint: c}
	}
	for _, other := range d.slots {
		switch {
		case other.Index == s.Index || !other.Occupied():
		case other.PIN == s.PIN:
			return &device.RejectedError{Reason: device.RejectedDuplicate, Slot: other.Index}
		case has(device.UniqueFirstFourDigits) && firstFour(other) == firstFour(s):
			return violated(device.UniqueFirstFourDigits)
		case has(device.NameMustBeUnique) && other.Name == s.Name:
			return violated(device.NameMustBeUnique)
		}
	}
	switch {
	case has(device.PINMatchesExistingSet):
		return violated(device.PINMatchesExistingSet)
	case has(device.StartInFuture) && !s.StartsAt.After(w.options.Now()):
		return violated(device.StartInFuture)
	case d.faults.Full && !d.slots[s.Index-1].Occupied():
		return &device.RejectedError{Reason: device.RejectedFull}
	}
	return nil
}

func firstFour(s device.Slot) string {
	pin := s.PIN.Reveal()
	return pin[:min(4, len(pin))]
}

func (c *conn) ClearCode(ctx context.Context, id string, index int) error {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	d, err := c.findLock(ctx, id, index)
	if err != nil {
		return err
	}
	return c.perform(ctx, d, Call{Method: "ClearCode", Slot: index}, func() error {
		w.writeCode(d, device.Slot{Index: index, State: device.SlotEmpty})
		return nil
	})
}
