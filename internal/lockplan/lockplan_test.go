package lockplan_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func pin(text string) device.Secret { return device.NewSecret(text) }

// code returns a code from noon to the next noon, which is written an hour before.
func code(n byte, text string) *lockplan.Code {
	return &lockplan.Code{
		ID: uuid.UUID{n}, PIN: pin(text), StartsAt: noon, EndsAt: noon.Add(24 * time.Hour), WriteAt: noon.Add(-time.Hour),
	}
}

func on(c *lockplan.Code, slot int, state lockplan.State) *lockplan.Code {
	c.Slot, c.State = slot, state
	return c
}

var limits = device.CodeLimits{Slots: 3, Lengths: []int{4}, ReadsPIN: true}

// slots returns the slots of a lock. The text "" is an empty slot, "*" an unreadable one, and "!1234" a disabled one.
func slots(texts ...string) (all []device.Slot) {
	for i, text := range texts {
		s := device.Slot{Index: i + 1, State: device.SlotKnown, PIN: pin(text)}
		switch {
		case text == "":
			s = device.Slot{Index: i + 1, State: device.SlotEmpty}
		case text == "*":
			s = device.Slot{Index: i + 1, State: device.SlotUnreadable}
		case text[0] == '!':
			s.State, s.PIN = device.SlotDisabled, pin(text[1:])
		}
		all = append(all, s)
	}
	return all
}

// steps returns the steps as text.
func steps(now time.Time, limits device.CodeLimits, all []device.Slot, codes ...*lockplan.Code) (texts []string) {
	for _, s := range lockplan.Plan(now, limits, all, codes) {
		text := fmt.Sprintf("%s %d in %d", s.Action, s.Code.ID[0], s.Slot)
		if s.Reason != "" {
			text += ": " + string(s.Reason)
		}
		if s.Other != nil {
			text += fmt.Sprintf(" of %d", s.Other.ID[0])
		}
		if s.OtherSlot != 0 {
			text += fmt.Sprintf(" in %d", s.OtherSlot)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestPlan_CodeWithoutSlot(t *testing.T) {
	t.Parallel()
	empty := slots("", "", "")
	require.Empty(t, steps(noon.Add(-time.Hour-1), limits, empty, code(1, "1234")), "before its time")
	require.Equal(t, []string{"write 1 in 1"}, steps(noon.Add(-time.Hour), limits, empty, code(1, "1234")))
	require.Equal(t, []string{"gone 1 in 0"}, steps(noon.Add(24*time.Hour), limits, empty, code(1, "1234")), "at its end")
	require.Equal(t, []string{"write 1 in 3"}, steps(noon, limits, slots("7777", "*", ""), code(1, "1234")), "unmanaged and unreadable slots are occupied")
	require.Equal(t, []string{"wait 1 in 0: no_space"}, steps(noon, limits, slots("7777", "*", "8888"), code(1, "1234")))
	require.Equal(t, []string{"wait 1 in 0: no_space"}, steps(noon, limits, slots("7777", "8888"), code(1, "1234")), "a slot that was not read is not free")
}

func TestPlan_SeveralCodes_EarlierStartFirst(t *testing.T) {
	t.Parallel()
	early, late := code(2, "2222"), code(1, "1111")
	early.StartsAt = noon.Add(-time.Minute)
	require.Equal(t, []string{"write 2 in 1", "write 1 in 2"}, steps(noon, limits, slots("", "", ""), late, early))
	require.Equal(t, []string{"write 2 in 2", "wait 1 in 0: no_space"}, steps(noon, limits, slots("9999", "", "9998"), late, early))
}

func TestPlan_ClaimedSlotIsEmpty_IsNotGivenToAnother(t *testing.T) {
	t.Parallel()
	claimed := on(code(1, "1111"), 1, lockplan.Set)
	require.Equal(t, []string{"write 1 in 1: removed", "write 2 in 2"}, steps(noon, limits, slots("", "", ""), claimed, code(2, "2222")))
}

func TestPlan_CodeIsBeingSet(t *testing.T) {
	t.Parallel()
	setting := func() *lockplan.Code { return on(code(1, "1234"), 2, lockplan.Setting) }
	require.Equal(t, []string{"write 1 in 2"}, steps(noon, limits, slots("", "", ""), setting()))
	require.Equal(t, []string{"verify 1 in 2"}, steps(noon, limits, slots("", "1234", ""), setting()))
	require.Equal(t, []string{"verify 1 in 2: unreadable"}, steps(noon, limits, slots("", "*", ""), setting()))
	require.Equal(t, []string{"write 1 in 2: disabled"}, steps(noon, limits, slots("", "!1234", ""), setting()))
	require.Equal(t, []string{"release 1 in 2"}, steps(noon, limits, slots("", "4321", ""), setting()), "somebody was faster")
	beyond := on(code(1, "1234"), 7, lockplan.Set)
	require.Equal(t, []string{"release 1 in 7"}, steps(noon, limits, slots("", "", ""), beyond), "the lock has fewer slots than before")
	beyond.Ended = true
	require.Equal(t, []string{"gone 1 in 7"}, steps(noon, limits, slots("", "", ""), beyond))
	changed := setting()
	changed.Changed = true
	require.Equal(t, []string{"release 1 in 2"}, steps(noon, limits, slots("", "4321", ""), changed), "somebody was faster")
	require.Equal(t, []string{"write 1 in 2"}, steps(noon, limits, slots("", "1234", ""), changed), "with its old times")
	changed.ClearFirst = true
	require.Equal(t, []string{"release 1 in 2"}, steps(noon, limits, slots("", "4321", ""), changed))
	require.Equal(t, []string{"clear 1 in 2: modified"}, steps(noon, limits, slots("", "*", ""), changed))
	require.Equal(t, []string{"clear 1 in 2: modified"}, steps(noon, limits, slots("", "", ""), changed), "before it gets another PIN")
}

func TestPlan_CodeIsSet(t *testing.T) {
	t.Parallel()
	set := func() *lockplan.Code { return on(code(1, "1234"), 2, lockplan.Set) }
	require.Empty(t, steps(noon, limits, slots("", "1234", ""), set()))
	require.Empty(t, steps(noon, limits, slots("", "*", ""), set()), "nothing is known")
	require.Equal(t, []string{"write 1 in 2: removed"}, steps(noon, limits, slots("", "", ""), set()))
	require.Equal(t, []string{"write 1 in 2: modified"}, steps(noon, limits, slots("", "4321", ""), set()))
	require.Equal(t, []string{"write 1 in 2: disabled"}, steps(noon, limits, slots("", "!1234", ""), set()))
	again := set()
	again.State, again.Edited = lockplan.Setting, true
	require.Equal(t, []string{"write 1 in 2: modified"}, steps(noon, limits, slots("", "4321", ""), again), "after the first attempt to repair it")
	changed := set()
	changed.Changed = true
	require.Equal(t, []string{"write 1 in 2: modified"}, steps(noon, limits, slots("", "4321", ""), changed), "with other times")
}

func TestPlan_CodeIsOver(t *testing.T) {
	t.Parallel()
	for _, state := range []lockplan.State{lockplan.Setting, lockplan.Set, lockplan.Removing} {
		over := func() *lockplan.Code {
			c := on(code(1, "1234"), 2, state)
			c.Ended = true
			return c
		}
		require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, slots("", "1234", ""), over()))
		require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, slots("", "!1234", ""), over()))
		require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, slots("", "*", ""), over()))
		require.Equal(t, []string{"gone 1 in 2"}, steps(noon, limits, slots("", "", ""), over()))
		require.Equal(t, []string{"gone 1 in 2: modified"}, steps(noon, limits, slots("", "4321", ""), over()), "the code of somebody else")
		unverified := over()
		unverified.Unverified = true
		require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, slots("", "", ""), unverified), "what the lock shows may be old")
		require.Equal(t, []string{"gone 1 in 2: modified"}, steps(noon, limits, slots("", "4321", ""), unverified), "the code of somebody else")
	}
	foreign := on(code(1, ""), 2, lockplan.Removing)
	foreign.PIN, foreign.Ended = device.Secret{}, true
	lock := slots("", "*", "")
	lock[1].Name = "Cleaner"
	foreign.Shown = lockplan.Fingerprint(foreign.ID, "Cleaner", time.Time{}, time.Time{})
	require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, lock, foreign))
	lock[1].State, lock[1].PIN = device.SlotKnown, pin("4321")
	require.Equal(t, []string{"clear 1 in 2"}, steps(noon, limits, lock, foreign), "its PIN was hidden before")
	lock[1].Name = "Owner"
	require.Equal(t, []string{"gone 1 in 2: modified"}, steps(noon, limits, lock, foreign))
	lock[1].Name, lock[1].EndsAt = "Cleaner", noon
	require.Equal(t, []string{"gone 1 in 2: modified"}, steps(noon, limits, lock, foreign))
	moved := on(code(1, "1234"), 2, lockplan.Set)
	require.Equal(t, []string{"clear 1 in 2"}, steps(noon.Add(-2*time.Hour), limits, slots("", "1234", ""), moved), "the stay was moved to a later time")
}

func TestPlan_CodeIsNeededAgainWhileItIsRemoved(t *testing.T) {
	t.Parallel()
	again := func() *lockplan.Code { return on(code(1, "1234"), 2, lockplan.Removing) }
	require.Equal(t, []string{"write 1 in 2"}, steps(noon, limits, slots("", "1234", ""), again()), "what the lock shows may be older than the clear")
	require.Equal(t, []string{"write 1 in 2"}, steps(noon, limits, slots("", "", ""), again()))
	require.Equal(t, []string{"release 1 in 2"}, steps(noon, limits, slots("", "4321", ""), again()), "somebody was faster")
}

func TestPlan_SamePIN(t *testing.T) {
	t.Parallel()
	one, two := on(code(1, "1234"), 1, lockplan.Set), code(2, "1234")
	require.Equal(t, []string{"new_pin 2 in 2: duplicate of 1"}, steps(noon, limits, slots("1234", "", ""), one, two))
	require.Equal(t, []string{"write 3 in 1", "new_pin 4 in 2: duplicate of 3"}, steps(noon, limits, slots("", "", ""), code(3, "1234"), code(4, "1234")))

	two.StartsAt, two.EndsAt = one.EndsAt, one.EndsAt.Add(24*time.Hour)
	before := two.StartsAt.Add(-time.Minute)
	require.Equal(t, []string{"wait 2 in 2: duplicate of 1"}, steps(before, limits, slots("1234", "", ""), one, two), "until the other one ends")
	require.Equal(t, []string{"clear 1 in 1", "wait 2 in 2: duplicate of 1"}, steps(two.StartsAt, limits, slots("1234", "", ""), one, two))
	one.Stuck = true
	require.Equal(t, []string{"clear 1 in 1", "new_pin 2 in 2: duplicate of 1"}, steps(two.StartsAt, limits, slots("1234", "", ""), one, two))
	require.Equal(t, []string{"wait 2 in 2: duplicate of 1"}, steps(before, limits, slots("1234", "", ""), one, two), "it has not ended yet")

	require.Equal(t, []string{"new_pin 5 in 1: duplicate in 3"}, steps(noon, limits, slots("", "", "1234"), code(5, "1234")), "an unmanaged code")
	unique := limits
	unique.Lengths, unique.Constraints = []int{4, 6}, []device.Constraint{device.UniqueFirstFourDigits}
	require.Equal(t, []string{"new_pin 6 in 1: duplicate in 2"}, steps(noon, unique, slots("", "1234", ""), code(6, "123456")))
}

func TestPlan_ConstraintForbidsPIN(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"new_pin 1 in 1: constraint"}, steps(noon, limits, slots("", "", ""), code(1, "123456")))
}

func TestPlan_NativeSchedule_TimesDiffer(t *testing.T) {
	t.Parallel()
	native := limits
	native.NativeSchedule = true
	c := on(code(1, "1234"), 1, lockplan.Set)
	lock := slots("1234", "", "")
	require.Empty(t, steps(noon, native, lock, c), "a lock that does not show times")
	lock[0].StartsAt, lock[0].EndsAt = c.StartsAt, c.EndsAt
	require.Empty(t, steps(noon, native, lock, c))
	lock[0].EndsAt = c.EndsAt.Add(time.Hour)
	require.Equal(t, []string{"write 1 in 1: modified"}, steps(noon, native, lock, c))
}

// TestPlan_RandomLock drives a lock whose calls fail, are lost, or take effect without an answer, whose codes are changed by hand,
// and whose caller stops between any two steps. At quiet moments the lock holds exactly the codes that belong on it.
func TestPlan_RandomLock(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		for seed := range uint64(300) {
			newRig(t, seed, reads).run()
		}
	}
}

// rig is a lock, and the codes as they are stored.
type rig struct {
	*testing.T
	*rand.Rand
	seed    uint64
	limits  device.CodeLimits
	now     time.Time
	lock    map[int]string // PINs by slot
	foreign map[int]string // the slots that the library did not write
	codes   []*lockplan.Code
	inUse   map[uuid.UUID]int // the slots of codes that were set
	made    uint64
}

func newRig(t *testing.T, seed uint64, reads bool) *rig {
	return &rig{
		T: t, Rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, now: noon, lock: map[int]string{}, foreign: map[int]string{}, inUse: map[uuid.UUID]int{},
		limits: device.CodeLimits{Slots: 4, Lengths: []int{4}, ReadsPIN: reads},
	}
}

func (r *rig) run() {
	for range 60 {
		r.now = r.now.Add(time.Duration(r.IntN(120)) * time.Minute)
		r.change()
		for range r.IntN(6) {
			r.step(true)
		}
		if r.IntN(3) == 0 {
			r.settle()
		}
	}
}

// freshPIN returns a PIN that was not used before.
func (r *rig) freshPIN() string {
	r.made++
	return fmt.Sprintf("%04d", r.made)
}

// change makes, moves or ends a code, or changes the lock by hand.
func (r *rig) change() {
	switch r.IntN(6) {
	case 0, 1:
		c := &lockplan.Code{PIN: pin(r.freshPIN()), StartsAt: r.now.Add(time.Duration(r.IntN(300)) * time.Minute)}
		if others := len(r.codes); others > 0 && r.IntN(5) == 0 {
			c.PIN = r.codes[r.IntN(others)].PIN
		}
		binary.BigEndian.PutUint64(c.ID[:], r.made)
		binary.BigEndian.PutUint64(c.ID[8:], r.Uint64())
		c.EndsAt, c.WriteAt = c.StartsAt.Add(time.Duration(1+r.IntN(600))*time.Minute), c.StartsAt.Add(-time.Hour)
		r.codes = append(r.codes, c)
	case 2:
		if len(r.codes) > 0 {
			c := r.codes[r.IntN(len(r.codes))]
			c.Ended = true
		}
	case 3:
		if len(r.codes) > 0 {
			c := r.codes[r.IntN(len(r.codes))]
			c.StartsAt = c.StartsAt.Add(time.Duration(r.IntN(400)-200) * time.Minute)
			c.EndsAt, c.WriteAt = c.StartsAt.Add(time.Duration(1+r.IntN(600))*time.Minute), c.StartsAt.Add(-time.Hour)
		}
	case 4:
		if slot := 1 + r.IntN(r.limits.Slots); r.lock[slot] == "" && !r.claimed(slot) {
			text := r.freshPIN()
			r.lock[slot], r.foreign[slot] = text, text
		} else if r.foreign[slot] != "" {
			delete(r.lock, slot)
			delete(r.foreign, slot)
		}
	case 5:
		if slot := 1 + r.IntN(r.limits.Slots); r.foreign[slot] == "" && r.limits.ReadsPIN {
			delete(r.lock, slot) // the lock forgets a code
		}
	}
}

func (r *rig) claimed(slot int) bool {
	for _, c := range r.codes {
		if c.Slot == slot {
			return true
		}
	}
	return false
}

func (r *rig) read() (all []device.Slot) {
	for index := 1; index <= r.limits.Slots; index++ {
		s := device.Slot{Index: index, State: device.SlotEmpty}
		if text := r.lock[index]; text != "" && r.limits.ReadsPIN {
			s.State, s.PIN = device.SlotKnown, pin(text)
		} else if text != "" {
			s.State = device.SlotUnreadable
		}
		all = append(all, s)
	}
	return all
}

// step carries out the first step that is no Wait, and reports whether there was one. With faults, calls may be lost.
func (r *rig) step(faults bool) bool {
	for _, s := range lockplan.Plan(r.now, r.limits, r.read(), r.codes) {
		c := s.Code
		lost := faults && r.IntN(4) == 0
		switch s.Action {
		case lockplan.Wait:
			continue
		case lockplan.Write:
			c.Slot, c.State = s.Slot, lockplan.Setting
			if lost && r.IntN(2) == 0 {
				return true // stopped before the call
			}
			require.Empty(r, r.foreign[s.Slot], "seed %d: a slot of somebody else is written", r.seed)
			r.lock[s.Slot] = c.PIN.Reveal()
			if !lost {
				c.Changed, c.ClearFirst = false, false
			}
		case lockplan.Clear:
			require.Empty(r, r.foreign[s.Slot], "seed %d: a slot of somebody else is cleared", r.seed)
			if c.Over(r.now) {
				c.State = lockplan.Removing
			}
			if !lost || r.IntN(2) == 0 {
				delete(r.lock, s.Slot)
			}
		case lockplan.Verify:
			c.State = lockplan.Set
		case lockplan.Gone:
			c.Slot, c.State = 0, lockplan.Unset
			if c.Over(r.now) {
				r.codes = r.without(c)
			}
		case lockplan.Release:
			c.Slot, c.State = 0, lockplan.Unset
		case lockplan.NewPIN:
			c.PIN = pin(r.freshPIN())
			c.Changed = c.Slot != 0 && c.State != lockplan.Unset
			c.ClearFirst = c.Changed && !r.limits.ReadsPIN
		}
		if c.State == lockplan.Set && c.Due(r.now) {
			before, was := r.inUse[c.ID]
			require.True(r, !was || before == c.Slot, "seed %d: a needed code changed its slot", r.seed)
			r.inUse[c.ID] = c.Slot
		} else if !c.Due(r.now) {
			delete(r.inUse, c.ID)
		}
		return true
	}
	return false
}

func (r *rig) without(gone *lockplan.Code) (rest []*lockplan.Code) {
	for _, c := range r.codes {
		if c != gone {
			rest = append(rest, c)
		}
	}
	return rest
}

// settle carries out all steps without faults, and compares the lock with the codes.
func (r *rig) settle() {
	for n := 0; r.step(false); n++ {
		require.Less(r, n, 500, "seed %d: the plan never ends", r.seed)
	}
	want := map[int]string{}
	for slot, text := range r.foreign {
		want[slot] = text
	}
	waiting := 0
	for _, c := range r.codes {
		if !c.Due(r.now) {
			require.False(r, c.Slot != 0, "seed %d: a code that does not belong on the lock has a slot", r.seed)
			continue
		}
		if c.Slot == 0 {
			waiting++
			continue
		}
		require.Equal(r, lockplan.Set, c.State, "seed %d", r.seed)
		want[c.Slot] = c.PIN.Reveal()
	}
	require.Equal(r, want, r.lock, "seed %d", r.seed)
	if free := r.limits.Slots - len(want); waiting > 0 && free > 0 {
		for _, s := range lockplan.Plan(r.now, r.limits, r.read(), r.codes) {
			require.Equal(r, lockplan.Wait, s.Action, "seed %d", r.seed)
			require.Equal(r, lockplan.Duplicate, s.Reason, "seed %d: a code waits although a slot is free", r.seed)
		}
	}
}
