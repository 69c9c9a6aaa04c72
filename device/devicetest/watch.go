package devicetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// floodEvents is the number of operations during which the receiver of events is slow. It is greater than the queue of
// any sensible driver.
const floodEvents = 600

var watchChecks = []check{
	{"Watch begins with Resync", func(s *suite) {
		c := s.open()
		for range 2 { // a second Watch of the same connection too
			w := s.watch(c)
			first := w.all()[0]
			require.Equal(s, device.Event{Kind: device.Resync}, first, "the first event of Watch")
			w.cancel()
			require.ErrorIs(s, finish(s, "Watch", w.result), context.Canceled, "result of a Watch whose context has ended")
		}
	}},
	{"manual operations are reported with the complete state", func(s *suite) {
		s.needLock()
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c := s.open()
		s.setLocked(c, true)
		before := s.find(c, s.Lock).State
		w := s.watch(c)
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodManual})
		changed := w.expect("that the lock was unlocked", func(e device.Event) bool {
			return e.Kind == device.StateChanged && e.DeviceID == s.Lock && e.State.Locked.Is(false)
		})
		want := before
		want.Locked = device.Known(false)
		require.Equal(s, want, changed.State, "the event contains the complete state")
		w.expect("a manual operation", func(e device.Event) bool {
			return e.Kind == device.Operated && e.DeviceID == s.Lock && !e.Operation.Locked && e.Operation.Method == device.MethodManual
		})
		require.True(s, s.find(c, s.Lock).State.Locked.Is(false), "the inventory contains what Watch reported")
	}},
	{"the slot of a code that was used is reported", func(s *suite) {
		s.needLock()
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c, coder, limits := s.openLock()
		code := s.code(limits, 2, 0)
		s.setCode(coder, code)
		w := s.watch(c)
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodKeypad, Slot: device.Known(code.Index)})
		w.expect("the use of a code", func(e device.Event) bool {
			return e.Kind == device.Operated && e.DeviceID == s.Lock && e.Operation.Method == device.MethodKeypad && e.Operation.Slot.Is(code.Index)
		})
	}},
	{"a device that goes offline and returns is reported", func(s *suite) {
		s.needLock()
		s.need("Hooks.Offline", s.Hooks.Offline != nil)
		c := s.open()
		w := s.watch(c)
		for _, offline := range []bool{true, false} {
			seen := len(w.all())
			s.Hooks.Offline(s.Lock, offline)
			s.eventually(func() string {
				if slices.ContainsFunc(w.all()[seen:], func(e device.Event) bool {
					return e.Kind == device.StateChanged && e.DeviceID == s.Lock && e.State.Online.Is(!offline)
				}) {
					return ""
				}
				return fmt.Sprintf("Watch did not report that the lock is offline: %v", offline)
			})
		}
	}},
	{"changes while a device was offline are reported when it returns", func(s *suite) {
		s.needLock()
		s.need("Hooks.Offline", s.Hooks.Offline != nil)
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c := s.open()
		s.setLocked(c, true)
		w := s.watch(c)
		s.Hooks.Offline(s.Lock, true)
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodManual})
		s.Hooks.Offline(s.Lock, false)
		w.expect("that the lock was unlocked while it was offline", func(e device.Event) bool {
			return e.Kind == device.StateChanged && e.DeviceID == s.Lock && e.State.Locked.Is(false)
		})
	}},
	{"a slow receiver delays nothing and misses no last state", func(s *suite) {
		s.needLock()
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c := s.open()
		s.setLocked(c, true)
		ctx, cancel := context.WithCancel(s.ctx)
		entered, proceed := make(chan struct{}), make(chan struct{})
		defer func() {
			cancel()
			select {
			case <-proceed:
			default:
				close(proceed)
			}
		}()
		events := make(chan device.Event)
		result := start(func() error {
			first := true
			return c.Watch(ctx, func(e device.Event) {
				if first { // Resync, before the operations
					first = false
					close(entered)
					<-proceed
					return
				}
				select {
				case events <- e:
				case <-ctx.Done():
				}
			})
		})
		finish(s, "the first event of Watch", entered)
		for i := range floodEvents {
			s.Hooks.Operate(s.Lock, device.Operation{Locked: i%2 == 0, Method: device.MethodManual})
		}
		finish(s, "Devices while the receiver of events is slow", start(func() error { _, err := collect(s.ctx, c); return err }))
		close(proceed)
		// The last operation unlocked the lock. Either an event says so, or Resync requests to read it.
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodKeypad})
		known := device.Known(true)
		for done := false; !done; {
			e := finish(s, "the next event of Watch", events)
			switch {
			case e.Kind == device.Resync:
				known = s.find(c, s.Lock).State.Locked
				done = known.Is(false)
			case e.Kind == device.StateChanged && e.DeviceID == s.Lock:
				known = e.State.Locked
			}
			done = done || e.Kind == device.Operated && e.Operation.Method == device.MethodKeypad
		}
		require.True(s, known.Is(false), "state of the lock after the last event")
		cancel()
		require.ErrorIs(s, finish(s, "Watch", result), context.Canceled, "result of Watch")
	}},
	{"fn is not called after Watch returned", func(s *suite) {
		s.needLock()
		s.need("Hooks.Operate", s.Hooks.Operate != nil)
		c := s.open()
		w := s.watch(c)
		w.cancel()
		finish(s, "Watch", w.result)
		before := len(w.all())
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodManual})
		s.Hooks.Operate(s.Lock, device.Operation{Locked: true, Method: device.MethodManual})
		again := s.watch(c)
		s.Hooks.Operate(s.Lock, device.Operation{Method: device.MethodManual})
		again.expect("an operation", func(e device.Event) bool { return e.Kind == device.Operated })
		require.Len(s, w.all(), before, "events of a Watch that has returned")
	}},
}
