package zwavejs

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

const eventually, tick = 5 * time.Minute, 2 * time.Millisecond

func answers(address string) device.Step {
	return device.Step{Answers: map[string]device.Secret{fieldURL: device.NewSecret(address)}}
}

func (w *testWorld) connect(tb testing.TB) device.Account {
	tb.Helper()
	pane, err := w.provider.Connect(tb.Context(), answers(w.url()))
	require.NoError(tb, err)
	require.NotNil(tb, pane.Done, "%+v", pane.Form)
	return *pane.Done
}

func (w *testWorld) open(tb testing.TB) *conn {
	tb.Helper()
	c, err := w.provider.Open(tb.Context(), w.connect(tb))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c.(*conn)
}

func find(tb testing.TB, c device.Conn, id string) device.Device {
	tb.Helper()
	for d, err := range c.Devices(tb.Context()) {
		require.NoError(tb, err)
		if d.ID == id {
			return d
		}
	}
	require.Failf(tb, "the device is missing", "%q", id)
	return device.Device{}
}

// watching collects the events of a connection, and returns after the first.
func watching(tb testing.TB, c device.Conn) (events func() []device.Event) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var all []device.Event
	var running sync.WaitGroup
	running.Go(func() {
		_ = c.Watch(ctx, func(e device.Event) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, e)
		})
	})
	tb.Cleanup(func() { cancel(); running.Wait() })
	events = func() []device.Event {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
	require.Eventually(tb, func() bool { return len(events()) > 0 }, eventually, tick)
	return events
}

func count(events []device.Event, matches func(device.Event) bool) int {
	n := 0
	for _, e := range events {
		if matches(e) {
			n++
		}
	}
	return n
}

func isResync(e device.Event) bool { return e.Kind == device.Resync }

var pin = device.NewSecret("0012345")

func TestSetCode_PINOfAnotherSlot_IsRejectedAsItsDuplicate(t *testing.T) {
	t.Parallel()
	for _, announces := range []bool{true, false} { // with the report of the lock, or with that of the other slot only
		w := newWorld(t)
		w.announces = announces
		c := w.open(t)
		require.NoError(t, c.SetCode(t.Context(), testLock, device.Slot{Index: 2, PIN: pin}))
		err := c.SetCode(t.Context(), testLock, device.Slot{Index: 4, PIN: pin})
		require.Equal(t, &device.RejectedError{Reason: device.RejectedDuplicate, Slot: 2}, err)
	}
}

// The driver has not read the other slot, so it does not know which one it is.
func TestSetCode_PINOfASlotThatWasNotRead_IsRejectedAsDuplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeCode(testLock, device.Slot{Index: 5, State: device.SlotKnown, PIN: pin})
	err := w.open(t).SetCode(t.Context(), testLock, device.Slot{Index: 1, PIN: pin})
	require.Equal(t, &device.RejectedError{Reason: device.RejectedDuplicate}, err)
}

// Access control would keep the slot disabled.
func TestSetCode_DisabledSlot_Opens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeCode(testLock, device.Slot{Index: 1, State: device.SlotDisabled, PIN: device.NewSecret("271828")})
	c := w.open(t)
	w.mu.Lock()
	w.schema = minSchema // the fake then stores what the command class says
	w.mu.Unlock()
	require.NoError(t, c.SetCode(t.Context(), testLock, device.Slot{Index: 1, PIN: pin}))
	require.Equal(t, device.Slot{Index: 1, State: device.SlotKnown, PIN: pin}, w.readCodes(testLock)[0])
}

// Z-Wave JS takes a code of a lock that hides PINs for set, because the slot shows some code.
func TestSetCode_HiddenCodeThatStays_IsNotConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.masks, w.deaf = true, true
	w.writeCode(testLock, device.Slot{Index: 1, State: device.SlotKnown, PIN: device.NewSecret("271828")})
	err := w.open(t).SetCode(t.Context(), testLock, device.Slot{Index: 1, PIN: pin})
	require.ErrorIs(t, err, device.ErrUnconfirmed)
}

func TestCodes_LockWithFewerSlots_ReturnsTheSlotsThatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	c.mu.Lock()
	c.things[lockNode].codes.limits.Slots = testSlots + 3 // as if the server was wrong
	c.mu.Unlock()
	_, err := c.Codes(t.Context(), testLock, testSlots+1)
	require.ErrorIs(t, err, device.ErrInvalid)
	slots, err := c.Codes(t.Context(), testLock)
	require.NoError(t, err)
	require.Len(t, slots, testSlots)
	require.Equal(t, testSlots, find(t, c, testLock).Codes.Slots)
}

func TestOptions_Slots_BoundTheSlotsOfALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.slots = 4
	require.Equal(t, 4, find(t, w.open(t), testLock).Codes.Slots)
}

// Z-Wave JS assumes that the lock obeys. The driver must not report this.
func TestDo_LockThatIgnoresCommands_NeverShowsTheAssumedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.change(func() { w.deaf = true })
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.False(t, outcome.Confirmed)
	require.Equal(t, device.Known(false), find(t, c, testLock).State.Locked)
	require.Zero(t, count(events(), func(e device.Event) bool { return e.State.Locked.Is(true) }))
}

func TestDo_StatusesOfTheServer_HaveTheirErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	for status, want := range map[int]error{0: device.ErrUnsupported, 2: device.ErrRejected, 3: device.ErrUnsupported, 4: device.ErrUnsupported, 5: device.ErrRejected, 77: device.ErrUnconfirmed} {
		w.change(func() { w.status = &status })
		_, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
		require.ErrorIs(t, err, want, "status %d", status)
	}
	working := setWorking
	w.change(func() { w.status = &working })
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed, "the lock was read afterwards")
}

func TestDo_ErrorsOfZWaveJS_HaveTheirClasses(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{
		204: device.ErrOffline, 202: device.ErrOffline, 201: device.ErrUnconfirmed, 303: device.ErrUnsupported,
		322: device.ErrRejected, 1100: device.ErrRejected, 213: device.ErrUnknownDevice,
	} {
		err := classify("2", &serverError{code: "zwave_error", zwave: code}, true)
		require.ErrorIs(t, err, want, "code %d", code)
		require.Contains(t, err.Error(), fmt.Sprintf("ZW%04d", code))
	}
	require.ErrorIs(t, classify("2", &serverError{code: "node_not_found"}, true), device.ErrUnknownDevice)
	require.ErrorIs(t, classify("2", &serverError{zwave: 201}, false), device.ErrOffline)
	require.EqualError(t, classify("2", &serverError{code: "unknown_error"}, true), `device "2": zwavejs: the server reports the error "unknown_error"`)
}

// The server takes a node for dead until it answers, so somebody must ask it.
func TestDo_DeadNodeThatAnswersAgain_IsReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setOffline(testLock, true)
	c := w.open(t)
	require.Equal(t, device.Known(false), find(t, c, testLock).State.Online)
	_, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.ErrorIs(t, err, device.ErrOffline)
	w.change(func() { w.offline[lockNode] = false })
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
}

func TestConn_DeadNode_IsPingedRegularly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.times.wake = time.Millisecond
	w.setOffline(testLock, true)
	c := w.open(t)
	w.change(func() { w.offline[lockNode], w.pingsWake = false, true })
	require.Eventually(t, func() bool { return find(t, c, testLock).State.Online.Is(true) }, eventually, tick)
}

func TestDevices_Sensors_HaveTheirCapabilitiesAndStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extra = []string{entry(9, statusAsleep, "Cellar", ``, `[
		{"endpoint":0,"commandClass":113,"property":"Water Alarm","propertyKey":"Sensor status","value":2},
		{"endpoint":0,"commandClass":113,"property":"Smoke Alarm","propertyKey":"Sensor status","value":0},
		{"endpoint":1,"commandClass":113,"property":"Home Security","propertyKey":"Motion sensor status","value":8},
		{"endpoint":0,"commandClass":113,"property":"Access Control","propertyKey":"Door state (simple)","value":22},
		{"endpoint":0,"commandClass":49,"property":"Humidity","metadata":{"unit":"%"},"value":45},
		{"endpoint":0,"commandClass":49,"property":"Loudness","metadata":{"unit":"dB"},"value":61},
		{"endpoint":2,"commandClass":49,"property":"Air temperature","metadata":{"unit":"°F"},"value":68}]`)}
	c := w.open(t)
	require.Equal(t, device.State{
		Online: device.Known(true), Leak: device.Known(true), Smoke: device.Known(false), Occupied: device.Known(true),
		DoorOpen: device.Known(true), Humidity: device.Known(0.45), Temperature: device.Known(20.0), Noise: device.Known(61.0),
	}, find(t, c, "9").State)
	require.ElementsMatch(t, []device.Capability{
		device.ReportsLeak, device.ReportsSmoke, device.ReportsOccupancy, device.ReportsHumidity, device.ReportsTemperature,
		device.ReportsDoor, device.ReportsNoise,
	}, find(t, c, "9").Capabilities)
	window := find(t, c, testSensor)
	require.Equal(t, "Window", window.Name)
	require.Equal(t, device.State{Online: device.Known(true), DoorOpen: device.Known(false), Battery: device.Known(0.9)}, window.State)
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), window.StateAt)
	require.Equal(t, "Test device (node 3)", find(t, c, testThermostat).Name)
	events := watching(t, c)
	w.change(func() { w.update(sensorNode, ccBinarySensor, "Door/Window", true) })
	require.Eventually(t, func() bool {
		return count(events(), func(e device.Event) bool { return e.DeviceID == testSensor && e.State.DoorOpen.Is(true) }) == 1
	}, eventually, tick)
}

func TestDevices_ThermostatInFahrenheit_IsConverted(t *testing.T) {
	t.Parallel()
	n, ok := decodeNode([]byte(entry(9, statusAlive, "", ``, `[
		{"commandClass":64,"property":"mode","metadata":{"writeable":true,"states":{"0":"","1":"","3":""}},"value":1},
		{"commandClass":67,"property":"setpoint","propertyKey":1,"metadata":{"writeable":true,"unit":"°F","min":40,"max":90},"value":68},
		{"commandClass":68,"property":"mode","metadata":{"writeable":true,"states":{"0":"Auto low","1":"Low"}},"value":0},
		{"commandClass":66,"property":"state","value":1},{"commandClass":69,"property":"state","value":0}]`)))
	require.True(t, ok)
	d, traits := n.describe()
	require.NoError(t, d.Check())
	require.Equal(t, &device.ClimateLimits{
		Modes: []device.HVACMode{device.HVACOff, device.HVACHeat}, FanModes: []device.FanMode{device.FanAuto, device.FanOn},
		Heating: &device.Range{Min: 4.44, Max: 32.22},
	}, d.Climate, "automatic mode needs both set points")
	require.Equal(t, device.State{
		Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(20.0), FanMode: device.Known(device.FanAuto),
		Heating: device.Known(true), Cooling: device.Known(false), FanRunning: device.Known(false),
	}, d.State)
	require.InDelta(t, 70.0, traits.heating.encode(21.2), 0)
}

func TestWatch_NotificationsOfTheLock_AreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.change(func() {
		w.notify(6, `{"userId":5}`)
		w.notify(9, `null`)
		w.notify(6, `{"userId":0}`) // no slot of a code
		w.notify(14, `null`)
	})
	require.Eventually(t, func() bool {
		return count(events(), func(e device.Event) bool { return e.Kind == device.CodesChanged }) == 1
	}, eventually, tick)
	var got []device.Operation
	for _, e := range events() {
		if e.Kind == device.Operated {
			got = append(got, e.Operation)
		}
	}
	require.Equal(t, []device.Operation{
		{Method: device.MethodKeypad, Slot: device.Known(5)}, {Locked: true, Method: device.MethodAuto}, {Method: device.MethodKeypad},
	}, got)
	w.change(func() {
		w.event(`{"source":"node","event":"value updated","nodeId":2,"args":{"commandClass":113,"property":"Access Control","propertyKey":"Lock state","newValue":11}}`)
	})
	require.False(t, find(t, c, testLock).State.Locked.IsKnown(), "the lock is jammed")
}

func TestWatch_NodesThatComeAndGo_AreReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.change(func() {
		w.event(`{"source":"controller","event":"node added","node":{"nodeId":9,"ready":false,"status":4}}`)
	})
	require.Empty(t, find(t, c, "9").Capabilities)
	w.change(func() {
		w.event(`{"source":"node","event":"ready","nodeId":9,"nodeState":` + entry(9, statusAlive, "New", `{"id":99}`, lockWithoutCodes) + `}`)
	})
	require.Eventually(t, func() bool { return find(t, c, "9").Can(device.CanProgram) }, eventually, tick)
	require.Eventually(t, func() bool { return count(events(), isResync) >= 4 }, eventually, tick)
	// During another interview, the device keeps its capabilities.
	w.change(func() { w.event(`{"source":"node","event":"ready","nodeId":9,"nodeState":{"nodeId":9,"ready":false}}`) })
	require.True(t, find(t, c, "9").Can(device.CanLock))
	w.change(func() { w.event(`{"source":"controller","event":"node removed","node":{"nodeId":9}}`) })
	_, err := c.Do(t.Context(), "9", device.Command{Kind: device.Lock})
	require.ErrorIs(t, err, device.ErrUnknownDevice)
}

const lockWithoutCodes = `[{"commandClass":98,"property":"targetMode","metadata":{"writeable":true}},{"commandClass":98,"property":"currentMode","value":255}]`

func TestWatch_LongOutage_ReturnsErrOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.times.grace = time.Millisecond
	c := w.open(t)
	w.stop()
	require.ErrorIs(t, c.Watch(t.Context(), func(device.Event) {}), device.ErrOffline)
}

// Not parallel: it counts goroutines and measures the heap.
func TestConn_100Reconnects_LeaksNothing(t *testing.T) {
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	var goroutines int
	var live uint64
	for i := 1; i <= 100; i++ {
		before := count(events(), isResync)
		w.drop()
		require.Eventually(t, func() bool { return count(events(), isResync) > before }, eventually, tick)
		requireWorks(t, c)
		if i == 10 { // after the goroutines of the last connection have ended
			require.Eventually(t, func() bool {
				before := goroutines
				goroutines = countGoroutines()
				return goroutines == before
			}, eventually, 50*time.Millisecond)
			live = heap()
		}
	}
	require.Eventually(t, func() bool { return countGoroutines() == goroutines }, eventually, 50*time.Millisecond, "%d goroutines", goroutines)
	after := heap()
	t.Logf("%d goroutines; %d bytes after 10 reconnects, %d after 100", goroutines, live, after)
	require.LessOrEqual(t, after, live+5<<20)
}

// countGoroutines counts the goroutines of the driver, the fake server and their libraries.
func countGoroutines() int {
	n := 0
	stacks := make([]byte, 4<<20)
	for s := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if !strings.Contains(s, "stretchr/testify") {
			n++
		}
	}
	return n
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// requireWorks requires that the lock can be operated.
func requireWorks(t *testing.T, c *conn) {
	t.Helper()
	for _, kind := range []device.CommandKind{device.Lock, device.Unlock} {
		outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: kind})
		require.NoError(t, err)
		require.True(t, outcome.Confirmed)
	}
}
