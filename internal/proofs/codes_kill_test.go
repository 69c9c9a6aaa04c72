package proofs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
)

// Processes that program access codes are killed repeatedly, at any point of writing a code. At each quiet moment the locks hold the
// codes of the current access grants and no others, no removal is left, and the store has no damage. Codes of other people are never
// touched, and a code does not move or disappear during a stay.
// PROOFS_CODE_KILLS=200 go test ./internal/proofs -run TestKilledProcess_Codes -timeout 1h kills more often.
func TestKilledProcess_Codes_LocksHoldExactlyTheDesiredCodes(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	kills := size(t, "PROOFS_CODE_KILLS", 0, 5, 20)
	worlds := min(kills, 4) // most of the time, the processes wait
	seed := seedOf(t)
	backend, _ := backends.InDir()
	for i := range worlds {
		t.Run(fmt.Sprintf("%s, world %d", backend, i), func(t *testing.T) {
			t.Parallel()
			killCodes(t, seed+uint64(i), (kills+worlds-1-i)/worlds)
		})
	}
}

// settleEvery is the number of kills before each quiet moment.
const settleEvery = 3

func killCodes(t *testing.T, seed uint64, kills int) {
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	m := newCodeModel(random)
	for m.Life = range kills {
		text, err := json.Marshal(m.doors)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(hubFile(dir), text, 0o600))
		after := 1 + random.IntN(500)
		if m.Life == 0 {
			after = 400
		}
		for _, line := range runUntilKilled(t, roleCodes, dir, random.Uint64(), after) {
			m.read(t, line)
		}
		m.choose(random)

		store, err := openSmall(dir)
		require.NoError(t, err, "life %d", m.Life)
		requireNoDamage(t, store)
		expireLeases(t, store)
		if m.Life%settleEvery == settleEvery-1 || m.Life == kills-1 {
			m.settle(t, store)
			requireNoDamage(t, store)
		}
		require.NoError(t, store.Close())
		m.visit(random)
	}
	t.Logf("%d kills, which interrupted %d calls of locks; %d codes written, %d cleared, %d calls carried out after a kill; %d codes compared",
		kills, m.interrupted, m.written, m.cleared, m.late, m.compared)
}

// expireLeases lets the leases of a killed process end, so that the next process does not wait for them.
func expireLeases(t *testing.T, store storage.Store) {
	t.Helper()
	require.NoError(t, storage.Run(t.Context(), store, func(tx storage.Tx) error {
		for e, err := range tx.Scan(t.Context(), storage.Prefix(layout.Lease("")), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if err := tx.Delete(e.Key); err != nil {
				return err
			}
		}
		return nil
	}))
}

// codeSpot is a code on a lock during a stay.
type codeSpot struct {
	doorSlot
	until time.Time // the end of the stay
}

// codeModel is the knowledge of the parent about the locks and about the acknowledgments of the killed processes.
type codeModel struct {
	mu sync.Mutex // while a service runs
	doors
	foreign map[string]map[int]doorSlot    // codes of other people, by lock
	people  int                            // number of their codes
	held    map[string]map[string]codeSpot // codes at the last quiet moment whose stay has not changed since, by lock and grant
	running map[string]doorCall            // calls that have not ended, by lock
	grants  map[string]map[string]presence // by customer and key
	fault   string                         // the first rule that was broken

	interrupted, written, cleared, late, compared int
}

// presence is the knowledge about the existence of an access grant.
type presence int

const (
	absent presence = iota
	present
	uncertain // a change was not acknowledged
)

func newCodeModel(random *rand.Rand) *codeModel {
	m := &codeModel{
		doors: doors{Slots: map[string]map[int]doorSlot{}}, foreign: map[string]map[int]doorSlot{}, held: map[string]map[string]codeSpot{},
		running: map[string]doorCall{}, grants: map[string]map[string]presence{},
	}
	for _, customer := range doorCustomers {
		m.grants[customer] = map[string]presence{}
		for _, space := range doorSpaces {
			lock := doorOf(customer, space)
			m.Slots[lock], m.foreign[lock], m.held[lock] = map[int]doorSlot{}, map[int]doorSlot{}, map[string]codeSpot{}
			m.write(lock, 1+random.IntN(3))
		}
	}
	return m
}

// write lets somebody write a code at a lock.
func (m *codeModel) write(lock string, index int) {
	m.people++
	s := doorSlot{Index: index, PIN: fmt.Sprint(90_000_000 + 7_919*m.people)}
	if m.people%5 == 0 {
		s.PIN = "4815" // an access grant may have it
	}
	for _, other := range m.Slots[lock] {
		if other.PIN == s.PIN || other.Index == index {
			return
		}
	}
	m.Slots[lock][index], m.foreign[lock][index] = s, s
}

// visit lets somebody write and clear codes while no process runs. Nobody writes to a lock that hides its PINs, because nobody can know
// whose code its slot holds.
func (m *codeModel) visit(random *rand.Rand) {
	for _, customer := range doorCustomers {
		lock := doorOf(customer, doorSpaces[random.IntN(2)])
		index := 1 + random.IntN(doorSlots/2)
		for _, call := range m.Late {
			if call.Lock == lock {
				return // it would overwrite the code
			}
		}
		if _, own := m.foreign[lock][index]; own && len(m.foreign[lock]) > 2 {
			delete(m.foreign[lock], index)
			delete(m.Slots[lock], index)
		} else if len(m.foreign[lock]) < 5 {
			m.write(lock, index)
		}
	}
}

func (m *codeModel) now() time.Time { return time.Now().Add(m.Shift) }

// read applies a line of the killed process.
func (m *codeModel) read(t *testing.T, line string) {
	t.Helper()
	words := strings.Split(line, " ")
	switch words[0] {
	case "call", "set", "end", "late":
		var c doorCall
		require.NoError(t, json.Unmarshal([]byte(words[1]), &c), line)
		m.apply(words[0], c)
		require.Empty(t, m.fault)
	case "op", "ok":
		m.operate(words[1], words[2], words[3], words[0] == "ok")
	case "clock":
		_, err := fmt.Sscan(words[1], &m.Shift)
		require.NoError(t, err)
	case "failed":
		require.Fail(t, line)
	}
}

// operate applies a change of a customer, which may not have happened unless it is acknowledged.
func (m *codeModel) operate(customer, kind, key string, acknowledged bool) {
	if kind == "drop" && acknowledged {
		clear(m.grants[customer])
	}
	for grant := range m.grants[customer] {
		if kind == "drop" {
			m.grants[customer][grant] = uncertain
		}
	}
	for lock, held := range m.held {
		for grant := range held {
			if grant == key && kind != "extend" || kind == "drop" && strings.HasPrefix(grant, customer) {
				delete(m.held[lock], grant)
			}
		}
	}
	switch {
	case kind == "book" && acknowledged:
		m.grants[customer][key] = present
	case kind == "cancel" && acknowledged:
		delete(m.grants[customer], key)
	case kind == "book", kind == "cancel":
		m.grants[customer][key] = uncertain
	}
}

// apply applies a call of a lock, and remembers the first rule that it breaks.
func (m *codeModel) apply(word string, c doorCall) {
	m.mu.Lock()
	defer m.mu.Unlock()
	broken := func(rule string, other doorSlot) {
		if m.fault == "" {
			m.fault = fmt.Sprintf("%s: %s: %+v, and the slot has %+v", c.Lock, rule, c.Slot, other)
		}
	}
	if other, ok := m.foreign[c.Lock][c.Slot.Index]; ok && word != "end" {
		broken("a code of somebody else is changed", other)
	}
	switch word {
	case "call":
		m.running[c.Lock] = c
		for grant, held := range m.held[c.Lock] {
			switch {
			case !m.now().Before(held.until):
				delete(m.held[c.Lock], grant)
			case held.Index == c.Slot.Index && held.PIN != c.Slot.PIN:
				broken("a code is changed during the stay of "+grant, held.doorSlot)
			case held.Index != c.Slot.Index && held.PIN == c.Slot.PIN:
				broken("a code moves during the stay of "+grant, held.doorSlot)
			}
		}
		return
	case "end":
		delete(m.running, c.Lock)
		return
	case "late":
		m.late++
	case "set":
		delete(m.running, c.Lock)
	}
	if c.Slot.PIN == "" {
		m.cleared++
		delete(m.Slots[c.Lock], c.Slot.Index)
		return
	}
	m.written++
	m.Slots[c.Lock][c.Slot.Index] = c.Slot
}

// choose chooses which of the calls that the kill has interrupted are carried out, and when.
func (m *codeModel) choose(random *rand.Rand) {
	m.Late = nil
	for _, lock := range slices.Sorted(maps.Keys(m.running)) {
		m.interrupted++
		call := m.running[lock]
		switch random.IntN(3) {
		case 0:
			m.Late = append(m.Late, call)
		case 1:
			call.After = time.Duration(1+random.IntN(800)) * time.Millisecond // shorter than codesCall
			m.Late = append(m.Late, call)
		}
	}
	clear(m.running)
}

// settle runs a service until the locks hold the desired codes.
func (m *codeModel) settle(t *testing.T, store storage.Store) {
	t.Helper()
	clock := &shiftedClock{}
	clock.shift.Store(int64(m.Shift))
	world := m.world()
	provider := doorProvider{world.Provider("hub"), m.apply, func() callFault { return noFault }, &sync.RWMutex{}}
	svc, ws, err := codeService(store, clock, provider)
	require.NoError(t, err)
	wait, err := m.finishLate(world, provider)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(wait)
	running.Go(func() { _ = svc.Run(ctx) }) // the error of ctx
	for _, customer := range doorCustomers {
		require.NoError(t, prepare(ctx, svc, ws, customer)) // a killed process may not have done it
	}
	var last error
	tries, quiet := 0, 0
	require.Eventually(t, func() bool {
		var found map[string]map[string]codeSpot
		if found, last = m.compare(ctx, svc, ws, clock.now()); last != nil {
			quiet = 0
			if tries++; tries%100 == 0 { // codes wait after failures of the killed processes
				m.mu.Lock()
				m.Shift += 6 * time.Minute
				clock.shift.Store(int64(m.Shift))
				m.mu.Unlock()
			}
			return false
		}
		if quiet++; quiet < 3 {
			return false
		}
		m.held = found
		return true
	}, 2*time.Minute, 50*time.Millisecond, "%v", errorOf{&last})
	cancel()
	running.Wait()
	require.Empty(t, m.fault)
	m.Late = nil
	clear(m.running)
}

// errorOf prints an error that is set later.
type errorOf struct{ err *error }

func (e errorOf) String() string { return fmt.Sprint(*e.err) }
