package simulated_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

func TestStep_WithoutLifeAndChances_ChangesNothing(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{Seed: 1})
	before := states(w)
	clock.Advance(24 * time.Hour)
	w.Step()
	require.Equal(t, before, states(w))
}

func TestStep_Life_ChangesDevicesWithinTheirLimits(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{Seed: 1, Life: true})
	locked, open := map[bool]bool{}, map[bool]bool{}
	for range 4 * 24 * 30 {
		clock.Advance(15 * time.Minute)
		w.Step()
		for id, s := range states(w) {
			require.NoError(t, s.Check(), id)
		}
		lock := w.Device("lock").State
		isLocked, _ := lock.Locked.Get()
		isOpen, _ := lock.DoorOpen.Get()
		locked[isLocked], open[isOpen] = true, true
		require.False(t, isLocked && isOpen, "a locked door is closed")
	}
	require.Len(t, locked, 2, "the lock was locked and unlocked")
	require.Len(t, open, 2, "the door was open and closed")
	battery, _ := w.Device("lock").State.Battery.Get()
	require.InDelta(t, 0.9-30.0/200, battery, 1e-6, "a battery lasts 200 days")
	warmth, _ := w.Device("thermostat").State.Temperature.Get()
	require.InDelta(t, 20, warmth, 1.01, "the room has the temperature of the set point")
	clock.Advance(-time.Hour)
	w.Step()
	later, _ := w.Device("lock").State.Battery.Get()
	require.InDelta(t, battery, later, 0, "a clock that goes back charges no battery")
}

// The thermostat cools a hot room, and does nothing when it is off.
func TestStep_Life_ThermostatFollowsItsMode(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{Seed: 1, Life: true})
	set := func(mode device.HVACMode, warmth float64) device.State {
		w.SetState("thermostat", func(s *device.State) { s.Mode, s.Temperature = device.Known(mode), device.Known(warmth) })
		clock.Advance(time.Hour)
		w.Step()
		return w.Device("thermostat").State
	}
	s := set(device.HVACCool, 30)
	require.Equal(t, []string{"28", "true", "false"}, []string{s.Temperature.String(), s.Cooling.String(), s.Heating.String()})
	s = set(device.HVACHeatCool, 15)
	require.Equal(t, []string{"17", "false", "true"}, []string{s.Temperature.String(), s.Cooling.String(), s.Heating.String()})
	s = set(device.HVACOff, 30)
	require.Equal(t, []string{"28", "false", "false"}, []string{s.Temperature.String(), s.Cooling.String(), s.Heating.String()})
}

func TestStep_Chances_AreTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		w, clock := house(simulated.Options{Seed: seed})
		w.SetChances(simulated.Chances{
			Offline: 0.1, Full: 0.1, Deaf: 0.1, Mute: 0.1, Stale: 0.1, ByHand: 0.2, ForeignCode: 0.3, LostCode: 0.2,
			Outage: 0.05, FailInventory: 0.1, Revoke: 0.02,
		})
		var log strings.Builder
		for i := range 300 {
			clock.Advance(time.Minute)
			w.Step()
			c, err := w.Provider("a").Open(t.Context(), w.Account("anna"))
			if err != nil {
				fmt.Fprintln(&log, err)
				continue
			}
			for d, err := range c.Devices(t.Context()) {
				fmt.Fprintln(&log, d.ID, d.State, err)
			}
			_, err = c.Do(t.Context(), "lock", device.Command{Kind: device.Lock})
			fmt.Fprintln(&log, err)
			err = c.(device.Coder).SetCode(t.Context(), "lock", code(i%20+1, fmt.Sprintf("%05d", 40000+i)))
			fmt.Fprintln(&log, err)
			for _, s := range w.Slots("lock") {
				log.WriteString(s.PIN.Reveal() + ";")
			}
			require.NoError(t, c.Close())
		}
		return log.String()
	}
	first := run(1)
	require.Equal(t, first, run(1))
	require.NotEqual(t, first, run(2))
	for _, class := range []error{device.ErrOffline, device.ErrUnconfirmed, device.ErrRejected} {
		require.Contains(t, first, class.Error())
	}
	require.Contains(t, first, "the provider failed while it listed the devices")
}

func TestSetChances_Zero_EndsRandomFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{Seed: 1})
		c := open(t, w, "a", "anna")
		w.SetFaults("lock", simulated.Faults{HidesPINs: true})
		w.SetChances(simulated.Chances{Deaf: 1, Stale: 1, Slow: 1})
		w.Step()
		require.Equal(t, simulated.Faults{Deaf: true, Stale: true, HidesPINs: true}, w.Faults("lock"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.ClearCode(ctx, "lock", 1), context.DeadlineExceeded, "a command to a slow device")
		w.SetChances(simulated.Chances{})
		require.Equal(t, simulated.Faults{HidesPINs: true}, w.Faults("lock"))
		require.NoError(t, c.ClearCode(t.Context(), "lock", 1))
	})
}

func TestRun_StepsUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := simulated.New(simulated.Options{Seed: 1, Life: true})
		w.AddLogin(simulated.Login{User: "anna"})
		w.AddDevice("anna", simulated.NoiseSensor("noise", "Living room"))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour+time.Second)
		defer cancel()
		require.ErrorIs(t, w.Run(ctx, time.Minute), context.DeadlineExceeded)
		battery, _ := w.Device("noise").State.Battery.Get()
		require.InDelta(t, 0.95-1.0/200, battery, 1e-6)
	})
}

// states returns the true states of all devices.
func states(w *simulated.World) map[string]device.State {
	all := map[string]device.State{}
	for _, id := range w.Devices("anna") {
		all[id] = w.Device(id).State
	}
	return all
}
