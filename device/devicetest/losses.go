package devicetest

import (
	"context"
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var lossChecks = []check{
	{"after Close all methods return ErrClosed", func(s *suite) {
		c, _, limits := s.openLock()
		calls := s.calls(c, limits)
		require.NoError(s, c.Close(), "Close")
		require.NoError(s, c.Close(), "a second Close")
		for _, call := range calls {
			err := finish(s, call.name+" after Close", start(func() error { return call.run(s.ctx) }))
			require.ErrorIs(s, err, device.ErrClosed, "%s after Close", call.name)
		}
	}},
	{"Close ends a running Watch", func(s *suite) {
		c := s.open()
		w := s.watch(c)
		require.NoError(s, finish(s, "Close during Watch", start(c.Close)), "Close")
		require.ErrorIs(s, finish(s, "Watch of a closed connection", w.result), device.ErrClosed, "result of Watch")
	}},
	{"Close ends a command to a slow device", func(s *suite) {
		s.needLock()
		s.need("Hooks.Hold", s.Hooks.Hold != nil)
		c := s.open()
		s.whileHeld(func() {
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			result := start(func() error { _, err := c.Do(ctx, s.Lock, device.Command{Kind: device.Lock}); return err })
			require.NoError(s, finish(s, "Close during Do", start(c.Close)), "Close")
			require.ErrorIs(s, finish(s, "Do of a closed connection", result), device.ErrClosed, "result of Do")
		})
	}},
	{"Close does not disturb other connections", func(s *suite) {
		first, second := s.open(), s.open()
		w := s.watch(second)
		require.NoError(s, first.Close(), "Close")
		require.NotEmpty(s, s.inventory(second), "devices of the other connection")
		w.cancel()
		require.ErrorIs(s, finish(s, "Watch", w.result), context.Canceled, "result of the other connection's Watch")
	}},
	{"an outage of the provider is reported as ErrOffline", func(s *suite) {
		s.needLock()
		s.need("Hooks.Outage", s.Hooks.Outage != nil)
		c := s.open()
		w := s.watch(c)
		s.Hooks.Outage(true)
		s.eventually(func() string { // a command sent before the driver notices the outage has an unknown result
			_, err := c.Do(s.ctx, s.Lock, device.Command{Kind: device.Lock})
			if errors.Is(err, device.ErrUnconfirmed) {
				return "Do during an outage: " + err.Error()
			}
			require.ErrorIs(s, err, device.ErrOffline, "Do during an outage")
			return ""
		})
		other, err := s.Provider.Open(s.ctx, s.account())
		if err == nil {
			_, err = collect(s.ctx, other)
			require.NoError(s, other.Close(), "Close")
		}
		require.ErrorIs(s, err, device.ErrOffline, "Open or Devices during an outage")
		s.Hooks.Outage(false)
		s.eventually(func() string {
			resyncs := 0
			for _, e := range w.all() {
				if e.Kind == device.Resync {
					resyncs++
				}
			}
			if resyncs > 1 {
				return ""
			}
			select {
			case err := <-w.result:
				require.ErrorIs(s, err, device.ErrOffline, "result of Watch after an outage")
				return ""
			default:
				return "after an outage, Watch neither returned nor reported Resync"
			}
		})
		require.NotEmpty(s, s.inventory(s.open()), "devices after the outage")
	}},
	{"a lost account is reported as ErrAccountLost", func(s *suite) {
		s.need("Hooks.Revoke", s.Hooks.Revoke != nil)
		c, _, limits := s.openLock()
		w := s.watch(c)
		s.Hooks.Revoke()
		require.ErrorIs(s, finish(s, "Watch after the account was lost", w.result), device.ErrAccountLost, "result of Watch")
		for _, call := range s.calls(c, limits) {
			err := finish(s, call.name, start(func() error { return call.run(s.ctx) }))
			require.ErrorIs(s, err, device.ErrAccountLost, "%s after the account was lost", call.name)
		}
		other, err := s.Provider.Open(s.ctx, s.account())
		if err == nil {
			_, err = collect(s.ctx, other)
			require.NoError(s, other.Close(), "Close")
		}
		if !errors.Is(err, device.ErrAccountLost) {
			s.Fatalf("Open or Devices with a lost account: the error must be ErrAccountLost, but is: %v", err)
		}
	}},
	{"reconnecting a lost account yields the same account and devices", func(s *suite) {
		s.need("Hooks.Revoke", s.Hooks.Revoke != nil)
		s.need("World.Answers", len(s.Answers) > 0)
		lost := s.account()
		before := ids(s.inventory(s.open()))
		s.Hooks.Revoke()
		again := s.connect(&lost)
		require.Equal(s, lost.ID, again.ID, "id of the reconnected account")
		s.Account = again
		require.True(s, slices.Equal(before, ids(s.inventory(s.open()))), "ids of the devices of the reconnected account")
	}},
}
