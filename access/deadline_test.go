package access_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// withClock returns a scope of the customer in a process whose clock differs by this time from that of the other processes.
func (h *hotel) withClock(ahead time.Duration, providers ...device.Provider) (*access.Service, *access.Scope) {
	h.t.Helper()
	db := data.Open(h.store, data.Options{Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(ahead) }})
	svc, err := access.New(db, access.Options{Keys: h.ring, Providers: providers})
	require.NoError(h.t, err)
	return svc, svc.Workspace(workspaceID).Customer(hotelKey)
}

// TestDo_ClocksOfProcessesDiffer_KeepsDeadlines creates commands in a process whose clock is an hour ahead or behind. Another process
// carries them out, or ends them at their deadline.
func TestDo_ClocksOfProcessesDiffer_KeepsDeadlines(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour, "a little ahead": 300 * time.Millisecond, "equal": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, []device.Device{simulated.Lock("lock", "Room 101")}, func(t *testing.T, h *hotel) {
				_, other := h.withClock(ahead)
				lock := h.device("lock").ID
				time.Sleep(10 * time.Second)
				a, err := other.Do(t.Context(), lock, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				a, err = other.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status)

				// The lock does not answer the first command, and the second one waits for it.
				release := h.world.Hold("lock")
				defer release()
				began := time.Now()
				a, err = other.Do(t.Context(), lock, device.Command{Kind: device.Lock}, data.Actor{}, 0)
				require.NoError(t, err)
				waiting, err := other.Do(t.Context(), lock, device.Command{Kind: device.Unlock}, data.Actor{}, 15*time.Second)
				require.NoError(t, err)
				for _, attempt := range []access.ActionAttempt{a, waiting} {
					attempt, err = other.Wait(t.Context(), attempt.ID)
					require.NoError(t, err)
					require.Equal(t, access.AttemptError, attempt.Status)
					require.Equal(t, access.ErrorTimedOut, attempt.Error.Type)
				}
				require.GreaterOrEqual(t, time.Since(began), 5*time.Second)
				require.LessOrEqual(t, time.Since(began), 17*time.Second)
			})
		})
	}
}

// TestRun_NobodyServesTheAccount_EndsAttemptsAtTheirDeadline runs only a process without a driver, whose clock differs.
func TestRun_NobodyServesTheAccount_EndsAttemptsAtTheirDeadline(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("lock", "Room 101"))
				connect(t, h.scope, "anna")
				stop := start(t, h.svc)
				synctest.Wait()
				lock := h.device("lock").ID
				stop()
				svc, _ := h.withClock(ahead)
				defer start(t, svc)()
				time.Sleep(10 * time.Second)
				began := time.Now()
				a, err := h.scope.Do(t.Context(), lock, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				a, err = h.scope.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.ErrorTimedOut, a.Error.Type)
				require.GreaterOrEqual(t, time.Since(began), access.DefaultDeadline-2*access.DefaultPoll)
				require.LessOrEqual(t, time.Since(began), access.DefaultDeadline+5*access.DefaultPoll)
			})
		})
	}
}

// TestRun_StartsAfterTheDeadline_DoesNotSend creates a command while no process runs.
func TestRun_StartsAfterTheDeadline_DoesNotSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("lock", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		a, err := h.scope.Do(t.Context(), h.device("lock").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		defer start(t, h.svc)()
		a, err = h.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.ErrorTimedOut, a.Error.Type)
		require.Empty(t, h.sentKinds())
	})
}
