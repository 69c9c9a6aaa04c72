package access_test

import (
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
	"github.com/customerportal-go/customerportal/storage/memory"
)

// unlockSlowly sends a command with a short deadline to the lock "l1", which works on it for most of the call timeout, and returns
// when the lock has got it.
func unlockSlowly(t *testing.T, h *hotel) access.ActionAttempt {
	t.Helper()
	release := h.world.Hold("l1")
	a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 2*time.Second)
	require.NoError(t, err)
	synctest.Wait()
	time.AfterFunc(access.DefaultCallTimeout-time.Second, release)
	return a
}

// requireOrder checks that the lock "l1" has carried out the first command before it got the next one.
func requireOrder(t *testing.T, h *hotel, first, next access.ActionAttempt) {
	t.Helper()
	next, err := h.scope.Wait(t.Context(), next.ID)
	require.NoError(t, err)
	require.Equal(t, access.AttemptSuccess, next.Status, "%+v", next.Error)
	first, err = h.scope.Attempt(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, access.AttemptError, first.Status)
	require.Empty(t, h.world.Conflicts())
	require.Equal(t, []device.CommandKind{device.Unlock, device.Lock}, h.sentKinds())
	require.True(t, h.world.Device("l1").State.Locked.Is(true))
}

func TestDo_CallEndsWithoutAnAnswer_NextCommandWaits(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*hotel){
		"at the deadline":          func(*hotel) {},
		"the account is connected": func(h *hotel) { connect(h.t, h.scope, "anna") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, []device.Device{simulated.Lock("l1", "Room 101")}, func(t *testing.T, h *hotel) {
				first := unlockSlowly(t, h)
				end(h)
				next, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Lock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				requireOrder(t, h, first, next)
			})
		})
	}
}

func TestRun_StopsAfterACallWithoutAnAnswer_KeepsTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		second, _ := h.service("second", access.Options{})
		defer start(t, second)()
		first := unlockSlowly(t, h)
		first, err := h.scope.Wait(t.Context(), first.ID)
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, first.Error.Type)
		next, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Lock}, data.Actor{}, time.Minute)
		require.NoError(t, err)
		stop()
		requireOrder(t, h, first, next)
	})
}

// TestDo_LeaseEndsSoonAfterTheDeadline_CommandIsNotSent lets the store refuse to renew leases, so that another process could take over
// while the device still works on a command whose deadline is before the end of the lease.
func TestDo_LeaseEndsSoonAfterTheDeadline_CommandIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refused atomic.Bool
		store := &hookedStore{Store: memory.New(), after: func() {}, put: func(key, _ []byte) error {
			if refused.Load() && layout.Parse(key).Shape == layout.ShapeLease {
				return errDisk
			}
			return nil
		}}
		h := newHotel(t, store, simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		refused.Store(true)
		time.Sleep(lease.DefaultDuration - access.DefaultCallTimeout + time.Second)
		a, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 3*time.Second)
		require.NoError(t, err)
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptError, a.Status)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		require.Empty(t, h.sentKinds())
		refused.Store(false)
		require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: device.Unlock}).Status)
	})
}
