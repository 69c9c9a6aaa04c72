// Package lockplan decides which access codes of one lock must be written, cleared or verified. It does no I/O: the caller reads
// the slots of the lock, calls [Plan], carries out the first step that calls the device, and reads the slot again.
//
// # Rules
//
//   - A code is on the lock from its WriteAt to its EndsAt, and at no other time. Codes that start earlier are written first.
//   - A slot that no code claims is never written or cleared, unless it is empty. A slot whose content cannot be read is occupied.
//   - A slot stays claimed until the lock has shown that it no longer holds the code. A needed code never changes its slot.
//   - A code is set only after the lock has shown it, or shown that its slot is occupied if the lock hides PINs.
package lockplan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/device"
)

// State is the state of a code on its lock, as the library last stored it.
type State byte

// The states of a code. The numbers are stored, so they must not change.
const (
	Unset    State = 0 // not on the lock
	Setting  State = 1 // about to be written: the lock may hold it
	Set      State = 2 // the lock has shown it
	Removing State = 3 // about to be cleared: the lock may hold it
)

// Code is an access code that belongs on the lock, or a removal.
type Code struct {
	ID    uuid.UUID
	PIN   device.Secret
	Name  string // for locks that store names
	Slot  int    // the claimed slot, or 0
	State State

	StartsAt time.Time // zero if the code has always been valid
	EndsAt   time.Time // zero if the code does not end
	WriteAt  time.Time // when it is written at the earliest; not after StartsAt

	// Ended is set if the access has ended, whatever the times say.
	Ended bool

	// Changed is set if the name or the times have changed since the last write that the lock acknowledged. The lock may hold the code
	// in its old form.
	Changed bool

	// ClearFirst is set if the code gets another PIN as soon as the lock does not hold it any more. PIN is the one that the lock may
	// hold.
	ClearFirst bool

	// Unverified is set if the code was or may have been written and the lock has neither shown it nor acknowledged that its slot was
	// cleared since. What the lock shows can be older than the write, so an empty slot proves nothing.
	Unverified bool

	// Edited is set while the code is written again because somebody has changed it on the lock. Its slot does not belong to somebody
	// else, although it shows another PIN.
	Edited bool

	// Shown is the [Fingerprint] of a code of somebody else that a caller wants to be removed. It is nil for other codes.
	Shown []byte

	// Stuck is set if clearing the code has failed and is not tried again now. Other codes do not wait for its end.
	Stuck bool
}

// Over reports whether the code does not belong on the lock any more.
func (c *Code) Over(now time.Time) bool {
	return c.Ended || !c.EndsAt.IsZero() && !now.Before(c.EndsAt)
}

// Due reports whether the code belongs on the lock.
func (c *Code) Due(now time.Time) bool { return !c.Over(now) && !now.Before(c.WriteAt) }

// onLock reports whether the lock may hold the code.
func (c *Code) onLock() bool { return c.Slot != 0 && c.State != Unset }

// Action is an operation on a code.
type Action string

// The actions of a Step. Write and Clear call the device. The others are conclusions from its slots.
const (
	Write   Action = "write"   // store that the code claims Slot and is Setting, then write it
	Clear   Action = "clear"   // clear Slot
	Verify  Action = "verify"  // the lock holds the code: it is Set
	Gone    Action = "gone"    // the lock does not hold the code, which does not belong there: it has no slot and is Unset
	Release Action = "release" // Slot holds a code of someone else: the code has no slot and is Unset
	NewPIN  Action = "new_pin" // the lock cannot hold this PIN: choose another one
	Wait    Action = "wait"    // the code is due but cannot be written now
)

// Reason explains a step.
type Reason string

// The reasons of steps.
const (
	NoSpace    Reason = "no_space"   // Wait: no slot is free
	Duplicate  Reason = "duplicate"  // NewPIN or Wait: another code on the lock has the same PIN
	Constraint Reason = "constraint" // NewPIN: a rule of the lock forbids the PIN
	Removed    Reason = "removed"    // Write: somebody removed the code from the lock
	Modified   Reason = "modified"   // Write: somebody changed the code on the lock
	Disabled   Reason = "disabled"   // Write: the lock holds the code, but it does not open
	Unreadable Reason = "unreadable" // Verify: the lock hides the PIN
)

// Step is one thing to do.
type Step struct {
	Action Action
	Code   *Code
	Slot   int // of Write, Clear, Verify and Release
	Reason Reason

	// Other is the code of the library that has the same PIN, with the reason Duplicate. It is nil if the PIN is in a slot that
	// the library did not write; OtherSlot is that slot.
	Other     *Code
	OtherSlot int
}

// CallsDevice reports whether the step writes to the lock.
func (s Step) CallsDevice() bool { return s.Action == Write || s.Action == Clear }

// Plan returns the steps for the codes of a lock, in the order in which they should be done: removals, repairs, and then new codes,
// of which the earliest comes first. slots must contain all slots of the lock. A code that needs nothing has no step.
//
// The steps are decided from one reading. After a step that calls the device, the caller must read its slot and call Plan again.
func Plan(now time.Time, limits device.CodeLimits, slots []device.Slot, codes []*Code) []Step {
	p := &plan{now: now, limits: limits, slots: map[int]device.Slot{}, claims: map[int]*Code{}, sameFirst: map[string][]int{}, codes: slices.Clone(codes)}
	for _, s := range slots {
		p.slots[s.Index] = s
		if readable(s) {
			p.sameFirst[first(s.PIN)] = append(p.sameFirst[first(s.PIN)], s.Index)
		}
	}
	slices.SortFunc(p.codes, func(a, b *Code) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), slices.Compare(a.ID[:], b.ID[:]))
	})
	for _, c := range p.codes {
		if c.Slot != 0 {
			p.claim(c.Slot, c)
		}
	}
	for _, c := range p.codes {
		if c.Over(now) || c.onLock() && !c.Due(now) {
			p.remove(c)
		}
	}
	for _, c := range p.codes {
		if c.Due(now) && c.onLock() {
			p.keep(c)
		}
	}
	for _, c := range p.codes {
		if c.Due(now) && !c.onLock() {
			p.place(c)
		}
	}
	return p.steps
}

type plan struct {
	now    time.Time
	limits device.CodeLimits
	slots  map[int]device.Slot
	claims map[int]*Code

	sameFirst map[string][]int // slots by the first four digits of what they hold or are claimed for
	codes     []*Code          // in the order of their starts
	steps     []Step
}

func (p *plan) add(s Step) { p.steps = append(p.steps, s) }

// remove clears the slot of a code that is over, unless the lock shows that the slot does not hold the code.
func (p *plan) remove(c *Code) {
	slot, exists := p.slots[c.Slot]
	switch {
	case !c.onLock(), p.beyond(c), !slot.Occupied() && !c.Unverified:
		p.add(Step{Action: Gone, Code: c, Slot: c.Slot})
	case exists && slot.Occupied() && c.differs(slot):
		p.add(Step{Action: Gone, Code: c, Slot: c.Slot, Reason: Modified})
	default:
		p.add(Step{Action: Clear, Code: c, Slot: c.Slot})
	}
}

// differs reports whether an occupied slot shows another code than c. A PIN decides if both are known.
func (c *Code) differs(s device.Slot) bool {
	if readable(s) && !c.PIN.IsZero() {
		return s.PIN != c.PIN
	}
	return c.Shown != nil && !bytes.Equal(c.Shown, Fingerprint(c.ID, s.Name, s.StartsAt, s.EndsAt))
}

// Fingerprint identifies what a lock shows of a code in addition to its PIN. It is short, so that nobody can learn the name from it.
func Fingerprint(id uuid.UUID, name string, starts, ends time.Time) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", id, device.Label(name), starts.UnixNano(), ends.UnixNano()))
	return sum[:4]
}

// beyond reports whether the lock has fewer slots than before, and not the one of the code.
func (p *plan) beyond(c *Code) bool {
	_, exists := p.slots[c.Slot]
	return !exists && p.limits.Slots > 0 && c.Slot > p.limits.Slots
}

// keep compares a code that belongs on the lock with its slot.
func (p *plan) keep(c *Code) {
	slot, exists := p.slots[c.Slot]
	write := func(why Reason) {
		if p.accepts(c, c.Slot) {
			p.add(Step{Action: Write, Code: c, Slot: c.Slot, Reason: why})
		}
	}
	switch {
	case p.beyond(c):
		p.add(Step{Action: Release, Code: c, Slot: c.Slot})
	case !exists: // the reading is not complete
	case slot.Occupied() && readable(slot) && slot.PIN != c.PIN && c.State != Set && !c.Edited:
		p.add(Step{Action: Release, Code: c, Slot: c.Slot}) // it was empty, or was cleared
	case c.ClearFirst:
		p.add(Step{Action: Clear, Code: c, Slot: c.Slot, Reason: Modified})
	case !slot.Occupied() && c.State == Set:
		write(Removed)
	case !slot.Occupied():
		write("")
	case readable(slot) && slot.PIN != c.PIN:
		write(Modified)
	case c.State == Removing, c.Changed: // a clear may have been acknowledged that the lock does not show yet
		write("")
	case !readable(slot) && slot.State == device.SlotDisabled:
		write(Disabled)
	case !readable(slot):
		if c.State != Set {
			p.add(Step{Action: Verify, Code: c, Slot: c.Slot, Reason: Unreadable})
		}
	case slot.State == device.SlotDisabled:
		write(Disabled)
	case p.otherTimes(c, slot):
		write(Modified)
	case c.State != Set:
		p.add(Step{Action: Verify, Code: c, Slot: c.Slot})
	}
}

// place chooses a slot for a code that is not on the lock.
func (p *plan) place(c *Code) {
	slot := c.Slot
	if slot == 0 || p.slots[slot].Occupied() || p.claims[slot] != c {
		if slot = p.free(); slot == 0 {
			p.add(Step{Action: Wait, Code: c, Reason: NoSpace})
			return
		}
	}
	if p.accepts(c, slot) {
		p.claim(slot, c)
		p.add(Step{Action: Write, Code: c, Slot: slot})
	}
}

// free returns the lowest slot that is empty and not claimed, or 0.
func (p *plan) free() int {
	for index := 1; index <= p.limits.Slots; index++ {
		slot, known := p.slots[index]
		if known && !slot.Occupied() && p.claims[index] == nil {
			return index
		}
	}
	return 0
}

// accepts reports whether the lock can hold the code in a slot. If it cannot, accepts adds the step that says why.
func (p *plan) accepts(c *Code, slot int) bool {
	if p.limits.CheckPIN(c.PIN) != nil {
		p.add(Step{Action: NewPIN, Code: c, Slot: slot, Reason: Constraint})
		return false
	}
	for _, index := range p.sameFirst[first(c.PIN)] {
		other := p.claims[index]
		if other == nil || other == c || !p.collide(c.PIN, other.PIN) {
			continue
		}
		step := Step{Action: NewPIN, Code: c, Slot: slot, Reason: Duplicate, Other: other}
		if over := other.Over(p.now); over && !other.Stuck || !over && !other.EndsAt.IsZero() && !other.EndsAt.After(c.StartsAt) {
			step.Action = Wait // the other one is gone before this one starts
		}
		p.add(step)
		return false
	}
	for _, index := range p.sameFirst[first(c.PIN)] {
		if s := p.slots[index]; index != slot && p.claims[index] == nil && readable(s) && p.collide(c.PIN, s.PIN) {
			p.add(Step{Action: NewPIN, Code: c, Slot: slot, Reason: Duplicate, OtherSlot: index})
			return false
		}
	}
	return true
}

// first returns the first four digits of a PIN.
func first(pin device.Secret) string {
	text := pin.Reveal()
	return text[:min(4, len(text))]
}

// claim records that a slot belongs to a code.
func (p *plan) claim(slot int, c *Code) {
	p.claims[slot] = c
	p.sameFirst[first(c.PIN)] = append(p.sameFirst[first(c.PIN)], slot)
}

// collide reports whether the lock cannot hold two codes with these PINs.
func (p *plan) collide(a, b device.Secret) bool {
	if a == b {
		return true
	}
	x, y := a.Reveal(), b.Reveal()
	return slices.Contains(p.limits.Constraints, device.UniqueFirstFourDigits) && len(x) >= 4 && len(y) >= 4 && x[:4] == y[:4]
}

// otherTimes reports whether a slot of a lock with a native schedule shows other times than those of the code. Some locks accept
// times and do not show them.
func (p *plan) otherTimes(c *Code, s device.Slot) bool {
	if !p.limits.NativeSchedule || s.StartsAt.IsZero() && s.EndsAt.IsZero() {
		return false
	}
	begun := !c.StartsAt.After(p.now) && !s.StartsAt.After(p.now.Add(StartMargin)) // the exact start does not matter any more
	return !begun && differ(s.StartsAt, c.StartsAt) || differ(s.EndsAt, c.EndsAt)
}

// StartMargin is the time in which the start of a code that should have begun may still be.
const StartMargin = 2 * time.Minute

// differ reports whether two times are not the same minute, which is as exact as many locks are.
func differ(a, b time.Time) bool {
	return a.IsZero() != b.IsZero() || a.Sub(b).Abs() >= time.Minute
}

// readable reports whether a slot shows its PIN.
func readable(s device.Slot) bool {
	return (s.State == device.SlotKnown || s.State == device.SlotDisabled) && !s.PIN.IsZero()
}
