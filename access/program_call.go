package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

// call writes or clears a slot, and reads it back.
func (p *program) call(ctx context.Context, l *lock, c *lockCode, step lockplan.Step) error {
	h := p.h
	if h.callTime() < h.s.callTimeout { // until the lease is renewed
		sleep(ctx, h.s.lease/20)
		return nil
	}
	if p.calls[c.ID]++; p.calls[c.ID] > maxCalls {
		return p.failCode(ctx, c, errors.New("the lock shows something else each time after it was programmed"))
	}
	connecting, cancel := context.WithTimeout(ctx, readTimeout)
	coder, err := h.coder(connecting, c.account)
	cancel()
	if err != nil {
		return p.failCode(ctx, c, fmt.Errorf("%w: %w", errNoConnection, err))
	}
	before := p.slot(step.Slot)
	sleep(ctx, time.Until(p.written.Add(writePause)))
	if stored, err := p.intend(ctx, l, c, step); err != nil || !stored {
		return err // the code was changed in the meantime, so it is planned again
	}
	if h.callTime() < h.s.callTimeout {
		return nil
	}
	calling, cancel := context.WithTimeout(h.ctx, h.s.callTimeout) // not ended when the Service stops
	defer cancel()
	began := time.Now()
	if step.Action == lockplan.Write {
		err = coder.SetCode(calling, p.device, c.slotFor(step.Slot, l.limits))
	} else {
		err = coder.ClearCode(calling, p.device, step.Slot)
	}
	p.written = time.Now()
	if calling.Err() != nil || errors.Is(err, device.ErrClosed) {
		sleep(h.ctx, time.Until(began.Add(h.s.callTimeout))) // the lock may work on it for so long
	}
	if h.ended() {
		return lease.ErrLost
	}
	slots, reading := p.readSlots(ctx, c.account, step.Slot)
	if reading != nil {
		p.slots = nil
		return p.fail(ctx, l, []*lockCode{c}, errors.Join(err, reading))
	}
	for _, s := range slots {
		p.replace(s)
		if s.Index == step.Slot {
			return p.called(ctx, coder, l, c, step, before, s, err)
		}
	}
	return p.failCode(ctx, c, fmt.Errorf("the driver did not return slot %d", step.Slot))
}

// replace stores a slot that was read again.
func (p *program) replace(s device.Slot) {
	for i := range p.slots {
		if p.slots[i].Index == s.Index {
			p.slots[i] = s
		}
	}
}

// slotFor returns what must be written into a slot.
func (c *lockCode) slotFor(index int, limits *device.CodeLimits) device.Slot {
	s := device.Slot{Index: index, PIN: c.PIN}
	if limits != nil && limits.NameLength > 0 {
		s.Name = codeName(c.ID, limits.NameLength)
	}
	if limits != nil && limits.NativeSchedule {
		s.StartsAt, s.EndsAt = c.StartsAt, c.EndsAt
		if now := time.Now(); slices.Contains(limits.Constraints, device.StartInFuture) && !s.StartsAt.After(now) {
			s.StartsAt = now.Add(lockplan.StartMargin / 2).Truncate(time.Second)
		}
	}
	return s
}

// called evaluates a call whose slot was read back. before is the slot as it was read last before the call.
func (p *program) called(ctx context.Context, coder device.Coder, l *lock, c *lockCode, step lockplan.Step, before, now device.Slot, err error) error {
	var rejected *device.RejectedError
	shown := now.Occupied() && (now.PIN.IsZero() || now.PIN == c.PIN)
	switch {
	case step.Action == lockplan.Clear:
		if now.Occupied() {
			return p.failCode(ctx, c, notShown(err, "the lock still shows a code in its slot"))
		}
		if err != nil {
			return p.failCode(ctx, c, err) // what the lock shows can be old
		}
		p.succeeded()
		return p.cleared(ctx, c, l.limits, p.used(l))
	case errors.As(err, &rejected):
		return p.rejected(ctx, l, c, step.Slot, rejected)
	case err == nil && !before.Occupied() && now.Occupied() && !shown:
		// The driver shows the PIN in another form. The code is ours, so it does not stay.
		if err := p.clearAgain(ctx, coder, step.Slot); err != nil {
			return p.failCode(ctx, c, err)
		}
		return p.failCode(ctx, c, errors.New("the lock shows another PIN than the one that it was given"))
	case !shown:
		return p.failCode(ctx, c, notShown(err, "the lock does not show the code in its slot"))
	case err != nil && before.Occupied() && !sameTimes(now, c.slotFor(step.Slot, l.limits)):
		return p.failCode(ctx, c, err) // the slot had this PIN before
	case err == nil || now.PIN == c.PIN:
		p.succeeded()
		p.acked[c.ID] = c.fingerprint()
	}
	return nil
}

// sameTimes reports whether a slot shows the times that it was given. Some locks show no times, which proves nothing.
func sameTimes(shown, given device.Slot) bool {
	if shown.StartsAt.IsZero() && shown.EndsAt.IsZero() {
		return given.StartsAt.IsZero() && given.EndsAt.IsZero()
	}
	return shown.StartsAt.Equal(given.StartsAt) && shown.EndsAt.Equal(given.EndsAt)
}

// clearAgain clears a slot that this program has written.
func (p *program) clearAgain(ctx context.Context, coder device.Coder, slot int) error {
	calling, cancel := context.WithTimeout(p.h.ctx, p.h.s.callTimeout)
	defer cancel()
	err := coder.ClearCode(calling, p.device, slot)
	p.written = time.Now()
	p.replace(device.Slot{Index: slot, State: device.SlotEmpty})
	if err != nil {
		p.slots = nil
	}
	return err
}

// succeeded records that the lock has carried out a call.
func (p *program) succeeded() {
	p.inRow = 0
	p.h.breaker(p.device).succeeded()
}

// notShown returns the error of a call, or one that says what the lock showed afterwards.
func notShown(err error, text string) error {
	if err == nil || errors.Is(err, device.ErrUnconfirmed) {
		return errors.New(text)
	}
	return err
}
