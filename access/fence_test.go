package access_test

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// leaseKey returns the key of the lease of the only account of the hotel.
func (h *hotel) leaseKey() []byte {
	h.t.Helper()
	accounts, err := h.scope.Accounts(h.t.Context())
	require.NoError(h.t, err)
	require.Len(h.t, accounts, 1)
	return layout.Lease("customerportal/access/" + accounts[0].Provider + "/" + strconv.Quote(accounts[0].ExternalID))
}

// endLease lets another process take over at once. The holder still counts on the time that remains of its lease, like a process
// whose clock stood still while its machine was suspended.
func (h *hotel) endLease() {
	h.t.Helper()
	key := h.leaseKey()
	require.NoError(h.t, storage.Run(h.t.Context(), h.store, func(tx storage.Tx) error { return tx.Delete(key) }, key))
}

// waitUntilPaused waits until a trap has paused the process.
func (p *process) waitUntilPaused() {
	for paused := false; !paused; {
		time.Sleep(time.Second)
		synctest.Wait()
		p.mu.Lock()
		paused = p.paused != nil
		p.mu.Unlock()
	}
}

// TestTakeover_PausedBeforeTheClaim_OnlyTheNextHolderSends pauses a holder when it begins to record that it sends a command, until
// another process has taken over, which is slow to open its connection. The earlier holder must record nothing and send nothing.
func TestTakeover_PausedBeforeTheClaim_OnlyTheNextHolderSends(t *testing.T) {
	t.Parallel()
	for name, suspended := range map[string]bool{"the lease has passed": false, "its clock stood still": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
				connect(t, h.scope, "anna")
				traps := [2]trap{}
				first := newProcess(h, "first", &traps[0])
				second := newProcess(h, "second", &traps[1])
				startPair(t, first, second)
				traps[0].set("before an Update", 1)
				traps[1].set("before a connection", 1)
				var attempts []access.ActionAttempt
				for _, kind := range []device.CommandKind{device.Unlock, device.Lock} {
					a, err := second.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: kind}, data.Actor{}, access.MaxDeadline)
					require.NoError(t, err)
					attempts = append(attempts, a)
				}
				first.waitUntilPaused()
				if suspended {
					h.endLease()
				} else {
					traps[0].set("after an Update", 1) // before it could withdraw a claim
				}
				second.waitUntilPaused()
				first.resume()
				synctest.Wait()
				require.Empty(t, h.sentKinds(), "the earlier holder sends nothing")
				second.resume()
				for _, a := range attempts {
					a, err := second.scope.Wait(t.Context(), a.ID)
					require.NoError(t, err)
					require.Equal(t, access.AttemptSuccess, a.Status, "%+v", a.Error)
					require.True(t, a.Confirmed)
				}
				require.Equal(t, []device.CommandKind{device.Unlock, device.Lock}, h.sentKinds(), "each once, in their order")
				for _, call := range h.world.Calls() {
					require.True(t, call.Method != "Do" || call.Caller == "second", "%+v", call)
				}
			})
		})
	}
}

// TestTakeover_PausedBeforeItStores_DoesNotOverwrite pauses a holder when it begins to store what its connection reported, until
// another process has taken over and stored something newer.
func TestTakeover_PausedBeforeItStores_DoesNotOverwrite(t *testing.T) {
	t.Parallel()
	open := func(h *hotel, is bool) {
		h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(is) })
	}
	for name, c := range map[string]struct{ older, newer func(*hotel) }{
		"the state of a device": {func(h *hotel) { open(h, true) }, func(h *hotel) { open(h, false) }},
		"the status of the account": {
			func(h *hotel) { h.world.SetOutage("anna", true) },
			func(*hotel) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.ContactSensor("c1", "Window"))
				open(h, false)
				connect(t, h.scope, "anna")
				set := &trap{}
				first := newProcess(h, "first", set)
				second := newProcess(h, "second", &trap{})
				startPair(t, first, second)
				set.set("before an Update", 1)
				c.older(h)
				first.waitUntilPaused()
				h.world.SetOutage("anna", false)
				h.endLease()
				h.waitForCaller("second")
				c.newer(h)
				synctest.Wait()
				stored := func() (access.Device, []access.Activity) {
					d := h.device("c1")
					require.True(t, d.State.DoorOpen.Is(false))
					require.Equal(t, access.AccountConnected, d.AccountStatus)
					return d, h.activities()
				}
				before, activities := stored()
				first.resume()
				time.Sleep(time.Second)
				synctest.Wait()
				after, later := stored()
				require.Equal(t, before, after)
				require.Equal(t, activities, later)
			})
		})
	}
}

// timedConn records the deadlines of the commands.
type timedConn struct {
	device.Conn
	do func(deadline time.Time)
}

func (c timedConn) Do(ctx context.Context, id string, command device.Command) (device.Outcome, error) {
	deadline, _ := ctx.Deadline() // zero without a deadline
	c.do(deadline)
	return c.Conn.Do(ctx, id, command)
}

// TestTakeover_LeaseIsNotRenewed_CallsEndBeforeTheLease gives commands while the store refuses to renew the lease. No call of the
// driver may last longer than the lease, after which another process can send.
func TestTakeover_LeaseIsNotRenewed_CallsEndBeforeTheLease(t *testing.T) {
	t.Parallel()
	for name, slowClaim := range map[string]bool{"commands all the time": false, "the claim is stored slowly": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var refused, slow, claimed atomic.Bool
				var key []byte
				var mu sync.Mutex
				var leaseEnd time.Time
				var deadlines, ends []time.Time // of the calls, and of the lease at each call
				store := &hookedStore{Store: memory.New(), after: func() {
					if claimed.CompareAndSwap(true, false) {
						time.Sleep(15 * time.Second)
					}
				}, put: func(k, _ []byte) error {
					if layout.Parse(k).Shape == layout.ShapeAttempt && slow.CompareAndSwap(true, false) {
						claimed.Store(true)
					}
					if !bytes.Equal(k, key) {
						return nil
					}
					if refused.Load() {
						return errDisk
					}
					mu.Lock()
					defer mu.Unlock()
					leaseEnd = time.Now().Add(lease.DefaultDuration)
					return nil
				}}
				h := newHotel(t, store, simulated.Lock("l1", "L"))
				connect(t, h.scope, "anna")
				key = h.leaseKey()
				svc, _ := h.service("timed", access.Options{Providers: []device.Provider{wrapped{h.world.Provider("timed"), func(c device.Conn) (device.Conn, error) {
					return timedConn{c, func(deadline time.Time) {
						mu.Lock()
						defer mu.Unlock()
						deadlines, ends = append(deadlines, deadline), append(ends, leaseEnd)
					}}, nil
				}}}})
				defer start(t, svc)()
				time.Sleep(11 * time.Second) // the lease was renewed a second ago
				refused.Store(true)
				var attempts []access.ActionAttempt
				do := func() {
					a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, access.MaxDeadline)
					require.NoError(t, err)
					attempts = append(attempts, a)
				}
				if slowClaim {
					time.Sleep(10 * time.Second)
					do()
					slow.Store(true)
					time.Sleep(18 * time.Second)
					require.False(t, slow.Load(), "the command was claimed")
				} else {
					for range 28 {
						do()
						time.Sleep(time.Second)
					}
				}
				refused.Store(false)
				for _, a := range attempts {
					a, err := h.scope.Wait(t.Context(), a.ID)
					require.NoError(t, err)
					require.Equal(t, access.AttemptSuccess, a.Status, "%+v", a.Error)
				}
				require.Len(t, deadlines, len(attempts))
				for i, deadline := range deadlines {
					require.NotZero(t, deadline)
					require.True(t, deadline.Before(ends[i]), "call %d may last until %v, and the lease ends at %v", i, deadline, ends[i])
				}
				if !slowClaim {
					require.True(t, ends[0].Before(ends[len(ends)-1]), "some calls waited for the next lease")
				}
			})
		})
	}
}
