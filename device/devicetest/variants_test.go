package devicetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// A target without hooks, with only a provider and an account.
func TestRun_MissingHooks_SkipOrFail(t *testing.T) {
	t.Parallel()
	bare := func(tb testing.TB) World {
		w := simulatedWorld(nil)(tb)
		return World{Provider: w.Provider, Answers: w.Answers}
	}
	skipped := 0
	for _, g := range groups {
		for _, c := range g.checks {
			r := record(t, Target{New: bare}, c.name)
			require.False(t, r.failed, "check %q without hooks: %s", c.name, &r.text)
			if !r.skipped || c.name == "a native schedule is read back" {
				continue
			}
			skipped++
			require.Contains(t, r.text.String(), "the target has no ", "check %q", c.name)
			r = record(t, Target{New: bare, Complete: true}, c.name)
			require.True(t, r.failed && !r.skipped, "check %q of an incomplete target must fail", c.name)
			require.Contains(t, r.text.String(), "the target is not complete: it has no ", "check %q", c.name)
		}
	}
	require.Greater(t, skipped, 30)
}

// Target.Missing names what the environment cannot provide, and nothing else.
func TestRun_TargetMissing_SkipsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	const check = "a code that the lock ignores is not reported as set"
	withoutDeaf := func(tb testing.TB) World {
		w := simulatedWorld(nil)(tb)
		w.Hooks.Deaf = nil
		return w
	}
	r := record(t, Target{New: withoutDeaf, Complete: true, Missing: []string{"Hooks.Deaf"}}, check)
	require.True(t, r.skipped && !r.failed, "the check of a hook in Target.Missing is skipped")
	r = record(t, Target{New: simulatedWorld(nil), Complete: true, Missing: []string{"Hooks.Deaf"}}, check)
	require.True(t, r.failed, "a hook in Target.Missing that is not missing")
	require.Contains(t, r.text.String(), "Target.Missing names Hooks.Deaf, but the target has it")
}

// Devices that refuse a code without a word pass as far as the target declares it.
func TestRun_SilentRejections_PassOnlyIfDeclared(t *testing.T) {
	t.Parallel()
	silent := func(declared bool) func(testing.TB) World {
		return func(tb testing.TB) World {
			w := simulatedWorld(nil)(tb)
			w.SilentRejections = declared
			w.Provider = buggyProvider{Provider: w.Provider, conn: func(c coder, w *wrapped) {
				w.setCode = func(ctx context.Context, id string, s device.Slot) error {
					err := c.SetCode(ctx, id, s)
					if rejected, ok := errors.AsType[*device.RejectedError](err); ok && rejected.Reason != device.RejectedConstraint {
						return fmt.Errorf("%w: the slot is still empty", device.ErrUnconfirmed)
					}
					return err
				}
			}}
			return w
		}
	}
	for _, name := range []string{"a duplicate PIN is rejected as a duplicate", "a code for a full lock is rejected as full"} {
		r := record(t, Target{New: silent(true), Complete: true}, name)
		require.False(t, r.failed || r.skipped, "check %q of a target with silent rejections: %s", name, &r.text)
		r = record(t, Target{New: silent(false), Complete: true}, name)
		require.True(t, r.failed, "check %q of a target without silent rejections", name)
	}
}

// A driver that reconnects on its own keeps Watch running, and reports Resync afterwards.
func TestRun_DriverThatReconnects_Passes(t *testing.T) {
	t.Parallel()
	reconnecting := func(tb testing.TB) World {
		w := simulatedWorld(nil)(tb)
		w.Provider = buggyProvider{Provider: w.Provider, conn: func(c coder, w *wrapped) {
			w.watch = func(ctx context.Context, fn func(device.Event)) error {
				for {
					err := c.Watch(ctx, fn)
					if !errors.Is(err, device.ErrOffline) {
						return err
					}
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			}
		}}
		return w
	}
	r := record(t, Target{New: reconnecting, Complete: true}, "an outage of the provider is reported as ErrOffline")
	require.False(t, r.failed || r.skipped, "%s", &r.text)
}
