package devicetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var contextChecks = []check{
	{"a call with an ended context sends nothing", func(s *suite) {
		c, _, limits := s.openLock()
		sent := s.counter(s.Lock)
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		for _, call := range s.calls(c, limits) {
			err := finish(s, call.name, start(func() error { return call.run(ctx) }))
			require.ErrorIs(s, err, context.Canceled, "%s with an ended context", call.name)
		}
		require.Zero(s, sent(), "commands sent with an ended context")
	}},
	{"a call to a slow device ends with its context", func(s *suite) {
		s.needLock()
		s.need("Hooks.Hold", s.Hooks.Hold != nil)
		c, _, limits := s.openLock()
		for _, call := range s.calls(c, limits) {
			if !call.waits {
				continue
			}
			s.whileHeld(func() {
				ctx, cancel := context.WithCancel(s.ctx)
				defer cancel()
				sent := s.counter(s.Lock)
				result := start(func() error { return call.run(ctx) })
				if s.Hooks.Commands != nil {
					s.eventually(func() string {
						if sent() > 0 {
							return ""
						}
						return call.name + " was not sent to the slow device"
					})
				}
				cancel()
				err := finish(s, call.name+" whose context has ended", result)
				require.ErrorIs(s, err, context.Canceled, "%s for a slow device", call.name)
			})
		}
	}},
	{"a slow device does not delay calls to other devices", func(s *suite) {
		s.needLock()
		s.needThermostat()
		s.need("Hooks.Hold", s.Hooks.Hold != nil)
		c := s.open()
		limits := s.find(c, s.Thermostat).Climate
		require.NotNil(s, limits, "device %q is a thermostat", s.Thermostat)
		s.whileHeld(func() {
			ctx, cancel := context.WithCancel(s.ctx)
			slow := start(func() error { _, err := c.Do(ctx, s.Lock, device.Command{Kind: device.Lock}); return err })
			err := finish(s, "Do for a thermostat, next to a slow lock,", start(func() error {
				_, err := c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.SetClimate, Climate: climates(*limits)[0]})
				return err
			}))
			require.NoError(s, err, "Do for a thermostat, next to a slow lock")
			cancel()
			finish(s, "Do whose context has ended", slow)
		})
	}},
	{"methods of a connection run at the same time", func(s *suite) {
		c, coder, limits := s.openLock()
		w := s.watch(c)
		results := []<-chan error{
			start(func() error { _, err := collect(s.ctx, c); return err }),
			start(func() error { _, err := coder.Codes(s.ctx, s.Lock); return err }),
			start(func() error { return coder.SetCode(s.ctx, s.Lock, s.code(limits, 0, 0)) }),
			start(func() error { _, err := collect(s.ctx, c); return err }),
		}
		if s.Thermostat != "" {
			results = append(results, start(func() error {
				_, err := c.Do(s.ctx, s.Thermostat, device.Command{Kind: device.Lock})
				if errors.Is(err, device.ErrUnsupported) {
					return nil
				}
				return fmt.Errorf("a thermostat cannot be locked, but Do returned: %w", err)
			}))
		}
		for _, r := range results {
			require.NoError(s, finish(s, "one of several calls at the same time", r))
		}
		w.cancel()
		finish(s, "Watch", w.result)
	}},
}

// call is a method of a Conn that is called for the lock.
type call struct {
	name  string
	waits bool // for the device
	run   func(ctx context.Context) error
}

func (s *suite) calls(c device.Conn, limits device.CodeLimits) []call {
	s.Helper()
	coder, ok := c.(device.Coder)
	require.True(s, ok, "the Conn is a device.Coder")
	code := s.code(limits, 0, 0)
	return []call{
		{"Devices", false, func(ctx context.Context) error { _, err := collect(ctx, c); return err }},
		{"Watch", false, func(ctx context.Context) error { return c.Watch(ctx, func(device.Event) {}) }},
		{"Do", true, func(ctx context.Context) error {
			_, err := c.Do(ctx, s.Lock, device.Command{Kind: device.Lock})
			return err
		}},
		{"SetCode", true, func(ctx context.Context) error { return coder.SetCode(ctx, s.Lock, code) }},
		{"ClearCode", true, func(ctx context.Context) error { return coder.ClearCode(ctx, s.Lock, code.Index) }},
		{"Codes", false, func(ctx context.Context) error { _, err := coder.Codes(ctx, s.Lock); return err }},
	}
}

// whileHeld calls fn while the lock is slow. The hook's release is called even if fn ends the check.
func (s *suite) whileHeld(fn func()) {
	release := s.Hooks.Hold(s.Lock)
	defer release()
	fn()
}
