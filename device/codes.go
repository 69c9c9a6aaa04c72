package device

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// SlotState is the state of a [Slot]. The zero value is not a state.
type SlotState string

// The states of a slot. A slot in any state but SlotEmpty is occupied.
const (
	SlotEmpty      SlotState = "empty"      // no code
	SlotKnown      SlotState = "known"      // a code that works, with its PIN
	SlotUnreadable SlotState = "unreadable" // a code; the device does not reveal its PIN, or whether it works
	SlotDisabled   SlotState = "disabled"   // a code that is stored and does not open; the PIN is set if it is readable
)

// Slot is a numbered place for a code in a lock.
type Slot struct {
	// Index is the number of the slot, from 1 to CodeLimits.Slots. A driver for a device that counts from 0, or that
	// names its slots, translates.
	Index int

	State SlotState

	// PIN consists of digits. In a result of [Coder].Codes, it is empty unless State is SlotKnown or SlotDisabled.
	PIN Secret

	// Name is the name of the code, on devices that store names. Other devices ignore it.
	Name string

	// StartsAt and EndsAt are the window of the code, on devices with a native schedule. A zero time is no bound.
	StartsAt time.Time
	EndsAt   time.Time
}

// Occupied reports whether the slot holds a code, readable or not. A slot without a state counts as occupied.
func (s Slot) Occupied() bool { return s.State != SlotEmpty }

// maxLength is the greatest number of digits of a code.
const maxLength = 12

// CodeLimits describes the access codes that a lock accepts.
type CodeLimits struct {
	// Slots is the number of slots, at least 1. Slots are numbered from 1.
	Slots int `json:"slots"`

	// Lengths lists the accepted numbers of digits in ascending order, each from 1 to 12.
	Lengths []int `json:"supported_code_lengths"`

	// Constraints lists the other rules for codes.
	Constraints []Constraint `json:"code_constraints,omitempty"`

	// NameLength is the greatest number of characters in a name, or 0 if the device does not store names.
	NameLength int `json:"name_length,omitempty"`

	// NativeSchedule reports whether the device itself accepts a code only from StartsAt to EndsAt.
	NativeSchedule bool `json:"native_schedule,omitempty"`

	// ReadsPIN reports whether PINs can be read back. Otherwise occupied slots are SlotUnreadable or SlotDisabled.
	ReadsPIN bool `json:"reads_pin,omitempty"`
}

func (l *CodeLimits) check() error {
	if l.Slots < 1 {
		return fmt.Errorf("there are %d slots, but there must be at least 1", l.Slots)
	}
	if len(l.Lengths) == 0 || len(l.Lengths) > maxLength {
		return fmt.Errorf("there are %d lengths, but there must be 1 to %d", len(l.Lengths), maxLength)
	}
	for i, n := range l.Lengths {
		if n < 1 || n > maxLength || i > 0 && n <= l.Lengths[i-1] {
			return fmt.Errorf("the lengths are %v, but must be different, ascending numbers from 1 to %d", l.Lengths, maxLength)
		}
	}
	for i, c := range l.Constraints {
		switch {
		case !c.known():
			return fmt.Errorf("unknown constraint %q", c)
		case slices.Index(l.Constraints, c) != i:
			return fmt.Errorf("constraint %q occurs more than once", c)
		}
	}
	if l.NameLength < 0 {
		return fmt.Errorf("the length of names is %d, but must not be negative", l.NameLength)
	}
	return nil
}

// Check returns [ErrInvalid] for a slot that the device does not have or a PIN that does not consist of digits, a
// [RejectedError] with [RejectedConstraint] if a rule forbids the code, and nil otherwise. It cannot check rules that
// depend on the other codes, on the time or on data in the device: duplicates, [UniqueFirstFourDigits],
// [NameMustBeUnique], [StartInFuture] and [PINMatchesExistingSet]. Its errors do not contain the PIN.
func (l CodeLimits) Check(s Slot) error {
	if err := l.CheckIndex(s.Index); err != nil {
		return err
	}
	switch {
	case !digits(s.PIN.Reveal()):
		return fmt.Errorf("%w: a PIN must consist of the digits 0 to 9", ErrInvalid)
	case !s.StartsAt.IsZero() && !s.EndsAt.IsZero() && !s.StartsAt.Before(s.EndsAt):
		return fmt.Errorf("%w: the code must end after it starts", ErrInvalid)
	case !l.NativeSchedule && (!s.StartsAt.IsZero() || !s.EndsAt.IsZero()):
		return fmt.Errorf("%w: the device has no native schedule, so the code must have no times", ErrInvalid)
	case l.NameLength > 0 && utf8.RuneCountInString(s.Name) > l.NameLength:
		return &RejectedError{Reason: RejectedConstraint, Detail: fmt.Sprintf("the name must have at most %d characters", l.NameLength)}
	}
	return l.CheckPIN(s.PIN)
}

// CheckIndex returns [ErrInvalid] for a slot that the device does not have.
func (l CodeLimits) CheckIndex(slot int) error {
	if slot < 1 || slot > l.Slots {
		return fmt.Errorf("%w: slot %d; the slots are 1 to %d", ErrInvalid, slot, l.Slots)
	}
	return nil
}
