package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

// foreign are the codes on the locks that somebody else has set.
var foreign = map[string]map[int]string{lockOf(0): {2: "135790"}}

// openHotel returns a hotel with its hub connected, a code of somebody else, and two hosts.
func openHotel(t *testing.T, rooms int) (*hotel, [2]*host) {
	t.Helper()
	h := newHotel(t, rooms)
	for lock, pins := range foreign {
		for slot, pin := range pins {
			h.world.WriteCode(lock, device.Slot{Index: slot, State: device.SlotKnown, PIN: device.NewSecret(pin)})
		}
	}
	hosts := [2]*host{h.start(), h.start()}
	h.connect(customer)
	h.mapLocks(customer, roomKey)
	return h, hosts
}

// book pushes stays, given by key with their rooms.
func (h *hotel) book(stays map[string]int, ends time.Time) {
	h.t.Helper()
	d := data.CustomerData{CustomerKey: customer}
	for key, room := range stays {
		d.AccessGrants = append(d.AccessGrants, stayOf(key, roomKey(room), ends))
	}
	h.push(d)
}

// writer returns the host that has written a code, when one has begun to do so.
func (h *hotel) writer(hosts [2]*host) (writer, other *host) {
	h.t.Helper()
	h.eventually(func() string {
		if len(h.calls("SetCode")) == 0 {
			return "no code is being written"
		}
		return ""
	})
	if name := h.calls("SetCode")[0].Caller; name != hosts[0].name {
		return hosts[1], hosts[0]
	}
	return hosts[0], hosts[1]
}

// TestAccess_ProcessStopsWhileItWritesCodes_EachIsWrittenOnce stops a process after it has begun to write codes. The other process must write
// the rest, and later remove all of them, and the process that continues must not write any of them again.
func TestAccess_ProcessStopsWhileItWritesCodes_EachIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			h, hosts := openHotel(t, 2)
			stays := map[string]int{"r1": 0, "r2": 0, "r3": 0, "r4": 1, "r5": 1}
			tomorrow := time.Now().Add(24 * time.Hour)
			h.book(stays, tomorrow)
			stopped, _ := h.writer(hosts)
			if killed {
				stopped.kill()
			} else {
				stopped.pause()
			}
			h.eventually(func() string { return h.codesDiffer(customer, stays, foreign) })
			if killed {
				h.start()
			} else {
				stopped.resume()
			}
			stays["later"] = 0
			h.book(map[string]int{"later": 0}, tomorrow)
			h.eventually(func() string { return h.codesDiffer(customer, stays, foreign) })
			type place struct {
				lock string
				slot int
			}
			written, twice := map[place]bool{}, 0
			for _, call := range h.calls("SetCode") {
				p := place{call.Device, call.Slot}
				if written[p] {
					twice++
				}
				written[p] = true
			}
			require.Len(t, written, len(stays), "each code was written to one slot")
			require.LessOrEqual(t, twice, 1, "at most the code was written again that the process was writing when it stopped")

			ends := time.Now().Add(2 * time.Second)
			h.book(stays, ends)
			h.eventually(func() string { return h.codesDiffer(customer, nil, foreign) })
			for _, call := range h.calls("ClearCode") {
				require.False(t, call.Start.Before(ends.Truncate(time.Second)), "no code is removed before its end: %+v", call)
			}
			require.Empty(t, h.world.Conflicts())
			h.requireSound()
		})
	}
}

// TestAccess_CustomerDeletedWhileAProcessIsStopped_AnotherRemovesTheCodes deletes a customer after a process has stopped that was writing a code,
// which reaches the lock afterwards. The other process must remove this code. The process that continues must not write it again, also when
// it takes over the lock of another customer.
func TestAccess_CustomerDeletedWhileAProcessIsStopped_AnotherRemovesTheCodes(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			h, hosts := openHotel(t, 2)
			const neighbour = "neighbour"
			h.push(data.CustomerData{CustomerKey: neighbour, Spaces: []data.Space{data.Room("n0", "N"), data.Room("n1", "N")}})
			h.connect(neighbour)
			h.mapLocks(neighbour, func(room int) string { return "n" + strconv.Itoa(room) })
			begun, release := h.delayWrites(lockOf(0))
			defer release()
			h.book(map[string]int{"r1": 0}, time.Now().Add(24*time.Hour))
			<-begun
			h.book(map[string]int{"r2": 1}, time.Now().Add(24*time.Hour))
			stopped, other := h.writer(hosts)
			if killed {
				stopped.kill()
			} else {
				stopped.pause()
			}
			h.delete(data.Selection{CustomerKeys: []string{customer}})
			release()
			h.eventually(func() string {
				if calls := h.calls("SetCode", lockOf(0)); len(calls) == 0 || calls[0].End.IsZero() {
					return "the code that was being written is not on the lock yet"
				}
				return ""
			})
			removed := func() string {
				n, err := h.app.Access.Workspace(h.ws.ID()).CountRemovals(t.Context())
				require.NoError(t, err)
				if n != 0 {
					return fmt.Sprintf("%d codes are not removed yet", n)
				}
				return ""
			}
			h.eventually(removed)
			require.Equal(t, foreign[lockOf(0)], h.slots(lockOf(0)))
			require.Empty(t, h.slots(lockOf(1)))
			for _, call := range h.calls("ClearCode") {
				require.Equal(t, other.name, call.Caller)
			}
			if killed {
				stopped = h.start()
			} else {
				stopped.resume()
			}
			other.stop()
			h.push(data.CustomerData{CustomerKey: neighbour, AccessGrants: []data.AccessGrant{stayOf("n", "n1", time.Now().Add(24*time.Hour))}})
			h.eventually(func() string { return h.codesDiffer(neighbour, map[string]int{"n": 1}, foreign) })
			writes := h.calls("SetCode", lockOf(1))
			require.Equal(t, stopped.name, writes[len(writes)-1].Caller)
			require.Len(t, h.calls("SetCode", lockOf(0)), 1, "the code of the deleted customer was not written again")
			h.requireSound()
		})
	}
}

// TestAccess_RollingRestartsWhileBookingsArrive_LocksHoldExactlyTheCodes restarts both processes one after another, and kills each of them once,
// while stays are booked, moved and cancelled.
func TestAccess_RollingRestartsWhileBookingsArrive_LocksHoldExactlyTheCodes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const rooms = 3
	h, hosts := openHotel(t, rooms)
	stays := map[string]int{}
	tomorrow := time.Now().Add(24 * time.Hour)
	n := 0
	change := func() {
		switch key, room := "r"+strconv.Itoa(random.IntN(n+1)), random.IntN(rooms); {
		case random.IntN(3) == 0:
			if _, ok := stays[key]; ok {
				delete(stays, key)
				h.delete(data.Selection{Resources: data.Refs(data.KindReservation, key)})
			}
		case len(stays) < 12:
			n++
			stays[key] = room
			h.book(map[string]int{key: room}, tomorrow)
		}
	}
	for range testsize.Pick(1, 1, 3) {
		for i, kill := range []bool{false, false, true, true} {
			from := len(h.calls("SetCode")) + len(h.calls("ClearCode"))
			h.eventually(func() string { // the hosts have something to do when one of them ends
				change()
				if len(h.calls("SetCode"))+len(h.calls("ClearCode")) < from+3 {
					return "the locks were not called"
				}
				return ""
			})
			if kill {
				hosts[i%2].kill()
			} else {
				hosts[i%2].stop()
			}
			for range 5 {
				change()
			}
			hosts[i%2] = h.start()
		}
	}
	h.eventually(func() string { return h.codesDiffer(customer, stays, foreign) })
	t.Logf("%d stays booked, %d left, %d codes written and %d cleared", n, len(stays), len(h.calls("SetCode")), len(h.calls("ClearCode")))
	removals, err := h.app.Access.Workspace(h.ws.ID()).Removals(t.Context(), access.RemovalQuery{})
	require.NoError(t, err)
	require.Empty(t, removals.Items)
	require.Empty(t, h.world.Conflicts())
	h.requireSound()
}
