package codeproofs

import "time"

func inSite(space int) bool { return space != 3 }

// opens reports whether a subject opens a lock: one of its spaces has the lock, or the lock is a shared entrance of the site of one
// of its spaces. The rules do not say whether staff open shared entrances; unclear reports that they would.
func (c *customer) opens(s *subject, lock int) (opens, unclear bool) {
	for _, room := range s.rooms {
		if _, ok := c.maps[[2]int{lock, room}]; ok {
			return true, false
		}
		for space := range spaces {
			if c.maps[[2]int{lock, space}] && inSite(space) && inSite(room) {
				unclear = true
			}
		}
	}
	return unclear && !s.isStaff, unclear
}

// need is a code that a lock should have.
type need struct {
	*subject
	customer    int
	from, until time.Time // when the code is on the lock; zero for no bound
	start, end  time.Time // the window of the code
	optional    bool      // the lock may have the code, and need not
}

// needs returns the codes that a lock should have or may have, by the id of their subject. slack is the time that the system has to
// notice that a time has come.
func (m *model) needs(login, lock int, slack time.Duration) map[int]need {
	needs := map[int]need{}
	for i, c := range m.customers {
		if c != nil && c.connected[login] {
			m.addNeeds(needs, i, login, lock, slack)
		}
	}
	return needs
}

func (m *model) addNeeds(needs map[int]need, customer, login, lock int, slack time.Duration) {
	c, r := m.customers[customer], rulesOf[customer]
	ahead := writeAhead
	if lock == 2 {
		ahead = writeAheadNative
	}
	for _, g := range c.grants {
		opens, _ := c.opens(g, login*locks+lock)
		n := need{subject: g, customer: customer, start: g.start.Add(-r.lead), from: g.start.Add(-r.lead - ahead)}
		if !g.end.IsZero() {
			n.end = g.end.Add(r.grace)
			n.until = n.end
		}
		// After the clock was set back, a code can be on the lock too early. Only the end of access removes a code.
		early := m.now.Before(n.from) && !g.reached.Before(n.from)
		switch {
		case !opens, m.now.Before(n.from) && !early, !n.until.IsZero() && !m.now.Before(n.until.Add(slack)):
			continue // not needed
		case early, m.now.Before(n.from.Add(slack)), !n.until.IsZero() && !m.now.Before(n.until):
			n.optional = true
		}
		needs[g.id] = n
	}
	for _, s := range c.staff {
		if opens, unclear := c.opens(s, login*locks+lock); r.staff && (opens || unclear) {
			needs[s.id] = need{subject: s, customer: customer, optional: !opens}
		}
	}
}

// ended reports whether a subject does not exist any more, or its access is over.
func (m *model) ended(customer, id int) bool {
	c := m.customers[customer]
	if c == nil {
		return true
	}
	for _, s := range c.staff {
		if s.id == id {
			return false
		}
	}
	for _, g := range c.grants {
		if g.id == id {
			return !g.end.IsZero() && !m.now.Before(g.end.Add(rulesOf[customer].grace))
		}
	}
	return true
}
