package zigbee2mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/internal/allowhosts"
)

const eventually, tick = 5 * time.Minute, 2 * time.Millisecond

func answers(texts map[string]string) device.Step {
	step := device.Step{Answers: map[string]device.Secret{}}
	for name, text := range texts {
		step.Answers[name] = device.NewSecret(text)
	}
	return step
}

func (w *testWorld) open(tb testing.TB) *conn {
	tb.Helper()
	return connect(tb, w.provider, w.answers)
}

// connect connects an account and opens it.
func connect(tb testing.TB, p *Provider, with map[string]string) *conn {
	tb.Helper()
	pane, err := p.Connect(tb.Context(), answers(with))
	require.NoError(tb, err)
	require.NotNil(tb, pane.Done, "%+v", pane.Form)
	c, err := p.Open(tb.Context(), *pane.Done)
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

// watching collects the events of a connection.
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
	return func() []device.Event {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestSetCode_PINOfAnotherSlot_IsRejectedAsItsDuplicate(t *testing.T) {
	t.Parallel()
	c := newWorld(t).open(t)
	pin := device.NewSecret("0012345")
	require.NoError(t, c.SetCode(t.Context(), testLock, device.Slot{Index: 2, PIN: pin}))
	err := c.SetCode(t.Context(), testLock, device.Slot{Index: 4, PIN: pin})
	require.Equal(t, &device.RejectedError{Reason: device.RejectedDuplicate, Slot: 2}, err)
}

func TestCodes_LockWithFewerSlots_ReturnsTheSlotsThatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.slots = testSlots + 3
	c := w.open(t)
	require.Equal(t, testSlots+3, find(t, c, testLock).Codes.Slots)
	require.ErrorIs(t, c.SetCode(t.Context(), testLock, device.Slot{Index: testSlots + 1, PIN: device.NewSecret("271828")}), device.ErrInvalid)
	slots, err := c.Codes(t.Context(), testLock)
	require.NoError(t, err)
	require.Len(t, slots, testSlots)
	require.Equal(t, testSlots, find(t, c, testLock).Codes.Slots)
}

func TestDevices_Sensors_HaveTheirCapabilitiesAndStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change(func() {
		w.extra = []string{entry("0x0A", "cellar", `[{"name":"water_leak","property":"water_leak","access":1,"type":"binary"},
			{"name":"smoke","property":"smoke","access":1,"type":"binary"},{"name":"occupancy","property":"occupancy","access":1,"type":"binary"},
			{"name":"humidity","property":"humidity","access":1,"type":"numeric"},{"name":"temperature","property":"temperature","access":1,"type":"numeric","unit":"°F"}]`)}
		w.publishDevices()
	})
	c := w.open(t)
	events := watching(t, c)
	w.publish2("cellar", `{"water_leak":true,"smoke":false,"occupancy":true,"humidity":45,"temperature":68,"last_seen":1700000000000}`)
	want := device.State{
		Leak: device.Known(true), Smoke: device.Known(false), Occupied: device.Known(true), Humidity: device.Known(0.45), Temperature: device.Known(20.0),
	}
	require.Eventually(t, func() bool { return find(t, c, "0x0a").State == want }, eventually, tick)
	require.ElementsMatch(t, []device.Capability{
		device.ReportsLeak, device.ReportsSmoke, device.ReportsOccupancy, device.ReportsHumidity, device.ReportsTemperature,
	}, find(t, c, "0x0a").Capabilities)
	w.publish2("back_contact", `{"contact":false,"battery":12}`)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(events(), func(e device.Event) bool {
			return e.Kind == device.StateChanged && e.DeviceID == testContact && e.State.DoorOpen.Is(true) && e.State.Battery.Is(0.12)
		})
	}, eventually, tick)
}

// publish2 publishes a message of a device.
func (w *testWorld) publish2(topic, payload string) {
	w.broker.publish(testBase+"/"+topic, payload, false)
}

func TestWatch_RenamedDevice_KeepsItsIDAndIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	w.fakeBridge.mu.Lock()
	w.names[testLock] = "main/entrance"
	w.publishDevices()
	w.publishOnline(testLock, "main/entrance")
	w.fakeBridge.mu.Unlock()
	require.Eventually(t, func() bool { return find(t, c, testLock).Name == "main/entrance" }, eventually, tick)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(events(), func(e device.Event) bool { return e.DeviceID == testLock && e.State.Online.Is(true) })
	}, eventually, tick)
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
}

func TestWatch_RetainedOperation_IsNotReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broker.publish(testBase+"/front_door", `{"state":"UNLOCK","action":"unlock","action_source_name":"keypad","action_user":2}`, true)
	c := w.open(t)
	events := watching(t, c)
	w.publish2("front_door", `{"state":"LOCK","action":"auto_lock"}`)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(events(), func(e device.Event) bool { return e.Kind == device.Operated && e.Operation.Locked })
	}, eventually, tick)
	for _, e := range events() {
		require.False(t, e.Kind == device.Operated && !e.Operation.Locked, "%+v", e)
	}
}

func TestDo_BridgeIsOffline_ReturnsErrOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	w.change(func() { w.fakeBridge.publish("bridge/state", `{"state":"offline"}`, true) })
	_, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
	require.ErrorIs(t, err, device.ErrOffline)
	require.True(t, find(t, c, testLock).State.Online.Is(false))
	require.Zero(t, w.commands(testLock))
}

// Zigbee2MQTT receives no requests until it has started, and the broker may have kept the message that an earlier process is online.
func TestDevices_BridgeStartsAgain_StatesAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	require.Eventually(t, func() bool { return !find(t, c, testLock).State.Locked.IsZero() }, eventually, tick)
	was := find(t, c, testLock).State.Locked
	w.change(func() {
		w.locked = !w.locked
		w.fakeBridge.publish("bridge/state", `{"state":"online"}`, true)
	})
	require.Eventually(t, func() bool { return find(t, c, testLock).State.Locked != was }, eventually, tick)
}

// An MQTT library that repeats unacknowledged messages after a reconnect would open a door much later.
func TestDo_BrokerIsRestarted_CommandIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.open(t)
	events := watching(t, c)
	release := w.hold("")
	result := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
		result <- err
	}()
	require.Eventually(t, func() bool { return w.commands(testLock) == 1 }, eventually, tick)
	w.stop()
	require.ErrorIs(t, <-result, device.ErrUnconfirmed)
	w.start()
	require.Eventually(t, func() bool {
		resyncs := 0
		for _, e := range events() {
			if e.Kind == device.Resync {
				resyncs++
			}
		}
		return resyncs >= 2
	}, eventually, tick)
	release()
	require.Equal(t, 1, w.commands(testLock))
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Lock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
}

func TestWatch_LongOutage_ReturnsErrOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.times.grace = time.Millisecond
	c := w.open(t)
	result := make(chan error, 1)
	go func() { result <- c.Watch(t.Context(), func(device.Event) {}) }()
	w.stop()
	require.ErrorIs(t, <-result, device.ErrOffline)
}

func TestConnect_AddressThatIsNotAllowed_IsAProblemOfTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, allowed := range [][]string{nil, {"192.0.2.0/24", "::1"}, {"broker.example"}} {
		p, err := New(Options{AllowedHosts: allowed})
		require.NoError(t, err)
		pane, err := p.Connect(t.Context(), answers(w.answers))
		require.NoError(t, err)
		require.NotNil(t, pane.Form)
		require.Equal(t, device.ProblemNotAllowed, pane.Form.Fields[0].Problem)

		settings := settings{URL: w.url(), Username: testUser, Password: testPassword}
		_, err = p.Open(t.Context(), device.Account{ID: "0x1", Secret: settings.secret()})
		require.ErrorIs(t, err, allowhosts.ErrNotAllowed)
	}
}

// The operator of the program may use any address. Customers may not, even if they connect the operator's account again.
func TestConnect_OperatorsOwnConfiguration_IsNotLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := New(Options{})
	require.NoError(t, err)
	step := answers(w.answers)
	step.Operator = true
	pane, err := p.Connect(t.Context(), step)
	require.NoError(t, err)
	require.NotNil(t, pane.Done)
	c, err := p.Open(t.Context(), *pane.Done)
	require.NoError(t, err)
	require.NotEmpty(t, find(t, c, testLock))
	require.NoError(t, c.Close())

	for _, operator := range []bool{true, false} {
		again, err := p.Connect(t.Context(), device.Step{Reconnect: pane.Done, Operator: operator})
		require.NoError(t, err)
		require.Equal(t, operator, again.Form.Fields[0].Value == w.url(), "the address in the form")
		require.Equal(t, operator, again.Form.Fields[1].Value == testUser, "the user name in the form")
	}
	step.Operator, step.Reconnect = false, pane.Done
	again, err := p.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, device.ProblemNotAllowed, again.Form.Fields[0].Problem)
	step.Answers["operator"] = device.NewSecret("true")
	again, err = p.Connect(t.Context(), step)
	require.NoError(t, err)
	require.Equal(t, device.ProblemUnknown, again.Form.Problem)
}

// A name is checked when it has been resolved: it does not matter what it resolved to before.
func TestConnect_NameThatResolvesToAnotherAddress_IsNotAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, port, err := net.SplitHostPort(w.listener.Addr().String())
	require.NoError(t, err)
	w.answers["url"] = "mqtt://localhost:" + port
	for allowed, want := range map[string]device.Problem{"192.0.2.7": device.ProblemNotAllowed, "127.0.0.0/8": "", "LOCALHOST": ""} {
		p, err := New(Options{AllowedHosts: []string{allowed}})
		require.NoError(t, err)
		pane, err := p.Connect(t.Context(), answers(w.answers))
		require.NoError(t, err)
		if want == "" {
			require.NotNil(t, pane.Done, allowed)
		} else {
			require.Equal(t, want, pane.Form.Fields[0].Problem, allowed)
		}
	}
}

func TestNew_WrongOptions_ReturnsAnErrorThatNamesThem(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"", "mqtt://host", "host:1883", "10.0.0.0/40", "a b", "*"} {
		_, err := New(Options{AllowedHosts: []string{entry}})
		require.ErrorContains(t, err, fmt.Sprintf("%q in AllowedHosts", entry))
	}
	_, err := New(Options{Slots: 251})
	require.ErrorContains(t, err, "Options.Slots is 251")
}

func TestConnect_WrongSettings_AreProblemsOfTheirFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, unused.Close())
	for _, c := range []struct {
		field, value, at string
		want             device.Problem
	}{
		{"url", "http://host", "url", device.ProblemInvalid},
		{"url", "mqtt://user:secret@host", "url", device.ProblemInvalid},
		{"url", "mqtt://host:99999", "url", device.ProblemInvalid},
		{"url", "mqtt://host/path", "url", device.ProblemInvalid},
		{"url", "mqtt://" + unused.Addr().String(), "url", device.ProblemUnreachable},
		{"base_topic", "a/#", "base_topic", device.ProblemInvalid},
		{"base_topic", "another", "base_topic", device.ProblemInvalid},
	} {
		step := answers(w.answers)
		step.Answers[c.field] = device.NewSecret(c.value)
		problems := map[string]device.Problem{}
		for w.provider.times.sync = 100 * time.Millisecond; problems[c.at] != c.want && w.provider.times.sync < 5*time.Minute; w.provider.times.sync *= 2 {
			pane, err := w.provider.Connect(t.Context(), step)
			require.NoError(t, err)
			require.NotNil(t, pane.Form, c.value)
			for _, f := range pane.Form.Fields {
				problems[f.Name] = f.Problem
				require.NotContains(t, f.Value, testPassword)
			}
		}
		require.Equal(t, c.want, problems[c.at], c.value)
	}
}

func TestOpen_SecretOfAnotherDriver_IsNotPrinted(t *testing.T) {
	t.Parallel()
	p := testProvider(t, Options{})
	_, err := p.Open(t.Context(), device.Account{ID: "a", Secret: device.NewSecret("sesame open")})
	require.ErrorIs(t, err, device.ErrAccountLost)
	require.False(t, strings.Contains(err.Error(), "sesame"))
	require.False(t, errors.Is(err, device.ErrOffline))
}
