package codeproofs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// bug is a fault planted in a toy.
type bug string

// toy is a small system without concurrency that knows the model. It exists to test the oracle.
type toy struct {
	h       *hotel
	bug     bug
	rows    map[string]map[int]*row // by lock and slot
	waiting map[string][]claim
	pins    map[int]string // by subject
	random  *rand.Rand
}

// row is a code that the toy wrote.
type row struct {
	need
	slot            int
	pin             string
	ending, problem bool
	seen            bool // it was read from the lock
}

func newToy(h *hotel, b bug) *toy {
	return &toy{h: h, bug: b, rows: map[string]map[int]*row{}, waiting: map[string][]claim{}, pins: map[int]string{}, random: rand.New(rand.NewPCG(1, 1))}
}

func (*toy) close() {}

func (t *toy) apply(s Step) error {
	switch {
	case s.Op == pass:
		t.h.shift.Add(int64(time.Duration(s.Minutes) * time.Minute))
	case s.Op == uncreate && t.bug == "forgets removals":
		for lock := range locks {
			delete(t.rows, lockID(s.Customer, lock))
		}
	case s.Op == move && t.bug == "new PIN after a move":
		delete(t.pins, t.h.customers[s.Customer].grants[s.Key].id)
	}
	return nil
}

func (t *toy) claims() (claims []claim, err error) {
	for lock, rows := range t.rows {
		for slot, r := range rows {
			if !r.ending || t.bug != "hides overdue codes" {
				claims = append(claims, claim{lock, r.key, slot, r.pin, !r.ending && !r.problem, r.ending, r.problem})
			}
		}
		claims = append(claims, t.waiting[lock]...)
	}
	return claims, nil
}

func (t *toy) settle() error {
	for _, id := range append(t.h.order, t.h.order...) { // the second time, it reads the codes that it wrote
		if err := t.reconcile(t.h.locks[id]); err != nil {
			return err
		}
	}
	return nil
}

// needs returns the codes of a lock, the one that starts first at the beginning.
func (t *toy) needs(l *lock) []need {
	m := t.h.model
	switch t.bug {
	case "standard time in summer":
		if m.now.In(lisbon).IsDST() {
			m.now = m.now.Add(-time.Hour)
		}
	case "late":
		m.now = m.now.Add(-writeAhead / 2)
	case "early":
		m.now = m.now.Add(writeAhead)
	}
	needs := m.needs(l.login, l.number, 0)
	return slices.SortedFunc(maps.Values(needs), func(a, b need) int {
		if t.bug == "later codes first" {
			a, b = b, a
		}
		return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.id, b.id))
	})
}

func (t *toy) open(l *lock) (device.Coder, error) {
	conn, err := t.h.world.Provider("toy").Open(context.Background(), t.h.world.Account(user(l.login)))
	if err != nil {
		return nil, err
	}
	return conn.(device.Coder), nil
}

func (t *toy) reconcile(l *lock) error {
	rows, needs := t.rows[l.id], t.needs(l)
	if rows == nil {
		rows = map[int]*row{}
		t.rows[l.id] = rows
	}
	t.waiting[l.id] = nil
	coder, err := t.open(l)
	var slots []device.Slot
	if err == nil {
		defer coder.(device.Conn).Close()
		slots, err = coder.Codes(context.Background(), l.id)
	}
	of := map[int]*row{}
	for _, r := range rows {
		i := slices.IndexFunc(needs, func(n need) bool { return n.id == r.id })
		if at := r.slot - 1; r.ending && i >= 0 && len(slots) > 0 && slots[at].PIN.Reveal() != r.pin && l.limits.ReadsPIN {
			delete(rows, r.slot) // somebody wrote another code
			continue
		}
		ended := t.bug == "keeps ended codes" && !t.h.now.Before(r.until) && !r.until.IsZero()
		if r.ending = i < 0 && !ended; !r.ending {
			of[r.id] = r
		}
		r.problem = true // until it is confirmed
		r.seen = r.seen || len(slots) > 0 && slots[r.slot-1].PIN.Reveal() == r.pin
		if i >= 0 {
			r.need = needs[i]
		}
	}
	wait := func(n need) {
		if t.bug != "silent" {
			t.waiting[l.id] = append(t.waiting[l.id], claim{Lock: l.id, Subject: n.key, Problem: true})
		}
	}
	if errors.Is(err, device.ErrUnknownDevice) && t.bug == "forgets unknown locks" {
		clear(rows)
	}
	if err != nil && (coder == nil || t.bug != "acts on failed reads") {
		for _, n := range needs {
			if of[n.id] == nil && !n.optional {
				wait(n)
			}
		}
		return nil
	}
	for i := len(slots); i < l.limits.Slots; i++ {
		slots = append(slots, device.Slot{Index: i + 1, State: device.SlotEmpty})
	}
	for slot, r := range rows {
		at := slots[slot-1]
		if !r.ending || t.h.lost[r.customer][l.login] {
			continue
		}
		if !at.Occupied() || !l.limits.ReadsPIN || at.PIN.Reveal() == r.pin { // what was read can be old, so an empty slot is cleared too
			if t.clear(coder, l, slot) != nil {
				continue
			}
			slots[slot-1] = device.Slot{Index: slot, State: device.SlotEmpty}
		} else if !r.seen {
			continue // it may have been written after the lock reported this
		}
		delete(rows, slot)
	}
	for _, n := range needs {
		r := of[n.id]
		lost := t.h.lost[n.customer][l.login]
		switch {
		case r == nil && n.optional, r != nil && lost:
		case r != nil:
			t.repair(coder, l, r, slots)
		case lost || t.add(coder, l, n, slots) == nil:
			wait(n)
		}
	}
	return nil
}

// repair writes a code again if it is not in its slot.
func (t *toy) repair(coder device.Coder, l *lock, r *row, slots []device.Slot) {
	at := slots[r.slot-1]
	if free := t.free(l, slots); t.bug == "moves codes" && free > 0 && free < r.slot {
		_ = coder.ClearCode(context.Background(), l.id, r.slot)
		delete(t.rows[l.id], r.slot)
		r.slot = free
		t.rows[l.id][free] = r
		at = device.Slot{State: device.SlotEmpty}
	}
	want := t.slot(l, r.need, r.slot, r.pin)
	good := at.Occupied() && (!l.limits.ReadsPIN || at.PIN == want.PIN && at.StartsAt.Equal(want.StartsAt) && at.EndsAt.Equal(want.EndsAt))
	if l.limits.NativeSchedule && t.bug == "keeps the old window" {
		good = at.Occupied() && at.PIN == want.PIN
	}
	if !good && t.bug != "repairs nothing" {
		good = t.set(coder, l, want) == nil
		slots[r.slot-1].State = device.SlotKnown
	}
	r.problem = !good && t.bug != "repairs nothing"
}

// set writes a code, and reads it back if the lock does not answer.
func (t *toy) set(coder device.Coder, l *lock, s device.Slot) error {
	err := coder.SetCode(context.Background(), l.id, s)
	if !errors.Is(err, device.ErrUnconfirmed) {
		return err
	}
	read, failed := coder.Codes(context.Background(), l.id, s.Index)
	if failed == nil && (read[0].PIN == s.PIN || !l.limits.ReadsPIN && read[0].Occupied()) {
		return nil
	}
	return err
}

// clear clears a slot, and reads it if the lock does not answer.
func (t *toy) clear(coder device.Coder, l *lock, slot int) error {
	err := coder.ClearCode(context.Background(), l.id, slot)
	if errors.Is(err, device.ErrUnconfirmed) {
		if read, failed := coder.Codes(context.Background(), l.id, slot); failed == nil && !read[0].Occupied() {
			return nil
		}
	}
	return err
}

func (t *toy) free(l *lock, slots []device.Slot) int {
	for _, s := range slots {
		if t.rows[l.id][s.Index] == nil && (!s.Occupied() || t.bug == "overwrites") {
			return s.Index
		}
	}
	return 0
}

// add writes a new code, with another PIN if the lock rejects the one of the subject. It returns nil if that is not possible.
func (t *toy) add(coder device.Coder, l *lock, n need, slots []device.Slot) *row {
	free := t.free(l, slots)
	if free == 0 {
		return nil
	}
	if n.pin != "" {
		t.pins[n.id] = n.pin
	} else if t.pins[n.id] == "" || t.bug == "another PIN at each door" {
		t.pins[n.id] = t.generate(l.limits.Lengths[0])
		if t.bug == "trivial PINs" {
			t.pins[n.id] = "345678"[:l.limits.Lengths[0]]
		}
	}
	pin := t.pins[n.id]
	for range 3 {
		err := device.ErrRejected // if a code that somebody cleared has this PIN
		if !slices.ContainsFunc(slices.Collect(maps.Values(t.rows[l.id])), func(r *row) bool { return r.pin == pin }) {
			err = t.set(coder, l, t.slot(l, n, free, pin))
		}
		if err == nil {
			r := &row{need: n, slot: free, pin: pin}
			t.rows[l.id][free] = r
			slots[free-1].State = device.SlotKnown
			return r
		}
		if !errors.Is(err, device.ErrRejected) {
			return nil
		}
		pin = t.generate(l.limits.Lengths[0])
	}
	return nil
}

func (t *toy) generate(digits int) string {
	for {
		pin := fmt.Sprint(2+t.random.IntN(7)) + fmt.Sprintf("%0*d", digits-1, t.random.IntN(1000))
		if !trivial(pin) {
			return pin
		}
	}
}

func (t *toy) slot(l *lock, n need, index int, pin string) device.Slot {
	s := device.Slot{Index: index, PIN: device.NewSecret(pin)}
	if l.limits.NativeSchedule {
		s.StartsAt, s.EndsAt = n.start, n.end
	}
	return s
}
