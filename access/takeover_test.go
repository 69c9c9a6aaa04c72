package access_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestTakeover_PausedForTwiceTheLease_NoConflictsAndNothingLost gives random commands to two services on one store, and pauses
// one of them again and again for twice the duration of a lease, while the devices are slow. Two customers have connected the hub.
func TestTakeover_PausedForTwiceTheLease_NoConflictsAndNothingLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testsize.Pick(2, 6, 15)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { takeover(t, seed) })
		})
	}
}

// slowest is the longest time for which a device works on a command in the test of takeovers. A process that stops after it sent a
// command has renewed its lease of 30 s at most 10 s before. The next holder waits 10 s, the call timeout, before it sends.
const slowest = 29 * time.Second

// issued is a command that was given to a device.
type issued struct {
	customer *hotel
	attempt  access.ActionAttempt // as it was created, and when all have ended, as it is stored
}

// TestTakeover_ShortLease_AnotherPlansCodesAfterIt pauses a process that plans the access codes, and books a stay.
func TestTakeover_ShortLease_AnotherPlansCodesAfterIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), codeLock("l1", "Room 101", 3))
		connect(t, h.scope, "anna")
		o := access.Options{Lease: 9 * time.Second}
		first, second := newProcessWith(h, "first", &trap{}, o), newProcessWith(h, "second", &trap{}, o)
		startPair(t, first, second)
		h.mapTo("l1", "101")
		time.Sleep(time.Second)
		synctest.Wait()
		first.pause()
		starts, ends := night()
		h.book("r1", starts, ends, "101")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Len(t, h.codes(access.CodeQuery{}), 1, "the code of the stay is planned")
	})
}

// takeoverTest is two services on one store, and the commands that were given to them.
type takeoverTest struct {
	*hotel
	random    *rand.Rand
	customers []*hotel
	processes []*process
	trap      trap
	issued    map[string][]*issued // by the id of the device in the world, in their order
	n         int

	mu   sync.Mutex
	held map[string]bool
}

func (tt *takeoverTest) devices() []string { return tt.world.Devices("anna") }

// command gives a command to a device. Each has an actor of its own, and each of a thermostat a set point of its own. The deadlines
// are at least twice the call timeout, so that every call may last for the call timeout.
func (tt *takeoverTest) command(customer *hotel, id string) {
	tt.n++
	command := device.Command{Kind: device.SetClimate, Climate: device.Climate{HeatingSetPoint: device.Known(7 + float64(tt.n)/32)}}
	if strings.HasPrefix(id, "lock") {
		command = device.Command{Kind: []device.CommandKind{device.Lock, device.Unlock}[tt.random.IntN(2)]}
	}
	actor := data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9, byte(tt.n >> 8), byte(tt.n)}}
	deadline := time.Duration(20+tt.random.IntN(280)) * time.Second
	a, err := customer.scope.Do(tt.t.Context(), customer.device(id).ID, command, actor, deadline)
	require.NoError(tt.t, err)
	tt.issued[id] = append(tt.issued[id], &issued{customer, a})
}

// slow makes a device slow for a random time, unless it is slow.
func (tt *takeoverTest) slow(id string) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if tt.held[id] {
		return
	}
	tt.held[id] = true
	release := tt.world.Hold(id)
	time.AfterFunc(time.Duration(1+tt.random.Int64N(int64(slowest))), func() {
		release()
		tt.mu.Lock()
		defer tt.mu.Unlock()
		tt.held[id] = false
	})
}

func (tt *takeoverTest) sleep(least, most time.Duration) {
	time.Sleep(least + time.Duration(tt.random.Int64N(int64(most-least))))
}

func takeover(t *testing.T, seed uint64) {
	h := newHotel(t, memory.New())
	tt := &takeoverTest{hotel: h, random: rand.New(rand.NewPCG(seed, 1)), held: map[string]bool{}, issued: map[string][]*issued{}}
	for _, id := range []string{"lock 1", "lock 2"} {
		h.world.AddDevice("anna", simulated.Lock(id, id))
	}
	for _, id := range []string{"thermostat 1", "thermostat 2"} {
		h.world.AddDevice("anna", simulated.Thermostat(id, id))
	}
	_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other", Spaces: []data.Space{data.Site("s2", "S")}})
	require.NoError(t, err)
	other := *h
	other.scope = h.svc.Workspace(workspaceID).Customer("other")
	tt.customers = []*hotel{h, &other}
	for _, c := range tt.customers {
		connect(t, c.scope, "anna")
	}
	tt.processes = []*process{newProcess(h, "a", &tt.trap), newProcess(h, "b", &tt.trap)}
	var stops []func()
	for i, p := range tt.processes {
		p.late = rand.New(rand.NewPCG(seed, uint64(2+i)))
		stops = append(stops, start(t, p.svc))
	}
	defer func() {
		tt.trap.set("", 0)
		for i, p := range tt.processes {
			p.resume()
			stops[i]()
		}
	}()
	synctest.Wait()
	tt.run()
	tt.readAttempts()
	tt.check()
}

func (tt *takeoverTest) run() {
	places := []string{"before a command", "before a command", "before an Update", "after an Update", "before a View", "after a command", "before an event"}
	for range testsize.Pick(6, 10, 30) {
		id, _ := pick(tt.random, tt.devices())
		if tt.random.IntN(3) == 0 {
			tt.pauseTheCaller(id)
			continue
		}
		if tt.random.IntN(2) == 0 {
			tt.slow(id)
		}
		tt.trap.set(places[tt.random.IntN(len(places))], 1+tt.random.IntN(3))
		for range 1 + tt.random.IntN(3) {
			tt.command(tt.customers[tt.random.IntN(2)], id)
			tt.sleep(0, 3*time.Second)
		}
		tt.trap.set("", 0)
		if tt.random.IntN(2) == 0 { // these wait for the commands that were sent
			tt.command(tt.customers[tt.random.IntN(2)], id)
		}
		tt.sleep(50*time.Second, 70*time.Second) // most times, the other process has taken over
		tt.slow(id)
		tt.command(tt.customers[tt.random.IntN(2)], id)
		tt.sleep(time.Second, 4*time.Second) // it is being sent
		for _, p := range tt.processes {
			p.resume()
		}
		tt.sleep(0, 10*time.Second)
		tt.readAttempts()
	}
	for i, p := range tt.processes { // the other one takes over and sends a command
		tt.sleep(slowest, 2*slowest) // no device is slow
		p.pause()
		tt.command(tt.customers[i], "lock 1")
		time.Sleep(70 * time.Second)
		tt.command(tt.customers[i], "thermostat 1")
		time.Sleep(20 * time.Second)
		p.resume()
	}
	time.Sleep(10 * time.Minute) // longer than all deadlines
	synctest.Wait()
}

// pauseTheCaller pauses a process while a slow device works on its command, and gives the next commands.
func (tt *takeoverTest) pauseTheCaller(id string) {
	tt.sleep(slowest, 2*slowest) // no device is slow
	release := tt.world.Hold(id)
	for range 3 {
		tt.command(tt.customers[tt.random.IntN(2)], id)
	}
	tt.sleep(0, 9*time.Second)
	calls := tt.world.Calls()
	for i, caller := range []string{"a", "b"} {
		if caller == calls[len(calls)-1].Caller {
			tt.processes[i].pause()
		}
	}
	time.Sleep(slowest) // the lease was renewed at most 10 s before the pause
	release()
	tt.sleep(20*time.Second, 40*time.Second)
	for _, p := range tt.processes {
		p.resume()
	}
	tt.sleep(0, 10*time.Second)
	tt.readAttempts()
}

// readAttempts reads the attempts that had not ended. Those that had ended must not have changed.
func (tt *takeoverTest) readAttempts() {
	for _, commands := range tt.issued {
		for _, c := range commands {
			stored, err := c.customer.scope.Attempt(tt.t.Context(), c.attempt.ID)
			require.NoError(tt.t, err)
			if c.attempt.Status != access.AttemptPending {
				require.Equal(tt.t, c.attempt, stored, "an attempt ends once")
			}
			c.attempt = stored
		}
	}
}

func (tt *takeoverTest) check() {
	t := tt.t
	for _, c := range tt.world.Conflicts() {
		require.Equal(t, c.First.Caller, c.Second.Caller, "%+v", c)
		require.False(t, c.First.End.IsZero(), "a process sends the next command after the call of the one before has ended: %+v", c)
	}
	calls := map[string][]simulated.Call{}
	callers := map[string]bool{}
	for _, call := range tt.world.Calls() {
		if call.Method == "Do" {
			calls[call.Device] = append(calls[call.Device], call)
			callers[call.Caller] = true
		}
	}
	require.Len(t, callers, 2, "both processes sent commands")
	confirmed := map[*hotel]bool{}
	for id, commands := range tt.issued {
		for _, c := range commands {
			require.NotEqual(t, access.AttemptPending, c.attempt.Status, "%+v", c.attempt)
			if failure := c.attempt.Error; failure != nil {
				require.Contains(t, []access.ErrorType{access.ErrorTimedOut, access.ErrorNotConfirmed}, failure.Type, "%+v", failure)
			}
			confirmed[c.customer] = confirmed[c.customer] || c.attempt.Confirmed
		}
		if !explained(commands, calls[id]) {
			for _, c := range commands {
				t.Logf("%s: %+v %+v", id, c.attempt, c.attempt.Error)
			}
			for _, call := range calls[id] {
				t.Logf("%s: %+v", id, call)
			}
			require.Fail(t, "the attempts do not explain the calls, each at most once and in this order, with their results")
		}
		state := tt.world.Device(id).State
		for _, c := range tt.customers {
			require.Equal(t, state, c.device(id).State, "the stored state is the true state")
		}
	}
	require.Len(t, confirmed, 2)
	for _, c := range tt.customers {
		require.True(t, confirmed[c], "a device confirmed a command of each customer")
		tt.checkActivities(c)
	}
}

// mayBeSent reports whether the result of an attempt admits that the command was sent.
func (c *issued) mayBeSent() bool {
	e := c.attempt.Error
	return e == nil || !strings.Contains(e.Message, "could not be sent") && !strings.Contains(e.Message, "no process carried out") &&
		!strings.Contains(e.Message, "could not be opened")
}

// mayBeUnsent reports whether the result of an attempt admits that the command was not sent. The state of a lock may be the one that
// a command asked for which was not sent.
func (c *issued) mayBeUnsent() bool {
	a := c.attempt
	return a.Status == access.AttemptError || !a.Confirmed && a.Command.Kind != device.SetClimate
}

// resultOf reports whether the result of an attempt is possible after a call.
func (c *issued) resultOf(call simulated.Call) bool {
	a := c.attempt
	switch {
	case a.Command != call.Command || !c.mayBeSent():
		return false
	case call.Err == nil: // a next holder may not see that the device did it
		return a.Status == access.AttemptSuccess || a.Error.Type == access.ErrorNotConfirmed
	}
	return !a.Confirmed
}

// explained reports whether each call is that of one command, in the order of the commands, and the results of all commands are
// possible.
func explained(commands []*issued, calls []simulated.Call) bool {
	possible := make([]bool, len(calls)+1) // for the number of calls that the commands so far explain
	possible[0] = true
	for _, c := range commands {
		next := make([]bool, len(possible))
		for n := range possible {
			next[n] = possible[n] && c.mayBeUnsent() || n > 0 && possible[n-1] && c.resultOf(calls[n-1])
		}
		possible = next
	}
	return possible[len(calls)]
}

// checkActivities checks that the activities of a customer contain each successful command once, no other more than once, and no
// command of the other customer.
func (tt *takeoverTest) checkActivities(customer *hotel) {
	t := tt.t
	byAttempt := map[uuid.UUID][]access.Activity{}
	for _, a := range customer.activities() {
		switch {
		case a.AttemptID != uuid.Nil:
			byAttempt[a.AttemptID] = append(byAttempt[a.AttemptID], a)
		default:
			require.Nil(t, a.Actor, "an activity that no command caused")
		}
	}
	kinds := map[device.CommandKind]access.ActivityKind{
		device.Lock: access.ActivityLocked, device.Unlock: access.ActivityUnlocked, device.SetClimate: access.ActivityClimate,
	}
	for _, commands := range tt.issued {
		for _, c := range commands {
			if c.customer != customer {
				continue
			}
			listed := byAttempt[c.attempt.ID]
			delete(byAttempt, c.attempt.ID)
			if c.attempt.Status == access.AttemptSuccess {
				require.Len(t, listed, 1, "%+v", c.attempt)
			} else { // the device may have reported the operation
				require.LessOrEqual(t, len(listed), 1, "%+v", c.attempt)
			}
			for _, a := range listed {
				require.Equal(t, &c.attempt.Actor, a.Actor)
				require.Equal(t, kinds[c.attempt.Command.Kind], a.Kind)
				require.Equal(t, c.attempt.DeviceID, a.DeviceID)
			}
		}
	}
	require.Empty(t, byAttempt, "activities of attempts of others")
}
