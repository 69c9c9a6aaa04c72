package simulated_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/testclock"
)

var start = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// house returns a world with a lock, a thermostat and sensors, and a clock.
func house(o simulated.Options) (*simulated.World, *testclock.Clock) {
	clock := testclock.New(start)
	o.Now = clock.Now
	w := simulated.New(o)
	w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
	for _, d := range []device.Device{
		simulated.Lock("lock", "Front door"), simulated.Thermostat("thermostat", "Living room"), simulated.ContactSensor("window", "Window"),
		simulated.LeakSensor("leak", "Bathroom"), simulated.NoiseSensor("noise", "Living room"),
	} {
		w.AddDevice("anna", d)
	}
	return w, clock
}

// coder is a connection with access codes.
type coder interface {
	device.Conn
	device.Coder
}

func open(t *testing.T, w *simulated.World, caller, user string) coder {
	t.Helper()
	c, err := w.Provider(caller).Open(t.Context(), w.Account(user))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c.(coder)
}

func inventory(t *testing.T, c device.Conn) map[string]device.Device {
	t.Helper()
	devices := map[string]device.Device{}
	for d, err := range c.Devices(t.Context()) {
		require.NoError(t, err)
		devices[d.ID] = d
	}
	return devices
}

func code(index int, pin string) device.Slot {
	return device.Slot{Index: index, State: device.SlotKnown, PIN: device.NewSecret(pin)}
}

func TestWorld_TwoProviders_ShareDevices(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{})
	a, b := open(t, w, "a", "anna"), open(t, w, "b", "anna")
	require.NoError(t, a.SetCode(t.Context(), "lock", code(3, "4826")))
	clock.Advance(time.Minute)
	_, err := b.Do(t.Context(), "lock", device.Command{Kind: device.Unlock})
	require.NoError(t, err)
	slots, err := b.Codes(t.Context(), "lock", 3)
	require.NoError(t, err)
	require.Equal(t, []device.Slot{code(3, "4826")}, slots)

	calls := w.Calls()
	require.Len(t, calls, 3)
	require.Equal(t, simulated.Call{
		Number: 1, Caller: "a", User: "anna", Device: "lock", Method: "SetCode", Slot: 3, Start: start, End: start,
	}, calls[0])
	require.Equal(t, simulated.Call{
		Number: 2, Caller: "b", User: "anna", Device: "lock", Method: "Do", Command: device.Command{Kind: device.Unlock},
		Start: start.Add(time.Minute), End: start.Add(time.Minute),
	}, calls[1])
	require.Empty(t, w.Conflicts(), "calls one after the other")
}

func TestWorld_CommandsAtTheSameTime_AreConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{})
		a, b := open(t, w, "a", "anna"), open(t, w, "b", "anna")
		release := w.Hold("lock")
		results := make(chan error, 3)
		go func() { results <- a.SetCode(t.Context(), "lock", code(1, "4826")) }()
		synctest.Wait()
		require.True(t, w.Calls()[0].End.IsZero(), "the call still runs")
		go func() { _, err := b.Codes(t.Context(), "lock"); results <- err }() // a read is no conflict
		synctest.Wait()
		go func() { results <- b.ClearCode(t.Context(), "lock", 1) }()
		synctest.Wait()
		release()
		release()
		for range 3 {
			require.NoError(t, <-results)
		}
		conflicts := w.Conflicts()
		require.Len(t, conflicts, 1)
		require.Equal(t, []string{"a", "SetCode", "b", "ClearCode"},
			[]string{conflicts[0].First.Caller, conflicts[0].First.Method, conflicts[0].Second.Caller, conflicts[0].Second.Method})
	})
}

func TestWorld_CallerOfASlowDeviceLeaves_CommandTakesEffectLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{})
		c := open(t, w, "a", "anna")
		release := w.Hold("lock")
		require.Panics(t, func() { w.Hold("lock") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.SetCode(ctx, "lock", code(1, "4826")), context.DeadlineExceeded)
		_, err := c.Codes(ctx, "lock")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, device.SlotEmpty, w.Slots("lock")[0].State)
		release()
		require.Equal(t, code(1, "4826"), w.Slots("lock")[0])
	})
}

func TestWorld_CommandWhileALateOneRuns_IsAConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{})
		a, b := open(t, w, "a", "anna"), open(t, w, "b", "anna")
		unlock := func(c device.Conn) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Do(ctx, "lock", device.Command{Kind: device.Unlock})
			return err
		}
		release := w.Hold("lock")
		require.ErrorIs(t, unlock(a), context.DeadlineExceeded)
		require.Empty(t, w.Conflicts())
		require.ErrorIs(t, unlock(b), context.DeadlineExceeded)
		conflicts := w.Conflicts()
		require.Len(t, conflicts, 1)
		require.Equal(t, []string{"a", "b"}, []string{conflicts[0].First.Caller, conflicts[0].Second.Caller})
		require.False(t, conflicts[0].First.End.IsZero(), "the first caller had gone away")
		release() // the lock carries out both
		require.NoError(t, unlock(b))
		require.Len(t, w.Conflicts(), 1, "the lock has finished the late commands")

		w.Hold("lock")
		require.ErrorIs(t, unlock(a), context.DeadlineExceeded)
		w.RemoveDevice("lock")
		w.AddDevice("anna", simulated.Lock("lock", "Another door"))
		require.NoError(t, unlock(b))
		require.Len(t, w.Conflicts(), 1, "the command went away with the lock")
	})
}

func TestWorld_Calls_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{KeepCalls: 20})
	c := open(t, w, "a", "anna")
	for range 100 {
		_, err := c.Codes(t.Context(), "lock")
		require.NoError(t, err)
	}
	calls := w.Calls()
	require.LessOrEqual(t, len(calls), 20)
	require.Equal(t, 100, calls[len(calls)-1].Number)
	for i := range calls[1:] {
		require.Equal(t, calls[i].Number+1, calls[i+1].Number)
	}
}

func TestWorld_Restart_AcceptsTheSecretOfTheSameSeed(t *testing.T) {
	t.Parallel()
	first, _ := house(simulated.Options{Seed: 7})
	account := first.Account("anna")
	second, _ := house(simulated.Options{Seed: 7})
	_, err := second.Provider("a").Open(t.Context(), account)
	require.NoError(t, err)
	other, _ := house(simulated.Options{Seed: 8})
	_, err = other.Provider("a").Open(t.Context(), account)
	require.ErrorIs(t, err, device.ErrAccountLost)
}

func TestWorld_NewPassword_EndsSessions(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{})
	account := w.Account("anna")
	c := open(t, w, "a", "anna")
	w.AddLogin(simulated.Login{User: "anna", Password: "correct horse"}) // no change
	_, err := c.Codes(t.Context(), "lock")
	require.NoError(t, err)
	w.AddLogin(simulated.Login{User: "anna", Password: "new horse"})
	_, err = c.Codes(t.Context(), "lock")
	require.ErrorIs(t, err, device.ErrAccountLost)
	_, err = w.Provider("a").Open(t.Context(), account)
	require.ErrorIs(t, err, device.ErrAccountLost)
	require.Len(t, inventory(t, open(t, w, "a", "anna")), 5, "devices stay")
}

func TestWorld_EnterPIN_OpensOnlyWithAValidCode(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{})
	d := simulated.Lock("scheduled", "Back door")
	d.Codes.NativeSchedule = true
	w.AddDevice("anna", d)
	c := open(t, w, "a", "anna")
	window := code(2, "4826")
	window.StartsAt, window.EndsAt = start.Add(time.Hour), start.Add(2*time.Hour)
	require.NoError(t, c.SetCode(t.Context(), "scheduled", window))
	disabled := code(3, "5937")
	disabled.State = device.SlotDisabled
	w.WriteCode("scheduled", disabled)

	require.Zero(t, w.EnterPIN("scheduled", "4826"), "before the window")
	require.Zero(t, w.EnterPIN("scheduled", "5937"), "a disabled code")
	clock.Advance(time.Hour)
	require.Equal(t, 2, w.EnterPIN("scheduled", "4826"))
	require.True(t, w.Device("scheduled").State.Locked.Is(false))
	require.Zero(t, w.EnterPIN("scheduled", "0000"))
	clock.Advance(time.Hour)
	require.Zero(t, w.EnterPIN("scheduled", "4826"), "after the window")
}

func TestWorld_StaleDevice_ShowsTheStateBeforeTheFault(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{})
	c := open(t, w, "a", "anna")
	w.SetFaults("lock", simulated.Faults{Stale: true})
	clock.Advance(time.Minute)
	outcome, err := c.Do(t.Context(), "lock", device.Command{Kind: device.Unlock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed, "the answer itself is not stale")
	require.True(t, w.Device("lock").State.Locked.Is(false))
	got := inventory(t, c)["lock"]
	require.True(t, got.State.Locked.Is(true))
	require.Equal(t, start, got.StateAt)
	require.Equal(t, simulated.Faults{Stale: true}, w.Faults("lock"))
	w.SetFaults("lock", simulated.Faults{})
	require.True(t, inventory(t, c)["lock"].State.Locked.Is(false))
}

func TestWorld_UnlistedLock_IsUnknownAndKeepsCodes(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{})
	c := open(t, w, "a", "anna")
	require.NoError(t, c.SetCode(t.Context(), "lock", code(1, "4826")))
	w.SetFaults("lock", simulated.Faults{Unlisted: true})
	require.NotContains(t, inventory(t, c), "lock")
	require.ErrorIs(t, c.ClearCode(t.Context(), "lock", 1), device.ErrUnknownDevice)
	w.WriteCode("lock", code(2, "5937"))
	w.SetFaults("lock", simulated.Faults{})
	require.Contains(t, inventory(t, c), "lock")
	slots, err := c.Codes(t.Context(), "lock", 1, 2)
	require.NoError(t, err)
	require.Equal(t, device.NewSecret("4826"), slots[0].PIN)
	require.Equal(t, device.NewSecret("5937"), slots[1].PIN)
}

func TestWorld_LockThatFailsReads_ExecutesCommands(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{})
	c := open(t, w, "a", "anna")
	w.SetFaults("lock", simulated.Faults{FailsReads: true})
	_, err := c.Codes(t.Context(), "lock")
	require.ErrorContains(t, err, "cannot be read")
	require.NoError(t, c.SetCode(t.Context(), "lock", code(1, "4826")))
	w.SetFaults("lock", simulated.Faults{})
	slots, err := c.Codes(t.Context(), "lock", 1)
	require.NoError(t, err)
	require.Equal(t, device.NewSecret("4826"), slots[0].PIN)
}

func TestWorld_Constraints_DependOnOtherCodes(t *testing.T) {
	t.Parallel()
	w, clock := house(simulated.Options{})
	d := simulated.Lock("strict", "Strict")
	d.Codes.NativeSchedule = true
	d.Codes.Constraints = []device.Constraint{device.UniqueFirstFourDigits, device.NameMustBeUnique, device.StartInFuture}
	w.AddDevice("anna", d)
	c := open(t, w, "a", "anna")
	set := func(index int, pin, name string, starts time.Time) device.Constraint {
		s := code(index, pin)
		s.Name, s.StartsAt = name, starts
		rejected, _ := errors.AsType[*device.RejectedError](c.SetCode(t.Context(), "strict", s))
		if rejected == nil {
			return ""
		}
		return rejected.Constraint
	}
	later := clock.Now().Add(time.Hour)
	require.Equal(t, device.StartInFuture, set(1, "482611", "a", start))
	require.Empty(t, set(1, "482611", "a", later))
	require.Equal(t, device.UniqueFirstFourDigits, set(2, "482622", "b", later))
	require.Equal(t, device.NameMustBeUnique, set(2, "593722", "a", later))
	require.Empty(t, set(2, "593722", "b", later))
	w.ChangeDevice("strict", func(d *device.Device) { d.Codes.Constraints = []device.Constraint{device.PINMatchesExistingSet} })
	require.Equal(t, device.PINMatchesExistingSet, set(3, "7159", "c", later))
}

func TestWorld_ChangedInventory_SendsResync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{})
		c := open(t, w, "a", "anna")
		ctx, cancel := context.WithCancel(t.Context())
		var events []device.Event
		done := make(chan error)
		go func() { done <- c.Watch(ctx, func(e device.Event) { events = append(events, e) }) }()
		resyncs := func() int {
			synctest.Wait()
			defer func() { events = nil }()
			for _, e := range events {
				require.Equal(t, device.Event{Kind: device.Resync}, e)
			}
			return len(events)
		}
		require.Equal(t, 1, resyncs(), "at the start")
		require.ErrorIs(t, c.Watch(ctx, func(device.Event) {}), device.ErrInvalid, "a second Watch")
		w.AddDevice("anna", simulated.ContactSensor("door", "Door"))
		require.Equal(t, 1, resyncs(), "after a new device")
		w.ChangeDevice("door", func(d *device.Device) { d.Name = "Gate" })
		require.Equal(t, 1, resyncs(), "after a new name")
		w.SetFaults("lock", simulated.Faults{HidesPINs: true})
		require.Equal(t, 1, resyncs(), "after a new limit")
		w.RemoveDevice("door")
		require.Equal(t, 1, resyncs(), "after a removed device")
		w.AddLogin(simulated.Login{User: "ben"})
		w.AddDevice("ben", simulated.ContactSensor("door", "Door"))
		require.Zero(t, resyncs(), "after a device of another login")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, []string{"lock", "thermostat", "window", "leak", "noise"}, w.Devices("anna"))
		require.Equal(t, []string{"anna", "ben"}, w.Users())
		_, err := c.Do(t.Context(), "door", device.Command{Kind: device.Lock})
		require.ErrorIs(t, err, device.ErrUnknownDevice, "a device of another login")
	})
}

func TestWorld_RemovedWhileHeld_CallsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := house(simulated.Options{})
		c := open(t, w, "a", "anna")
		w.Hold("lock")
		result := make(chan error)
		go func() { result <- c.ClearCode(t.Context(), "lock", 1) }()
		synctest.Wait()
		w.RemoveDevice("lock")
		require.ErrorIs(t, <-result, device.ErrUnknownDevice)
	})
}

func TestWorld_WrongUse_Panics(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{})
	for name, fn := range map[string]func(){
		"no device":      func() { w.Device("no such device") },
		"no login":       func() { w.Account("no such user") },
		"invalid device": func() { w.AddDevice("anna", device.Device{ID: "x", Capabilities: []device.Capability{"fly"}}) },
		"same id":        func() { w.AddDevice("anna", simulated.Lock("lock", "Lock")) },
		"invalid change": func() { w.ChangeDevice("lock", func(d *device.Device) { d.Codes = nil }) },
		"invalid state":  func() { w.SetState("lock", func(s *device.State) { s.Battery = device.Known(85.0) }) },
	} {
		require.Panics(t, fn, name)
	}
}

func TestProvider_Connect_SecondFactorAndOutage(t *testing.T) {
	t.Parallel()
	w, _ := house(simulated.Options{})
	w.AddLogin(simulated.Login{User: "ben", Password: "battery staple", SecondFactor: "271828"})
	p := w.Provider("a")
	login := map[string]device.Secret{"username": device.NewSecret("ben"), "password": device.NewSecret("battery staple")}
	second, err := p.Connect(t.Context(), device.Step{Answers: login})
	require.NoError(t, err)
	require.Equal(t, "code", second.Form.Fields[0].Name)
	answer := func(text string) (device.Pane, error) {
		return p.Connect(t.Context(), device.Step{State: second.State, Answers: map[string]device.Secret{"code": device.NewSecret(text)}})
	}
	pane, err := answer("")
	require.NoError(t, err)
	require.Equal(t, device.ProblemMissing, pane.Form.Fields[0].Problem)
	pane, err = answer("271829")
	require.NoError(t, err)
	require.Equal(t, device.ProblemCode, pane.Form.Problem)
	require.Equal(t, second.State, pane.State)
	w.SetOutage("ben", true)
	_, err = answer("271828")
	require.ErrorIs(t, err, device.ErrOffline)
	_, err = p.Connect(t.Context(), device.Step{Answers: login})
	require.ErrorIs(t, err, device.ErrOffline)
	w.SetOutage("ben", false)
	pane, err = answer("271828")
	require.NoError(t, err)
	require.Equal(t, w.Account("ben"), *pane.Done)
	account := w.Account("ben")
	pane, err = p.Connect(t.Context(), device.Step{Reconnect: &account})
	require.NoError(t, err)
	require.Equal(t, "ben", pane.Form.Fields[0].Value, "the form is filled in for a reconnect")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Connect(ctx, device.Step{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = p.Open(ctx, account)
	require.ErrorIs(t, err, context.Canceled)
	account.ID = "other"
	_, err = p.Open(t.Context(), account)
	require.ErrorIs(t, err, device.ErrAccountLost)
	require.NotContains(t, fmt.Sprintf("%+v", second), "staple")
}
