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
		m.addNeed(needs, need{subject: g, customer: customer, optional: !opens}, opens, ahead, slack)
	}
	for _, s := range c.staff {
		if opens, unclear := c.opens(s, login*locks+lock); r.staff {
			m.addNeed(needs, need{subject: s, customer: customer, optional: !opens}, opens || unclear, ahead, slack)
		}
	}
}

// addNeed adds a need of a lock that its subject opens, if the lock needs the code now or may have it. ahead is the time by which the
// code is written before its window starts.
func (m *model) addNeed(needs map[int]need, n need, opens bool, ahead, slack time.Duration) {
	lead, grace := margins(n.customer, n.subject)
	if !n.subject.start.IsZero() {
		n.start = n.subject.start.Add(-lead)
		n.from = n.start.Add(-ahead)
	}
	if !n.subject.end.IsZero() {
		n.end = n.subject.end.Add(grace)
		n.until = n.end
	}
	// After the clock was set back, a code can be on the lock too early. Only the end of access removes a code.
	early := m.now.Before(n.from) && !n.reached.Before(n.from)
	switch {
	case !opens, m.now.Before(n.from) && !early, !n.until.IsZero() && !m.now.Before(n.until.Add(slack)):
		return // not needed
	case early, m.now.Before(n.from.Add(slack)), !n.until.IsZero() && !m.now.Before(n.until):
		n.optional = true
	}
	needs[n.id] = n
}

// margins returns the times by which the window of a code is longer than the times of its subject. They are for guests only.
func margins(customer int, s *subject) (lead, grace time.Duration) {
	if s.isStaff {
		return 0, 0
	}
	return rulesOf[customer].lead, rulesOf[customer].grace
}

// find returns the subject with an id, or nil if it does not exist any more.
func (m *model) find(customer, id int) *subject {
	if c := m.customers[customer]; c != nil {
		for _, of := range []map[int]*subject{c.staff, c.grants} {
			for _, s := range of {
				if s.id == id {
					return s
				}
			}
		}
	}
	return nil
}

// over reports whether the access of a subject has ended.
func (m *model) over(customer int, s *subject) bool {
	_, grace := margins(customer, s)
	return !s.end.IsZero() && !m.now.Before(s.end.Add(grace))
}
