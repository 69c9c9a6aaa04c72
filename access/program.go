package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

const (
	maxPrograms   = 8                      // locks of an account at a provider that are read or written at the same time
	maxCalls      = 4                      // for a code in a run before it counts as failing
	maxNewPINs    = 5                      // PINs that are chosen for a code in a run before it counts as failing
	maxInRow      = 5                      // codes that fail one after another before the lock counts as failing
	waitPause     = 5 * time.Minute        // before a code that waits for a slot, or for the end of another code, is tried again
	writePause    = 200 * time.Millisecond // between two writes to a lock
	busyPause     = 100 * time.Millisecond // while a program waits for its turn
	stuckPause    = time.Minute            // before a code is looked at again that needs nothing now, although it is due
	orphanIdle    = time.Minute            // after which the connection to a deleted account is closed
	maxDueEntries = 1000                   // that one pass reads for an account
)

// errNoConnection is wrapped by the errors of accounts without a connection, which say nothing about the lock.
var errNoConnection = errors.New("there is no connection to the account")

// errProgrammed is returned when a lock holds what it should, or when nothing more can be done now.
var errProgrammed = errors.New("access: the lock is programmed")

// program makes one lock hold the codes that it should hold. It compares the stored codes with those that the lock shows, carries out
// the first difference, reads the slot back and compares again. Everything that it needs after a restart is stored before the lock is
// called. It never acts on a failed read.
type program struct {
	h      *holder
	device string // external id
	verify bool   // read the lock even if no code is due
	retry  bool   // ignore the pauses after failures, because the lock or its account has returned

	slots   []device.Slot        // as the lock shows them; nil until they were read
	emptied map[uuid.UUID]bool   // codes whose slots the lock has acknowledged to be cleared
	acked   map[uuid.UUID]string // what the lock has acknowledged or shown, see fingerprint
	failed  map[uuid.UUID]bool   // codes that are not tried again in this run
	calls   map[uuid.UUID]int    // that wrote or cleared the slot of a code in this run
	newPINs map[uuid.UUID]int    // that were chosen for a code in this run
	inRow   int                  // codes that have failed since the last success
	written time.Time            // of the last write
	certain bool                 // no call of an earlier holder can change the lock any more
	turn    bool                 // it counts towards maxPrograms
}

// step does the next thing, and reports whether the program has ended. Between two steps, commands to the lock are carried out.
func (p *program) step(ctx context.Context) (done bool) {
	err := p.next(ctx)
	if err == nil {
		return false
	}
	p.end()
	if p.verify && p.slots == nil && !errors.Is(err, lease.ErrLost) {
		p.h.verifyLater(p.device) // it could not be read
	}
	if !errors.Is(err, errProgrammed) && !errors.Is(err, lease.ErrLost) && !p.h.ended() && !isGone(err) {
		p.h.s.failed(ctx, "programming the access codes of a lock", err, "provider", p.h.account.provider, "device", device.Label(p.device))
	}
	return true
}

// end lets another program call its lock.
func (p *program) end() {
	if p.turn {
		<-p.h.turns
		p.turn = false
	}
}

// next does the next thing. It returns nil if it must be called again.
func (p *program) next(ctx context.Context) error {
	h := p.h
	if h.ended() {
		return lease.ErrLost
	}
	waiting, stop := h.untilStopped(ctx)
	defer stop()
	if !p.takeTurn(waiting) {
		return nil
	}
	l, err := h.readLock(waiting, p.device)
	if err != nil {
		return err
	}
	now := h.s.now()
	if changed, err := p.dropUnwritten(waiting, l, now); err != nil || changed {
		return err
	}
	work, written := p.work(l, now)
	switch {
	case len(work) == 0 && !(p.verify && written):
		return p.finish(waiting, l, nil, now)
	case !p.retry && !h.breaker(p.device).open(now).IsZero():
		return p.postpone(waiting, work, h.breaker(p.device).open(now))
	case p.inDoubt(l):
		sleep(waiting, busyPause)
		return nil
	}
	if p.slots == nil {
		if err := p.read(waiting, l, work); err != nil {
			return p.fail(waiting, l, work, err)
		}
	}
	return p.carryOut(waiting, l, now)
}

// work returns the codes for which the lock must be called, and reports whether the lock may hold any code.
func (p *program) work(l *lock, now time.Time) (work []*lockCode, written bool) {
	for _, c := range l.codes {
		onLock := c.Slot != 0
		written = written || onLock
		if p.failed[c.ID] || p.pauses(c, now) {
			continue
		}
		if due := c.Due(now); due && (c.State != lockplan.Set || c.Changed || c.ClearFirst) || !due && onLock || c.unopened != nil {
			work = append(work, c)
		}
	}
	return work, written
}

// pauses reports whether a code is not tried now, because it has failed before. A code that waits for a slot, or for the end of another
// code, is tried whenever the lock is programmed.
func (p *program) pauses(c *lockCode, now time.Time) bool {
	if p.retry || !c.details.RetryAt.After(now) {
		return false
	}
	if c.removal != nil { // a removal is due at once, although its code has failed before
		return c.removal.DueAt.After(now)
	}
	return c.details.Error == nil || c.details.Error.Type != CodeNoSpace && c.details.Error.Type != CodeDuplicate
}

// inDoubt reports whether a call of an earlier holder may still change the lock.
func (p *program) inDoubt(l *lock) bool {
	p.certain = p.certain || time.Since(p.h.since) >= p.h.s.callTimeout || !slices.ContainsFunc(l.codes, func(c *lockCode) bool {
		return c.Slot != 0 && c.State != lockplan.Set
	})
	return !p.certain
}

// takeTurn reports whether the program may call the lock. Otherwise it waits a little, so that commands do not wait for other locks.
func (p *program) takeTurn(ctx context.Context) bool {
	if p.turn {
		return true
	}
	select {
	case p.h.turns <- struct{}{}:
		p.turn = true
	default:
		sleep(ctx, busyPause)
	}
	return p.turn
}

// read reads all slots of the lock with the first connection that works.
func (p *program) read(ctx context.Context, l *lock, work []*lockCode) (err error) {
	tried := map[uuid.UUID]bool{}
	for _, c := range append(work, l.codes...) {
		if tried[c.account.ID] {
			continue
		}
		tried[c.account.ID] = true
		var slots []device.Slot
		if slots, err = p.readSlots(ctx, c.account); err == nil {
			p.slots = slots
			return nil
		}
	}
	return err
}

// readSlots reads the given slots, or all.
func (p *program) readSlots(ctx context.Context, account stored, indexes ...int) ([]device.Slot, error) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	coder, err := p.h.coder(reading, account)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	return coder.Codes(reading, p.device, indexes...)
}

// carryOut does what the plan says: all conclusions, or else the first call of the lock.
func (p *program) carryOut(ctx context.Context, l *lock, now time.Time) error {
	var limits device.CodeLimits
	if l.limits != nil {
		limits = *l.limits
	}
	var plannable []*lockplan.Code
	of := map[*lockplan.Code]*lockCode{}
	for _, c := range l.codes {
		if acked, ok := p.acked[c.ID]; ok && acked == c.fingerprint() {
			c.Changed = false
		}
		c.Unverified, c.Stuck = c.Unverified && !p.emptied[c.ID], p.failed[c.ID] || p.pauses(c, now)
		switch {
		case c.Slot == 0 && (p.failed[c.ID] || p.pauses(c, now)): // it takes no slot from others
		case c.unopened != nil:
			if !p.failed[c.ID] {
				return p.failCode(ctx, c, c.unopened)
			}
		case l.limits == nil && c.row != nil:
			if !p.failed[c.ID] {
				return p.failCode(ctx, c, fmt.Errorf("%w: it has no access codes any more", device.ErrUnsupported))
			}
		default:
			plannable, of[&c.Code] = append(plannable, &c.Code), c
		}
	}
	var call *lockplan.Step
	var waits []lockplan.Step
	concluded, failures := false, 0
	for _, step := range lockplan.Plan(now, limits, p.slots, plannable) {
		c := of[step.Code]
		if p.failed[c.ID] || p.pauses(c, now) && step.Action != lockplan.Verify && step.Action != lockplan.Gone {
			continue
		}
		switch step.Action {
		case lockplan.Write, lockplan.Clear:
			if call == nil || c.details.Failures < failures { // a code that fails does not keep others off the lock
				call, failures = &step, c.details.Failures
			}
		case lockplan.Wait:
			waits = append(waits, step)
		default:
			concluded = true
			if err := p.conclude(ctx, l, c, step, limits, now); err != nil {
				return err
			}
		}
	}
	switch {
	case concluded:
		return nil
	case call != nil:
		return p.call(ctx, l, of[call.Code], *call)
	}
	return p.finish(ctx, l, waits, now)
}

// fingerprint identifies what a lock must hold for a code.
func (c *lockCode) fingerprint() string {
	if c.row == nil {
		return ""
	}
	return string(c.row.SealedPIN) + c.StartsAt.String() + c.EndsAt.String()
}
