package codeproofs

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// system is a system that keeps the codes on the locks right.
type system interface {
	// apply changes the host's records, connects an account, or starts and stops services. The model has the step already.
	apply(Step) error

	// settle returns when nothing happens any more. Time may pass.
	settle() error

	// claims returns the codes that the system lists, with pending removals.
	claims() ([]claim, error)

	close()
}

// claim is a code that the system lists.
type claim struct {
	Lock    string
	Subject string // the key of a grant or staff member; empty for a removal
	Slot    int
	PIN     string
	Set     bool // the system says that the code is on the lock
	Ending  bool // the code is to be removed
	Problem bool // the code has an error or a warning
}

// hotel is a simulated world, the model of the host's records, and the memory of the oracle.
type hotel struct {
	model
	world       *simulated.World
	base        func() time.Time
	shift       atomic.Int64 // of the clock
	onlyRecords bool         // the locks are not compared
	slack       time.Duration
	locks       map[string]*lock
	order       []string       // the ids of the locks
	pins        int            // number of PINs that people invented
	leftovers   [2]int         // by login: codes at the last quiet moment that no access grant needs
	saw         map[string]int // number of times that the oracle saw a situation
	stays       map[int]*stay  // by subject; from the first time that a code was seen
}

// lock contains the facts about a lock that the oracle remembers.
type lock struct {
	login, number int
	id            string
	limits        *device.CodeLimits
	foreign       map[int]device.Slot // codes that the system did not write
	tampered      map[int]string      // slots of the system that somebody changed, with the PIN that they have since
	ever          map[string]map[int]bool
	held          map[int]spot // codes since they are needed without a pause, by subject
	present       map[int]bool // codes at the last quiet moment
	waiting       map[int]need // codes that were missing at the last quiet moment, because the lock was full
}

// stay contains the codes of a subject, also on locks that do not need them any more.
type stay struct {
	id       int
	customer int
	key      string
	wanted   string // the PIN that it should have, or empty
	at       map[string]spot
	before   []string // the PINs that it had before an end of its access
}

// spot is a slot of a lock with its PIN.
type spot struct {
	slot int
	pin  string
}

func newHotel(base func() time.Time, seed uint64) *hotel {
	h := &hotel{base: base, locks: map[string]*lock{}, stays: map[int]*stay{}, saw: map[string]int{}}
	h.now = h.clock()
	h.world = simulated.New(simulated.Options{Seed: seed, Now: h.clock, KeepCalls: 2000})
	for login := range h.outage {
		h.world.AddLogin(simulated.Login{User: user(login), Password: "secret"})
		for number := range locks {
			d := describe(login, number)
			h.world.AddDevice(user(login), d)
			h.order = append(h.order, d.ID)
			h.locks[d.ID] = &lock{login: login, number: number, id: d.ID, limits: d.Codes, foreign: map[int]device.Slot{}, tampered: map[int]string{},
				ever: map[string]map[int]bool{}, held: map[int]spot{}, present: map[int]bool{}, waiting: map[int]need{}}
		}
	}
	return h
}

func (h *hotel) clock() time.Time { return h.base().Add(time.Duration(h.shift.Load())).UTC() }

// apply applies a step to the model, or to the world. It reports whether the step was possible, and whether the system must apply it.
func (h *hotel) apply(s Step) (possible, bySystem bool) {
	id := lockID(s.login(), s.Lock)
	switch s.Op {
	case clock:
		h.shift.Add(int64(time.Duration(s.Minutes) * time.Minute))
		return true, false
	case pass, restart, kill, second:
		return true, true
	case fault:
		h.world.SetFaults(id, simulated.Faults{
			Offline: s.Fault == "offline", Full: s.Fault == "full", Deaf: s.Fault == "deaf", Mute: s.Fault == "mute", Stale: s.Fault == "stale",
			FailsReads: s.Fault == "noreads", Unlisted: s.Fault == "unlisted",
		})
		return true, false
	case outage, online:
		h.outage[s.Customer] = s.Op == outage
		h.world.SetOutage(user(s.Customer), s.Op == outage)
		return true, false
	case calm:
		for login := range h.outage {
			h.outage[login] = false
			h.world.SetOutage(user(login), false)
		}
		for _, id := range h.order {
			h.world.SetFaults(id, simulated.Faults{})
		}
		return true, false
	case partial:
		h.world.FailInventory(user(s.Customer), s.Slot)
		return true, false
	case revoke:
		for customer := range h.lost {
			h.lost[customer][s.Customer] = h.known[customer][s.Customer]
		}
		h.world.Revoke(user(s.Customer))
		return true, false
	case write, erase, edit, wipe:
		return h.atLock(h.locks[id], s), false
	}
	if possible = h.model.apply(s); possible && (s.Op == create || s.Op == connect) {
		for number := range locks {
			if id := lockID(s.login(), number); h.world.Faults(id).Unlisted {
				h.world.SetFaults(id, simulated.Faults{}) // an account that was never connected must list the locks
			}
		}
	}
	return possible, possible
}

// atLock lets somebody change a code at a lock.
func (h *hotel) atLock(l *lock, s Step) bool {
	if s.Slot > l.limits.Slots || h.world.Faults(l.id).Stale {
		return false
	}
	old := h.world.Slots(l.id)[s.Slot-1]
	if s.Op == write && !l.limits.ReadsPIN {
		for id := range h.needs(l.login, l.number, 0) {
			if _, held := l.held[id]; !held {
				return false // the system could not tell this code from the one that it tries to write
			}
		}
	}
	foreign, isForeign := l.foreign[s.Slot]
	_, isTampered := l.tampered[s.Slot]
	pin := s.PIN
	if pin == "" {
		h.pins++
		pin = fmt.Sprint(90_000_000 + 7_919*h.pins)
	}
	next := device.Slot{Index: s.Slot, State: device.SlotKnown, PIN: device.NewSecret(pin)}
	for _, other := range h.world.Slots(l.id) {
		if other.PIN == next.PIN {
			return false // the lock refuses it
		}
	}
	switch {
	case s.Op == write && !old.Occupied() && !isTampered:
		l.foreign[s.Slot] = next
	case s.Op == erase && isForeign && foreign == old:
		next = device.Slot{Index: s.Slot, State: device.SlotEmpty}
		delete(l.foreign, s.Slot)
	case s.Op == edit && old.Occupied() && !isForeign:
		l.tampered[s.Slot] = pin
	case s.Op == wipe && old.Occupied() && !isForeign:
		next = device.Slot{Index: s.Slot, State: device.SlotEmpty}
		l.tampered[s.Slot] = ""
	default:
		return false
	}
	h.world.WriteCode(l.id, next)
	return true
}

// healthy reports whether the system can read and change the codes of a lock, provided that its customer has not lost the account.
func (h *hotel) healthy(l *lock) bool {
	f := h.world.Faults(l.id)
	return !f.Offline && !f.Deaf && !f.Stale && !f.FailsReads && !f.Unlisted && !h.outage[l.login]
}

// observe records what can be seen at all times: PINs on locks, foreign codes that changed, and codes that are not needed any more.
func (h *hotel) observe() *failure {
	h.tick(h.clock())
	for _, id := range h.order {
		l := h.locks[id]
		for _, s := range h.world.Slots(id) {
			if want, ok := l.foreign[s.Index]; ok && want != s {
				return fail("foreign", "%s: slot %d was %v, which the system did not write, and is now %v", id, s.Index, show(want), show(s))
			}
			if s.Occupied() {
				l.remember(s.PIN.Reveal(), s.Index)
			}
		}
		needs := h.needs(l.login, l.number, 0)
		for subject := range l.held {
			// A code that is on the lock too early, because the clock was set back, may be removed until it is needed.
			if n, ok := needs[subject]; !ok || n.optional {
				delete(l.held, subject)
			}
		}
		for subject, was := range l.waiting {
			if n, ok := needs[subject]; !ok || n.optional || !n.from.Equal(was.from) {
				delete(l.waiting, subject)
			}
		}
	}
	for id, stay := range h.stays {
		switch s := h.find(stay.customer, id); {
		case s == nil:
			delete(h.stays, id)
		case h.over(stay.customer, s): // its time can still be changed
			for _, at := range stay.at {
				stay.before = append(stay.before, at.pin)
			}
			clear(stay.at)
		}
	}
	return nil
}

// remember records that the lock had a PIN in a slot, or that a planned code has it, by the negative id of its subject.
func (l *lock) remember(pin string, at int) {
	if l.ever[pin] == nil {
		l.ever[pin] = map[int]bool{}
	}
	l.ever[pin][at] = true
}

func show(s device.Slot) string {
	if !s.Occupied() {
		return "empty"
	}
	return fmt.Sprintf("%s %s %v %v", s.State, s.PIN.Reveal(), s.StartsAt, s.EndsAt)
}
