package access_test

import (
	"context"
	"iter"
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

// TestTakeover_CommandWasBeingSent_NextHolderReadsTheState stops a process at the call of the driver. The next holder must not send
// the command again, and reports what the device shows, as not confirmed.
func TestTakeover_CommandWasBeingSent_NextHolderReadsTheState(t *testing.T) {
	t.Parallel()
	unlock := device.Command{Kind: device.Unlock}
	warm := device.Command{Kind: device.SetClimate, Climate: device.Climate{
		Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(22.0), FanMode: device.Known(device.FanOn),
	}}
	unlocked := func(s *device.State) { s.Locked = device.Known(false) }
	for name, c := range map[string]struct {
		id      string
		command device.Command
		place   string
		want    access.AttemptStatus
		sent    int
		before  func(*device.State) // nil: the device does not show the result
	}{
		"the device unlocked":           {"l1", unlock, "after a command", access.AttemptSuccess, 1, nil},
		"it was never sent":             {"l1", unlock, "before a command", access.AttemptError, 0, nil},
		"the thermostat was set":        {"t1", warm, "after a command", access.AttemptSuccess, 1, nil},
		"thermostat, never sent":        {"t1", warm, "before a command", access.AttemptError, 0, nil},
		"recorded, before it sent":      {"l1", unlock, "after an Update", access.AttemptError, 0, nil},
		"unlocked before, sent":         {"l1", unlock, "after a command", access.AttemptError, 1, unlocked},
		"unlocked before, never sent":   {"l1", unlock, "before a command", access.AttemptError, 0, unlocked},
		"state was unknown, never sent": {"l1", unlock, "before a command", access.AttemptError, 0, func(s *device.State) { s.Locked = device.Optional[bool]{} }},
		"set before, never sent": {"t1", warm, "before a command", access.AttemptError, 0, func(s *device.State) {
			s.Mode, s.HeatingSetPoint, s.FanMode = warm.Climate.Mode, warm.Climate.HeatingSetPoint, warm.Climate.FanMode
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "L"), simulated.Thermostat("t1", "T"))
				connect(t, h.scope, "anna")
				if c.before != nil {
					h.world.SetState(c.id, c.before)
				}
				set := &trap{}
				first := newProcess(h, "first", set)
				second := newProcess(h, "second", &trap{})
				startPair(t, first, second)
				set.set(c.place, 1)
				a, err := second.scope.Do(t.Context(), h.device(c.id).ID, c.command, data.Actor{}, 0)
				require.NoError(t, err)
				a, err = second.scope.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, c.want, a.Status)
				require.False(t, a.Confirmed)
				if c.want == access.AttemptError {
					require.Equal(t, access.ErrorNotConfirmed, a.Error.Type)
				}
				if activities := caused(h, a); c.want == access.AttemptSuccess {
					require.Len(t, activities, 1)
					require.Equal(t, &a.Actor, activities[0].Actor)
					require.Equal(t, h.device(c.id).Name, activities[0].DeviceName)
				} else {
					require.Empty(t, activities)
				}
				first.resume()
				time.Sleep(time.Minute)
				synctest.Wait()
				again, err := h.scope.Attempt(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, a, again, "the process that was paused changes nothing")
				sent := 0
				for _, call := range h.world.Calls() {
					if call.Method == "Do" {
						sent++
					}
				}
				require.Equal(t, c.sent, sent)
			})
		})
	}
}

// TestTakeover_StateIsOlderThanTheCommand_IsNotConfirmed lets the next holder see a state that was not stored before the command, but
// that the device reported an hour ago.
func TestTakeover_StateIsOlderThanTheCommand_IsNotConfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
		connect(t, h.scope, "anna")
		set := &trap{}
		first := newProcess(h, "first", set)
		stop := start(t, first.svc)
		synctest.Wait()
		old := wrapped{h.world.Provider("second"), func(c device.Conn) (device.Conn, error) { return unlockedLongAgo{c}, nil }}
		svc, scope := h.service("second", access.Options{Providers: []device.Provider{old}})
		stopSecond := start(t, svc)
		defer func() {
			first.resume()
			stop()
			stopSecond()
		}()
		synctest.Wait()
		set.set("before a command", 1)
		a, err := scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		a, err = scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.True(t, h.device("l1").State.Locked.Is(false), "the device shows the result")
		require.Equal(t, access.AttemptError, a.Status)
		require.Equal(t, access.ErrorNotConfirmed, a.Error.Type)
	})
}

// unlockedLongAgo lists all locks as unlocked since an hour ago.
type unlockedLongAgo struct{ device.Conn }

func (c unlockedLongAgo) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		for d, err := range c.Conn.Devices(ctx) {
			d.State.Locked, d.StateAt = device.Known(false), time.Now().Add(-time.Hour)
			if !yield(d, err) {
				return
			}
		}
	}
}

// TestTakeover_DeviceReportsTheOperation_Succeeds lets a lock that was unlocked before report, after the takeover, that it was unlocked
// by a command.
func TestTakeover_DeviceReportsTheOperation_Succeeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
		h.world.SetState("l1", func(s *device.State) { s.Locked = device.Known(false) })
		connect(t, h.scope, "anna")
		set := &trap{}
		first := newProcess(h, "first", set)
		second := newProcess(h, "second", &trap{})
		startPair(t, first, second)
		set.set("before a command", 1)
		a, err := second.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		h.waitForCaller("second")
		time.Sleep(2 * access.DefaultPoll) // the next holder has found the command
		h.world.Operate("l1", device.Operation{Method: device.MethodRemote})
		a, err = second.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		require.False(t, a.Confirmed)
	})
}

// TestTakeover_EventOfTheCommandIsStored_OtherOperationIsNotAttributed lets a holder store the operation that the lock reported, and
// pauses it before the answer to the command arrives. The next holder must not attribute the same operation by somebody else.
func TestTakeover_EventOfTheCommandIsStored_OtherOperationIsNotAttributed(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]bool{"unlocked at last": false, "locked at last": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
				connect(t, h.scope, "anna")
				answers := make(chan struct{})
				first := newProcess(h, "first", &trap{})
				first.answers = answers
				second := newProcess(h, "second", &trap{})
				startPair(t, first, second)
				a, err := first.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				synctest.Wait()
				require.Len(t, caused(h, a), 1, "stored for the event")
				first.pause()
				h.waitForCaller("second")
				time.Sleep(2 * access.DefaultPoll) // the next holder has found the command
				h.world.Operate("l1", device.Operation{Method: device.MethodRemote})
				if last {
					h.world.Operate("l1", device.Operation{Locked: true, Method: device.MethodRemote})
				}
				a, err = second.scope.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				if last {
					require.Equal(t, access.ErrorNotConfirmed, a.Error.Type)
				} else {
					require.Equal(t, access.AttemptSuccess, a.Status)
				}
				synctest.Wait()
				require.Len(t, caused(h, a), 1)
				var unlocked int
				for _, activity := range h.activities() {
					if activity.Kind == access.ActivityUnlocked {
						unlocked++
					}
				}
				require.Equal(t, 2, unlocked, "the other operation is an activity of its own")
				close(answers)
			})
		})
	}
}

// TestTakeover_EarlierHolderStoresTheResult_EventIsStoredOnce lets the next holder expect the event of a command. Then the earlier
// holder continues and stores the result with the activity, and the event arrives.
func TestTakeover_EarlierHolderStoresTheResult_EventIsStoredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "L"))
		connect(t, h.scope, "anna")
		set := &trap{}
		first := newProcess(h, "first", set)
		second := newProcess(h, "second", &trap{})
		startPair(t, first, second)
		set.set("after a command", 1)
		a, err := first.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
		require.NoError(t, err)
		h.waitForCaller("second")
		time.Sleep(2 * access.DefaultPoll) // the next holder has found the command
		first.resume()
		a, err = first.scope.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.True(t, a.Confirmed)
		require.Len(t, caused(h, a), 1)
		h.world.Operate("l1", device.Operation{Method: device.MethodRemote}) // like an event that arrives late
		time.Sleep(time.Minute)
		require.Len(t, caused(h, a), 1)
	})
}

// caused returns the activities of an attempt.
func caused(h *hotel, a access.ActionAttempt) (out []access.Activity) {
	for _, activity := range h.activities() {
		if activity.AttemptID == a.ID {
			out = append(out, activity)
		}
	}
	return out
}

// waitForCaller waits until the last call of a driver is one of the given caller.
func (h *hotel) waitForCaller(caller string) {
	for calls := h.world.Calls(); calls[len(calls)-1].Caller != caller; calls = h.world.Calls() {
		time.Sleep(time.Second)
		synctest.Wait()
	}
}
