package zigbee2mqtt

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device/devicetest"
)

// logs is a log that tests can read.
type logs struct {
	limit int // bytes to keep, approximately; 0 means all
	mu    sync.Mutex
	text  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit > 0 && l.text.Len() > 2*l.limit {
		l.text.Next(l.text.Len() - l.limit)
	}
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// testProvider returns a driver that may connect to loopback addresses. It reconnects at once and does not pause between reads.
func testProvider(tb testing.TB, o Options) *Provider {
	o.AllowedHosts = append(o.AllowedHosts, "127.0.0.1")
	p, err := New(o)
	require.NoError(tb, err)
	p.times.sync, p.times.answer, p.times.grace = 5*time.Minute, 5*time.Minute, 5*time.Minute // the machine may be slow
	p.times.reread = time.Millisecond
	p.times.backoff = func(int) time.Duration { return time.Millisecond }
	return p
}

// testWorld is a broker with a fakeBridge.
type testWorld struct {
	*broker
	*fakeBridge
	provider *Provider
	logs     *logs
	answers  map[string]string
}

func newWorld(tb testing.TB) *testWorld {
	w := &testWorld{fakeBridge: newBridge(), logs: &logs{}}
	w.broker = newBroker(tb, nil)
	w.fakeBridge.broker = w.broker
	w.broker.started = w.serve
	w.serve(w.current())
	w.provider = testProvider(tb, Options{Slots: testSlots, Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	w.watchWires(w.provider)
	w.answers = map[string]string{"url": w.url(), "username": testUser, "password": testPassword}
	return w
}

// target returns the world for the conformance tests.
func (w *testWorld) target() devicetest.World {
	wrong := map[string]string{"url": w.url(), "username": testUser, "password": "wrong horse battery"}
	return devicetest.World{
		Provider: w.provider, Answers: []map[string]string{w.answers}, WrongAnswers: wrong,
		Lock: testLock, Thermostat: testThermostat, Logs: w.logs.String, SilentRejections: true,
		Hooks: devicetest.Hooks{
			Offline:   w.setOffline,
			Hold:      w.hold,
			Deaf:      func(_ string, deaf bool) { w.change(func() { w.deaf = deaf }) },
			Mute:      w.setMute,
			Stale:     w.setStale,
			Full:      func(string) { w.change(func() { w.full = true }) },
			HidePINs:  func(string) { w.change(func() { w.exposePIN = false; w.publishInfo() }) },
			WriteCode: w.writeCode, ReadCodes: w.readCodes, Operate: w.operate, Commands: w.commands,
			Outage: func(outage bool) {
				if outage {
					w.stop()
				} else {
					w.start()
				}
			},
			FailInventory: func() {
				w.change(func() {
					w.fakeBridge.publish("bridge/devices", "["+entry(testLock, "front_door", lockExposes)+",", true)
					w.publishDevices()
				})
			},
			Revoke: func() {
				w.broker.mu.Lock()
				w.password += " staple"
				w.answers["password"] = w.password // with which the customer connects again
				w.broker.mu.Unlock()
				w.drop()
			},
		},
	}
}

func TestProvider_ScriptedBridge_Conforms(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, devicetest.Target{
		New: func(tb testing.TB) devicetest.World { return newWorld(tb).target() }, Complete: true, Parallel: true,
	})
}

func TestProvider_HiddenPINs_Conforms(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, devicetest.Target{Complete: true, Parallel: true, New: func(tb testing.TB) devicetest.World {
		w := newWorld(tb)
		w.change(func() { w.exposePIN = false; w.publishInfo() })
		return w.target()
	}})
}

// Some locks report their state, but not their operations.
func TestProvider_LockWithoutOperations_Conforms(t *testing.T) {
	t.Parallel()
	devicetest.Run(t, devicetest.Target{Complete: true, Parallel: true, New: func(tb testing.TB) devicetest.World {
		w := newWorld(tb)
		w.change(func() { w.silent = true })
		return w.target()
	}})
}
