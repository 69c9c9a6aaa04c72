package zwavejs

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/devicetest"
)

// logs is a log that tests can read.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
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

// testWorld is a driver with a fake server.
type testWorld struct {
	*fake
	provider *Provider
	logs     *logs
}

func newWorld(tb testing.TB) *testWorld {
	w := &testWorld{fake: newFake(tb), logs: &logs{}}
	w.provider = testProvider(tb, Options{Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	w.watch(w.provider)
	return w
}

// target returns the world for the conformance tests.
func (w *testWorld) target() devicetest.World {
	return devicetest.World{
		Provider: w.provider, Answers: []map[string]string{{fieldURL: w.url()}},
		WrongAnswers: map[string]string{fieldURL: "ws://127.0.0.1:1"},
		Lock:         testLock, Thermostat: testThermostat, Logs: w.logs.String, SilentRejections: true,
		Hooks: devicetest.Hooks{
			Offline: w.setOffline, Hold: w.hold, Mute: w.setMute, Stale: w.setStale,
			Deaf:      func(_ string, deaf bool) { w.change(func() { w.deaf = deaf }) },
			Full:      func(string) { w.change(func() { w.full = true }) },
			HidePINs:  func(string) { w.change(func() { w.masks = true }) },
			WriteCode: w.writeCode, ReadCodes: w.readCodes, Operate: w.operate, Commands: w.commands,
			Outage: func(outage bool) {
				if outage {
					w.stop()
				} else {
					w.start(w.listener.Addr().String())
				}
			},
			FailInventory: func() {
				w.change(func() { w.broken = true })
				w.drop()
			},
		},
	}
}

// The server has no logins, so an account cannot be revoked.
var missing = []string{"Hooks.Revoke"}

func conforms(t *testing.T, prepare func(*fake)) {
	t.Parallel()
	devicetest.Run(t, devicetest.Target{Complete: true, Missing: missing, Parallel: true, New: func(tb testing.TB) devicetest.World {
		w := newWorld(tb)
		prepare(w.fake)
		return w.target()
	}})
}

func TestProvider_AccessControl_Conforms(t *testing.T) {
	conforms(t, func(*fake) {})
}

// Servers before schema version 48 have no requests for access control.
func TestProvider_OldServer_Conforms(t *testing.T) {
	conforms(t, func(f *fake) { f.schema = minSchema })
}

func TestProvider_HiddenPINs_Conforms(t *testing.T) {
	conforms(t, func(f *fake) { f.masks = true })
}

func TestProvider_SupervisedLockWithoutReportsOfDuplicates_Conforms(t *testing.T) {
	conforms(t, func(f *fake) { f.supervised, f.announces = true, false })
}

var _ device.Provider = (*Provider)(nil)
