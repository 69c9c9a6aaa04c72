package codeproofs

import (
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // so that the tests do not depend on the machine

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// Sizes of the model, for each customer.
const (
	grants = 7
	guests = 4

	staffMembers = 2

	rooms4 = 4 // rooms 0 to 2 and the lobby are in the site; room 3 is not
	lobby  = 4
	site   = 5
	spaces = 6
	locks  = 6

	frontDoor = 4
	picky     = 5 // refuses all codes
)

// The rules of access codes. Customer 0 has other rules than the defaults.
const (
	writeAhead       = time.Hour
	writeAheadNative = 72 * time.Hour
)

type rules struct {
	lead, grace  time.Duration
	phone, staff bool // the last 4 digits of the phone are the PIN; staff get codes
}

var rulesOf = []rules{{lead: 30 * time.Minute, grace: 15 * time.Minute, phone: true, staff: true}, {}}

// phones are the phone numbers of the guests. Two have the same last digits.
var phones = [guests]string{"+351912345501", "+351917775501", "+351912347734", ""}

var lisbon = func() *time.Location {
	l, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		panic(err)
	}
	return l
}()

// lockID returns the id of a lock in the world.
func lockID(customer, lock int) string { return fmt.Sprintf("lock-%d-%d", customer, lock) }

// lockNumber returns the number of a lock of a step in customer.maps.
func (s Step) lockNumber() int { return s.login()*locks + s.Lock }

func (s Step) login() int {
	if s.Annex {
		return 1 - s.Customer
	}
	return s.Customer
}

func user(login int) string { return fmt.Sprint("user", login) }

// describe returns a lock of the hotel.
func describe(customer, lock int) device.Device {
	d := simulated.Lock(lockID(customer, lock), fmt.Sprint("Lock ", lock))
	d.Codes.Slots = []int{5, 3, 5, 4, 8, 4}[lock]
	switch lock {
	case 0:
		d.Codes.Constraints = append(d.Codes.Constraints, device.NoSequence)
	case 2:
		d.Codes.NativeSchedule = true
	case 3:
		d.Codes.Lengths, d.Codes.ReadsPIN, d.Codes.NameLength = []int{6}, false, 0
	case picky:
		d.Codes.Constraints = append(d.Codes.Constraints, device.PINMatchesExistingSet)
	}
	return d
}

// model contains the host's records and the state of its accounts. It knows nothing of locks.
type model struct {
	now       time.Time
	customers [2]*customer
	lost      [2][2]bool // by customer and login: the sessions were ended since the customer connected the login
	known     [2][2]bool // by customer and login: the customer connected it, and its codes may still be on the locks
	outage    [2]bool    // by login
	ids       int

	// By customer and login: the account was deleted when its session had ended, and its codes may still be on the locks. If it is
	// connected again, they are removed with the new session. If it is deleted again before, nobody can remove them.
	orphaned [2][2]bool
}

type customer struct {
	connected [2]bool // by login; a customer can also connect the login of the other one
	spaces    [spaces]bool
	guests    [guests]bool
	staff     map[int]*subject
	grants    map[int]*subject
	maps      map[[2]int]bool // shared, by lock (see lockNumber) and space
}

// subject is an access grant or a staff member.
type subject struct {
	id         int // differs from those of subjects that had the same key before
	key        string
	guest      int
	rooms      []int
	start, end time.Time // zero for no bound
	pin        string    // that it should have, or empty if it is generated
	isStaff    bool
	reached    time.Time // the latest time that the clock has shown since its records last changed
}

// tick sets the time.
func (m *model) tick(now time.Time) {
	m.now = now
	for _, c := range m.customers {
		if c != nil {
			for _, s := range slices.AppendSeq(slices.Collect(maps.Values(c.grants)), maps.Values(c.staff)) {
				if now.After(s.reached) {
					s.reached = now
				}
			}
		}
	}
}

// apply changes the records. It reports whether the step was possible.
func (m *model) apply(s Step) bool {
	c := m.customers[s.Customer]
	if c == nil {
		return s.Op == create && m.create(s.Customer)
	}
	switch s.Op {
	case create:
		return false
	case uncreate:
		for login, connected := range c.connected {
			if connected {
				m.orphan(s.Customer, login)
			}
		}
		m.customers[s.Customer] = nil
	case book:
		return m.book(c, s)
	case move:
		g := c.grants[s.Key]
		if g == nil {
			return false
		}
		start, end := g.start.Add(time.Duration(s.Start)*time.Minute), g.end
		if !end.IsZero() {
			end = end.Add(time.Duration(s.End) * time.Minute)
			if !start.Before(end) {
				return false
			}
		}
		if start.Equal(g.start) && end.Equal(g.end) {
			return false
		}
		g.start, g.end, g.reached = start, end, m.now
	case rooms:
		g, rooms := c.grants[s.Key], c.existing(s.Rooms)
		if g == nil || len(rooms) == 0 {
			return false
		}
		g.rooms, g.reached = rooms, m.now
	case cancel:
		if c.grants[s.Key] == nil {
			return false
		}
		delete(c.grants, s.Key)
	case guest:
		if c.guests[s.Key] {
			return false
		}
		c.guests[s.Key] = true
	case unguest:
		if !c.guests[s.Key] {
			return false
		}
		c.guests[s.Key] = false
		for key, g := range c.grants {
			if g.guest == s.Key {
				delete(c.grants, key)
			}
		}
	case staff:
		rooms := c.existing(s.Rooms)
		if c.staff[s.Key] != nil || len(rooms) == 0 {
			return false
		}
		added := m.subject(fmt.Sprint("staff", s.Customer, s.Key), rooms)
		if added.isStaff = true; !m.setTimes(added, s) {
			return false
		}
		c.staff[s.Key] = added
	case hours:
		return c.staff[s.Key] != nil && m.setTimes(c.staff[s.Key], s)
	case unstaff:
		if c.staff[s.Key] == nil {
			return false
		}
		delete(c.staff, s.Key)
	case space:
		if c.spaces[s.Key] || s.Key != site && s.Key != 3 && !c.spaces[site] {
			return false
		}
		c.spaces[s.Key] = true
	case unspace:
		return c.unspace(s.Key)
	case mapLock:
		if !c.connected[s.login()] || !c.spaces[s.Key] {
			return false
		}
		c.maps[[2]int{s.lockNumber(), s.Key}] = s.Shared
	case unmap:
		if _, ok := c.maps[[2]int{s.lockNumber(), s.Key}]; !ok {
			return false
		}
		delete(c.maps, [2]int{s.lockNumber(), s.Key})
	case connect:
		if login := s.login(); m.outage[login] || c.connected[login] && !m.lost[s.Customer][login] {
			return false
		}
		c.connected[s.login()], m.known[s.Customer][s.login()], m.lost[s.Customer][s.login()] = true, true, false
	case disconnect:
		if !c.connected[s.login()] {
			return false
		}
		c.connected[s.login()] = false
		m.orphan(s.Customer, s.login())
		maps.DeleteFunc(c.maps, func(at [2]int, _ bool) bool { return at[0]/locks == s.login() })
	default:
		return false
	}
	return true
}

// orphan records that the account of a login was deleted.
func (m *model) orphan(customer, login int) {
	m.lost[customer][login] = m.lost[customer][login] || m.orphaned[customer][login]
	m.orphaned[customer][login] = m.lost[customer][login]
}

func (m *model) create(i int) bool {
	if m.outage[i] {
		return false
	}
	c := &customer{staff: map[int]*subject{}, grants: map[int]*subject{}, maps: map[[2]int]bool{}}
	for key := range spaces {
		c.spaces[key] = true
	}
	for key := range guests {
		c.guests[key] = true
	}
	for lock := range rooms4 {
		c.maps[[2]int{i*locks + lock, lock}] = false
	}
	c.maps[[2]int{i*locks + frontDoor, lobby}] = true
	c.maps[[2]int{i*locks + picky, 0}] = false
	c.connected[i] = true
	m.customers[i], m.known[i][i], m.lost[i][i] = c, true, false
	return true
}

func (m *model) subject(key string, rooms []int) *subject {
	m.ids++
	return &subject{id: m.ids, key: key, rooms: rooms, reached: m.now}
}

// setTimes sets the times of a staff member. It reports whether this is a change to valid times.
func (m *model) setTimes(member *subject, s Step) bool {
	at := func(minutes int) time.Time {
		if minutes == 0 {
			return time.Time{}
		}
		return m.now.Add(time.Duration(minutes) * time.Minute).Truncate(time.Minute)
	}
	start, end := at(s.Start), at(s.End)
	changes := s.Op == staff || !start.Equal(member.start) || !end.Equal(member.end)
	if !changes || !start.IsZero() && !end.IsZero() && !start.Before(end) {
		return false
	}
	member.start, member.end, member.reached = start, end, m.now
	return true
}

func (m *model) book(c *customer, s Step) bool {
	rooms := c.existing(s.Rooms)
	if c.grants[s.Key] != nil || !c.guests[s.Guest] || len(rooms) == 0 {
		return false
	}
	g := m.subject(fmt.Sprint("grant", s.Customer, s.Key), rooms)
	g.guest, g.pin = s.Guest, s.PIN
	y, month, day := m.now.In(lisbon).Date()
	g.start = time.Date(y, month, day+s.Day, 15, 0, 0, 0, lisbon).Add(time.Duration(s.Start) * time.Minute).UTC()
	if s.Nights > 0 {
		g.end = time.Date(y, month, day+s.Day+s.Nights, 11, 0, 0, 0, lisbon).UTC()
	}
	if phone := phones[s.Guest]; g.pin == "" && phone != "" && rulesOf[s.Customer].phone {
		g.pin = phone[len(phone)-4:]
	}
	c.grants[s.Key] = g
	return true
}

func (c *customer) existing(rooms []int) (existing []int) {
	for _, r := range rooms {
		if c.spaces[r] && !slices.Contains(existing, r) {
			existing = append(existing, r)
		}
	}
	return existing
}

// unspace deletes a space, and with the site the spaces in it. Grants without a space are deleted, staff remain.
func (c *customer) unspace(key int) bool {
	if !c.spaces[key] {
		return false
	}
	gone := []int{key}
	if key == site {
		gone = []int{0, 1, 2, lobby, site}
	}
	for _, key := range gone {
		c.spaces[key] = false
		for lock := range 2 * locks {
			delete(c.maps, [2]int{lock, key})
		}
	}
	for _, s := range c.staff {
		s.rooms = c.existing(s.rooms)
	}
	for key, g := range c.grants {
		if g.rooms = c.existing(g.rooms); len(g.rooms) == 0 {
			delete(c.grants, key)
		}
	}
	return true
}
