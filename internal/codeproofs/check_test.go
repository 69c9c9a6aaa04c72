package codeproofs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// failure is a rule that a system broke.
type failure struct {
	Kind string // the rule
	Text string
	Step int // the index of the step
}

func fail(kind, format string, args ...any) *failure {
	return &failure{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func (f *failure) Error() string { return fmt.Sprintf("step %d: %s: %s", f.Step, f.Kind, f.Text) }

// run runs a schedule and returns the first failure, or nil.
func run(h *hotel, sys system, steps []Step) *failure {
	steps = append([]Step{{Op: create}, {Op: create, Customer: 1}}, steps...)
	steps = append(slices.Clip(steps), Step{Op: calm}, Step{Op: quiet})
	for i, s := range steps {
		if f := h.step(sys, s); f != nil {
			f.Step = i - 2
			return f
		}
	}
	return nil
}

func (h *hotel) step(sys system, s Step) *failure {
	if s.Op == quiet {
		if err := sys.settle(); err != nil {
			return fail("error", "settle: %v", err)
		}
		if f := h.observe(); f != nil {
			return f
		}
		if h.onlyRecords {
			return nil
		}
		claims, err := sys.claims()
		if err != nil {
			return fail("error", "claims: %v", err)
		}
		return h.check(claims)
	}
	if s.Op == write && s.PIN != "" {
		claims, err := sys.claims()
		if err != nil {
			return fail("error", "claims: %v", err)
		}
		id := lockID(s.login(), s.Lock)
		if slices.ContainsFunc(claims, func(c claim) bool {
			return c.Lock == id && c.Slot == s.Slot && !c.Set && (c.PIN == "" || c.PIN == s.PIN)
		}) {
			return h.observe() // the system could not tell this code from the one that it was interrupted in writing
		}
	}
	if _, bySystem := h.apply(s); bySystem {
		if err := sys.apply(s); err != nil {
			return fail("error", "%s: %v", s.Op, err)
		}
	}
	return h.observe()
}

// check compares the locks with the model at a quiet moment.
func (h *hotel) check(claims []claim) *failure {
	h.leftovers = [2]int{}
	for _, id := range h.order {
		l := h.locks[id]
		own := slices.DeleteFunc(slices.Clone(claims), func(c claim) bool { return c.Lock != id })
		if f := h.checkLock(l, own); f != nil {
			f.Text = id + ": " + f.Text + h.details(id, own)
			return f
		}
	}
	for login, n := range h.leftovers {
		for i, c := range h.customers {
			h.orphaned[i][login] = h.orphaned[i][login] && n > 0
			if n == 0 && (c == nil || !c.connected[login]) { // nothing depends on the account of this customer any more
				h.known[i][login], h.lost[i][login] = false, false
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.stays)) {
		if f := h.checkPINs(h.stays[id], claims); f != nil {
			return f
		}
	}
	return nil
}

// details returns what the system says about a lock, and the last calls to it.
func (h *hotel) details(id string, claims []claim) string {
	text := fmt.Sprintf("\nat %v, %v", h.now, h.world.Faults(id))
	for _, c := range claims {
		text += fmt.Sprintf("\nclaim %+v", c)
	}
	calls := slices.DeleteFunc(h.world.Calls(), func(c simulated.Call) bool { return c.Device != id })
	for _, c := range calls[max(0, len(calls)-60):] {
		text += fmt.Sprintf("\n%v %s %s %d: %v", c.Start, c.Caller, c.Method, c.Slot, c.Err)
	}
	return text
}

func (h *hotel) checkLock(l *lock, claims []claim) *failure {
	needs, slots := h.needs(l.login, l.number, h.slack), h.world.Slots(l.id)
	healthy := h.healthy(l)
	lost := h.lost[0][l.login] || h.lost[1][l.login]
	for _, c := range claims {
		for id, n := range needs {
			if n.key == c.Subject && c.PIN != "" {
				l.remember(c.PIN, -id) // a code that is planned for this lock has the PIN
			}
		}
	}
	owner, missing := map[int]need{}, map[int]need{}
	for _, id := range slices.Sorted(maps.Keys(needs)) {
		n := needs[id]
		if i, ok := l.find(n, claims, slots); ok {
			if other, taken := owner[i]; taken {
				return fail("shared", "%s and %s have the same PIN", n.key, other.key)
			}
			owner[i] = n
		} else if !n.optional {
			missing[id] = n
		} else if healthy {
			delete(l.held, id)
		}
	}
	reserved := map[int]bool{} // by codes that somebody cleared, and whose account is lost
	for id := range missing {
		if was, held := l.held[id]; held {
			reserved[was.slot] = true
		}
	}
	for _, c := range claims {
		if lost && c.Ending {
			reserved[c.Slot] = true
		}
	}
	full := true
	for _, s := range slots {
		full = full && (s.Occupied() || reserved[s.Index])
	}
	for _, s := range slots {
		n, owned := owner[s.Index]
		_, foreign := l.foreign[s.Index]
		edited, tampered := l.tampered[s.Index]
		switch {
		case owned && healthy && !h.lost[n.customer][l.login]:
			h.saw["code"]++
			if f := h.checkSlot(l, n, s, tampered && edited == s.PIN.Reveal()); f != nil {
				return f
			}
		case owned, foreign, !s.Occupied():
		case tampered && edited == s.PIN.Reveal(): // the rules do not say whose code this is
			h.saw["edited code of no access grant"]++
			if healthy && !lost && l.limits.ReadsPIN {
				l.foreign[s.Index] = s
			}
			h.leftovers[l.login]++
			continue
		case healthy && !lost:
			return fail("stray", "slot %d has a code that no access grant needs: %s; the lock needs %s", s.Index, show(s), names(needs))
		case !slices.ContainsFunc(claims, func(c claim) bool { return c.Slot == s.Index && (c.Ending || c.Problem) }):
			return fail("unreported", "slot %d has a code that no access grant needs, which is not reported: %s", s.Index, show(s))
		default:
			h.leftovers[l.login]++
			h.saw["overdue"]++
			if h.customers[l.login] == nil {
				h.saw["overdue of a deleted customer"]++
			}
		}
		if healthy && !lost && !(tampered && edited == s.PIN.Reveal()) {
			delete(l.tampered, s.Index)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		n := missing[id]
		_, changed := l.held[id]
		healthy := healthy && !h.lost[n.customer][l.login]
		c := claimOf(n, claims)
		if c != nil && !changed { // a code that was not needed for a while, because the clock was set back
			_, changed = l.tampered[c.Slot]
		}
		switch {
		case !healthy && changed: // somebody changed it, and the system cannot know
		case c != nil && c.Problem && h.now.Before(n.start) && endsBefore(n, c.PIN, owner, slots): // so that it keeps the PIN of its access grant
			h.saw["waits for the end of another code"]++
			delete(missing, id) // it does not wait for a slot
		case healthy && !full && !h.world.Faults(l.id).Full && l.number != picky:
			return fail("missing", "the code of %s is not on the lock, which needs %s and has %s", n.key, names(needs), contents(slots))
		case c == nil && !healthy && slices.ContainsFunc(claims, func(c claim) bool { return c.Subject == n.key && c.Problem }):
			h.saw["cannot be set"]++ // it was needed again while it was being removed
		case c == nil || !c.Problem || c.Set && healthy:
			return fail("silent", "the code of %s is not on the lock, and no error or warning says so: %+v", n.key, c)
		case full && healthy:
			h.saw["waits for a slot"]++
		case healthy:
			h.saw["rejected"]++
		default:
			h.saw["cannot be set"]++
		}
	}
	return h.checkOrder(l, owner, missing, healthy && !lost && !h.world.Faults(l.id).Full)
}

// find returns the index of the slot that has the code of a subject.
func (l *lock) find(n need, claims []claim, slots []device.Slot) (index int, ok bool) {
	c := claimOf(n, claims)
	if c == nil {
		return 0, false
	}
	for _, s := range slots {
		_, foreign := l.foreign[s.Index]
		edited, tampered := l.tampered[s.Index]
		// A PIN that somebody changed cannot be read on a lock that hides PINs.
		hidden := tampered && !l.limits.ReadsPIN && edited == s.PIN.Reveal()
		if s.Index == c.Slot && s.State == device.SlotKnown && !foreign && (hidden || s.PIN.Reveal() == c.PIN) {
			return s.Index, true
		}
	}
	return 0, false
}

// endsBefore reports whether a code with this PIN is on the lock whose window ends before the one of n starts.
func endsBefore(n need, pin string, owner map[int]need, slots []device.Slot) bool {
	return slices.ContainsFunc(slots, func(s device.Slot) bool {
		other, owned := owner[s.Index]
		return owned && s.PIN.Reveal() == pin && !other.end.IsZero() && !other.end.After(n.start)
	})
}

func claimOf(n need, claims []claim) *claim {
	for i := range claims {
		if claims[i].Subject == n.key && !claims[i].Ending {
			return &claims[i]
		}
	}
	return nil
}

// checkSlot checks the code of a subject on a lock that works, and remembers it.
func (h *hotel) checkSlot(l *lock, n need, s device.Slot, edited bool) *failure {
	pin := s.PIN.Reveal()
	was, held := l.held[n.id]
	if edited {
		pin = was.pin
	}
	switch {
	case held && was.slot != s.Index:
		return fail("moved", "the code of %s moved from slot %d to slot %d during the stay", n.key, was.slot, s.Index)
	case held && was.pin != pin:
		return fail("pin", "the PIN of %s changed from %s to %s during the stay", n.key, was.pin, pin)
	case l.limits.NativeSchedule && (!s.StartsAt.Equal(n.start) && !n.start.IsZero() || !s.EndsAt.Equal(n.end)):
		return fail("schedule", "the code of %s has the window %v to %v, but should have %v to %v", n.key, s.StartsAt, s.EndsAt, n.start, n.end)
	case pin != n.pin && pin != "" && trivial(pin):
		return fail("trivial", "the generated PIN of %s is %s", n.key, pin)
	case pin == "":
		return nil // somebody edited it before it was ever seen
	}
	l.held[n.id] = spot{s.Index, pin}
	if h.stays[n.id] == nil {
		h.stays[n.id] = &stay{id: n.id, customer: n.customer, key: n.key, wanted: n.pin, at: map[string]spot{}}
	}
	h.stays[n.id].at[l.id] = spot{s.Index, pin}
	return nil
}

// checkPINs checks that a subject has one PIN, except on locks that reject it.
func (h *hotel) checkPINs(s *stay, claims []claim) *failure {
	if len(s.at) == 0 {
		return nil
	}
	candidates := []string{s.wanted}
	if s.wanted == "" {
		candidates = slices.Clone(s.before)
		for _, at := range s.at {
			candidates = append(candidates, at.pin)
		}
		for _, c := range claims { // on other locks that cannot be reached
			if c.Subject == s.key && c.PIN != "" {
				candidates = append(candidates, c.PIN)
			}
		}
	}
	for _, pin := range candidates {
		ok := true
		for id, at := range s.at {
			if at.pin != pin {
				h.saw["another PIN at a door"]++
				ok = ok && h.locks[id].rejects(pin, s.id)
			}
		}
		if ok {
			return nil
		}
	}
	return fail("doors", "the PINs of %s differ without a reason, or are not %q: %v", s.key, s.wanted, s.at)
}

// trivial reports whether a PIN is a sequence, such as 3456, or repeats one digit.
func trivial(pin string) bool {
	limits := device.CodeLimits{Lengths: []int{len(pin)}, Constraints: []device.Constraint{device.NoSequence, device.NoAllSameDigits}}
	return limits.CheckPIN(device.NewSecret(pin)) != nil
}

// rejects reports whether the lock rejects a PIN for a subject, or may have rejected it at some time because another code on it, or
// another planned code, had it.
func (l *lock) rejects(pin string, subject int) bool {
	for other := range l.ever[pin] {
		if other != -subject {
			return true
		}
	}
	return l.limits.CheckPIN(device.NewSecret(pin)) != nil
}

// checkOrder checks that a code did not get a slot before one that waited and starts earlier.
func (h *hotel) checkOrder(l *lock, owner, missing map[int]need, ready bool) *failure {
	defer func() {
		clear(l.waiting)
		for id, n := range missing {
			if ready && !n.from.IsZero() {
				l.waiting[id] = n
			}
		}
		clear(l.present)
		for _, n := range owner {
			l.present[n.id] = true
		}
	}()
	for id, x := range l.waiting {
		for _, y := range owner {
			if _, still := missing[id]; ready && still && !l.present[y.id] && y.from.After(x.from) {
				return fail("order", "the code of %s got a slot, although %s waited and starts earlier", y.key, x.key)
			}
		}
	}
	return nil
}

func names(needs map[int]need) string {
	text := "nothing"
	for i, id := range slices.Sorted(maps.Keys(needs)) {
		if i == 0 {
			text = ""
		}
		n := needs[id]
		text += fmt.Sprintf("[%s %v..%v optional=%v]", n.key, n.start, n.end, n.optional)
	}
	return text
}

func contents(slots []device.Slot) (text string) {
	for _, s := range slots {
		text += fmt.Sprintf("[%d %s]", s.Index, show(s))
	}
	return text
}
