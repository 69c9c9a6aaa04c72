package codeproofs

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// Step is a step of a schedule. A step that is not possible, such as a booking by a guest who does not exist, is ignored, so that a
// schedule remains valid if steps are removed from it.
type Step struct {
	Op       op
	Customer int    `json:",omitempty"` // 0 or 1, also the login of an outage
	Annex    bool   `json:",omitempty"` // the account, the lock or the mapping is that of the other customer's login
	Lock     int    `json:",omitempty"` // 0 to locks-1, of the login
	Key      int    `json:",omitempty"` // of the grant, guest, staff member or space
	Guest    int    `json:",omitempty"` // of a booking
	Rooms    []int  `json:",omitempty"` // of a booking or a staff member
	PIN      string `json:",omitempty"` // the preferred code of a booking, or the PIN of a code that somebody writes
	Slot     int    `json:",omitempty"`
	Shared   bool   `json:",omitempty"`
	Fault    string `json:",omitempty"`

	// Day is the first day of a booking, counted from today, and Nights its length. Check-in and check-out are at local times.
	Day, Nights int `json:",omitempty"`

	// Start and End shift the times of a booking. Those of a staff member are that many minutes from now, or none if they are zero.
	// Minutes shifts the clock.
	Start, End, Minutes int `json:",omitempty"`
}

type op string

// The steps.
const (
	quiet op = "quiet" // time passes until nothing happens any more; then the locks are compared with the model

	book       op = "book" // creates grant Key
	move       op = "move" // changes the times of grant Key
	rooms      op = "rooms"
	cancel     op = "cancel"
	guest      op = "guest" // creates guest Key
	unguest    op = "unguest"
	staff      op = "staff"
	unstaff    op = "unstaff"
	hours      op = "hours" // changes the times of staff member Key
	space      op = "space" // creates space Key
	unspace    op = "unspace"
	create     op = "create" // creates the customer with everything, connects its account, and maps its locks
	uncreate   op = "uncreate"
	mapLock    op = "map"
	unmap      op = "unmap"
	connect    op = "connect" // connects the account, for the first time or again
	disconnect op = "disconnect"

	clock   op = "clock"   // sets the clock
	pass    op = "pass"    // lets time pass
	restart op = "restart" // restarts the first service
	kill    op = "kill"    // the first service is killed at its Slot-th write from now
	second  op = "second"  // starts or stops the second service

	fault   op = "fault" // replaces the faults of a lock with Fault, or ends them
	outage  op = "outage"
	online  op = "online"  // ends the outage
	revoke  op = "revoke"  // the provider ends the session of the account
	calm    op = "calm"    // ends all faults and outages
	partial op = "partial" // the next inventory fails after Slot devices
	write   op = "write"   // somebody writes a code into an empty slot
	erase   op = "erase"   // somebody clears a slot with such a code
	edit    op = "edit"    // somebody writes another code over a code that the system wrote
	wipe    op = "wipe"    // somebody clears a code that the system wrote
)

// weights are the relative frequencies of the steps.
var weights = []struct {
	op     op
	weight int
}{
	{quiet, 50}, {book, 60}, {move, 40}, {rooms, 15}, {cancel, 10}, {guest, 8}, {unguest, 3}, {staff, 8}, {unstaff, 2}, {hours, 12}, {space, 8}, {unspace, 3},
	{create, 8}, {uncreate, 2}, {mapLock, 20}, {unmap, 6}, {connect, 10}, {disconnect, 2}, {clock, 14}, {pass, 30}, {restart, 4}, {kill, 6}, {second, 4},
	{fault, 20}, {outage, 4}, {online, 6}, {revoke, 2}, {calm, 15}, {partial, 2}, {write, 12}, {erase, 8}, {edit, 6}, {wipe, 6},
}

// faults are the faults of locks. The first one means no fault.
var faults = []string{"", "offline", "full", "deaf", "mute", "stale", "noreads", "unlisted"}

// generate returns n random steps.
func generate(seed uint64, n int) (steps []Step) {
	r := rand.New(rand.NewPCG(seed, 7))
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	for range n {
		at, i := r.IntN(total), 0
		for ; at >= weights[i].weight; i++ {
			at -= weights[i].weight
		}
		steps = append(steps, random(r, weights[i].op))
	}
	return steps
}

// random returns a random step. Customer 0 has more of them, so that its locks are full more often.
func random(r *rand.Rand, o op) Step {
	s := Step{Op: o, Customer: r.IntN(4) / 3, Lock: r.IntN(locks)}
	switch o {
	case quiet, calm, restart, second:
		return Step{Op: o}
	case clock:
		return Step{Op: o, Minutes: pick(r, 1, 30, 60, 61, 240, 1440, 4000, 10_080, -1, -60, -61, -300, -1440, -3000)}
	case pass:
		return Step{Op: o, Minutes: pick(r, 1, 10, 59, 60, 61, 180, 420, 1440)}
	case book:
		s.Key, s.Guest, s.Rooms, s.PIN = r.IntN(grants), r.IntN(guests), someRooms(r), pick(r, "", "", "", "4821", "4821", "7305", "90417", "1234")
		s.Day, s.Nights = r.IntN(5)-1, pick(r, 1, 1, 2, 3, 7, 0)
		s.Start = pick(r, 0, 0, 0, -300, -60, 45)
	case move:
		s.Key = r.IntN(grants)
		s.Start = pick(r, 0, 0, -60, 60, -1440, 1440, 5760, -5)
		s.End = pick(r, s.Start, s.Start, 0, 60, -60, -1440, 1440, -2880)
	case rooms:
		s.Key, s.Rooms = r.IntN(grants), someRooms(r)
	case staff, unstaff, hours:
		s.Key, s.Rooms = r.IntN(staffMembers), someRooms(r)
		s.Start, s.End = pick(r, 0, -120, 30, 180, 1440, 5760), pick(r, 0, 0, -60, 240, 2000, 7000)
	case cancel:
		s.Key = r.IntN(grants)
	case guest, unguest:
		s.Key = r.IntN(guests)
	case space, unspace:
		s.Key = r.IntN(spaces)
	case connect, disconnect:
		s.Annex = r.IntN(3) == 0
	case mapLock, unmap:
		s.Annex = r.IntN(4) == 0
		s.Key, s.Shared = pick(r, s.Lock%spaces, s.Lock%spaces, r.IntN(spaces)), s.Lock == frontDoor || r.IntN(8) == 0
	case fault:
		s.Fault = faults[r.IntN(len(faults))]
	case kill:
		return Step{Op: o, Slot: r.IntN(60)}
	case partial:
		s.Slot = r.IntN(4)
	case write:
		s.Slot, s.PIN = 1+r.IntN(6), pick(r, "4821", "", "", "", "")
	case erase, edit, wipe:
		s.Slot = 1 + r.IntN(6)
	}
	return s
}

func someRooms(r *rand.Rand) (rooms []int) {
	for range 1 + r.IntN(2) {
		rooms = append(rooms, pick(r, 0, 0, 1, 1, 1, 2, 3, lobby))
	}
	return rooms
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// format returns a schedule as JSON, with one step in each line.
func format(steps []Step) string {
	var lines []string
	for _, s := range steps {
		line, _ := json.Marshal(s)
		lines = append(lines, string(line))
	}
	return "[" + strings.Join(lines, ",\n") + "]"
}

// parse returns the schedule that format wrote.
func parse(text []byte) (steps []Step, err error) { return steps, json.Unmarshal(text, &steps) }
