package devicetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// suite is the environment of one check.
type suite struct {
	testing.TB
	World
	target Target
	ctx    context.Context // ends with the check
	wait   time.Duration
}

func newSuite(tb testing.TB, target Target) *suite {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &suite{TB: tb, World: target.New(tb), target: target, ctx: ctx, wait: target.Wait}
	tb.Cleanup(cancel)
	if s.wait <= 0 {
		s.wait = time.Minute
	}
	if len(s.Slots) == 0 {
		s.Slots = []int{1, 2, 3, 4}
	}
	return s
}

// need skips the check if the target lacks something, or fails it if the target should be complete.
func (s *suite) need(name string, present bool) {
	s.Helper()
	missing := slices.Contains(s.target.Missing, name)
	switch {
	case present && missing:
		s.Fatalf("Target.Missing names %s, but the target has it", name)
	case present:
	case s.target.Complete && !missing:
		s.Fatalf("the target is not complete: it has no %s; provide it, or name it in Target.Missing", name)
	default:
		s.Skipf("the target has no %s", name)
	}
}

func (s *suite) needLock()       { s.Helper(); s.need("World.Lock", s.Lock != "") }
func (s *suite) needThermostat() { s.Helper(); s.need("World.Thermostat", s.Thermostat != "") }

// connect connects the account with the answers of the world.
func (s *suite) connect(reconnect *device.Account) device.Account {
	s.Helper()
	step := device.Step{Reconnect: reconnect}
	for _, answers := range s.Answers {
		pane, err := s.Provider.Connect(s.ctx, step)
		require.NoError(s, err, "Connect")
		require.NotNil(s, pane.Form, "Connect returns a form while there are answers for one")
		require.LessOrEqual(s, len(pane.State.Reveal()), device.MaxStateBytes, "size of Pane.State")
		step.State, step.Answers = pane.State, asAnswers(answers)
	}
	pane, err := s.Provider.Connect(s.ctx, step)
	require.NoError(s, err, "Connect with the last answers")
	if pane.Form != nil {
		require.Nil(s, pane.Form, "Connect returns another form, with the problem %q: %s", pane.Form.Problem, pane.Form.Message)
	}
	require.NotNil(s, pane.Done, "Connect returns an account after the last answers")
	return *pane.Done
}

func asAnswers(texts map[string]string) map[string]device.Secret {
	answers := map[string]device.Secret{}
	for name, text := range texts {
		answers[name] = device.NewSecret(text)
	}
	return answers
}

func (s *suite) account() device.Account {
	s.Helper()
	if s.Account.ID == "" {
		s.need("World.Account or World.Answers", len(s.Answers) > 0)
		s.Account = s.connect(nil)
	}
	return s.Account
}

// open opens a connection, which is closed after the check.
func (s *suite) open() device.Conn {
	s.Helper()
	c, err := s.Provider.Open(s.ctx, s.account())
	require.NoError(s, err, "Open")
	s.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return c
}

// openLock opens a connection whose lock has empty slots, and returns the limits of the lock.
func (s *suite) openLock() (device.Conn, device.Coder, device.CodeLimits) {
	s.Helper()
	s.needLock()
	c := s.open()
	coder, ok := c.(device.Coder)
	require.True(s, ok, "the Conn is a device.Coder, because lock %q has access codes", s.Lock)
	d := s.find(c, s.Lock)
	require.NotNil(s, d.Codes, "lock %q has access codes", s.Lock)
	for _, i := range s.Slots {
		require.NoError(s, coder.ClearCode(s.ctx, s.Lock, i), "ClearCode of slot %d", i)
	}
	return c, coder, *d.Codes
}

// inventory reads all devices.
func (s *suite) inventory(c device.Conn) []device.Device {
	s.Helper()
	devices, err := collect(s.ctx, c)
	require.NoError(s, err, "Devices")
	return devices
}

// collect returns the devices before an error, and the error.
func collect(ctx context.Context, c device.Conn) (devices []device.Device, err error) {
	for d, err := range c.Devices(ctx) {
		if err != nil {
			return devices, err
		}
		devices = append(devices, d)
	}
	return devices, nil
}

func (s *suite) find(c device.Conn, id string) device.Device {
	s.Helper()
	devices := s.inventory(c)
	i := slices.IndexFunc(devices, func(d device.Device) bool { return d.ID == id })
	require.GreaterOrEqual(s, i, 0, "the inventory contains device %q", id)
	return devices[i]
}

// eventually calls fn until it returns an empty text. Otherwise the text says what is missing.
func (s *suite) eventually(fn func() (missing string)) {
	s.Helper()
	timeout := time.NewTimer(s.wait)
	defer timeout.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		missing := fn()
		if missing == "" {
			return
		}
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-timeout.C:
			next.Stop()
			s.Fatalf("after %v: %s", s.wait, missing)
		}
	}
}

// finish waits for the result of a call that should end soon.
func finish[T any](s *suite, call string, result <-chan T) T {
	s.Helper()
	timeout := time.NewTimer(s.wait)
	defer timeout.Stop()
	select {
	case r := <-result:
		return r
	case <-timeout.C:
		s.Fatalf("%s has not returned after %v", call, s.wait)
		panic("unreachable")
	}
}

// start runs fn in a goroutine.
func start[T any](fn func() T) <-chan T {
	result := make(chan T, 1)
	go func() { result <- fn() }()
	return result
}

// pin returns the i-th of different PINs that the lock accepts. They are as long as possible, so that they do not occur
// in other texts by chance.
func (s *suite) pin(limits device.CodeLimits, i int) device.Secret {
	s.Helper()
	const step = 13_577_531
	length := limits.Lengths[len(limits.Lengths)-1]
	for n := 604_198_273_561; ; n += step {
		text := fmt.Sprint(n)
		pin := device.NewSecret(text[len(text)-length:])
		if limits.CheckPIN(pin) != nil {
			if n > 604_198_273_561+100_000*step {
				s.Fatalf("there is no PIN that the constraints %v allow", limits.Constraints)
			}
			continue
		}
		if i == 0 {
			return pin
		}
		i--
	}
}

// code returns a code for one of the slots of the world.
func (s *suite) code(limits device.CodeLimits, slot, pin int) device.Slot {
	s.Helper()
	return device.Slot{Index: s.Slots[slot], PIN: s.pin(limits, pin)}
}

// setCode sets a code and waits until it is read back.
func (s *suite) setCode(c device.Coder, code device.Slot) {
	s.Helper()
	require.NoError(s, c.SetCode(s.ctx, s.Lock, code), "SetCode of slot %d", code.Index)
	s.expectCode(c, code)
}

// expectCode waits until a slot is read as occupied with the PIN of code, or without a PIN if it is unreadable.
func (s *suite) expectCode(c device.Coder, code device.Slot) {
	s.Helper()
	s.eventually(func() string {
		got := s.slot(c, code.Index)
		if got.State == device.SlotUnreadable || got.State == device.SlotKnown && got.PIN == code.PIN {
			return ""
		}
		return fmt.Sprintf("slot %d is %s, but should hold the code that was set", code.Index, describe(got))
	})
}

// expectEmpty waits until a slot is read as empty.
func (s *suite) expectEmpty(c device.Coder, index int) {
	s.Helper()
	s.eventually(func() string {
		if got := s.slot(c, index); got.Occupied() {
			return fmt.Sprintf("slot %d is %s, but should be empty", index, describe(got))
		}
		return ""
	})
}

// slot reads one slot.
func (s *suite) slot(c device.Coder, index int) device.Slot {
	s.Helper()
	slots, err := c.Codes(s.ctx, s.Lock, index)
	require.NoError(s, err, "Codes of slot %d", index)
	require.Len(s, slots, 1, "Codes with one index returns one slot")
	require.Equal(s, index, slots[0].Index, "index of the slot that Codes returns")
	return slots[0]
}

func describe(s device.Slot) string {
	if s.PIN.IsZero() {
		return string(s.State)
	}
	return string(s.State) + " with a PIN"
}

// requireNotDone requires that a command failed with an error that lets the caller doubt its effect.
func (s *suite) requireNotDone(err error, what string) {
	s.Helper()
	if !errors.Is(err, device.ErrUnconfirmed) && !errors.Is(err, device.ErrOffline) {
		s.Fatalf("%s: the error must be ErrUnconfirmed or ErrOffline, but is: %v", what, err)
	}
}

// watching is a running Watch.
type watching struct {
	s      *suite
	cancel context.CancelFunc
	result <-chan error

	mu     sync.Mutex
	events []device.Event
}

// watch starts a Watch and waits for its first event.
func (s *suite) watch(c device.Conn) *watching {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	w := &watching{s: s, cancel: cancel}
	w.result = start(func() error {
		return c.Watch(ctx, func(e device.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		})
	})
	w.expect("the first event", func(e device.Event) bool { return e.Kind == device.Resync })
	return w
}

// all returns the events so far.
func (w *watching) all() []device.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// expect waits for an event that matches.
func (w *watching) expect(what string, matches func(device.Event) bool) device.Event {
	w.s.Helper()
	var found device.Event
	w.s.eventually(func() string {
		events := w.all()
		if i := slices.IndexFunc(events, matches); i >= 0 {
			found = events[i]
			return ""
		}
		return fmt.Sprintf("Watch did not report %s; it reported %d other events", what, len(events))
	})
	return found
}
