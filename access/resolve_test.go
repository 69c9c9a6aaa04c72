package access_test

import (
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
	for name, c := range map[string]struct {
		id      string
		command device.Command
		place   string
		want    access.AttemptStatus
		sent    int
	}{
		"the device unlocked":      {"l1", unlock, "after a command", access.AttemptSuccess, 1},
		"it was never sent":        {"l1", unlock, "before a command", access.AttemptError, 0},
		"the thermostat was set":   {"t1", warm, "after a command", access.AttemptSuccess, 1},
		"thermostat, never sent":   {"t1", warm, "before a command", access.AttemptError, 0},
		"recorded, before it sent": {"l1", unlock, "after an Update", access.AttemptError, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "L"), simulated.Thermostat("t1", "T"))
				connect(t, h.scope, "anna")
				set := &trap{}
				first := newProcess(h, "first", set)
				stop := start(t, first.svc)
				synctest.Wait()
				second := newProcess(h, "second", &trap{})
				stopSecond := start(t, second.svc)
				defer func() {
					first.resume()
					stop()
					stopSecond()
				}()
				synctest.Wait()
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
				var caused []access.Activity
				for _, activity := range h.activities() {
					if activity.AttemptID == a.ID {
						caused = append(caused, activity)
					}
				}
				if c.want == access.AttemptSuccess {
					require.Len(t, caused, 1)
					require.Equal(t, &a.Actor, caused[0].Actor)
					require.Equal(t, h.device(c.id).Name, caused[0].DeviceName)
				} else {
					require.Empty(t, caused)
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
